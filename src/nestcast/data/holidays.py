"""Public holidays of a country as a covariate that is known ahead."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np

from nestcast.data.panel import Panel
from nestcast.errors import OptionError

_YEARS_AHEAD = 3


def with_holidays(panel: Panel, country: str) -> Panel:
    """A panel that knows how many public holidays are in each period, for years ahead.

    Days are told besides whether the day before or after is one.

    Example:
        >>> from nestcast.data import Calendar, Keys
        >>> panel = Panel(
        ...     Keys({"shop": np.array([1])}),
        ...     Calendar("1mo", np.datetime64("2024-11-01"), 2),
        ...     np.ones((1, 2), np.float32),
        ...     np.zeros(1, np.int32),
        ... )
        >>> with_holidays(panel, "US").known["holidays"][:4].tolist()  # November to February
        [2.0, 1.0, 2.0, 1.0]

    Args:
        panel: whose periods they are.
        country: as in `US`, or with a part of it, as in `US-CA`; see the package `holidays`.

    Raises:
        OptionError: there is no such country, or the package `holidays` is not installed.
    """
    if find_spec("holidays") is None:
        raise OptionError("--holidays needs a package: pip install 'nestcast[holidays]'.")
    import holidays

    calendar = panel.calendar
    length = len(calendar) + _YEARS_AHEAD * calendar.year
    starts = calendar.start_of(np.arange(length + 1)).astype("M8[D]")
    code, _, part = country.partition("-")
    years = range(int(str(starts[0])[:4]), int(str(starts[-1])[:4]) + 1)
    try:
        found = holidays.country_holidays(code.upper(), subdiv=part.upper() or None, years=years)
    except NotImplementedError:
        raise OptionError(
            f"no holidays are known of {country!r}: give --holidays a country, as in US or DE-BY."
        ) from None
    days = np.array(sorted(found), "M8[D]")
    number = np.searchsorted(days, starts)
    count = np.diff(number).astype(np.float32)
    known = {"holidays": count}
    if calendar.freq == "1d":
        known["holiday tomorrow"] = np.append(count[1:], 0).astype(np.float32)
        known["holiday yesterday"] = np.append(0, count[:-1]).astype(np.float32)
    return replace(panel, known={**panel.known, **known})
