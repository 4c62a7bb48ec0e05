"""From the days that rows fall on to the calendar of a panel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nestcast.data.calendar import Calendar, Dates, Frequency
from nestcast.errors import OptionError

_FAR = np.timedelta64(3653, "D")  # ten years
_ENOUGH = 6  # periods that tell how their ends usually are
_RARELY = 0.02  # of them
_NAMES: dict[Frequency, tuple[str, str]] = {
    "1h": ("hour", "hours"),
    "1d": ("day", "days"),
    "1w": ("week", "weeks"),
    "1mo": ("month", "months"),
}


@dataclass(frozen=True)
class Periods:
    """A calendar that holds every row, and how many of its periods are complete.

    Args:
        calendar: the periods from the first row to the last.
        complete: periods to learn from, the calendar's length or one less.
        notes: what a user should know about them.
    """

    calendar: Calendar
    complete: int
    notes: tuple[str, ...]


def bulk_of(days: Dates, rows: NDArray[np.int64]) -> tuple[np.datetime64, np.datetime64]:
    """First and last day of those that belong together.

    Going out from the median row, the first gap of more than ten years ends it; what lies beyond
    is a slip of the pen.

    Args:
        days: distinct days, ascending, shape (days,).
        rows: rows on each day, shape (days,).
    """
    median = int(np.searchsorted(np.cumsum(rows), (rows.sum() + 1) // 2))
    jumps = np.flatnonzero(np.diff(days) > _FAR)
    below, above = jumps[jumps < median], jumps[jumps >= median]
    low = below[-1] + 1 if len(below) else 0
    high = above[0] if len(above) else len(days) - 1
    return days[low], days[high]


def periods_of(days: Dates, freq: Frequency | None, keep_incomplete: bool) -> Periods:
    """The periods that hold the given days.

    Args:
        days: distinct days on which there are rows, ascending, shape (days,).
        freq: their length; None takes the longest that gives every row its own kind of date.
        keep_incomplete: whether to count an incomplete last period as complete.

    Raises:
        OptionError: there is a single day, which tells no length.
    """
    notes = []
    if freq is None:
        freq = _inferred(days)
        notes.append(f"periods are {_NAMES[freq][1]}, as the dates say (--freq {freq})")
    calendar = _calendar(days, freq)
    missing = _without_rows(calendar, days)
    if missing:
        notes.append(missing)
    incomplete = _is_incomplete(calendar, days)
    if incomplete:
        begins = calendar.starts()[-1]
        said = f"the {_NAMES[freq][0]} of {begins} is incomplete (last row {days[-1]})"
        if keep_incomplete:
            notes.append(f"{said}: kept")
        elif len(calendar) == 1:
            notes.append(f"{said}: kept, since there is no other")
        else:
            notes.append(f"{said}: not trained on (--keep-incomplete uses it)")
            return Periods(calendar, len(calendar) - 1, tuple(notes))
    return Periods(calendar, len(calendar), tuple(notes))


def _inferred(days: Dates) -> Frequency:
    if len(days) == 1:
        raise OptionError(
            f"all rows are of one day, {days[0]}: give the length of a period with --freq."
        )
    if _all_first_of_month(days) or _all_last_of_month(days):
        return "1mo"
    return "1w" if _one_weekday(days) else "1d"


def _calendar(days: Dates, freq: Frequency) -> Calendar:
    first = days[0]
    if freq == "1mo":
        first = first.astype("M8[M]").astype("M8[D]")
    elif freq == "1w" and not _one_weekday(days):
        first -= (first.astype(np.int64) + 3) % 7  # to Monday: day 0, 1 Jan 1970, was a Thursday
    label_at_end = freq == "1mo" and _all_last_of_month(days)
    calendar = Calendar(freq, first, 1, "end" if label_at_end else "start")
    return calendar.head(int(calendar.index_of(days[-1:])[0]) + 1)


def _is_incomplete(calendar: Calendar, days: Dates) -> bool:
    """Whether the last row is further from the period's end than rows ever were apart.

    Or, where most days have rows, further than before nearly all ends of periods: a gap elsewhere,
    as of holidays or of a failed export, says nothing of that.
    """
    one_per_period = (
        calendar.freq in ("1h", "1d")
        or (calendar.freq == "1w" and _one_weekday(days))
        or (calendar.freq == "1mo" and (_all_first_of_month(days) or _all_last_of_month(days)))
    )
    if one_per_period or len(days) == 1:
        return False
    if calendar.ends()[-1] - days[-1] > np.diff(days).max():
        return True
    missed = _missed_at_the_end(calendar, days)
    earlier, now = missed[:-1], missed[-1]
    return bool(now > 1 and len(earlier) >= _ENOUGH and (earlier >= now).mean() <= _RARELY)


def _missed_at_the_end(calendar: Calendar, days: Dates) -> NDArray[np.int64]:
    """Days after the last row of each period with rows on which there usually are some.

    Those are the weekdays that had rows in most weeks.
    """
    last = np.full(len(calendar), np.datetime64("NaT"), "M8[D]")
    np.fmax.at(last, calendar.index_of(days), days)
    every = np.arange(days[0], calendar.ends()[-1] + 1)
    weekday = every.astype(np.int64) % 7
    here = np.isin(every, days)
    known = np.bincount(weekday[every <= days[-1]], minlength=7)
    usual = np.bincount(weekday[here], minlength=7) * 2 > known
    period = calendar.index_of(every)
    missed = np.bincount(period[usual[weekday] & (every > last[period])], minlength=len(calendar))
    return np.asarray(missed[~np.isnat(last)])


def _without_rows(calendar: Calendar, days: Dates) -> str:
    """A note on weeks or months without any row; single days and hours without are common."""
    seen = np.zeros(len(calendar), dtype=bool)
    seen[calendar.index_of(days)] = True
    if calendar.freq in ("1h", "1d") or seen.all():
        return ""
    one, many = _NAMES[calendar.freq]
    labels = calendar.labels()[~seen]
    shown = ", ".join(str(label) for label in labels[:3]) + (", ..." if len(labels) > 3 else "")
    return f"{len(labels)} {one if len(labels) == 1 else many} without any row: {shown}"


def _all_first_of_month(days: Dates) -> bool:
    return bool((days == days.astype("M8[M]").astype("M8[D]")).all())


def _all_last_of_month(days: Dates) -> bool:
    return _all_first_of_month(days + np.timedelta64(1, "D"))


def _one_weekday(days: Dates) -> bool:
    weekdays = days.astype(np.int64) % 7
    return bool((weekdays == weekdays[0]).all())
