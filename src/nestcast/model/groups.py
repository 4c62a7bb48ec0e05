"""The groups a series belongs to (its shop, its item's category, ...), from keys and attributes.

Which groups a model uses is chosen once, when it is fitted, and kept by name.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from nestcast.data.keys import Column
from nestcast.data.panel import Panel
from nestcast.errors import ModelError

Group = tuple[str, ...]  # the columns whose values define it; () is all series together

_LARGEST_VOCABULARY = 1000
_SERIES_PER_VALUE = 20


def choose_embedded(panel: Panel) -> list[str]:
    """Columns with enough series per value to learn something about each value."""
    return [
        name
        for name in _candidates(panel)
        if 2 <= (distinct := len(np.unique(column(panel, name)))) <= _LARGEST_VOCABULARY
        and distinct * _SERIES_PER_VALUE <= len(panel)
    ]


def choose_means(panel: Panel) -> list[Group]:
    """Groups whose mean of the period before is worth knowing.

    All series together, each key and attribute, and each key with the attributes of another key
    (shop by category), where a group has two series or more on average.
    """
    owners = _candidates(panel)
    crossed = [
        (one, other)
        for one, other in combinations(owners, 2)
        if owners[one] != owners[other] and (one == owners[one]) != (other == owners[other])
    ]
    groups: list[Group] = [*((name,) for name in owners), *crossed]
    return [
        (),
        *(g for g in groups if 2 * (group_codes(panel, g).max(initial=0) + 1) <= len(panel)),
    ]


def column(panel: Panel, name: str) -> Column:
    """A key, or an attribute of a key, for each series; attributes not known are -1 or empty.

    Raises:
        ModelError: the panel has no such column.
    """
    if name in panel.keys.names:
        return panel.keys[name]
    for attributes in panel.attributes.values():
        if name in attributes.columns:
            values = attributes.columns[name]
            at = attributes.positions(panel.keys[attributes.key])
            return np.where(at >= 0, values[at], -1 if values.dtype.kind in "iu" else "")
    raise ModelError(
        f"the model was fitted with {name!r}, which these data do not have: "
        "give the same files and columns as when it was fitted."
    )


def group_codes(panel: Panel, group: Group) -> NDArray[np.int64]:
    """The group of each series as a number from 0, shape (series,)."""
    codes = np.zeros(len(panel), dtype=np.int64)
    for name in group:
        _, code = np.unique(column(panel, name), return_inverse=True)
        product = codes * (code.max(initial=0) + 1) + code
        codes = np.unique(product, return_inverse=True)[1]
    return codes


def _candidates(panel: Panel) -> dict[str, str]:
    """Columns that can sort series into groups, and the key column that each belongs to.

    An attribute that says the same as an earlier one (an id and its name) is left out.
    """
    owners = {name: name for name in panel.keys.names}
    for key, attributes in panel.attributes.items():
        partitions: set[bytes] = set()
        for name, values in attributes.columns.items():
            _, first, code = np.unique(values.astype(str), return_index=True, return_inverse=True)
            by_appearance = np.argsort(np.argsort(first))[code].tobytes()
            shared_by_several = 2 <= len(first) <= len(values) / 2
            if shared_by_several and by_appearance not in partitions:
                partitions.add(by_appearance)
                owners[name] = key
    return owners
