"""Sums and sizes of groups of series in every period, over the grid of what sells.

For counts with several keys a group has every combination of the key values that sold something in
the period, whether the panel holds it or not: a shop that sold none of an item on sale counts as 0.
So a group's mean is the same whichever series are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nestcast.data.panel import Panel
from nestcast.evaluation.cells import sold_by_value
from nestcast.model.groups import Group, group_codes

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
    count: Floats

    def means(self) -> NDArray[np.float32]:
        """Mean in each period, shape (groups, time)."""
        return (self.total / np.maximum(self.count, 1)).astype(np.float32)

    def mean_of(self, begin: int, end: int, pseudo_count: float) -> Floats:
        """Mean over some periods, drawn to that of all series where it rests on few."""
        total = self.total[:, begin:end].sum(axis=1)
        count = self.count[:, begin:end].sum(axis=1)
        overall = total.sum() / max(count.sum(), 1)
        return np.asarray((total + pseudo_count * overall) / (count + pseudo_count))


def group_sums(
    values: NDArray[np.float32],
    panel: Panel,
    group: Group,
    new: tuple[str, NDArray[np.int64]] | None = None,
) -> GroupSums:
    """Sums of some values over each group.

    Args:
        values: what to sum, 0 where there is nothing, shape (series, time).
        panel: the series, which begin when they are listed.
        group: columns that define it.
        new: count only the period in which an item is new: its key column, and that period for
            each series, shape (series,).
    """
    code = group_codes(panel, group)
    time = np.arange(len(panel.calendar))
    if new is not None:
        values = np.where(time == new[1][:, None], values, np.float32(0))
    total = _sums(values, code)
    if not panel.is_count or len(panel.keys.names) < 2:
        counted = (time >= panel.start[:, None]) & np.isfinite(panel.target)
        if new is not None:
            counted &= time == new[1][:, None]
        return GroupSums(code, total, _sums(counted.astype(np.float32), code))
    count = np.ones_like(total)
    first = np.unique(code, return_index=True)[1]  # a series of each group
    for key in panel.keys.names:
        sold, of_series = sold_by_value(panel, key)
        one = np.unique(of_series, return_index=True)[1]  # a series of each value of the key
        if new is not None and key == new[0]:
            sold = sold & (time == new[1][one, None])
        owned = tuple(name for name in group if _owner(panel, name) == key)
        kind = group_codes(panel, owned)
        of_kind = np.searchsorted(np.unique(kind[one]), kind[first])
        count *= _sums(sold.astype(np.float32), kind[one])[of_kind]
    return GroupSums(code, total, count)


def _owner(panel: Panel, name: str) -> str:
    """The key column that a column describes."""
    if name in panel.keys.names:
        return name
    return next(key for key, known in panel.attributes.items() if name in known.columns)


def _sums(values: NDArray[np.float32], code: NDArray[np.int64]) -> Floats:
    """Sums over the rows of each group, shape (groups, time)."""
    order = np.argsort(code, kind="stable")
    edges = np.flatnonzero(np.diff(code[order], prepend=-1))
    return np.asarray(np.add.reduceat(values[order], edges, axis=0, dtype=np.float64))
