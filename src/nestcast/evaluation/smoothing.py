"""What simple methods would have forecast at every past period, all series at once.

Each function takes the past, shape (series, time), NaN where unknown, and gives the flat forecast
made before each period, shape (series, time + 1): column t uses columns before t only, and the last
column is the forecast that counts. Where nothing is known yet it is 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def naive(past: Values) -> Values:
    """The last value known.

    Example:
        >>> naive(np.array([[3.0, np.nan, 5.0]]))
        array([[0., 3., 3., 5.]])
    """
    known = np.isfinite(past)
    last = np.maximum.accumulate(np.where(known, np.arange(past.shape[1]), -1), axis=1)
    values = np.take_along_axis(np.nan_to_num(past), np.maximum(last, 0), axis=1)
    return _before(np.where(last >= 0, values, 0.0))


def mean_of_last(past: Values, k: int) -> Values:
    """The mean of those of the last k periods that are known.

    Example:
        >>> mean_of_last(np.array([[1.0, 2.0, 6.0]]), k=2)
        array([[0. , 1. , 1.5, 4. ]])
    """

    def of_last_k(values: Values) -> Values:
        total = np.cumsum(values, axis=1)
        total[:, k:] -= total[:, :-k].copy()
        return total

    known = np.isfinite(past)
    count = of_last_k(known.astype(float))
    mean = of_last_k(np.where(known, past, 0.0)) / np.maximum(count, 1)
    return _before(np.where(count > 0, mean, 0.0))


def croston(past: Values, alpha: float = 0.1) -> Values:
    """Size of the smoothed demand over the smoothed number of periods between demands.

    J. D. Croston, "Forecasting and stock control for intermittent demands" (1972): both are
    smoothed exponentially, only when there is demand, from the first demand and the periods up to
    it.

    Example:
        >>> croston(np.array([[0.0, 4.0, 0.0, 0.0, 2.0]]), alpha=0.5).round(3)
        array([[0. , 0. , 2. , 2. , 2. , 1.2]])
    """
    rows, time = past.shape
    forecast = np.zeros((rows, time + 1))
    size, between, since, begun = (np.zeros(rows) for _ in range(4))
    for t in range(time):
        value = past[:, t]
        known = np.isfinite(value)
        since += known
        demand = known & (value != 0)
        weight = np.where(begun > 0, alpha, 1.0)
        size = np.where(demand, size + weight * (value - size), size)
        between = np.where(demand, between + weight * (since - between), between)
        since[demand] = 0
        begun[demand] = 1
        forecast[:, t + 1] = np.where(begun > 0, size / np.maximum(between, 1), 0.0)
    return forecast


def sba(past: Values, alpha: float = 0.1) -> Values:
    """Croston's forecast less its bias, a share of alpha / 2.

    A. A. Syntetos and J. E. Boylan, "The accuracy of intermittent demand estimates" (2005).

    Example:
        >>> sba(np.array([[2.0, 2.0, 2.0]]), alpha=0.1)
        array([[0. , 1.9, 1.9, 1.9]])
    """
    return (1 - alpha / 2) * croston(past, alpha)


def tsb(past: Values, alpha_demand: float = 0.1, alpha_probability: float = 0.1) -> Values:
    """Size of the smoothed demand times the smoothed probability that there is demand.

    R. H. Teunter, A. A. Syntetos and M. Z. Babai, "Intermittent demand: linking forecasting to
    inventory obsolescence" (2011): the probability is smoothed in every period, so that the
    forecast of an item nobody buys any more goes to 0.

    Example:
        >>> tsb(np.array([[0.0, 4.0, 0.0]]), 0.5, 0.5)
        array([[0., 0., 2., 1.]])
    """
    rows, time = past.shape
    forecast = np.zeros((rows, time + 1))
    size, probability, begun, seen = (np.zeros(rows) for _ in range(4))
    for t in range(time):
        value = past[:, t]
        known = np.isfinite(value)
        demand = known & (value != 0)
        weight = np.where(begun > 0, alpha_demand, 1.0)
        size = np.where(demand, size + weight * (value - size), size)
        weight = np.where(seen > 0, alpha_probability, 1.0)
        probability = np.where(known, probability + weight * (demand - probability), probability)
        begun[demand] = 1
        seen[known] = 1
        forecast[:, t + 1] = size * probability
    return forecast


def ahead(flat: Values, step: int) -> Values:
    """For each period, the flat forecast made `step` periods before it ends.

    Args:
        flat: what the functions above give, shape (series, time + 1).
        step: 1 for the next period.

    Returns:
        Shape (series, time + step); NaN where nothing was forecast. The last column is ahead of
        the past by `step` periods.
    """
    return _padded(flat, step - 1)


def seasonal_naive(past: Values, season: int, step: int) -> Values:
    """The last known season's value for each period; without one, the last value known.

    Example:
        >>> seasonal_naive(np.array([[1.0, 2.0, 3.0, 4.0]]), season=3, step=2)
        array([[nan,  0.,  1.,  1.,  2.,  3.]])

    Args:
        past: shape (series, time).
        season: periods after which the calendar repeats itself.
        step: periods between the last known one and the one to forecast, 1 for the next.

    Returns:
        Shape (series, time + step), as `ahead` gives.
    """
    lag = season * -(-step // season)
    same = _padded(past, lag)[:, : past.shape[1] + step]
    return np.where(np.isfinite(same), same, ahead(naive(past), step))


def _before(after: Values) -> Values:
    """From forecasts made after each period to those made before each, one more."""
    return np.concatenate([np.zeros((len(after), 1)), after], axis=1)


def _padded(values: Values, count: int) -> Values:
    return np.concatenate([np.full((len(values), count), np.nan), values], axis=1)
