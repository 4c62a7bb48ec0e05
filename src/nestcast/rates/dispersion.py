"""How far rates stray from their forecasts: learned from forecasts of the past."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import optimize, special

from nestcast.model.betabinomial import LARGEST_SHARE, beta_binomial_log_prob

Values = NDArray[np.float64]

_MOST_ROWS = 50_000
_FEWEST_ROWS = 20
_EXTRA = -4.0  # logarithm, where rows do not tell


@dataclass(frozen=True, eq=False)
class Past:
    """Forecasts of the past and what happened, shape (rows,) each.

    Args:
        mean: the rate forecast.
        share: its own uncertainty, see `hierarchy.shrink`.
        step: how many periods ahead it was.
        clicks, impressions: what happened.
    """

    mean: Values
    share: Values
    step: Values
    clicks: Values
    impressions: Values

    def take(self, at: NDArray[np.bool_] | NDArray[np.int64]) -> Past:
        """Some of the rows."""
        return Past(
            self.mean[at], self.share[at], self.step[at], self.clicks[at], self.impressions[at]
        )

    def log_loss(self) -> float:
        """Mean over impressions."""
        p = np.clip(self.mean, 1e-12, 1 - 1e-12)
        missed = self.impressions - self.clicks
        loss = -(self.clicks * np.log(p) + missed * np.log1p(-p)).sum()
        return float(loss / max(self.impressions.sum(), 1))


@dataclass(frozen=True)
class Dispersion:
    """Day-to-day spread of rates, as a share r of `p (1 - p)`, and of clicks at a given rate.

    The logit of r is linear in the logit of p and the logarithm of the step. Besides, clicks vary
    by `extra` more than chance makes them, see `betabinomial.seen_concentration`.
    """

    level: float = -9.0
    by_rate: float = 0.0
    by_step: float = 0.0
    extra: float = 0.0

    def concentration(self, mean: Values, share: Values, step: Values) -> Values:
        """Concentration (alpha + beta) of a forecast whose own uncertainty is `share`."""
        rate = np.clip(mean, 1e-12, 1 - 1e-12)
        raw = self.level + self.by_rate * special.logit(rate) + self.by_step * np.log(step)
        total = np.minimum(share + special.expit(raw), LARGEST_SHARE)
        return np.asarray(1 / total - 1)


def fit_dispersion(past: Past) -> Dispersion:
    """The spread under which what happened is most likely.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> n = np.full(5000, 10_000.0)
        >>> k = rng.binomial(10_000, rng.beta(0.02 * 500, 0.98 * 500, 5000)).astype(float)
        >>> mean, none, step = np.full(5000, 0.02), np.zeros(5000), np.ones(5000)
        >>> found = fit_dispersion(Past(mean, none, step, k, n))
        >>> round(float(found.concentration(mean[:1], none[:1], step[:1])[0]), -1)
        520.0
    """
    past = past.take(past.impressions > 0)
    if len(past.mean) > _MOST_ROWS:
        past = past.take(np.linspace(0, len(past.mean) - 1, _MOST_ROWS).astype(np.int64))
    if len(past.mean) < _FEWEST_ROWS:
        return Dispersion()
    rate = np.clip(past.mean, 1e-12, 1 - 1e-12)
    design = np.stack([np.ones_like(rate), special.logit(rate), np.log(past.step)])
    spread = design[1:].std(axis=1) > 1e-9  # else there is nothing to tell a slope by
    x, share, p, k, n = (
        torch.from_numpy(np.ascontiguousarray(one, np.float64))
        for one in (design, past.share, rate, past.clicks, past.impressions)
    )

    def loss(at: Values) -> tuple[float, Values]:
        raw = torch.tensor(at, requires_grad=True)
        extra = raw[-1]
        total = share + torch.sigmoid(raw[:-1] @ x) + extra.exp() / n
        M = 1 / torch.clamp(total, max=LARGEST_SHARE) - 1
        # The weak pull keeps slopes from running off where few rows tell.
        value = -beta_binomial_log_prob(k, n, p * M, (1 - p) * M).mean()
        value = value + 1e-3 * (raw[1:-1] ** 2).sum() + 1e-4 * (extra - _EXTRA) ** 2
        value.backward()  # type: ignore[no-untyped-call]
        assert raw.grad is not None
        return value.item(), raw.grad.numpy()

    slopes = ((-3.0, 3.0) if one else (0.0, 0.0) for one in spread)
    bounds = [(-20.0, 5.0), *slopes, (-9.0, 2.0)]
    first = np.array([-7.0, 0.0, 0.0, -1.0])
    found = optimize.minimize(loss, first, jac=True, method="L-BFGS-B", bounds=bounds).x
    level, by_rate, by_step, extra = map(float, found)
    return Dispersion(level, by_rate, by_step, float(np.exp(extra)))
