"""Which implementation runs a layer: the one place where fast paths plug in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nestcast import kernels
from nestcast.nn import native
from nestcast.nn.reference import Candidate, Level, nested_lstm


@dataclass(frozen=True)
class KernelInfo:
    """Which implementation runs the layers: `path` is "native" or "reference"."""

    path: str
    description: str


def kernel_info(layer: nn.Module | None = None, input: Tensor | None = None) -> KernelInfo:
    """Say which implementation `NestedLSTM` runs on here, or one layer with one input.

    Where it is the native kernel, a single step and a few steps of a few samples still run on the
    reference, which is faster there.

    Example:
        >>> kernel_info().path in ("native", "reference")
        True
        >>> from nestcast.nn import NestedLSTM
        >>> kernel_info(NestedLSTM(3, 4).double()).path
        'reference'

    Args:
        layer: the layer asked about; any if not given.
        input: the input asked about; any if not given.
    """
    name = native.kernel_in_use()
    compute_dtype: torch.dtype | None = getattr(layer, "compute_dtype", None)
    short = str(compute_dtype).removeprefix("torch.")
    if name is None:
        rounded = f", operands rounded to {short}" if compute_dtype else ""
        return KernelInfo("reference", kernels.describe(None) + rounded)
    tensors = [*(layer.parameters() if layer else ()), *(() if input is None else (input,))]
    obstacle = native.obstacle(tensors, getattr(layer, "depth", 1))
    if obstacle is not None:
        return KernelInfo("reference", f"{kernels.describe(None)}: {obstacle}")
    description = kernels.describe(native.build_for(compute_dtype))
    if compute_dtype and not native.multiplies(compute_dtype):
        description += f", in float32 since it has no products of {short}"
    return KernelInfo("native", description)


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
    compute_dtype: torch.dtype | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Run one layer in one direction; arguments and returns are those of `reference.nested_lstm`.

    A fast path has that signature too, and is called here under whatever conditions (device, dtype,
    sizes) it can keep the promise that the tests hold it to: outputs, states and gradients are the
    reference's. Tensors may be views with any strides; under autocast the input and the states may
    be in the short type and the weights are not; under compile, export and `torch.func` the path
    must be traceable, or step aside for the reference.
    """
    tensors = [input, h, c, *(weight for level in levels for weight in level)]
    tensors += [weight_hr, recurrent_mask]
    present = [tensor for tensor in tensors if tensor is not None]
    fast = (
        native.kernel_in_use() is not None
        and native.obstacle(present, len(levels)) is None
        and not (recurrent_mask is not None and recurrent_mask.requires_grad)
        and native.pays(input, c)
    )
    if compute_dtype and native.kernel_in_use() and not native.multiplies(compute_dtype):
        compute_dtype = None  # rounding would gain nothing
    implementation = native.nested_lstm if fast else nested_lstm
    return implementation(
        input,
        h,
        c,
        levels,
        weight_hr,
        candidate=candidate,
        lengths=lengths,
        recurrent_mask=recurrent_mask,
        compute_dtype=compute_dtype,
    )
