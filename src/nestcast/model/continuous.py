"""Likelihoods of real values, and of amounts that are often 0."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy import special
from torch import Tensor
from torch.nn.functional import softplus

from nestcast.model.counts import positive_mean
from nestcast.model.likelihood import Doubles, Floats, Likelihood, Size


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

    def cdf(self, raw: Tensor, size: Size, y: Tensor) -> Doubles:
        """Probability of `y` or less."""
        mean, deviation = self._mean_and_deviation(raw, size)
        return np.asarray(special.ndtr(((y - mean) / deviation).double().numpy()))

    def quantile(self, raw: Tensor, size: Size, probabilities: Doubles) -> Floats:
        """Quantiles of the normal distribution."""
        mean, deviation = self._mean_and_deviation(raw, size)
        standard = torch.from_numpy(special.ndtri(np.asarray(probabilities)))
        found = mean[..., None].double() + deviation[..., None].double() * standard
        return np.asarray(found, np.float32)


class StudentT(Likelihood):
    """Real values of which some are far from what was expected; centre, width and tails.

    Between 2 and 100 degrees of freedom, so that mean and variance exist.

    Source: Lange, Little and Taylor, "Robust statistical modeling using the t distribution" (1989).

    Example:
        >>> ten = torch.tensor([10.0])
        >>> raw, size = torch.zeros(1, 3), Size(ten, ten)
        >>> StudentT().quantile(raw, size, np.array([0.5, 0.9])).astype(float).round(1).tolist()
        [[10.0, 17.2]]
    """

    name = "student-t"
    parameters = 3
    counts = False

    def _parts(self, raw: Tensor, size: Size) -> tuple[Tensor, Tensor, Tensor]:
        """Centre, width and degrees of freedom: of raw zeros the level, half a unit and 6."""
        width = (softplus(raw[..., 1] - 0.4328) + 1e-4) * size.unit
        freedom = 2 + 98 * torch.sigmoid(raw[..., 2] - 3.157)
        return size.level + raw[..., 0] * size.unit, width, freedom

    def log_prob(self, raw: Tensor, size: Size, y: Tensor) -> Tensor:
        """Log-density of `y`."""
        center, width, freedom = self._parts(raw, size)
        half = (freedom + 1) / 2
        peak = torch.lgamma(half) - torch.lgamma(freedom / 2) - 0.5 * (math.pi * freedom).log()
        return peak - width.log() - half * torch.log1p(((y - center) / width) ** 2 / freedom)

    def mean(self, raw: Tensor, size: Size) -> Tensor:
        """Expected value."""
        return self._parts(raw, size)[0]

    def cdf(self, raw: Tensor, size: Size, y: Tensor) -> Doubles:
        """Probability of `y` or less."""
        center, width, freedom = self._parts(raw, size)
        standard = ((y - center) / width).double().numpy()
        return np.asarray(special.stdtr(freedom.double().numpy(), standard))

    def quantile(self, raw: Tensor, size: Size, probabilities: Doubles) -> Floats:
        """Quantiles of the distribution."""
        center, width, freedom = (
            part.double().numpy()[..., None] for part in self._parts(raw, size)
        )
        return np.asarray(center + width * special.stdtrit(freedom, probabilities), np.float32)


class Tweedie(Likelihood):
    """Amounts that are 0 or positive: a Poisson number of purchases of exponential size.

    It has mean m and variance d m^1.5, the Tweedie family at power 1.5, where its density has a
    closed form.

    Source: Jorgensen, "The Theory of Dispersion Models", chapter 4; Dunn and Smyth, "Series
    evaluation of Tweedie exponential dispersion model densities" (2005).

    Example:
        >>> two = torch.tensor([2.0])
        >>> raw, size = torch.zeros(1, 2), Size(two, two)
        >>> Tweedie().quantile(raw, size, np.array([0.1, 0.5])).astype(float).round(2).tolist()
        [[0.0, 1.47]]
    """

    name = "tweedie"
    parameters = 2
    counts = False
    log_link = True

    def _rate_and_purchase(self, raw: Tensor, size: Size) -> tuple[Tensor, Tensor]:
        """Mean number of purchases, and mean size of one."""
        root = self.mean(raw, size).sqrt()
        half = (softplus(raw[..., 1] + 0.5413) + 1e-4) * size.unit.sqrt() / 2
        return root / half, root * half

    def log_prob(self, raw: Tensor, size: Size, y: Tensor) -> Tensor:
        """Log-density of `y` > 0, log-probability of 0."""
        rate, purchase = self._rate_and_purchase(raw, size)
        amount = torch.where(y > 0, y, size.unit) / purchase
        bessel = 2 * (rate * amount).sqrt()
        log_i1 = torch.special.i1e(bessel).clamp(min=1e-37).log() + bessel
        density = 0.5 * (rate.log() - amount.log()) - purchase.log() - amount + log_i1
        return torch.where(y > 0, density, 0.0) - rate

    def mean(self, raw: Tensor, size: Size) -> Tensor:
        """Expected amount."""
        return positive_mean(raw[..., 0], size)

    def cdf(self, raw: Tensor, size: Size, y: Tensor) -> Doubles:
        """Probability of `y` or less."""
        rate, purchase = (part.double().numpy() for part in self._rate_and_purchase(raw, size))
        return _purchases_cdf(y.double().numpy() / purchase, rate)

    def quantile(self, raw: Tensor, size: Size, probabilities: Doubles) -> Floats:
        """Quantiles, by bisection."""
        rate, purchase = (
            part.double().numpy()[..., None] for part in self._rate_and_purchase(raw, size)
        )
        shape = np.broadcast_shapes(rate.shape, np.shape(probabilities))
        low, high = np.zeros(shape), np.broadcast_to(rate + 40 * np.sqrt(rate) + 60, shape).copy()
        for _ in range(50):
            middle = (low + high) / 2
            below = _purchases_cdf(middle, rate) < probabilities
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        found = np.where(np.exp(-rate) >= probabilities, 0.0, high)
        return np.asarray(found * purchase, np.float32)


def _purchases_cdf(amount: Doubles, rate: Doubles) -> Doubles:
    """Of a Poisson number of exponentials of mean 1: a noncentral chi-square of 0 degrees.

    F_0 = F_2 + 2 f_2, as F_v - F_(v+2) = 2 f_(v+2), and f_2 is a Bessel function.
    """
    x, shift = 2 * np.maximum(amount, 0), 2 * rate
    density = np.exp(-((np.sqrt(x) - np.sqrt(shift)) ** 2) / 2) * special.i0e(np.sqrt(x * shift))
    found = special.chndtr(x, 2, shift) + density
    return np.asarray(np.where(amount < 0, 0.0, np.minimum(found, 1.0)))


class Quantiles(Likelihood):
    """Quantiles without a formula behind them, straight lines between.

    Its "log-probability" is minus the continuous ranked probability score in units: twice the
    pinball loss averaged over the levels.

    Source: Koenker and Bassett, "Regression quantiles" (1978); Gneiting and Raftery, "Strictly
    proper scoring rules, prediction, and estimation" (2007), section 4.2.

    Example:
        >>> ten = torch.tensor([10.0])
        >>> raw, size = torch.zeros(1, Quantiles.parameters), Size(ten, ten)
        >>> Quantiles().quantile(raw, size, np.array([0.5, 0.9])).round(1).tolist()
        [[10.0, 14.0]]
    """

    name = "quantiles"
    LEVELS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99)
    parameters = len(LEVELS)
    counts = False
    location = len(LEVELS) // 2

    def _values(self, raw: Tensor, size: Size) -> Tensor:
        """The quantiles at `LEVELS`, shape (..., levels)."""
        middle = len(self.LEVELS) // 2
        level, unit = size.level[..., None], size.unit[..., None]
        gaps = softplus(raw - 2.25) * unit  # a tenth of a unit for a raw 0
        above = gaps[..., middle + 1 :].cumsum(-1)
        below = gaps[..., :middle].flip(-1).cumsum(-1).flip(-1)
        center = level + raw[..., middle : middle + 1] * unit
        return torch.cat([center - below, center, center + above], dim=-1)

    def log_prob(self, raw: Tensor, size: Size, y: Tensor) -> Tensor:
        """Minus the score, higher is better."""
        levels = torch.tensor(self.LEVELS, dtype=raw.dtype)
        off = y[..., None] - self._values(raw, size)
        pinball = torch.maximum(levels * off, (levels - 1) * off).mean(dim=-1)
        return -2 * pinball / size.unit

    def mean(self, raw: Tensor, size: Size) -> Tensor:
        """Mean of the distribution with straight lines between the quantiles, and flat ends."""
        values = self._values(raw, size)
        levels = torch.tensor(self.LEVELS, dtype=raw.dtype)
        edges = torch.cat([torch.zeros(1), (levels[1:] + levels[:-1]) / 2, torch.ones(1)])
        return (values * edges.diff()).sum(dim=-1)

    def cdf(self, raw: Tensor, size: Size, y: Tensor) -> Doubles:
        """Probability of `y` or less."""
        values = self._values(raw, size).double().numpy()
        return _interpolated(y.double().numpy()[..., None], values, np.array(self.LEVELS))[..., 0]

    def quantile(self, raw: Tensor, size: Size, probabilities: Doubles) -> Floats:
        """Quantiles; those beyond the outermost levels are the outermost."""
        values = self._values(raw, size).double().numpy()
        shape = (*values.shape[:-1], np.shape(probabilities)[-1])
        wanted = np.broadcast_to(probabilities, shape)
        levels = np.broadcast_to(np.array(self.LEVELS), values.shape)
        return _interpolated(wanted, levels, values).astype(np.float32)


def _interpolated(x: Doubles, knots: Doubles, values: Doubles) -> Doubles:
    """`np.interp` along the last axis of many rows; knots and values broadcast to each other."""
    knots, values = np.broadcast_arrays(knots, values)
    after = (x[..., None] > knots[..., None, :]).sum(axis=-1).clip(1, knots.shape[-1] - 1)
    x0, x1 = (np.take_along_axis(knots, at, axis=-1) for at in (after - 1, after))
    y0, y1 = (np.take_along_axis(values, at, axis=-1) for at in (after - 1, after))
    share = np.clip((x - x0) / np.maximum(x1 - x0, 1e-12), 0, 1)
    return np.asarray(y0 + share * (y1 - y0))
