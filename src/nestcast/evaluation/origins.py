"""Rolling origins: what was known at each, what is asked there, and what then happened.

L. J. Tashman, "Out-of-sample tests of forecasting accuracy: an analysis and review" (2000).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nestcast.data.keys import Keys
from nestcast.data.panel import Panel
from nestcast.errors import DataError, OptionError
from nestcast.model.cells import every_combination

Values = NDArray[np.float64]
Ask = Literal["grid", "known", "shown"]

_FEWEST_KNOWN = 2  # periods before the first origin


@dataclass(frozen=True, eq=False)
class Origin:
    """One origin of a backtest.

    Args:
        length: number of periods known.
        date: label of the first period forecast.
        known: the panel until then; all that a model may see.
        asked: the series to forecast.
        actual: what happened, NaN where unknown, shape (asked, horizon).
        exposure: the impressions that came, for panels of clicks, shape (asked, horizon).
    """

    length: int
    date: np.datetime64
    known: Panel
    asked: Keys
    actual: Values
    exposure: Values | None = None


def rolling_origins(
    panel: Panel,
    origins: int = 5,
    horizon: int = 1,
    *,
    step: int = 1,
    ask: Ask | Keys | None = None,
    clip: tuple[float, float] | None = None,
) -> Iterator[Origin]:
    """The last origins of a panel, the earliest first.

    Example:
        >>> from nestcast.data import Calendar
        >>> panel = Panel(
        ...     Keys({"item_id": np.array([7])}),
        ...     Calendar("1mo", np.datetime64("2024-01-01"), 5),
        ...     np.array([[4, 3, 2, 1, 0]], np.float32),
        ...     np.zeros(1, np.int32),
        ... )
        >>> [(str(o.date), o.length, o.actual.tolist()) for o in rolling_origins(panel, 2)]
        [('2024-04-01', 3, [[1.0]]), ('2024-05-01', 4, [[0.0]])]

    Args:
        panel: all that is known now.
        origins: how many.
        horizon: periods to forecast from each.
        step: periods from one origin to the next.
        ask: which series are asked for at each origin. `grid` is every combination of the key
            values (all shops x all items) that sell in the periods forecast, as competitions ask;
            that these sell is then known to all models. `known` is the series that have begun.
            `shown` is, for clicks, the series that have impressions in the periods forecast: that
            they are shown is then known to all models, not how often.
            Keys are asked for wherever all of their values have been seen by the end of the
            periods forecast. None is `shown` for clicks, `grid` for other counts with two key
            columns or more, else `known`.
        clip: ends into which the target is clipped, both in what is known and in the truth.

    Raises:
        OptionError: there are too few periods, a number is not positive, or the grid is too large.
        DataError: nothing is asked for at an origin.
    """
    for name, value in (("origins", origins), ("horizon", horizon), ("step", step)):
        if value < 1:
            raise OptionError(f"a backtest needs 1 or more for {name}, not {value}.")
    lengths = [len(panel.calendar) - horizon - step * back for back in range(origins)][::-1]
    if lengths[0] < _FEWEST_KNOWN:
        raise OptionError(
            f"{origins} origins with a horizon of {horizon} need "
            f"{len(panel.calendar) - lengths[0] + _FEWEST_KNOWN} periods or more; the data have "
            f"{len(panel.calendar)}: ask for fewer origins."
        )
    if (ask == "grid" and panel.exposure is not None) or (
        ask == "shown" and panel.exposure is None
    ):
        wanted = "shown or known" if ask == "grid" else "grid or known"
        raise OptionError(f"{ask} is no question to ask of these data: use {wanted}.")
    if ask is None and panel.exposure is not None:
        ask = "shown"
    if ask is None:
        ask = "grid" if panel.is_count and len(panel.keys.names) > 1 else "known"
    return (_origin(panel, length, horizon, ask, clip) for length in lengths)


def _origin(
    panel: Panel, length: int, horizon: int, ask: Ask | Keys, clip: tuple[float, float] | None
) -> Origin:
    known = panel.until(length)
    asked = _asked(panel, known, length, horizon, ask)
    date = panel.calendar.labels()[length]
    if len(asked) == 0:
        raise DataError(f"there is nothing to forecast at {date}: ask for other series.")
    low, high = (-math.inf, math.inf) if clip is None else clip
    actual = np.clip(_actual(panel, asked, length, horizon), low, high)
    if panel.is_count:
        low = max(low, 0.0)  # models learn from counts that are never below 0
    known = replace(known, target=np.clip(known.target, low, high))
    return Origin(length, date, known, asked, actual, _exposure(panel, asked, length, horizon))


def _actual(panel: Panel, asked: Keys, length: int, horizon: int) -> Values:
    at = panel.keys.locate(asked)
    actual = panel.target[at, length : length + horizon].astype(np.float64)
    if panel.is_count:
        return np.where(at[:, None] >= 0, actual, 0.0)
    begun = np.arange(length, length + horizon) >= panel.start[at, None]
    return np.where(begun & (at[:, None] >= 0), actual, np.nan)


def _exposure(panel: Panel, asked: Keys, length: int, horizon: int) -> Values | None:
    if panel.exposure is None:
        return None
    at = panel.keys.locate(asked)
    shown = panel.exposure[at, length : length + horizon].astype(np.float64)
    return np.where(at[:, None] >= 0, shown, 0.0)


def _asked(panel: Panel, known: Panel, length: int, horizon: int, ask: Ask | Keys) -> Keys:
    if ask == "known":
        return known.keys
    if ask == "shown" and panel.exposure is not None:
        ahead = panel.exposure[:, length : length + horizon]
        return panel.keys.take(np.asarray((ahead > 0).any(axis=1)))
    if ask == "grid":
        ahead = panel.target[:, length : length + horizon]
        sells = (np.isfinite(ahead) & (ahead != 0)).any(axis=1)
        return every_combination(panel.keys.take(sells))
    if isinstance(ask, Keys):
        seen = panel.until(length + horizon).keys
        asked = ask.take(ask.first_of_each())
        every = np.ones(len(asked), bool)
        for name in seen.names:
            every &= Keys({name: seen[name]}).locate(Keys({name: asked[name]})) >= 0
        return asked.take(every)
    raise OptionError(f"cannot ask for {ask!r}: use grid, known, or keys.")
