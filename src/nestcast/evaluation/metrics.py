"""How far forecasts are from what happened: pure functions over arrays.

Periods whose truth is missing (NaN) are ignored. A metric of nothing is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]


def rmse(actual: ArrayLike, forecast: ArrayLike, clip: tuple[float, float] | None = None) -> float:
    """Root mean squared error, in units of the target.

    Example:
        >>> rmse([0, 3, np.nan], [0, 5, 9])
        1.4142135623730951
        >>> rmse([0, 30], [0, 25], clip=(0, 20))
        0.0

    Args:
        actual, forecast: any shape, the same.
        clip: ends into which both are clipped first, as the 1C competition does.
    """
    if clip is not None:
        actual, forecast = np.clip(_floats(actual), *clip), np.clip(_floats(forecast), *clip)
    return float(np.sqrt(_mean(_error(actual, forecast) ** 2)))


def mae(actual: ArrayLike, forecast: ArrayLike) -> float:
    """Mean absolute error, in units of the target.

    Example:
        >>> mae([1, 3], [2, 1])
        1.5
    """
    return _mean(np.abs(_error(actual, forecast)))


def wape(actual: ArrayLike, forecast: ArrayLike) -> float:
    """Weighted absolute percentage error: the sum of absolute errors over the sum of the truth.

    Example:
        >>> wape([0, 4], [1, 3])
        0.5
    """
    absolute = np.abs(_error(actual, forecast))
    size = np.nansum(np.abs(_floats(actual)))
    return float(np.nansum(absolute) / size) if size > 0 else float("nan")


def bias(actual: ArrayLike, forecast: ArrayLike) -> float:
    """Mean of forecast minus truth, in units of the target: above 0 is forecast too high.

    Example:
        >>> bias([1, 2], [2, 3])
        1.0
    """
    return _mean(_error(actual, forecast))


def naive_scale(history: ArrayLike, seasonality: int = 1, power: int = 1) -> Values:
    """Mean size of the changes in a series' own past, by which scaled errors are divided.

    The mean of `|y_t - y_(t - seasonality)| ^ power`, as in the M4 and M5 competitions.

    Example:
        >>> naive_scale([[np.nan, 1, 3, 2], [5, 5, 5, 5]])
        array([1.5, nan])

    Args:
        history: the past; NaN where missing or before a series begins, shape (series, time).
        seasonality: distance of the naive forecast, in periods.
        power: 1 for MASE, 2 for RMSSE.

    Returns:
        Shape (series,); NaN where there is no change to measure by.
    """
    past = _floats(history)
    change = np.abs(past[:, seasonality:] - past[:, :-seasonality]) ** power
    known = np.isfinite(change)
    total, count = np.where(known, change, 0).sum(axis=1), known.sum(axis=1)
    return np.where(total > 0, total / np.maximum(count, 1), np.nan)


def mase(actual: ArrayLike, forecast: ArrayLike, scale: ArrayLike) -> float:
    """Mean absolute scaled error, averaged over the series that have a scale.

    R. J. Hyndman and A. B. Koehler, "Another look at measures of forecast accuracy" (2006).

    Example:
        >>> mase([[2.0, 4.0]], [[3.0, 3.0]], naive_scale([[0, 2, 0, 2]]))
        0.5

    Args:
        actual, forecast: shape (series, horizon).
        scale: `naive_scale(history)`, shape (series,).
    """
    return _mean(absolute_scaled_error(actual, forecast, scale))


def rmsse(actual: ArrayLike, forecast: ArrayLike, scale: ArrayLike) -> float:
    """Root mean squared scaled error, averaged over the series that have a scale.

    S. Makridakis et al., "The M5 competition" (2022), without its weights.

    Example:
        >>> rmsse([[2.0, 4.0]], [[3.0, 3.0]], naive_scale([[0, 2, 0, 2]], power=2))
        0.5

    Args:
        actual, forecast: shape (series, horizon).
        scale: `naive_scale(history, power=2)`, shape (series,).
    """
    return _mean(root_squared_scaled_error(actual, forecast, scale))


def absolute_scaled_error(actual: ArrayLike, forecast: ArrayLike, scale: ArrayLike) -> Values:
    """The MASE of each series, shape (series,); NaN without a scale or without truth."""
    return _mean_of_rows(np.abs(_error(actual, forecast))) / _floats(scale)


def root_squared_scaled_error(actual: ArrayLike, forecast: ArrayLike, scale: ArrayLike) -> Values:
    """The RMSSE of each series, shape (series,); NaN without a scale or without truth."""
    squared = _mean_of_rows(_error(actual, forecast) ** 2)
    return np.asarray(np.sqrt(squared / _floats(scale)))


def pinball(actual: ArrayLike, quantiles: ArrayLike, probabilities: ArrayLike) -> Values:
    """The pinball loss of each quantile: `p (y - q)` above it, `(1 - p) (q - y)` below.

    R. Koenker and G. Bassett, "Regression quantiles" (1978).

    Example:
        >>> pinball([10.0], [[8.0, 12.0]], [0.1, 0.9]).round(3)
        array([[0.2, 0.2]])

    Args:
        actual: any shape.
        quantiles: that shape and one axis more, the levels.
        probabilities: shape (levels,).
    """
    above = _floats(actual)[..., None] - _floats(quantiles)
    p = _floats(probabilities)
    return np.asarray(np.maximum(p * above, (p - 1) * above))


def quantile_loss(actual: ArrayLike, quantiles: ArrayLike, probabilities: ArrayLike) -> float:
    """Mean pinball loss over all periods and levels, in units of the target.

    Example:
        >>> round(quantile_loss([10.0], [[8.0, 12.0]], [0.1, 0.9]), 3)
        0.2
    """
    return _mean(pinball(actual, quantiles, probabilities))


def crps_of_quantiles(
    actual: ArrayLike, quantiles: ArrayLike, probabilities: Sequence[float] | NDArray[Any]
) -> Values:
    """Continuous ranked probability score of each period, from the quantiles at hand.

    The score is twice the integral of the pinball loss over all levels (F. Laio and S. Tamea,
    "Verification tools for probabilistic forecasts of continuous hydrological variables", 2007).
    Here each level stands for the levels nearest to it, so that levels which are not evenly spaced
    do not count more where they are dense.

    Example:
        >>> crps_of_quantiles([10.0], [[9.0, 10.0, 11.0]], [0.25, 0.5, 0.75]).round(4)
        array([0.375])
    """
    p = _floats(probabilities)
    edges = np.concatenate([[0.0], (p[1:] + p[:-1]) / 2, [1.0]])
    return np.asarray(2 * pinball(actual, quantiles, p) @ np.diff(edges))


def crps_of_samples(actual: ArrayLike, samples: ArrayLike) -> Values:
    """Continuous ranked probability score of each period, from samples: `E|X - y| - E|X - X'|/2`.

    T. Gneiting and A. E. Raftery, "Strictly proper scoring rules, prediction, and estimation"
    (2007), equation 21, for the empirical distribution of the samples.

    Example:
        >>> crps_of_samples([3.0], [[2.0, 4.0]])
        array([0.5])

    Args:
        actual: any shape.
        samples: that shape and one axis more, the samples.
    """
    ordered: Values = np.sort(_floats(samples), axis=-1)
    count = ordered.shape[-1]
    away = np.abs(ordered - _floats(actual)[..., None]).mean(axis=-1)
    # The sum of |x_i - x_j| over all pairs, by ranks: x_(k) is above k others and below the rest.
    spread = ordered @ (2 * np.arange(count) - count + 1) / count**2
    return np.asarray(away - spread)


def crps(
    actual: ArrayLike, quantiles: ArrayLike, probabilities: Sequence[float] | NDArray[Any]
) -> float:
    """Mean continuous ranked probability score, in units of the target; see `crps_of_quantiles`.

    Example:
        >>> round(crps([10.0], [[9.0, 10.0, 11.0]], [0.25, 0.5, 0.75]), 4)
        0.375
    """
    return _mean(crps_of_quantiles(actual, quantiles, probabilities))


def covered(actual: ArrayLike, low: ArrayLike, high: ArrayLike) -> Values:
    """1 where the truth lies in the interval, ends included, 0 where not, NaN where unknown."""
    y = _floats(actual)
    inside = (y >= _floats(low)) & (y <= _floats(high))
    return np.where(np.isnan(y), np.nan, inside)


def coverage(actual: ArrayLike, low: ArrayLike, high: ArrayLike) -> float:
    """Share of periods whose truth lies in the interval, ends included.

    Example:
        >>> coverage([0, 5, 9], [0, 1, 1], [2, 4, 9])
        0.6666666666666666
    """
    return _mean(covered(actual, low, high))


def pit_covered(below: ArrayLike, upto: ArrayLike, level: float) -> Values:
    """How much of each truth, spread over its own probability, is in the central interval.

    An interval of counts ends in whole ones and so holds more than its level: where nothing is
    sold nine times in ten, 0 to 0 holds 90%, as the 80% interval and as any other. Here a truth is
    spread from P(Y < y) to P(Y <= y), and the share of that between the ends of the interval
    counts; if the forecast is right, its mean is the level, of counts as of any target.
    Source: C. Czado, T. Gneiting and L. Held, "Predictive model assessment for count data" (2009),
    section 2.1.

    Example:
        >>> pit_covered([0.0, 0.85], [0.95, 0.95], 80).round(3).tolist()  # 0.8 of 0.95, 0.05 of 0.1
        [0.842, 0.5]

    Args:
        below, upto: probability of less than the truth, and of the truth or less.
        level: of the interval, in per cent.
    """
    low, high = (100 - level) / 200, (100 + level) / 200
    begin, end = _floats(below), _floats(upto)
    inside = np.clip(end, low, high) - np.clip(begin, low, high)
    at = (begin >= low) & (begin <= high)  # where the truth has no probability of its own
    return np.where(end > begin, inside / np.maximum(end - begin, 1e-300), at)


def width(low: ArrayLike, high: ArrayLike) -> float:
    """Mean width of the interval, in units of the target.

    Example:
        >>> width([0, 1], [2, 4])
        2.5
    """
    return _mean(_error(low, high))


def _floats(values: ArrayLike) -> Values:
    return np.asarray(values, np.float64)


def _error(actual: ArrayLike, forecast: ArrayLike) -> Values:
    return _floats(forecast) - _floats(actual)


def _mean(values: Values) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _mean_of_rows(values: Values) -> Values:
    known = np.isfinite(values)
    total, count = np.where(known, values, 0).sum(axis=1), known.sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
