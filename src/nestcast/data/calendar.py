"""The time axis of a panel: equally long hours, days, weeks, or calendar months, counted from 0."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from nestcast.errors import OptionError

Frequency = Literal["1h", "1d", "1w", "1mo"]
Dates = NDArray[np.datetime64]

_SEASON = {"1h": 24, "1d": 7, "1w": 52, "1mo": 12}
_YEAR = {"1h": 8760, "1d": 365, "1w": 52, "1mo": 12}


def parse_frequency(text: str) -> Frequency:
    """Check a frequency given by a user.

    Example:
        >>> parse_frequency("1mo")
        '1mo'

    Raises:
        OptionError: it is none of `1h`, `1d`, `1w`, `1mo`.
    """
    for freq in get_args(Frequency):
        if text == freq:
            return freq  # type: ignore[no-any-return]
    known = ", ".join(get_args(Frequency))
    raise OptionError(f"unknown frequency {text!r}: use one of {known}.")


@dataclass(frozen=True)
class Calendar:
    """`length` consecutive periods of one frequency, the first of which begins on `first`.

    Weeks begin on the weekday of `first`; months on their first day.

    Example:
        >>> months = Calendar("1mo", np.datetime64("2013-01-01"), 34)
        >>> months.starts()[-1], months.days()[1]
        (np.datetime64('2015-10-01'), np.int64(28))
        >>> months.after(1).starts()
        array(['2015-11-01'], dtype='datetime64[D]')

    Args:
        freq: `1h`, `1d`, `1w` or `1mo`.
        first: first day (or hour) of period 0.
        length: number of periods.
        label_at: whether output names a period by its first or by its last day, as its input did.
    """

    freq: Frequency
    first: np.datetime64
    length: int
    label_at: Literal["start", "end"] = "start"

    def __post_init__(self) -> None:
        object.__setattr__(self, "first", self.first.astype(self._unit))
        if self.freq == "1mo" and self.first != self.first.astype("M8[M]").astype("M8[D]"):
            raise ValueError(f"a monthly calendar begins on the first of a month, not {self.first}")

    def __len__(self) -> int:
        return self.length

    @property
    def _unit(self) -> str:
        """What the calendar counts in: days, or hours."""
        return "M8[h]" if self.freq == "1h" else "M8[D]"

    @property
    def season(self) -> int:
        """Periods after which it repeats itself: a day of hours, a week of days, or a year."""
        return _SEASON[self.freq]

    @property
    def year(self) -> int:
        """Periods in about a year."""
        return _YEAR[self.freq]

    def start_of(self, period: NDArray[np.integer] | int) -> Dates:
        """First day (or hour) of each period; those outside the calendar continue it either way."""
        steps = np.asarray(period, dtype=np.int64)
        if self.freq == "1mo":
            return np.asarray(self.first.astype("M8[M]") + steps).astype("M8[D]")
        days_each = 7 if self.freq == "1w" else 1
        return np.asarray(self.first + steps * days_each)

    def index_of(self, dates: Dates) -> NDArray[np.int64]:
        """Number of the period that holds each date; negative before the first."""
        days = np.asarray(dates).astype(self._unit)
        if self.freq == "1mo":
            return np.asarray(days.astype("M8[M]") - self.first.astype("M8[M]")).astype(np.int64)
        days_each = 7 if self.freq == "1w" else 1
        return np.asarray(days - self.first).astype(np.int64) // days_each

    def starts(self) -> Dates:
        """First day of every period, shape (length,)."""
        return self.start_of(np.arange(self.length))

    def ends(self) -> Dates:
        """Last day of every period, shape (length,)."""
        return self.start_of(np.arange(1, self.length + 1)) - 1

    def labels(self) -> Dates:
        """The day that names every period in files and frames, shape (length,)."""
        return self.ends() if self.label_at == "end" else self.starts()

    def days(self) -> NDArray[np.int64]:
        """Days (or hours) in every period, shape (length,)."""
        return np.asarray(self.ends() - self.starts()).astype(np.int64) + 1

    def head(self, length: int) -> Calendar:
        """The first `length` periods."""
        return replace(self, length=length)

    def after(self, length: int) -> Calendar:
        """The `length` periods that follow the last one."""
        return replace(self, first=self.start_of(np.array([self.length]))[0], length=length)
