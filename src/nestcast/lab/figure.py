"""Loss over training in one picture. Needs the extra `plots`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nestcast.files import replacing
from nestcast.lab.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, QUIET = "#222222", "#8a9096"
# Okabe and Ito's colours, which differ for colour-blind readers too.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#444444", "#b8a800")


def possible() -> bool:
    """Whether figures can be drawn: whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def save(picture: Figure, path: Path) -> None:
    """Write a figure whole; the same figure gives the same bytes."""
    import matplotlib

    dates = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    with replacing(path) as aside, matplotlib.rc_context({"svg.hashsalt": "nestcast"}):
        picture.savefig(aside, dpi=150, metadata=dates.get(path.suffix, {}))


def learning_curves(found: Results) -> Figure:
    """Loss over epochs, validation solid and test dotted, and the test loss of every seed.

    Bands reach from the least to the greatest of the seeds. Each line ends with the last epoch
    that all seeds of its cell reached.
    """
    from matplotlib.figure import Figure

    picture = Figure(figsize=(10.5, 5), layout="constrained")
    left, right = picture.subplots(1, 2, width_ratios=(7, 4))
    colours = dict(zip(found["cells"], _enough_colours(len(found["cells"])), strict=True))
    order = sorted(found["cells"], key=lambda cell: found["cells"][cell]["test"]["nll"])
    for cell in order:
        _draw_curves(left, found["cells"][cell], cell, colours[cell])
    _frame_curves(left, found, order)
    _draw_last(right, found, order, colours)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return picture


def _draw_curves(axes: Axes, one: Results, cell: str, colour: str) -> None:
    for text, style in (("valid", "-"), ("test", ":")):
        values = _by_seed(one, text)  # (seeds, epochs)
        epochs = np.arange(1, values.shape[1] + 1)
        label = cell if text == "valid" else None
        axes.plot(epochs, values.mean(axis=0), style, color=colour, lw=1.9, label=label)
        if text == "valid" and len(values) > 1:
            axes.fill_between(
                epochs, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.18, lw=0
            )


def _by_seed(one: Results, text: str) -> np.ndarray:
    shared = min(len(run["epochs"]) for run in one["seeds"])
    return np.array(
        [[epoch[text]["nll"] for epoch in run["epochs"][:shared]] for run in one["seeds"]]
    )


def _frame_curves(axes: Axes, found: Results, order: Sequence[str]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    seeds = max(len(one["seeds"]) for one in found["cells"].values())
    axes.set_title(
        "Loss after each epoch: validation solid, test dotted"
        + (f"; bands: {seeds} seeds" if seeds > 1 else ""),
        loc="left", fontsize=10, color=INK,
    )  # fmt: skip
    axes.set_xlabel("epoch")
    axes.set_ylabel("negative log-likelihood per character, nats")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color="#eceff1", zorder=0)
    handles, _ = axes.get_legend_handles_labels()
    handles += [
        Line2D([], [], color=INK, ls="-", label="validation"),
        Line2D([], [], color=INK, ls=":", label="test"),
    ]
    axes.legend(handles=handles, frameon=False, fontsize=9, title="best on test first", loc="best")


def _draw_last(axes: Axes, found: Results, order: Sequence[str], colours: dict[str, str]) -> None:
    for row, cell in enumerate(reversed(order)):
        test = found["cells"][cell]["test"]
        seeds = test["seeds"]
        axes.plot(seeds, [row] * len(seeds), "o", ms=6, mfc="none", mec=colours[cell], zorder=3)
        axes.plot(test["nll"], row, "o", ms=8, color=colours[cell], zorder=2)
        axes.annotate(
            f"{test['nll']:.3f}", (test["nll"], row), (0, 9), textcoords="offset points",
            ha="center", fontsize=8.5, color=INK,
        )  # fmt: skip
    axes.set_yticks(range(len(order)), list(reversed(order)))
    axes.set_ylim(-0.6, len(order) - 0.3)
    axes.margins(x=0.15)
    axes.set_title("Test loss at the best validation epoch", loc="left", fontsize=10, color=INK)
    axes.set_xlabel("nats per character; full: mean, hollow: seeds")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color="#eceff1", zorder=0)


def _enough_colours(count: int) -> list[str]:
    return [COLOURS[number % len(COLOURS)] for number in range(count)]
