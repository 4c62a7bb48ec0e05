"""The sales rate: units per day, how they fall on the days, and what changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nestcast.data.calendar import Dates
from nestcast.data.keys import Column, Keys
from nestcast.data.panel import Panel
from nestcast.forecast import Forecast
from nestcast.seller.groups import codes_of, column_of, shared_columns
from nestcast.seller.profile import DayProfile, days_of

Values = NDArray[np.float64]
Codes = NDArray[np.int64]

ALL = "all"


@dataclass(frozen=True, eq=False)
class SalesRate:
    """Expected units per day in the periods of a forecast.

    Args:
        keys: the series.
        expected: units in each period, shape (series, horizon).
        per_day: the same per day, shape (series, horizon).
        days: every day of the forecast, shape (days,).
        period: which period of the forecast each day is in, shape (days,).
        profile: row of `share_of_day` that each series has, shape (series,).
        share_of_day: share of each day in the sales of its period, shape (profiles, days).
        last_period: units in as many periods before the forecast, shape (series,).
        last_year: units in the same periods a year earlier, shape (series,), NaN where not known.
        share_of: column (`shop_id`, `item_category_id`, `all`) -> share of each series in what is
            expected of its group, shape (series,); NaN where that is nothing.
    """

    keys: Keys
    expected: Values
    per_day: Values
    days: Dates
    period: Codes
    profile: Codes
    share_of_day: Values
    last_period: Values
    last_year: Values
    share_of: Mapping[str, Values]

    @property
    def total(self) -> Values:
        """Expected units in all periods together, shape (series,)."""
        return np.asarray(self.expected.sum(axis=1))

    @property
    def velocity(self) -> Values:
        """Expected units per day over all periods, shape (series,)."""
        return self.total / max(len(self.days), 1)

    @property
    def change_last_period(self) -> Values:
        """Expected units over those of the periods before, less 1; NaN where these had none."""
        return _change(self.total, self.last_period)

    @property
    def change_last_year(self) -> Values:
        """Expected units over those a year earlier, less 1; NaN where these had none."""
        return _change(self.total, self.last_year)

    def daily(self, series: NDArray[np.int64] | slice = slice(None)) -> Values:
        """Expected units on each day, shape (series, days); for the series chosen."""
        shares = self.share_of_day[self.profile[series]]
        return np.asarray(self.expected[series][:, self.period] * shares)

    def to_columns(self) -> dict[str, Column]:
        """A row for each series and day: keys, `date`, expected `units`, `share` in the period."""
        count = len(self.days)
        columns = {name: np.repeat(values, count) for name, values in self.keys.columns.items()}
        columns["date"] = np.tile(self.days, len(self.keys))
        columns["units"] = self.daily().astype(np.float32).ravel()
        columns["share"] = self.share_of_day.astype(np.float32)[self.profile].ravel()
        return columns


def sales_rate(forecast: Forecast, panel: Panel, profile: DayProfile | None = None) -> SalesRate:
    """Expected units per day, spread by a learned profile, or evenly without one.

    Example:
        >>> from nestcast.data import Calendar
        >>> keys = Keys({"shop_id": np.array([1, 1]), "item_id": np.array([7, 8])})
        >>> months = Calendar("1mo", np.datetime64("2024-01-01"), 3)
        >>> sold = np.array([[20, 31, 40], [5, 5, 0]], np.float32)
        >>> panel = Panel(keys, months, sold, np.zeros(2, np.int32))
        >>> mean = np.array([[30], [10]], np.float32)
        >>> forecast = Forecast(keys, months.after(1), mean, np.array([0.5]), mean[..., None])
        >>> rate = sales_rate(forecast, panel)
        >>> rate.per_day.tolist(), rate.change_last_period.tolist()
        ([[1.0], [0.3333333333333333]], [-0.25, nan])
        >>> rate.share_of["shop_id"].tolist(), rate.daily().shape
        ([0.75, 0.25], (2, 30))

    Args:
        forecast: what is expected.
        panel: what it was made from, for the past and the attributes of items.
        profile: how sales fall on days, from `learn_day_profile`.
    """
    calendar = forecast.calendar
    expected = forecast.mean.astype(np.float64)
    days = days_of(calendar)
    even = DayProfile(np.ones(7), np.ones(366))
    shares, which = (profile or even).shares(forecast.keys, calendar)
    total = expected.sum(axis=1)
    share_of = {ALL: _share(total, np.zeros(len(total), np.int64), 1)}
    for name in shared_columns(forecast.keys, panel.attributes):
        column = column_of(forecast.keys, panel.attributes, name)
        share_of[name] = _share(total, *codes_of(column))
    return SalesRate(
        keys=forecast.keys,
        expected=expected,
        per_day=expected / calendar.days(),
        days=days,
        period=np.repeat(np.arange(len(calendar)), calendar.days()),
        profile=which,
        share_of_day=shares,
        last_period=_sold(panel, forecast, forecast.horizon),
        last_year=_sold(panel, forecast, panel.calendar.year),
        share_of=share_of,
    )


def _sold(panel: Panel, forecast: Forecast, back: int) -> Values:
    """Units in as many periods as the forecast has, beginning `back` periods before it.

    Counts without a row sold nothing; other series are not known before they begin.
    """
    first = len(panel.calendar) - back
    if first < 0 or back < forecast.horizon:
        return np.full(len(forecast), np.nan)
    at = panel.keys.locate(forecast.keys)
    end = first + forecast.horizon
    sold = panel.target[:, first:end].sum(axis=1, dtype=np.float64)
    absent = 0.0 if panel.is_count else np.nan
    sold = np.where(panel.start < end, sold, absent)
    return np.where(at >= 0, sold[at], absent) if len(sold) else np.full(len(at), absent)


def _change(now: Values, before: Values) -> Values:
    known = before > 0
    return np.asarray(np.divide(now, before, out=np.full(len(now), np.nan), where=known) - 1)


def _share(total: Values, codes: Codes, groups: int) -> Values:
    whole = np.bincount(codes, total, groups)[codes]
    share = np.divide(total, whole, out=np.full(len(total), np.nan), where=whole > 0)
    return np.asarray(share)
