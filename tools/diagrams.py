"""Draw the diagrams of docs/nested-lstm.md: python tools/diagrams.py."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch

from nestcast.nn import NestedLSTM

FOLDER = Path(__file__).parents[1] / "docs" / "nested-lstm"
INK, QUIET, PAPER = "#263238", "#90a4ae", "#f7f9fa"
FORGET, INPUT, CANDIDATE, OUTPUT = "#d55e00", "#0072b2", "#009e73", "#aa4499"
MEMORY = "#e69f00"


def canvas(width: float, height: float, scale: float = 0.78) -> tuple[Figure, Axes]:
    """An empty sheet, in the units in which we draw."""
    figure = Figure(figsize=(width * scale, height * scale))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.set_aspect("equal")
    axes.axis("off")
    return figure, axes


def arrow(axes, *points, color=INK, width=1.6, head=True, style="-"):
    """A line through the points, with a head at the last."""
    xs, ys = zip(*points, strict=True)
    axes.plot(xs, ys, style, color=color, lw=width, solid_capstyle="round", zorder=2)
    if head:
        axes.annotate(
            "", points[-1], points[-2], zorder=3,
            arrowprops={"arrowstyle": "-|>", "color": color, "lw": width, "shrinkA": 0,
                        "shrinkB": 0, "mutation_scale": 12},
        )  # fmt: skip


def box(axes, x, y, text, color, width=0.95, height=0.6, size=10):
    """A small network: a gate or the candidate."""
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2), width, height, fc=color, ec="none", zorder=4,
            boxstyle="round,pad=0,rounding_size=0.1",
        )
    )  # fmt: skip
    axes.text(x, y, text, color="white", ha="center", va="center", size=size, zorder=5)


def dot(axes, x, y, text, color=INK, radius=0.24, size=12):
    """An operation on each unit."""
    axes.add_patch(Circle((x, y), radius, fc="white", ec=color, lw=1.6, zorder=4))
    axes.text(x, y - 0.015, text, color=color, ha="center", va="center", size=size, zorder=5)


def note(axes, x, y, text, color=INK, size=10, **more):
    """A few words."""
    axes.text(x, y, text, color=color, size=size, **({"ha": "center", "va": "center"} | more))


def frame(axes, x, y, width, height, fc=PAPER, ec=QUIET, style="-", z=0):
    """The wall of a cell."""
    axes.add_patch(
        FancyBboxPatch(
            (x, y), width, height, boxstyle="round,pad=0,rounding_size=0.25", fc=fc, ec=ec, lw=1.3,
            ls=style, zorder=z,
        )
    )  # fmt: skip


def gates_of_a_cell(axes: Axes) -> None:
    """What an LSTM and a Nested LSTM have in common."""
    frame(axes, 1.1, 0.35, 9.3, 5.9)
    arrow(axes, (0.1, 0.8), (7.9, 0.8), (7.9, 1.35))
    for x in (2.4, 4.5, 6.0):
        arrow(axes, (x, 0.8), (x, 1.35))
    note(axes, 0.1, 1.08, "$x_t,\\; h_{t-1}$", ha="left")
    box(axes, 2.4, 1.65, "forget $f$", FORGET, 1.25)
    box(axes, 4.5, 1.65, "input $i$", INPUT, 1.15)
    box(axes, 6.0, 1.65, "candidate $g$", CANDIDATE, 1.6)
    box(axes, 7.9, 1.65, "output $o$", OUTPUT, 1.3)
    arrow(axes, (2.4, 1.95), (2.4, 4.56), color=FORGET)
    dot(axes, 2.4, 4.8, "×", FORGET)
    arrow(axes, (4.5, 1.95), (4.5, 2.7), (5.01, 2.7), color=INPUT)
    arrow(axes, (6.0, 1.95), (6.0, 2.7), (5.49, 2.7), color=CANDIDATE)
    dot(axes, 5.25, 2.7, "×")
    # out: h = o * tanh(c)
    arrow(axes, (9.4, 4.8), (9.4, 3.85), color=MEMORY, width=2.2)
    box(axes, 9.4, 3.55, "tanh", INK, 0.9)
    arrow(axes, (9.4, 3.25), (9.4, 2.54))
    dot(axes, 9.4, 2.3, "×", OUTPUT)
    arrow(axes, (7.9, 1.95), (7.9, 2.3), (9.16, 2.3), color=OUTPUT)
    arrow(axes, (9.4, 2.06), (9.4, 0.8), (11.5, 0.8))
    note(axes, 11.45, 1.08, "$h_t$", ha="right")
    arrow(axes, (0.1, 4.8), (2.16, 4.8), color=MEMORY, width=2.6)
    note(axes, 0.1, 5.1, "$c_{t-1}$", ha="left")
    note(axes, 11.45, 5.1, "$c_t$", ha="right")


def lstm() -> Figure:
    """The cell of an LSTM."""
    figure, axes = canvas(11.6, 6.6)
    gates_of_a_cell(axes)
    arrow(axes, (2.64, 4.8), (5.01, 4.8), color=MEMORY, width=2.6)
    arrow(axes, (5.25, 2.94), (5.25, 4.56))
    dot(axes, 5.25, 4.8, "+", MEMORY)
    arrow(axes, (5.49, 4.8), (11.5, 4.8), color=MEMORY, width=2.6)
    note(axes, 3.8, 5.1, "what is kept", MEMORY)
    note(axes, 5.4, 3.7, "what is added", ha="left")
    note(axes, 7.4, 5.1, "memory", MEMORY)
    return figure


def nested() -> Figure:
    """The cell of a Nested LSTM: where there was a plus, there is an LSTM."""
    figure, axes = canvas(11.6, 6.6)
    gates_of_a_cell(axes)
    frame(axes, 3.65, 3.45, 5.1, 2.6, fc="#fff7e0", ec=MEMORY, z=1)
    arrow(axes, (2.64, 4.8), (3.65, 4.8), color=MEMORY, width=2.6)
    note(axes, 3.1, 5.1, "$f\\, c_{t-1}$", MEMORY)
    arrow(axes, (5.25, 2.94), (5.25, 3.45))
    note(axes, 5.42, 3.18, "$i\\, g$", ha="left")
    arrow(axes, (8.75, 4.8), (11.5, 4.8), color=MEMORY, width=2.6)
    # the inner cell, small
    top = 5.5
    arrow(axes, (3.3, top), (4.35, top), width=2, color="#8d6e00")
    arrow(axes, (4.6, top), (5.75, top), width=2, color="#8d6e00", head=False)
    arrow(axes, (6.0, top), (9.15, top), width=2, color="#8d6e00")
    note(axes, 3.1, top + 0.28, "$\\tilde c_{t-1}$", "#8d6e00")
    note(axes, 9.35, top + 0.25, "$\\tilde c_t$", "#8d6e00")
    y = 4.02
    arrow(axes, (3.65, 4.8), (3.95, 4.8), (3.95, 3.6), (7.3, 3.6), head=False, width=1.3)
    for x in (4.45, 5.5, 6.3, 7.3):  # they read f c as their hidden state and i g as their input
        arrow(axes, (x, 3.6), (x, 3.78), width=1.0)
    arrow(axes, (5.25, 3.45), (5.25, 3.6), head=False)
    for x, name, color in zip(
        (4.45, 5.5, 6.3, 7.3), "figo", (FORGET, INPUT, CANDIDATE, OUTPUT), strict=True
    ):
        box(axes, x, y, f"$\\tilde {name}$", color, 0.6, 0.48)
    arrow(axes, (4.45, 4.27), (4.45, top - 0.17), color=FORGET, width=1.3)
    dot(axes, 4.45, top, "×", FORGET, 0.17, 9)
    arrow(axes, (5.5, 4.27), (5.5, 4.75), (5.73, 4.75), color=INPUT, width=1.3)
    arrow(axes, (6.3, 4.27), (6.3, 4.75), (6.07, 4.75), color=CANDIDATE, width=1.3)
    dot(axes, 5.9, 4.75, "×", INK, 0.17, 9)
    arrow(axes, (5.9, 4.92), (5.9, top - 0.17), width=1.3)
    dot(axes, 5.9, top, "+", MEMORY, 0.17, 10)
    arrow(axes, (8.1, top), (8.1, 4.97), color="#8d6e00", width=1.6)
    dot(axes, 8.1, 4.8, "×", OUTPUT, 0.17, 9)
    arrow(axes, (7.3, 4.27), (7.3, 4.8), (7.93, 4.8), color=OUTPUT, width=1.3)
    arrow(axes, (8.27, 4.8), (8.75, 4.8), color=MEMORY, width=2.6, head=False)
    note(axes, 8.17, 5.17, "tanh", size=7.5, ha="left")
    note(axes, 6.2, 6.25 - 0.4, "the inner LSTM", "#8d6e00", 9.5)
    return figure


def arrangements() -> Figure:
    """One layer, two layers stacked, two levels nested, over three steps."""
    figure, axes = canvas(13.2, 4.3, 0.72)
    titles = {
        "one": "one LSTM",
        "stacked": "stacked: two LSTMs, one above the other",
        "nested": "nested: one LSTM inside the other",
    }
    for left, (kind, title) in zip((0.3, 4.7, 9.1), titles.items(), strict=True):
        note(axes, left + 1.85, 4.05, title, size=9.5)
        for step in range(3):
            x = left + 0.55 + 1.3 * step
            arrow(axes, (x, 0.1), (x, 0.62), width=1.3)
            note(axes, x + 0.12, 0.28, f"$x_{step + 1}$", size=8.5, ha="left")
            if kind == "stacked":
                _small(axes, x, 1.05, step, INPUT)
                arrow(axes, (x, 1.45), (x, 2.2), width=1.3)
                _small(axes, x, 2.63, step, CANDIDATE)
                arrow(axes, (x, 3.05), (x, 3.55), width=1.3)
            elif kind == "one":
                _small(axes, x, 1.05, step, INPUT)
                arrow(axes, (x, 1.45), (x, 3.55), width=1.3)
            else:
                frame(axes, x - 0.5, 0.62, 1.0, 2.0, fc="#e3eef6", ec=INPUT, z=2)
                _small(axes, x, 1.75, step, CANDIDATE, 0.72)
                if step:
                    arrow(axes, (x - 0.8, 0.98), (x - 0.5, 0.98), color=INPUT, width=1.6)
                arrow(axes, (x, 2.62), (x, 3.55), width=1.3)
                note(axes, x, 0.95, "gates", INPUT, 7.5, zorder=6)
            note(axes, x + 0.12, 3.4, f"$h_{step + 1}$", size=8.5, ha="left")
    return figure


def _small(axes: Axes, x: float, y: float, step: int, color: str, width: float = 0.9) -> None:
    box(axes, x, y, "memory", color, width, 0.75, 7 if width < 0.8 else 8)
    if step:
        arrow(axes, (x - 1.3 + width / 2, y), (x - width / 2, y), color=color, width=1.6)


def set_weights(layer: NestedLSTM, **gates: list[float]) -> None:
    """Give a layer of one unit the weights of its gates i, f, g, o by name."""
    with torch.no_grad():
        for name, weight in layer.named_parameters():
            weight.copy_(torch.tensor(gates[name]).view_as(weight))


def pulse() -> Figure:
    """One pulse, and what an LSTM and a Nested LSTM with the same outer gates keep of it."""
    x = torch.zeros(30, 1, 1)
    x[2] = 1
    outer = {
        "weight_ih_l0": [12.0, 0, 2, 0], "weight_hh_l0": [0.0] * 4, "bias_ih_l0": [-6.0, 1, 0, 3],
    }  # fmt: skip
    inner = {
        "weight_ih_l0_inner1": [9.0, 0, 2, 0], "weight_hh_l0_inner1": [0.0] * 4,
        "bias_ih_l0_inner1": [-4.0, 3.5, 0, 0.5],
    }  # fmt: skip
    lstm, nested = NestedLSTM(1, 1, depth=1), NestedLSTM(1, 1, depth=2)
    set_weights(lstm, **outer)
    set_weights(nested, **outer, **inner)
    kept: dict[str, list[float]] = {"lstm": [], "outer": [], "inner": []}
    state = nested_state = None
    with torch.no_grad():
        for step in x:
            _, state = lstm(step[None], state)
            _, nested_state = nested(step[None], nested_state)
            kept["lstm"].append(state[1].item())
            for level, name in enumerate(("outer", "inner")):
                kept[name].append(nested_state[1][level].item())
    figure = Figure(figsize=(8.6, 2.9), layout="constrained")
    axes = figure.subplots()
    axes.bar(range(30), x.flatten(), width=0.35, color=QUIET, label="what is read")
    axes.plot(kept["lstm"], color=INPUT, lw=2, label="LSTM: memory")
    axes.plot(kept["outer"], color=FORGET, lw=2, label="Nested LSTM: outer memory")
    axes.plot(kept["inner"], color=FORGET, lw=2, ls="--", label="Nested LSTM: inner memory")
    axes.set_xlabel("step")
    axes.legend(frameon=False, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def main() -> None:
    """Draw them all."""
    FOLDER.mkdir(exist_ok=True)
    with matplotlib.rc_context({"svg.hashsalt": "nestcast", "mathtext.fontset": "dejavusans"}):
        for draw in (lstm, nested, arrangements, pulse):
            path = FOLDER / f"{draw.__name__}.svg"
            draw().savefig(path, facecolor="white", metadata={"Date": None})
            print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
