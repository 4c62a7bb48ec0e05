"""Counts, names and first values of the weights, and loading those of torch.nn.LSTM."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nestcast.nn import NestedLSTM, NestedLSTMCell


def count(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def test_counts_of_the_paper() -> None:
    assert count(NestedLSTM(1, 40)) == count(NestedLSTMCell(1, 40)) == 19_680
    assert count(NestedLSTM(600, 600, device="meta")) == 5_764_800


@settings(deadline=None, max_examples=30)
@given(F=st.integers(1, 9), H=st.integers(1, 9), depth=st.integers(1, 4))
def test_counts_in_any_size(F: int, H: int, depth: int) -> None:
    expected = 4 * H * (F + H + 1) + (depth - 1) * 4 * H * (2 * H + 1)
    assert count(NestedLSTM(F, H, depth=depth, device="meta")) == expected
    no_bias = NestedLSTM(F, H, depth=depth, bias=False, device="meta")
    assert count(no_bias) == expected - depth * 4 * H


def test_names_and_shapes_are_those_of_torch_lstm_and_a_suffix_inside() -> None:
    options = {"num_layers": 2, "bidirectional": True, "proj_size": 3}
    theirs = nn.LSTM(2, 4, **options).state_dict()
    ours = NestedLSTM(2, 4, depth=3, **options).state_dict()
    outer = {name: tuple(weight.shape) for name, weight in ours.items() if "_inner" not in name}
    assert outer == {
        name: tuple(weight.shape) for name, weight in theirs.items() if "bias_hh" not in name
    }
    inner = {name: tuple(weight.shape) for name, weight in ours.items() if "_inner" in name}
    assert inner == {
        f"{kind}_l{layer}{direction}_inner{level}": shape
        for kind, shape in (("weight_ih", (16, 4)), ("weight_hh", (16, 4)), ("bias_ih", (16,)))
        for layer in (0, 1)
        for direction in ("", "_reverse")
        for level in (1, 2)
    }


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_first_values(dtype: torch.dtype) -> None:
    layer = NestedLSTM(5, 6, num_layers=2, depth=3, proj_size=4, dtype=dtype)
    for name, weight in layer.named_parameters():
        weight = weight.detach().float()
        if name.startswith("bias"):
            assert weight.tolist() == [0.0] * 6 + [1.0] * 6 + [0.0] * 12, name
        elif name.startswith("weight_hh"):
            gram = weight.T @ weight
            torch.testing.assert_close(gram, torch.eye(len(gram)), rtol=0, atol=0.05)
        else:
            bound = (6 / sum(weight.shape)) ** 0.5
            assert bound / 2 < weight.abs().max() <= bound * 1.01, name
    before = layer.weight_ih_l0.detach().clone()
    layer.reset_parameters()
    assert not torch.equal(layer.weight_ih_l0, before)


class Model(nn.Module):
    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(2, 2), encoder])


@pytest.mark.parametrize("assign", [False, True])
def test_torch_lstm_loads_strictly_inside_a_bigger_module(assign: bool) -> None:
    options = {"num_layers": 2, "bidirectional": True, "proj_size": 2, "dtype": torch.float64}
    theirs, ours = Model(nn.LSTM(3, 4, **options)), Model(NestedLSTM(3, 4, depth=1, **options))
    state = theirs.state_dict()
    before = {name: weight.clone() for name, weight in state.items()}
    ours.load_state_dict(state, assign=assign)
    assert list(state) == list(before)
    assert all(torch.equal(state[name], before[name]) for name in before)
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    torch.testing.assert_close(ours.blocks[1](x)[0], theirs.blocks[1](x)[0])


def test_what_does_not_fit_is_reported() -> None:
    lstm = nn.LSTM(3, 4).state_dict()
    with pytest.raises(RuntimeError, match=r"Missing key.*weight_ih_l0_inner1"):
        NestedLSTM(3, 4, depth=2).load_state_dict(lstm)
    with pytest.raises(RuntimeError, match=r"Unexpected key.*bias_hh_l0"):
        NestedLSTM(3, 4, depth=1, bias=False).load_state_dict(lstm)
    del lstm["bias_ih_l0"]
    with pytest.raises(RuntimeError, match=r"Unexpected key.*bias_hh_l0"):
        NestedLSTM(3, 4, depth=1).load_state_dict(lstm)
    result = NestedLSTM(3, 4, depth=2).load_state_dict(nn.LSTM(3, 4).state_dict(), strict=False)
    assert not result.unexpected_keys
