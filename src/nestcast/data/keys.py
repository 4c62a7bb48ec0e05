"""Which series is which: the key columns (shop, item, ...) of a set of series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nestcast.errors import DataError, OptionError

Column = NDArray[Any]

_LOOKED_UP = 32  # places of a look-up table for each value, at most


@dataclass(frozen=True, eq=False)
class Keys:
    """A table with one row per series and one column per key; values are integers or strings.

    Example:
        >>> keys = Keys({"shop_id": np.array([5, 5, 6]), "item_id": np.array([10, 11, 10])})
        >>> keys.locate(Keys({"shop_id": np.array([6, 7]), "item_id": np.array([10, 10])}))
        array([ 2, -1])

    Args:
        columns: name -> values, all of the same length (series,).
    """

    columns: Mapping[str, Column]

    def __post_init__(self) -> None:
        lengths = {len(values) for values in self.columns.values()}
        if len(lengths) != 1:
            raise ValueError(f"key columns must have one common length, not {sorted(lengths)}")

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    @property
    def names(self) -> tuple[str, ...]:
        """The key columns, in order."""
        return tuple(self.columns)

    def take(self, index: NDArray[Any] | slice) -> Keys:
        """The rows at `index` (positions, a mask or a slice)."""
        return Keys({name: values[index] for name, values in self.columns.items()})

    def concat(self, other: Keys) -> Keys:
        """These rows, then the other's."""
        self._check_same_columns(other)
        return Keys({name: np.concatenate([self[name], other[name]]) for name in self.names})

    def locate(self, other: Keys) -> NDArray[np.int64]:
        """Position here of each of the other's rows, -1 where it is absent.

        Of several equal rows here, the first counts.

        Raises:
            DataError: the two do not have the same columns, or a column's types cannot be compared.
        """
        mine, theirs = self._joint_codes(other)
        first = np.full(max(mine.max(initial=-1), theirs.max(initial=-1)) + 1, -1, np.int64)
        first[mine[::-1]] = np.arange(len(mine))[::-1]
        return np.asarray(first[theirs])

    def first_of_each(self) -> NDArray[np.int64]:
        """Positions of the first row of each distinct key, in order of appearance."""
        codes, _ = self._joint_codes(self)
        return np.sort(np.unique(codes, return_index=True)[1])

    def _check_same_columns(self, other: Keys) -> None:
        if set(self.names) != set(other.names):
            raise DataError(
                f"key columns differ: {', '.join(self.names)} here, "
                f"{', '.join(other.names)} there. Name the same columns on both sides."
            )

    def _joint_codes(self, other: Keys) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """One integer per row, equal exactly where all key columns are equal."""
        self._check_same_columns(other)
        size = len(self)
        codes = np.zeros(size + len(other), dtype=np.int64)
        for name in self.names:
            here, there = self[name], other[name]
            if (here.dtype.kind in "iu") != (there.dtype.kind in "iu"):
                here, there = here.astype(str), there.astype(str)
            _, column = numbered(np.concatenate([here, there]))
            # Renumbered after each column, so that the product never exceeds rows squared.
            _, codes = numbered(codes * (column.max(initial=0) + 1) + column)
        return codes[:size], codes[size:]


def numbered(values: Column) -> tuple[Column, NDArray[np.int64]]:
    """The distinct values, sorted, and the position of each value in them.

    Whole numbers that lie close together are looked up instead of sorted.

    Example:
        >>> numbered(np.array([30, 10, 30]))
        (array([10, 30]), array([1, 0, 1]))
    """
    if values.dtype.kind in "iu" and len(values):
        least, most = int(values.min()), int(values.max())
        if most - least < _LOOKED_UP * len(values) and most < 2**62:
            offset = values.astype(np.int64) - least
            present = np.zeros(most - least + 1, bool)
            present[offset] = True
            distinct = (np.flatnonzero(present) + least).astype(values.dtype)
            return distinct, np.cumsum(present, dtype=np.int32)[offset] - np.int64(1)
    distinct, codes = np.unique(values, return_inverse=True)
    return distinct, codes.astype(np.int64)


def item_column(keys: Keys, wanted: str | None = None) -> str:
    """The key column that names the item: `item_id`, or the one with the most values.

    Its values are also the clusters of the bootstrap.

    Example:
        >>> item_column(Keys({"store": np.array([1, 1, 2]), "dept": np.array([1, 2, 3])}))
        'dept'

    Raises:
        OptionError: there is no such column.
    """
    if wanted is not None:
        if wanted not in keys.names:
            raise OptionError(
                f"no key column {wanted!r} to cluster by: use one of {', '.join(keys.names)}."
            )
        return wanted
    if "item_id" in keys.names:
        return "item_id"
    return max(keys.names, key=lambda name: len(np.unique(keys[name])))
