import numpy as np
import pytest
import torch

from nestcast.model.counts import NegativeBinomial
from nestcast.recipes.global_network import GlobalNetwork
from nestcast.recipes.holdout import HoldOut, Watch
from nestcast.training import Progress, silent
from tests.panels import store


class Losses:
    """Stands for what is held out: gives the losses of a training one after another."""

    def __init__(self, losses):
        self.losses = iter(losses)

    def loss(self, network):
        with torch.no_grad():
            network.weight.add_(1)  # told apart by what was done to them since
        return next(self.losses)


def watched(losses, margin):
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(network.weight)
    watch = Watch(network, Losses(losses), silent, margin)
    for batch in range(1, 49):
        watch(Progress(1, 1, batch, 48, 0.0))
    watch.restore()
    return watch.share, network.weight.item()


@pytest.mark.parametrize(
    ("losses", "share", "weights"),
    [
        ([9, 8, 7, 6, 5, 4, 3, 2, 1], 1.0, 9),  # best at the end
        ([9, 8, 7, 3, 2, 1, 2, 3, 4], 0.5, 6),  # clearly best half-way
        ([9, 8, 7, 3, 2, 1.00, 1.1, 1.1, 1.04], 1.0, 9),  # not clearly
        ([9, 8, 7, 3, 2, 1.00, 1.04, 1.1, 1.2], 2 / 3, 7),  # for some time
        ([9, 2, 3, 4, 5, 6, 7, 8, 9], 1 / 24, 2),  # clearly best after very little
        ([1, 2, 3, 4, 5, 6, 7, 8, 9], 0.0, 1),  # training harms
    ],
)
def test_training_is_cut_short_only_where_it_clearly_was_better(losses, share, weights):
    assert watched(losses, 0.05) == (pytest.approx(share), weights)


def test_without_a_margin_the_best_is_kept():
    losses = [9, 8, 7, 3, 2, 1.00, 1.1, 1.1, 1.04]
    assert watched(losses, 0.0) == (pytest.approx(0.5), 6)


@pytest.mark.usefixtures("short_training")
def test_how_training_goes_on_is_told_by_likelihood_also_where_squared_errors_are_learned_from(
    monkeypatch,
):
    told = []
    loss = HoldOut.loss

    def listening(held_out, network):
        losses, weights = [], []
        for held in held_out.asked(network):
            assert held.known.all()
            losses.append(-NegativeBinomial().log_prob(held.raw, held.size, held.target))
            weights.append(weight[held.rows, None])
        expected = np.average(torch.cat(losses), weights=torch.cat(weights))
        told.append((loss(held_out, network), expected))
        return told[-1][0]

    panel = store(shops=6, items=30)
    panel = panel.take(panel.start == 0)
    weight = torch.ones(len(panel))
    monkeypatch.setattr(HoldOut, "loss", listening)
    GlobalNetwork(squared=True).fit(panel, panel.keys, 1, silent)
    found, expected = np.transpose(told)
    assert len(found) > 4
    np.testing.assert_allclose(found, expected, rtol=1e-5)
