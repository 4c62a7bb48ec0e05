"""AutoETS by statsforecast: exponential smoothing of each series alone. Needs the extra `ets`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nestcast.data.keys import Keys
from nestcast.data.panel import Panel
from nestcast.errors import OptionError
from nestcast.evaluation import smoothing
from nestcast.evaluation.baselines import METHODS, Baseline
from nestcast.forecast import Forecast
from nestcast.model.population import with_series
from nestcast.training import Report, silent

Values = NDArray[np.float64]

_FEWEST_PERIODS = 8


def check_installed() -> None:
    """See that statsforecast is there.

    Raises:
        OptionError: it is not.
    """
    if find_spec("statsforecast") is None:
        raise OptionError("the model ets needs statsforecast: pip install 'nestcast[ets]'.")


class AutoETS:
    """The exponential smoothing that suits each series best by the corrected Akaike criterion.

    R. J. Hyndman et al., "A state space framework for automatic forecasting using exponential
    smoothing methods" (2002). Series without a sale or too short for it are forecast as by the
    naive baseline. One model is fitted for each series: many series, or weeks with a season of 52,
    take minutes.
    """

    def __init__(self) -> None:
        check_installed()

    def fit(self, panel: Panel, asked: Keys, horizon: int, report: Report = silent) -> None:
        """Nothing to do: every series is fitted when it is forecast."""

    def predict(self, panel: Panel, asked: Keys, horizon: int, level: Sequence[float]) -> Forecast:
        """See `Model.predict`."""
        from statsforecast.models import AutoETS as Automatic

        forecast = Baseline(METHODS["naive"]).predict(panel, asked, horizon, level)
        known, rows = with_series(panel, asked)
        needed, first, place = np.unique(rows, return_index=True, return_inverse=True)
        mean, quantiles = forecast.mean[first], forecast.quantiles[first]
        season = panel.calendar.season
        for number, series in enumerate(needed):
            past = _filled(known.target[series, known.start[series] :])
            if len(past) < _FEWEST_PERIODS or np.ptp(past) == 0:
                continue
            model = Automatic(season_length=season if len(past) >= 2 * season else 1)
            of_model = _forecast(model, past, horizon, level)
            if all(np.isfinite(part).all() for part in of_model):
                mean[number], quantiles[number] = of_model
        if panel.is_count:
            mean, quantiles = np.maximum(mean, 0), np.rint(np.maximum(quantiles, 0))
        return replace(forecast, mean=mean[place], quantiles=quantiles[place])


def _forecast(
    model: Any, past: Values, horizon: int, level: Sequence[float]
) -> tuple[Values, Values]:
    """Mean (horizon,) and quantiles (horizon, levels) of one series."""
    ordered = sorted(set(level))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of models it tries and does not choose
        found = model.forecast(past, h=horizon, level=ordered)
    mean = np.asarray(found["mean"], float)
    low = [found[f"lo-{one}"] for one in ordered[::-1]]
    high = [found[f"hi-{one}"] for one in ordered]
    return mean, np.stack([*low, mean, *high], axis=1)


def _filled(past: NDArray[np.float32]) -> Values:
    """Missing periods as the last value known; those before the first one known are left out."""
    known = np.isfinite(past)
    if not known.any():
        return np.zeros(0)
    since_first = past[int(known.argmax()) :].astype(np.float64)[None]
    return smoothing.naive(since_first)[0, 1:]
