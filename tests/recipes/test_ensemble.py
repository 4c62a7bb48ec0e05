"""The ensemble is what its two parts and its weight make of it."""

import numpy as np
import pytest
import safetensors.torch
import torch

from nestcast import Forecaster, Keys, ModelError, OptionError, Panel, backtest
from nestcast.boosting import trees
from nestcast.data import Attributes, Calendar
from nestcast.model.cells import every_combination
from nestcast.recipes.ensemble import Ensemble
from tests.panels import store, weekly

pytestmark = pytest.mark.usefixtures("short_training")


def fitted(panel, pairs=None, horizon=2, **options):
    return Forecaster(horizon, effort="best", **options).fit(panel, pairs)


@pytest.mark.parametrize("make", [store, weekly])
def test_the_mean_lies_between_those_of_its_parts(make):
    panel = make()
    forecaster = fitted(panel)
    ensemble = forecaster._recipe
    assert isinstance(ensemble, Ensemble)
    assert 0 <= ensemble.weight <= 1
    mean = forecaster.predict().mean
    networks = ensemble.global_network.predict(panel, panel.keys, 2, [0.5]).mean
    of_trees = ensemble._trees.means(panel, panel.keys, 2)
    expected = (1 - ensemble.weight) * networks + ensemble.weight * of_trees
    np.testing.assert_allclose(mean, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("make", [store, weekly])
def test_quantiles_are_ordered_and_move_with_the_mean(make):
    panel = make()
    forecaster = fitted(panel)
    quantiles = forecaster.predict(samples=50).quantiles
    assert (np.diff(quantiles, axis=-1) >= 0).all()
    forecaster._recipe.weight = 0.0
    of_networks = forecaster.predict().quantiles
    direct = forecaster._recipe.global_network.predict(
        panel, panel.keys, 2, [0.025, 0.1, 0.5, 0.9, 0.975]
    )
    np.testing.assert_allclose(of_networks, direct.quantiles, rtol=1e-6)


def test_counts_stay_counts():
    forecast = fitted(store()).predict(samples=20)
    for values in (forecast.quantiles, forecast.samples):
        assert (values == np.rint(values)).all()
        assert (values >= 0).all()


def test_the_weight_goes_to_who_is_right(monkeypatch):
    """Trees that know the answer get all the weight, trees that say the opposite none."""
    panel = store()

    class Knowing:
        def __init__(self, *_, **__): ...
        def fit(self, *_): ...

        def means(self, known, keys, ahead):
            at = len(known.calendar)
            rows = panel.keys.locate(keys)
            truth = panel.target[rows, at : at + ahead] * (rows >= 0)[:, None]
            return truth if right else 50 - truth

    monkeypatch.setattr("nestcast.recipes.ensemble.Boosting", Knowing)
    for right in (True, False):
        recipe = Ensemble()
        recipe.fit(panel, panel.keys, 1, lambda _: None)
        assert recipe.weight == pytest.approx(float(right), abs=0.02)


def test_saved_and_loaded_it_says_the_same(tmp_path):
    panel = store()
    pairs = every_combination(panel.keys)
    forecaster = fitted(panel, pairs)
    forecaster.save(tmp_path / "model")
    loaded = Forecaster.load(tmp_path / "model")
    assert loaded.recipe == "ensemble"
    here, there = (one.predict(panel=panel, pairs=pairs) for one in (forecaster, loaded))
    np.testing.assert_array_equal(here.mean, there.mean)
    np.testing.assert_array_equal(here.quantiles, there.quantiles)


def test_damaged_trees_are_told_of(tmp_path):
    fitted(store()).save(tmp_path / "model")
    path = tmp_path / "model" / "weights.safetensors"
    tensors = safetensors.torch.load_file(path)
    tensors["trees"] = torch.zeros(100, dtype=torch.uint8) + 65
    safetensors.torch.save_file(tensors, path)
    with pytest.raises(ModelError, match="damaged"):
        Forecaster.load(tmp_path / "model")


def test_without_lightgbm_the_best_effort_is_networks_alone(monkeypatch):
    monkeypatch.setattr(trees, "find_spec", lambda _: None)
    assert Forecaster(effort="best").recipe == "global"
    with pytest.raises(OptionError, match="lightgbm"):
        Forecaster(recipe="ensemble")


def test_a_short_past_has_a_weight_too():
    assert fitted(store(months=3), horizon=1)._recipe.weight == 0.5


def test_a_known_assortment_is_known_to_trees_and_networks():
    """In some months many new items come, and then all of them sell more."""
    months, busy = 24, (8, 13, 15, 20, 23)  # not a season
    rng = np.random.default_rng(0)
    first = np.concatenate([np.zeros(20, int), np.arange(1, months), np.repeat(busy, 12)])
    target = rng.poisson(1.0, (len(first), months))
    target[:, busy] += rng.poisson(6.0, (len(first), len(busy)))
    target[np.arange(months) < first[:, None]] = 0
    target[np.arange(len(first)), first] += 1
    item = np.arange(len(first))
    panel = Panel(
        Keys({"shop_id": np.repeat([1, 2], len(item)), "item_id": np.tile(item, 2)}),
        Calendar("1mo", np.datetime64("2022-01-01"), months),
        np.tile(target, (2, 1)).astype(np.float32),
        np.tile(first, 2).astype(np.int32),
        attributes={"item_id": Attributes("item_id", item, {"kind": item % 2})},
    )
    error = {
        known: backtest(panel, ["lightgbm"], origins=1, known_assortment=known).means("rmse")
        for known in (False, True)
    }
    assert error[True]["lightgbm"] < 0.8 * error[False]["lightgbm"]
