"""How the sales of a period fall on its days: weekdays and holidays, learned from daily rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nestcast.data.calendar import Calendar
from nestcast.data.keys import Column, Keys
from nestcast.data.panel import Attributes, Panel

Values = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class DayProfile:
    """How much more or less is sold on a day than on the mean day.

    Args:
        weekday: factor of each weekday, Monday first, shape (7,).
        date: factor of each date of a leap year, shape (366,); 1 where nothing is known.
        by: column -> (its values, factor of each weekday for each value, shape (values, 7)), by
            which the weekday of such a series differs from that of all.
        attributes: of keys, to find the columns in `by` that are no keys.
    """

    weekday: Values
    date: Values
    by: Mapping[str, tuple[Column, Values]] = field(default_factory=dict)
    attributes: Mapping[str, Attributes] = field(default_factory=dict)

    def shares(self, keys: Keys, calendar: Calendar) -> tuple[Values, Codes]:
        """Share of each day in the sales of its period.

        Args:
            keys: the series.
            calendar: the periods.

        Returns:
            The shares, shape (profiles, days), which sum to 1 over the days of each period; and
            which profile each series has, shape (series,).
        """
        raise NotImplementedError


def learn_day_profile(panel: Panel) -> DayProfile | None:
    """Learn from the daily totals of a panel; None where the rows are not daily."""
    raise NotImplementedError
