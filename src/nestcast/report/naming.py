"""What series are called: which key is the item, which the place, and the names of their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nestcast.data.keys import Column, Keys, item_column, numbered
from nestcast.data.panel import Attributes

Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Group:
    """One way to gather series, such as by shop.

    Args:
        word: what one of them is called, such as `shop`.
        names: of the groups, in order of their keys.
        ids: their keys as text, shape (groups,).
        of_series: number of the group of each series, shape (series,).
    """

    word: str
    names: list[str]
    ids: list[str]
    of_series: Codes

    def __len__(self) -> int:
        return len(self.names)


def by_item(keys: Keys, attributes: Mapping[str, Attributes]) -> Group:
    """Gather by the item: `item_id`, or the key with the most values."""
    return _by_columns(keys, (item_column(keys),), attributes)


def by_place(keys: Keys, attributes: Mapping[str, Attributes]) -> Group | None:
    """Gather by all other keys, such as the shop; None where there is no other."""
    others = tuple(name for name in keys.names if name != item_column(keys))
    return _by_columns(keys, others, attributes) if others else None


def by_category(keys: Keys, attributes: Mapping[str, Attributes]) -> Group | None:
    """Gather by the category of items; None where none is known.

    The category is the attribute of items that is called so, by its name where it has one.
    """
    item = item_column(keys)
    known = attributes.get(item)
    if known is None:
        return None
    named = [name for name in known.columns if "category" in name]
    if not named:
        return None
    column = next((name for name in named if name.endswith("_name")), named[0])
    values = _with_unknown(known.columns[column])[known.positions(keys[item])]
    distinct, codes = np.unique(values, return_inverse=True)
    names = [value or "unknown" for value in distinct.tolist()]
    return Group("category", names, names, codes.astype(np.int64))


def joined(keys: Keys, columns: Sequence[str]) -> Group:
    """Gather by some keys as they are, without names."""
    return _by_columns(keys, tuple(columns), {})


def _by_columns(
    keys: Keys, columns: tuple[str, ...], attributes: Mapping[str, Attributes]
) -> Group:
    first, codes = _distinct(Keys({name: keys[name] for name in columns}))
    names = [_names_of(name, keys[name][first], attributes) for name in columns]
    ids = [[str(value) for value in keys[name][first].tolist()] for name in columns]
    joined = [" · ".join(parts) for parts in zip(*names, strict=True)]
    ids_joined = [" · ".join(parts) for parts in zip(*ids, strict=True)]
    return Group(" · ".join(map(word_of, columns)), joined, ids_joined, codes)


def _distinct(keys: Keys) -> tuple[Codes, Codes]:
    """Rows of the first of each distinct key, in order of the keys, and each row's number there."""
    codes = np.zeros(len(keys), np.int64)
    for name in keys.names:
        _, column = numbered(keys[name])
        _, codes = numbered(codes * (column.max(initial=0) + 1) + column)
    _, first = np.unique(codes, return_index=True)
    return first.astype(np.int64), codes.astype(np.int64)


def _names_of(column: str, values: Column, attributes: Mapping[str, Attributes]) -> list[str]:
    """The name of each value of a key: its attribute `..._name`, else the value itself."""
    plain = [str(value) for value in values.tolist()]
    known = attributes.get(column)
    wanted = f"{word_of(column)}_name"
    if known is None or wanted not in known.columns:
        words = f"{word_of(column)} " if values.dtype.kind in "iu" else ""
        return [words + value for value in plain]
    found = _with_unknown(known.columns[wanted])[known.positions(values)].tolist()
    return [name or f"{word_of(column)} {value}" for name, value in zip(found, plain, strict=True)]


def _with_unknown(values: Column) -> Column:
    """Attribute values as text, with an empty one at the end, where position -1 points."""
    return np.append(values.astype(str), "")


def word_of(column: str) -> str:
    """A column's name as a word.

    Example:
        >>> word_of("shop_id"), word_of("unique_id")
        ('shop', 'series')
    """
    word = column.lower().removesuffix("_id").replace("_", " ").strip()
    return "series" if word in ("unique", "") else word


def plural(word: str) -> str:
    """More than one of it.

    Example:
        >>> plural("shop"), plural("category"), plural("series")
        ('shops', 'categories', 'series')
    """
    if word.endswith("s"):
        return word
    return word[:-1] + "ies" if word.endswith("y") else word + "s"
