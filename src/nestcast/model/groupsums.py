"""Sums and sizes of groups of series in every period, over the grid of what sells.

For counts with several keys a group has every combination of the key values that sold something in
the period, whether the panel holds it or not: a shop that sold none of an item on sale counts as 0.
So a group's mean is the same whichever series are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nestcast.data.panel import Panel
from nestcast.model.cells import sold_by_value
from nestcast.model.groups import Group, Grouping

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GroupSums:
    """A group's sums and sizes.

    Args:
        code: group of each series, shape (series,).
        total: sum over the series of each group, shape (groups, time).
        count: how many these are, shape (groups, time).
    """

    code: NDArray[np.int64]
    total: Floats
    count: Floats | NDArray[np.float32]

    def means(self) -> NDArray[np.float32]:
        """Mean in each period, shape (groups, time)."""
        found = np.empty(self.total.shape, np.float32)
        return np.divide(self.total, np.maximum(self.count, 1), out=found, casting="same_kind")

    def mean_of(self, begin: int, end: int, pseudo_count: float) -> Floats:
        """Mean over some periods, drawn to that of all series where it rests on few."""
        total = self.total[:, begin:end].sum(axis=1)
        count = self.count[:, begin:end].sum(axis=1)
        overall = total.sum() / max(count.sum(), 1)
        return np.asarray((total + pseudo_count * overall) / (count + pseudo_count))

    def running_means(self, window: int, pseudo_count: float) -> NDArray[np.float32]:
        """`mean_of` the window before each period but the first, shape (groups, time + 1)."""
        total, count = (
            np.pad(np.cumsum(values[:, 1:], axis=1), ((0, 0), (2, 0)))[:, : values.shape[1] + 1]
            for values in (self.total, self.count)
        )
        if window < total.shape[1]:
            total[:, window:] -= total[:, :-window].copy()
            count[:, window:] -= count[:, :-window].copy()
        overall = total.sum(axis=0) / np.maximum(count.sum(axis=0), 1)
        means = (total + pseudo_count * overall) / (count + pseudo_count)
        return np.asarray(means, np.float32)


class Sparse(NamedTuple):
    """What is not 0 of an array (rows, time): little, as most series sell nothing mostly.

    Args:
        row, period: of each such cell, shape (cells,).
        value: what stands there, shape (cells,).
        length: periods in all.
    """

    row: NDArray[np.int64]
    period: NDArray[np.int64]
    value: NDArray[np.float32]
    length: int

    @classmethod
    def of(cls, values: NDArray[np.float32] | NDArray[np.bool_]) -> Sparse:
        """Those of an array."""
        row, period = np.nonzero(values)
        return cls(row, period, values[row, period].astype(np.float32), values.shape[1])

    def at(self, periods: NDArray[np.int64]) -> Sparse:
        """Only one period of each row."""
        kept = self.period == periods[self.row]
        return Sparse(self.row[kept], self.period[kept], self.value[kept], self.length)

    def sums(self, code: NDArray[np.int64]) -> Floats:
        """Sums over the rows of each group, shape (groups, time)."""
        groups = code.max(initial=-1) + 1
        cell = code[self.row] * self.length + self.period
        sums = np.bincount(cell, self.value, groups * self.length)
        return np.asarray(sums.reshape(groups, self.length), np.float64)


class GroupMeans:
    """Sums over the groups of a panel, and how many cells they are of.

    Args:
        panel: the series, which begin when they are listed.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._grouping = Grouping(panel)
        self._on_grid = panel.is_count and len(panel.keys.names) > 1
        self._sold = {}
        if self._on_grid:
            for key in panel.keys.names:
                self._sold[key] = sold_by_value(panel, self._grouping.key(key)[1])
        else:
            self._counted = (
                (np.arange(len(panel.calendar)) >= panel.start[:, None]) & np.isfinite(panel.target)
            ).astype(np.float32)

    def sums(
        self,
        values: Sparse,
        group: Group,
        new: tuple[str, NDArray[np.int64]] | None = None,
    ) -> GroupSums:
        """Sums of some values over each group.

        Args:
            values: what to sum, of (series, time).
            group: columns that define it.
            new: count only the period in which an item is new: its key column, and that period for
                each series, shape (series,).
        """
        code = self._grouping.codes(group)
        if new is not None:
            values = values.at(new[1])
        total = values.sums(code)
        if not self._on_grid:
            counted = Sparse.of(self._counted)
            return GroupSums(
                code, total, (counted if new is None else counted.at(new[1])).sums(code)
            )
        count = np.ones_like(total, np.float32)  # there may be a group for each series
        first = np.zeros(len(total), np.int64)
        first[code[::-1]] = np.arange(len(code))[::-1]  # a series of each group
        for key, sold in self._sold.items():
            of_series = self._grouping.key(key)[1]
            if new is not None and key == new[0]:
                one = np.zeros(len(sold), np.int64)
                one[of_series] = np.arange(len(of_series))  # a series of each value of the key
                sold = sold & (np.arange(sold.shape[1]) == new[1][one, None])
            owned = tuple(name for name in group if self._grouping.owner(name) == key)
            kind = self._grouping.kinds(owned, key)
            count *= Sparse.of(sold).sums(kind).astype(np.float32)[kind[of_series[first]]]
        return GroupSums(code, total, count)
