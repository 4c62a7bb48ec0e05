"""The network of click-through rates."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import special

from nestcast import Forecaster, Keys
from nestcast.errors import ModelError, OptionError
from nestcast.model.likelihood import Size
from nestcast.model.population import with_series
from nestcast.rateforecast import RateForecast
from nestcast.rates import EmpiricalBayes
from nestcast.rates.features import RateFeatures, rate_schema_of
from nestcast.rates.wear import Wear
from nestcast.recipes.holdout import Held
from nestcast.recipes.rate_network import _trust
from tests.clicks import account
from tests.panels import store

NEW = Keys({"campaign": np.array([2, 99]), "ad": np.array([1000, 1001])})


def log_loss(rate, clicks, shown):
    return -(special.xlogy(clicks, rate) + special.xlog1py(shown - clicks, -rate)).sum()


@pytest.mark.usefixtures("short_training")
def test_it_forecasts_rates_of_known_and_new_ads():
    panel = account()
    asked = panel.keys.concat(NEW)
    found = Forecaster(3).fit(panel, asked).predict(level=[80, 95])
    assert isinstance(found, RateForecast)
    assert found.mean.shape == (len(asked), 3)
    assert ((found.mean > 0) & (found.mean < 1)).all()
    assert (found.clicks <= found.exposure).all()
    low, high = found.interval(80)
    assert ((low <= found.mean) & (found.mean <= high)).all()
    of_campaign = found.mean[: len(panel)][panel.keys["campaign"] == 2]
    assert of_campaign.min() < found.mean[-2, 0] < of_campaign.max()


@pytest.mark.usefixtures("short_training")
def test_a_saved_model_forecasts_the_same(tmp_path):
    panel = account()
    forecaster = Forecaster(2, seed=3, likelihood="binomial", cell="gru").fit(panel)
    forecaster.save(tmp_path / "model")
    loaded = Forecaster.load(tmp_path / "model")
    found = loaded.predict(panel=panel)
    np.testing.assert_array_equal(found.mean, forecaster.predict().mean)
    np.testing.assert_array_equal(found.quantiles, forecaster.predict().quantiles)


@pytest.mark.usefixtures("short_training")
def test_the_same_seed_gives_the_same_forecast():
    panel = account()
    one, two = (Forecaster(2, seed=4).fit(panel).predict().mean for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_features_know_nothing_of_what_comes_after():
    panel = account()
    schema = rate_schema_of(panel, 2)
    features = RateFeatures(panel, schema)
    shown = panel.exposure.copy()
    shown[:, 20:] += 1000
    other = RateFeatures(replace(panel, exposure=shown), schema)
    rows, periods = torch.arange(len(panel)), torch.arange(21)[:, None].expand(-1, len(panel))
    torch.testing.assert_close(features.past(rows, periods), other.past(rows, periods))
    known, also = (one.level(rows, periods, torch.arange(2)) for one in (features, other))
    torch.testing.assert_close(known, also)


def base_of(features, panel):
    """Its log-odds before every period for the next one, shape (series, periods + 1)."""
    rows = torch.arange(len(panel))
    periods = torch.arange(panel.target.shape[1] + 1)[:, None].expand(-1, len(panel))
    return features.level(rows, periods, torch.arange(1))[..., 0].T.numpy()


def test_the_base_says_what_worn_ads_have_now_and_will_have():
    panel = account(shown=4000.0)
    shown, wear = panel.exposure.astype(float), Wear(-0.4, 1000.0)
    odds = -3 + wear.before(shown)
    clicks = (shown * special.expit(odds[:, :-1])).astype(np.float32)
    worn = replace(panel, target=clicks)
    schema = replace(rate_schema_of(worn, 3), wear=wear, rate=float(special.expit(-3)))
    features = RateFeatures(worn, schema)
    np.testing.assert_allclose(base_of(features, worn), odds, atol=2e-3)
    rows, last = torch.arange(len(panel)), torch.full((1, len(panel)), 20)
    ahead = features.level(rows, last, torch.arange(3))[0].numpy()
    # About as much is shown of each ad on every day.
    on = panel.start < 18
    np.testing.assert_allclose(ahead[on], odds[on, 20:23], atol=0.02)


def test_new_ads_will_wear_as_if_as_much_were_shown_of_them_as_of_others():
    panel = account(shown=1000.0)
    new = panel.keys.concat(NEW)
    wear = Wear(-0.4, 1000.0)
    schema = replace(rate_schema_of(panel, 8), wear=wear)
    everything, at = with_series(panel, new)
    features = RateFeatures(everything, schema)
    rows, end = torch.from_numpy(at[-2:]), torch.full((1, 2), 32)
    level = features.level(rows, end, torch.arange(8))[0].numpy()
    daily = np.exp(np.log(panel.exposure[:, -1]).mean())
    fell = wear.slope * np.log1p(7 * daily / wear.scale)
    np.testing.assert_allclose(level[:, -1] - level[:, 0], fell, rtol=0.1)


def held_back(log_odds, seed, impressions=2000.0):
    """Forecasts of 40 series from a base of log-odds -3 whose network adds 1, and what came."""
    rng = np.random.default_rng(seed)
    shown = torch.full((40, 5), impressions)
    clicks = rng.binomial(shown.int().numpy(), special.expit(log_odds))
    raw = torch.zeros(40, 5, 2)
    raw[..., 0] = 1.0
    size = Size(torch.full((40, 5), -3.0), shown)
    target = torch.from_numpy(clicks.astype(np.float32))
    return [Held(np.arange(40), 10, raw, size, target, torch.ones(40, 5, dtype=torch.bool))]


@pytest.mark.parametrize(("truth", "trust"), [(-2.0, 1.0), (-2.5, 0.5), (-3.0, 0.0), (-3.5, 0.0)])
def test_a_network_is_followed_as_far_as_is_best(truth, trust):
    assert _trust(held_back(truth, seed=0)) == trust


def test_a_network_that_may_be_right_by_chance_is_not_followed():
    found = [_trust(held_back(-3.0, seed, impressions=50.0)) for seed in range(40)]
    assert np.mean(np.array(found) > 0) < 0.1


def test_one_lucky_period_is_not_enough():
    """It moved all series, so that of each of them a network that knew seems right."""
    lucky = np.where(np.arange(5) == 2, -2.0, -3.0)[None].repeat(40, axis=0)
    lucky[:, 2] += 0.5  # more than is lost on the other days
    assert _trust(held_back(lucky, seed=0)) == 0.0
    assert _trust(held_back(np.full((40, 5), -2.4), seed=0)) > 0


def test_a_network_is_followed_all_the_way_where_half_of_it_is_surer():
    """One series in ten does not follow: half of the way has the smaller spread."""
    log_odds = np.where(np.arange(40) % 10 == 0, -3.0, -2.0)[:, None]
    assert _trust(held_back(log_odds, seed=0, impressions=300.0)) == 1.0


def test_the_base_of_a_steady_rate_is_that_rate():
    panel = account()
    rate = panel.target.sum() / panel.exposure.sum()
    even = replace(panel, target=panel.exposure * rate)
    level = base_of(RateFeatures(even, rate_schema_of(even, 1)), even)
    np.testing.assert_allclose(special.expit(level)[:, 1:], rate, rtol=1e-3)


def fading(seed=0, days=60, ads=120):
    """Ads whose rate falls by 7% a day from their first one on, which ends what a mean can say."""
    rng = np.random.default_rng(seed)
    panel = account(ads=ads // 3, days=days, seed=seed, shown=3000.0)
    start = rng.integers(0, days - 8, len(panel)).astype(np.int32)
    age = np.arange(days) - start[:, None]
    rate = rng.lognormal(-3, 0.3, (len(panel), 1)) * 0.93 ** np.maximum(age, 0)
    shown = np.where(age >= 0, panel.exposure, 0)
    clicks = rng.binomial(shown.astype(int), rate).astype(np.float32)
    return replace(panel, start=start, exposure=shown.astype(np.float32), target=clicks), rate


def test_it_learns_how_rates_fade():
    panel, rate = fading()
    past, horizon = panel.until(53), 7
    network = Forecaster(horizon, seed=0, effort="quick").fit(past).predict()
    model = EmpiricalBayes()
    model.fit(past, past.keys, horizon)
    bayes = model.predict(past, past.keys, horizon, [80])
    at = panel.keys.locate(past.keys)
    clicks, shown = panel.target[at, 53:], panel.exposure[at, 53:]
    truth = log_loss(rate[at, 53:], clicks, shown)
    excess = [log_loss(one.mean, clicks, shown) - truth for one in (network, bayes)]
    assert excess[0] < 0.5 * excess[1]


def test_rates_that_stand_still_are_left_to_the_base():
    rng = np.random.default_rng(1)
    panel = account(days=40, seed=1, shown=2000.0)
    rate = rng.beta(4, 96, (len(panel), 1))
    clicks = rng.binomial(panel.exposure.astype(int), rate).astype(np.float32)
    forecaster = Forecaster(5, effort="quick").fit(replace(panel, target=clicks))
    found = forecaster.predict().mean
    # The base's own error is that of some thousand impressions.
    assert np.abs(special.logit(found) - special.logit(rate)).mean() < 0.15


def test_mistakes_are_told():
    panel = account()
    with pytest.raises(OptionError, match="clip is for sales"):
        Forecaster(clip=(0, 20)).fit(panel)
    with pytest.raises(OptionError, match="recipe seed is for sales"):
        Forecaster(recipe="seed").fit(panel)
    with pytest.raises(OptionError, match="unknown likelihood of clicks 'poisson'"):
        Forecaster(likelihood="poisson").fit(panel)
    with pytest.raises(OptionError, match="need impressions"):
        Forecaster(likelihood="binomial").fit(store())


@pytest.mark.usefixtures("short_training")
def test_sales_and_clicks_are_not_mixed_up():
    panel = account()
    forecaster = Forecaster(effort="quick").fit(panel)
    with pytest.raises(ModelError, match="fitted on clicks"):
        forecaster.predict(panel=replace(panel, exposure=None))
