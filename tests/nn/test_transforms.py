"""What PyTorch does to modules: compile, export, functional calls, parametrizations, replicas."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from nestcast.nn import NestedLSTM, native

OPTIONS: dict[str, Any] = {"num_layers": 2, "bidirectional": True, "proj_size": 2, "depth": 2}


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiles_as_one_graph(backend: str) -> None:
    torch._dynamo.reset()
    layer = NestedLSTM(3, 4, **OPTIONS)
    compiled = torch.compile(layer, backend=backend, fullgraph=True)
    x = torch.randn(3, 2, 3)
    expected, (h, c) = layer(x)
    output, state = compiled(x)
    for actual, wanted in zip((output, *state), (expected, h, c), strict=True):
        torch.testing.assert_close(actual, wanted)
    gradients = torch.autograd.grad(output.square().sum(), list(layer.parameters()))
    wanted = torch.autograd.grad(expected.square().sum(), list(layer.parameters()))
    for actual, gradient in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(actual, gradient)
    carried = (h.detach(), c.detach())
    torch.testing.assert_close(compiled(x, carried)[0], layer(x, carried)[0])


def test_compiles_with_dropout_and_autocast() -> None:
    torch._dynamo.reset()
    layer = NestedLSTM(3, 4, num_layers=2, dropout=0.5, recurrent_dropout=0.5)
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert compiled(torch.randn(3, 2, 3))[0].dtype == torch.float32


def test_compiles_with_rounded_products_on_either_path(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = NestedLSTM(3, 4, compute_dtype=torch.bfloat16)
    x = torch.randn(3, 2, 3, requires_grad=True)
    for name in {native.kernel_in_use(), None}:
        monkeypatch.setattr(native, "_name", name)
        torch._dynamo.reset()
        compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
        actual, wanted = (
            torch.autograd.grad(run(x)[0].square().sum(), [x, *layer.parameters()])
            for run in (compiled, layer)
        )
        for one, other in zip(actual, wanted, strict=True):
            torch.testing.assert_close(one, other, rtol=0.02, atol=0.01)


def test_exports_with_a_free_batch_size() -> None:
    layer = NestedLSTM(3, 4, **OPTIONS).eval()
    batch = torch.export.Dim("batch", min=2)
    program = torch.export.export(
        layer, (torch.randn(3, 2, 3),), dynamic_shapes={"input": {1: batch}}
    )
    x = torch.randn(3, 5, 3)
    output, (h, c) = program.module()(x)
    expected, (h_n, c_n) = layer(x)
    for actual, wanted in zip((output, h, c), (expected, h_n, c_n), strict=True):
        torch.testing.assert_close(actual, wanted)


def test_functional_call_grad_and_vmap() -> None:
    layer = NestedLSTM(3, 4, dtype=torch.float64)
    weights = {name: weight.detach() for name, weight in layer.named_parameters()}
    batch = torch.randn(4, 2, 3, dtype=torch.float64)

    def loss(weights: dict[str, Tensor], sample: Tensor) -> Tensor:
        output, _ = torch.func.functional_call(layer, weights, (sample,))
        return output.square().sum()

    per_sample = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 1))(weights, batch)
    for n in range(batch.size(1)):
        layer.zero_grad()
        layer(batch[:, n])[0].square().sum().backward()
        for name, weight in layer.named_parameters():
            torch.testing.assert_close(per_sample[name][n], weight.grad)


def test_functional_call_uses_the_weights_it_is_given() -> None:
    layer, other = NestedLSTM(3, 4), NestedLSTM(3, 4)
    x = torch.randn(5, 2, 3)
    output, _ = torch.func.functional_call(layer, dict(other.named_parameters()), (x,))
    assert torch.equal(output, other(x)[0])


@pytest.mark.parametrize("name", ["weight_hh_l0", "weight_ih_l0_inner1"])
def test_weights_can_be_parametrized(name: str) -> None:
    layer = NestedLSTM(3, 4)
    x = torch.randn(5, 2, 3)
    expected, _ = layer(x)
    parametrizations.weight_norm(layer, name)
    output, _ = layer(x)
    torch.testing.assert_close(output, expected)
    output.sum().backward()
    assert all(weight.grad is not None for weight in layer.parameters())


def test_a_parametrized_weight_is_computed_once_per_call() -> None:
    calls = []

    class Counting(nn.Module):
        def forward(self, weight: Tensor) -> Tensor:
            calls.append(1)
            return weight

    layer = NestedLSTM(3, 4)
    nn.utils.parametrize.register_parametrization(layer, "weight_ih_l0", Counting())
    calls.clear()
    layer(torch.randn(5, 2, 3))
    assert len(calls) == 1
