"""Which implementation runs a layer: the one place where fast paths plug in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nestcast import kernels
from nestcast.nn import native
from nestcast.nn.parameters import NestedLSTMBase
from nestcast.nn.reference import Candidate, Level, nested_lstm


@dataclass(frozen=True)
class KernelInfo:
    """Which implementation runs the layers."""

    path: str  # "native" or "reference"
    description: str
    bfloat16: bool = False  # whether matrix products of bfloat16 are to be had, at twice the rate


def kernel_info(layer: nn.Module | None = None, input: Tensor | None = None) -> KernelInfo:
    """Say which implementation `NestedLSTM` runs on here, or one layer with one input.

    Where it is the native kernel, little work still runs on the reference, which is faster there:
    T steps of N samples if (T - 1)**2 * N is at most 8, or 64 without gradients, and one sample of
    a layer of more than 200 units if there are at most 20 steps or no gradients.

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
    bfloat16 = native.multiplies(torch.bfloat16)
    obstacle = native.obstacle(tensors, getattr(layer, "depth", 1))
    if obstacle is None and isinstance(layer, NestedLSTMBase) and input is not None:
        obstacle = _too_little(layer, input)
    if obstacle is not None:
        return KernelInfo("reference", f"{kernels.describe(None)}: {obstacle}", bfloat16)
    description = kernels.describe(native.build_for(compute_dtype))
    if compute_dtype and not native.multiplies(compute_dtype):
        description += f"; in float32 since it has no products of {short}"
    return KernelInfo("native", description, bfloat16)


def _too_little(layer: NestedLSTMBase, input: Tensor) -> str | None:
    sizes = [*input.shape[:-1], 1][:2]  # (T, N) or, of one sample without a batch axis, (T,)
    T, N = reversed(sizes) if getattr(layer, "batch_first", False) and input.dim() == 3 else sizes
    if native.pays(T, N, layer.hidden_size, native.are_trained([input, *layer.parameters()])):
        return None
    return f"{T} steps of {N} samples are too little work for the kernel"


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
        and native.pays(input.size(0), input.size(1), c.size(2), native.are_trained(present))
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
