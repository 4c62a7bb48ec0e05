"""Impressions ahead: the recent level of each series times the profile of the week or the day."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nestcast.data.panel import Panel

Values = NDArray[np.float64]

_CYCLE = {"1h": 24, "1d": 7, "1w": 1, "1mo": 1}  # periods after which impressions repeat
_LEVEL_OVER = {"1h": 168, "1d": 7, "1w": 4, "1mo": 3}
_CYCLES = 8  # that the profile is learned from
_JUDGED = 14  # past periods that tell the spread


def cycle_of(freq: str) -> int:
    """Periods after which the day of the week, or the hour of the day, comes again."""
    return _CYCLE[freq]


def forecast_exposure(panel: Panel, rows: NDArray[np.int64], horizon: int) -> tuple[Values, Values]:
    """Impressions expected of each series.

    A series without any past gets the median of those shown lately.

    Args:
        panel: with an exposure.
        rows: position of each series asked for, -1 where the panel does not hold it.
        horizon: periods ahead.

    Returns:
        Mean and dispersion `a` (variance `m + a m^2`), shape (rows, horizon) each.
    """
    assert panel.exposure is not None
    shown = panel.exposure.astype(np.float64)
    freq = panel.calendar.freq
    level = _ahead(shown, freq, horizon)
    lately = level[level.sum(axis=1) > 0]
    usual = np.median(lately, axis=0) if len(lately) else np.zeros(horizon)
    mean = np.where(rows[:, None] >= 0, level[rows], usual)
    return mean, np.broadcast_to(_dispersion(shown, freq, horizon), mean.shape)


def _ahead(shown: Values, freq: str, horizon: int) -> Values:
    """(series, time) to (series, horizon)."""
    time, cycle = shown.shape[1], _CYCLE[freq]
    last = shown[:, max(time - _LEVEL_OVER[freq], 0) :]
    level = last.mean(axis=1) if last.shape[1] else np.zeros(len(shown))
    ahead = np.arange(time, time + horizon) % cycle
    profile = _profile(shown, cycle)
    at = np.arange(max(time - last.shape[1], 0), time) % cycle
    typical = profile[at].mean() if len(at) else 1.0
    return np.asarray(level[:, None] * profile[ahead] / max(typical, 1e-12))


def _profile(shown: Values, cycle: int) -> Values:
    """Share of each place in the cycle, 1 on average; flat unless two whole cycles are known."""
    time = shown.shape[1]
    cycles = min(time // cycle, _CYCLES)
    if cycle == 1 or cycles < 2:
        return np.ones(cycle)
    total = shown[:, time - cycles * cycle :].sum(axis=0)
    each = total.reshape(cycles, cycle)
    each = each / np.maximum(each.mean(axis=1, keepdims=True), 1e-12)
    profile = np.empty(cycle)
    profile[np.arange(time - cycle, time) % cycle] = each.mean(axis=0)
    return profile


def _dispersion(shown: Values, freq: str, horizon: int) -> Values:
    """By step, from forecasts of the last periods, shape (horizon,)."""
    time = shown.shape[1]
    above, below = np.zeros(horizon), np.zeros(horizon)
    first = max(time - _JUDGED - horizon, _LEVEL_OVER[freq])
    for origin in range(first, time):
        steps = min(horizon, time - origin)
        mean, seen = _ahead(shown[:, :origin], freq, steps), shown[:, origin : origin + steps]
        on = mean > 0
        # Each series counts the same: a few with many impressions would decide otherwise.
        m = np.where(on, mean, 1.0)
        excess = np.where(on, ((seen - m) ** 2 - m) / m**2, 0.0)
        above[:steps] += np.clip(excess, 0, 25).sum(axis=0)
        below[:steps] += on.sum(axis=0)
    known = below > 0
    if not known.any():
        return np.full(horizon, 1.0)
    each = above / np.maximum(below, 1)
    # A step further than the past reaches is as uncertain as the furthest that it does.
    return np.maximum.accumulate(np.where(known, each, 0.0))
