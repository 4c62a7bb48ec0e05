"""Likelihoods of clicks, given impressions.

Here the `level` of a `Size` is the logit of the rate that raw zeros stand for, and its `unit` the
number of impressions. A cell without any has the log-probability 0.
"""

from __future__ import annotations

import numpy as np
from scipy import stats
from torch import Tensor

from nestcast.model.betabinomial import (
    beta_binomial_log_prob,
    beta_binomial_quantile,
    binomial_log_prob,
)
from nestcast.model.likelihood import Doubles, Floats, Likelihood, Size

_USUAL = 6.0  # logarithm of the concentration that a raw 0 stands for
_LOWEST, _HIGHEST = -3.0, 14.0  # of that logarithm


class Binomial(Likelihood):
    """Clicks that come independently, each impression with the same probability.

    Example:
        >>> import torch
        >>> size = Size(level=torch.tensor([0.0]), unit=torch.tensor([4.0]))
        >>> Binomial().mean(torch.zeros(1, 1), size).item()
        2.0
    """

    name = "binomial"
    parameters = 1
    counts = True

    def log_prob(self, raw: Tensor, size: Size, y: Tensor) -> Tensor:
        """Log-probability of `y` clicks."""
        return binomial_log_prob(y, size.unit, size.level + raw[..., 0])

    def rate(self, raw: Tensor, size: Size) -> Tensor:
        """Expected rate."""
        return (size.level + raw[..., 0]).sigmoid()

    def mean(self, raw: Tensor, size: Size) -> Tensor:
        """Expected clicks."""
        return self.rate(raw, size) * size.unit

    def cdf(self, raw: Tensor, size: Size, y: Tensor) -> Doubles:
        """Probability of `y` clicks or fewer."""
        rate = self.rate(raw, size).double().numpy()
        return np.asarray(stats.binom.cdf(y.numpy(), size.unit.numpy(), rate))

    def quantile(self, raw: Tensor, size: Size, probabilities: Doubles) -> Floats:
        """Smallest number of clicks whose cumulative probability reaches each level."""
        rate, n = (one.double().numpy()[..., None] for one in (self.rate(raw, size), size.unit))
        return np.asarray(stats.binom.ppf(probabilities, n, rate), np.float32)


class BetaBinomial(Binomial):
    """Clicks whose probability differs from day to day, as a beta distribution says.

    Alpha is p M and beta (1 - p) M, with the rate p and the concentration M.

    Example:
        >>> import torch
        >>> size = Size(level=torch.tensor([0.0]), unit=torch.tensor([1000.0]))
        >>> BetaBinomial().quantile(torch.zeros(1, 2), size, np.array([0.1, 0.9])).tolist()
        [[462.0, 538.0]]
    """

    name = "beta-binomial"
    parameters = 2

    def concentration(self, raw: Tensor) -> Tensor:
        """M = alpha + beta."""
        return (_USUAL + raw[..., 1]).clamp(_LOWEST, _HIGHEST).exp()

    def log_prob(self, raw: Tensor, size: Size, y: Tensor) -> Tensor:
        """Log-probability of `y` clicks."""
        rate, M = self.rate(raw, size).clamp(1e-7, 1 - 1e-7), self.concentration(raw)
        return beta_binomial_log_prob(y, size.unit, rate * M, (1 - rate) * M)

    def cdf(self, raw: Tensor, size: Size, y: Tensor) -> Doubles:
        """Probability of `y` clicks or fewer."""
        rate, M = (one.double().numpy() for one in (self.rate(raw, size), self.concentration(raw)))
        n = size.unit.numpy().astype(np.int64)
        return np.asarray(stats.betabinom.cdf(y.numpy(), n, rate * M, (1 - rate) * M))

    def quantile(self, raw: Tensor, size: Size, probabilities: Doubles) -> Floats:
        """Smallest number of clicks whose cumulative probability reaches each level."""
        rate, n, M = (
            one.double().numpy()[..., None]
            for one in (self.rate(raw, size), size.unit, self.concentration(raw))
        )
        return beta_binomial_quantile(probabilities, n, rate, M).astype(np.float32)
