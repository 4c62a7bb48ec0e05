"""Scores of a forecast of rates as sums, like `scoring`, for panels of impressions and clicks.

Rates are scored at the impressions that came, so that nobody has to guess these too.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nestcast.evaluation import click_metrics, metrics
from nestcast.evaluation.origins import Origin
from nestcast.rateforecast import RateForecast

Values = NDArray[np.float64]

# From the sums of a measure, shape (..., sums), to its value, shape (...).
VALUES: dict[str, Callable[[Values], Values]] = {
    "log-loss": lambda s: over(s[..., 0], s[..., 1]),
    "normalised-entropy": lambda s: over(
        over(s[..., 0], s[..., 1]), click_metrics.entropy(over(s[..., 2], s[..., 1]))
    ),
    "excess-loss": lambda s: over(s[..., 0], s[..., 1]),
    "calibration": lambda s: over(s[..., 0], s[..., 1]),
    "calibration-error": lambda s: over(np.abs(s[..., :-1]).sum(axis=-1), s[..., -1]),
    "clicks-wape": lambda s: over(s[..., 0], s[..., 1]),
    "impressions-wape": lambda s: over(s[..., 0], s[..., 1]),
}


def over(numerator: Values, denominator: Values) -> Values:
    """The ratio, NaN where there is nothing to measure."""
    some = denominator > 0
    return np.asarray(np.where(some, numerator / np.where(some, denominator, 1), np.nan))


def pieces(origin: Origin, forecast: RateForecast) -> dict[str, tuple[Values, ...]]:
    """The sums of each measure for each series, shape (series,) each.

    `coverage-80` counts each series and period with impressions once, `coverage-80-weighted` by its
    impressions.
    """
    assert origin.exposure is not None
    n, k = origin.exposure, origin.actual
    p = forecast.mean.astype(np.float64)
    loss = click_metrics.losses(k, n, p)
    least = click_metrics.least_losses(k, n)
    shown, clicked, expected = n.sum(axis=1), k.sum(axis=1), (n * p).sum(axis=1)
    bins = click_metrics.equal_mass_bins(n, p)
    away = [np.where(bins == one, n * p - k, 0.0).sum(axis=1) for one in range(click_metrics.BINS)]
    found: dict[str, tuple[Values, ...]] = {
        "log-loss": (loss.sum(axis=1), shown),
        "normalised-entropy": (loss.sum(axis=1), shown, clicked),
        "excess-loss": ((loss - least).sum(axis=1), shown),
        "calibration": (expected, clicked),
        "calibration-error": (*away, shown),
        "clicks-wape": (np.abs(forecast.clicks - k).sum(axis=1), clicked),
        "impressions-wape": (np.abs(forecast.exposure - n).sum(axis=1), shown),
    }
    on = (n > 0).astype(np.float64)
    at_these = forecast.given(n)
    quantiles = at_these.clicks_quantiles()
    for level in forecast.levels:
        tail = (1 - level / 100) / 2
        low, high = (
            quantiles[..., int(np.argmin(np.abs(at_these.probabilities - end)))]
            for end in (tail, 1 - tail)
        )
        inside = metrics.covered(k, low, high)
        found[f"coverage-{level:g}"] = ((inside * on).sum(axis=1), on.sum(axis=1))
        found[f"coverage-{level:g}-weighted"] = ((inside * n).sum(axis=1), shown)
    return found
