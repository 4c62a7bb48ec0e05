"""How rates wear: an ad that has been shown often is clicked less.

What a mean over the past says of a worn ad is too high, and of a new one, by what worn ones of its
group had, too low. Rates are therefore compared as if nothing had been shown yet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_SCALES = (100.0, 1_000.0, 10_000.0)
_ROUNDS, _SWEEPS = 30, 5
_USUAL = 0.3  # deviation of slopes before anything is seen
_SETTLED = 1e-4
_LEAST = 1e-300


@dataclass(frozen=True)
class Wear:
    """By how much log-odds change with the logarithm of what has been shown.

    Args:
        slope: what is added to log-odds for each unit of `log(1 + shown / scale)`.
        scale: impressions.
    """

    slope: float = 0.0
    scale: float = _SCALES[0]

    def before(self, shown: Values) -> Values:
        """What has been added to log-odds before each period, (series, time) to (series, time + 1).

        Example:
            >>> Wear(slope=-0.1, scale=100.0).before(np.array([[100.0, 200.0]])).round(3)
            array([[-0.   , -0.069, -0.139]])
        """
        sums = np.zeros((shown.shape[0], shown.shape[1] + 1))
        np.cumsum(shown, axis=1, out=sums[:, 1:])
        return np.asarray(self.slope * np.log1p(sums / self.scale))

    def unworn(self, clicks: Values, impressions: Values) -> Values:
        """Impressions that would have brought as many clicks without wear, shape (series, time).

        Log-odds are then higher by the wear, for as many fewer impressions brought no click.
        """
        worn = self.before(impressions)[:, :-1]
        return np.asarray(clicks + (impressions - clicks) * np.exp(worn))


def fit_wear(clicks: Values, impressions: Values) -> Wear:
    """The wear under which the clicks of every series are most likely.

    Series have rates of their own and so have periods, so that neither what kinds of ads are shown
    much nor what moves all of them counts as wear: a Poisson regression with both as fixed effects.

    Source: Cameron and Trivedi, "Regression Analysis of Count Data", 2nd ed., section 9.4.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> n = rng.poisson(rng.lognormal(6, 1, (200, 1)), (200, 40)).astype(float)
        >>> rate = rng.beta(4, 96, (200, 1)) * np.exp(Wear(-0.1, 1_000.0).before(n)[:, :-1])
        >>> fit_wear(rng.binomial(n.astype(int), rate).astype(float), n)  # doctest: +ELLIPSIS
        Wear(slope=-0.10..., scale=1000.0)

    Args:
        clicks, impressions: shape (series, time).
    """
    found = [_fit(clicks, impressions, scale) for scale in _SCALES]
    return max(found, key=lambda one: one[0])[1]


def _fit(clicks: Values, impressions: Values, scale: float) -> tuple[float, Wear]:
    worn = Wear(1.0, scale).before(impressions)[:, :-1]
    of_series, of_period = clicks.sum(axis=1), clicks.sum(axis=0)
    shown = (impressions > 0) & (of_series > 0)[:, None] & (of_period > 0)
    series, period = np.nonzero(shown)
    k, n, w = clicks[shown], impressions[shown], worn[shown]
    slope, by_period, expected = 0.0, np.ones(clicks.shape[1]), n
    for _ in range(_ROUNDS):
        given = n * np.exp(slope * w)
        by_series = of_series / _sums(series, given * by_period[period], len(of_series))
        by_period = of_period / _sums(period, given * by_series[series], len(of_period))
        expected = given * by_series[series] * by_period[period]
        off = w  # what neither series nor period say of it
        for _ in range(_SWEEPS):
            for code, size in ((series, len(of_series)), (period, len(of_period))):
                centre = np.bincount(code, expected * off, size) / _sums(code, expected, size)
                off = off - centre[code]
        pull = ((k - expected) * off).sum() - slope / _USUAL**2
        step = pull / ((expected * off**2).sum() + 1 / _USUAL**2)
        slope += float(step)
        if abs(step) < _SETTLED:
            break
    likelihood = float((k * np.log(np.maximum(expected, _LEAST)) - expected).sum())
    likelihood -= (slope / _USUAL) ** 2 / 2
    return likelihood, Wear(slope, scale)


def _sums(code: NDArray[np.int64], values: Values, size: int) -> Values:
    return np.maximum(np.bincount(code, values, size), _LEAST)
