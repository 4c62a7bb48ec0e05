"""The native kernel as operators of torch: one call runs a layer over a whole sequence.

`nestcast::nested_lstm` and `nestcast::nested_lstm_backward` are opaque to torch.compile and
torch.export, which need only the shapes of what they return. Gradients of gradients are taken
through the reference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nestcast import kernels
from nestcast.nn import reference
from nestcast.nn.reference import Candidate, Level

try:
    from nestcast.kernels import _native

    _MAX_DEPTH = _native.max_depth
except ImportError:
    _MAX_DEPTH = 0

_LARGE = 1 << 18  # floats in a tensor that is worth a pooled buffer
_LANES = 16  # samples in a tile of the kernel
_name = kernels.choose()
# The build that takes the place of one where products take bfloat16, if the CPU can.
_OF_BFLOAT16 = {name: _native.bfloat16_kernel(name) for name in kernels.instruction_sets()}


def kernel_in_use() -> str | None:
    """Name of the build of the kernel that runs layers here; nothing for plain PyTorch."""
    return _name


def multiplies(dtype: torch.dtype) -> bool:
    """Whether the kernel in use has products of that type."""
    return dtype == torch.bfloat16 and _name is not None and _OF_BFLOAT16[_name] is not None


def build_for(compute_dtype: torch.dtype | None) -> str | None:
    """Name of the build that runs a layer of that `compute_dtype`."""
    if compute_dtype is None or not multiplies(compute_dtype):
        return _name
    return _OF_BFLOAT16[str(_name)]


def obstacle(tensors: Sequence[Tensor], depth: int) -> str | None:
    """Why the kernel cannot run with these tensors, or nothing if it can."""
    for tensor in tensors:
        if tensor.dtype != torch.float32:
            return f"the kernel takes float32, not {str(tensor.dtype).removeprefix('torch.')}"
        if tensor.device.type != "cpu":
            return f"the kernel runs on the CPU, not on {tensor.device.type}"
    if depth > _MAX_DEPTH:
        return f"the kernel nests at most {_MAX_DEPTH} cells"
    if not torch.compiler.is_compiling() and (
        torch._C._are_functorch_transforms_active() or torch.autograd.forward_ad._current_level >= 0
    ):
        return "the kernel knows neither torch.func nor forward-mode derivatives"
    return None


def pays(T: int, N: int, H: int, training: bool) -> bool:
    """Whether the kernel is the faster one for N samples of T steps, where it can run.

    To bring the weights into its order takes as long as some steps, and few samples leave most of a
    tile empty; the crossover was measured (`benchmarks/kernel.py --parts crossover`). A compiled
    program, whose sizes may be open, always takes the kernel.
    """
    if torch.compiler.is_compiling():
        return True
    if N == 1 and H > 200:
        return training and T > 20
    work = (T - 1) ** 2 * N
    return work > (8 if training else 64)


def are_trained(tensors: Sequence[Tensor]) -> bool:
    """Whether a backward pass may follow, for which the forward pass has to save."""
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def nested_lstm(
    input: Tensor,  # (T, N, I)
    h: Tensor,  # (N, P)
    c: Tensor,  # (depth, N, H)
    levels: Sequence[Level],
    weight_hr: Tensor | None = None,  # (P, H)
    *,
    candidate: Candidate = "tanh",
    lengths: Tensor | None = None,  # (N,)
    recurrent_mask: Tensor | None = None,  # (N, P), without gradient
    compute_dtype: torch.dtype | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """One layer in one direction; arguments and returns are those of `reference.nested_lstm`."""
    weights = [weight for level in levels for weight in (level.weight_ih, level.weight_hh)]
    biases = [
        input.new_zeros(4 * c.size(2)) if level.bias is None else level.bias
        for level in levels
        if any(other.bias is not None for other in levels)
    ]
    layer = _Layer(
        input,
        h,
        c,
        weights,
        biases,
        weight_hr,
        lengths,
        recurrent_mask,
        candidate == "identity",
        compute_dtype == torch.bfloat16,
    )
    # An operator does not see the caller's grad mode, so it is told.
    trained = are_trained(layer.differentiable())
    run = _forward if trained or _is_watched(layer) else _run
    output, h_n, c_n, _ = run(*layer, trained)
    return output, h_n, c_n


def _is_watched(layer: _Layer) -> bool:
    """Whether something wants to see an operator, whose first call loads the compiler."""
    return (
        torch.compiler.is_compiling()
        or torch._C._get_tracing_state() is not None
        or torch._C._len_torch_dispatch_stack() > 0
        or not all(type(one) in (Tensor, torch.nn.Parameter) for one in layer.differentiable())
    )


class _Layer(NamedTuple):
    """What both operators take first."""

    input: Tensor
    h: Tensor
    c: Tensor
    weights: list[Tensor]  # weight_ih and weight_hh of each level in turn
    biases: list[Tensor]  # of each level, or none
    weight_hr: Tensor | None
    lengths: Tensor | None
    recurrent_mask: Tensor | None
    identity_candidate: bool
    bfloat16: bool  # operands of the products, where the CPU can multiply those

    def differentiable(self) -> list[Tensor]:
        projection = [] if self.weight_hr is None else [self.weight_hr]
        return [self.input, self.h, self.c, *self.weights, *self.biases, *projection]

    def for_kernel(self) -> _Layer:
        """The same in the layout that the kernel reads, off the graph."""
        return _Layer(
            _features_side_by_side(self.input),
            _contiguous(self.h),
            _contiguous(self.c),
            [_contiguous(weight) for weight in self.weights],
            [_contiguous(bias) for bias in self.biases],
            None if self.weight_hr is None else _contiguous(self.weight_hr),
            None if self.lengths is None else _contiguous(self.lengths.long()),
            None if self.recurrent_mask is None else _contiguous(self.recurrent_mask),
            self.identity_candidate,
            self.bfloat16,
        )


_LAYER = (
    "Tensor input, Tensor h, Tensor c, Tensor[] weights, Tensor[] biases, Tensor? weight_hr, "
    "Tensor? lengths, Tensor? recurrent_mask, bool identity_candidate, bool bfloat16"
)


def _contiguous(tensor: Tensor) -> Tensor:
    return tensor.detach().contiguous()


def _features_side_by_side(sequence: Tensor) -> Tensor:
    sequence = sequence.detach()
    return sequence if sequence.stride(-1) == 1 else sequence.contiguous()


def _new(like: Tensor, *shape: int) -> Tensor:
    return like.new_empty(shape)


def _pooled(like: Tensor, *shape: int) -> Tensor:
    """A tensor for large results, in memory that was in use before: fresh pages are slow."""
    return _native.empty(list(shape)) if math.prod(shape) >= _LARGE else like.new_empty(shape)


def _new_results(layer: _Layer, new: Callable[..., Tensor] = _new) -> tuple[Tensor, Tensor, Tensor]:
    output = new(layer.input, layer.input.size(0), *layer.h.shape)
    return output, layer.h.new_empty(layer.h.shape), layer.c.new_empty(layer.c.shape)


def _new_gradients(
    layer: _Layer, want_d_input: bool, new: Callable[..., Tensor] = _new
) -> list[Tensor]:
    """In the order of `_Layer.differentiable`; an empty one where the input's is not wanted."""
    d_input = new(layer.input, *(layer.input.shape if want_d_input else (0,)))
    return [d_input, *(x.new_empty(x.shape) for x in layer.differentiable()[1:])]


def _run(*arguments: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    *described, save = arguments
    layer = _Layer(*described)
    output, h_n, c_n = _new_results(layer, _pooled)
    saved = None
    if output.numel() == 0:
        h_n.copy_(layer.h)
        c_n.copy_(layer.c)
    else:
        kernel, threads = _kernel(layer.bfloat16), torch.get_num_threads()
        saved = _native.forward(kernel, threads, *layer.for_kernel()[:-1], save, output, h_n, c_n)
    return output, h_n, c_n, output.new_empty(0) if saved is None else saved


_forward = torch.library.custom_op(
    "nestcast::nested_lstm",
    _run,
    mutates_args=(),
    device_types="cpu",
    schema=f"({_LAYER}, bool save) -> (Tensor, Tensor, Tensor, Tensor)",
)


@_forward.register_fake
def _(*arguments: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    *described, save = arguments
    layer = _Layer(*described)
    T, N, (depth, _, H) = layer.input.size(0), layer.input.size(1), layer.c.shape
    tiles = (N + _LANES - 1) // _LANES
    saved = tiles * T * (4 * depth + 1) * H * _LANES if save else 0
    return *_new_results(layer), layer.input.new_empty(saved)


@torch.library.custom_op(
    "nestcast::nested_lstm_backward",
    mutates_args=(),
    device_types="cpu",
    schema=f"({_LAYER}, Tensor output, Tensor saved, Tensor? d_output, Tensor? d_h_n, "
    "Tensor? d_c_n, bool want_d_input) -> Tensor[]",
)
def _backward(*arguments: Any) -> list[Tensor]:
    *described, output, saved, d_output, d_h_n, d_c_n, want_d_input = arguments
    layer = _Layer(*described)
    gradients = _new_gradients(layer, want_d_input, _pooled)
    d_input, d_h, d_c, *d_rest = gradients
    if output.numel() == 0:
        for gradient in gradients:
            gradient.zero_()
        if d_h_n is not None:
            d_h.copy_(d_h_n)
        if d_c_n is not None:
            d_c.copy_(d_c_n)
        return gradients
    weights, biases = len(layer.weights), len(layer.biases)
    _native.backward(
        _kernel(layer.bfloat16),
        torch.get_num_threads(),
        *layer.for_kernel()[:-1],
        _contiguous(output),
        _contiguous(saved),
        None if d_output is None else _features_side_by_side(d_output),
        None if d_h_n is None else _contiguous(d_h_n),
        None if d_c_n is None else _contiguous(d_c_n),
        d_input if want_d_input else None,
        d_h,
        d_c,
        d_rest[:weights],
        d_rest[weights : weights + biases],
        None if layer.weight_hr is None else d_rest[-1],
    )
    return gradients


@_backward.register_fake
def _(*arguments: Any) -> list[Tensor]:
    return _new_gradients(_Layer(*arguments[: len(_Layer._fields)]), arguments[-1])


def _kernel(bfloat16: bool) -> str:
    name = build_for(torch.bfloat16 if bfloat16 else None)
    if name is None:
        raise RuntimeError("the operators of nestcast need its native kernel, which is not in use")
    return name


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    layer = _Layer(*inputs[: len(_Layer._fields)])
    ctx.set_materialize_grads(False)
    ctx.identity_candidate = layer.identity_candidate
    ctx.bfloat16 = layer.bfloat16
    ctx.save_for_backward(
        layer.input,
        layer.h,
        layer.c,
        layer.weight_hr,
        layer.lengths,
        layer.recurrent_mask,
        output[0],
        output[3],
        *layer.weights,
        *layer.biases,
    )


def _differentiate(ctx: Any, *d_results: Tensor | None) -> tuple[Any, ...]:
    input, h, c, weight_hr, lengths, recurrent_mask, output, saved, *rest = ctx.saved_tensors
    count = 2 * c.size(0)
    layer = _Layer(
        input,
        h,
        c,
        rest[:count],
        rest[count:],
        weight_hr,
        lengths,
        recurrent_mask,
        ctx.identity_candidate,
        ctx.bfloat16,
    )
    d_output, d_h_n, d_c_n, _ = d_results
    if torch.is_grad_enabled():  # create_graph=True
        gradients = _differentiable_gradients(layer, (d_output, d_h_n, d_c_n))
    else:
        want = ctx.needs_input_grad[0]
        gradients = _backward(*layer, output, saved, d_output, d_h_n, d_c_n, want)
    d_input, d_h, d_c, *d_rest = gradients
    return (
        d_input if ctx.needs_input_grad[0] else None,
        d_h,
        d_c,
        d_rest[:count],
        d_rest[count : count + len(layer.biases)],
        None if weight_hr is None else d_rest[-1],
        *(None for _ in ("lengths", "recurrent_mask", "identity_candidate", "bfloat16", "save")),
    )


def _differentiable_gradients(
    layer: _Layer, d_results: Sequence[Tensor | None]
) -> list[Tensor | None]:
    """The gradients through the reference, with a graph of their own."""
    # Views, so that an input which depends on another one does not count twice.
    inputs = [tensor.view_as(tensor) for tensor in layer.differentiable()]
    input, h, c, *rest = inputs
    depth, count = c.size(0), len(layer.weights)
    biases = [rest[count + k] if layer.biases else None for k in range(depth)]
    results = reference.nested_lstm(
        input,
        h,
        c,
        [Level(rest[2 * k], rest[2 * k + 1], biases[k]) for k in range(depth)],
        None if layer.weight_hr is None else rest[-1],
        candidate="identity" if layer.identity_candidate else "tanh",
        lengths=layer.lengths,
        recurrent_mask=layer.recurrent_mask,
        compute_dtype=torch.bfloat16 if layer.bfloat16 else None,
    )
    pairs = [(y, d) for y, d in zip(results, d_results, strict=True) if d is not None]
    wanted = [tensor for tensor in inputs if tensor.requires_grad]
    found = iter(
        torch.autograd.grad(
            [y for y, _ in pairs],
            wanted,
            [d for _, d in pairs],
            create_graph=True,
            allow_unused=True,
        )
    )
    return [next(found) if tensor.requires_grad else None for tensor in inputs]


_forward.register_autograd(_differentiate, setup_context=_setup_context)
