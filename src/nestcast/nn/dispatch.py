"""Which implementation runs a layer: the one place where fast paths plug in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from nestcast.nn.reference import Candidate, Level, nested_lstm


@dataclass(frozen=True)
class KernelInfo:
    """Which implementation runs the layers, and what it is."""

    path: str
    description: str


def kernel_info() -> KernelInfo:
    """Say which implementation `NestedLSTM` runs on here.

    Example:
        >>> kernel_info().path
        'reference'
    """
    return KernelInfo("reference", "plain PyTorch, one step at a time")


def run_layer(
    input: Tensor,  # (T, N, I)
    h: Tensor,  # (N, P)
    c: Tensor,  # (depth, N, H)
    levels: Sequence[Level],
    weight_hr: Tensor | None = None,  # (P, H)
    *,
    candidate: Candidate = "tanh",
    lengths: Tensor | None = None,  # (N,)
    recurrent_mask: Tensor | None = None,  # (N, P)
) -> tuple[Tensor, Tensor, Tensor]:
    """Run one layer in one direction; arguments and returns are those of `reference.nested_lstm`.

    A fast path has that signature too, and is called here under whatever conditions (device, dtype,
    sizes) it can keep the promise that the tests hold it to: outputs, states and gradients are the
    reference's. Tensors may be views with any strides; under autocast the input and the states are
    in the short type and the weights are not; under compile, export and `torch.func` the path must
    be traceable, or step aside for the reference.
    """
    return nested_lstm(
        input,
        h,
        c,
        levels,
        weight_hr,
        candidate=candidate,
        lengths=lengths,
        recurrent_mask=recurrent_mask,
    )
