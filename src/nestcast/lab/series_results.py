"""What a comparison on series found: numbers for machines, tables and sentences for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from nestcast.evaluation.bootstrap import Difference
from nestcast.evaluation.results import Backtest, Run
from nestcast.evaluation.scoring import value
from nestcast.lab.results import Results, markdown_table
from nestcast.lab.series import Compared

METRICS = {"rmse": "RMSE", "quantile-loss": "quantile loss"}
ONE_SEED = "With one seed, intervals do not tell what another training would change."
_VARIANTS = ("nested-additive", "nested-identity")  # of the Nested LSTM with as many levels


def results(found: Compared, settings: Mapping[str, Any]) -> Results:
    """All that was measured, as JSON can hold it.

    Args:
        found: the runs.
        settings: of the comparison.
    """
    scores = found.scores
    runs = [_run(scores, run) for run in scores.runs]
    return {
        "settings": dict(settings),
        "origins": [str(origin.date) for origin in scores.origins],
        "series": [int(origin.cells.size.sum()) for origin in scores.origins],
        "items": [len(np.unique(origin.cells.cluster)) for origin in scores.origins],
        "cells": {cell: _cell(cell, found, runs) for cell in scores.models},
        "differences": [
            one
            for cell, other in _pairs(scores.models)
            for metric in METRICS
            for one in _differences(scores, metric, cell, other)
        ],
        "runs": runs,
    }


def _run(scores: Backtest, run: Run) -> dict[str, Any]:
    return {
        "cell": run.model,
        "seed": run.seed,
        "origin": str(scores.origins[run.origin].date),
        **{metric: float(value(metric, run.sums[metric].sum(axis=0))) for metric in METRICS},
        "seconds": run.fit_seconds,
    }


def _cell(cell: str, found: Compared, runs: list[dict[str, Any]]) -> dict[str, Any]:
    scores, costs = found.scores, found.costs[cell]
    own = [run for run in runs if run["cell"] == cell]
    seeds = sorted({run["seed"] for run in own})
    by_seed = {
        metric: [float(np.mean([r[metric] for r in own if r["seed"] == seed])) for seed in seeds]
        for metric in METRICS
    }
    sizes = asdict(costs[-1])  # embeddings may differ between origins, for what was known then
    del sizes["processor_seconds"]
    return {
        **sizes,
        **{metric: scores.means(metric)[cell] for metric in (*METRICS, "mae", "coverage-80")},
        "by_origin": {m: scores.by_origin(m)[cell].tolist() for m in METRICS},
        "by_seed": by_seed,
        "processor_seconds": float(np.median([cost.processor_seconds for cost in costs])),
        "seconds": float(np.median([run["seconds"] for run in own])),
    }


def _pairs(cells: list[str]) -> list[tuple[str, str]]:
    """Which cells are compared: every one with the first, and variants with what they vary."""
    first, *others = cells
    pairs = [(cell, first) for cell in others]
    for cell in others:
        kind, _, levels = cell.partition(":")
        if kind in _VARIANTS and (original := f"nested:{levels}") in others:
            pairs.append((cell, original))
    return pairs


def _differences(scores: Backtest, metric: str, cell: str, other: str) -> list[dict[str, Any]]:
    pair = Backtest(
        scores.origins,
        tuple(run for run in scores.runs if run.model in (cell, other)),
        scores.level,
        scores.horizon,
    )
    return [
        {
            "metric": metric,
            "shown": is_shown(one),
            "sentence": sentence(one, metric),
            **one.as_dict(),
        }
        for one in pair.differences(metric, reference=other, draws=2000, draw_seeds=True)
        if one.model == cell
    ]


def is_shown(one: Difference) -> bool:
    """Whether the interval leaves out 0."""
    return one.low > 0 or one.high < 0


def sentence(one: Difference, metric: str) -> str:
    """What a difference tells.

    Example:
        >>> one = Difference("gru:1", "lstm:1", 2.02, 0.02, -0.01, 0.05, 1.0, -0.5, 2.5)
        >>> print(sentence(one, "rmse"))
        gru:1 and lstm:1: no difference shown in RMSE (+1.0%, 95% interval -0.5% to +2.5%)
    """
    name = METRICS[metric]
    numbers = (
        f"({one.percent:+.1f}%, 95% interval {one.percent_low:+.1f}% to {one.percent_high:+.1f}%)"
    )
    if not np.isfinite(one.percent):  # the other one makes no error
        numbers = f"({one.difference:+.4f}, 95% interval {one.low:+.4f} to {one.high:+.4f})"
    if not is_shown(one):
        return f"{one.model} and {one.reference}: no difference shown in {name} {numbers}"
    word = "better" if one.difference < 0 else "worse"
    return f"{one.model} is {word} than {one.reference} in {name} {numbers}"


def conditions(found: Results) -> str:
    """How much was measured, in words."""
    origins, seeds = found["origins"], _seeds(found)
    series = round(sum(found["series"]) / len(origins))
    each = f"{seeds} seeds" if seeds > 1 else "1 seed"
    if len(origins) == 1:
        return f"1 origin, {origins[0]}; {each}; {series:,} series"
    dates = f"{origins[0]} to {origins[-1]}"
    return f"{len(origins)} origins, {dates}; {each} at each; {series:,} series on average"


def _seeds(found: Results) -> int:
    return 1 + max(int(run["seed"]) for run in found["runs"])


def table(found: Results) -> tuple[list[str], list[list[str]]]:
    """Header and a row for each cell, the lowest RMSE first."""
    first = next(iter(found["cells"]))
    against = {
        (one["model"], one["metric"]): one
        for one in found["differences"]
        if one["reference"] == first
    }
    header = ["cell", "hidden", "parameters", "in cell"]
    for name in METRICS.values():
        header += [name, f"against {first} (95%)"]
    header += ["in 80%", "training s"]
    rows = []
    for cell, one in sorted(found["cells"].items(), key=lambda pair: pair[1]["rmse"]):
        row = [cell, f"{one['hidden']:,}", f"{one['parameters']:,}", f"{one['in_cell']:,}"]
        for metric in METRICS:
            row += [f"{one[metric]:.4f}", _interval(against.get((cell, metric)))]
        row += [f"{one['coverage-80']:.3f}", f"{one['processor_seconds']:.1f}"]
        rows.append(row)
    return header, rows


def _interval(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return "-"
    if one["percent"] is None:
        return f"{one['difference']:+.4f} ({one['low']:+.4f} to {one['high']:+.4f})"
    return f"{one['percent']:+.1f}% ({one['percent_low']:+.1f} to {one['percent_high']:+.1f})"


def markdown(found: Results) -> str:
    """The tables and sentences as Markdown."""
    by_origin = [
        [cell, *(f"{one:.4f}" for one in values["by_origin"]["rmse"])]
        for cell, values in found["cells"].items()
    ]
    parts = [
        f"{conditions(found)}.",
        markdown_table(*table(found)),
        markdown_table(["RMSE by origin", *found["origins"]], by_origin)
        if len(found["origins"]) > 1
        else "",
        "\n".join(f"- {one['sentence']}" for one in found["differences"]),
        "" if _seeds(found) > 1 else ONE_SEED,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"
