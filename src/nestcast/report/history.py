"""What the series of a forecast did so far, aligned with them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nestcast.data.calendar import Calendar
from nestcast.data.keys import Keys
from nestcast.data.panel import Panel
from nestcast.forecast import Forecast

Floats = NDArray[np.float32]

SHOWN = {"1mo": 48, "1w": 110, "1d": 400}  # the longest history in charts, in periods


@dataclass(frozen=True, eq=False)
class History:
    """The past of the series that were forecast.

    Args:
        calendar: the last periods of the panel, at most so many as are shown.
        past: what happened, shape (series, periods); NaN before a series begins and where missing.
        missing: where something happened that is not known, same shape.
        panel: the series of the panel among them, in those periods.
        at: position of each in the forecast, shape (known,).
        new_item: whether the item of each series never had a row, shape (series,).
    """

    calendar: Calendar
    past: Floats
    missing: NDArray[np.bool_]
    panel: Panel
    at: NDArray[np.int64]
    new_item: NDArray[np.bool_]


def history_of(
    forecast: Forecast, panel: Panel, item: str, clip: tuple[float, float] | None
) -> History:
    """Align a panel's past with a forecast.

    Args:
        forecast: whose series.
        panel: what it was made from.
        item: key column of the item.
        clip: what target and forecast were clipped to, so that both can be compared.
    """
    rows = panel.keys.locate(forecast.keys)
    at = np.flatnonzero(rows >= 0)
    time = len(panel.calendar)
    first = max(0, time - SHOWN[panel.calendar.freq])
    target = panel.target[rows[at], first:]
    if clip is not None:
        target = np.clip(target, *clip)
    calendar = replace(
        panel.calendar,
        first=panel.calendar.start_of(np.array([first]))[0],
        length=time - first,
    )
    start = np.maximum(panel.start[rows[at]] - first, 0).astype(np.int32)
    past = np.full((len(forecast), time - first), np.nan, np.float32)
    begun = np.arange(time - first) >= start[:, None]
    past[at] = np.where(begun, target, np.nan)
    missing = np.zeros(past.shape, bool)
    missing[at] = begun & np.isnan(target)
    known = Panel(
        keys=panel.keys.take(rows[at]),
        calendar=calendar,
        target=target,
        start=start,
        is_count=panel.is_count,
    )
    seen = Keys({item: panel.keys[item]}).locate(Keys({item: forecast.keys[item]})) >= 0
    return History(calendar, past, missing, known, at, ~seen)
