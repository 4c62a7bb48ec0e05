"""Likelihoods of counts: 0, 1, 2, ..."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from nestcast.model.likelihood import Doubles, Floats, Likelihood, Size

_SMALLEST = 1e-6
_FLOOR = 0.05  # units
_STEEPEST = 6.0  # largest logarithm of what the level is multiplied by
_MANY = 10_000.0  # counts of which single precision leaves too little of a log-probability
_LARGE = 200.0  # mean above which quantiles are not found by counting up


def positive_mean(raw: Tensor, size: Size) -> Tensor:
    """A mean that raw numbers multiply: what moves sales moves them by a share.

    A series of hardly any sales starts from a small part of the unit, or it could never grow.
    """
    start = torch.hypot(size.level.clamp(min=0), _FLOOR * size.unit)
    return start * raw.clamp(-_STEEPEST, _STEEPEST).exp() + _SMALLEST


class NegativeBinomial(Likelihood):
    """Counts with mean m and variance m + a m^2 (the NB2 form of the field).

    Source: Cameron and Trivedi, "Regression Analysis of Count Data", 2nd ed., section 3.3.

    Example:
        >>> family, two = NegativeBinomial(), torch.tensor([2.0])
        >>> raw, size = torch.zeros(1, 2), Size(level=two, unit=two)
        >>> round(family.mean(raw, size).item(), 2)
        2.0
        >>> family.quantile(raw, size, np.array([0.1, 0.5, 0.9])).tolist()
        [[0.0, 1.0, 5.0]]
    """

    name = "negative-binomial"
    parameters = 2
    counts = True
    log_link = True

    def _mean_and_dispersion(self, raw: Tensor, size: Size) -> tuple[Tensor, Tensor]:
        return positive_mean(raw[..., 0], size), dispersion(raw[..., 1], size)

    def log_prob(self, raw: Tensor, size: Size, y: Tensor) -> Tensor:
        """Log-probability of counts `y` >= 0."""
        return negative_binomial_log_prob(*self._mean_and_dispersion(raw, size), y)

    def mean(self, raw: Tensor, size: Size) -> Tensor:
        """Expected count."""
        return positive_mean(raw[..., 0], size)

    def cdf(self, raw: Tensor, size: Size, y: Tensor) -> Doubles:
        """Probability of `y` or less."""
        number, success = _scipy(*self._mean_and_dispersion(raw, size))
        return np.asarray(stats.nbinom.cdf(y.numpy(), number, success))

    def quantile(self, raw: Tensor, size: Size, probabilities: Doubles) -> Floats:
        """Smallest count whose cumulative probability reaches each level."""
        return negative_binomial_quantile(*self._mean_and_dispersion(raw, size), probabilities)


class Poisson(Likelihood):
    """Counts with mean and variance m.

    Example:
        >>> two = torch.tensor([2.0])
        >>> Poisson().quantile(torch.zeros(1, 1), Size(two, two), np.array([0.1, 0.9])).tolist()
        [[0.0, 4.0]]
    """

    name = "poisson"
    parameters = 1
    counts = True
    log_link = True

    def log_prob(self, raw: Tensor, size: Size, y: Tensor) -> Tensor:
        """Log-probability of counts `y` >= 0."""
        mean, count = _precise(y, self.mean(raw, size), y)
        return (count * mean.log() - mean - torch.lgamma(count + 1)).to(y.dtype)

    def mean(self, raw: Tensor, size: Size) -> Tensor:
        """Expected count."""
        return positive_mean(raw[..., 0], size)

    def cdf(self, raw: Tensor, size: Size, y: Tensor) -> Doubles:
        """Probability of `y` or less."""
        return np.asarray(stats.poisson.cdf(y.numpy(), self.mean(raw, size).double().numpy()))

    def quantile(self, raw: Tensor, size: Size, probabilities: Doubles) -> Floats:
        """Smallest count whose cumulative probability reaches each level."""
        mean = self.mean(raw, size).double().numpy()
        return _count_up(
            probabilities,
            np.exp(-mean),
            lambda k, rows: mean.ravel()[rows] / (k + 1),
            mean > _LARGE,
            lambda level, rows: stats.poisson.ppf(level, mean.ravel()[rows, None]),
        )


class ZeroInflated(Likelihood):
    """A negative binomial, or with some probability 0 whatever it says.

    The mean of the mixture is m, so that of the negative binomial is m over the probability that
    it counts.

    Source: Cameron and Trivedi, section 4.8.

    Example:
        >>> two = torch.tensor([2.0])
        >>> raw, size = torch.tensor([[0.0, 0.0, 4.0]]), Size(two, two)
        >>> round(ZeroInflated().log_prob(raw, size, torch.zeros(1)).exp().item(), 2)
        0.76
    """

    name = "zero-inflated"
    parameters = 3
    counts = True
    log_link = True

    def _parts(self, raw: Tensor, size: Size) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and dispersion where it counts, and the logit of the probability that it does."""
        logit = 3 - raw[..., 2]
        return self.mean(raw, size) / logit.sigmoid(), dispersion(raw[..., 1], size), logit

    def log_prob(self, raw: Tensor, size: Size, y: Tensor) -> Tensor:
        """Log-probability of counts `y` >= 0."""
        mean, spread, logit = self._parts(raw, size)
        counted = logsigmoid(logit) + negative_binomial_log_prob(mean, spread, y)
        return torch.where(y == 0, torch.logaddexp(logsigmoid(-logit), counted), counted)

    def mean(self, raw: Tensor, size: Size) -> Tensor:
        """Expected count."""
        return positive_mean(raw[..., 0], size)

    def cdf(self, raw: Tensor, size: Size, y: Tensor) -> Doubles:
        """Probability of `y` or less."""
        mean, spread, logit = self._parts(raw, size)
        counts = logit.double().sigmoid().numpy()
        return np.asarray(
            np.where(y.numpy() < 0, 0, 1 - counts * stats.nbinom.sf(y, *_scipy(mean, spread)))
        )

    def quantile(self, raw: Tensor, size: Size, probabilities: Doubles) -> Floats:
        """Smallest count whose cumulative probability reaches each level."""
        mean, spread, logit = self._parts(raw, size)
        counts = logit.double().sigmoid().numpy()[..., None]
        inside = 1 - (1 - np.asarray(probabilities)) / counts
        return negative_binomial_quantile(mean, spread, np.maximum(inside, 0))


class Hurdle(Likelihood):
    """Whether there is any, and how many if so: a negative binomial without its 0.

    Raw zeros make it the negative binomial itself.

    Source: Cameron and Trivedi, section 4.5.

    Example:
        >>> two = torch.tensor([2.0])
        >>> raw, size = torch.zeros(1, 3), Size(two, two)
        >>> y = torch.tensor([3.0])
        >>> both = Hurdle().log_prob(raw, size, y), NegativeBinomial().log_prob(raw, size, y)
        >>> torch.allclose(*both)
        True
    """

    name = "hurdle"
    parameters = 3
    counts = True
    log_link = True

    def _parts(self, raw: Tensor, size: Size) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The negative binomial, the log-probability of its 0, and the logit of there being any."""
        mean, spread = positive_mean(raw[..., 0], size), dispersion(raw[..., 1], size)
        none = -torch.log1p(mean * spread) / spread
        return mean, spread, none, _log1mexp(none) - none + raw[..., 2]

    def log_prob(self, raw: Tensor, size: Size, y: Tensor) -> Tensor:
        """Log-probability of counts `y` >= 0."""
        mean, spread, none, logit = self._parts(raw, size)
        positive = negative_binomial_log_prob(mean, spread, y) - _log1mexp(none)
        return torch.where(y == 0, logsigmoid(-logit), logsigmoid(logit) + positive)

    def mean(self, raw: Tensor, size: Size) -> Tensor:
        """Expected count."""
        mean, _, none, logit = self._parts(raw, size)
        return (mean.log() + logsigmoid(logit) - _log1mexp(none)).exp()

    def cdf(self, raw: Tensor, size: Size, y: Tensor) -> Doubles:
        """Probability of `y` or less."""
        mean, spread, none, logit = self._parts(raw, size)
        beyond = stats.nbinom.sf(y.numpy(), *_scipy(mean, spread))
        share = (logsigmoid(logit.double()) - _log1mexp(none.double())).exp().numpy()
        return np.asarray(np.where(y.numpy() < 0, 0, 1 - share * beyond))

    def quantile(self, raw: Tensor, size: Size, probabilities: Doubles) -> Floats:
        """Smallest count whose cumulative probability reaches each level."""
        mean, spread, none, logit = self._parts(raw, size)
        any_, zero = logit.double().sigmoid().numpy()[..., None], none.double().exp().numpy()
        above = 1 - (1 - np.asarray(probabilities)) / any_  # level among the counts above 0
        inside = zero[..., None] + np.maximum(above, 0) * (1 - zero[..., None])
        found = negative_binomial_quantile(mean, spread, np.where(above > 0, inside, 0.0))
        return np.where(above > 0, np.maximum(found, 1), np.float32(0))


def _log1mexp(x: Tensor) -> Tensor:
    """log(1 - exp(x)) for x < 0, exact for small and large x."""
    x = x.clamp(max=-1e-12)
    return torch.where(x > -0.693, (-torch.expm1(x)).log(), torch.log1p(-x.exp()))


def dispersion(raw: Tensor, size: Size) -> Tensor:
    """The `a` of the variance m + a m^2; the square of the noise for a raw 0."""
    return (softplus(raw + 0.5413) + 1e-4) * size.noise**2


def negative_binomial_log_prob(mean: Tensor, dispersion: Tensor, y: Tensor) -> Tensor:
    """Log-probability of counts `y` >= 0."""
    mean, dispersion, count = _precise(y, mean, dispersion, y)
    size = 1 / dispersion
    found: Tensor = (
        torch.lgamma(count + size)
        - torch.lgamma(size)
        - torch.lgamma(count + 1)
        - size * torch.log1p(mean * dispersion)
        + count * (mean.log() - torch.log(mean + size))
    )
    return found.to(y.dtype)


def _precise(y: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
    """In double precision where counts are so large that their log-probabilities need it."""
    large = bool(y.numel()) and bool(y.max() > _MANY)
    return tuple(one.double() for one in given) if large else given


def negative_binomial_quantile(mean: Tensor, dispersion: Tensor, probabilities: Doubles) -> Floats:
    """Smallest count whose cumulative probability reaches each level, shape (..., n)."""
    number, success = _scipy(mean, dispersion)

    def ratio(k: int, rows: NDArray[np.int64]) -> Doubles:
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


def _scipy(mean: Tensor, dispersion: Tensor) -> tuple[Doubles, Doubles]:
    """The parameters that scipy's nbinom takes."""
    number = 1 / dispersion.double().numpy()
    return number, number / (number + mean.double().numpy())


def _count_up(
    probabilities: Doubles,
    none: Doubles,
    ratio: Callable[[int, NDArray[np.int64]], Doubles],
    large: NDArray[np.bool_],
    ppf: Callable[[Doubles, NDArray[np.int64]], Doubles],
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
