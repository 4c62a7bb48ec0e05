"""Clicks out of impressions: the binomial and the beta-binomial distribution, and the joint one.

A beta-binomial count is binomial with a rate that is itself drawn from a beta distribution of a
given mean and concentration (alpha + beta): the larger the concentration, the nearer to binomial
(N. L. Johnson, A. W. Kemp and S. Kotz, "Univariate Discrete Distributions", 3rd ed., 6.2.2).

Log-probabilities are differences of terms as large as 10^10 where there are 10^9 impressions.
Here Stirling's formula is taken out of each log-gamma and the large terms are cancelled on paper,
so that what is left to compute is as small as the result; all is in double precision.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import special
from torch import Tensor
from torch.nn.functional import logsigmoid

Values = NDArray[np.float64]

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
_SERIES_FROM = 10.0
# From here on a count is so large that it is as good as continuous.
_CONTINUOUS_FROM = 500.0
_STEPS = 8  # between looks at which quantiles are still to be found
_AT_ONCE = 500_000
LARGEST_SHARE = 0.999  # of the variance of a single impression that days differ by


def binomial_log_prob(clicks: Tensor, impressions: Tensor, logit: Tensor) -> Tensor:
    """Log-probability of clicks given impressions when each is clicked with the same rate.

    Example:
        >>> n, half = torch.tensor([2.0, 0.0]), torch.tensor(0.0)
        >>> binomial_log_prob(torch.tensor([1.0, 0.0]), n, half).exp()
        tensor([0.5000, 1.0000], dtype=torch.float64)

    Args:
        clicks: whole numbers from 0 to `impressions`, shape (...).
        impressions: whole numbers, shape (...); where there are none the result is exactly 0, and
            so is its gradient.
        logit: log of rate / (1 - rate), shape (...).

    Returns:
        Double precision, shape (...).
    """
    k, n, logit = clicks.double(), impressions.double(), logit.double()
    m = n - k
    # log C(n, k) by Stirling's formula, each of its logarithms put to the count it belongs to.
    clicked = k * (logsigmoid(logit) - torch.log((k + 1) / (n + 1)))
    missed = m * (logsigmoid(-logit) - torch.log((m + 1) / (n + 1)))
    root = 0.5 * (torch.log(n + 1) - torch.log(k + 1) - torch.log(m + 1))
    error = _stirling_error(n + 1) - _stirling_error(k + 1) - _stirling_error(m + 1)
    value = clicked + missed + root + error + 1 - _HALF_LOG_2PI
    return torch.where(n > 0, value, torch.zeros_like(value))


def beta_binomial_log_prob(
    clicks: Tensor, impressions: Tensor, alpha: Tensor, beta: Tensor
) -> Tensor:
    """Log-probability of clicks given impressions when the rate is drawn from Beta(alpha, beta).

    Example:
        >>> n = torch.tensor([2.0, 0.0])
        >>> one = torch.tensor(1.0)  # a rate of which nothing is known: all counts are as likely
        >>> beta_binomial_log_prob(torch.tensor([1.0, 0.0]), n, one, one).exp()
        tensor([0.3333, 1.0000], dtype=torch.float64)

    Args:
        clicks: whole numbers from 0 to `impressions`, shape (...).
        impressions: whole numbers, shape (...); where there are none the result is exactly 0, and
            so is its gradient.
        alpha, beta: above 0, shape (...); mean alpha / (alpha + beta), concentration alpha + beta.

    Returns:
        Double precision, shape (...).
    """
    k, n, alpha, beta = clicks.double(), impressions.double(), alpha.double(), beta.double()
    return _rising(k, alpha) + _rising(n - k, beta) - _rising(n, alpha + beta)


def _rising(k: Tensor, a: Tensor) -> Tensor:
    """log of Gamma(k + a) / (Gamma(a) k!), which is exactly 0 for k = 0."""
    value = (
        k * torch.log1p((a - 1) / (k + 1))
        + a * torch.log1p(k / a)
        + 0.5 * (torch.log(a) - torch.log(k + a) - torch.log(k + 1))
        + (_stirling_error(k + a) - _stirling_error(a) - _stirling_error(k + 1))
        + (1 - _HALF_LOG_2PI)
    )
    return torch.where(k > 0, value, torch.zeros_like(value))


def _stirling_error(x: Tensor) -> Tensor:
    """log Gamma(x) less Stirling's formula (x - 1/2) log x - x + log(2 pi) / 2, for x > 0."""
    large = x >= _SERIES_FROM
    one = torch.ones_like(x)
    far, near = torch.where(large, x, _SERIES_FROM * one), torch.where(large, one, x)
    square = far * far
    # Abramowitz and Stegun, 6.1.41; the next term is below 1e-15 from 10 on.
    terms = 1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - (1 / 1188 - (691 / 360360) / square)
        / square) / square) / square) / square  # fmt: skip
    exact = torch.lgamma(near) - (near - 0.5) * torch.log(near) + near - _HALF_LOG_2PI
    return torch.where(large, terms / far, exact)


def beta_binomial_variance(
    impressions: ArrayLike, mean: ArrayLike, concentration: ArrayLike
) -> Values:
    """Variance of the clicks: `n p (1 - p) (M + n) / (M + 1)`.

    Example:
        >>> beta_binomial_variance(10, 0.5, [1.0, 1e12]).round(6)
        array([13.75,  2.5 ])
    """
    n, p, M = (np.asarray(one, np.float64) for one in (impressions, mean, concentration))
    return np.asarray(n * p * (1 - p) * ((M + n) / (M + 1)))


def seen_concentration(
    concentration: ArrayLike, impressions: ArrayLike, extra: ArrayLike
) -> Values:
    """Concentration of the clicks seen, where they vary more than chance makes them.

    That is so where clicks come in bunches: at a given rate p their variance is `1 + extra` times
    `n p (1 - p)` (extra-binomial variation: D. A. Williams 1982; P. McCullagh and J. A. Nelder,
    "Generalized Linear Models", 2nd ed., section 4.5).

    Example:
        >>> seen_concentration(400.0, [10, 1000], 1.0).round(1)
        array([  8.8, 285.2])

    Args:
        concentration: of the rate, above 0.
        impressions: whole numbers; shapes broadcast.
        extra: 0 or more.
    """
    M, n, more = (np.asarray(one, np.float64) for one in (concentration, impressions, extra))
    return np.asarray(1 / np.minimum(1 / (M + 1) + more / np.maximum(n, 1), LARGEST_SHARE) - 1)


def beta_binomial_quantile(
    probability: ArrayLike,
    impressions: ArrayLike,
    mean: ArrayLike,
    concentration: ArrayLike,
    *,
    spread: bool = False,
) -> Values:
    """Smallest number of clicks whose cumulative probability reaches `probability`.

    Counts are added up one by one while they are few. Where more than some hundreds are likely
    they come from the beta distribution with the mean and the variance of clicks / impressions.

    Example:
        >>> beta_binomial_quantile([0.1, 0.5, 0.9], 1000, 0.005, 400.0)
        array([ 1.,  4., 11.])
        >>> beta_binomial_quantile([0.1, 0.5, 0.9], 1000, 0.005, 400.0, spread=True).round(1)
        array([ 0.7,  4.1, 10.6])

    Args:
        probability: between 0 and 1.
        impressions: whole numbers; shapes broadcast.
        mean: expected rate, from 0 to 1.
        concentration: above 0.
        spread: let each count be any number within 1/2 of it, from 0 to `impressions`: an interval
            of whole numbers holds more than its level, one of these bounds its level on average
            (mid-P: H. O. Lancaster 1961; A. Agresti and A. Gottard 2007).
    """
    given = (probability, impressions, mean, concentration)
    p, n, rate, M = np.broadcast_arrays(*(np.asarray(one, np.float64) for one in given))
    shape = p.shape
    p, n, rate, M = (one.ravel() for one in (p, n, rate, M))
    if len(p) > _AT_ONCE:
        parts = (slice(at, at + _AT_ONCE) for at in range(0, len(p), _AT_ONCE))
        found = [
            beta_binomial_quantile(p[at], n[at], rate[at], M[at], spread=spread) for at in parts
        ]
        return np.concatenate(found).reshape(shape)
    # Of the two outcomes the rarer one is counted. Of what is missed, `n - clicks`, it is the
    # smallest count whose cumulative probability is above 1 - p, not just as large.
    often = rate > 0.5
    level = np.where(often, 1 - p if spread else np.nextafter(1 - p, 2), p)
    rare = np.where(often, 1 - rate, rate)
    deviation = np.sqrt(beta_binomial_variance(n, rare, M))
    few = n * rare + 6 * deviation <= _CONTINUOUS_FROM
    quantile = np.empty_like(p)
    quantile[few] = _counted(level[few], n[few], rare[few], M[few], spread)
    quantile[~few] = _continuous(level[~few], n[~few], rare[~few], M[~few], spread)
    quantile = np.where(often, n - quantile, quantile)
    return np.clip(quantile, 0, n).reshape(shape)


def _counted(level: Values, n: Values, mean: Values, concentration: Values, spread: bool) -> Values:
    """Add up the probabilities of 0, 1, 2, ... until the level is reached."""
    alpha, beta = mean * concentration, (1 - mean) * concentration
    count, below = np.zeros_like(level), np.zeros_like(level)
    sure = (n < 1) | (mean <= 0)
    left = np.flatnonzero(~sure)
    a, b, most, wanted = alpha[left], beta[left], n[left], level[left]
    each = _probability(np.zeros(len(left)), most, a, b)
    total, k, steps, lower = each.copy(), 0, np.zeros(len(left), np.int64), np.zeros(len(left))
    while len(left):
        for _ in range(_STEPS):
            # Once the level is reached the sum only grows, so that the count stays.
            more = (total < wanted) & (k < most)
            steps += more
            lower = np.where(more, total, lower)
            still, missed = np.maximum(most - k, 0), np.maximum(most - k - 1, 0) + b
            each *= still / (k + 1) * ((k + a) / missed)
            total += each
            k += 1
        keep = (total < wanted) & (k < most)
        count[left[~keep]], below[left[~keep]] = steps[~keep], lower[~keep]
        left, steps, lower = left[keep], steps[keep], lower[keep]
        a, b, most, wanted, each, total = (x[keep] for x in (a, b, most, wanted, each, total))
    if spread:
        at = np.flatnonzero(~sure)
        here = _probability(count[at], n[at], alpha[at], beta[at])
        count[at] += np.clip((level[at] - below[at]) / np.maximum(here, 1e-300), 0, 1) - 0.5
    return count


def _probability(k: Values, n: Values, alpha: Values, beta: Values) -> Values:
    with torch.no_grad():
        given = (torch.from_numpy(x) for x in (k, n, alpha, beta))
        return np.asarray(beta_binomial_log_prob(*given).exp().numpy())


def _continuous(
    level: Values, n: Values, mean: Values, concentration: Values, spread: bool
) -> Values:
    """The quantile of a beta distribution of the same mean and variance, in clicks."""
    same = n * ((concentration + 1) / (concentration + n)) - 1
    rate = special.betaincinv(mean * same, (1 - mean) * same, np.minimum(level, 1))
    return np.asarray(n * rate if spread else np.round(n * rate))


def beta_quantile(probability: ArrayLike, mean: ArrayLike, concentration: ArrayLike) -> Values:
    """Quantile of the rate itself; 0 or 1 where the mean is.

    Example:
        >>> beta_quantile([0.25, 0.5], 0.5, 2.0)
        array([0.25, 0.5 ])
    """
    p, rate, M = (np.asarray(one, np.float64) for one in (probability, mean, concentration))
    inside = (rate > 0) & (rate < 1)
    safe = np.where(inside, rate, 0.5)
    return np.where(inside, special.betaincinv(safe * M, (1 - safe) * M, p), rate)


def sample_beta_binomial(
    rng: np.random.Generator,
    impressions: ArrayLike,
    mean: ArrayLike,
    concentration: ArrayLike,
    size: Sequence[int] | None = None,
) -> NDArray[np.int64]:
    """Draw clicks, never more than impressions.

    Example:
        >>> sample_beta_binomial(np.random.default_rng(1), [0, 5, 1000], [0.5, 1.0, 0.01], 50.0)
        array([ 0,  5, 16])

    Args:
        rng: random numbers.
        impressions, mean, concentration: see `beta_binomial_quantile`; shapes broadcast.
        size: shape of the result, if it is not theirs.
    """
    n, rate, M = (np.asarray(one, np.float64) for one in (impressions, mean, concentration))
    inside = (rate > 0) & (rate < 1)
    safe = np.where(inside, rate, 0.5)
    drawn = rng.beta(safe * M, (1 - safe) * M, size)
    return np.asarray(rng.binomial(n.astype(np.int64), np.where(inside, drawn, rate), size))


def sample_joint(
    rng: np.random.Generator,
    impressions: ArrayLike,
    dispersion: ArrayLike,
    mean: ArrayLike,
    concentration: ArrayLike,
    samples: int,
    extra: float = 0.0,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw impressions (negative binomial), then clicks out of those (beta-binomial).

    Example:
        >>> n, k = sample_joint(np.random.default_rng(1), [100.0], [0.5], [0.1], [50.0], 1000)
        >>> n.shape, bool((k <= n).all()), bool(abs(n.mean() - 100) < 10)
        ((1, 1000), True, True)

    Args:
        rng: random numbers.
        impressions: expected ones, 0 or more, shape (...).
        dispersion: `a` in their variance `m + a m^2`, 0 or more.
        mean, concentration: of the rate.
        samples: how many to draw.
        extra: see `seen_concentration`.

    Returns:
        Impressions and clicks, shape (..., samples).
    """
    given = (impressions, dispersion, mean, concentration)
    m, a, rate, M = (
        one[..., None] for one in np.broadcast_arrays(*(np.asarray(x, np.float64) for x in given))
    )
    shape = (*m.shape[:-1], samples)
    a = np.maximum(a, 1e-9)
    n = rng.poisson(np.minimum(rng.gamma(1 / a, a * m, shape), 1e15))
    return n, sample_beta_binomial(rng, n, rate, seen_concentration(M, n, extra), shape)
