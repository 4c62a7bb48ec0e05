import numpy as np
import pytest
import torch

from nestcast.data import Calendar, Keys, Panel
from nestcast.model.base import Base
from nestcast.model.features import Features
from nestcast.model.schema import schema_of
from nestcast.recipes.basing import learn_base

PERIODS, HORIZON = 150, 10


def learned(target):
    panel = Panel(
        Keys({"unique_id": np.arange(len(target))}),
        Calendar("1w", np.datetime64("2020-01-06"), PERIODS),
        target.astype(np.float32),
        np.zeros(len(target), np.int32),
        is_count=False,
    )
    features = Features(panel, schema_of(panel, HORIZON))
    return learn_base(features, PERIODS, np.random.default_rng(0))


@pytest.mark.parametrize(("walks", "low", "high"), [(True, 0.35, 0.75), (False, 0.0, 0.15)])
def test_errors_grow_with_the_periods_ahead_as_they_did(walks, low, high):
    """Those of a random walk with the root of their number, those of noise not at all."""
    shocks = np.random.default_rng(1).standard_normal((30, PERIODS))
    base = learned(1000 + 10 * (shocks.cumsum(axis=1) if walks else shocks))
    assert low <= base.growth <= high


def test_the_error_to_be_expected_is_wider_for_later_periods():
    base = Base(growth=0.5)
    found = base.wider(torch.tensor([[2.0], [8.0]]), torch.tensor([0, 3]))
    torch.testing.assert_close(found, torch.tensor([[2.0, 4.0], [8.0, 16.0]]))


def test_of_one_period_nothing_is_learned():
    assert learned(np.full((1, PERIODS), 7.5)).growth == 0.0


@pytest.mark.parametrize("seed", [6, 13, 22])
def test_the_search_does_not_run_away_on_one_short_series(seed):
    sold = [
        4,
        7,
        9,
        6,
        9,
        5,
        1,
        14,
        6,
        9,
        7,
        5,
        7,
        7,
        2,
        5,
        6,
        7,
        8,
        2,
        6,
        5,
        8,
        8,
        4,
        11,
        7,
        8,
        8,
        8,
    ]
    panel = Panel(
        Keys({"item_id": np.array([7])}),
        Calendar("1mo", np.datetime64("2022-01-01"), len(sold)),
        np.array([sold], np.float32),
        np.zeros(1, np.int32),
    )
    features = Features(panel, schema_of(panel, 1))
    base = learn_base(features, len(sold), np.random.default_rng(seed))
    assert np.abs([*base.weights, *base.noise, *base.smoothed]).max() < 30  # had been 1e7 to 1e19
