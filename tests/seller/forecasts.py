"""Forecasts with known demand, for tests of what follows from it."""

from __future__ import annotations

import numpy as np

from nestcast.data import Calendar, Keys, Panel
from nestcast.forecast import Forecast, probabilities_of
from nestcast.seller import SalesRate, sales_rate

MONTHS = Calendar("1mo", np.datetime64("2024-01-01"), 24)  # the forecast begins in January 2026


def panel_of(series: int, sold=None, **more) -> Panel:
    """So many items that sold nothing, or what is given."""
    target = np.zeros((series, len(MONTHS)), np.float32) if sold is None else np.float32(sold)
    keys = Keys({"item_id": np.arange(series)})
    return Panel(keys, MONTHS, target, np.zeros(series, np.int32), **more)


def forecast_of(paths, level=(80, 95), with_samples=True) -> Forecast:
    """The forecast with these paths, shape (series, horizon, paths)."""
    paths = np.asarray(paths, np.float32)
    p = np.array(probabilities_of(level))
    return Forecast(
        Keys({"item_id": np.arange(len(paths))}),
        MONTHS.after(paths.shape[1]),
        paths.mean(axis=2),
        p,
        np.moveaxis(np.quantile(paths, p, axis=2, method="inverted_cdf"), 0, -1),
        paths if with_samples else None,
    )


def rate_of(forecast: Forecast) -> SalesRate:
    """Its sales rate, even over the days."""
    return sales_rate(forecast, panel_of(len(forecast)))


def strata(distribution, paths: int = 2000) -> np.ndarray:
    """Equally likely values of a scipy distribution, one row for each of its parameters."""
    return distribution.ppf((np.arange(paths) + 0.5) / paths)
