"""The network and its cells."""

import pytest
import torch

from nestcast.errors import OptionError
from nestcast.model.network import ForecastNetwork, Head, NetworkConfig, as_large
from nestcast.model.recurrent import parameters

CONFIG = NetworkConfig(past=9, ahead=6, outputs=2, vocabularies=(7, 40))
CELLS = ["nested:2", "nested:3", "nested-identity:2", "lstm:1", "lstm:2", "gru:1", "gru:2", "mlp"]


def inputs(steps=5, batch=3):
    generator = torch.Generator().manual_seed(0)
    past = torch.randn(steps, batch, 9, generator=generator)
    return past, torch.randn(steps, batch, 4, 6, generator=generator), torch.tensor([[1, 2]] * 3)


@pytest.mark.parametrize("cell", CELLS)
def test_all_cells_are_as_large(cell):
    network = ForecastNetwork(as_large(CONFIG, cell))
    assert parameters(network) == pytest.approx(parameters(ForecastNetwork(CONFIG)), rel=0.02)


@pytest.mark.parametrize("cell", CELLS)
def test_no_step_sees_a_later_one_and_all_is_trained(cell):
    network = ForecastNetwork(as_large(CONFIG, cell)).eval()
    for name, weight in network.named_parameters():
        if "head" in name:
            torch.nn.init.normal_(weight, std=0.3)  # a new head says 0 whatever it is told
    past, ahead, codes = inputs()
    raw = network(past, ahead, codes)
    assert raw.shape == (5, 3, 4, 2)
    changed = past.clone()
    changed[3:] += 1
    other = network(changed, ahead, codes)
    torch.testing.assert_close(other[:3], raw[:3], rtol=0, atol=0)
    assert (other[3:] != raw[3:]).any()
    raw.square().sum().backward()
    assert all(weight.grad is not None for weight in network.parameters())


def test_inputs_beyond_what_was_seen_are_taken_as_the_ends_of_it():
    network = ForecastNetwork(CONFIG).eval()
    past, ahead, codes = inputs()
    network.standardise(past.flatten(0, 1), ahead.flatten(0, 2))
    torch.nn.init.normal_(network.head.last.weight)
    high, far = past.flatten(0, 1).amax(dim=0), ahead.flatten(0, 2).amin(dim=0)
    ends = network(high.expand_as(past), far.expand_as(ahead), codes)
    beyond = network(high.expand_as(past) + 5, far.expand_as(ahead) - 5, codes)
    torch.testing.assert_close(beyond, ends, rtol=0, atol=0)
    assert not torch.equal(network(past, ahead, codes), ends)


@pytest.mark.parametrize("cell", ["nested:2", "lstm:2", "gru:2"])
def test_the_first_state_knows_what_the_series_is(cell):
    network = ForecastNetwork(as_large(CONFIG, cell)).eval()
    x, static = torch.zeros(1, 2, CONFIG.past + CONFIG.ahead), torch.zeros(2, network.statics)
    static[1] = 1
    hidden = network.encoder(x, static)
    assert (hidden[0, 0] != hidden[0, 1]).any()


def test_asking_for_one_step_gives_that_step():
    network = ForecastNetwork(CONFIG).eval()
    torch.nn.init.normal_(network.head.last.weight)
    past, ahead, codes = inputs()
    last = torch.tensor([0, 4, 2])
    found = network(past, ahead, codes, last=last)
    torch.testing.assert_close(found, network(past, ahead, codes)[last, torch.arange(3)])


@pytest.mark.parametrize("layers", [1, 2])
def test_a_head_reads_parts_of_the_state_as_one(layers):
    parts = torch.randn(5, 3, 6), torch.randn(5, 3, 4), torch.randn(3, 2)
    whole = torch.cat([*parts[:2], parts[2].expand(5, -1, -1)], dim=-1)
    of_parts, of_one = Head((6, 4, 2), 7, 8, 2, layers), Head((12,), 7, 8, 2, layers)
    for weight in of_parts.parameters():
        torch.nn.init.normal_(weight)
    of_one.load_state_dict(of_parts.state_dict())
    ahead = torch.randn(5, 3, 4, 7)
    torch.testing.assert_close(of_parts(parts, ahead), of_one((whole,), ahead))


@pytest.mark.parametrize("cell", ["rnn", "nested:0", "lstm:x"])
def test_there_is_no_such_cell(cell):
    with pytest.raises(OptionError, match="no cell is called"):
        as_large(CONFIG, cell)
