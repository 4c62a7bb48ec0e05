"""Lagged features: what is known of each series at an origin, as columns of numbers.

The row of a series at origin t (its first t periods known) reads no target at or after t, and of
the period to forecast only its place in the calendar and, where that is known, the new items.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nestcast.data.keys import Keys, numbered
from nestcast.data.panel import Panel
from nestcast.model.autoregression import expected_by_shop
from nestcast.model.features import calendar_features
from nestcast.model.groups import Grouping, column
from nestcast.model.groupsums import GroupMeans, Sparse
from nestcast.model.nameparts import with_name_parts
from nestcast.model.namerates import name_rates
from nestcast.model.population import from_listing
from nestcast.model.schema import Schema

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

_LAGS = {"1d": 14, "1w": 12, "1mo": 12}
_GROUP_LAGS = (1, 2, 3, 6, 12)
_PART_LAGS = (1, 12)
_PSEUDO_CELLS = 50.0  # of all new items, with which those of a group are averaged


class LaggedFeatures:
    """Features and targets of a panel at any origin.

    Args:
        panel: the series, each asked for among them.
        schema: which columns to give.
    """

    def __init__(self, panel: Panel, schema: Schema) -> None:
        self._own_start = panel.start.astype(np.int64)
        panel = from_listing(with_name_parts(panel)[0])
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
        items, item_code = numbered(panel.keys[schema.item])
        listed = np.full(len(items), len(panel.calendar), np.int64)
        np.minimum.at(listed, item_code, self._own_start)
        self._listed = listed[item_code]
        means, scaled = GroupMeans(panel), Sparse.of(self._scaled)
        self._groups = [
            (lags, sums.code, sums.means())
            for lags, groups in ((_GROUP_LAGS, schema.groups), (_PART_LAGS, schema.parts))
            for group in groups
            for sums in [means.sums(scaled, group)]
        ]
        some = means.sums(Sparse.of(self._target != 0), (schema.item,))
        self._groups.append((_PART_LAGS, some.code, some.means()))
        new = schema.item, self._listed
        self._newcomers = [
            (group in schema.parts, means.sums(scaled, group, new)) for group in schema.newcomers
        ]
        self._rates = None
        if schema.names:
            self._rates = name_rates(panel, schema.item, listed, means, scaled)[item_code]
        self._by_shop = None
        if schema.by_shop:
            self._by_shop = expected_by_shop(panel, schema.item, listed, scaled)
        item_sales = _last_periods(self._target, item_code)
        self._last_item_sale = item_sales, item_code
        grouping = Grouping(panel)
        self._arrivals = []  # group of each series; new items of the group in each period
        for group in schema.assortment:
            kind = grouping.kinds(group, schema.item)
            arrivals = np.zeros((kind.max(initial=0) + 1, len(panel.calendar) + 1), np.float32)
            np.add.at(arrivals, (kind, listed), 1)
            self._arrivals.append((kind[item_code], arrivals))
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
        last_item_sale = self._last_item_sale[0][self._last_item_sale[1][rows], origin]
        columns += [np.where(last_item_sale > 0, origin - last_item_sale, np.nan)]
        for lags, code, means in self._groups:  # means: (groups, time)
            group = code[rows]
            for at in [origin - lag for lag in lags] + [same] * (lags == _GROUP_LAGS):
                columns += [means[group, at] if at >= 0 else np.nan]
        for is_part, sums in self._newcomers:
            # A series of games has a new one every other year: what names share is kept for good.
            begin = 1 if is_part else max(origin - self._year, 1)
            columns += [sums.mean_of(begin, origin, _PSEUDO_CELLS)[sums.code[rows]]]
        if self._rates is not None:
            columns += [self._rates[rows]]
        if self._by_shop is not None:
            columns += [self._by_shop[rows, origin]]
        for code, arrivals in self._arrivals:  # known of the period right after the origin
            columns += [arrivals[code[rows], origin] if step == 1 else np.nan]
        columns += [code[rows] for code in self._codes]
        columns += [
            self._last_observed(values, rows, origin) for values in self._panel.observed.values()
        ]
        known = self._calendar.head(origin + step - 1)
        columns += list(calendar_features(known, yearly=self._schema.yearly)[-1])
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

    def _last_observed(self, values: Floats, rows: Rows, origin: int) -> Any:
        return values[rows, origin - 1] if origin > 0 else np.float32(np.nan)


def _last_periods(target: Floats, code: NDArray[np.int64]) -> NDArray[np.int64]:
    """The last period before each, from 1, in which a group sold; 0 if none, (groups, time + 1)."""
    sold = np.zeros((code.max(initial=0) + 1, target.shape[1] + 1), np.int64)
    series, period = np.nonzero(target)
    sold[code[series], period + 1] = period + 1
    return np.maximum.accumulate(sold, axis=1)


def _cumulated(values: NDArray[Any]) -> Floats:
    """Sums before each period, shape (series, time + 1)."""
    before = np.zeros((values.shape[0], values.shape[1] + 1), np.float32)
    np.cumsum(values, axis=1, dtype=np.float32, out=before[:, 1:])
    return before
