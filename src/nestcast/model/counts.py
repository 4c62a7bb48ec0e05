"""Likelihoods of counts: 0, 1, 2, ..."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor
from torch.nn.functional import softplus

from nestcast.model.likelihood import Floats, Likelihood, Probabilities, Size

_SMALLEST = 1e-6
_BEND = 4.0  # how sharply the mean turns from a straight line to zero
_LARGE = 200.0  # mean above which quantiles are not found by counting up


def positive_mean(raw: Tensor, size: Size) -> Tensor:
    """A mean that is level + raw * unit where that is large, and positive where it is not."""
    relative = size.level / size.unit + raw
    return softplus(relative, beta=_BEND) * size.unit + _SMALLEST


class NegativeBinomial(Likelihood):
    """Counts with mean m and variance m + a m^2 (the NB2 form of the field).

    Source: Cameron and Trivedi, "Regression Analysis of Count Data", 2nd ed., section 3.3.

    Example:
        >>> family, two = NegativeBinomial(), torch.tensor([2.0])
        >>> raw, size = torch.zeros(1, 2), Size(level=two, unit=two)
        >>> round(family.mean(raw, size).item(), 2)
        2.01
        >>> family.quantile(raw, size, np.array([0.1, 0.5, 0.9])).tolist()
        [[0.0, 1.0, 5.0]]
    """

    name = "negative-binomial"
    parameters = 2
    counts = True

    def _mean_and_dispersion(self, raw: Tensor, size: Size) -> tuple[Tensor, Tensor]:
        return positive_mean(raw[..., 0], size), dispersion(raw[..., 1])

    def log_prob(self, raw: Tensor, size: Size, y: Tensor) -> Tensor:
        """Log-probability of counts `y` >= 0."""
        return negative_binomial_log_prob(*self._mean_and_dispersion(raw, size), y)

    def mean(self, raw: Tensor, size: Size) -> Tensor:
        """Expected count."""
        return positive_mean(raw[..., 0], size)

    def cdf(self, raw: Tensor, size: Size, y: Tensor) -> NDArray[np.float64]:
        """Probability of `y` or less."""
        number, success = _scipy(*self._mean_and_dispersion(raw, size))
        return np.asarray(stats.nbinom.cdf(y.numpy(), number, success))

    def quantile(self, raw: Tensor, size: Size, probabilities: Probabilities) -> Floats:
        """Smallest count whose cumulative probability reaches each level."""
        return negative_binomial_quantile(*self._mean_and_dispersion(raw, size), probabilities)


def dispersion(raw: Tensor) -> Tensor:
    """The `a` of the variance m + a m^2; 1 for a raw 0."""
    return softplus(raw + 0.5413) + 1e-4


def negative_binomial_log_prob(mean: Tensor, dispersion: Tensor, y: Tensor) -> Tensor:
    """Log-probability of counts `y` >= 0."""
    size = 1 / dispersion
    return (
        torch.lgamma(y + size)
        - torch.lgamma(size)
        - torch.lgamma(y + 1)
        - size * torch.log1p(mean * dispersion)
        + y * (mean.log() - torch.log(mean + size))
    )


def negative_binomial_quantile(
    mean: Tensor, dispersion: Tensor, probabilities: Probabilities
) -> Floats:
    """Smallest count whose cumulative probability reaches each level, shape (..., n)."""
    number, success = _scipy(mean, dispersion)

    def ratio(k: int, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return (k + number.ravel()[rows]) / (k + 1) * (1 - success.ravel()[rows])

    return _count_up(
        probabilities,
        success**number,
        ratio,
        mean.numpy() > _LARGE,
        lambda level, rows: stats.nbinom.ppf(
            level, number.ravel()[rows, None], success.ravel()[rows, None]
        ),
    )


def _scipy(mean: Tensor, dispersion: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The parameters that scipy's nbinom takes."""
    number = 1 / dispersion.double().numpy()
    return number, number / (number + mean.double().numpy())


def _count_up(
    probabilities: Probabilities,
    none: NDArray[np.float64],
    ratio: Callable[[int, NDArray[np.int64]], NDArray[np.float64]],
    large: NDArray[np.bool_],
    ppf: Callable[[Probabilities, NDArray[np.int64]], NDArray[np.float64]],
) -> Floats:
    """Quantiles of many small counts, by adding up their probabilities from 0.

    Args:
        probabilities: levels, broadcast to (..., n).
        none: probability of 0, shape (...).
        ratio: of the probability of k + 1 to that of k, for some rows of the flattened cells.
        large: cells that are left to `ppf`, shape (...).
        ppf: quantiles at some levels of some rows.
    """
    shape = (*none.shape, np.shape(probabilities)[-1])
    wanted = np.broadcast_to(probabilities, shape).reshape(-1, shape[-1])
    found = np.zeros(wanted.shape, np.float32)
    rows = np.flatnonzero(~large.ravel())
    probability = none.ravel()[rows]
    cumulative, k = probability, 0
    while len(rows) and k < 50 * _LARGE:
        above = wanted[rows] > cumulative[:, None]
        found[rows] += above
        more = above.any(axis=1)
        rows = rows[more]
        probability = probability[more] * ratio(k, rows)
        cumulative = cumulative[more] + probability
        k += 1
    rest = np.concatenate([rows, np.flatnonzero(large.ravel())])
    if len(rest):
        found[rest] = ppf(wanted[rest], rest)
    return found.reshape(shape)
