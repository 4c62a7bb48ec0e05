"""AutoETS by statsforecast: exponential smoothing of each series alone. Needs the extra `ets`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nestcast.data.keys import Keys
from nestcast.data.panel import Panel
from nestcast.errors import OptionError
from nestcast.evaluation import smoothing
from nestcast.forecast import Forecast, probabilities_of
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
    smoothing methods" (2002). Series without a sale are forecast as 0, those too short for it as
    their last value. This fits one model for each series: 1,000 series take some ten seconds.
    """

    def __init__(self) -> None:
        check_installed()

    def fit(self, panel: Panel, asked: Keys, horizon: int, report: Report = silent) -> None:
        """Nothing to do: every series is fitted when it is forecast."""

    def predict(self, panel: Panel, asked: Keys, horizon: int, level: Sequence[float]) -> Forecast:
        """See `Model.predict`."""
        from statsforecast.models import AutoETS as Automatic

        probabilities = probabilities_of(level)
        panel, rows = with_series(panel, asked)
        needed, place = np.unique(rows, return_inverse=True)
        mean = np.zeros((len(needed), horizon), np.float32)
        quantiles = np.zeros((len(needed), horizon, len(probabilities)), np.float32)
        season = panel.calendar.season
        for number, series in enumerate(needed):
            past = _filled(panel.target[series, panel.start[series] :])
            if not past.any():
                continue
            if len(past) < _FEWEST_PERIODS:
                mean[number] = quantiles[number] = past[-1]
                continue
            model = Automatic(season_length=season if len(past) >= 2 * season else 1)
            mean[number], quantiles[number] = _forecast(model, past, horizon, level)
        if panel.is_count:
            mean, quantiles = np.maximum(mean, 0), np.rint(np.maximum(quantiles, 0))
        return Forecast(
            keys=asked,
            calendar=panel.calendar.after(horizon),
            mean=mean[place],
            probabilities=np.array(probabilities),
            quantiles=quantiles[place],
            target_name=panel.target_name,
            time_name=panel.time_name,
        )


def _forecast(
    model: Any, past: Values, horizon: int, level: Sequence[float]
) -> tuple[Values, Values]:
    """Mean (horizon,) and quantiles (horizon, levels) of one series."""
    if np.ptp(past) == 0:  # nothing to smooth
        size = len(probabilities_of(level))
        return np.full(horizon, past[-1]), np.full((horizon, size), past[-1])
    ordered = sorted(set(level))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of models it tries and does not choose
        found = model.forecast(past, h=horizon, level=ordered)
    mean = np.asarray(found["mean"], float)
    low = [found[f"lo-{one}"] for one in ordered[::-1]]
    high = [found[f"hi-{one}"] for one in ordered]
    quantiles = np.stack([*low, mean, *high], axis=1)
    if not np.isfinite(quantiles).all():
        return np.full(horizon, past[-1]), np.full(quantiles.shape, past[-1])
    return mean, quantiles


def _filled(past: NDArray[np.float32]) -> Values:
    """Missing periods as the last value known; those before the first one known are left out."""
    known = np.isfinite(past)
    if not known.any():
        return np.zeros(0)
    since_first = past[int(known.argmax()) :].astype(np.float64)[None]
    return smoothing.naive(since_first)[0, 1:]
