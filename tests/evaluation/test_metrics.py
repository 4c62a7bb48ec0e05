"""Every metric against utilsforecast or scoringrules, and on missing truths."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nestcast.evaluation import metrics

SERIES, HORIZON, PAST = 7, 5, 30
PROBABILITIES = np.array([0.1, 0.5, 0.9])


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(3)
    actual = rng.poisson(4, (SERIES, HORIZON)).astype(float)
    forecast = actual + rng.normal(0, 2, actual.shape)
    history = rng.poisson(4, (SERIES, PAST)).astype(float)
    quantiles = np.sort(rng.normal(4, 2, (SERIES, HORIZON, 3)), axis=-1)
    return actual, forecast, history, quantiles


def frames(case):
    """The case as utilsforecast wants it."""
    actual, forecast, history, quantiles = case
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(SERIES), HORIZON),
            "ds": np.tile(np.arange(HORIZON) + PAST, SERIES),
            "y": actual.ravel(),
            "model": forecast.ravel(),
            "model-lo-80": quantiles[..., 0].ravel(),
            "model-hi-80": quantiles[..., 2].ravel(),
            **{f"q{i}": quantiles[..., i].ravel() for i in range(3)},
        }
    )
    past = pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(SERIES), PAST),
            "ds": np.tile(np.arange(PAST), SERIES),
            "y": history.ravel(),
        }
    )
    return frame, past


@pytest.fixture(scope="module")
def losses():
    return pytest.importorskip("utilsforecast.losses")


def test_errors_are_those_of_utilsforecast(case, losses):
    actual, forecast, *_ = case
    frame, _ = frames(case)
    whole = frame.assign(unique_id=0)  # all periods as one series: the mean over everything
    for ours, theirs in ((metrics.rmse, losses.rmse), (metrics.mae, losses.mae)):
        assert ours(actual, forecast) == pytest.approx(theirs(whole, ["model"])["model"][0])
    assert metrics.wape(actual, forecast) == pytest.approx(losses.nd(whole, ["model"])["model"][0])
    assert metrics.bias(actual, forecast) == pytest.approx(
        losses.bias(whole, ["model"])["model"][0]
    )


@pytest.mark.parametrize("seasonality", [1, 7])
def test_scaled_errors_are_those_of_utilsforecast(case, losses, seasonality):
    actual, forecast, history, _ = case
    frame, past = frames(case)
    theirs = losses.mase(frame, ["model"], seasonality, past)["model"]
    scale = metrics.naive_scale(history, seasonality)
    np.testing.assert_allclose(
        metrics.absolute_scaled_error(actual, forecast, scale), theirs, rtol=1e-6
    )
    assert metrics.mase(actual, forecast, scale) == pytest.approx(theirs.mean())
    theirs = losses.rmsse(frame, ["model"], seasonality, past)["model"]
    scale = metrics.naive_scale(history, seasonality, power=2)
    np.testing.assert_allclose(
        metrics.root_squared_scaled_error(actual, forecast, scale), theirs, rtol=1e-6
    )
    assert metrics.rmsse(actual, forecast, scale) == pytest.approx(theirs.mean())


def test_quantile_losses_are_those_of_utilsforecast(case, losses):
    actual, _, _, quantiles = case
    frame = frames(case)[0].assign(unique_id=0)
    for at, p in enumerate(PROBABILITIES):
        ours = metrics.quantile_loss(actual, quantiles[..., at : at + 1], [p])
        theirs = losses.quantile_loss(frame, {"model": f"q{at}"}, p)["model"][0]
        assert ours == pytest.approx(theirs)
    theirs = losses.mqloss(frame, {"model": ["q0", "q1", "q2"]}, PROBABILITIES)["model"][0]
    assert metrics.quantile_loss(actual, quantiles, PROBABILITIES) == pytest.approx(theirs)


def test_coverage_is_that_of_utilsforecast(case, losses):
    actual, _, _, quantiles = case
    frame = frames(case)[0].assign(unique_id=0)
    ours = metrics.coverage(actual, quantiles[..., 0], quantiles[..., 2])
    assert ours == pytest.approx(losses.coverage(frame, ["model"], 80)["model"][0])
    assert metrics.width(quantiles[..., 0], quantiles[..., 2]) == pytest.approx(
        (quantiles[..., 2] - quantiles[..., 0]).mean()
    )


def test_crps_is_that_of_scoringrules(case):
    rules = pytest.importorskip("scoringrules")
    actual = case[0]
    rng = np.random.default_rng(0)
    samples = rng.gamma(2, 2, (*actual.shape, 50))
    np.testing.assert_allclose(
        metrics.crps_of_samples(actual, samples),
        rules.crps_ensemble(actual, samples, estimator="nrg"),
        rtol=1e-9,
    )
    even = (np.arange(20) + 0.5) / 20
    quantiles = np.quantile(samples, even, axis=-1).transpose(1, 2, 0)
    np.testing.assert_allclose(
        metrics.crps_of_quantiles(actual, quantiles, even),
        rules.crps_quantile(actual, quantiles, even),
        rtol=1e-9,
    )


def test_crps_of_quantiles_tends_to_the_closed_form():
    rules = pytest.importorskip("scoringrules")
    uneven = np.concatenate([np.linspace(0.0005, 0.3, 400), np.linspace(0.301, 0.9995, 300)])
    quantiles = stats.norm(3, 2).ppf(uneven)
    actual = np.array([0.0, 3.0, 7.5])
    ours = metrics.crps_of_quantiles(actual, np.tile(quantiles, (3, 1)), uneven)
    np.testing.assert_allclose(ours, rules.crps_normal(actual, 3.0, 2.0), rtol=2e-3)


def test_a_missing_truth_is_as_if_it_were_not_there(case):
    actual, forecast, history, quantiles = (a.copy() for a in case)
    actual[2, 1:], actual[4] = np.nan, np.nan
    kept = np.isfinite(actual)
    y, f, q = actual[kept], forecast[kept], quantiles[kept]
    for metric in (metrics.rmse, metrics.mae, metrics.wape, metrics.bias):
        assert metric(actual, forecast) == pytest.approx(metric(y, f))
    for metric in (metrics.quantile_loss, metrics.crps):
        assert metric(actual, quantiles, PROBABILITIES) == pytest.approx(
            metric(y, q, PROBABILITIES)
        )
    assert metrics.coverage(actual, quantiles[..., 0], quantiles[..., 2]) == pytest.approx(
        metrics.coverage(y, q[..., 0], q[..., 2])
    )
    scale = metrics.naive_scale(history)
    without = np.delete(np.arange(SERIES), [2, 4])
    scaled = metrics.absolute_scaled_error(actual, forecast, scale)
    assert np.isnan(scaled[4])
    assert scaled[2] == pytest.approx(abs(forecast[2, 0] - actual[2, 0]) / scale[2])
    np.testing.assert_allclose(
        scaled[without], metrics.absolute_scaled_error(*case[:2], scale)[without]
    )


def test_clipping_is_of_truth_and_forecast():
    assert metrics.rmse([-3.0, 50.0], [1.0, 21.0], clip=(0, 20)) == pytest.approx(np.sqrt(0.5))


def test_a_metric_of_nothing_is_nan_and_warns_of_nothing():
    nothing = np.full((2, 3), np.nan)
    for value in (
        metrics.rmse(nothing, 0 * nothing),
        metrics.wape(np.zeros(3), np.ones(3)),
        metrics.mase(nothing, nothing, [1.0, 1.0]),
        metrics.coverage(nothing, nothing, nothing),
    ):
        assert np.isnan(value)
    assert np.isnan(metrics.naive_scale(np.zeros((2, 1)))).all()


@pytest.mark.parametrize("level", [50, 80, 95])
@pytest.mark.parametrize("mean", [0.03, 0.7, 40.0])
def test_a_right_forecast_of_counts_holds_its_level(mean, level):
    """Exactly so, in the mean over what may happen, where the interval itself holds more."""
    y = np.arange(200)
    upto = stats.poisson.cdf(y, mean)
    probability = stats.poisson.pmf(y, mean)
    held = metrics.pit_covered(upto - probability, upto, level)
    assert (held >= 0).all()
    assert (held <= 1).all()
    assert probability @ held == pytest.approx(level / 100)
    low, high = stats.poisson.ppf([(100 - level) / 200, (100 + level) / 200], mean)
    assert probability[(y >= low) & (y <= high)].sum() >= level / 100


def test_too_narrow_a_forecast_of_counts_holds_less_than_its_level():
    y, upto = np.arange(60), stats.poisson.cdf(np.arange(60), 8.0)
    held = metrics.pit_covered(upto - stats.poisson.pmf(y, 8.0), upto, 80)
    assert stats.nbinom.pmf(y, 2, 0.2) @ held < 0.6  # the same mean, five times the variance


def test_where_a_truth_has_no_probability_it_is_inside_or_not():
    at = np.array([0.02, 0.5, 0.99])
    np.testing.assert_array_equal(metrics.pit_covered(at, at, 80), [0, 1, 0])
