"""Likelihoods: how raw network outputs become a distribution of the target.

Each turns `raw` of shape (..., parameters) and a positive `scale` of shape (...), the typical size
of the series so far, into a distribution whose parameters are relative to that scale.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import special, stats
from torch import Tensor
from torch.nn.functional import softplus

from nestcast.errors import ModelError

Floats = NDArray[np.float32]


class Likelihood(ABC):
    """One family of distributions; instances hold no state."""

    name: ClassVar[str]
    parameters: ClassVar[int]  # raw outputs that describe one distribution

    @abstractmethod
    def log_prob(self, raw: Tensor, scale: Tensor, y: Tensor) -> Tensor:
        """Log-probability (or log-density) of `y`, shape (...)."""

    @abstractmethod
    def mean(self, raw: Tensor, scale: Tensor) -> Tensor:
        """Expected value, shape (...)."""

    @abstractmethod
    def quantile(self, raw: Tensor, scale: Tensor, probabilities: Sequence[float]) -> Floats:
        """Quantiles, shape (..., len(probabilities))."""

    def initial_bias(self) -> list[float]:
        """Raw outputs from which training begins: a mean equal to the scale."""
        return [_SOFTPLUS_INVERSE_OF_1, _SOFTPLUS_INVERSE_OF_1]


_SOFTPLUS_INVERSE_OF_1 = 0.5413
_SMALLEST = 1e-6


class NegativeBinomial(Likelihood):
    """Counts 0, 1, 2, ... with mean m and variance m + a m^2 (the NB2 form of the field).

    Source: Cameron and Trivedi, "Regression Analysis of Count Data", 2nd ed., section 3.3.

    Example:
        >>> family = NegativeBinomial()
        >>> raw, scale = torch.tensor([[0.5413, 0.5413]]), torch.tensor([2.0])
        >>> round(family.mean(raw, scale).item(), 2)
        2.0
        >>> family.quantile(raw, scale, [0.1, 0.5, 0.9]).tolist()
        [[0.0, 1.0, 5.0]]
    """

    name = "negative-binomial"
    parameters = 2

    def _mean_and_dispersion(self, raw: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        mean = softplus(raw[..., 0]) * scale + _SMALLEST
        dispersion = softplus(raw[..., 1]) + 1e-4
        return mean, dispersion

    def log_prob(self, raw: Tensor, scale: Tensor, y: Tensor) -> Tensor:
        """Log-probability of counts `y` >= 0."""
        mean, dispersion = self._mean_and_dispersion(raw, scale)
        size = 1 / dispersion
        return (
            torch.lgamma(y + size)
            - torch.lgamma(size)
            - torch.lgamma(y + 1)
            - size * torch.log1p(mean * dispersion)
            + y * (mean.log() - torch.log(mean + size))
        )

    def mean(self, raw: Tensor, scale: Tensor) -> Tensor:
        """Expected count."""
        return self._mean_and_dispersion(raw, scale)[0]

    def quantile(self, raw: Tensor, scale: Tensor, probabilities: Sequence[float]) -> Floats:
        """Smallest count whose cumulative probability reaches each level."""
        mean, dispersion = self._mean_and_dispersion(raw, scale)
        size = (1 / dispersion).double().numpy()[..., None]
        success = size / (size + mean.double().numpy()[..., None])
        found = stats.nbinom.ppf(np.asarray(probabilities), size, success)
        return np.asarray(found, dtype=np.float32)


class Normal(Likelihood):
    """Real values; mean and standard deviation relative to the scale.

    Example:
        >>> raw, scale = torch.tensor([[1.0, 0.5413]]), torch.tensor([10.0])
        >>> Normal().quantile(raw, scale, [0.5]).tolist()
        [[10.0]]
    """

    name = "normal"
    parameters = 2

    def _mean_and_deviation(self, raw: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        return raw[..., 0] * scale, (softplus(raw[..., 1]) + 1e-4) * scale

    def log_prob(self, raw: Tensor, scale: Tensor, y: Tensor) -> Tensor:
        """Log-density of `y`."""
        mean, deviation = self._mean_and_deviation(raw, scale)
        half_log_2pi = 0.9189385332046727
        return -0.5 * ((y - mean) / deviation) ** 2 - deviation.log() - half_log_2pi

    def mean(self, raw: Tensor, scale: Tensor) -> Tensor:
        """Expected value."""
        return self._mean_and_deviation(raw, scale)[0]

    def quantile(self, raw: Tensor, scale: Tensor, probabilities: Sequence[float]) -> Floats:
        """Quantiles of the normal distribution."""
        mean, deviation = self._mean_and_deviation(raw, scale)
        standard = torch.from_numpy(special.ndtri(np.asarray(probabilities)))
        found = mean[..., None].double() + deviation[..., None].double() * standard
        return found.float().numpy()

    def initial_bias(self) -> list[float]:
        """Mean equal to the scale, deviation half of it."""
        return [1.0, -0.4328]


_FAMILIES: dict[str, type[Likelihood]] = {f.name: f for f in (NegativeBinomial, Normal)}


def likelihood(name: str) -> Likelihood:
    """The likelihood of this name.

    Raises:
        ModelError: there is none.
    """
    try:
        return _FAMILIES[name]()
    except KeyError:
        known = ", ".join(_FAMILIES)
        raise ModelError(f"unknown likelihood {name!r}: use one of {known}.") from None
