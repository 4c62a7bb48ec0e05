"""Sample paths of demand: those of the forecast, or paths with its marginal quantiles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from nestcast.errors import OptionError
from nestcast.forecast import Forecast

Values = NDArray[np.float64]
Paths = NDArray[np.float32]

PATHS = 200  # drawn for each series
DEPENDENCE = 0.5  # correlation of normal scores of two periods, where a forecast has no paths
_TABLED = 100.0  # mean of counts up to which every count has its own probability
_ROWS = 4096  # tabled at a time


def demand_paths(
    forecast: Forecast, rows: NDArray[np.int64], *, is_count: bool = True, paths: int = PATHS
) -> Paths:
    """Paths of what will be asked for, none of it negative.

    A forecast with samples has them. Of one without, each period gets equally likely values: of
    counts, those of a negative binomial distribution with the forecast's mean and the variance
    that its widest interval has in a normal one (at least the mean, then it is Poisson); of large
    counts and of other targets, those of its quantiles, joined by lines over normal scores.
    The periods of a series then hang together by a normal copula with correlation `DEPENDENCE`.

    Example:
        >>> from nestcast.data import Calendar, Keys
        >>> keys, mean = Keys({"item_id": np.array([7])}), np.array([[4]], np.float32)
        >>> quantiles = np.array([[[1, 4, 8]]], np.float32)
        >>> months = Calendar("1mo", np.datetime64("2024-01-01"), 1)
        >>> forecast = Forecast(keys, months, mean, np.array([0.05, 0.5, 0.95]), quantiles)
        >>> drawn = demand_paths(forecast, np.array([0]))
        >>> drawn.shape, round(float(drawn.mean()), 1)
        ((1, 1, 200), 4.0)

    Args:
        forecast: with samples or intervals.
        rows: series wanted, positions in the forecast.
        is_count: whether demand is a whole number.
        paths: how many, where the forecast has none of its own.

    Returns:
        Shape (rows, horizon, paths).

    Raises:
        OptionError: the forecast has neither samples nor an interval.
    """
    if forecast.samples is not None:
        return np.maximum(forecast.samples[rows], 0)
    if not forecast.levels:
        raise OptionError(
            "a forecast without intervals does not tell what may be sold: ask for levels, as in "
            "predict(level=[80, 95])."
        )
    order = _copula(forecast.horizon, paths)
    found = np.empty((len(rows), forecast.horizon, paths), np.float32)
    for step in range(forecast.horizon):
        mean = forecast.mean[rows, step].astype(np.float64)
        quantiles = forecast.quantiles[rows, step].astype(np.float64)
        ordered = _along_quantiles(forecast.probabilities, quantiles, paths)
        if is_count:
            ordered = np.rint(ordered)
            small = np.flatnonzero(mean <= _TABLED)
            small = small[np.argsort(mean[small])]  # those alike need equally long tables
            variance = _variance(forecast.probabilities, quantiles, mean)
            for first in range(0, len(small), _ROWS):
                part = small[first : first + _ROWS]
                ordered[part] = _negative_binomial(mean[part], variance[part], paths)
        found[:, step] = ordered[:, order[step]]
    return np.maximum(found, 0)


def _copula(horizon: int, paths: int) -> NDArray[np.int64]:
    """For each step, which of its ordered values each path takes, shape (horizon, paths)."""
    if horizon == 1:
        return np.arange(paths)[None]
    rng = np.random.default_rng(0)  # the same forecast gives the same paths
    shared, own = rng.standard_normal((1, paths)), rng.standard_normal((horizon, paths))
    score = DEPENDENCE**0.5 * shared + (1 - DEPENDENCE) ** 0.5 * own
    return np.asarray(score.argsort(axis=1).argsort(axis=1))


def _levels(paths: int) -> Values:
    """Probabilities in the middle of equal strata, shape (paths,)."""
    return np.asarray((np.arange(paths) + 0.5) / paths)


def _along_quantiles(probabilities: Values, quantiles: Values, paths: int) -> Values:
    """Values at equally likely levels, shape (rows, paths), straight over normal scores."""
    knots, wanted = special.ndtri(probabilities), special.ndtri(_levels(paths))
    left = np.clip(np.searchsorted(knots, wanted) - 1, 0, len(knots) - 2)
    share = (wanted - knots[left]) / (knots[left + 1] - knots[left])
    weight = np.zeros((len(knots), paths))
    weight[left, np.arange(paths)] = 1 - share
    weight[left + 1, np.arange(paths)] += share
    return np.asarray(quantiles @ weight)


def _variance(probabilities: Values, quantiles: Values, mean: Values) -> Values:
    reach = special.ndtri(probabilities[-1]) - special.ndtri(probabilities[0])
    return np.asarray(np.maximum(((quantiles[:, -1] - quantiles[:, 0]) / reach) ** 2, mean))


def _negative_binomial(mean: Values, variance: Values, paths: int) -> Values:
    """Equally likely values, ascending, shape (rows, paths)."""
    mean = np.maximum(mean, 1e-12)
    variance = np.maximum(variance, mean * (1 + 1e-6))  # the limit is Poisson
    size, share = mean**2 / (variance - mean), 1 - mean / variance
    chance = np.exp(size * np.log1p(-share))
    below, counts = chance.copy(), []
    left = np.full(len(mean), paths)  # strata above the value of the table so far
    while left.any():
        above = np.maximum(paths - np.floor(below * paths + 0.5).astype(np.int64), 0)
        above = np.minimum(above, left)
        counts.append(left - above)
        left = above
        value = len(counts)
        chance = chance * share * (size + value - 1) / value
        below += chance
        if not (chance > 1e-300).any():  # nothing more to come but rounding errors
            counts[-1] += left
            break
    table = np.stack(counts, axis=1)
    values = np.tile(np.arange(table.shape[1], dtype=np.float64), len(table))
    return np.repeat(values, table.ravel()).reshape(len(mean), paths)
