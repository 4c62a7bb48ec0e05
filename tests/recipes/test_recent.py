"""How much means of late count beside what networks say."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from nestcast import Forecaster, Keys, Panel
from nestcast.data import Calendar
from nestcast.model.counts import Poisson
from nestcast.model.likelihood import Size
from nestcast.model.recent import Recent
from nestcast.recipes.holdout import Held, HoldOut

SERIES, PERIODS = 400, 4


def weight(said, recent, truth):
    """Of means of late, shape (series,), where networks say others and counts of a mean come."""
    features = SimpleNamespace(start=torch.zeros(SERIES, dtype=torch.long), length=PERIODS)
    every = torch.ones(SERIES)
    cases = SimpleNamespace(features=features, named=None, codes=every, weight=every)
    held_out = HoldOut(cases, Poisson(), 0, False, np.random.default_rng(0))
    one = torch.ones(SERIES, 1)
    rng = np.random.default_rng(5)
    counts = [torch.tensor(rng.poisson(truth)).float()[:, None] for _ in range(PERIODS)]
    raw = torch.tensor(said).float().log()[:, None, None]
    late = Recent(torch.tensor(recent).float()[:, None], one, torch.ones(1))
    forecasts = (
        Held(np.arange(SERIES), period, raw, Size(one, one), count, one > 0, late)
        for period, count in enumerate(counts)
    )
    return held_out.recent(list(forecasts), 1.0)


def test_the_better_one_counts():
    truth = np.random.default_rng(1).uniform(0.2, 4, SERIES)
    off = truth * np.random.default_rng(2).choice([0.3, 3], SERIES)
    assert weight(truth, off, truth) == 0.0
    assert weight(off, truth, truth) == 1.0
    assert weight(truth, truth, truth) >= 0.5


def test_each_wrong_in_its_own_way_are_better_together():
    rng = np.random.default_rng(3)
    truth = rng.uniform(0.5, 4, SERIES)
    said, recent = (truth * np.exp(sigma * rng.standard_normal(SERIES)) for sigma in (0.5, 0.8))
    assert 0.125 <= weight(said, recent, truth) <= 0.375


def followed(said, came):
    """How far levels are followed that networks say and that come, of 1 of late, shape (ahead,)."""
    features = SimpleNamespace(start=torch.zeros(SERIES, dtype=torch.long), length=len(said))
    every = torch.ones(SERIES)
    cases = SimpleNamespace(features=features, named=None, codes=every, weight=every)
    held_out = HoldOut(cases, Poisson(), 0, False, np.random.default_rng(0))
    one, shape = torch.ones(SERIES, 1), (SERIES, len(said))
    mean, counts = (torch.tensor(x).float().expand(shape) for x in (said, came))
    late = Recent(one, one, torch.ones(1))
    known = torch.ones(shape) > 0
    held = Held(np.arange(SERIES), 0, mean.log()[..., None], Size(one, one), counts, known, late)
    return held_out.follow([held])


def test_how_all_move_is_followed_as_far_as_it_came_true():
    week = np.exp(0.8 * np.array([-1, -1, 0, 0, 0, 1, 1, -1, -1, 0, 0, 0, 1, 1]))
    assert followed(week, week) > 0.9
    assert followed(week, week**1.5) == 1
    assert followed(week, np.ones(14)) < 0.1
    assert followed(week, 1 / week) == 0
    assert followed(week, week**0.5) == pytest.approx(0.5, abs=0.01)


def test_of_small_movements_a_half_is_followed():
    little = np.exp(0.01 * np.array([1.0, -1.0, 1.0, 1.0]))
    noise = np.exp(0.2 * np.array([1.0, 1.0, -0.5, 0.5]))
    assert followed(little, noise) == pytest.approx(0.5, abs=0.05)
    assert followed(np.ones(3), np.ones(3)) == pytest.approx(0.5, abs=0.01)


@pytest.fixture(scope="module")
def parts():
    """Parts that sell now and then; after two years half of them hardly at all any more."""
    rng = np.random.default_rng(5)
    rate = rng.gamma(1.0, 1.0, (150, 1)) * np.ones(42)
    rate[::2, 24:] *= 0.1
    target = rng.poisson(rate)
    panel = Panel(
        Keys({"part": np.arange(150)}),
        Calendar("1mo", np.datetime64("2020-01"), 36),
        target[:, :36].astype(np.float32),
        np.zeros(150, np.int32),
    )
    return panel, rate[:, 36:]


def test_forecasts_of_small_counts_are_averaged_with_means_of_late(parts, tmp_path):
    panel, rate = parts
    forecaster = Forecaster(6, effort="quick", seed=0).fit(panel)
    recent = forecaster.global_network.recent
    assert recent > 0
    forecast = forecaster.predict(level=[80])
    error = np.sqrt(((forecast.mean - rate) ** 2).mean())
    late = Recent.of(torch.from_numpy(panel.target), torch.ones(150, 36, dtype=torch.bool)).mean
    assert error < 0.95 * np.sqrt(((late.numpy() - rate) ** 2).mean())
    forecaster.save(tmp_path / "model")
    again = Forecaster.load(tmp_path / "model").predict(6, level=[80], panel=panel)
    np.testing.assert_array_equal(again.mean, forecast.mean)
    np.testing.assert_array_equal(again.quantiles, forecast.quantiles)


def test_what_else_is_asked_for_changes_nothing(parts):
    panel, _ = parts
    forecaster = Forecaster(6, effort="quick", seed=0).fit(panel)
    assert forecaster.global_network.recent > 0
    some = Keys({"part": np.array([3, 1000, 40])})  # one is new
    found = forecaster.predict(pairs=some, level=[80]).mean
    whole = forecaster.predict(level=[80]).mean
    np.testing.assert_allclose(found[[0, 2]], whole[[3, 40]], rtol=1e-4)


def test_a_season_that_all_share_is_kept_in_part(short_training):
    """Before a season, networks know that it comes; means of late do not."""
    rng = np.random.default_rng(6)
    season = 1 + 2.0 * (np.arange(60) % 12 == 11)
    rate = rng.gamma(2.0, 0.5, (200, 1)) * season[:59]
    panel = Panel(
        Keys({"part": np.arange(200)}),
        Calendar("1mo", np.datetime64("2018-01"), 59),
        rng.poisson(rate).astype(np.float32),
        np.zeros(200, np.int32),
    )
    recipe = Forecaster(1, effort="quick", seed=0).fit(panel).global_network

    def total(recent, follow):
        recipe._settings = replace(recipe._settings, recent=recent, follow=follow)
        return recipe.predict(panel, panel.keys, 1, [0.5]).mean.sum()

    seen = torch.ones(200, 59, dtype=torch.bool)
    flat = float(Recent.of(torch.from_numpy(panel.target), seen).mean.sum())
    said = total(0.0, 0.5)
    assert flat < said
    for follow in (0.0, 0.5, 1.0):
        assert total(1.0, follow) == pytest.approx(flat ** (1 - follow) * said**follow, rel=0.02)
        assert total(0.5, follow) == pytest.approx(total(1.0, follow), rel=0.1)
    assert total(0.25, 0.0) > total(0.5, 0.0)  # networks that count more go back less


@pytest.mark.parametrize(
    ("freq", "horizon", "learned"), [("1mo", 1, False), ("1mo", 2, True), ("1w", 1, True)]
)
def test_one_month_ahead_networks_say_where_all_series_go(freq, horizon, learned, short_training):
    """A boom in the months held back is of another season than the next one: it teaches nothing."""
    rng = np.random.default_rng(7)
    rate = rng.gamma(2.0, 0.5, (300, 1)) * np.ones(30)
    rate[:, -2:] *= 3
    panel = Panel(
        Keys({"part": np.arange(300)}),
        Calendar(freq, np.datetime64("2018-01-01"), 30),  # a Monday
        rng.poisson(rate).astype(np.float32),
        np.zeros(300, np.int32),
    )
    fitted = Forecaster(horizon, effort="quick", seed=0).fit(panel)
    follow = fitted.global_network._settings.follow
    assert follow < 0.8 if learned else follow == 1


@pytest.mark.parametrize("family", ["tweedie", "normal"])
def test_other_distributions_are_left_as_they_are(parts, family, short_training):
    forecaster = Forecaster(2, likelihood=family, seed=0).fit(parts[0])
    assert forecaster.global_network.recent == 0
