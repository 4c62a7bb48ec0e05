"""Recalibration: rates put right by how earlier forecasts of the same kind came out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from nestcast.data.keys import Keys
from nestcast.data.panel import Panel
from nestcast.errors import OptionError
from nestcast.forecast import Forecast
from nestcast.rateforecast import RateForecast, rate_forecast
from nestcast.rates.dispersion import Dispersion, Past, fit_dispersion
from nestcast.training import Report, silent

Values = NDArray[np.float64]

_ORIGINS = 4  # past forecasts, of the whole horizon each, that it is learned from


class RateMap(Protocol):
    """From rates to better ones."""

    def __call__(self, rate: ArrayLike) -> Values:
        """The recalibrated rates, same shape."""


@dataclass(frozen=True, eq=False)
class Isotonic:
    """A step function that never falls, linear between its steps (see `fit_isotonic`)."""

    rate: Values
    becomes: Values

    def __call__(self, rate: ArrayLike) -> Values:
        """The recalibrated rates, same shape."""
        return np.asarray(np.interp(np.asarray(rate, np.float64), self.rate, self.becomes))


@dataclass(frozen=True)
class Platt:
    """The logistic function of `slope * logit(rate) + shift` (see `fit_platt`)."""

    slope: float
    shift: float

    def __call__(self, rate: ArrayLike) -> Values:
        """The recalibrated rates, same shape."""
        return np.asarray(special.expit(self.slope * _logit(rate) + self.shift))


def fit_isotonic(clicks: ArrayLike, impressions: ArrayLike, rate: ArrayLike) -> Isotonic:
    """The rising function of the rate with the least squared error, weighted by impressions.

    B. Zadrozny and C. Elkan, "Transforming classifier scores into accurate multiclass probability
    estimates" (2002).

    Example:
        >>> fit_isotonic([1, 3, 2], [10, 10, 10], [0.2, 0.3, 0.4])([0.2, 0.25, 0.4])
        array([0.1  , 0.175, 0.25 ])

    Args:
        clicks, impressions, rate: of past forecasts, any shape, the same.
    """
    k, n, p = (np.asarray(x, np.float64).ravel() for x in (clicks, impressions, rate))
    values, code = np.unique(p[n > 0], return_inverse=True)
    shown, clicked = (np.bincount(code, x[n > 0]) for x in (n, k))
    fitted = optimize.isotonic_regression(clicked / shown, weights=shown).x
    return Isotonic(values, np.asarray(fitted))


def fit_platt(clicks: ArrayLike, impressions: ArrayLike, rate: ArrayLike) -> Platt:
    """Logistic regression of clicks on the logit of the rate.

    J. Platt, "Probabilistic outputs for support vector machines" (1999), without its prior.

    Example:
        >>> found = fit_platt([20, 60], [1000, 1000], [0.01, 0.03])
        >>> found([0.01, 0.03]).round(4)
        array([0.02, 0.06])

    Args:
        clicks, impressions, rate: of past forecasts, any shape, the same.
    """
    k, n, p = (np.asarray(x, np.float64).ravel() for x in (clicks, impressions, rate))
    k, n, x = k[n > 0], n[n > 0], _logit(p[n > 0])
    total = max(n.sum(), 1.0)

    def loss(at: Values) -> tuple[float, Values]:
        raw = at[0] * x + at[1]
        # log(1 + e^raw) - k / n * raw for each impression; a weak pull towards changing nothing
        # decides where the past does not.
        pull = 1e-9 * ((at[0] - 1) ** 2 + at[1] ** 2)
        value = (n * np.logaddexp(0, raw) - k * raw).sum() / total + pull
        away = (n * special.expit(raw) - k) / total
        slope = np.array([(away * x).sum(), away.sum()]) + 2e-9 * np.array([at[0] - 1, at[1]])
        return float(value), slope

    options = {"ftol": 1e-15, "gtol": 1e-10}
    found = optimize.minimize(
        loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", options=options
    ).x
    return Platt(float(found[0]), float(found[1]))


METHODS: dict[str, Callable[[Values, Values, Values], RateMap]] = {
    "isotonic": fit_isotonic,
    "platt": fit_platt,
}


class _Model(Protocol):
    def fit(self, panel: Panel, asked: Keys, horizon: int, report: Report = silent) -> None: ...

    def predict(
        self, panel: Panel, asked: Keys, horizon: int, level: Sequence[float]
    ) -> Forecast: ...


class Recalibrated:
    """A model whose rates are put right by its own forecasts of the last periods.

    These are made as they would have been made then: the model is fitted on what came before, and
    forecasts from several origins after it.

    Args:
        make: makes the model, having learned nothing.
        method: `isotonic` or `platt`.

    Raises:
        OptionError: no such method.
    """

    def __init__(self, make: Callable[[], _Model], method: str) -> None:
        if method not in METHODS:
            raise OptionError(f"cannot recalibrate by {method!r}: use {' or '.join(METHODS)}.")
        self._make = make
        self._method = method
        self._model: _Model
        self.map: RateMap = Platt(1.0, 0.0)
        self._dispersion: Dispersion | None = None

    def fit(self, panel: Panel, asked: Keys, horizon: int, report: Report = silent) -> None:
        """Learn the map from forecasts of the past, then the model from all that is known."""
        past = self._past(panel, horizon, report)
        if past is not None and past.clicks.sum() > 0:
            self.map = METHODS[self._method](past.clicks, past.impressions, past.mean)
            changed = Past(
                self.map(past.mean), past.share, past.step, past.clicks, past.impressions
            )
            self._dispersion = fit_dispersion(changed)
        self._model = self._make()
        self._model.fit(panel, asked, horizon, report)

    def predict(
        self, panel: Panel, asked: Keys, horizon: int, level: Sequence[float]
    ) -> RateForecast:
        """The model's forecast with other rates; intervals are no narrower than past errors say."""
        forecast = self._model.predict(panel, asked, horizon, level)
        assert isinstance(forecast, RateForecast)
        mean = self.map(forecast.mean)
        concentration, extra = forecast.concentration.astype(np.float64), forecast.extra
        if self._dispersion is not None:
            none, step = np.zeros_like(mean), np.arange(1.0, horizon + 1)
            past = self._dispersion.concentration(mean, none, step)
            concentration = np.minimum(concentration, past)
            extra = max(extra, self._dispersion.extra)
        return rate_forecast(
            forecast.keys,
            forecast.calendar,
            mean,
            concentration,
            forecast.exposure,
            level,
            exposure_dispersion=forecast.exposure_dispersion,
            extra=extra,
            target_name=forecast.target_name,
            time_name=forecast.time_name,
        )

    def _past(self, panel: Panel, horizon: int, report: Report) -> Past | None:
        time = len(panel.calendar)
        origins = [time - horizon * back for back in range(1, _ORIGINS + 1)]
        origins = [origin for origin in origins[::-1] if origin >= max(horizon, 2)]
        if not origins or panel.exposure is None:
            return None
        model, parts = self._make(), []
        model.fit(panel.until(origins[0]), panel.until(origins[0]).keys, horizon, report)
        for origin in origins:
            known = panel.until(origin)
            forecast = model.predict(known, panel.keys, horizon, [50])
            ahead = slice(origin, origin + horizon)
            shown, clicks = panel.exposure[:, ahead], panel.target[:, ahead]
            step = np.broadcast_to(np.arange(1.0, horizon + 1), shown.shape)
            on = shown > 0
            parts.append([x[on] for x in (forecast.mean, step, clicks, shown)])
        mean, step, clicked, seen = (
            np.concatenate(one).astype(np.float64) for one in zip(*parts, strict=True)
        )
        return Past(mean, np.zeros_like(mean), step, clicked, seen) if len(mean) else None


def _logit(rate: ArrayLike) -> Values:
    return np.asarray(special.logit(np.clip(np.asarray(rate, np.float64), 1e-12, 1 - 1e-12)))
