from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from nestcast.data import Calendar, Keys, Panel
from nestcast.errors import DataError, OptionError
from nestcast.model.betabinomial import seen_concentration
from nestcast.rateforecast import rate_forecast
from nestcast.rates import EmpiricalBayes
from nestcast.rates.exposure import forecast_exposure
from nestcast.rates.models import LastWeek, pooled, smoothed
from nestcast.rates.ranking import ranking
from nestcast.rates.recalibration import Recalibrated, fit_isotonic, fit_platt
from tests.clicks import account
from tests.panels import store

NEW = Keys({"campaign": np.array([2, 99]), "ad": np.array([1000, 1001])})
MODELS = {
    "eb": EmpiricalBayes,
    "eb-moments": lambda: EmpiricalBayes(method="moments"),
    "pooled": pooled,
    "last-week": LastWeek,
    "ewma": smoothed,
    "isotonic": lambda: Recalibrated(LastWeek, "isotonic"),
    "platt": lambda: Recalibrated(lambda: EmpiricalBayes(7), "platt"),
}


def forecast(name, panel, asked=None, horizon=3):
    model = MODELS[name]()
    asked = panel.keys if asked is None else asked
    model.fit(panel, asked, horizon)
    return model.predict(panel, asked, horizon, [80, 95])


@pytest.mark.parametrize("name", MODELS)
def test_forecasts_are_rates(name):
    panel = account()
    found = forecast(name, panel, panel.keys.concat(NEW))
    assert found.mean.shape == (len(panel) + 2, 3)
    assert ((found.mean > 0) & (found.mean < 1)).all()
    assert (np.diff(found.quantiles, axis=-1) >= 0).all()
    assert found.calendar.starts()[0] == panel.calendar.ends()[-1] + 1
    for level in (80, 95):
        low, high = found.interval(level)
        assert ((low <= found.mean) & (found.mean <= high)).all()
    assert (found.clicks <= found.exposure).all()


@pytest.mark.parametrize("name", ["eb", "ewma", "isotonic", "platt"])
@pytest.mark.parametrize("clicked", [0.0, 1.0])
def test_where_nothing_or_everything_is_clicked(name, clicked):
    panel = account(days=30)
    panel = replace(panel, target=panel.exposure * np.float32(clicked))
    found = forecast(name, panel, panel.keys.concat(NEW))
    assert np.isfinite(found.quantiles).all()
    assert np.abs(found.mean - clicked).max() < 0.2


@pytest.mark.parametrize("name", ["eb", "ewma", "pooled"])
def test_days_without_impressions_tell_nothing(name):
    panel = account(days=30)
    # One more ad that was never shown changes no rate of others.
    more = Panel(
        panel.keys.concat(Keys({"campaign": np.array([0]), "ad": np.array([500])})),
        panel.calendar,
        np.concatenate([panel.target, np.zeros((1, 30), np.float32)]),
        np.append(panel.start, 0).astype(np.int32),
        exposure=np.concatenate([panel.exposure, np.zeros((1, 30), np.float32)]),
    )
    np.testing.assert_allclose(
        forecast(name, more, panel.keys).mean, forecast(name, panel).mean, rtol=1e-5
    )


def test_new_ads_are_forecast_from_their_campaign():
    panel = account(ads=20)
    found = forecast("eb", panel, NEW)
    of_campaign = panel.keys["campaign"] == 2
    mean = panel.target[of_campaign].sum() / panel.exposure[of_campaign].sum()
    assert found.mean[0, 0] == pytest.approx(mean, rel=0.3)
    everything = panel.target.sum() / panel.exposure.sum()
    assert abs(found.mean[1, 0] - everything) < abs(found.mean[0, 0] - everything)
    low, high = found.interval(95)
    assert (high - low)[1, 0] > (high - low)[0, 0]  # a new campaign is less sure


def test_long_windows_for_rates_that_stay_short_ones_for_rates_that_move():
    stays = account(days=60, shown=2000)
    model = EmpiricalBayes()
    model.fit(stays, stays.keys, 3)
    assert model.window.name in ("all", "last 28")
    rng = np.random.default_rng(0)
    walk = np.exp(np.cumsum(rng.normal(0, 0.25, (len(stays), 60)), axis=1))
    rate = np.clip(0.02 * walk, 0.001, 0.5)
    moves = replace(
        stays,
        exposure=np.full((len(stays), 60), 50_000, np.float32),
        target=rng.binomial(50_000, rate).astype(np.float32),
        start=np.zeros(len(stays), np.int32),
    )
    model.fit(moves, moves.keys, 3)
    assert model.window.name in ("last 2", "last 3")


def until_the_last_day(clicks, shown):
    return Panel(
        Keys({"ad": np.arange(len(clicks))}),
        Calendar("1d", np.datetime64("2024-01-01"), clicks.shape[1] - 1),
        clicks[:, :-1].astype(np.float32),
        np.zeros(len(clicks), np.int32),
        exposure=shown[:, :-1].astype(np.float32),
    )


def test_intervals_hold_what_they_should_of_clicks_and_of_true_rates():
    rng = np.random.default_rng(3)
    days, series = 60, 300
    mean = rng.beta(3, 300, series)
    rate = rng.beta(mean[:, None] * 2000, (1 - mean[:, None]) * 2000, (series, days + 1))
    shown = rng.poisson(20_000, (series, days + 1))
    clicks = rng.binomial(shown, rate)
    panel = until_the_last_day(clicks, shown)
    found = forecast("eb", panel, horizon=1).given(shown[:, days:])
    quantiles = found.clicks_quantiles()[:, 0]
    inside = (clicks[:, days] >= quantiles[:, 1]) & (clicks[:, days] <= quantiles[:, -2])
    assert inside.mean() == pytest.approx(0.8, abs=0.06)
    low, high = found.interval(80)
    assert ((rate[:, days] >= low[:, 0]) & (rate[:, days] <= high[:, 0])).mean() > 0.78


def test_intervals_hold_their_level_of_small_and_of_large_series_where_clicks_come_in_bunches():
    rng = np.random.default_rng(4)
    days, series = 60, 400
    size = np.exp(np.linspace(np.log(1000), np.log(200_000), series))[:, None]
    shown = rng.poisson(size * np.ones(days + 1))
    rate = rng.beta(4, 150, (series, 1)) * np.ones(days + 1)
    M = seen_concentration(3000.0, shown, 2.0)
    clicks = rng.binomial(shown, rng.beta(rate * M, (1 - rate) * M))
    panel = until_the_last_day(clicks, shown)
    found = forecast("eb", panel, horizon=1)
    assert found.extra == pytest.approx(2, rel=0.3)
    quantiles = found.given(shown[:, days:]).clicks_quantiles()[:, 0]
    inside = (clicks[:, days] >= quantiles[:, 1]) & (clicks[:, days] <= quantiles[:, -2])
    for half in np.split(inside, 2):
        assert half.mean() == pytest.approx(0.8, abs=0.07)


def of_few_clicks(rate, levels):
    """Forecasts at 60 impressions of rates from about one click up, and their beta-binomial."""
    rate, shown, M = np.asarray(rate)[:, None], 60, 400.0
    keys, day = Keys({"ad": np.arange(len(rate))}), Calendar("1d", np.datetime64("2024-01-01"), 1)
    found = rate_forecast(keys, day, rate, M, np.full_like(rate, shown), levels)
    return found.clicks_quantiles()[:, 0], stats.betabinom(shown, rate * M, (1 - rate) * M)


@pytest.mark.parametrize("level", [80, 95])
def test_intervals_that_start_at_no_clicks_hold_their_level_on_average(level):
    rate = np.geomspace(0.005, 0.1, 400)  # 0.3 to 6 clicks
    bounds, clicks = of_few_clicks(rate, [level])
    counts = np.arange(61)
    inside = (counts >= bounds[:, :1]) & (counts <= bounds[:, -1:])
    held = (clicks.pmf(counts) * inside).sum(axis=1)
    possible = clicks.pmf(0)[:, 0] < level / 100  # else no clicks at all are more than the level
    assert (bounds[possible, 0] == 0).mean() > 0.3
    assert held[possible].mean() == pytest.approx(level / 100, abs=0.015)


def test_intervals_of_few_clicks_are_nested_and_the_same_for_what_is_not_clicked():
    levels = [10, 50, 60, 70, 75, 80, 85, 90, 95, 99]
    rate = np.geomspace(0.001, 0.5, 300)
    bounds, _ = of_few_clicks(rate, levels)
    assert (np.diff(bounds, axis=-1) >= 0).all()
    missed, _ = of_few_clicks(1 - rate, levels)
    np.testing.assert_allclose(60 - missed[:, ::-1], bounds, atol=1e-3)


def test_impressions_follow_level_and_week():
    week = np.array([1, 1, 1, 1, 1, 2, 3.0])
    shown = np.outer([100, 10_000], np.tile(week, 6)).astype(np.float32)
    panel = Panel(
        Keys({"ad": np.arange(2)}),
        Calendar("1d", np.datetime64("2024-01-01"), 42),
        np.zeros((2, 42), np.float32),
        np.zeros(2, np.int32),
        exposure=shown,
    )
    mean, _ = forecast_exposure(panel, np.array([0, 1, -1]), 14)
    np.testing.assert_allclose(mean[:2], np.outer([100, 10_000], np.tile(week, 2)), rtol=1e-6)
    assert mean[2] == pytest.approx(5050 * np.tile(week, 2))


def test_samples_keep_clicks_within_impressions_and_quantiles_rise():
    panel = account()
    found = forecast("eb", panel)
    impressions, clicks = found.sample(200, seed=1)
    assert (clicks <= impressions).all()
    assert (np.diff(found.clicks_quantiles(), axis=-1) >= 0).all()
    again, _ = found.sample(200, seed=1)
    np.testing.assert_array_equal(impressions, again)
    planned, clicks = found.given(np.full((len(panel), 3), 50)).sample(100)
    assert (planned == 50).all()
    assert (clicks <= 50).all()


def test_negatives_that_were_not_kept():
    found = forecast("eb", account())
    assert np.allclose(found.unsampled(1.0).mean, found.mean)
    fewer = found.unsampled(0.1)
    p = found.mean.astype(float)
    np.testing.assert_allclose(fewer.mean, p / (p + (1 - p) / 0.1), rtol=1e-5)
    np.testing.assert_allclose(fewer.clicks, found.clicks, rtol=1e-4)  # clicks were all kept
    with pytest.raises(OptionError, match="share of negatives kept"):
        found.unsampled(0.0)


def test_ranking():
    panel = account()
    keys = panel.keys.take(np.array([0, 8, 16]))
    made = rate_forecast(
        keys, panel.calendar.after(2), [[0.1], [0.02], [0.5]], 1e3, [[100], [900], [0]], [80]
    )
    found = ranking(panel, made)
    assert found["ad"].tolist() == [0, 8, 16] or found["ad"].tolist() == [8, 0, 16]
    np.testing.assert_allclose(np.sort(found["clicks"])[::-1], found["clicks"])
    by = dict(zip(found["ad"].tolist(), found["return"].tolist(), strict=True))
    assert by[8] == pytest.approx(0.02 * 0.2 / 0.002, rel=0.01)  # 0.2 a click, 0.002 to show
    assert by[0] == pytest.approx(0.1 * 0.1 / 0.002, rel=0.05)
    assert np.isnan(by[16])
    assert found["rank-by-return"][found["ad"] == 0] == 1


def test_isotonic_and_platt_put_right_what_is_wrong():
    rng = np.random.default_rng(0)
    rate = rng.uniform(0.001, 0.1, 3000)
    n = rng.integers(1000, 5000, 3000)
    k = rng.binomial(n, np.minimum(0.3 * rate**0.8, 1))
    for fit in (fit_isotonic, fit_platt):
        made = fit(k, n, rate)(rate)
        assert np.abs(made - 0.3 * rate**0.8).mean() < 5e-4
        assert (n * made).sum() == pytest.approx(k.sum(), rel=1e-4)
        assert (np.diff(fit(k, n, rate)(np.sort(rate))) >= 0).all()
    right = fit_platt(rng.binomial(n, rate), n, rate)
    assert (right.slope, right.shift) == pytest.approx((1, 0), abs=0.05)


def test_refusals():
    panel = store()
    with pytest.raises(OptionError, match="--exposure"):
        EmpiricalBayes().fit(panel, panel.keys, 1)
    empty = account()
    empty = replace(empty, exposure=0 * empty.exposure, target=0 * empty.target)
    with pytest.raises(DataError, match="not one impression"):
        EmpiricalBayes().fit(empty, empty.keys, 1)
    with pytest.raises(OptionError, match="1 period or more"):
        EmpiricalBayes(0)
    with pytest.raises(OptionError, match="cannot recalibrate"):
        Recalibrated(EmpiricalBayes, "magic")


@pytest.mark.parametrize("freq", ["1h", "1w", "1mo"])
@pytest.mark.parametrize("name", ["eb", "last-week", "ewma"])
def test_other_periods(freq, name):
    panel = account(days=36)
    first = np.datetime64("2024-01-01")
    found = forecast(name, replace(panel, calendar=Calendar(freq, first, 36)))
    assert np.isfinite(found.mean).all()
    assert len(found.to_columns([80])["date"]) == 3 * len(panel)
