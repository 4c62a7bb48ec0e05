"""A backtest of clicks in one picture. Needs the extra `plots`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nestcast.evaluation.click_metrics import reliability_table
from nestcast.evaluation.plots import check_possible, no_date
from nestcast.evaluation.results import Backtest
from nestcast.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK, _QUIET = "#222222", "#9aa0a6"
_COLOURS = ("#0b6e99", "#d1495b", "#66a182", "#edae49", "#7d5ba6", "#8d6e63")


def plot(result: Backtest, path: str | Path) -> None:
    """Draw a backtest of clicks into a file: reliability, calibration over time, coverage.

    Args:
        result: of clicks, with forecasts kept.
        path: a file; its ending chooses PNG, SVG or PDF.

    Raises:
        OptionError: matplotlib is not installed, the name has another ending, or forecasts were
            not kept.
    """
    path = Path(path)
    check_possible(path)
    picture = figure(result)
    with replacing(path) as aside:
        picture.savefig(aside, dpi=160, metadata=no_date(path))


def figure(result: Backtest) -> Figure:
    """The picture as a matplotlib figure; see `plot`."""
    from matplotlib.figure import Figure

    means = result.means("log-loss")
    order = sorted(means, key=lambda model: means[model])
    picture = Figure(figsize=(13, 4.6), layout="constrained")
    left, middle, right = picture.subplots(1, 3, width_ratios=(4, 4, 3))
    _draw_reliability(left, result, order)
    _draw_over_time(middle, result, order)
    _draw_coverage(right, result, order)
    for axes in (left, middle, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    first, last = result.origins[0].date, result.origins[-1].date
    picture.suptitle(
        f"{len(result.origins)} origins, {first} to {last}, {result.horizon} periods from each",
        x=0.01, ha="left", color=_INK, fontsize=11,
    )  # fmt: skip
    return picture


def _draw_reliability(axes: Axes, result: Backtest, order: list[str]) -> None:
    """Observed over predicted rates in bins of equal impressions."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    ends: list[float] = []
    for number, model in enumerate(order):
        table = reliability_table(*result.outcomes(model))
        positive = (table["predicted"] > 0) & (table["observed"] > 0)
        x, y = table["predicted"][positive], table["observed"][positive]
        away = np.stack([y - table["low"][positive], table["high"][positive] - y])
        colour = _COLOURS[number % len(_COLOURS)]
        axes.errorbar(
            x, y, np.maximum(away, 0), fmt="o-", ms=3.5, lw=1, elinewidth=0.8, color=colour,
            label=f"{model} ({means_text(result, model)})",
        )  # fmt: skip
        ends += [float(v) for v in (*x, *y)]
    if ends:
        low, high = min(ends) * 0.8, max(ends) * 1.25
        axes.plot([low, high], [low, high], color=_QUIET, lw=1, ls=(0, (4, 3)), zorder=0)
        axes.set_xscale("log")
        axes.set_yscale("log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(FuncFormatter(lambda rate, _: f"{100 * rate:g}%"))
            axis.set_minor_locator(NullLocator())
    axes.set_xlabel("predicted rate", fontsize=8)
    axes.set_ylabel("observed rate", fontsize=8)
    axes.set_title("Reliability (log-loss), bins of equal impressions", loc="left", fontsize=9.5)
    axes.legend(fontsize=7.5, frameon=False)


def means_text(result: Backtest, model: str) -> str:
    """The log-loss of a model as text."""
    return f"{result.means('log-loss')[model]:.5g}"


def _draw_over_time(axes: Axes, result: Backtest, order: list[str]) -> None:
    """Predicted over observed clicks at each origin."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    dates = np.array([origin.date for origin in result.origins])
    by_origin = result.by_origin("calibration")
    axes.axhline(1, color=_QUIET, lw=1, ls=(0, (4, 3)), zorder=0)
    for number, model in enumerate(order):
        axes.plot(
            dates.astype("M8[s]").astype(object), by_origin[model], "o-", ms=3.5, lw=1,
            color=_COLOURS[number % len(_COLOURS)],
        )  # fmt: skip
    axes.set_title("Clicks, predicted over observed, at each origin", loc="left", fontsize=9.5)
    locator = AutoDateLocator(maxticks=6)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _draw_coverage(axes: Axes, result: Backtest, order: list[str]) -> None:
    """How often clicks lay in each interval, by row and by impression."""
    levels = sorted(result.level)
    for number, model in enumerate(order):
        colour = _COLOURS[number % len(_COLOURS)]
        for suffix, style in (("", "o-"), ("-weighted", "s:")):
            held = [100 * result.means(f"coverage-{level:g}{suffix}")[model] for level in levels]
            axes.plot(levels, held, style, ms=4, lw=1, color=colour)
    ends = [min(levels) - 5, 100]
    axes.plot(ends, ends, color=_QUIET, lw=1, ls=(0, (4, 3)), zorder=0)
    axes.set_xlabel("level, %", fontsize=8)
    axes.set_title("Clicks inside each interval, %", loc="left", fontsize=9.5)
    axes.text(
        0.97, 0.04, "circles: each row the same\nsquares: by impressions", fontsize=7.5,
        transform=axes.transAxes, ha="right", color=_QUIET,
    )  # fmt: skip
