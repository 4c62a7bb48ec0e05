"""Cells compared as forecasters in one picture. Needs the extra `plots`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nestcast.lab.figure import COLOURS, INK, QUIET
from nestcast.lab.results import Results
from nestcast.lab.series_results import METRICS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def differences(found: Results) -> Figure:
    """How far each cell is from the first, in error and in time.

    A row for each cell, the lowest RMSE on top. Lines are 95% intervals, coloured where they leave
    out 0; hollow dots are single runs, against the first cell's with the same seed at the same
    origin.
    """
    from matplotlib.figure import Figure

    first = next(iter(found["cells"]))
    order = sorted(found["cells"], key=lambda cell: -float(found["cells"][cell]["rmse"]))
    picture = Figure(figsize=(11.5, 1.6 + 0.42 * len(order)), layout="constrained")
    *errors, seconds = picture.subplots(1, 3, sharey=True, width_ratios=(4, 4, 2))
    for axes, (metric, name) in zip(errors, METRICS.items(), strict=True):
        _draw_errors(axes, found, metric, order, first)
        axes.set_title(f"{name} against {first}", loc="left", fontsize=10, color=INK)
        axes.set_xlabel("per cent; left is better", fontsize=9)
    for row, cell in enumerate(order):
        spent = found["cells"][cell]["processor_seconds"]
        seconds.barh(row, spent, height=0.5, color="#c9d2d9", zorder=2)
        seconds.annotate(
            f"{spent:,.0f}", (spent, row), (4, 0), textcoords="offset points", va="center",
            fontsize=8.5, color=INK,
        )  # fmt: skip
    seconds.set_title("Training", loc="left", fontsize=10, color=INK)
    seconds.set_xlabel("processor seconds", fontsize=9)
    seconds.margins(x=0.2)
    errors[0].set_yticks(range(len(order)), order)
    errors[0].set_ylim(-0.6, len(order) - 0.4)
    for axes in (*errors, seconds):
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.tick_params(axis="x", labelsize=8.5)
    return picture


def _draw_errors(axes: Axes, found: Results, metric: str, order: list[str], first: str) -> None:
    against = {
        one["model"]: one
        for one in found["differences"]
        if one["metric"] == metric and one["reference"] == first
    }
    runs = {(run["cell"], run["seed"], run["origin"]): run[metric] for run in found["runs"]}
    axes.axvline(0, color=INK, lw=1, zorder=1)
    axes.grid(axis="x", color="#eceff1", zorder=0)
    for row, cell in enumerate(order):
        if cell == first:
            axes.plot(0, row, "D", ms=6, color=INK, zorder=4)
            continue
        one = against[cell]
        colour = (COLOURS[2] if one["high"] < 0 else COLOURS[1]) if one["shown"] else QUIET
        singles = [
            100 * (score / runs[first, seed, origin] - 1)
            for (name, seed, origin), score in runs.items()
            if name == cell and runs[first, seed, origin] > 0
        ]
        axes.plot(
            singles, np.full(len(singles), row - 0.22), "o", ms=3.5, mfc="none", mec=colour,
            mew=0.7, alpha=0.8, zorder=2,
        )  # fmt: skip
        if one["percent"] is not None:
            axes.plot([one["percent_low"], one["percent_high"]], [row] * 2, color=colour, lw=2.4)
            axes.plot(one["percent"], row, "o", ms=7, color=colour, zorder=4)
