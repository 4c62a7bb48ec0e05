"""The equations of the Nested LSTM in plain PyTorch: the oracle for every fast path.

Source: Moniz and Krueger, "Nested LSTMs", arXiv 1801.10308, equations 6 to 17.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import linear

Candidate = Literal["tanh", "identity"]


class Level(NamedTuple):
    """The weights of one nesting level; rows are the gates i, f, g, o in torch's order."""

    weight_ih: Tensor  # (4H, I) at the outermost level, (4H, H) inside
    weight_hh: Tensor  # (4H, P) at the outermost level, (4H, H) inside; P = H without projection
    bias: Tensor | None  # (4H,)


def _rounded_value(x: Tensor, dtype: torch.dtype) -> Tensor:
    """x rounded to a shorter type; its gradient is not."""
    value = x.detach().to(dtype).to(x.dtype)
    return torch.where(value == x, x, x + (value - x).detach())  # an infinity less itself is none


def _rounded_gradient(x: Tensor, dtype: torch.dtype) -> Tensor:
    """x; its gradient is rounded to a shorter type, by the conversion back."""
    short = x.to(dtype).to(x.dtype)
    return torch.where(short.isfinite(), x.detach() + (short - short.detach()), x)


def _product(
    x: Tensor, weight: Tensor, bias: Tensor | None, compute_dtype: torch.dtype | None
) -> Tensor:
    """`linear`, with the operands of the product, and of its gradients, rounded first."""
    if compute_dtype is None:
        return linear(x, weight, bias)
    x, weight = (_rounded_value(operand, compute_dtype) for operand in (x, weight))
    product = _rounded_gradient(linear(x, weight), compute_dtype)
    return product if bias is None else product + bias


def nested_lstm_step(
    x: Tensor,  # (N, I)
    h: Tensor,  # (N, P)
    c: Sequence[Tensor],  # depth times (N, H), the outermost first
    levels: Sequence[Level],
    *,
    candidate: Candidate = "tanh",
    compute_dtype: torch.dtype | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """One step of one layer, before projection: the new hidden state and the new cells.

    Each level is an LSTM whose cell is kept by the level inside it: the inner input is i * g,
    the inner hidden state is f * c, and the inner output is the new c. The innermost level keeps
    its cell as an LSTM does, so one level alone is exactly an LSTM.

    Returns:
        h of shape (N, H) and the list of depth cells, each (N, H).
    """
    level, *inner_levels = levels
    gates = _product(x, level.weight_ih, level.bias, compute_dtype)  # (N, 4H)
    gates = gates + _product(h, level.weight_hh, None, compute_dtype)
    i, f, g, o = gates.chunk(4, dim=1)
    i, f, o = i.sigmoid(), f.sigmoid(), o.sigmoid()
    if candidate == "tanh":
        g = g.tanh()
    if inner_levels:
        c_new, inner_cells = nested_lstm_step(
            i * g, f * c[0], c[1:], inner_levels, compute_dtype=compute_dtype
        )
    else:
        c_new, inner_cells = f * c[0] + i * g, []
    return o * c_new.tanh(), [c_new, *inner_cells]


def nested_lstm(
    input: Tensor,  # (T, N, I)
    h: Tensor,  # (N, P)
    c: Tensor,  # (depth, N, H)
    levels: Sequence[Level],
    weight_hr: Tensor | None = None,  # (P, H)
    *,
    candidate: Candidate = "tanh",
    lengths: Tensor | None = None,  # (N,)
    recurrent_mask: Tensor | None = None,  # (N, P)
    compute_dtype: torch.dtype | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """One layer in one direction over a whole sequence.

    Args:
        input: the sequence, shape (T, N, I).
        h: initial hidden state, shape (N, P), with P = H where there is no projection.
        c: initial cells, outermost first, shape (depth, N, H).
        levels: the weights of each level, outermost first.
        weight_hr: projects the hidden state to P units.
        candidate: activation of the outermost candidate g; inner ones are always tanh.
        lengths: valid steps of each sample; after them the states stay and the output is 0.
        recurrent_mask: multiplies h before each step (dropout with one mask for all steps).
        compute_dtype: to which the operands of the matrix products are rounded; not if not given.

    Returns:
        output (T, N, P), final h (N, P) and final c (depth, N, H).
    """
    outputs = []
    for t, x in enumerate(input):
        h_in = h if recurrent_mask is None else h * recurrent_mask
        h_new, cells = nested_lstm_step(
            x, h_in, c.unbind(0), levels, candidate=candidate, compute_dtype=compute_dtype
        )
        if weight_hr is not None:
            h_new = _product(h_new, weight_hr, None, compute_dtype)
        c_new = torch.stack(cells)
        if lengths is None:
            h, c = h_new, c_new
            outputs.append(h)
        else:
            valid = (t < lengths).unsqueeze(1)  # (N, 1)
            h, c = torch.where(valid, h_new, h), torch.where(valid, c_new, c)
            outputs.append(torch.where(valid, h_new, 0.0))
    output = torch.stack(outputs) if outputs else input.new_zeros(0, *h.shape)
    return output, h, c
