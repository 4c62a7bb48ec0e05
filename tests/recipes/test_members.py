"""How many networks are averaged."""

import numpy as np
import pytest

from nestcast import Forecaster
from nestcast.recipes import global_network
from nestcast.recipes.global_network import GlobalNetwork
from nestcast.recipes.holdout import Watch
from nestcast.recipes.learning import Budget, Effort
from tests.panels import store

pytestmark = pytest.mark.usefixtures("short_training")


@pytest.mark.parametrize(
    ("share", "members", "networks"),
    [(1.0, None, 1), (0.5, None, 2), (0.1, None, 3), (0.1, 1, 1), (1.0, 2, 2)],
)
def test_what_short_trainings_save_is_spent_on_more(
    share, members, networks, monkeypatch, tmp_path
):
    def hold_out(recipe, cases, generator, report):
        return recipe.effort.budget.part(share)

    monkeypatch.setattr(GlobalNetwork, "_hold_out", hold_out)
    panel, told = store(shops=2, items=5), []
    forecaster = Forecaster(members=members).fit(panel, report=told.append)
    assert len(forecaster.global_network.networks) == networks
    at = [one.epoch / one.epochs for one in told]
    assert at == sorted(at)
    assert at[-1] == 1.0
    forecaster.save(tmp_path / "model")
    again = Forecaster.load(tmp_path / "model")
    expected = forecaster.predict(level=[80]).quantiles
    assert np.array_equal(again.predict(level=[80], panel=panel).quantiles, expected)


def test_where_training_harms_networks_say_nothing(monkeypatch):
    def hold_out(recipe, cases, generator, report):
        return recipe.effort.budget.part(0.0)

    monkeypatch.setattr(GlobalNetwork, "_hold_out", hold_out)
    panel = store(shops=2, items=5)
    forecaster = Forecaster().fit(panel)
    assert len(forecaster.global_network.networks) == 1
    assert not forecaster.global_network.networks[0].training
    forecast = forecaster.predict(level=[80])
    assert np.isfinite(forecast.quantiles).all()
    again = Forecaster(seed=9).fit(panel).predict(level=[80])  # nothing was left to chance
    np.testing.assert_allclose(again.mean, forecast.mean, rtol=1e-5)


def test_not_more_than_are_asked_quickly(monkeypatch):
    panel = store(shops=2, items=5)
    steps = 20_000  # of the training in these tests
    asked = panel.keys.take(np.arange(steps // 12 // 2) % len(panel))  # histories of 12 months

    def hold_out(recipe, cases, generator, report):
        return recipe.effort.budget.part(0.1)

    monkeypatch.setattr(GlobalNetwork, "_hold_out", hold_out)
    assert len(Forecaster().fit(panel, asked).global_network.networks) == 2


@pytest.mark.parametrize(("shops", "whole"), [(3, True), (1, False)])
def test_every_other_network_sees_all_shops_of_an_item_at_once(shops, whole, monkeypatch):
    seen = []

    def train_network(network, family, cases, *rest, until=None, **options):
        if until is None:
            seen.append(cases.items is not None)

    monkeypatch.setattr(global_network, "train_network", train_network)
    Forecaster(members=3).fit(store(shops=shops, items=8))
    assert seen == [False, whole, False]


@pytest.mark.parametrize(("share", "steps"), [(1.0, 40_000_000), (0.5, 4_000_000), (0.0, 0)])
def test_trains_longer_only_where_that_was_not_seen_to_harm(share, steps, monkeypatch):
    budgets = []
    monkeypatch.setattr(
        global_network, "train_network", lambda *given, **options: budgets.append(given[3].steps)
    )
    monkeypatch.setattr(Watch, "__init__", lambda watch, *given: setattr(watch, "share", share))
    monkeypatch.setattr(Watch, "restore", lambda watch: None)
    recipe = GlobalNetwork(members=1)
    recipe.effort = Effort(1, Budget(40_000_000, 10))
    panel = store(shops=2, items=8)
    recipe.fit(panel, panel.keys, 1, lambda progress: None)
    assert budgets == [4_000_000, steps]
