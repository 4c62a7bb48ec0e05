"""How the sales of a period fall on its days: weekdays and holidays, learned from daily rows.

A factor is what was sold on such days over what would have been with no such effect. Noise is
taken out by shrinking each factor towards 1 as far as it is no more certain than the spread of all
(empirical Bayes; the spread by moments, as in R. DerSimonian and N. Laird, "Meta-analysis in
clinical trials", 1986; variance in proportion to the mean, as in quasi-Poisson regression).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nestcast.data.calendar import Calendar, Dates
from nestcast.data.keys import Column, Keys
from nestcast.data.panel import Attributes, Panel
from nestcast.seller.groups import column_of

Values = NDArray[np.float64]
Codes = NDArray[np.int64]

_LEAP_YEAR = np.datetime64("2000-01-01")


@dataclass(frozen=True, eq=False)
class DayProfile:
    """How much more or less is sold on a day than on the mean day.

    Example:
        >>> profile = DayProfile(np.array([1, 1, 1, 1, 1, 2, 0]), np.ones(366))
        >>> shares, which = profile.shares(
        ...     Keys({"item_id": np.array([7, 8])}), Calendar("1w", np.datetime64("2024-01-01"), 1)
        ... )
        >>> shares.round(3).tolist(), which.tolist()
        ([[0.143, 0.143, 0.143, 0.143, 0.143, 0.286, 0.0]], [0, 0])

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
        profile = np.zeros(len(keys), np.int64)
        factors = self.weekday[None]
        for name, (values, by_weekday) in self.by.items():
            found = column_of(keys, self.attributes, name)
            at = Keys({name: values}).locate(Keys({name: found}))  # -1 takes the row of ones
            code = profile * (len(values) + 1) + at + 1
            distinct, profile = np.unique(code, return_inverse=True)
            old, new = np.divmod(distinct, len(values) + 1)
            factors = factors[old] * np.vstack([np.ones(7), by_weekday])[new]
        days = days_of(calendar)
        return _within_periods(
            factors[:, _weekday(days)] * self.date[_date(days)], calendar
        ), profile


def learn_day_profile(panel: Panel) -> DayProfile | None:
    """Learn from the daily totals of a panel; None where its rows are not daily.

    Weekdays are learned from all series together, and as far as they differ from these by each
    key and category of few values; holidays as dates of the year, from all series together.

    Example:
        >>> from nestcast.data import DailyTotals
        >>> days = np.datetime64("2024-01-01") + np.arange(91)
        >>> closed_on_sundays = np.where(np.arange(91) % 7 == 6, 0.0, 10.0)
        >>> panel = Panel(
        ...     Keys({"item_id": np.array([1])}),
        ...     Calendar("1mo", days[0], 3),
        ...     np.array([[270, 250, 270]], np.float32),
        ...     np.zeros(1, np.int32),
        ...     daily=DailyTotals(days[0], closed_on_sundays),
        ... )
        >>> learn_day_profile(panel).weekday.round(2).tolist()
        [1.17, 1.17, 1.17, 1.17, 1.17, 1.17, 0.0]

    Args:
        panel: with `daily`, as `read_panel` makes it.

    Returns:
        What was learned; a date seen in one year only keeps the factor 1.
    """
    daily = panel.daily
    if daily is None:
        return None
    days, calendar = daily.days(), panel.calendar
    weekday, overall = _weekday(days), daily.overall[None]
    even = _within_periods(np.ones((1, len(days))), calendar)
    expected = even * _of_periods(overall, calendar)
    sold, would = (
        np.bincount(weekday, one[0], 7).astype(np.float64) for one in (overall, expected)
    )
    factor = np.maximum(_over(sold, would), 0)
    if not factor.any():
        return None
    usual = _within_periods(factor[weekday][None], calendar)
    expected = usual * _of_periods(overall, calendar)
    date = _factors(overall, expected, _date(days), 366)[0]
    date = _in_most_years(date, _over(overall, expected)[0], days)
    usual = _within_periods(usual * date[_date(days)], calendar)
    by = {
        name: (values, _factors(totals, usual * _of_periods(totals, calendar), weekday, 7))
        for name, (values, totals) in daily.by.items()
        if len(values) > 1
    }
    return DayProfile(factor / factor.mean(), date, by, panel.attributes)


def days_of(calendar: Calendar) -> Dates:
    """Every day of a calendar, shape (days,)."""
    first, end = calendar.start_of(np.array([0, len(calendar)]))
    return np.arange(first, end)


def _factors(observed: Values, expected: Values, cell: Codes, cells: int) -> Values:
    """Factor of each kind of day, shrunk towards 1; see the top of the file.

    Args:
        observed, expected: what was sold on each day and what would have been, (groups, days).
        cell: kind of each day, shape (days,).
        cells: number of kinds.

    Returns:
        Shape (groups, cells).
    """
    kinds = np.eye(cells)[cell]  # (days, cells)
    sold, would = observed @ kinds, expected @ kinds  # (groups, cells)
    raw = _over(sold, would)
    freedom = np.maximum((kinds.sum(axis=0) - 1).clip(min=0).sum(), 1)
    rest = ((observed - raw[:, cell] * expected) ** 2).sum(axis=1) * len(cell) / freedom
    # Variance over mean of a day. Where every kind of day was seen once there is nothing to tell
    # noise by, and nothing is learned.
    dispersion = _over(rest, np.abs(observed).sum(axis=1))
    if len(np.unique(cell)) == len(cell):
        return np.ones_like(raw)
    known = (would > 0) & (dispersion > 0)[:, None]
    precision = np.where(known, _over(would, dispersion[:, None]), 0)
    excess = (precision * (raw - 1) ** 2).sum() - known.sum()
    spread = max(excess, 0) / max(precision.sum(), 1e-300)
    weight = np.where(known, spread * precision / (1 + spread * precision), would > 0)
    return np.asarray(np.maximum(1 + weight * (raw - 1), 0))


def _in_most_years(factor: Values, ratio: Values, days: Dates) -> Values:
    """Factors of dates, no further from 1 than in the middle one of the years seen.

    What was launched, or closed, on one day of one year is no holiday: of two years the one nearer
    to 1 counts, and a date seen in one year only keeps 1.

    Args:
        factor: of each date, shape (366,).
        ratio: what was sold on each day over what would have been, shape (days,).
        days: the days.
    """
    year = days.astype("M8[Y]").astype(np.int64)
    seen = np.full((year[-1] - year[0] + 1, 366), np.nan)
    seen[year - year[0], _date(days)] = ratio
    dates = np.isfinite(seen).sum(axis=0) > 1
    low, high = np.ones(366), np.ones(366)
    low[dates] = np.nanquantile(seen[:, dates], 0.5, axis=0, method="lower")
    high[dates] = np.nanquantile(seen[:, dates], 0.5, axis=0, method="higher")
    return np.clip(factor, np.minimum(high, 1), np.maximum(low, 1))


def _within_periods(values: Values, calendar: Calendar) -> Values:
    """Values of days, shape (n, days), as shares of their period; even where all are 0."""
    total = _of_periods(values, calendar)
    even = 1 / np.repeat(calendar.days(), calendar.days())
    return np.where(total > 0, _over(values, total), even)


def _of_periods(values: Values, calendar: Calendar) -> Values:
    """The sum of its period for each day, shape (n, days)."""
    lengths = calendar.days()
    sums = np.add.reduceat(values, np.cumsum(lengths) - lengths, axis=1)
    return np.asarray(np.repeat(sums, lengths, axis=1))


def _over(above: Values, below: Values) -> Values:
    """Quotient, 1 where there is nothing below."""
    shape = np.broadcast_shapes(above.shape, below.shape)
    return np.divide(above, below, out=np.ones(shape), where=below > 0)


def _weekday(days: Dates) -> Codes:
    return np.asarray((days.astype("M8[D]").astype(np.int64) + 3) % 7)  # 1970-01-01: a Thursday


def _date(days: Dates) -> Codes:
    """Number of each day's date in a leap year."""
    day_of_month = days - days.astype("M8[M]").astype("M8[D]")
    month = days.astype("M8[M]").astype(np.int64) % 12
    in_leap_year = _LEAP_YEAR.astype("M8[M]") + month
    found = in_leap_year.astype("M8[D]") + day_of_month - _LEAP_YEAR
    return np.asarray(found.astype(np.int64))
