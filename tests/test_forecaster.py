import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from nestcast import DataError, Forecaster, Keys, ModelError, OptionError
from nestcast.data import Calendar, Panel
from nestcast.forecaster import FORMAT_VERSION
from nestcast.recipes.global_network import Effort
from nestcast.recipes.learning import Budget
from tests.panels import store, weekly


@pytest.fixture(autouse=True)
def short_training(monkeypatch):
    short = Effort(2, Budget(20_000, 40))
    efforts = {"standard": short, "quick": Effort(1, Budget(300_000, 250))}
    monkeypatch.setattr("nestcast.recipes.global_network.EFFORTS", efforts)
    torch.set_num_threads(1)


def fitted(recipe="global", panel=None, **options):
    return Forecaster(recipe=recipe, seed=3, **options).fit(store() if panel is None else panel)


@pytest.mark.parametrize("recipe", ["global", "seed"])
def test_same_seed_same_forecast_other_seed_another(recipe):
    one, again = fitted(recipe).predict(), fitted(recipe).predict()
    np.testing.assert_array_equal(one.mean, again.mean)
    np.testing.assert_array_equal(one.quantiles, again.quantiles)
    other = Forecaster(recipe=recipe, seed=4).fit(store()).predict()
    assert not np.array_equal(one.mean, other.mean)


def test_the_callers_random_numbers_are_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    fitted()
    assert torch.rand(1) == expected


@pytest.mark.parametrize("recipe", ["global", "seed"])
@pytest.mark.parametrize("clip", [None, (0, 3)])
def test_a_loaded_model_forecasts_the_same(tmp_path, recipe, clip):
    forecaster = fitted(recipe, clip=clip)
    forecaster.save(tmp_path / "model")
    loaded = Forecaster.load(tmp_path / "model")
    one, other = forecaster.predict(), loaded.predict(panel=store())
    np.testing.assert_array_equal(one.mean, other.mean)
    np.testing.assert_array_equal(one.quantiles, other.quantiles)
    assert loaded.layers() == forecaster.layers()
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == [
        "model.json",
        "weights.safetensors",
    ]


def test_a_loaded_model_forecasts_new_rows_and_shops_it_never_saw(tmp_path):
    fitted().save(tmp_path / "model")
    later = store(shops=6, months=20, seed=9)
    forecast = Forecaster.load(tmp_path / "model").predict(panel=later)
    assert forecast.mean.shape == (len(later), 1)
    assert np.isfinite(forecast.mean).all()


@pytest.mark.parametrize("recipe", ["global", "seed"])
def test_pairs_without_a_row_get_a_forecast(recipe):
    new = Keys({"shop_id": np.array([0, 99, 99]), "item_id": np.array([999, 100, 999])})
    asked = store().keys.take(slice(0, 5)).concat(new)
    forecast = Forecaster(recipe=recipe).fit(store(), asked).predict(level=[80, 95])
    assert forecast.mean.shape == (8, 1)
    assert np.isfinite(forecast.quantiles).all()
    assert (forecast.mean >= 0).all()


def test_the_same_pair_twice_gets_the_same_answer_twice():
    asked = store().keys.take(np.array([2, 7, 2]))
    mean = Forecaster().fit(store(), asked).predict().mean
    assert mean[0] == mean[2] != mean[1]


def test_quantiles_are_ordered_and_intervals_nested():
    forecast = fitted(horizon=3).predict(2, level=[50, 80, 95])
    assert forecast.mean.shape == (len(store()), 2)
    assert (np.diff(forecast.quantiles, axis=-1) >= 0).all()
    low, high = forecast.interval(95)
    inner_low, inner_high = forecast.interval(80)
    assert ((low <= inner_low) & (inner_high <= high)).all()


def test_clipping_holds_for_mean_and_quantiles():
    forecast = fitted(clip=(0, 2)).predict()
    for values in (forecast.mean, forecast.quantiles):
        assert values.min() >= 0
        assert values.max() <= 2


def test_real_values_of_any_size_are_forecast_at_their_own_size():
    forecast = fitted(panel=weekly(), horizon=2).predict()
    size = np.nanmean(weekly().target, axis=1)
    assert (forecast.mean / size[:, None] > 0.3).all()
    assert (forecast.mean / size[:, None] < 3).all()
    assert forecast.calendar.starts()[0] == np.datetime64("2024-03-01")


def test_it_learns_the_size_and_the_season_of_each_series(monkeypatch):
    monkeypatch.undo()
    panel = store(shops=8, items=30, months=24)
    forecaster = Forecaster(seed=1, effort="quick")
    mean = forecaster.fit(panel.until(23)).predict().mean[:, 0]
    truth = panel.take(panel.start < 23).target[:, 23]
    last = panel.take(panel.start < 23).target[:, 22]
    error, naive = np.mean((mean - truth) ** 2), np.mean((last - truth) ** 2)
    assert error < 0.8 * naive
    assert error < 0.4 * truth.var()


@pytest.mark.parametrize("series", [1, 2])
def test_series_of_one_period_and_of_zeros(series):
    panel = store()
    short = replace(panel, target=panel.target * 0)
    one = short.take(slice(0, series)).until(len(short.calendar))
    one = replace(one, start=np.full(len(one), len(one.calendar) - 1, np.int32))
    assert np.isfinite(fitted(panel=one).predict().mean).all()


def test_nothing_to_learn_from_is_an_error():
    with pytest.raises(DataError, match="not one period"):
        Forecaster().fit(store().take(slice(0, 0)))
    with pytest.raises(DataError, match="2 periods or more"):
        Forecaster(recipe="seed").fit(store().until(1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"horizon": 0}, "horizon must be 1"),
        ({"recipe": "x"}, "unknown recipe 'x': use one of global, .*seed"),
        ({"clip": (3, 3)}, "clip needs a low and a higher end"),
        ({"seed": -1}, "seed must be"),
        ({"effort": "huge"}, "unknown effort 'huge': use one of"),
        ({"likelihood": "gauss"}, "unknown likelihood 'gauss'"),
        ({"cell": "rnn"}, "no cell is called 'rnn'.*gru:1.*mlp"),
        ({"recipe": "seed", "cell": "gru"}, "the recipe seed has no choice of cell"),
    ],
)
def test_wrong_arguments_are_explained(arguments, message):
    with pytest.raises(OptionError, match=message):
        Forecaster(**arguments)


def test_wrong_requests_are_explained(tmp_path):
    with pytest.raises(ModelError, match="call fit first"):
        Forecaster().predict()
    with pytest.raises(ModelError, match="call fit first"):
        Forecaster().save(tmp_path / "model")
    with pytest.raises(OptionError, match="one period ahead"):
        Forecaster(2, recipe="seed").fit(store())
    forecaster = fitted()
    with pytest.raises(OptionError, match="forecast 2 periods with a model fitted for 1"):
        forecaster.predict(2)
    with pytest.raises(OptionError, match="cannot forecast 0 periods: h is 1 or more"):
        forecaster.predict(0)
    with pytest.raises(OptionError, match=r"not a Panel: give rows as predict\(panel="):
        forecaster.predict(store())
    assert len(forecaster.predict(np.int64(1)).mean) == len(store())
    with pytest.raises(OptionError, match="between 0 and 100, not 180"):
        forecaster.predict(level=[180])
    with pytest.raises(ModelError, match=r"keys .*shop_id.*unique_id"):
        forecaster.predict(panel=weekly())
    forecaster.save(tmp_path / "model")
    with pytest.raises(ModelError, match="needs the rows"):
        Forecaster.load(tmp_path / "model").predict()


def test_saving_never_destroys_something_else(tmp_path):
    forecaster = fitted("seed")
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("x")
    with pytest.raises(OptionError, match="something other than a model"):
        forecaster.save(tmp_path / "letters")
    assert (tmp_path / "letters" / "dear.txt").exists()
    (tmp_path / "file").write_text("x")
    with pytest.raises(OptionError, match="something other than a model"):
        forecaster.save(tmp_path / "file")
    forecaster.save(tmp_path / "model")
    forecaster.save(tmp_path / "model")


def damage_json(folder):
    (folder / "model.json").write_text('{"format": 1')


def damage_weights(folder):
    data = (folder / "weights.safetensors").read_bytes()
    (folder / "weights.safetensors").write_bytes(data[: len(data) // 2])


def remove_weights(folder):
    (folder / "weights.safetensors").unlink()


def remove_all(folder):
    shutil.rmtree(folder)


def other_weights(folder):
    config = json.loads((folder / "model.json").read_text())
    config["settings"]["network"]["hidden_size"] = 3
    (folder / "model.json").write_text(json.dumps(config))


def not_an_object(folder):
    (folder / "model.json").write_text("[1]")


def newer(folder):
    config = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**config, "format": FORMAT_VERSION + 1}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_json, "is damaged"),
        (damage_weights, "is damaged"),
        (other_weights, "is damaged"),
        (not_an_object, "is damaged"),
        (remove_weights, r"weights\.safetensors is missing"),
        (remove_all, r"model\.json is missing"),
        (newer, f"reads up to format {FORMAT_VERSION}: upgrade"),
    ],
)
def test_models_that_cannot_be_read_are_explained_in_one_line(tmp_path, damage, message):
    folder = tmp_path / "model"
    fitted().save(folder)
    damage(folder)
    with pytest.raises(ModelError, match=message) as caught:
        Forecaster.load(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("recipe", ["global", "seed"])
def test_paths_have_the_mean_and_the_quantiles_and_are_the_same_every_time(recipe):
    forecaster = fitted(recipe)
    forecast = forecaster.predict(level=[80], samples=400)
    assert forecast.samples.shape == (len(forecast), 1, 400)
    again = forecaster.predict(level=[80], samples=400)
    np.testing.assert_array_equal(forecast.samples, again.samples)
    low, high = (end[..., None] for end in forecast.interval(80))
    inside = ((forecast.samples >= low) & (forecast.samples <= high)).mean()
    assert 0.76 < inside < 1
    assert ((forecast.samples < low).mean()) < 0.13
    if recipe == "global":
        assert (forecast.samples == np.round(forecast.samples)).all()


def test_clipping_holds_for_paths():
    forecast = fitted(clip=(0, 2)).predict(samples=50)
    assert forecast.samples.min() >= 0
    assert forecast.samples.max() <= 2


@pytest.mark.parametrize("cell", ["lstm", "gru", "mlp"])
def test_other_encoders_are_fitted_saved_and_told(tmp_path, cell):
    forecaster = fitted(cell=cell, horizon=2)
    forecaster.save(tmp_path / "model")
    one, other = forecaster.predict(), Forecaster.load(tmp_path / "model").predict(panel=store())
    np.testing.assert_array_equal(one.mean, other.mean)
    assert any(cell.upper() in name for name, *_ in forecaster.layers()) == (cell != "mlp")


@pytest.mark.parametrize(
    "likelihood", ["poisson", "zero-inflated", "hurdle", "tweedie", "quantiles", "normal"]
)
def test_other_likelihoods_are_fitted_saved_and_drawn_from(tmp_path, likelihood):
    forecaster = fitted(likelihood=likelihood)
    forecaster.save(tmp_path / "model")
    one = forecaster.predict(level=[50, 90], samples=20)
    other = Forecaster.load(tmp_path / "model").predict(level=[50, 90], panel=store(), samples=20)
    np.testing.assert_array_equal(one.samples, other.samples)
    assert (np.diff(one.quantiles, axis=-1) >= 0).all()
    assert np.isfinite(one.mean).all()


def test_covariates_known_ahead_are_used_and_must_be_given_ahead():
    """Sales are three times as high in the periods of a campaign, which come at random."""
    rng = np.random.default_rng(0)
    campaign = rng.integers(0, 2, 41).astype(np.float32)
    target = rng.poisson(5 * (1 + 2 * campaign[:40]), (60, 40)).astype(np.float32)
    panel = Panel(
        Keys({"unique_id": np.arange(60)}),
        Calendar("1w", np.datetime64("2023-01-06"), 40),
        target,
        np.zeros(60, np.int32),
        known={"campaign": campaign},
    )
    forecaster = Forecaster(seed=1, effort="quick").fit(panel)
    with_it = replace(panel, known={"campaign": np.append(campaign[:40], np.float32(1))})
    without = replace(panel, known={"campaign": np.append(campaign[:40], np.float32(0))})
    high, low = (forecaster.predict(panel=one).mean.mean() for one in (with_it, without))
    assert high > 1.7 * low
    with pytest.raises(DataError, match=r"campaign is known ahead.*--future"):
        forecaster.predict(panel=replace(panel, known={"campaign": campaign[:40]}))
    with pytest.raises(ModelError, match="learned from campaign"):
        forecaster.predict(panel=replace(panel, known={}))


def test_a_grid_that_is_asked_for_is_learned_as_a_grid():
    """Most pairs never sell; who asks for all of them gets a total that is about right."""
    rng = np.random.default_rng(0)
    shop, item = np.divmod(np.arange(10 * 40), 40)
    sells = rng.random(400) < 0.2
    target = rng.poisson(2, (400, 24)).astype(np.float32) * sells[:, None]
    keys = Keys({"shop_id": shop, "item_id": item})
    full = replace(
        store(months=24),
        keys=keys,
        target=target,
        start=np.zeros(400, np.int32),
        attributes={},
    )
    read = full.take(sells)  # what rows there are
    grid = Forecaster(seed=1, effort="quick", clip=(0, 20)).fit(read, pairs=keys).predict()
    assert grid.mean[~sells].mean() < 0.25
    assert 0.8 < grid.mean.sum() / target[:, -1].sum() < 1.3
