"""Sums of a forecast over series and periods, with intervals.

Errors of series move together: in a good month most shops sell more. The variance of a sum is
therefore not the sum of variances. With one correlation r between the errors of a group, it is

    variance of the sum = V + r (S^2 - V),   V = sum of variances, S = sum of standard deviations

(the design effect of Kish, Survey Sampling, 1965, for members of unequal size). r is learned from
the past: from the errors of a simple rule, the mean of the last periods, on the same groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from nestcast.data.panel import Panel
from nestcast.forecast import Forecast

Values = NDArray[np.float64]
Codes = NDArray[np.int64]

_BEFORE = 3  # periods that the simple rule takes the mean of
_FEWEST = 6  # past errors that a correlation can be learned from
_MOST = 24  # so many are enough, and the latest are most like the future
_MAD_TO_DEVIATION = 1.4826  # of a normal distribution


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over groups of series: what is expected, and how sure it is.

    Args:
        mean: expected sum, shape (groups, steps).
        variance: of the sum, same shape; NaN where too little past is known.
        is_count: whether the sum is a whole number.
        is_positive: whether it cannot be negative.
    """

    mean: Values
    variance: Values
    is_count: bool
    is_positive: bool

    def interval(self, level: float) -> tuple[Values, Values]:
        """The central interval that holds `level` per cent, as (low, high).

        Counts are negative binomial (Poisson where the variance is not above the mean), other sums
        that cannot be negative gamma distributed, the rest normal, with this mean and variance.

        Example:
            >>> sums = Sums(np.array([[100.0]]), np.array([[100.0]]), True, True)
            >>> [float(end[0, 0]) for end in sums.interval(95)]
            [80.0, 120.0]
        """
        tail = (1 - level / 100) / 2
        return self._quantile(tail), self._quantile(1 - tail)

    def _quantile(self, probability: float) -> Values:
        known = np.isfinite(self.variance)
        mean, variance = self.mean, np.where(known, self.variance, 1.0)
        deviation = np.sqrt(variance)
        found = stats.norm.ppf(probability, mean, np.maximum(deviation, 1e-12))
        if self.is_positive:
            small = (mean > 0) & (mean < 10 * deviation)  # elsewhere all are normal
            if self.is_count:
                found[small] = _count_quantile(probability, mean[small], variance[small])
                found = np.round(found)
            else:
                scale = variance[small] / mean[small]
                found[small] = stats.gamma.ppf(probability, mean[small] / scale, scale=scale)
            found = np.where(mean > 0, np.maximum(found, 0.0), 0.0)
        return np.where(known, found, np.nan)


def _count_quantile(probability: float, mean: Values, variance: Values) -> Values:
    # A variance hardly above the mean is Poisson's: n would be too large for the formula.
    variance = np.maximum(variance, mean * (1 + 1e-3))
    share = mean / variance
    return np.asarray(stats.nbinom.ppf(probability, mean * share / (1 - share), share))


@dataclass(frozen=True, eq=False)
class Spread:
    """How errors of the simple rule spread and move together in the past of a panel.

    Args:
        error: of the rule in usual periods, shape (series, periods); 0 before the start.
        steps: correlation between the errors of one series at different steps.
    """

    error: Values
    steps: float

    @classmethod
    def of(cls, panel: Panel, horizon: int) -> Spread:
        """Apply the simple rule to the past of a panel.

        Args:
            panel: the past.
            horizon: steps whose errors may go together.
        """
        y = np.nan_to_num(panel.target.astype(np.float64))
        time = y.shape[1]
        known = np.arange(time) >= panel.start[:, None]
        first = max(_BEFORE, time - _MOST)
        summed = np.concatenate([np.zeros((len(y), 1)), np.cumsum(y, axis=1)], axis=1)
        rule = (summed[:, _BEFORE:-1] - summed[:, : -1 - _BEFORE]) / _BEFORE  # (series, time - 3)
        error = np.where(known, y, 0.0)[:, _BEFORE:] - np.where(known[:, _BEFORE:], rule, 0.0)
        error = error[:, first - _BEFORE :]
        return cls(error[:, _usual(error)], _steps_correlation(y, rule, horizon))

    @property
    def is_known(self) -> bool:
        """Whether the past is long enough to learn from."""
        return bool(self.error.shape[1] >= _FEWEST)

    def summed(self, groups: Codes, size: int) -> Spread:
        """The same for sums over groups of series."""
        return Spread(add(self.error, groups, size), self.steps)

    def correlation(self, groups: Codes) -> float:
        """Correlation between the errors of the members of a group, pooled over groups.

        Args:
            groups: number of the group of each series, shape (series,).
        """
        size = int(groups.max(initial=-1)) + 1
        squares = (self.error**2).mean(axis=1)
        alone = add(squares[:, None], groups, size)
        together = add(np.sqrt(squares)[:, None], groups, size) ** 2
        of_sum = (add(self.error, groups, size) ** 2).mean(axis=1, keepdims=True)
        possible = (together - alone).sum()
        return float(np.clip((of_sum - alone).sum() / possible, 0, 1)) if possible > 0 else 0.0


def _usual(error: Values) -> NDArray[np.bool_]:
    """Periods in which the sum of all did not jump as in December: within 3.5 robust deviations."""
    total = error.sum(axis=0)
    away = np.abs(total - np.median(total))
    return np.asarray(away <= 3.5 * _MAD_TO_DEVIATION * np.median(away))


def _steps_correlation(y: Values, rule: Values, horizon: int) -> float:
    """Correlation between the errors of one series 1, 2, ... periods after the same origin."""
    horizon = min(horizon, y.shape[1] - _BEFORE)
    if horizon < 2:
        return 0.0
    origins = range(_BEFORE, y.shape[1] - horizon + 1)
    of_sum = squares = together = 0.0
    for origin in list(origins)[-_MOST:]:
        error = y[:, origin : origin + horizon] - rule[:, origin - _BEFORE, None]
        of_sum += float((error.sum(axis=1) ** 2).sum())
        squares += float((error**2).sum())
        together += float((np.abs(error).sum(axis=1) ** 2).sum())
    possible = together - squares
    return float(np.clip((of_sum - squares) / possible, 0, 1)) if possible > 0 else 0.0


def variances(forecast: Forecast, is_count: bool) -> Values:
    """Variance of each series at each step, shape (series, horizon).

    From the widest interval held, as if it were a normal one, and for counts at least the mean:
    the quantiles of what rarely sells are all 0. NaN where the forecast holds no interval.
    """
    if not forecast.levels:
        return np.full(forecast.mean.shape, np.nan)
    level = forecast.levels[-1]
    low, high = (end.astype(np.float64) for end in forecast.interval(level))
    reach = 2 * stats.norm.ppf(0.5 + level / 200)
    found = ((high - low) / reach) ** 2
    return np.maximum(found, forecast.mean) if is_count else np.asarray(found)


def over_series(
    mean: NDArray[np.floating], variance: Values, groups: Codes, size: int, correlation: float
) -> tuple[Values, Values]:
    """Mean and variance of the sums over groups of series.

    Args:
        mean, variance: of each series, shape (series, steps).
        groups: number of the group of each series, shape (series,).
        size: number of groups.
        correlation: between the errors of members of a group.

    Returns:
        Mean and variance, shape (groups, steps) each.
    """
    alone = add(variance, groups, size)
    together = add(np.sqrt(variance), groups, size) ** 2
    return add(mean, groups, size), alone + correlation * np.maximum(together - alone, 0)


def over_steps(mean: Values, variance: Values, correlation: float) -> tuple[Values, Values]:
    """Mean and variance of the sum over all steps, shape (series, 1) each."""
    alone = variance.sum(axis=1, keepdims=True)
    together = np.sqrt(variance).sum(axis=1, keepdims=True) ** 2
    return mean.sum(axis=1, keepdims=True), alone + correlation * np.maximum(together - alone, 0)


def add(values: NDArray[np.floating], groups: Codes, size: int) -> Values:
    """Sums over groups of rows, shape (groups, columns)."""
    return np.stack(
        [np.bincount(groups, column, minlength=size)[:size] for column in values.T], axis=1
    )
