"""Likelihoods of real values."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import special
from torch import Tensor
from torch.nn.functional import softplus

from nestcast.model.likelihood import Floats, Likelihood, Probabilities, Size


class Normal(Likelihood):
    """Real values; mean and standard deviation relative to the size.

    Example:
        >>> ten = torch.tensor([10.0])
        >>> Normal().quantile(torch.zeros(1, 2), Size(ten, ten), np.array([0.5])).tolist()
        [[10.0]]
    """

    name = "normal"
    parameters = 2
    counts = False

    def _mean_and_deviation(self, raw: Tensor, size: Size) -> tuple[Tensor, Tensor]:
        deviation = (softplus(raw[..., 1] - 0.4328) + 1e-4) * size.unit  # half a unit for a raw 0
        return size.level + raw[..., 0] * size.unit, deviation

    def log_prob(self, raw: Tensor, size: Size, y: Tensor) -> Tensor:
        """Log-density of `y`."""
        mean, deviation = self._mean_and_deviation(raw, size)
        half_log_2pi = 0.9189385332046727
        return -0.5 * ((y - mean) / deviation) ** 2 - deviation.log() - half_log_2pi

    def mean(self, raw: Tensor, size: Size) -> Tensor:
        """Expected value."""
        return self._mean_and_deviation(raw, size)[0]

    def cdf(self, raw: Tensor, size: Size, y: Tensor) -> NDArray[np.float64]:
        """Probability of `y` or less."""
        mean, deviation = self._mean_and_deviation(raw, size)
        return np.asarray(special.ndtr(((y - mean) / deviation).double().numpy()))

    def quantile(self, raw: Tensor, size: Size, probabilities: Probabilities) -> Floats:
        """Quantiles of the normal distribution."""
        mean, deviation = self._mean_and_deviation(raw, size)
        standard = torch.from_numpy(special.ndtri(np.asarray(probabilities)))
        found = mean[..., None].double() + deviation[..., None].double() * standard
        return found.float().numpy()
