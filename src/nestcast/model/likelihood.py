"""Likelihoods: how raw network outputs become a distribution of the target.

Each turns `raw` of shape (..., parameters) and a `Size` of shape (...) into a distribution. Raw
zeros stand for a mean equal to the level of the series.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Size:
    """How large a series is, all shape (...).

    Args:
        level: where it stood, the mean that raw zeros stand for.
        unit: how much one raw unit is.
        noise: the deviation of counts in parts of their mean, but for what chance adds to small
            ones, that raw zeros stand for.
    """

    level: Tensor
    unit: Tensor
    noise: Tensor | float = 1.0

    def __getitem__(self, index: int | slice) -> Size:
        """Of some along the first axis."""
        return self._each(lambda one: one[index])

    def expand(self, *shape: int) -> Size:
        """The same for more cells, as `Tensor.expand` does it."""
        return self._each(lambda one: one.expand(*shape))

    def _each(self, change: Callable[[Tensor], Tensor]) -> Size:
        noise = change(self.noise) if isinstance(self.noise, Tensor) else self.noise
        return Size(change(self.level), change(self.unit), noise)


class Likelihood(ABC):
    """One family of distributions; instances hold no state.

    Shapes: raw (..., parameters), y and the results (...), probabilities broadcast to (..., n).
    """

    name: ClassVar[str]
    parameters: ClassVar[int]  # raw outputs that describe one distribution
    counts: ClassVar[bool]  # whether it is one of 0, 1, 2, ...
    location: ClassVar[int] = 0  # which raw output moves it
    log_link: ClassVar[bool] = False  # whether that one is the logarithm of a factor

    @abstractmethod
    def log_prob(self, raw: Tensor, size: Size, y: Tensor) -> Tensor:
        """Log-probability (or log-density) of `y`."""

    @abstractmethod
    def mean(self, raw: Tensor, size: Size) -> Tensor:
        """Expected value."""

    @abstractmethod
    def cdf(self, raw: Tensor, size: Size, y: Tensor) -> Doubles:
        """Probability of `y` or less."""

    @abstractmethod
    def quantile(self, raw: Tensor, size: Size, probabilities: Doubles) -> Floats:
        """Smallest value whose cumulative probability reaches each level, shape (..., n)."""

    def pooled(self, raw: Tensor) -> Tensor:
        """Raw outputs of one distribution between those of several, along the first axis.

        Where the location is a logarithm, what it stands for is averaged: the mean of a mixture is
        the mean of means.
        """
        pooled = raw.mean(dim=0)
        if self.log_link:
            total = raw[..., self.location].logsumexp(dim=0)
            pooled[..., self.location] = total - math.log(len(raw))
        return pooled

    def trusted(self, raw: Tensor, trust: float) -> Tensor:
        """Raw outputs of a distribution moved less far from the level, for a trust from 0 to 1."""
        if trust == 1:
            return raw
        raw = raw.clone()
        raw[..., self.location] *= trust
        return raw

    def sample(self, raw: Tensor, size: Size, count: int, generator: np.random.Generator) -> Floats:
        """Independent draws, shape (..., count)."""
        uniform = generator.random((*raw.shape[:-1], count))
        return self.quantile(raw, size, uniform)
