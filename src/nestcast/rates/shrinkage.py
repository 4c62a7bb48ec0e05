"""Beta priors learned from many groups, and what they make of each: empirical Bayes.

B. Efron and C. Morris, "Data analysis using Stein's estimator and its generalizations" (1975); for
rates J. C. Kleinman, "Proportions with extraneous variance: single and independent samples" (1973).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from nestcast.model.betabinomial import beta_binomial_log_prob

Values = NDArray[np.float64]
PriorMethod = Literal["likelihood", "moments"]

_LEAST, _MOST = 1e-2, 1e9  # of a concentration


@dataclass(frozen=True)
class Prior:
    """A beta distribution of rates: its mean and its concentration, alpha + beta.

    The concentration is how many impressions the prior counts for.

    Example:
        >>> prior = Prior(0.02, 100.0)
        >>> prior.posterior([0, 5], [0, 400])
        (array([0.02 , 0.014]), array([100., 500.]))
    """

    mean: float
    concentration: float

    @property
    def alpha(self) -> float:
        """Clicks that the prior counts for."""
        return self.mean * self.concentration

    @property
    def beta(self) -> float:
        """Impressions without a click that the prior counts for."""
        return (1 - self.mean) * self.concentration

    def posterior(self, clicks: ArrayLike, impressions: ArrayLike) -> tuple[Values, Values]:
        """Mean and concentration of each group's rate once its clicks are known.

        The mean lies between the prior's and the group's own rate, the nearer to the latter the
        more impressions there are.
        """
        k, n = np.asarray(clicks, np.float64), np.asarray(impressions, np.float64)
        concentration = self.concentration + n
        return (k + self.alpha) / concentration, concentration


def pooled_rate(clicks: ArrayLike, impressions: ArrayLike) -> float:
    """All clicks over all impressions, kept off 0 and 1 by half a click.

    Example:
        >>> pooled_rate([1, 2], [100, 200]), pooled_rate([0], [99])
        (0.01, 0.005)
    """
    k, n = float(np.sum(clicks)), float(np.sum(impressions))
    return k / n if 0 < k < n else (k + 0.5) / (n + 1)


def fit_prior(
    clicks: ArrayLike, impressions: ArrayLike, method: PriorMethod = "likelihood"
) -> Prior:
    """The prior that groups seem to be drawn from.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> n = np.full(2000, 300)
        >>> k = rng.binomial(n, rng.beta(2.0, 98.0, 2000))
        >>> for method in ("moments", "likelihood"):
        ...     prior = fit_prior(k, n, method)
        ...     print(round(prior.alpha, 1), round(prior.beta))
        1.9 90
        1.9 91

    Args:
        clicks, impressions: of each group, shape (groups,).
        method: `likelihood` maximizes the beta-binomial likelihood; `moments` matches mean and
            variance (Kleinman 1973, with impressions as weights).
    """
    k, n = np.asarray(clicks, np.float64), np.asarray(impressions, np.float64)
    shown = n > 0
    k, n = k[shown], n[shown]
    mean = pooled_rate(k, n)
    start = Prior(mean, _moments(k, n, mean))
    if method == "moments" or len(k) < 2:
        return start
    kt, nt = torch.from_numpy(k), torch.from_numpy(n)

    def loss(at: Values) -> tuple[float, Values]:
        raw = torch.tensor(at, requires_grad=True)
        concentration = raw[1].exp()
        alpha, beta = raw[0].sigmoid() * concentration, (-raw[0]).sigmoid() * concentration
        value = -beta_binomial_log_prob(kt, nt, alpha, beta).mean()
        value.backward()  # type: ignore[no-untyped-call]
        assert raw.grad is not None
        return value.item(), raw.grad.numpy()

    first = np.array([np.log(mean / (1 - mean)), np.log(start.concentration)])
    bounds = [(-30, 30), (np.log(_LEAST), np.log(_MOST))]
    found = optimize.minimize(loss, first, jac=True, method="L-BFGS-B", bounds=bounds).x
    return Prior(float(1 / (1 + np.exp(-found[0]))), float(np.exp(found[1])))


def _moments(k: Values, n: Values, mean: float) -> float:
    """Concentration from the spread of rates around their mean, weighted by impressions."""
    total = n.sum()
    between = len(n) - 1
    if between < 1:
        return _MOST
    spread = (n * (k / n - mean) ** 2).sum() / (mean * (1 - mean))
    all_ = total - (n**2).sum() / total
    if all_ <= between:  # one impression each: the spread tells nothing
        return _MOST
    return _concentration((spread - between) / (all_ - between))


def fit_concentration(
    clicks: Values, impressions: Values, mean: Values, method: PriorMethod = "likelihood"
) -> float:
    """Concentration of rates around a mean of each group's own, shape (groups,).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> mean = np.repeat([0.01, 0.1], 1000)
        >>> k = rng.binomial(500, rng.beta(200 * mean, 200 * (1 - mean)))
        >>> round(fit_concentration(k, np.full(2000, 500.0), mean))
        197
    """
    shown = impressions > 0
    k, n, m = clicks[shown], impressions[shown], mean[shown]
    if method == "moments":
        variance = m * (1 - m)
        weight = ((n - 1) * variance).sum()
        if weight <= 0:
            return _MOST
        return _concentration(float((((k - n * m) ** 2) / n - variance).sum() / weight))
    kt, nt, mt = (torch.from_numpy(np.ascontiguousarray(x, np.float64)) for x in (k, n, m))

    def loss(log_concentration: float) -> float:
        M = float(np.exp(log_concentration))
        return -float(beta_binomial_log_prob(kt, nt, mt * M, (1 - mt) * M).sum())

    bounds = (np.log(_LEAST), np.log(_MOST))
    options = {"xatol": 1e-3}
    found = optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options=options)
    return float(np.exp(found.x))


def _concentration(correlation: float) -> float:
    """From the correlation of two impressions of a group, `1 / (M + 1)`, to M."""
    return float(np.clip(1 / max(correlation, 1e-12) - 1, _LEAST, _MOST))
