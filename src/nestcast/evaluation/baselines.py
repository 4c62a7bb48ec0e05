"""Classical baselines: each series alone, all series at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from nestcast.data.keys import Keys
from nestcast.data.panel import Panel
from nestcast.evaluation import smoothing
from nestcast.evaluation.spread import count_quantiles, real_quantiles
from nestcast.forecast import Forecast, probabilities_of
from nestcast.model.cells import cells_like, names_grid
from nestcast.model.population import from_listing, with_series
from nestcast.training import Report, silent

Values = NDArray[np.float64]
Flat = Callable[..., Values]  # past (series, time) to flat forecasts (series, time + 1)

_ALPHAS = (0.05, 0.1, 0.2, 0.4)


@dataclass(frozen=True)
class Method:
    """A classical method.

    Args:
        flat: gives the flat forecast before every period, see `smoothing`; None is the seasonal
            naive forecast, which is not flat.
        tuned: parameters of `flat` to choose, name -> values to try.
    """

    flat: Flat | None
    tuned: Mapping[str, Sequence[float]]

    def ahead(self, past: Values, step: int, season: int, chosen: Mapping[str, float]) -> Values:
        """The forecast of each period made `step` periods before, shape (series, time + step)."""
        if self.flat is None:
            return smoothing.seasonal_naive(past, season, step)
        return smoothing.ahead(self.flat(past, **chosen), step)


METHODS = {
    "zero": Method(lambda past: np.zeros((past.shape[0], past.shape[1] + 1)), {}),
    "naive": Method(smoothing.naive, {}),
    "seasonal-naive": Method(None, {}),
    "croston": Method(smoothing.croston, {"alpha": _ALPHAS}),
    "sba": Method(smoothing.sba, {"alpha": _ALPHAS}),
    "tsb": Method(smoothing.tsb, {"alpha_demand": _ALPHAS, "alpha_probability": _ALPHAS}),
}


def mean_of_last(k: int) -> Method:
    """The mean of the last k periods."""
    return Method(lambda past: smoothing.mean_of_last(past, k), {})


class Baseline:
    """A classical method with quantiles.

    Smoothing parameters are chosen once for all series: those with the least squared error one
    period ahead over the past. A series begins when all its keys have been seen, as for the recipe
    `global`. Quantiles come from how far the truth lay from what the method would have forecast
    at each period of the last year, see `spread`. A series without any past is forecast as 0, or
    for targets other than counts as the mean forecast of the others.

    Example:
        >>> from nestcast.data import Calendar
        >>> panel = Panel(
        ...     Keys({"item_id": np.arange(2)}),
        ...     Calendar("1mo", np.datetime64("2024-01-01"), 4),
        ...     np.array([[2, 3, 2, 4], [0, 0, 1, 0]], np.float32),
        ...     np.zeros(2, np.int32),
        ... )
        >>> model = Baseline(METHODS["naive"])
        >>> model.fit(panel, panel.keys, horizon=2)
        >>> model.predict(panel, panel.keys, horizon=2, level=[80]).mean
        array([[4., 4.],
               [0., 0.]], dtype=float32)
    """

    def __init__(self, method: Method) -> None:
        self._method = method
        self._chosen: dict[str, float] = {}

    def fit(self, panel: Panel, asked: Keys, horizon: int, report: Report = silent) -> None:
        """Choose the smoothing parameters; see `Model.fit`."""
        if not self._method.tuned:
            return
        past = _past(from_listing(panel))
        best = np.inf
        for values in product(*self._method.tuned.values()):
            chosen = dict(zip(self._method.tuned, values, strict=True))
            forecast = self._method.ahead(past, 1, panel.calendar.season, chosen)[:, :-1]
            error = float(np.nanmean((forecast - past) ** 2)) if past.size else 0.0
            if error < best:
                best, self._chosen = error, chosen

    def predict(self, panel: Panel, asked: Keys, horizon: int, level: Sequence[float]) -> Forecast:
        """See `Model.predict`."""
        probabilities = probabilities_of(level)
        grid = names_grid(asked, panel)
        panel, rows = with_series(panel, asked)
        sold_from = panel.start
        panel = from_listing(panel)
        past = _past(panel)
        mean = np.empty((len(rows), horizon), np.float32)
        quantiles = np.empty((len(rows), horizon, len(probabilities)), np.float32)
        for step in range(1, horizon + 1):
            forecast = self._method.ahead(past, step, panel.calendar.season, self._chosen)
            if not panel.is_count:
                empty = sold_from >= len(panel.calendar)
                if not empty.all():
                    forecast[empty, -1] = forecast[~empty, -1].mean()
            spread = _spread(panel, past, forecast, step, sold_from, grid, probabilities)
            mean[:, step - 1] = forecast[rows, -1]
            quantiles[:, step - 1] = spread[rows]
        return Forecast(
            keys=asked,
            calendar=panel.calendar.after(horizon),
            mean=mean,
            probabilities=np.array(probabilities),
            quantiles=quantiles,
            target_name=panel.target_name,
            time_name=panel.time_name,
        )


def _spread(
    panel: Panel,
    past: Values,
    forecast: Values,
    step: int,
    sold_from: NDArray[np.int32],
    grid: bool,
    probabilities: Sequence[float],
) -> Values:
    """Quantiles of the last column of `forecast`, for every series, shape (series, levels)."""
    time = past.shape[1]
    last_year = max(time - panel.calendar.year, 0)
    like = cells_like(panel, grid)
    used = like.asked & np.isfinite(past) & np.isfinite(forecast[:, :time])
    used[:, :last_year] = False
    series, period = np.nonzero(used)
    cells = forecast[series, period], past[series, period]
    if not panel.is_count:
        return real_quantiles((*cells, series), forecast[:, -1], probabilities)
    # What is known at the origin, `step` periods before the one forecast.
    never = sold_from[series] > period - step
    absent = int(like.absent[last_year:].sum())
    future = forecast[:, -1], sold_from >= time
    return count_quantiles((*cells, never), future, absent, probabilities)


def _past(panel: Panel) -> Values:
    """The target from the start of each series, NaN where unknown, shape (series, time)."""
    begun = np.arange(len(panel.calendar)) >= panel.start[:, None]
    return np.where(begun, panel.target, np.nan).astype(np.float64)
