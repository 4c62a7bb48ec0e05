"""Lagged features: what is known of each series at an origin, as columns of numbers.

The row of a series at origin t (its first t periods known) reads no target at or after t, and of
the period to forecast only its place in the calendar.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nestcast.data.keys import Keys
from nestcast.data.panel import Panel
from nestcast.evaluation.cells import sold_by_value
from nestcast.evaluation.segments import item_column
from nestcast.model.features import calendar_features
from nestcast.model.groups import Group, choose_embedded, choose_means, column, group_codes
from nestcast.model.population import from_listing

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

_LAGS = {"1d": 14, "1w": 12, "1mo": 12}
_GROUP_LAGS = (1, 2, 3, 6, 12)
_LARGE = (
    50.0  # mean of the sales that are not 0 above which counts are taken relative to their size
)
_PSEUDO_ITEMS = 20.0


@dataclass(frozen=True)
class Schema:
    """Which columns there are: chosen once, when a model is fitted, and kept.

    Args:
        groups: the groups whose means are features.
        newcomers: the groups whose sales of new items are features.
        vocabularies: column -> its values, whose positions are features.
        item: the key column of the item.
        relative: whether targets are divided by the mean size of their series so far.
        typical: the mean absolute target, the size of a series without a past.
    """

    groups: tuple[Group, ...]
    newcomers: tuple[Group, ...]
    vocabularies: dict[str, list[Any]]
    item: str
    relative: bool
    typical: float


def schema_of(panel: Panel) -> Schema:
    """Choose the columns that the panel has something to say about."""
    groups = tuple(choose_means(panel))
    item = item_column(panel.keys)
    size = np.abs(panel.target[np.isfinite(panel.target) & (panel.target != 0)])
    return Schema(
        groups=groups,
        newcomers=tuple(group for group in groups if item not in group),
        vocabularies={
            name: np.unique(column(panel, name)).tolist() for name in choose_embedded(panel)
        },
        item=item,
        relative=not panel.is_count or (len(size) > 0 and float(size.mean()) > _LARGE),
        typical=max(float(np.nanmean(np.abs(panel.target))), 1e-3) if panel.target.size else 1.0,
    )


class LaggedFeatures:
    """Features and targets of a panel at any origin.

    Args:
        panel: the series, each asked for among them.
        schema: which columns to give.
    """

    def __init__(self, panel: Panel, schema: Schema) -> None:
        self._own_start = panel.start.astype(np.int64)
        panel = from_listing(panel)
        self._panel, self._schema = panel, schema
        self._season, self._year = panel.calendar.season, panel.calendar.year
        self._lags = _LAGS[panel.calendar.freq]
        begun = np.arange(len(panel.calendar)) >= panel.start[:, None]
        self._seen = begun & np.isfinite(panel.target)
        self._target = np.where(self._seen, panel.target, np.float32(0))
        self._total = _cumulated(self._target)
        self._count = _cumulated(self._seen)
        self._sales = _cumulated(self._target != 0)
        time = np.arange(1, len(panel.calendar) + 1, dtype=np.int32)
        last = np.maximum.accumulate(np.where(self._target != 0, time, 0), axis=1)
        self._last_sale = np.concatenate([np.zeros((len(panel), 1), np.int32), last], axis=1)
        mean = _cumulated(np.abs(self._target)) / np.maximum(self._count, 1)
        self._scale = np.where(mean > 0, mean, np.float32(schema.typical))
        size = self._scale[:, :-1] if schema.relative else np.float32(1)
        self._scaled = np.asarray(self._target / size, np.float32)
        self._groups = [_group_means(self._scaled, panel, group) for group in schema.groups]
        items, item_code = np.unique(panel.keys[schema.item], return_inverse=True)
        listed = np.full(len(items), len(panel.calendar), np.int64)
        np.minimum.at(listed, item_code, self._own_start)
        self._listed = listed[item_code]
        self._newcomers = [group_codes(panel, group) for group in schema.newcomers]
        self._codes = [
            Keys({"value": np.asarray(values)}).locate(Keys({"value": column(panel, name)}))
            for name, values in schema.vocabularies.items()
        ]
        self._calendar = panel.calendar

    def scale(self, rows: Rows, origin: int) -> Floats:
        """By what targets are divided, shape (rows,)."""
        if not self._schema.relative:
            return np.ones(len(rows), np.float32)
        return np.asarray(self._scale[rows, origin])

    def target(self, rows: Rows, origin: int, step: int) -> Floats:
        """What happened `step` periods after the origin, scaled, NaN where unknown, (rows,)."""
        period = origin + step - 1
        value = self._target[rows, period] / self.scale(rows, origin)
        return np.where(self._seen[rows, period], value, np.float32(np.nan))

    def matrix(self, rows: Rows, origin: int, step: int) -> Floats:
        """Features of some series for the period `step` after an origin, shape (rows, features)."""
        scale = self.scale(rows, origin)
        same = origin + step - 1 - self._season * -(-step // self._season)  # last season's period
        columns: list[Any] = [step]
        columns += [
            self._at(rows, origin - lag, origin) / scale for lag in range(1, self._lags + 1)
        ]
        columns += [self._at(rows, same + near, origin) / scale for near in (-1, 0, 1)]
        columns += [
            self._mean(rows, origin, window) / scale
            for window in sorted({3, 6, self._season, 2 * self._season, self._year})
        ]
        columns += [self._mean(rows, origin, origin) / scale]
        columns += [self._share_with_sales(rows, origin), np.log(self._scale[rows, origin])]
        last, began = self._last_sale[rows, origin], self._own_start[rows]
        columns += [
            np.where(last > 0, origin - last, np.nan),
            np.where(began < origin, origin - began, np.nan),
            np.where(self._listed[rows] < origin, origin - self._listed[rows], -1),
        ]
        for code, means in self._groups:  # means: (groups, time)
            group = code[rows]
            lags = [origin - lag for lag in _GROUP_LAGS] + [same]
            columns += [means[group, at] if at >= 0 else np.nan for at in lags]
        columns += [self._newcomer_mean(code, origin)[code[rows]] for code in self._newcomers]
        columns += [code[rows] for code in self._codes]
        columns += [
            self._last_observed(values, rows, origin) for values in self._panel.observed.values()
        ]
        columns += list(calendar_features(self._calendar.head(origin + step - 1))[-1])
        matrix = np.empty((len(rows), len(columns)), np.float32)
        for number, values in enumerate(columns):
            matrix[:, number] = values
        return matrix

    def _at(self, rows: Rows, period: int, origin: int) -> Any:
        if not 0 <= period < origin:
            return np.float32(np.nan)
        return np.where(self._seen[rows, period], self._target[rows, period], self._missing)

    @property
    def _missing(self) -> np.float32:
        """A count that was not yet listed was 0 sold; other targets are unknown."""
        return np.float32(0 if self._panel.is_count else np.nan)

    def _mean(self, rows: Rows, origin: int, window: int) -> Floats:
        begin = max(origin - window, 0)
        total = self._total[rows, origin] - self._total[rows, begin]
        if self._panel.is_count:
            return np.asarray(total / max(origin - begin, 1))
        return np.asarray(
            total / np.maximum(self._count[rows, origin] - self._count[rows, begin], 1)
        )

    def _share_with_sales(self, rows: Rows, origin: int) -> Floats:
        begin = max(origin - self._year, 0)
        sales = self._sales[rows, origin] - self._sales[rows, begin]
        return np.asarray(sales / max(origin - begin, 1))

    def _newcomer_mean(self, code: NDArray[np.int64], origin: int) -> NDArray[np.float64]:
        """Mean first sales of the items that were new in the last year, for each group."""
        new = (self._listed < origin) & (self._listed >= max(origin - self._year, 1))
        period = np.minimum(self._listed, max(origin - 1, 0))
        value = np.where(new, self._scaled[np.arange(len(new)), period], 0.0)
        total = np.bincount(code, value, minlength=code.max(initial=0) + 1)
        count = np.bincount(code, new, minlength=code.max(initial=0) + 1)
        overall = total.sum() / max(count.sum(), 1)
        return np.asarray((total + _PSEUDO_ITEMS * overall) / (count + _PSEUDO_ITEMS))

    def _last_observed(self, values: Floats, rows: Rows, origin: int) -> Any:
        return values[rows, origin - 1] if origin > 0 else np.float32(np.nan)


def _group_means(target: Floats, panel: Panel, group: Group) -> tuple[NDArray[np.int64], Floats]:
    """The group of each series, and each group's mean in every period, shape (groups, time).

    For counts with several keys the mean is over every combination of the key values that sold in
    the period, whether the panel holds it or not: a shop that sold none of an item on sale counts.
    """
    code = group_codes(panel, group)
    total = _sums(target, code)
    if not panel.is_count or len(panel.keys.names) < 2:
        begun = np.arange(len(panel.calendar)) >= panel.start[:, None]
        count = _sums(begun & np.isfinite(panel.target), code)
    else:
        count = np.ones_like(total)
        first = np.unique(code, return_index=True)[1]  # a series of each group
        for key in panel.keys.names:
            sold, of_series = sold_by_value(panel, key)
            one = np.unique(of_series, return_index=True)[1]  # a series of each value of the key
            owned = tuple(name for name in group if _owner(panel, name) == key)
            kind = group_codes(panel, owned)
            count *= _sums(sold.astype(np.float32), kind[one])[_renumbered(kind, one)[first]]
    return code, np.asarray(total / np.maximum(count, 1), dtype=np.float32)


def _renumbered(kind: NDArray[np.int64], one: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row of `_sums(..., kind[one])` that belongs to each series."""
    return np.asarray(np.searchsorted(np.unique(kind[one]), kind))


def _owner(panel: Panel, name: str) -> str:
    """The key column that a column describes."""
    owners = [key for key, known in panel.attributes.items() if name in known.columns]
    return name if name in panel.keys.names else owners[0]


def _sums(values: NDArray[Any], code: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sums over the rows of each group, shape (groups, time)."""
    order = np.argsort(code, kind="stable")
    edges = np.flatnonzero(np.diff(code[order], prepend=-1))
    return np.asarray(np.add.reduceat(values[order], edges, axis=0, dtype=np.float64))


def _cumulated(values: NDArray[Any]) -> Floats:
    """Sums before each period, shape (series, time + 1)."""
    before = np.zeros((values.shape[0], values.shape[1] + 1), np.float32)
    np.cumsum(values, axis=1, dtype=np.float32, out=before[:, 1:])
    return before
