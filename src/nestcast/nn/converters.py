"""Layers from the weights of the two known implementations, Keras's and TensorFlow's.

Both keep one kernel for each level, rows for the input above those for the hidden state, columns
for the gates i, c, f, o (PyTorch: i, f, g, o), and one bias for each gate. Later versions of both
split the outermost kernel in two. `docs/known-implementations.md` tells the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from nestcast.nn.layer import NestedLSTM
from nestcast.nn.reference import Candidate


def from_tf_weights(
    weights: Sequence[Any],
    *,
    forget_bias: float = 1.0,
    candidate: Candidate | None = None,
    batch_first: bool = False,
) -> NestedLSTM:
    """A layer that computes what an `NLSTMCell` of hannw/nlstm computed.

    Example:
        >>> import numpy as np
        >>> weights = [np.zeros((3, 16)), np.zeros((4, 16)), np.zeros(16)]  # outermost, split
        >>> weights += [np.zeros((8, 16)), np.zeros(16)]  # inner
        >>> from_tf_weights(weights)
        NestedLSTM(3, 4, depth=2, candidate='identity')

    Args:
        weights: the arrays of `cell.get_weights()`: for each level from the outermost, the kernel
            of shape (input + H, 4H), or two kernels (input, 4H) and (H, 4H), and the bias (4H,).
        forget_bias: what the cell was made with; it is added at run time, at every level, but not
            in a cell without biases.
        candidate: activation of the outermost candidate; if not given, the default of the version
            that the arrays come from: "identity" where the outermost kernel is split, else "tanh".
        batch_first: of the new layer.

    Raises:
        ValueError: the arrays do not fit together, or hold peephole connections.
    """
    return _from_kernels(weights, forget_bias, candidate, batch_first)


def from_keras_weights(
    weights: Sequence[Any],
    *,
    accept_additive_gate: bool = False,
    candidate: Candidate | None = None,
    batch_first: bool = False,
) -> NestedLSTM:
    """A layer with the weights of a `NestedLSTM` of titu1994/Nested-LSTM, but the paper's gates.

    That version adds its input gate to the candidate, `sigmoid(i) + g`, where the Nested LSTM
    multiplies, `sigmoid(i) * g`. The weights fit, the outputs do not: the new layer is a starting
    point for training, not a copy of the model.

    Example:
        >>> import numpy as np
        >>> kernels = [np.zeros((3, 16)), np.zeros((4, 16)), np.zeros((8, 16))]
        >>> weights = [*kernels, np.zeros(16), np.zeros(16)]
        >>> from_keras_weights(weights, accept_additive_gate=True)
        NestedLSTM(3, 4, depth=2, candidate='identity')

    Args:
        weights: the arrays of `layer.get_weights()`: the kernels of all levels from the outermost,
            the first of shape (input + H, 4H) or split into (input, 4H) and (H, 4H), then their
            biases (4H,), if any.
        accept_additive_gate: convert although the outputs will be others.
        candidate: activation of the outermost candidate; if not given, the default of the version
            that the arrays come from: "identity" where the outermost kernel is split, else "tanh".
        batch_first: of the new layer.

    Raises:
        ValueError: `accept_additive_gate` was not given, or the arrays do not fit together.
    """
    if not accept_additive_gate:
        raise ValueError(
            "the Keras implementation computes sigmoid(i) + g where a Nested LSTM computes "
            "sigmoid(i) * g, so a converted layer gives other outputs than the Keras model did. "
            "To take its weights as a starting point all the same, pass accept_additive_gate=True."
        )
    return _from_kernels(weights, 0.0, candidate, batch_first)


def _from_kernels(
    weights: Sequence[Any], forget_bias: float, candidate: Candidate | None, batch_first: bool
) -> NestedLSTM:
    arrays = [torch.as_tensor(weight) for weight in weights]
    kernels = [array for array in arrays if array.dim() == 2]
    biases = [array for array in arrays if array.dim() == 1]
    if not kernels:
        raise ValueError("no kernels, that is arrays of two dimensions, among the weights")
    H = kernels[0].size(1) // 4
    if any(kernel.shape == (H, 3 * H) for kernel in kernels):
        raise ValueError("the weights hold peephole connections, which the Nested LSTM has not")
    # Split, the second has H rows; an inner kernel has 2H.
    split = len(kernels) > 1 and kernels[1].shape == (H, kernels[0].size(1))
    if split:
        kernels = [torch.cat(kernels[:2]), *kernels[2:]]
    depth, input_size = len(kernels), kernels[0].size(0) - H
    expected: list[tuple[int, ...]] = [(input_size + H, 4 * H)]
    expected += [(2 * H, 4 * H)] * (depth - 1)
    expected += [(4 * H,)] * len(biases)
    shapes = [tuple(array.shape) for array in (*kernels, *biases)]
    others = any(array.dim() not in (1, 2) for array in arrays)
    if others or shapes != expected or min(H, input_size) < 1 or len(biases) not in (0, depth):
        raise ValueError(
            "the weights do not fit together: expected a kernel (input + H, 4H), one of (2H, 4H) "
            "for each inner level, and no bias or one of (4H,) for each level, got shapes "
            f"{[tuple(array.shape) for array in arrays]}"
        )
    layer = NestedLSTM(
        input_size,
        H,
        bias=bool(biases),
        batch_first=batch_first,
        depth=depth,
        candidate=candidate or ("identity" if split else "tanh"),
        dtype=kernels[0].dtype,
    )
    state = {}
    for level, kernel in enumerate(kernels):
        end = f"_l0_inner{level}" if level else "_l0"
        rows = _torch_gate_order(kernel).T
        state[f"weight_ih{end}"], state[f"weight_hh{end}"] = rows[:, :-H], rows[:, -H:]
        if biases:
            bias = _torch_gate_order(biases[level])
            bias[H : 2 * H] += forget_bias
            state[f"bias_ih{end}"] = bias
    layer.load_state_dict(state)
    return layer


def _torch_gate_order(columns: Tensor) -> Tensor:
    i, c, f, o = columns.chunk(4, dim=-1)
    return torch.cat((i, f, c, o), dim=-1)
