"""A look inside a cell as a picture. Needs the extra `plots`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nestcast.errors import OptionError
from nestcast.lab.figure import COLOURS, INK
from nestcast.lab.inside import Look, Trace, by_lag

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GATES, _SIGNED = "cividis", "RdBu_r"


def picture(looks: Sequence[Look], font: Path | None = None) -> Figure:
    """One block for each model.

    Rows of heat maps are levels or layers, with a column for each gate and the memory; units are
    from top to bottom, those whose memory moves slowest first, and time goes to the right. Below
    are how slowly the memories move, which past characters each prediction depends on, and how
    that fades.

    Args:
        looks: one for each model.
        font: a font file that has the characters of the line.

    Raises:
        OptionError: the font cannot be read.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    family = font_for("".join(looks[0].characters) + "·", font)
    with rc_context({"font.family": ["DejaVu Sans", *([family] if family else [])]}):
        heights = [1.55 * len(look.traces) + 2.9 for look in looks]
        whole = Figure(figsize=(12, sum(heights)), layout="constrained")
        blocks = whole.subfigures(len(looks), 1, height_ratios=heights, squeeze=False)
        for block, look in zip(blocks[:, 0], looks, strict=True):
            upper, lower = block.subfigures(2, 1, height_ratios=[1.55 * len(look.traces), 2.9])
            block.suptitle(look.cell, x=0.01, ha="left", fontsize=14, color=INK)
            labels = [one if one.isprintable() and one != " " else "·" for one in look.characters]
            if family is None:
                labels = [str(number) for number in range(len(labels))]
            draw_levels(upper, look.traces, labels)
            slow, matrix, fading = lower.subplots(1, 3, width_ratios=(3, 3, 3))
            over = f"{look.lines:,} lines" if look.lines > 1 else "this line"
            draw_autocorrelations(slow, look.autocorrelations, over)
            _draw_influences(matrix, look, labels)
            _draw_fading(fading, look)
    return whole


def draw_levels(block: object, traces: Sequence[Trace], labels: Sequence[str]) -> None:
    """Heat maps: a row for each level or layer, a column for each gate and the memory.

    Args:
        block: figure or part of one.
        traces: the levels or layers.
        labels: of the steps; an empty one is not written.
    """
    columns = [*traces[0].gates, "memory"]
    grid = block.subplots(len(traces), len(columns), squeeze=False, sharex=True)  # type: ignore[attr-defined]
    for row, one in enumerate(traces):
        order = _slowest_first(one)
        for column, name in enumerate(columns):
            axes: Axes = grid[row, column]
            values = one.memory if name == "memory" else one.gates[name]
            signed = name in ("memory", "candidate")
            reach = max(float(np.abs(values).max()), 1e-9) if name == "memory" else 1.0
            image = axes.imshow(
                values.T[order], aspect="auto", interpolation="nearest",
                cmap=_SIGNED if signed else _GATES, vmin=-reach if signed else 0, vmax=reach,
            )  # fmt: skip
            axes.set_yticks([])
            if row == 0:
                axes.set_title(f"{name} gate" if name in _IS_GATE else name, fontsize=10)
            if column == 0:
                axes.set_ylabel(f"{one.name}\n{values.shape[1]} units", fontsize=9)
            if row == len(traces) - 1:
                _label_time(axes, labels, width=105)
            bar = block.colorbar(image, ax=axes, fraction=0.05, pad=0.02)  # type: ignore[attr-defined]
            bar.ax.tick_params(labelsize=6)
            bar.outline.set_visible(False)


_IS_GATE = ("input", "forget", "output", "reset", "update")


def _slowest_first(one: Trace) -> np.ndarray:
    from nestcast.lab.inside import autocorrelation

    return np.argsort(-np.nan_to_num(autocorrelation([one.memory]), nan=-2), kind="stable")


def draw_autocorrelations(
    axes: Axes, autocorrelations: Mapping[str, np.ndarray], over: str
) -> None:
    """Histograms of how slowly the units of each memory move.

    Args:
        axes: where.
        autocorrelations: by name of the level.
        over: what they were measured on, in words.
    """
    for number, (name, values) in enumerate(autocorrelations.items()):
        known, colour = values[np.isfinite(values)], COLOURS[number % len(COLOURS)]
        axes.hist(known, bins=40, range=(-1, 1), color=colour, alpha=0.45)
        label = f"{name}: {known.mean():.2f} on average"
        axes.axvline(known.mean(), color=colour, lw=2, label=label)
    axes.set_title(f"How slowly memory moves ({over})", loc="left", fontsize=10)
    axes.set_xlabel("lag-1 autocorrelation; right is slower", fontsize=9)
    axes.set_ylabel("units", fontsize=9)
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    axes.set_xlim(-1, 1)
    axes.set_xticks([-1, -0.5, 0, 0.5, 1])
    axes.spines[["top", "right"]].set_visible(False)


def _draw_influences(axes: Axes, look: Look, labels: Sequence[str]) -> None:
    shares = look.influences / look.influences.sum(axis=1, keepdims=True)
    hidden = np.triu(np.ones_like(shares, dtype=bool), 1)
    axes.imshow(np.ma.masked_array(shares, hidden), cmap="magma_r", vmin=0, aspect="auto")
    axes.set_title("What each prediction looks back at", loc="left", fontsize=10)
    axes.set_xlabel("character read", fontsize=9)
    axes.set_ylabel("predicted after", fontsize=9)
    _label_time(axes, labels)
    axes.set_yticks(range(len(labels)), labels, fontsize=_size(labels))
    axes.spines[["top", "right"]].set_visible(False)


def _draw_fading(axes: Axes, look: Look) -> None:
    values = by_lag(look.influences / look.influences.sum(axis=1, keepdims=True))
    axes.plot(values, color=COLOURS[0], lw=1.8)
    axes.fill_between(range(len(values)), values, color=COLOURS[0], alpha=0.12, lw=0)
    axes.set_yscale("log")
    axes.set_title("How influence fades", loc="left", fontsize=10)
    axes.set_xlabel("steps back", fontsize=9)
    axes.set_ylabel("share of the gradient", fontsize=9)
    axes.grid(color="#eceff1")
    axes.spines[["top", "right"]].set_visible(False)


def _label_time(axes: Axes, labels: Sequence[str], width: float = 150) -> None:
    shown = {at: label for at, label in enumerate(labels) if label}
    axes.set_xticks(list(shown), list(shown.values()), fontsize=_size(list(shown), width))
    axes.tick_params(length=0)


def _size(labels: Sequence[object], width: float = 150) -> float:
    """Of a font, in points, with which the labels fit into a width in points."""
    return max(2.0, min(8.0, width / len(labels)))


def font_for(text: str, file: Path | None = None) -> str | None:
    """The name of a font that has every character, or None where none is installed.

    Raises:
        OptionError: the file is no font.
    """
    from matplotlib import font_manager

    if file is not None:
        try:
            font_manager.fontManager.addfont(file)
            return font_manager.FontProperties(fname=file).get_name()
        except (OSError, RuntimeError) as error:
            raise OptionError(f"cannot read the font {file}: {error}.".split("\n")[0]) from None
    wanted = {ord(one) for one in text if not (one.isspace() or one.isascii())}
    fonts = font_manager.fontManager.ttflist
    for entry in sorted(fonts, key=lambda one: one.name != "DejaVu Sans"):
        if entry.name.startswith("Last Resort"):  # has a box for everything
            continue
        if wanted <= _characters_of(entry.fname):
            return str(entry.name)
    return None


def _characters_of(file: str) -> set[int]:
    from matplotlib import font_manager

    try:
        return set(font_manager.get_font(file).get_charmap())
    except (OSError, RuntimeError):  # a font of a kind that matplotlib cannot read
        return set()
