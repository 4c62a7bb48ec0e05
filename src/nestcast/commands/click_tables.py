"""What a backtest of clicks shows on screen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from nestcast.console import Messages
from nestcast.data import Panel
from nestcast.evaluation.results import Backtest
from nestcast.evaluation.scoring import Segment
from nestcast.evaluation.segments import ALL, NEWNESS, VOLUMES

_MOST_VALUES, _MOST_SEGMENTS = 8, 24


def key_segments(panel: Panel) -> dict[str, Segment]:
    """A segment for each value of the key columns that have few, such as placements."""
    found: dict[str, Segment] = {}
    if panel.exposure is None:
        return found
    for name in panel.keys.names:
        values = np.unique(panel.keys[name])
        if len(values) <= _MOST_VALUES and len(found) + len(values) <= _MOST_SEGMENTS:
            for value in values:
                found[f"{name} {value}"] = lambda origin, name=name, value=value: (  # type: ignore[misc]
                    origin.asked[name] == value
                )
    return found


def show_clicks(result: Backtest, say: Messages) -> None:
    """Tables, the best model first: log-loss, calibration and coverage, kinds of series."""
    means = result.means("log-loss")
    order = sorted(means, key=lambda model: means[model])
    first, last = result.origins[0].date, result.origins[-1].date
    series = round(sum(o.cells.size.sum() for o in result.origins) / len(result.origins))
    title = f"{len(result.origins)} origins, {first} to {last}, {series:,} series on average"
    against = {
        one.model: ""
        if one.model == one.reference
        else f"{one.percent:+.3f}% ({one.percent_low:+.3f} to {one.percent_high:+.3f})"
        for one in result.differences("log-loss")
    }
    columns = {
        "log-loss": _means(result, "log-loss", 6),
        f"against {result.models[0]} (95%)": against,
        "NE": _means(result, "normalised-entropy", 5),
        "excess x 1000": _means(result, "excess-loss", 4, 1000),
    }
    _table(say, title, order, columns)
    seconds = {model: f"{sum(spent):.1f}" for model, spent in result.seconds().items()}
    columns = {
        "clicks, predicted / observed": _means(result, "calibration", 4),
        "calibration error": _means(result, "calibration-error", 6),
        "seconds": seconds,
    }
    _table(say, "Calibration", order, columns)
    columns = {}
    for level in sorted(result.level):
        columns[f"in {level:g}%"] = _means(result, f"coverage-{level:g}", 3)
        columns[f"by impressions {level:g}%"] = _means(result, f"coverage-{level:g}-weighted", 3)
    _table(say, "Clicks inside each interval", order, columns)
    usual = [one for one in (ALL, *NEWNESS, *VOLUMES) if one in result.segments]
    own = [one for one in result.segments if one not in usual]
    for segments in (usual, own):
        shown = {
            segment.replace("volume", "shown"): _means(result, "normalised-entropy", 4, 1, segment)
            for segment in segments
        }
        # Sideways, as there are more kinds of series than models.
        rows = [
            [segment, *(values[model] for model in order)]
            for segment, values in shown.items()
            if any(values.values())
        ]
        if rows:
            say.table("Normalised entropy by kind of series", ["", *order], rows, right=True)


def _means(
    result: Backtest, metric: str, decimals: int, times: float = 1, segment: str = ALL
) -> dict[str, str]:
    return {
        model: f"{times * value:.{decimals}f}" if math.isfinite(value) else ""
        for model, value in result.means(metric, segment).items()
    }


def _table(
    say: Messages, title: str, order: Sequence[str], columns: Mapping[str, Mapping[str, str]]
) -> None:
    rows = [[model, *(column[model] for column in columns.values())] for model in order]
    say.table(title, ["model", *columns], rows, right=True)
