"""A backtest in one picture. Needs the extra `plots`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nestcast.errors import OptionError
from nestcast.evaluation.results import Backtest
from nestcast.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ENDINGS = (".png", ".svg", ".pdf")
_INK, _QUIET, _ACCENT = "#222222", "#9aa0a6", "#0b6e99"
_SHADES = ("#9ecae1", "#4292c6", "#08519c", "#08306b")


def check_possible(path: Path) -> None:
    """See that a plot can be drawn into `path`; call it before long work.

    Raises:
        OptionError: matplotlib is not installed, or the name has another ending.
    """
    if path.suffix not in _ENDINGS:
        raise OptionError(f"cannot draw {path}: end its name in {', '.join(_ENDINGS)}.")
    if find_spec("matplotlib") is None:
        raise OptionError("plots need matplotlib: pip install 'nestcast[plots]'.")


def plot(result: Backtest, path: str | Path, metric: str = "rmse") -> None:
    """Draw a backtest into a file.

    Three columns share their rows, one for each model, the best on top: the metric at each origin
    and its mean; the difference from the first model, with a 95% interval; and how often the
    intervals held the truth.

    Args:
        result: what to draw.
        path: a file; its ending chooses PNG, SVG or PDF.
        metric: which.

    Raises:
        OptionError: see `check_possible`; or no such metric.
    """
    path = Path(path)
    check_possible(path)
    picture = figure(result, metric)
    with replacing(path) as aside:
        picture.savefig(aside, dpi=160, metadata=no_date(path))


def figure(result: Backtest, metric: str = "rmse") -> Figure:
    """The picture as a matplotlib figure; see `plot`."""
    from matplotlib.figure import Figure

    order = sorted(result.models, key=lambda model: result.means(metric)[model], reverse=True)
    picture = Figure(figsize=(11, 1.7 + 0.36 * len(order)), layout="constrained")
    left, middle, right = picture.subplots(1, 3, sharey=True, width_ratios=(4, 4, 3))
    _draw_origins(left, result, metric, order)
    _draw_differences(middle, result, metric, order)
    _draw_coverage(right, result, order)
    left.set_yticks(range(len(order)), order)
    for axes in (left, middle, right):
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", color="#eceff1", zorder=0)
        axes.set_ylim(-0.6, len(order) - 0.4)
    first, last = result.origins[0].date, result.origins[-1].date
    series = round(float(np.mean([origin.cells.size.sum() for origin in result.origins])))
    picture.suptitle(
        f"{len(result.origins)} origins, {first} to {last}, {series:,} series each on average",
        x=0.01, ha="left", color=_INK, fontsize=11,
    )  # fmt: skip
    return picture


def _draw_origins(axes: Axes, result: Backtest, metric: str, order: list[str]) -> None:
    by_origin, means = result.by_origin(metric), result.means(metric)
    for row, model in enumerate(order):
        values = by_origin[model]
        axes.plot(values, np.full(len(values), row), "o", ms=4, mfc="none", mec=_QUIET, zorder=2)
        axes.plot(means[model], row, "o", ms=7, color=_ACCENT, zorder=3)
        axes.annotate(
            f"{means[model]:#.4g}", (means[model], row), (0, 7), textcoords="offset points",
            ha="center", fontsize=7.5, color=_INK,
        )  # fmt: skip
    axes.set_title(f"{metric.upper()}: mean (full) and each origin", loc="left", fontsize=9.5)
    axes.set_xlabel("less is better", fontsize=8, color=_QUIET)
    axes.margins(x=0.08)


def _draw_differences(axes: Axes, result: Backtest, metric: str, order: list[str]) -> None:
    away = {one.model: one for one in result.differences(metric)}
    reference = result.models[0]
    axes.axvline(0, color=_QUIET, lw=1, zorder=1)
    for row, model in enumerate(order):
        one = away[model]
        if model == reference:
            axes.plot(0, row, "D", ms=5, color=_INK, zorder=3)
            continue
        sure = one.percent_low > 0 or one.percent_high < 0
        axes.plot([one.percent_low, one.percent_high], [row, row], color=_ACCENT, lw=2, zorder=2)
        axes.plot(
            one.percent, row, "o", ms=6, mec=_ACCENT, mfc=_ACCENT if sure else "white", zorder=3
        )
    axes.set_title(
        f"{metric.upper()} against {reference}, %, with 95% interval", loc="left", fontsize=9.5
    )
    axes.set_xlabel("right of 0 is worse; hollow: could be chance", fontsize=8, color=_QUIET)


def _draw_coverage(axes: Axes, result: Backtest, order: list[str]) -> None:
    for number, level in enumerate(sorted(result.level)):
        shade = _SHADES[min(number, len(_SHADES) - 1)]
        axes.axvline(level, color=shade, lw=1, ls=(0, (4, 3)), zorder=1)
        held = result.means(f"coverage-{level:g}")
        axes.plot(
            [100 * held[model] for model in order], range(len(order)), "o",
            ms=6, color=shade, label=f"{level:g}%", zorder=3,
        )  # fmt: skip
    axes.set_title("truths inside each interval, %", loc="left", fontsize=9.5)
    axes.set_xlabel("dashed: what they should hold (counts: or more)", fontsize=8, color=_QUIET)
    axes.legend(
        fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0), handletextpad=0.1
    )


def no_date(path: Path) -> dict[str, None]:
    """So that the same backtest gives the same bytes."""
    dates = {".svg": "Date", ".pdf": "CreationDate"}
    return {dates[path.suffix]: None} if path.suffix in dates else {}
