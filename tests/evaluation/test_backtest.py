"""Backtests: scores, differences, files, and that no model sees what comes after an origin."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from nestcast.data import Calendar, Keys, Panel
from nestcast.errors import ModelError, OptionError
from nestcast.evaluation import metrics
from nestcast.evaluation.backtest import backtest
from nestcast.evaluation.baselines import METHODS, Baseline
from nestcast.evaluation.bootstrap import Sums, differences
from nestcast.evaluation.registry import Contender, contender
from nestcast.evaluation.segments import NEWNESS, VOLUMES
from nestcast.forecast import Forecast
from tests.panels import store, weekly

pytestmark = pytest.mark.usefixtures("short_training")

QUICK = ["zero", "naive", "mean-3"]


@pytest.fixture(scope="module")
def result():
    return backtest(store(), QUICK, origins=3, horizon=2, keep_forecasts=True)


def rows_of(result):
    columns = result.to_columns()
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def test_the_tidy_table_holds_the_metrics_of_the_kept_forecasts(result):
    table = {
        (str(row["origin"]), row["model"], row["segment"], row["metric"]): row
        for row in rows_of(result)
    }
    for run in result.runs:
        origin = result.origins[run.origin]
        for segment in result.segments:
            rows = origin.cells.members(segment)[origin.cells.of_series]
            if not rows.any():
                continue
            y, mean = run.actual[rows], run.forecast.mean[rows].astype(float)
            quantiles, p = run.forecast.quantiles[rows], run.forecast.probabilities
            low, high = (end[rows] for end in run.forecast.interval(80))
            expected = {
                "rmse": metrics.rmse(y, mean),
                "mae": metrics.mae(y, mean),
                "wape": metrics.wape(y, mean),
                "bias": metrics.bias(y, mean),
                "quantile-loss": metrics.quantile_loss(y, quantiles, p),
                "crps": metrics.crps(y, quantiles, p),
                "coverage-80": metrics.coverage(y, low, high),
                "width-80": metrics.width(low, high),
            }
            for metric, value in expected.items():
                row = table.get((str(origin.date), run.model, segment, metric))
                assert row is not None or np.isnan(value)
                if row is not None:
                    assert row["value"] == pytest.approx(value)
                    assert row["series"] == rows.sum()


def test_scaled_errors_use_the_past_of_each_series():
    panel = weekly()
    result = backtest(panel, ["naive"], origins=1, horizon=4, keep_forecasts=True)
    run, known = result.runs[0], panel.until(56)
    history = known.target.astype(float)
    value = metrics.mase(run.actual, run.forecast.mean, metrics.naive_scale(history))
    assert result.means("mase")["naive"] == pytest.approx(value)
    value = metrics.rmsse(run.actual, run.forecast.mean, metrics.naive_scale(history, power=2))
    assert result.means("rmsse")["naive"] == pytest.approx(value)


def test_segments_add_up(result):
    for run in result.runs:
        cells = result.origins[run.origin].cells
        for group in (NEWNESS, VOLUMES):
            parts = sum(run.sums["mae"][cells.members(one)].sum(axis=0) for one in group)
            np.testing.assert_allclose(parts, run.sums["mae"].sum(axis=0))
            assert sum(cells.size[cells.members(one)].sum() for one in group) == cells.size.sum()


def test_own_segments_are_scored_too():
    panel = store()
    result = backtest(
        panel,
        QUICK,
        origins=2,
        segments={
            "without 1": lambda origin: origin.asked["shop_id"] != 1,
            "even": lambda origin: origin.asked["item_id"] % 2 == 0,
        },
        keep_forecasts=True,
    )
    plain = backtest(panel, QUICK, origins=2)
    assert result.means("rmse") == pytest.approx(plain.means("rmse"))
    for name, belongs in (("without 1", "shop_id"), ("even", "item_id")):
        for run in result.runs:
            keys = run.forecast.keys[belongs]
            rows = keys != 1 if belongs == "shop_id" else keys % 2 == 0
            members = result.origins[run.origin].cells.members(name)
            total = run.sums["rmse"][members].sum(axis=0)
            error = (run.forecast.mean - run.actual)[rows]
            np.testing.assert_allclose(total, [(error**2).sum(), error.size], rtol=1e-6)


def test_clipping_is_of_all_that_is_compared():
    panel = store()
    panel.target[:] *= 9
    result = backtest(panel, QUICK, origins=2, clip=(0, 20), keep_forecasts=True)
    for run in result.runs:
        assert run.actual.max() <= 20
        assert run.forecast.quantiles.max() <= 20
        assert run.forecast.mean.max() <= 20


ALL_MODELS = ["nestcast", "seed", *METHODS, "mean-3"]


def scrambled(panel, length, rng):
    """The same panel with other values, and fewer series, after `length` periods."""
    target = panel.target.copy()
    target[:, length:] = rng.permuted(target[:, length:], axis=None) * 3 + 1
    changed = replace(panel, target=target)
    begins_later = panel.start >= length
    return changed.take(~begins_later | (rng.random(len(panel)) < 0.5))


@pytest.mark.parametrize("make", [store, weekly])
@pytest.mark.parametrize("name", ALL_MODELS)
def test_no_forecast_depends_on_what_comes_after_its_origin(name, make):
    panel = make()
    time = len(panel.calendar)
    panel.start[:3] = time - 2  # begin after the first origin
    panel.target[:3, : time - 2] = 0
    options = {"origins": 2, "step": 3, "keep_forecasts": True}
    asked = panel.until(time - 4).keys if make is weekly else panel.keys
    # All values of the keys are seen by the first origin, so that both ask for the same series.
    before = backtest(panel, [name], ask=asked, **options)
    first, last = before.runs
    for run, length in ((first, time - 4), (last, time - 1)):
        other = scrambled(panel, length, np.random.default_rng(0))
        after = backtest(other, [name], ask=asked, **options).runs[run.origin]
        assert not np.array_equal(after.actual, run.actual, equal_nan=True)
        np.testing.assert_array_equal(after.forecast.mean, run.forecast.mean)
        np.testing.assert_array_equal(after.forecast.quantiles, run.forecast.quantiles)


def test_a_model_is_given_nothing_but_the_past():
    given = []

    class Spy(Baseline):
        def fit(self, panel, asked, horizon, report=None):
            given.append(panel)

        def predict(self, panel, asked, horizon, level):
            given.append(panel)
            return super().predict(panel, asked, horizon, level)

    panel = store()
    backtest(panel, [Contender("spy", lambda seed: Spy(METHODS["naive"]))], origins=2)
    for seen, length in zip(given, (16, 16, 17, 17), strict=True):
        assert seen.target.shape[1] == len(seen.calendar) == length
        assert (seen.start < length).all()


def test_without_refit_a_model_learns_once_and_still_forecasts_from_each_origin():
    class Counting(Baseline):
        fits = 0

        def fit(self, *arguments):
            Counting.fits += 1

    one = Contender("counting", lambda seed: Counting(METHODS["naive"]))
    kept = backtest(store(), [one], origins=3, refit=False)
    assert Counting.fits == 1
    assert kept.means("rmse")["counting"] == backtest(store(), ["naive"], origins=3).means(
        "rmse"
    ).pop("naive")
    backtest(store(), [one], origins=3)
    assert Counting.fits == 4
    learned = backtest(store(), ["nestcast"], origins=2, refit=False)
    assert [run.fit_seconds > 0 for run in learned.runs] == [True, False]


def test_seeds_are_for_models_with_random_numbers_and_differ():
    result = backtest(store(), ["nestcast", "naive"], origins=1, seeds=2)
    assert [(run.model, run.seed) for run in result.runs] == [
        ("nestcast", 0),
        ("nestcast", 1),
        ("naive", 0),
    ]
    first, second, _ = (row["value"] for row in rows_of(result) if is_rmse(row))
    assert first != second
    assert result.means("rmse")["nestcast"] == pytest.approx((first + second) / 2)
    assert rows_of(result) == rows_of(backtest(store(), ["nestcast", "naive"], origins=1, seeds=2))


def is_rmse(row):
    return row["metric"] == "rmse" and row["segment"] == "all"


def test_means_are_over_origins(result):
    values = [row["value"] for row in rows_of(result) if is_rmse(row) and row["model"] == "naive"]
    assert len(values) == 3
    assert result.means("rmse")["naive"] == pytest.approx(np.mean(values))
    np.testing.assert_allclose(result.by_origin("rmse")["naive"], values)


def test_differences_are_of_means_and_zero_from_oneself(result):
    zero, naive, _ = result.differences("rmse", reference="naive")
    means = result.means("rmse")
    assert (zero.model, zero.reference) == ("zero", "naive")
    assert zero.difference == pytest.approx(means["zero"] - means["naive"])
    assert zero.percent == pytest.approx(100 * (means["zero"] / means["naive"] - 1))
    assert zero.low <= zero.difference <= zero.high
    assert (naive.difference, naive.low, naive.high) == (0, 0, 0)
    again = result.differences("rmse", reference="naive")
    assert again[0] == zero


def test_intervals_of_differences_hold_the_truth_when_items_err_together():
    """95% intervals over 200 simulated backtests; drawing series one by one would hold far less."""
    rng = np.random.default_rng(0)
    held = 0
    for repeat in range(200):
        item = np.repeat(np.arange(40), 10)
        common = rng.exponential(1.0, 40)[item] + rng.normal(0, 0.1, 400)
        ones = np.ones(400)
        runs = [
            Sums(0, "one", item, np.stack([np.zeros(400), ones], axis=1)),
            Sums(0, "two", item, np.stack([common, ones], axis=1)),
        ]
        _, two = differences(runs, "mae", "one", draws=200, seed=repeat)
        held += two.low <= 1.0 <= two.high
    assert held / 200 == pytest.approx(0.93, abs=0.045)


def test_kept_forecasts_become_a_table(result):
    columns = result.forecast_columns()
    assert list(columns)[:8] == [
        "origin", "model", "seed", "newness", "volume", "shop_id", "item_id", "date",
    ]  # fmt: skip
    assert list(columns)[8:] == [
        "mean", "lo-50", "hi-50", "lo-80", "hi-80", "lo-95", "hi-95", "actual",
    ]  # fmt: skip
    chosen = (columns["model"] == "naive") & (columns["origin"] == result.origins[1].date)
    error = columns["mean"][chosen] - columns["actual"][chosen]
    assert np.sqrt((error**2).mean()) == pytest.approx(result.by_origin("rmse")["naive"][1])
    with pytest.raises(OptionError, match="keep_forecasts"):
        backtest(store(), ["zero"], origins=1).forecast_columns()


def test_results_are_written_as_csv_parquet_and_json(result, tmp_path):
    import polars as pl

    result.write(tmp_path / "r.csv")
    result.write(tmp_path / "r.parquet")
    result.write(tmp_path / "r.json")
    with (tmp_path / "r.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert list(rows[0]) == ["origin", "model", "seed", "segment", "series", "metric", "value"]
    ours = rows_of(result)
    assert [float(row["value"]) for row in rows] == [row["value"] for row in ours]
    frame = pl.read_parquet(tmp_path / "r.parquet")
    assert frame["value"].to_list() == [row["value"] for row in ours]
    held = json.loads((tmp_path / "r.json").read_text())
    assert len(held["scores"]) == len(ours)
    assert held["models"] == QUICK
    assert {one["metric"] for one in held["differences"]} == {"rmse", "quantile-loss"}
    with pytest.raises(OptionError, match=r"\.json, \.csv"):
        result.write(tmp_path / "r.xlsx")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"models": ["best"]}, "unknown model 'best': use any of nestcast, .*seed, zero"),
        ({"models": ["mean-0"]}, "unknown model 'mean-0'"),
        ({"models": []}, "at least one model"),
        ({"models": ["naive", "naive"]}, "naive is named twice"),
        ({"seeds": 0}, "1 seed or more"),
        ({"seasonality": 0}, "1 period or more"),
        ({"clip": (20, 0)}, "a low and a higher end"),
        ({"level": [0.0]}, "between 0 and 100"),
        ({"cluster": "city"}, "shop_id, item_id"),
        ({"models": ["seed"], "horizon": 2}, "horizon 1"),
    ],
)
def test_mistakes_say_what_to_do(arguments, message):
    with pytest.raises(OptionError, match=message):
        backtest(store(), **{"models": QUICK, **arguments})


def test_questions_about_what_is_not_there_say_what_is(result):
    with pytest.raises(OptionError, match="rmse, mae"):
        result.means("mape")
    with pytest.raises(OptionError, match="pair known"):
        result.means("rmse", "old")
    with pytest.raises(OptionError, match="zero, naive"):
        result.differences(reference="tsb")


@pytest.mark.parametrize("fault", ["nan", "shape"])
def test_a_forecast_that_is_no_forecast_is_refused(fault):
    class Broken(Baseline):
        def predict(self, panel, asked, horizon, level):
            good = super().predict(panel, asked, horizon, level)
            bad = {"nan": good.mean * np.nan, "shape": good.mean[:-1]}[fault]
            return replace(good, mean=bad)

    broken = Contender("broken", lambda seed: Broken(METHODS["naive"]))
    with pytest.raises(ModelError, match="the model broken gave"):
        backtest(store(), [broken], origins=1)


def test_ones_own_model_competes_by_two_methods():
    class Always:
        def fit(self, panel, asked, horizon, report=None):
            self.value = float(panel.target.mean())

        def predict(self, panel, asked, horizon, level):
            shape = len(asked), horizon
            p = np.array([0.25, 0.5, 0.75])
            quantiles = np.full((*shape, 3), self.value, np.float32)
            return Forecast(asked, panel.calendar.after(horizon), quantiles[..., 0], p, quantiles)

    result = backtest(store(), ["zero", Contender("always", lambda s: Always())], level=[50])
    assert result.means("rmse")["always"] < result.means("rmse")["zero"]


def test_panels_of_one_series_and_of_two_periods_work():
    panel = Panel(
        Keys({"id": np.array(["a"])}),
        Calendar("1d", np.datetime64("2024-01-01"), 3),
        np.array([[1, 0, 2]], np.float32),
        np.zeros(1, np.int32),
    )
    result = backtest(panel, [*METHODS, "mean-3"], origins=1)
    assert result.means("mae")["naive"] == 2
    assert contender("naive").make(0) is not contender("naive").make(0)
