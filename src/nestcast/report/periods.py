"""Periods in words: `October 2015`, `week of 5 January 2015`, `5 January 2015`."""

from __future__ import annotations

import datetime as dt

import numpy as np

from nestcast.data.calendar import Calendar

WORD = {"1mo": "month", "1w": "week", "1d": "day"}
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


def name(calendar: Calendar, period: int, *, short: bool = False) -> str:
    """One period in words.

    Example:
        >>> months = Calendar("1mo", np.datetime64("2015-10-01"), 2)
        >>> name(months, 0), name(months, 1, short=True)
        ('October 2015', 'Nov 2015')
    """
    first: dt.date = calendar.start_of(np.array([period]))[0].item()
    month = _MONTHS[first.month - 1]
    month = month[:3] if short else month
    if calendar.freq == "1mo":
        return f"{month} {first.year}"
    of_week = "week of " if calendar.freq == "1w" and not short else ""
    return f"{of_week}{first.day} {month} {first.year}"


def span(calendar: Calendar) -> str:
    """All periods in words.

    Example:
        >>> span(Calendar("1w", np.datetime64("2015-10-05"), 3))
        'the 3 weeks from 5 October to 25 October 2015'
        >>> span(Calendar("1mo", np.datetime64("2015-10-01"), 1))
        'October 2015'
    """
    length = len(calendar)
    if length == 1:
        return name(calendar, 0)
    if calendar.freq == "1mo":
        first, last = name(calendar, 0), name(calendar, length - 1)
    else:
        first, last = day(calendar.first), day(calendar.ends()[-1])
    if first[-4:] == last[-4:]:  # the same year
        first = first[:-5]
    return f"the {length} {WORD[calendar.freq]}s from {first} to {last}"


def day(date: np.datetime64) -> str:
    """A day in words.

    Example:
        >>> day(np.datetime64("2015-10-05"))
        '5 October 2015'
    """
    return name(Calendar("1d", date, 1), 0)
