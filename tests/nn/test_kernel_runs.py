"""How the native kernel behaves from call to call: threads, memory, repetition, torch's tools."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from nestcast import kernels
from nestcast.errors import OptionError
from nestcast.nn import NestedLSTM, kernel_info, native

pytestmark = pytest.mark.skipif(native.kernel_in_use() is None, reason="plain PyTorch is in use")


def step(layer: NestedLSTM, x: Tensor) -> list[Tensor]:
    """Results and gradients of one step of training."""
    output, (h, c) = layer(x)
    loss = output.square().sum() + h.sum() + c.sum()
    return [output, h, c, *torch.autograd.grad(loss, [x, *layer.parameters()])]


def with_the_reference(layer: NestedLSTM, x: Tensor, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        patch.setattr(native, "_name", None)
        return step(layer, x)


@pytest.mark.parametrize("compute_dtype", [None, torch.bfloat16])
def test_runs_are_identical_whatever_the_number_of_threads(
    compute_dtype: torch.dtype | None,
) -> None:
    layer = NestedLSTM(3, 40, num_layers=2, compute_dtype=compute_dtype)
    x = torch.randn(33, 200, 3, requires_grad=True)
    expected = step(layer, x)
    for threads in (1, 1, 2, 5):
        torch.set_num_threads(threads)
        for actual, wanted in zip(step(layer, x), expected, strict=True):
            assert torch.equal(actual, wanted)


def test_concurrent_calls_do_not_meet() -> None:
    layers = [
        NestedLSTM(3, 8 + 5 * k, compute_dtype=torch.bfloat16 if k % 2 else None) for k in range(4)
    ]
    inputs = [torch.randn(9, 30 + k, 3, requires_grad=True) for k in range(4)]
    expected = [step(layer, x) for layer, x in zip(layers, inputs, strict=True)]

    def repeat(k: int) -> bool:
        return all(
            torch.equal(actual, wanted)
            for _ in range(20)
            for actual, wanted in zip(step(layers[k], inputs[k]), expected[k], strict=True)
        )

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(repeat, range(4)))


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no /proc")
def test_memory_does_not_grow() -> None:
    layer = NestedLSTM(3, 40)
    sizes = [torch.randn(5, n, 3, requires_grad=True) for n in (16, 33, 64)]

    def resident() -> int:
        with open("/proc/self/statm") as numbers:
            return int(numbers.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    for _ in range(50):
        for x in sizes:
            step(layer, x)
    before = resident()
    for _ in range(334):
        for x in sizes:
            step(layer, x)
    assert resident() - before < 4 << 20


def test_without_gradients_nothing_is_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = []

    def spied(forward):
        def spy(*arguments):
            results = forward(*arguments)
            saved.append(results[3].numel())
            return results

        return spy

    for name in ("_forward", "_run"):  # the operator, and what it runs
        monkeypatch.setattr(native, name, spied(getattr(native, name)))
    layer, x = NestedLSTM(3, 4), torch.randn(5, 6, 3)
    for grad in (torch.no_grad, torch.inference_mode, torch.enable_grad):
        with grad():
            layer(x)
    layer.requires_grad_(False)
    layer(x)
    assert saved[0] == saved[1] == saved[3] == 0
    assert saved[2] > 0


def test_second_derivatives_are_the_reference_s(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = NestedLSTM(3, 7, proj_size=4, bias=False)
    x = torch.randn(5, 4, 3, requires_grad=True)

    def penalty() -> tuple[Tensor, ...]:
        output, _ = layer(x * layer.weight_ih_l0.mean())  # an input that depends on another
        first = torch.autograd.grad(
            output.square().sum(), [x, *layer.parameters()], create_graph=True
        )
        return torch.autograd.grad(
            sum(gradient.square().sum() for gradient in first), [x, *layer.parameters()]
        )

    actual = penalty()
    monkeypatch.setattr(native, "_name", None)
    for one, other in zip(actual, penalty(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # torch's own use
def test_forward_mode_and_torch_func_step_aside() -> None:
    layer, x = NestedLSTM(3, 4), torch.randn(5, 2, 3)
    tangent = torch.randn_like(x)
    _, derivative = torch.func.jvp(lambda x: layer(x)[0], (x,), (tangent,))
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, tangent)
        output = torch.autograd.forward_ad.unpack_dual(layer(dual)[0])
    torch.testing.assert_close(output.tangent, derivative)
    per_sample = torch.func.vmap(lambda x: layer(x)[0], in_dims=1, out_dims=1)(x)
    torch.testing.assert_close(per_sample, layer(x)[0])


@pytest.mark.parametrize("proj_size", [0, 3])
@pytest.mark.parametrize(("bias", "bfloat16"), [(True, False), (False, False), (True, True)])
def test_the_operators_keep_torch_s_rules(proj_size: int, bias: bool, bfloat16: bool) -> None:
    T, N, F, H, depth = 4, 18, 2, 5, 2
    P = proj_size or H

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, requires_grad=True)

    sizes = ((F, P), (H, H))
    arguments = (
        random(T, N, F),
        random(N, P),
        random(depth, N, H),
        [random(4 * H, i) for pair in sizes for i in pair],
        [random(4 * H) for _ in range(depth * bias)],
        random(P, H) if proj_size else None,
        torch.randint(0, T + 1, (N,)),
        torch.rand(N, P),
        False,
        bfloat16,
    )
    operators = torch.ops.nestcast
    torch.library.opcheck(operators.nested_lstm.default, (*arguments, True))
    constant = torch.utils._pytree.tree_map_only(Tensor, Tensor.detach, arguments)
    torch.library.opcheck(operators.nested_lstm.default, (*constant, False))
    output, h_n, _, saved = operators.nested_lstm(*constant, True)
    for want_d_input in (True, False):
        gradients = (torch.randn_like(output), torch.randn_like(h_n), None, want_d_input)
        torch.library.opcheck(
            operators.nested_lstm_backward.default, (*constant, output, saved, *gradients)
        )


def test_export_holds_the_operator_and_any_batch() -> None:
    layer = NestedLSTM(3, 4).eval()
    program = torch.export.export(
        layer,
        (torch.randn(3, 2, 3),),
        dynamic_shapes={"input": {0: torch.export.Dim.AUTO, 1: torch.export.Dim.AUTO}},
    )
    assert "nestcast.nested_lstm" in str(program.graph)
    x = torch.randn(6, 21, 3)
    assert torch.equal(program.module()(x)[0], layer(x)[0])


@pytest.mark.parametrize("compute_dtype", [None, torch.bfloat16])
def test_compiled_training_runs_on_the_kernel(compute_dtype: torch.dtype | None) -> None:
    torch._dynamo.reset()
    layer = NestedLSTM(3, 20, num_layers=2, compute_dtype=compute_dtype)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True, dynamic=True)
    for N in (4, 37):
        x = torch.randn(5, N, 3, requires_grad=True)
        for actual, wanted in zip(step(compiled, x), step(layer, x), strict=True):
            torch.testing.assert_close(actual, wanted)


def test_copies_run_alone() -> None:
    layer = NestedLSTM(3, 4)
    twin = copy.deepcopy(layer)
    x = torch.randn(5, 2, 3)
    assert torch.equal(layer(x)[0], twin(x)[0])
    with torch.no_grad():
        twin.weight_hh_l0.zero_()
    assert not torch.equal(layer(x)[0], twin(x)[0])


def test_the_layer_equals_the_reference_in_every_form(monkeypatch: pytest.MonkeyPatch) -> None:
    for options in (
        {"num_layers": 2, "bidirectional": True, "proj_size": 3},
        {"depth": 1, "batch_first": True, "bias": False},
        {"depth": 4, "candidate": "identity"},
    ):
        layer = NestedLSTM(3, 9, **options)
        x = torch.randn(6, 21, 3, requires_grad=True)
        for actual, wanted in zip(
            step(layer, x), with_the_reference(layer, x, monkeypatch), strict=True
        ):
            torch.testing.assert_close(actual, wanted, rtol=1e-4, atol=1e-5)


def test_what_the_kernel_does_not_cover_runs_on_the_reference() -> None:
    layer = NestedLSTM(3, 4)
    assert kernel_info(layer, torch.randn(5, 2, 3)).path == "native"
    assert "float64" in kernel_info(layer.double()).description
    assert "bfloat16" in kernel_info(input=torch.randn(5, 2, 3).bfloat16()).description
    assert kernel_info(NestedLSTM(3, 4, depth=9)).path == "reference"
    assert "meta" in kernel_info(NestedLSTM(3, 4, device="meta")).description
    deep = NestedLSTM(3, 4, depth=9)
    deep(torch.randn(5, 2, 3))[0].sum().backward()


def test_compute_dtype_changes_the_products_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer = NestedLSTM(3, 20, num_layers=2, proj_size=9)
    x = torch.randn(7, 21, 3, requires_grad=True)
    expected = step(layer, x)
    short = NestedLSTM(3, 20, num_layers=2, proj_size=9, compute_dtype=torch.bfloat16)
    short.load_state_dict(layer.state_dict())
    info = kernel_info(short)
    assert info.path == "native"
    rounded = step(short, x)
    for actual, wanted in zip(rounded, expected, strict=True):
        assert actual.dtype == torch.float32
        torch.testing.assert_close(actual, wanted, rtol=0.1, atol=0.05 * wanted.abs().max().item())
    assert torch.equal(rounded[0], expected[0]) == ("float32" in info.description)
    for actual, wanted in zip(step(copy.deepcopy(short), x), rounded, strict=True):
        assert torch.equal(actual, wanted)
    for actual, wanted in zip(
        with_the_reference(short, x, monkeypatch),
        with_the_reference(layer, x, monkeypatch),
        strict=True,
    ):
        assert not torch.equal(actual, wanted)
    for actual, wanted in zip(step(layer, x), expected, strict=True):
        assert torch.equal(actual, wanted)


def test_without_products_of_bfloat16_the_layer_computes_in_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(native, "_OF_BFLOAT16", dict.fromkeys(kernels.instruction_sets()))
    layer = NestedLSTM(3, 20)
    short = NestedLSTM(3, 20, compute_dtype=torch.bfloat16)
    short.load_state_dict(layer.state_dict())
    for T, N in ((1, 1), (7, 21)):
        x = torch.randn(T, N, 3)
        assert torch.equal(short(x)[0], layer(x)[0])
    assert "in float32" in kernel_info(short).description
    monkeypatch.setattr(native, "_name", None)
    assert "rounded to bfloat16" in kernel_info(short).description


def test_second_derivatives_of_bfloat16_are_the_reference_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer = NestedLSTM(3, 7, compute_dtype=torch.bfloat16)
    x = torch.randn(5, 4, 3, requires_grad=True)

    def penalty() -> tuple[Tensor, ...]:
        (first,) = torch.autograd.grad(layer(x)[0].square().sum(), [x], create_graph=True)
        return torch.autograd.grad(first.square().sum(), [x, *layer.parameters()])

    actual = penalty()
    monkeypatch.setattr(native, "_name", None)
    for one, other in zip(actual, penalty(), strict=True):
        torch.testing.assert_close(one, other, rtol=0.1, atol=0.05 * other.abs().max().item())


def test_compute_dtype_is_exported_and_autocast_compiled() -> None:
    layer = NestedLSTM(3, 12, compute_dtype=torch.bfloat16).eval()
    x = torch.randn(6, 21, 3)
    program = torch.export.export(layer, (x,))
    assert torch.equal(program.module()(x)[0], layer(x)[0])
    torch._dynamo.reset()
    twin = NestedLSTM(3, 12)
    twin.load_state_dict(layer.state_dict())
    compiled = torch.compile(twin, backend="aot_eager", fullgraph=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        results = step(compiled, x.requires_grad_())
    for actual, wanted in zip(results, step(layer, x), strict=True):
        torch.testing.assert_close(actual, wanted)


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("proj_size", [0, 5])
def test_bfloat16_keeps_its_bounds_in_packed_bidirectional_layers(
    depth: int, proj_size: int
) -> None:
    options = {"depth": depth, "proj_size": proj_size, "num_layers": 2, "bidirectional": True}
    short = NestedLSTM(3, 20, **options, compute_dtype=torch.bfloat16)
    exact = NestedLSTM(3, 20, **options, dtype=torch.float64)
    exact.load_state_dict(short.state_dict())
    lengths = torch.tensor([9, 1, 7, 4] * 5)
    x = torch.randn(9, 20, 3)

    def run(layer: NestedLSTM, x: Tensor) -> list[Tensor]:
        x.requires_grad_()
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        output, (h, c) = layer(packed)
        loss = output.data.square().sum() + h.sum() + c.sum()
        return [output.data, h, c, *torch.autograd.grad(loss, [x, *layer.parameters()])]

    assert kernel_info(short, x).path == "native"
    for k, (actual, wanted) in enumerate(zip(run(short, x), run(exact, x.double()), strict=True)):
        error = (actual.double() - wanted).abs().max() / wanted.abs().max()
        assert error < (0.03 if k < 3 else 0.06), k


@pytest.mark.parametrize(
    ("T", "N", "H", "with_gradients", "without"),
    [
        (1, 100, 64, False, False),
        (2, 8, 64, False, False),
        (2, 9, 64, True, False),
        (3, 16, 64, True, False),
        (3, 17, 64, True, True),
        (10, 1, 200, True, True),
        (20, 1, 201, False, False),
        (21, 1, 201, True, False),
    ],
)
def test_little_work_runs_on_the_reference_and_is_named(
    T: int, N: int, H: int, with_gradients: bool, without: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    for name in ("_forward", "_run"):
        run = getattr(native, name)
        monkeypatch.setattr(native, name, lambda *a, run=run: calls.append(a) or run(*a))
    for batch_first in (False, True):
        layer = NestedLSTM(3, H, batch_first=batch_first)
        x = torch.randn((N, T, 3) if batch_first else (T, N, 3))
        for grad, expected in ((True, with_gradients), (False, without)):
            with torch.set_grad_enabled(grad):
                calls.clear()
                layer(x)
                info = kernel_info(layer, x)
            assert len(calls) == expected
            assert info.path == ("native" if expected else "reference")
            assert expected or f"{T} steps of {N} samples" in info.description
    assert kernel_info(NestedLSTM(3, 64), torch.randn(3, 3)).path == "reference"  # no batch axis
    assert kernel_info(NestedLSTM(3, 64), torch.randn(50, 3)).path == "native"


@pytest.mark.parametrize("wanted", ["reference", "native", *kernels.instruction_sets()])
def test_the_environment_chooses(wanted: str) -> None:
    code = """
import torch
from nestcast.nn import NestedLSTM, kernel_info
print(kernel_info().description)
layer, x = NestedLSTM(3, 20), torch.randn(9, 21, 3)
short = NestedLSTM(3, 20, compute_dtype=torch.bfloat16)
short.load_state_dict(layer.state_dict())
print(kernel_info().bfloat16, torch.equal(layer(x)[0], short(x)[0]))
"""
    environment = {**os.environ, kernels.VARIABLE: wanted}
    shown = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    name = kernels.choose(wanted)
    multiplies = name is not None and native._OF_BFLOAT16[name] is not None
    computes_in_float32 = name is not None and not multiplies
    assert shown.stdout.splitlines() == [
        kernels.describe(name),
        f"{multiplies} {computes_in_float32}",
    ]


def test_a_kernel_that_is_not_there_is_refused() -> None:
    with pytest.raises(OptionError, match="NESTCAST_KERNEL is 'mmx'; here it can be reference"):
        kernels.choose("mmx")
