import json
from dataclasses import replace

import numpy as np
import pytest

from nestcast import backtest
from nestcast.data import Panel
from nestcast.errors import ModelError, OptionError
from nestcast.evaluation import Contender, click_metrics, rolling_origins
from nestcast.evaluation.baselines import METHODS, Baseline
from nestcast.evaluation.click_plots import figure
from nestcast.rateforecast import rate_forecast
from tests.clicks import account
from tests.panels import store

MODELS = ("eb", "eb-7", "ewma", "last-week", "pooled", "lightgbm", "ewma+isotonic", "eb-7+platt")


class Truth:
    """Knows the rates of the future, to be found out as the best."""

    def __init__(self, panel):
        self.panel = panel

    def fit(self, panel, asked, horizon, report=None):
        pass

    def predict(self, panel, asked, horizon, level):
        at = self.panel.keys.locate(asked)
        first = len(panel.calendar)
        k, n = (a[at, first : first + horizon] for a in (self.panel.target, self.panel.exposure))
        rate = np.where(n > 0, k / np.maximum(n, 1), 0.02)
        return rate_forecast(asked, panel.calendar.after(horizon), rate, 1e9, n, level)


@pytest.fixture(scope="module")
def result():
    panel = account()
    pytest.importorskip("lightgbm")
    models = [*MODELS, Contender("truth", lambda seed: Truth(panel))]
    return panel, backtest(
        panel, models, origins=2, horizon=3, step=3, level=[80], keep_forecasts=True
    )


def test_scores_are_those_of_the_functions(result):
    _, found = result
    for model in found.models:
        clicks, impressions, rate = found.outcomes(model)
        for name in ("log-loss", "normalised-entropy", "calibration"):
            expected = click_metrics.MEASURES[name](clicks, impressions, rate)
            assert found.means(name)[model] == pytest.approx(expected, rel=1e-9), name


def test_the_truth_wins_and_has_no_excess(result):
    _, found = result
    means = found.means("log-loss")
    assert min(means, key=means.get) == "truth"
    assert found.means("excess-loss")["truth"] == pytest.approx(0, abs=1e-7)
    assert found.means("calibration")["truth"] == pytest.approx(1, abs=1e-4)
    assert found.means("impressions-wape")["truth"] == 0
    assert means["pooled"] > means["eb"]


def test_parts_add_up(result):
    _, found = result
    for name in ("log-loss", "coverage-80"):
        for run in found.runs:
            cells = found.origins[run.origin].cells
            kinds = [cells.members(one) for one in ("pair known", "pair new", "item new")]
            parts = sum(run.sums[name][members].sum(axis=0) for members in kinds)
            np.testing.assert_allclose(parts, run.sums[name].sum(axis=0))


def test_differences_and_table(result):
    _, found = result
    truth = found.differences(reference="truth")
    assert all(one.percent >= 0 for one in truth)
    assert all(one.low <= one.difference <= one.high for one in truth)
    columns = found.to_columns()
    assert {"log-loss", "calibration-error", "coverage-80-weighted"} <= set(columns["metric"])
    kept = found.forecast_columns()
    assert {"ctr", "impressions-actual", "clicks-actual"} <= set(kept)
    json.dumps(found.to_json(), allow_nan=False)


def test_picture_shows_every_model(result):
    _, found = result
    left = figure(found).axes[0]
    text = " ".join(one.get_text() for one in left.get_legend().get_texts())
    assert all(model in text for model in found.models)


@pytest.mark.parametrize("name", MODELS)
def test_no_model_sees_the_future(name):
    panel = account()
    first = backtest(panel, [name], origins=1, horizon=3, level=[80], keep_forecasts=True)
    length = len(panel.calendar) - 3
    rng = np.random.default_rng(0)
    target, exposure = panel.target.copy(), panel.exposure.copy()
    target[:, length:] = rng.permuted(target[:, length:], axis=0)
    exposure[:, length:] = np.maximum(exposure[:, length:] * 3, target[:, length:]) + 1
    changed = replace(panel, target=target, exposure=exposure)
    keys = next(o.asked for o in rolling_origins(panel, 1, 3))
    again = backtest(
        changed, [name], origins=1, horizon=3, level=[80], keep_forecasts=True, ask=keys
    )
    one, other = first.runs[0].forecast, again.runs[0].forecast
    np.testing.assert_array_equal(one.mean, other.mean)
    np.testing.assert_array_equal(one.quantiles, other.quantiles)


def test_series_that_are_shown_are_asked_for_new_ones_too():
    panel = account()
    late = np.zeros(len(panel), bool)
    late[5] = True
    exposure, target = panel.exposure.copy(), panel.target.copy()
    exposure[5, :-2], target[5, :-2] = 0, 0
    exposure[7, -2:], target[7, -2:] = 0, 0
    start = panel.start.copy()
    start[5] = len(panel.calendar) - 2
    changed = replace(panel, exposure=exposure, target=target, start=start)
    (origin,) = rolling_origins(changed, 1, 2)
    asked = panel.keys.locate(origin.asked)
    assert 5 in asked
    assert 7 not in asked
    found = backtest(changed, ["eb"], origins=1, horizon=2)
    assert found.means("log-loss", "item new")["eb"] > 0


def test_recalibration_mends_a_model_that_is_twice_too_high():
    panel = account(days=40)

    class Doubled(Truth):
        def predict(self, panel, asked, horizon, level):
            from nestcast.rates.models import pooled

            model = pooled()
            model.fit(panel, asked, horizon)
            made = model.predict(panel, asked, horizon, level)
            return replace(made, mean=2 * made.mean)

    from nestcast.rates.recalibration import Recalibrated

    for method in ("isotonic", "platt"):
        models = [
            Contender("plain", lambda seed: Doubled(panel)),
            Contender("mended", lambda seed, m=method: Recalibrated(lambda: Doubled(panel), m)),
        ]
        found = backtest(panel, models, origins=1, horizon=5).means("calibration")
        assert found["plain"] > 1.7
        assert found["mended"] == pytest.approx(1, abs=0.15)


def test_lightgbm_learns_what_smoothing_cannot():
    pytest.importorskip("lightgbm")
    panel = account(ads=12, days=56, shown=20_000)
    weekend = np.where(np.arange(56) % 7 >= 5, 2.0, 1.0)
    rate = np.clip(0.02 * weekend, 0, 1)
    rng = np.random.default_rng(0)
    target = rng.binomial(panel.exposure.astype(int), rate).astype(np.float32)
    found = backtest(
        replace(panel, target=target), ["ewma", "lightgbm"], origins=1, horizon=7
    ).means("excess-loss")
    assert found["lightgbm"] < 0.5 * found["ewma"]


def test_refusals():
    panel, sales = account(), store()
    for call, message in (
        (lambda: backtest(panel, ["tsb"]), "unknown model 'tsb' of clicks"),
        (lambda: backtest(panel, ["eb+magic"]), "cannot recalibrate"),
        (lambda: backtest(panel, ["eb"], clip=(0, 1)), "--clip is for sales"),
        (lambda: backtest(panel, ["eb"], ask="grid"), "no question to ask"),
        (lambda: backtest(sales, ["naive"], ask="shown"), "no question to ask"),
        (lambda: backtest(sales, ["pooled"]), "unknown model 'pooled'"),
    ):
        with pytest.raises(OptionError, match=message):
            call()
    wrong = Contender("naive", lambda seed: Baseline(METHODS["naive"]))
    with pytest.raises(ModelError, match="no rates of clicks"):
        backtest(panel, [wrong], origins=1)


def test_panels_of_clicks_can_be_cut():
    panel: Panel = account()
    part = panel.until(10).take(np.array([0, 8]))
    assert part.exposure.shape == part.target.shape == (2, 10)
