"""The groups a series belongs to (its shop, its item's category, ...), from keys and attributes.

Which groups a model uses is chosen once, when it is fitted, and kept by name.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from nestcast.data.keys import Column, numbered
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
    grouping = Grouping(panel)
    return [
        (),
        *(g for g in groups if 2 * (grouping.codes(g).max(initial=0) + 1) <= len(panel)),
    ]


def column(panel: Panel, name: str) -> Column:
    """A key, or an attribute of a key, for each series; attributes not known are -1 or empty.

    Raises:
        ModelError: the panel has no such column.
    """
    grouping = Grouping(panel)
    of_value = grouping.column(name)
    return of_value[grouping.key(grouping.owner(name))[1]]


class Grouping:
    """The groups of a panel's series; each column is looked up once.

    Example:
        >>> from nestcast.data import Calendar, Keys
        >>> keys = Keys({"shop": np.array([7, 7, 9]), "item": np.array([1, 2, 1])})
        >>> months = Calendar("1mo", np.datetime64("2024-01-01"), 1)
        >>> panel = Panel(keys, months, np.ones((3, 1), np.float32), np.zeros(3, np.int32))
        >>> Grouping(panel).codes(("shop",))
        array([0, 0, 1])

    Args:
        panel: the series.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._keys: dict[str, tuple[Column, NDArray[np.int64]]] = {}
        self._kinds: dict[str, NDArray[np.int64]] = {}

    def key(self, name: str) -> tuple[Column, NDArray[np.int64]]:
        """The distinct values of a key column, sorted, and the position of each series in them."""
        if name not in self._keys:
            self._keys[name] = numbered(self._panel.keys[name])
        return self._keys[name]

    def owner(self, name: str) -> str:
        """The key column that a column describes."""
        if name in self._panel.keys.names:
            return name
        for key, attributes in self._panel.attributes.items():
            if name in attributes.columns:
                return key
        raise ModelError(
            f"the model was fitted with {name!r}, which these data do not have: "
            "give the same files and columns as when it was fitted."
        )

    def column(self, name: str) -> Column:
        """A key or an attribute for each distinct value of its key; see `owner` and `key`."""
        owner = self.owner(name)
        values, _ = self.key(owner)
        if owner == name:
            return values
        attributes = self._panel.attributes[owner]
        found = attributes.columns[name]
        at = attributes.positions(values)
        return np.where(at >= 0, found[at], -1 if found.dtype.kind in "iu" else "")

    def kinds(self, group: Group, key: str) -> NDArray[np.int64]:
        """The group of each distinct value of a key by columns that describe it, from 0."""
        codes = np.zeros(len(self.key(key)[0]), np.int64)
        for name in group:
            if name not in self._kinds:
                self._kinds[name] = np.unique(self.column(name), return_inverse=True)[1]
            codes = _combined(codes, self._kinds[name])
        return codes

    def codes(self, group: Group) -> NDArray[np.int64]:
        """The group of each series as a number from 0, shape (series,)."""
        codes = np.zeros(len(self._panel), np.int64)
        for key in dict.fromkeys(self.owner(name) for name in group):
            owned = tuple(name for name in group if self.owner(name) == key)
            codes = _combined(codes, self.kinds(owned, key)[self.key(key)[1]])
        return codes


def shop_codes(panel: Panel, item: str) -> NDArray[np.int64]:
    """The shop of each series as a number from 0: what its keys but that of the item say."""
    return group_codes(panel, tuple(name for name in panel.keys.names if name != item))


def group_codes(panel: Panel, group: Group) -> NDArray[np.int64]:
    """The group of each series as a number from 0, shape (series,)."""
    return Grouping(panel).codes(group)


def _combined(codes: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers from 0 that tell apart what either tells apart."""
    return numbered(codes * (int(others.max(initial=0)) + 1) + others)[1]


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
