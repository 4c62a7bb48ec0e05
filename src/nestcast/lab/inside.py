"""What happens inside a cell that reads: gates, memory, and how far back it looks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from nestcast.errors import OptionError
from nestcast.lab.corpus import NEWLINE, Vocabulary
from nestcast.lab.model import CharacterModel
from nestcast.lab.variants import AdditiveNestedLSTM
from nestcast.nn import NestedLSTM
from nestcast.nn.reference import Level


@dataclass(frozen=True)
class Trace:
    """One level or layer of a cell over time.

    Args:
        name: such as "outer", "inner", "layer 2".
        gates: activations by name, each of shape (time, units).
        memory: what it keeps (the cell c, in a GRU the hidden state), shape (time, units).
    """

    name: str
    gates: dict[str, np.ndarray]
    memory: np.ndarray


@torch.no_grad()
def trace(
    cell: nn.Module, inputs: Tensor, h: Tensor | None = None, c: Tensor | None = None
) -> tuple[list[Trace], Tensor]:
    """Run a cell step by step and keep what its gates do.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> cell = NestedLSTM(3, 4, depth=2)
        >>> x = torch.randn(5, 3)
        >>> (outer, inner), output = trace(cell, x)
        >>> outer.name, list(outer.gates), inner.memory.shape
        ('outer', ['input', 'forget', 'candidate', 'output'], (5, 4))
        >>> torch.allclose(output, cell(x)[0], atol=1e-6)
        True

    Args:
        cell: a NestedLSTM of any depth and number of layers in one direction, or a GRU.
        inputs: shape (time, input_size).
        h: hidden state before the first step, shape (layers, units); 0 if not given.
        c: memories before it, outermost first, shape (levels, layers, units); a GRU has none.

    Returns:
        The levels, outermost first, or the layers in their order; and the output, shape
        (time, units), which is that of the cell.
    """
    traces = []
    layers: int = cell.num_layers  # type: ignore[assignment]
    size: int = cell.hidden_size  # type: ignore[assignment]
    h = inputs.new_zeros(layers, size) if h is None else h
    for layer in range(layers):
        name = f"layer {layer + 1}" if layers > 1 else "memory"
        if isinstance(cell, NestedLSTM):
            first = inputs.new_zeros(cell.depth, size) if c is None else c[:, layer]
            found, inputs = _trace_nested(cell, layer, inputs, h[layer], first)
            if cell.depth > 1:
                names = ["outer", *(f"inner {k}" for k in range(1, cell.depth))]
                names = ["outer", "inner"] if cell.depth == 2 else names
                prefix = f"layer {layer + 1}, " if layers > 1 else ""
                found = [
                    Trace(prefix + name, one.gates, one.memory)
                    for name, one in zip(names, found, strict=True)
                ]
            else:
                found = [Trace(name, found[0].gates, found[0].memory)]
            traces += found
        else:
            one, inputs = _trace_gru(cell, layer, inputs, h[layer])
            traces.append(Trace(name, one.gates, one.memory))
    return traces, inputs


def _trace_nested(
    cell: NestedLSTM, layer: int, inputs: Tensor, h: Tensor, first: Tensor
) -> tuple[list[Trace], Tensor]:
    levels = cell._levels(f"_l{layer}")
    c = list(first)
    additive = isinstance(cell, AdditiveNestedLSTM)
    steps, outputs = [], []
    for x in inputs:
        kept: list[tuple[Tensor, ...]] = []
        h, c = _step(x, h, c, levels, kept, cell.candidate == "tanh", additive)
        steps.append([torch.stack([*gates, memory]) for gates, memory in zip(kept, c, strict=True)])
        outputs.append(h)
    whole = torch.stack([torch.stack(step) for step in steps])  # (time, depth, 5, H)
    names = ("input", "forget", "candidate", "output")
    traces = []
    for level in whole.unbind(1):
        gates = {name: level[:, k].numpy() for k, name in enumerate(names)}
        traces.append(Trace("", gates, level[:, 4].numpy()))
    return traces, torch.stack(outputs)


def _step(
    x: Tensor,
    h: Tensor,
    c: Sequence[Tensor],
    levels: Sequence[Level],
    kept: list[tuple[Tensor, ...]],
    squash: bool,
    additive: bool,
) -> tuple[Tensor, list[Tensor]]:
    """`nestcast.nn.reference.nested_lstm_step` for one sample, which keeps the gates."""
    level, *inner = levels
    gates = linear(x, level.weight_ih, level.bias) + linear(h, level.weight_hh)  # (4H,)
    i, f, g, o = gates.chunk(4)
    i, f, o = i.sigmoid(), f.sigmoid(), o.sigmoid()
    g = g.tanh() if squash else g
    kept.append((i, f, g, o))
    if inner:
        entering = i + g if additive else i * g
        c_new, inner_cells = _step(entering, f * c[0], c[1:], inner, kept, True, additive)
    else:
        c_new, inner_cells = f * c[0] + i * g, []
    return o * c_new.tanh(), [c_new, *inner_cells]


def _trace_gru(cell: nn.Module, layer: int, inputs: Tensor, h: Tensor) -> tuple[Trace, Tensor]:
    weight_ih, weight_hh, bias_ih, bias_hh = (
        getattr(cell, f"{name}_l{layer}")
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    steps = []
    for x in inputs:
        from_x, from_h = linear(x, weight_ih, bias_ih), linear(h, weight_hh, bias_hh)
        (r, z, n), (r_h, z_h, n_h) = from_x.chunk(3), from_h.chunk(3)
        r, z = (r + r_h).sigmoid(), (z + z_h).sigmoid()
        n = (n + r * n_h).tanh()
        h = (1 - z) * n + z * h
        steps.append(torch.stack([r, z, n, h]))
    whole = torch.stack(steps)  # (time, 4, H)
    names = ("reset", "update", "candidate")
    gates = {name: whole[:, k].numpy() for k, name in enumerate(names)}
    return Trace("", gates, whole[:, 3].numpy()), whole[:, 3]


def autocorrelation(series: Iterable[np.ndarray]) -> np.ndarray:
    """Lag-1 autocorrelation of every unit: near 1 it moves slowly, near 0 it jumps.

    Example:
        >>> slow, fast = np.sin(np.arange(60) / 10), np.array([1.0, -1] * 30)
        >>> autocorrelation([np.stack([slow, fast], axis=1)]).round(2).tolist()
        [1.0, -1.0]

    Args:
        series: each of shape (time, units); pairs are taken within one, the mean over all.

    Returns:
        Shape (units,); NaN for a unit that never moves.
    """
    series = list(series)
    mean = np.concatenate(series).mean(axis=0)
    together, before, after = (
        sum(((one[a] - mean) * (one[b] - mean)).sum(axis=0) for one in series)
        for a, b in ((slice(-1), slice(1, None)), (slice(-1),) * 2, (slice(1, None),) * 2)
    )
    spread = np.sqrt(before * after)  # at least `together`
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(spread > 1e-12, together / spread, np.nan))


def slowness(cell: str, autocorrelations: Mapping[str, np.ndarray], over: str) -> list[str]:
    """How slowly each memory moves, in words."""
    return [
        f"{cell}, {name}: mean lag-1 autocorrelation of the memory {np.nanmean(values):.3f} {over}"
        for name, values in autocorrelations.items()
    ]


def influence(model: CharacterModel, numbers: Tensor) -> np.ndarray:
    """How much each character read influences each prediction.

    The Euclidean norm of the gradient of the log-probability of the character that follows, with
    respect to the embedding of each character read.

    Args:
        model: what reads.
        numbers: of the characters, shape (time + 1,), the first of which starts the line.

    Returns:
        Shape (predicted, read), both `time`; 0 where read comes after predicted.

    Source: A. Madsen, "Visualizing memorization in RNNs", Distill 2019.
    """
    model.eval()
    embedded = model.embedding(numbers[:-1]).detach().unsqueeze(1).requires_grad_()  # (T, 1, E)
    logits, _ = model.read(embedded)
    chosen = logits.squeeze(1).log_softmax(dim=1).gather(1, numbers[1:, None]).squeeze(1)  # (T,)
    rows = [
        torch.autograd.grad(one, embedded, retain_graph=True)[0].squeeze(1).norm(dim=1)
        for one in chosen
    ]
    return torch.stack(rows).numpy()


def by_lag(influences: np.ndarray) -> np.ndarray:
    """Mean influence of the character read 0, 1, 2, ... steps before the last, (time,).

    Example:
        >>> by_lag(np.array([[4.0, 0], [1, 2]])).tolist()
        [3.0, 1.0]
    """
    return np.array([np.diagonal(influences, -lag).mean() for lag in range(len(influences))])


@dataclass(frozen=True)
class Look:
    """A look inside a model that reads one line.

    Args:
        cell: its name.
        characters: read, one a step; the first, "^", starts the line.
        traces: its levels or layers.
        autocorrelations: of the memory's units, by name of the level.
        influences: see `influence`.
        lines: how many lines the autocorrelations are over.
    """

    cell: str
    characters: list[str]
    traces: list[Trace]
    autocorrelations: dict[str, np.ndarray]
    influences: np.ndarray
    lines: int

    def sentences(self) -> list[str]:
        """What was measured, in words."""
        over = f"over {self.lines:,} lines" if self.lines > 1 else "over this line"
        return slowness(self.cell, self.autocorrelations, over)


def look(
    model: CharacterModel, vocabulary: Vocabulary, line: str, others: Sequence[str] = ()
) -> Look:
    """Look inside a model that reads a line.

    Args:
        model, vocabulary: as trained.
        line: what it reads.
        others: lines over which autocorrelations are measured; that line if there are none.

    Raises:
        OptionError: the line is too short, or several.
    """
    if len(line) < 3 or "\n" in line:
        raise OptionError("--line takes one line of 3 characters or more.")
    numbers = vocabulary.encode(f"\n{line}\n")
    traces = _read(model, numbers)
    many = [_read(model, vocabulary.encode(f"\n{one}")) for one in others] or [traces]
    return Look(
        model.shape.cell,
        ["^", *line],
        traces,
        {
            one.name: autocorrelation([read[k].memory for read in many])
            for k, one in enumerate(traces)
        },
        influence(model, numbers),
        max(1, len(others)),
    )


def _read(model: CharacterModel, numbers: Tensor) -> list[Trace]:
    if numbers[-1] == NEWLINE and len(numbers) > 1:
        numbers = numbers[:-1]
    return trace(model.cell, model.embedding(numbers).detach())[0]
