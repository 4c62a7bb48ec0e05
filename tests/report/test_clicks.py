"""The page of clicks says what the forecast, the ranking and the backtest say."""

import numpy as np
import pytest

from nestcast import backtest
from nestcast.errors import DataError
from nestcast.evaluation.click_models import click_model
from nestcast.rates.ranking import ranking
from nestcast.report import read_accuracy
from nestcast.report.clicks import RATE, Rates
from nestcast.report.content import gather
from nestcast.report.page import render
from nestcast.report.payload import payload
from tests.clicks import account
from tests.report.test_page import Page

HORIZON = 5


@pytest.fixture(scope="module")
def panel():
    return account()


@pytest.fixture(scope="module")
def forecast(panel):
    model = click_model("eb")(0)
    model.fit(panel, panel.keys, HORIZON)
    return model.predict(panel, panel.keys, HORIZON, [80, 95])


@pytest.fixture(scope="module")
def content(panel, forecast):
    return gather(forecast, panel, ranking=ranking(panel, forecast))


@pytest.fixture(scope="module")
def facts(content, panel):
    return payload(content, len(panel))


@pytest.fixture(scope="module")
def saved(panel, tmp_path_factory):
    path = tmp_path_factory.mktemp("scores") / "backtest.json"
    result = backtest(panel, ["eb", "pooled"], origins=3, horizon=HORIZON, keep_forecasts=True)
    result.write(path)
    return path, result


def named(panel, facts):
    """Position of each series of the panel on the page."""
    names = [f"campaign {c} · ad {a}" for c, a in zip(*panel.keys.columns.values(), strict=True)]
    return [facts["items"]["names"].index(name) for name in names]


def test_every_series_shows_its_clicks_rate_and_impressions(panel, forecast, facts):
    at = named(panel, facts)
    items = facts["items"]
    columns = {one["title"]: np.array(one["values"])[at] for one in items["columns"]}
    clicks, shown = forecast.clicks.sum(axis=1), forecast.exposure.sum(axis=1)
    np.testing.assert_allclose(np.array(items["total"])[at], clicks, atol=0.01)
    np.testing.assert_allclose(columns["impressions"], shown, rtol=1e-3, atol=0.01)
    np.testing.assert_allclose(columns["click rate, %"], 100 * clicks / shown, rtol=0.02)
    np.testing.assert_allclose(
        columns["return"], columns["revenue"] / columns["cost"], rtol=0.05, atol=0.05
    )


def test_rates_so_far_are_clicks_over_impressions(panel, facts):
    at = named(panel, facts)
    for series in (0, 5):
        past = facts["items"]["rate"]["past"][at[series]]
        for rate, clicks, shown in zip(
            past, panel.target[series], panel.exposure[series], strict=True
        ):
            if shown == 0:
                assert rate is None
            else:
                assert rate == pytest.approx(100 * clicks / shown, abs=0.01)


def test_rates_have_the_intervals_of_the_forecast(panel, forecast, facts):
    at = named(panel, facts)
    bands = np.array(facts["items"]["rate"]["bands"])[at]
    for number, level in enumerate((80, 95)):
        low, high = forecast.interval(level)
        np.testing.assert_allclose(bands[:, :, number, 0], 100 * low, atol=0.01)
        np.testing.assert_allclose(bands[:, :, number, 1], 100 * high, atol=0.01)


def test_campaigns_sum_up_their_ads(panel, forecast, facts):
    total = np.bincount(panel.keys["campaign"], forecast.clicks.sum(axis=1))
    np.testing.assert_allclose(facts["categories"]["total"], total, atol=0.01)
    assert facts["words"]["category"] == "campaign"


def test_rates_and_returns_of_campaigns_are_those_of_their_sums(panel, forecast, content, facts):
    found = {one["title"]: np.array(one["values"]) for one in facts["categories"]["columns"]}
    campaign = panel.keys["campaign"]
    shown = np.bincount(campaign, forecast.exposure.sum(axis=1))
    clicks = np.bincount(campaign, forecast.clicks.sum(axis=1))
    np.testing.assert_allclose(found["impressions"], shown, rtol=1e-3)
    np.testing.assert_allclose(found["click rate, %"], 100 * clicks / shown, rtol=1e-3)
    np.testing.assert_allclose(found["return"], found["revenue"] / found["cost"], rtol=2e-3)
    text = " ".join(Page(render(content)).text)
    assert f"{100 * clicks.sum() / shown.sum():.3g}" in text


def test_what_has_no_impressions_has_no_rate_in_sums():
    ones, none = np.ones((2, 1)), np.zeros(2)
    columns = {RATE: np.array([1.0, 3.0]), "impressions": none, "cost": none, "revenue": none}
    found = Rates(ones, ones, ones, columns | {"return": none}).summed(np.zeros(2, np.int64), 1)
    assert np.isnan([found[RATE][0], found["return"][0]]).all()


def test_without_a_backtest_it_says_how_to_make_one(content):
    text = " ".join(Page(render(content)).text)
    assert "nestcast backtest DIR --exposure impressions --series campaign,ad -o" in text


def test_a_series_asked_for_twice_is_there_once(panel, forecast):
    from dataclasses import replace

    def twice(values):
        return np.concatenate([values, values[:2]])

    again = replace(
        forecast,
        keys=forecast.keys.concat(forecast.keys.take(np.arange(2))),
        **{
            name: twice(getattr(forecast, name))
            for name in ("mean", "quantiles", "concentration", "exposure", "exposure_dispersion")
        },
    )
    assert len(gather(again, panel).by_item) == len(panel)


def test_without_cost_nothing_is_said_of_returns(panel, forecast):
    titles = [one["title"] for one in payload(gather(forecast, panel), 5)["items"]["columns"]]
    assert titles == ["click rate, %", "impressions"]


def test_the_backtest_is_told_with_its_reliability(panel, forecast, saved):
    path, result = saved
    accuracy = read_accuracy(path, panel.calendar)
    content = gather(forecast, panel, accuracy=accuracy)
    text = " ".join(Page(render(content)).text)
    assert "Forecast of clicks of 24 series" in text
    assert "empirical Bayes" in text
    assert "one rate for all" in text
    assert f"{np.mean(result.by_origin('log-loss')['eb']):.6f}" in text
    bins = payload(content, 5)["reliability"]
    assert len(bins) == len(result.to_json()["reliability"]["eb"])
    assert all(one["low"] <= one["observed"] <= one["high"] for one in bins)


def test_a_backtest_without_scores_is_damaged(panel, saved, tmp_path):
    text = saved[0].read_text().replace("calibration-error", "other")
    (tmp_path / "damaged.json").write_text(text)
    with pytest.raises(DataError, match="no saved backtest"):
        read_accuracy(tmp_path / "damaged.json", panel.calendar)
