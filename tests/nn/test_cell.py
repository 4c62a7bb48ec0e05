"""NestedLSTMCell against torch.nn.LSTMCell and against the layer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nestcast.nn import NestedLSTM, NestedLSTMCell

F64 = torch.float64


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch", [(), (2,), (0,)])
@pytest.mark.parametrize("stateful", [False, True])
def test_depth_1_is_torch_lstm_cell(bias: bool, batch: tuple[int, ...], stateful: bool) -> None:
    theirs = nn.LSTMCell(3, 4, bias=bias, dtype=F64)
    ours = NestedLSTMCell(3, 4, bias=bias, depth=1, dtype=F64)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(*batch, 3, dtype=F64)
    h, c = torch.randn(2, *batch, 4, dtype=F64)
    h_1, c_1 = theirs(x, (h, c) if stateful else None)
    h_2, c_2 = ours(x, (h, c.unsqueeze(0)) if stateful else None)
    close(h_2, h_1)
    close(c_2, c_1.unsqueeze(0))
    names = [name for name, _ in ours.named_parameters()]
    loss_1, loss_2 = (h_1.square() + c_1).sum(), (h_2.square() + c_2[0]).sum()
    grads_1 = torch.autograd.grad(loss_1, [theirs.get_parameter(name) for name in names])
    grads_2 = torch.autograd.grad(loss_2, [ours.get_parameter(name) for name in names])
    for gradient, expected in zip(grads_2, grads_1, strict=True):
        close(gradient, expected)


@pytest.mark.parametrize("options", [{}, {"depth": 3}, {"bias": False, "candidate": "identity"}])
def test_steps_of_the_cell_are_the_layer(options: dict[str, Any]) -> None:
    layer = NestedLSTM(3, 4, dtype=F64, **options)
    cell = NestedLSTMCell(3, 4, dtype=F64, **options)
    cell.load_state_dict({k.replace("_l0", ""): v for k, v in layer.state_dict().items()})
    x = torch.randn(5, 2, 3, dtype=F64)
    output, (h_n, c_n) = layer(x)
    state = None
    for step, expected in zip(x, output, strict=True):
        state = cell(step, state)
        close(state[0], expected)
    close(state[0], h_n[0])
    close(state[1], c_n[:, 0])


def test_one_sample_is_a_batch_of_one() -> None:
    cell = NestedLSTMCell(3, 4, depth=2)
    x = torch.randn(3)
    state = cell(x)
    h, c = cell(x, state)
    h_1, c_1 = cell(x[None], (state[0][None], state[1][:, None]))
    assert (h.shape, c.shape) == ((4,), (2, 4))
    assert torch.equal(h, h_1[0])
    assert torch.equal(c, c_1[:, 0])


def test_its_depth_axis_is_asked_for() -> None:
    cell = NestedLSTMCell(3, 4)
    with pytest.raises(ValueError, match="Expected c to be 3D for 2D input, got 2D"):
        cell(torch.zeros(2, 3), (torch.zeros(2, 4), torch.zeros(2, 4)))
    with pytest.raises(RuntimeError, match=r"Expected c of size \[2, 2, 4\], got \[3, 2, 4\]"):
        cell(torch.zeros(2, 3), (torch.zeros(2, 4), torch.zeros(3, 2, 4)))


def test_it_prints_as_it_was_made() -> None:
    cell = NestedLSTMCell(3, 4, bias=False, depth=3, candidate="identity")
    assert repr(eval(repr(cell))) == repr(cell)
