"""Means of late, and networks averaged with them."""

import numpy as np
import pytest
import torch

from nestcast.data import Calendar, Keys, Panel
from nestcast.model.families import likelihood
from nestcast.model.features import Features
from nestcast.model.likelihood import Size
from nestcast.model.recent import Recent
from nestcast.model.schema import schema_of

COUNTS = ("negative-binomial", "poisson", "zero-inflated", "hurdle")
ONE = torch.ones(1)


def test_later_periods_count_more_and_unseen_ones_not_at_all():
    rng = np.random.default_rng(0)
    target, seen = rng.poisson(2.0, (5, 20)), rng.random((5, 20)) < 0.7
    seen[4] = False
    found = Recent.of(torch.tensor(target * seen).float(), torch.tensor(seen))
    for row in range(4):
        ago = 19 - np.flatnonzero(seen[row])
        mean = np.average(target[row][seen[row]], weights=0.9**ago)
        assert found.mean[row].item() == pytest.approx(mean, rel=1e-5)
        assert found.known[row].item() == pytest.approx(0.1 * (0.9**ago).sum(), rel=1e-5)
    assert found.known[4].item() == 0


@pytest.mark.parametrize("name", COUNTS)
def test_means_are_averaged_in_logarithms(name):
    family = likelihood(name)
    raw, ten = 0.3 * torch.randn(6, 2, family.parameters), torch.full((6, 2), 10.0)
    size = Size(ten, ten)
    said = family.mean(raw, size)
    recent = Recent(torch.full((6, 1), 4.0), torch.tensor([[0.0], [0.5], [1.0]] * 2), ONE)
    found = family.mean(recent.averaged(family, raw, size, 0.5, 1.0), size)
    share = 0.5 * recent.known
    # A hurdle's mean follows what moves it less than in proportion.
    tolerance = 0.15 if name == "hurdle" else 1e-4
    torch.testing.assert_close(found, said ** (1 - share) * 4**share, rtol=tolerance, atol=0)
    assert torch.equal(recent.averaged(family, raw, size, 0.0, 0.5), raw)


def test_nothing_sold_of_late_does_not_make_it_nothing():
    family, one = likelihood("poisson"), torch.ones(1, 1)
    none = Recent(torch.zeros(1, 1), torch.ones(1, 1), ONE)
    found = family.mean(
        none.averaged(family, torch.zeros(1, 1, 1), Size(one, one), 0.5, 1.0), Size(one, one)
    )
    assert found.item() == pytest.approx(0.05**0.5, rel=1e-2)


def test_what_comes_after_changes_nothing():
    rng = np.random.default_rng(1)
    target = rng.poisson(1.0, (4, 12)).astype(np.float32)
    other = target.copy()
    other[:, 8:] = 50

    def recent(values):
        keys, calendar = Keys({"part": np.arange(4)}), Calendar("1mo", np.datetime64("2020-01"), 12)
        panel = Panel(keys, calendar, values, np.zeros(4, np.int32))
        return Features(panel, schema_of(panel)).recent(torch.arange(4), 8)

    torch.testing.assert_close(recent(other).mean, recent(target).mean, rtol=0, atol=0)


def test_the_level_of_what_networks_say_is_that_of_all_series_together():
    rng = np.random.default_rng(2)
    late, known = torch.tensor(rng.gamma(1.0, 1.0, (30, 1))), torch.tensor(rng.random((30, 1)))
    said = late * torch.tensor([0.5, 2.0]) * torch.tensor(rng.uniform(0.9, 1.1, (30, 2)))
    recent = Recent(late, known, ONE)
    before, all_ = ((known * one).sum(dim=0) for one in (late, said))
    torch.testing.assert_close(recent.level_of(said) * before, all_)
    nothing = Recent(torch.zeros(3, 1), torch.ones(3, 1), ONE)
    assert nothing.level_of(torch.ones(3, 2)).tolist() == [1, 1]
    assert recent.level_of(100 * said).tolist() == [3, 3]


@pytest.mark.parametrize("follow", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("weight", [0.25, 0.375, 0.5, 1.0])
def test_how_all_move_is_followed_so_far(weight, follow):
    family, late = likelihood("negative-binomial"), torch.tensor([[2.0], [6.0]])
    size = Size(late.expand(2, 3), late.expand(2, 3))
    level = torch.tensor([0.5, 1.0, 2.0])
    raw = torch.zeros(2, 3, family.parameters)
    raw[..., family.location] = level.log()
    recent = Recent(late, torch.ones(2, 1), ONE)
    assert recent.level_of(family.mean(raw, size)).tolist() == pytest.approx(
        level.tolist(), rel=1e-2
    )
    found = family.mean(recent.at(level).averaged(family, raw, size, weight, follow), size)
    of_networks = {0.25: 1.0, 0.375: 0.5 + follow / 2, 0.5: follow, 1.0: follow}[weight]
    share = weight * follow + (1 - weight) * of_networks
    torch.testing.assert_close(found, late * level**share, rtol=1e-2, atol=0)
