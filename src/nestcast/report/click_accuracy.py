"""How good rates of clicks were in a saved backtest, in plain words and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

METRICS = ("log-loss", "normalised-entropy", "calibration", "calibration-error")
_OURS = "nestcast"
_WORDS = {
    "nestcast": "nestcast",
    "pooled": "one rate for all",
    "last-week": "the rate of the last 7 days",
    "ewma": "smoothed clicks over smoothed impressions",
    "eb": "empirical Bayes",
    "lightgbm": "LightGBM",
}


@dataclass(frozen=True)
class ClickAccuracy:
    """What a backtest says of this way to forecast rates.

    Args:
        ours: the model that the diagram shows.
        models: words -> each of `METRICS`, the mean over seeds, the least log-loss first.
        coverage: interval in per cent -> share of impressions whose rates were inside, in per cent.
        reliability: of ours, bins of equal impressions: `predicted`, `observed`, `low`, `high` in
            per cent; empty where the backtest kept none.
        when: the origins in words.
    """

    ours: str
    models: dict[str, dict[str, float]]
    coverage: dict[float, float]
    reliability: list[dict[str, float]]
    when: str


def click_accuracy(
    found: Mapping[str, Any], scores: Sequence[Any], models: Sequence[str], when: str
) -> ClickAccuracy:
    """Gather what a saved backtest of clicks holds.

    Args:
        found: the file.
        scores: its scores, each with `model`, `segment`, `metric` and `value`.
        models: in the order of the file.
        when: the origins in words.
    """
    chosen = next((name for name in models if name.startswith(_OURS)), models[0])

    def mean(model: str, metric: str) -> float:
        return fmean(
            one.value
            for one in scores
            if (one.model, one.segment, one.metric) == (model, "all", metric)
        )

    table = {
        _WORDS.get(model, model): {metric: mean(model, metric) for metric in METRICS}
        for model in models
    }
    held = {
        one.metric: one.metric.removeprefix("coverage-").removesuffix("-weighted")
        for one in scores
        if one.metric.startswith("coverage-") and one.metric.endswith("-weighted")
    }
    coverage = {float(level): 100 * mean(chosen, metric) for metric, level in held.items()}
    rows = found.get("reliability", {}).get(chosen, [])
    reliability = [
        {name: 100 * float(row[name]) for name in ("predicted", "observed", "low", "high")}
        for row in rows
    ]
    return ClickAccuracy(
        ours=_WORDS.get(chosen, chosen),
        models=dict(sorted(table.items(), key=lambda one: one[1]["log-loss"])),
        coverage=dict(sorted(coverage.items())),
        reliability=reliability,
        when=when,
    )
