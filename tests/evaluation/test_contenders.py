"""LightGBM on lagged features and AutoETS: they see no future, and are no straw men."""

from dataclasses import replace

import numpy as np
import pytest

from nestcast.boosting import trees
from nestcast.boosting.lags import LaggedFeatures
from nestcast.boosting.trees import Boosting
from nestcast.data import Attributes, Calendar, Keys, Panel, read_panel
from nestcast.data.simulate import simulate_sales
from nestcast.errors import DataError, OptionError
from nestcast.evaluation import exponential
from nestcast.evaluation.backtest import backtest
from nestcast.evaluation.registry import contender
from nestcast.model.groupsums import GroupMeans, Sparse
from nestcast.model.nameparts import with_name_parts
from nestcast.model.population import with_series
from nestcast.model.schema import schema_of
from tests.evaluation.test_backtest import scrambled
from tests.panels import store, weekly


@pytest.fixture
def lightgbm():
    return pytest.importorskip("lightgbm")


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chain") / "data"
    simulate_sales(folder, shops=8, items=600, months=28, seed=3)
    return read_panel(folder)


@pytest.mark.parametrize("make", [store, weekly])
@pytest.mark.parametrize("name", ["lightgbm", "ets"])
def test_no_forecast_depends_on_what_comes_after_its_origin(name, make):
    pytest.importorskip({"ets": "statsforecast"}.get(name, name))
    panel = make()
    time = len(panel.calendar)
    panel.start[:3] = time - 2
    panel.target[:3, : time - 2] = 0
    asked = panel.until(time - 4).keys if make is weekly else panel.keys
    options = {"ask": asked, "origins": 2, "step": 3, "keep_forecasts": True}
    before = backtest(panel, [name], **options)
    for run, length in zip(before.runs, (time - 4, time - 1), strict=True):
        other = scrambled(panel, length, np.random.default_rng(0))
        after = backtest(other, [name], **options).runs[run.origin]
        assert not np.array_equal(after.actual, run.actual, equal_nan=True)
        np.testing.assert_array_equal(after.forecast.mean, run.forecast.mean)
        np.testing.assert_array_equal(after.forecast.quantiles, run.forecast.quantiles)


@pytest.mark.parametrize("make", [store, weekly])
def test_features_at_an_origin_are_the_same_whatever_follows(make):
    panel = make()
    panel.observed["price"] = np.random.default_rng(0).random(panel.target.shape).astype(np.float32)
    schema = schema_of(panel)
    features = LaggedFeatures(panel, schema)
    origin = len(panel.calendar) - 5
    rows = np.flatnonzero(panel.start < origin)
    for step in (1, 3):
        cut = LaggedFeatures(panel.until(origin), schema)
        np.testing.assert_allclose(
            features.matrix(rows, origin, step),
            cut.matrix(np.arange(len(rows)), origin, step),
            rtol=1e-6,
        )


def test_features_of_a_series_do_not_depend_on_which_others_are_asked_for():
    """Else those seen in training would not be those seen in forecasting."""
    panel = store(shops=5, items=9)
    late = panel.keys["item_id"] >= 106  # new items, sold in few shops only
    panel.start[late] = np.maximum(panel.start[late], 10)
    panel.target[late, :10] = 0
    panel = panel.take(~late | (panel.keys["shop_id"] < 2))
    schema = schema_of(panel)
    shop, item = np.divmod(np.arange(45), 9)
    everything = Keys({"shop_id": shop, "item_id": item + 100})
    one, rows = with_series(panel, everything)
    few, few_rows = with_series(panel, everything.take(np.arange(7)))
    for origin in (13, 18):
        np.testing.assert_allclose(
            LaggedFeatures(one, schema).matrix(rows[:7], origin, 1),
            LaggedFeatures(few, schema).matrix(few_rows, origin, 1),
            rtol=1e-6,
        )


def test_group_means_are_over_the_grid_of_what_sold():
    shop, item = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 2])
    target = np.array([[4, 0], [2, 0], [6, 1], [0, 3]], np.float32)
    panel = Panel(
        Keys({"shop_id": shop, "item_id": item}),
        Calendar("1mo", np.datetime64("2024-01-01"), 2),
        target,
        np.array([0, 0, 0, 1], np.int32),
    )
    schema = schema_of(panel)
    features = LaggedFeatures(panel, schema)
    _, code, means = features._groups[schema.groups.index(())]
    # First 2 shops x 2 items sold 12, then 1 shop x 2 items sold 4.
    np.testing.assert_allclose(means[code[0]], [3.0, 2.0])


def test_new_items_are_averaged_over_the_grid_of_their_first_period():
    shop, item = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 2])
    target = np.array([[4, 1], [0, 3], [6, 1], [0, 5]], np.float32)
    panel = Panel(
        Keys({"shop_id": shop, "item_id": item}),
        Calendar("1mo", np.datetime64("2024-01-01"), 2),
        target,
        np.array([0, 1, 0, 1], np.int32),
    )
    listed = np.array([0, 1, 0, 1])
    sums = GroupMeans(panel).sums(Sparse.of(target), (), ("item_id", listed))
    np.testing.assert_array_equal(sums.total, [[10, 8]])
    np.testing.assert_array_equal(sums.count, [[2, 4]])  # shops x new items
    assert sums.mean_of(1, 2, 0.0) == pytest.approx(2.0)
    by_shop = GroupMeans(panel).sums(Sparse.of(target), ("shop_id",), ("item_id", listed))
    np.testing.assert_array_equal(by_shop.count, [[1, 2], [1, 2]])


def test_names_are_cut_into_what_several_share():
    names = ["Dune [PC]", "Dune (Box)", "Dune Two [PC]", "Чай чёрный", "Чай зелёный", "чай"]
    names += ["Dune Two (Box)", "чай [2]"]
    kinds = ["Games - PC", "Games - Box", "Games - PC", "Food", "Food", "Food", "Games - Box"]
    kinds += ["Food"]
    items = Attributes(
        "item_id", np.arange(8), {"item_name": np.array(names), "kind": np.array(kinds)}
    )
    panel = replace(store(), attributes={"item_id": items})
    with_parts, made = with_name_parts(panel)
    columns = with_parts.attributes["item_id"].columns
    codes = {name: columns[name].tolist() for name in made}
    first = codes["item_name, first word"]
    assert first[0] == first[1] == first[2] != first[3] == first[4] == first[5]
    assert made["item_name, first word"] == ("item_id", 2)
    before = codes["item_name, before a bracket"]
    assert before[0] == before[1] != before[2]
    partitions = [tuple(np.unique(c, return_inverse=True)[1]) for c in codes.values()]
    assert len(set(partitions)) == len(partitions)
    assert with_name_parts(store())[1] == {}


def test_training_rows_are_grids_where_a_grid_is_asked_for(lightgbm):
    panel = store(shops=5, items=9)
    shop, item = np.divmod(np.arange(45), 9)
    everything = Keys({"shop_id": shop, "item_id": item + 100})
    schema = schema_of(panel)
    counts = []
    for asked in (everything, panel.keys.take(np.arange(0, 40, 7))):
        table = trees._training_table(panel, schema, asked, 1, 0)
        counts.append(np.bincount(table.origin, minlength=18))
        assert np.isfinite(table.target).all()
    sold = panel.target[:, 17] > 0
    size = [len(np.unique(panel.keys[name][sold])) for name in panel.keys.names]
    assert counts[0][17] == size[0] * size[1]
    assert counts[1][17] <= len(panel)


def test_too_many_rows_are_thinned_out_in_the_distant_past(lightgbm):
    keys = [Keys({"id": np.arange(1000)})] * 10
    made = trees._sampled(range(10), keys, 7000, np.random.default_rng(0))
    sizes = {origin: len(one) for origin, one in made}
    assert sum(sizes.values()) <= 7000
    assert [sizes[origin] for origin in range(4, 10)] == [1000] * 6
    assert min(sizes.values()) >= 200


def test_lightgbm_is_ahead_of_the_classical_baselines_on_a_simulated_chain(lightgbm, chain):
    classical = ["zero", "naive", "seasonal-naive", "mean-3", "croston", "tsb"]
    result = backtest(chain, [*classical, "lightgbm"], origins=2, clip=(0, 20), level=[80])
    for metric, at_most in (("rmse", 1.0), ("quantile-loss", 1.02)):
        means = result.means(metric)
        assert means["lightgbm"] < at_most * min(means[name] for name in classical)
    assert result.means("coverage-80")["lightgbm"] > 0.75


def test_lightgbm_is_the_same_for_the_same_seed_and_predicts_from_later_origins(lightgbm):
    panel = store()
    known = panel.until(16)
    forecasts = []
    for seed in (1, 1, 2):
        model = Boosting(seed)
        model.fit(known, known.keys, 2)
        forecasts.append(model.predict(known, known.keys, 2, [80]))
        later = model.predict(panel, known.keys, 2, [80])
        assert later.calendar == panel.calendar.after(2)
    np.testing.assert_array_equal(forecasts[0].quantiles, forecasts[1].quantiles)
    assert not np.array_equal(forecasts[0].mean, forecasts[2].mean)
    assert (np.diff(forecasts[0].quantiles, axis=-1) >= 0).all()


def test_lightgbm_follows_series_of_any_size(lightgbm):
    panel = weekly(series=30)
    panel.target[:] = panel.target / 10.0 ** (np.arange(30) // 6 * 6)[:, None]
    result = backtest(panel, ["lightgbm", "naive", "zero"], origins=2, horizon=2)
    means = result.means("rmsse")
    assert means["lightgbm"] < means["naive"] < means["zero"]


def test_ets_is_that_of_statsforecast():
    models = pytest.importorskip("statsforecast.models")
    panel = weekly(series=2)
    panel.target[:] = np.nan_to_num(panel.target, nan=3.0)
    ours = contender("ets").make(0).predict(panel, panel.keys, 3, [80])
    theirs = models.AutoETS().forecast(panel.target[1].astype(float), 3, level=[80])
    np.testing.assert_allclose(ours.mean[1], theirs["mean"], rtol=1e-5)
    np.testing.assert_allclose(ours.quantile(0.9)[1], theirs["hi-80"], rtol=1e-5)
    assert (np.diff(ours.quantiles, axis=-1) >= 0).all()


def test_ets_takes_any_series():
    pytest.importorskip("statsforecast")
    target = np.zeros((6, 30), np.float32)
    target[1], target[2, 28:], target[3, 10] = 4, 2, 1
    target[4] = np.arange(30) % 3
    start = np.array([0, 0, 28, 0, 0, 29], np.int32)
    panel = Panel(
        Keys({"id": np.arange(6)}), Calendar("1mo", np.datetime64("2020-01-01"), 30), target, start
    )
    asked = Keys({"id": np.array([5, 4, 3, 2, 1, 0, 77, 4])})
    forecast = contender("ets").make(0).predict(panel, asked, 2, [50, 80])
    assert np.isfinite(forecast.quantiles).all()
    assert forecast.mean[[0, 5, 6]].max() == 0
    assert (forecast.mean[4] == 4).all()
    assert (forecast.mean[3] == 2).all()
    np.testing.assert_array_equal(forecast.mean[1], forecast.mean[7])


@pytest.mark.parametrize(("name", "module"), [("lightgbm", trees), ("ets", exponential)])
def test_a_missing_package_is_named(name, module, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(OptionError, match=rf"nestcast\[{name}\]"):
        contender(name)


def test_too_little_to_learn_from_is_an_error(lightgbm):
    panel = store(months=18).until(12)
    with pytest.raises(DataError, match="needs 14 periods"):
        Boosting().fit(panel, panel.keys, 13)
