"""A look inside a forecaster's network as a picture. Needs the extra `plots`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nestcast.lab.figure import COLOURS, INK, QUIET
from nestcast.lab.inside_figure import draw_autocorrelations, draw_levels
from nestcast.lab.series_inside import SeriesLook

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_DATES = 3  # that fit below a heat map
_MOST_LINES = 4  # periods ahead whose influences are drawn


def picture(look: SeriesLook) -> Figure:
    """From top to bottom: the series and its forecast, gates and memories, how slow, how far back.

    Heat maps have time from left to right; units are from top to bottom, those whose memory moves
    slowest first.
    """
    from matplotlib.figure import Figure

    middle = 1.55 * len(look.traces)
    whole = Figure(figsize=(12, 2.2 + middle + 2.9), layout="constrained")
    whole.suptitle(f"{look.name}: {look.cell}", x=0.01, ha="left", fontsize=14, color=INK)
    parts = whole.subfigures(3, 1, height_ratios=[2.2, middle, 2.9], squeeze=False)
    upper, levels, lower = parts[:, 0]
    _draw_series(upper.subplots(), look)
    draw_levels(levels, look.traces, _dates(look))
    slow, back = lower.subplots(1, 2, width_ratios=(4, 7))
    draw_autocorrelations(slow, look.autocorrelations, look.over)
    _draw_influences(back, look)
    return whole


def _dates(look: SeriesLook) -> list[str]:
    """A label for some of the steps: the period read last; no label for others."""
    every = -(-len(look.periods) // _MOST_DATES)
    length = 7 if _is_monthly(look) else 10
    return [
        str(one)[:length] if at % every == every // 2 else "" for at, one in enumerate(look.periods)
    ]


def _is_monthly(look: SeriesLook) -> bool:
    return bool((look.periods[-1] - look.periods[-2]).astype(int) > 7)


def _draw_series(axes: Axes, look: SeriesLook) -> None:
    axes.plot(look.periods, look.values, "-o", color=COLOURS[0], lw=1.5, ms=3, label="happened")
    axes.plot(look.ahead, look.mean, "o", color=COLOURS[1], ms=6, label="this network's mean")
    axes.set_title("The series", loc="left", fontsize=10)
    axes.set_ylim(bottom=min(0.0, float(np.nanmin([0.0, *look.values]))))
    axes.legend(frameon=False, fontsize=8, loc="lower right", ncols=2, bbox_to_anchor=(1, 1))
    axes.grid(axis="y", color="#eceff1")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def _draw_influences(axes: Axes, look: SeriesLook) -> None:
    steps = np.arange(len(look.periods))
    if len(look.influences) == 1:
        axes.bar(steps, look.influences[0], color=COLOURS[0], width=0.8)
    else:
        far = np.unique(np.linspace(0, len(look.influences) - 1, _MOST_LINES).round().astype(int))
        for number, at in enumerate(far):
            colour = COLOURS[number % len(COLOURS)]
            axes.plot(steps, look.influences[at], color=colour, lw=1.6, label=str(look.ahead[at]))
        axes.legend(
            frameon=False, fontsize=8, loc="upper left", title="forecast of", title_fontsize=8
        )
    axes.set_ylim(bottom=0)
    axes.set_title("How much each step matters to the forecast", loc="left", fontsize=10)
    axes.set_ylabel("gradient norm", fontsize=9)
    axes.set_xlabel("last period read", fontsize=9)
    shown = [(at, label) for at, label in enumerate(_dates(look)) if label]
    axes.set_xticks([at for at, _ in shown], [label for _, label in shown], fontsize=8)
    axes.tick_params(axis="y", labelsize=8, colors=QUIET)
    axes.spines[["top", "right"]].set_visible(False)
