"""Backtests: several models forecast from the same past origins and are scored side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nestcast.data.keys import Keys, item_column
from nestcast.data.panel import Panel
from nestcast.errors import ModelError, OptionError
from nestcast.evaluation.models import Model
from nestcast.evaluation.origins import Ask, Origin, rolling_origins
from nestcast.evaluation.registry import Contender, contenders
from nestcast.evaluation.results import Backtest, Run, ScoredOrigin
from nestcast.evaluation.scoring import Segment, cells_of, score
from nestcast.forecast import Forecast, probabilities_of
from nestcast.rateforecast import RateForecast

Tell = Callable[[str], None]  # is told of every model that comes next

DEFAULT_MODELS = ("nestcast", "seasonal-naive", "mean-3", "tsb")
DEFAULT_CLICK_MODELS = ("eb", "ewma", "last-week", "pooled")
DEFAULT_LEVELS = (50.0, 80.0, 95.0)


@dataclass
class _Clock:
    fit: float = 0.0
    predict: float = 0.0


def backtest(
    panel: Panel,
    models: Sequence[str | Contender] | None = None,
    *,
    origins: int = 5,
    horizon: int = 1,
    step: int = 1,
    ask: Ask | Keys | None = None,
    level: Sequence[float] = DEFAULT_LEVELS,
    clip: tuple[float, float] | None = None,
    seeds: int = 1,
    refit: bool = True,
    known_assortment: bool = False,
    cluster: str | None = None,
    segments: Mapping[str, Segment] | None = None,
    seasonality: int = 1,
    keep_forecasts: bool = False,
    tell: Tell = lambda _: None,
) -> Backtest:
    """Forecast from each of the last origins with each model, and compare with what happened.

    At each origin a model sees the panel until then and the series that it is asked for, nothing
    else.

    Example:
        >>> from nestcast.data import Calendar
        >>> panel = Panel(
        ...     Keys({"item_id": np.arange(3)}),
        ...     Calendar("1mo", np.datetime64("2024-01-01"), 6),
        ...     np.array([[2, 3, 2, 4, 3, 2], [0, 0, 1, 0, 0, 0], [9, 8, 9, 9, 7, 8]], np.float32),
        ...     np.zeros(3, np.int32),
        ... )
        >>> result = backtest(panel, ["zero", "naive", "mean-3"], origins=2)
        >>> {model: round(value, 3) for model, value in result.means("rmse").items()}
        {'zero': 4.579, 'naive': 1.054, 'mean-3': 0.81}

    Args:
        panel: all that is known now.
        models: names (see `registry.contender`), or own models as a `Contender`; by default a few.
        origins, horizon, step, ask, clip: see `origins.rolling_origins`; forecasts are clipped too.
        level: central intervals to score, in per cent; the quantiles that bound them, and the
            median, are those that quantile loss and CRPS are measured on.
        seeds: models with random numbers run with seeds 0, 1, ... up to this many.
        refit: fit anew at every origin; else only at the first, and predict from it at all others.
        known_assortment: what is asked for is known to be all that will be sold, which the
            networks and LightGBM make use of.
        cluster: key column of the item, for segments and for the bootstrap; `item_id` if there is
            one, else the column with the most values. For clicks the bootstrap draws series if it
            is not given.
        segments: further kinds of series to score, name -> function of an `Origin` that tells which
            of its series are of that kind, shape (asked,).
        seasonality: distance of the naive forecast that scales MASE and RMSSE, in periods.
        keep_forecasts: keep every forecast, for `Backtest.forecast_columns`.
        tell: is told of every model that comes next.

    Raises:
        OptionError: an argument makes no sense.
        DataError: nothing is asked for at an origin.
        ModelError: a model gives no usable forecast.
    """
    probabilities_of(level)
    if seeds < 1:
        raise OptionError(f"a backtest needs 1 seed or more, not {seeds}.")
    if clip is not None and not clip[0] < clip[1]:
        raise OptionError(f"clip needs a low and a higher end, not {clip[0]:g},{clip[1]:g}.")
    if seasonality < 1:
        raise OptionError(f"the seasonality must be 1 period or more, not {seasonality}.")
    of_clicks = panel.exposure is not None
    if of_clicks and clip is not None:
        raise OptionError("--clip is for sales: leave it out where rates of clicks are forecast.")
    if of_clicks and known_assortment:
        raise OptionError("--known-assortment is for sales: leave it out.")
    if models is None:
        models = DEFAULT_CLICK_MODELS if of_clicks else DEFAULT_MODELS
    entered = contenders(models, clip, of_clicks=of_clicks, known_assortment=known_assortment)
    item = item_column(panel.keys, cluster)
    fitted: dict[tuple[str, int], Model] = {}
    scored, runs = [], []
    for origin in rolling_origins(panel, origins, horizon, step=step, ask=ask, clip=clip):
        cells = cells_of(origin, item, segments, by_series=of_clicks and cluster is None)
        scored.append(ScoredOrigin(origin.date, cells))
        for one in entered:
            for seed in range(seeds if one.random else 1):
                tell(f"{origin.date} {one.name}" + (f" seed {seed}" if seeds > 1 else ""))
                clock = _Clock()
                model = fitted.get((one.name, seed)) or _fitted(one, seed, origin, horizon, clock)
                if not refit:
                    fitted[one.name, seed] = model
                forecast = _forecast(one.name, model, origin, horizon, level, clip, clock)
                runs.append(
                    Run(
                        origin=len(scored) - 1,
                        model=one.name,
                        seed=seed,
                        sums=score(origin, forecast, cells, seasonality),
                        fit_seconds=clock.fit,
                        predict_seconds=clock.predict,
                        forecast=forecast if keep_forecasts else None,
                        actual=origin.actual if keep_forecasts else None,
                        exposure=origin.exposure if keep_forecasts else None,
                    )
                )
    return Backtest(tuple(scored), tuple(runs), tuple(sorted(set(level))), horizon)


def _fitted(one: Contender, seed: int, origin: Origin, horizon: int, clock: _Clock) -> Model:
    model = one.make(seed)
    begin = time.perf_counter()
    model.fit(origin.known, origin.asked, horizon)
    clock.fit = time.perf_counter() - begin
    return model


def _forecast(
    name: str,
    model: Model,
    origin: Origin,
    horizon: int,
    level: Sequence[float],
    clip: tuple[float, float] | None,
    clock: _Clock,
) -> Forecast:
    begin = time.perf_counter()
    forecast = model.predict(origin.known, origin.asked, horizon, level)
    clock.predict = time.perf_counter() - begin
    shape = (*origin.actual.shape, len(probabilities_of(level)))
    if forecast.mean.shape != shape[:2] or forecast.quantiles.shape != shape:
        raise ModelError(
            f"the model {name} gave means of shape {forecast.mean.shape} and quantiles of shape "
            f"{forecast.quantiles.shape}, not {shape[:2]} and {shape}."
        )
    if origin.exposure is not None and not isinstance(forecast, RateForecast):
        raise ModelError(f"the model {name} gave no rates of clicks, but another kind of forecast.")
    if not (np.isfinite(forecast.mean).all() and np.isfinite(forecast.quantiles).all()):
        raise ModelError(f"the model {name} gave forecasts at {origin.date} that are no numbers.")
    if clip is None:
        return forecast
    mean, quantiles = np.clip(forecast.mean, *clip), np.clip(forecast.quantiles, *clip)
    return replace(forecast, mean=mean, quantiles=quantiles)
