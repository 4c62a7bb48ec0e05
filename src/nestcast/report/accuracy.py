"""How good the forecast was in a saved backtest, in plain words and numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np

from nestcast.data.calendar import Calendar
from nestcast.errors import DataError
from nestcast.evaluation.segments import ALL, NEWNESS
from nestcast.report.click_accuracy import ClickAccuracy, click_accuracy
from nestcast.report.periods import WORD, name

FILE_NAME = "backtest.json"  # where a model's folder keeps it

_OURS = ("nestcast", "seed")
_RULES = ("naive", "seasonal-naive")
_COVERAGE = "coverage-"


@dataclass(frozen=True)
class Scores:
    """Means over origins and seeds of one model.

    Args:
        words: what the model is, in plain words.
        mae, rmse, bias: errors, in units of the target.
    """

    words: str
    mae: float
    rmse: float
    bias: float


@dataclass(frozen=True)
class Accuracy:
    """What a backtest says of this forecast's way of forecasting.

    Args:
        ours: scores of nestcast, or of the first model where it did not take part.
        others: of the other models, the least MAE first.
        rule: of the simple rule that the words compare with.
        coverage: interval in per cent -> share of truths inside, in per cent.
        segments: kind of series -> (number of series, MAE of ours).
        totals: error of the total at each origin, as a share of the truth.
        when: the origins in words.
        series: number of series, the mean over origins.
    """

    ours: Scores
    others: tuple[Scores, ...]
    rule: Scores | None
    coverage: dict[float, float]
    segments: dict[str, tuple[int, float]]
    totals: tuple[float, ...]
    when: str
    series: int


def find_backtest(given: Path | None, model: Path | None) -> Path | None:
    """The saved backtest: the one given, else `backtest.json` in the model's folder."""
    if given is not None:
        return given
    found = None if model is None else model / FILE_NAME
    return found if found is not None and found.is_file() else None


def read_accuracy(path: Path, calendar: Calendar) -> Accuracy | ClickAccuracy:
    """Read what `nestcast backtest DIR -o FILE.json` wrote, of sales or of clicks.

    Args:
        path: the file.
        calendar: of the panel forecast from, to whose past the backtest must belong.

    Raises:
        DataError: no such file, something else in it, or a backtest of other periods.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        origins = [np.datetime64(date) for date in found["origins"]]
        scores = [_Score(**one) for one in found["scores"]]
        models = [str(model) for model in found["models"]]
        horizon = int(found["horizon"])
        accuracy: Accuracy | ClickAccuracy
        if any(one.metric == "log-loss" for one in scores):
            when = _when(origins, calendar) + _ahead(horizon, calendar)
            accuracy = click_accuracy(found, scores, models, when)
        else:
            accuracy = _accuracy(models, origins, horizon, scores, calendar)
    except FileNotFoundError:
        raise DataError(f"no such file: {path}. Check the path.") from None
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise DataError(
            f"{path} is no saved backtest ({' '.join(str(error).split())[:100]}): "
            "write one with nestcast backtest DIR -o backtest.json."
        ) from None
    at = calendar.index_of(np.array(origins))
    if at.min() < 0 or at.max() >= len(calendar):
        raise DataError(
            f"{path} tells of {origins[0]} to {origins[-1]}, the rows of "
            f"{calendar.starts()[0]} to {calendar.ends()[-1]}: backtest the same rows."
        )
    return accuracy


@dataclass(frozen=True)
class _Score:
    origin: str
    model: str
    seed: int
    segment: str
    series: int
    metric: str
    value: float


def _accuracy(
    models: Sequence[str],
    origins: Sequence[np.datetime64],
    horizon: int,
    scores: Sequence[_Score],
    calendar: Calendar,
) -> Accuracy:
    chosen = next((model for model in _OURS if model in models), models[0])

    def values(model: str, metric: str, segment: str = ALL) -> list[float]:
        return [
            float(one.value)
            for one in scores
            if (one.model, one.metric, one.segment) == (model, metric, segment)
        ]

    def of(model: str) -> Scores:
        mae, rmse, bias = (fmean(values(model, m)) for m in ("mae", "rmse", "bias"))
        return Scores(words_for(model, calendar), mae, rmse, bias)

    others = {model: of(model) for model in models if model != chosen}
    rule = next((others[model] for model in _RULES if model in others), None)
    metrics = dict.fromkeys(one.metric for one in scores if one.metric.startswith(_COVERAGE))
    coverage = {
        float(metric.removeprefix(_COVERAGE)): 100 * fmean(values(chosen, metric))
        for metric in metrics
    }
    segments = {
        segment: (_series(scores, chosen, segment), fmean(values(chosen, "mae", segment)))
        for segment in NEWNESS
        if values(chosen, "mae", segment)
    }
    return Accuracy(
        ours=of(chosen),
        others=tuple(sorted(others.values(), key=lambda one: one.mae)),
        rule=rule or min(others.values(), key=lambda one: one.mae, default=None),
        coverage=dict(sorted(coverage.items())),
        segments=segments,
        totals=_total_errors(scores, chosen),
        when=_when(origins, calendar) + _ahead(horizon, calendar),
        series=_series(scores, chosen, ALL),
    )


def _when(origins: Sequence[np.datetime64], calendar: Calendar) -> str:
    first, last = (name(calendar, int(at)) for at in calendar.index_of(np.array(origins))[[0, -1]])
    word = WORD[calendar.freq]
    if len(origins) == 1:
        return f"{first}, the one {word} tried"
    return f"the {len(origins)} {word}s tried, {first} to {last}"


def _ahead(horizon: int, calendar: Calendar) -> str:
    return "" if horizon == 1 else f", {horizon} {WORD[calendar.freq]}s ahead each"


def _series(scores: Sequence[_Score], model: str, segment: str) -> int:
    sizes = [
        one.series
        for one in scores
        if (one.model, one.segment, one.metric) == (model, segment, "mae")
    ]
    return round(fmean(sizes))


def _total_errors(scores: Sequence[_Score], model: str) -> tuple[float, ...]:
    """(sum of forecasts - sum of truths) / sum of |truths| at each origin, the mean over seeds.

    The mean |truth| is MAE / WAPE.
    """
    found: dict[str, dict[str, list[float]]] = {}
    for one in scores:
        if one.model == model and one.segment == ALL:
            found.setdefault(one.origin, {}).setdefault(one.metric, []).append(one.value)
    return tuple(
        fmean(m["bias"]) * fmean(m["wape"]) / fmean(m["mae"])
        for _, m in sorted(found.items())
        if "wape" in m and fmean(m["mae"]) > 0
    )


def words_for(model: str, calendar: Calendar) -> str:
    """What a model of the backtest is, in plain words.

    Example:
        >>> months = Calendar("1mo", np.datetime64("2015-10-01"), 2)
        >>> words_for("mean-3", months)
        'mean of the last 3 months'
    """
    word = WORD[calendar.freq]
    known: dict[str, str] = {
        "nestcast": "nestcast",
        "seed": "nestcast, classical recipe",
        "zero": "nothing at all",
        "naive": f"same as last {word}" if word != "day" else "same as the day before",
        "seasonal-naive": "same as a week ago" if word == "day" else "same as a year ago",
        "croston": "Croston's method",
        "sba": "Croston's method, Syntetos-Boylan",
        "tsb": "TSB, smoothing for rare sales",
        "ets": "exponential smoothing (AutoETS)",
        "lightgbm": "LightGBM",
    }
    head, _, number = model.partition("-")
    if head == "mean" and number.isdecimal():
        return f"mean of the last {number} {word}s"
    return known.get(model, model)
