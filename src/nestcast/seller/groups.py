"""The groups that a series belongs to: its shop, its item, its item's category."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from nestcast.data.keys import Column, Keys, item_column, numbered
from nestcast.data.panel import Attributes, Panel

Codes = NDArray[np.int64]


def column_of(keys: Keys, attributes: Mapping[str, Attributes], name: str) -> Column:
    """A key, or an attribute of a key, of each series; -1 or empty where that is not known.

    Example:
        >>> items = Attributes("item_id", np.array([7, 8]), {"category": np.array([40, 41])})
        >>> column_of(Keys({"item_id": np.array([8, 9])}), {"item_id": items}, "category")
        array([41, -1])

    Raises:
        KeyError: there is no such column.
    """
    if name in keys.names:
        return keys[name]
    for one in attributes.values():
        if name in one.columns:
            values, at = one.columns[name], one.positions(keys[one.key])
            return np.where(at >= 0, values[at], -1 if values.dtype.kind in "iu" else "")
    raise KeyError(name)


def shared_columns(keys: Keys, attributes: Mapping[str, Attributes]) -> list[str]:
    """Columns that gather several items: the other keys, and whole-number attributes of the item.

    Example:
        >>> shared_columns(Keys({"shop_id": np.array([1]), "item_id": np.array([7])}), {})
        ['shop_id']
    """
    item = item_column(keys)
    named = attributes[item].columns.items() if item in attributes else ()
    return [
        *(name for name in keys.names if name != item),
        *(name for name, values in named if values.dtype.kind in "iu"),
    ]


def codes_of(column: Column) -> tuple[Codes, int]:
    """Number of the group of each series, and how many groups there are."""
    distinct, codes = numbered(column)
    return codes, len(distinct)


def per_quarter(panel: Panel) -> int:
    """Periods in a quarter of a year: 3 months, 13 weeks, 91 days."""
    return panel.calendar.year // 4
