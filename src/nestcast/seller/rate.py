"""The sales rate: units per day, how they fall on the days, and what changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nestcast.data.calendar import Dates
from nestcast.data.keys import Keys
from nestcast.data.panel import Panel
from nestcast.forecast import Forecast
from nestcast.seller.profile import DayProfile

Values = NDArray[np.float64]
Codes = NDArray[np.int64]


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
            expected of its group, shape (series,).
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
    def change_last_period(self) -> Values:
        """Expected units over those of the periods before, less 1; NaN where these had none."""
        raise NotImplementedError

    @property
    def change_last_year(self) -> Values:
        """Expected units over those a year earlier, less 1; NaN where these had none."""
        raise NotImplementedError

    def daily(self, series: NDArray[np.int64] | slice = slice(None)) -> Values:
        """Expected units on each day, shape (series, days); for the series chosen."""
        raise NotImplementedError


def sales_rate(forecast: Forecast, panel: Panel, profile: DayProfile | None = None) -> SalesRate:
    """Expected units per day, spread by a learned profile, or evenly without one.

    Args:
        forecast: what is expected.
        panel: what it was made from, for the past and the attributes of items.
        profile: how sales fall on days, from `learn_day_profile`.
    """
    raise NotImplementedError
