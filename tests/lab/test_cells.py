"""Sizes are matched, and every cell does what its name says."""

import pytest
import torch

from nestcast.errors import OptionError
from nestcast.lab.cells import Cell, detached, hidden_size_for, parameters
from nestcast.lab.model import CharacterModel, Shape, matched_shape
from nestcast.lab.variants import AdditiveNestedLSTM
from nestcast.nn import NestedLSTM

CELLS = [
    "lstm:1", "lstm:2", "lstm:3", "nested:2", "nested:3", "nested:4", "gru:1", "gru:2",
    "nested-additive:2", "nested-identity:2",
]  # fmt: skip


def by_hand(cell, E, H):
    """Parameters of a cell as the field counts them; torch's GRU has two biases."""
    kind, count = cell.split(":")
    rest = int(count) - 1
    if kind == "gru":
        return 3 * H * (E + H + 2) + rest * 3 * H * (2 * H + 2)
    return 4 * H * (E + H + 1) + rest * 4 * H * (2 * H + 1)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("tied", [True, False])
def test_parameters_match_within_one_per_cent(cell, tied):
    V, E = 300, 24
    for wanted in (500_000, 777_777, 1_500_000, 5_764_800, 30_000_001):
        H = matched_shape(cell, V, E, tied, dropout=0, wanted=wanted).hidden
        softmax = H * E + E + V if tied else H * V + V
        assert abs(V * E + by_hand(cell, E, H) + softmax - wanted) <= 0.01 * wanted


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("tied", [True, False])
def test_parameters_are_as_counted_by_hand(cell, tied):
    model = CharacterModel(Shape(cell, 50, 8, 9, tied))
    softmax = 9 * 8 + 8 + 50 if tied else 9 * 50 + 50
    assert parameters(model.cell) == by_hand(cell, 8, 9)
    assert parameters(model) == 50 * 8 + by_hand(cell, 8, 9) + softmax


@pytest.mark.parametrize("cell", CELLS)
def test_no_other_hidden_size_is_nearer(cell):
    for wanted in (1_000, 30_000, 31_234):
        size = hidden_size_for(wanted, lambda H: 400 + by_hand(cell, 8, H), tolerance=1)
        nearest = min(range(1, 120), key=lambda H: abs(400 + by_hand(cell, 8, H) - wanted))
        assert size == nearest


def test_a_number_that_no_size_has_is_refused():
    with pytest.raises(OptionError, match=r"no hidden size comes within 1% of 500 .*--params"):
        matched_shape("lstm:1", characters=300, embedding=24, tied=True, dropout=0, wanted=500)


@pytest.mark.parametrize("name", ["", "lstm:0", "lstm:x", "lstm:", "nest:2", "gru:-1", "lstm:1.5"])
def test_bad_names_are_refused(name):
    with pytest.raises(OptionError, match="no cell is called"):
        Cell.named(name)


@pytest.mark.parametrize("name", CELLS)
def test_state_carries_over(name):
    """Two halves with the state handed on are the whole."""
    torch.manual_seed(0)
    cell = Cell.named(name).build(5, 6)
    x = torch.randn(8, 3, 5)
    whole, _ = cell(x)
    first, state = cell(x[:3])
    second, _ = cell(x[3:], detached(state))
    torch.testing.assert_close(torch.cat([first, second]), whole, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", CELLS)
def test_only_the_past_counts(name):
    torch.manual_seed(0)
    model = CharacterModel(Shape(name, 20, 6, 7, tied=True)).eval()
    inputs = torch.randint(20, (9, 2))
    changed = inputs.clone()
    changed[5:] = (changed[5:] + 1) % 20
    before, after = model(inputs)[0], model(changed)[0]
    torch.testing.assert_close(before[:5], after[:5])
    assert (before[5] != after[5]).any()


def test_additive_variant_adds():
    """Where i is open and g is 0, the sum hands 1 to the inner level and the product 0."""
    torch.manual_seed(0)
    additive, layer = AdditiveNestedLSTM(3, 4, depth=2), NestedLSTM(3, 4, depth=2)
    layer.load_state_dict(additive.state_dict())
    x = torch.randn(6, 2, 3)
    assert (additive(x)[0] - layer(x)[0]).abs().max() > 1e-3
    with torch.no_grad():
        for weights in (additive, layer):
            weights.weight_ih_l0.zero_()
            weights.weight_hh_l0.zero_()
            weights.bias_ih_l0.copy_(torch.tensor([50.0, -50, 0, 50]).repeat_interleave(4))
    # By hand for one step from zeros: i = 1, f = 0, g = 0, o = 1; the inner input is 1 against 0.
    i, _, g, o = (additive.weight_ih_l0_inner1.sum(1) + additive.bias_ih_l0_inner1).chunk(4)
    inner = i.sigmoid() * g.tanh()
    expected = (o.sigmoid() * inner.tanh()).tanh()
    torch.testing.assert_close(additive(x[:1])[0][0, 0], expected)
    assert (layer(x[:1])[0] == 0).all()  # no input, no bias in the inner candidate


def test_additive_variant_of_one_level_is_an_lstm():
    torch.manual_seed(0)
    additive, layer = AdditiveNestedLSTM(3, 4, depth=1), NestedLSTM(3, 4, depth=1)
    layer.load_state_dict(additive.state_dict())
    x = torch.randn(6, 2, 3)
    torch.testing.assert_close(additive(x)[0], layer(x)[0], atol=1e-6, rtol=1e-5)
