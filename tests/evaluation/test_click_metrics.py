import numpy as np
import pytest
from scipy import stats

from nestcast.errors import OptionError
from nestcast.evaluation import click_metrics as cm
from nestcast.rateforecast import unsampled_rate


def some(rows=400, seed=0, least=0):
    rng = np.random.default_rng(seed)
    rate = rng.beta(1, 30, rows).round(3)
    impressions = rng.integers(least, 200, rows)
    clicks = rng.binomial(impressions, np.clip(rate * 1.3, 0, 1))
    return clicks, impressions, rate


def singles(clicks, impressions, rate):
    """Each impression as a row: clicked or not, and its rate."""
    clicked = np.concatenate(
        [np.r_[np.ones(k), np.zeros(n - k)] for k, n in zip(clicks, impressions, strict=True)]
    )
    return clicked, np.repeat(rate, impressions)


def test_log_loss_equals_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    clicks, impressions, rate = some()
    clicked, each = singles(clicks, impressions, rate)
    expected = metrics.log_loss(clicked, each, labels=[0, 1])
    assert cm.log_loss(clicks, impressions, rate) == pytest.approx(expected, rel=1e-12)
    # Also where rates of 0 are clicked.
    assert cm.log_loss([1], [2], [0.0]) == pytest.approx(metrics.log_loss([1, 0], [0.0, 0.0]))


def test_reliability_equals_scikit_learn():
    calibration = pytest.importorskip("sklearn.calibration")
    rng = np.random.default_rng(0)
    rate = rng.random(5000)
    clicked = rng.binomial(1, rate**1.5)
    observed, predicted = calibration.calibration_curve(
        clicked, rate, n_bins=10, strategy="quantile"
    )
    table = cm.reliability_table(clicked, np.ones(5000), rate, bins=10)
    np.testing.assert_allclose(table["observed"], observed)
    np.testing.assert_allclose(table["predicted"], predicted)
    expected = np.abs(observed - predicted).mean()
    assert cm.expected_calibration_error(clicked, np.ones(5000), rate, 10) == pytest.approx(
        expected
    )


def test_recalibration_equals_scikit_learn():
    isotonic = pytest.importorskip("sklearn.isotonic")
    linear = pytest.importorskip("sklearn.linear_model")
    from nestcast.rates.recalibration import fit_isotonic, fit_platt

    clicks, impressions, rate = some(least=1)
    rate = np.clip(rate, 0.001, 1)
    expected = isotonic.IsotonicRegression().fit(rate, clicks / impressions, impressions)
    np.testing.assert_allclose(
        fit_isotonic(clicks, impressions, rate)(rate), expected.predict(rate), atol=1e-10
    )
    clicked, each = singles(clicks, impressions, rate)
    logit = np.log(each / (1 - each))[:, None]
    model = linear.LogisticRegression(C=1e12, tol=1e-10, max_iter=1000).fit(logit, clicked)
    found = fit_platt(clicks, impressions, rate)
    assert found.slope == pytest.approx(model.coef_[0, 0], rel=1e-3)
    assert found.shift == pytest.approx(model.intercept_[0], rel=1e-3)


def test_by_hand():
    clicks, impressions, rate = [1, 0, 3], [2, 0, 4], [0.5, 0.9, 0.5]
    assert cm.log_loss(clicks, impressions, rate) == pytest.approx(np.log(2))
    # The average rate is 4 / 6.
    average = -(2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3))
    assert cm.normalised_entropy(clicks, impressions, rate) == pytest.approx(np.log(2) / average)
    assert cm.calibration(clicks, impressions, rate) == pytest.approx(3 / 4)
    assert cm.expected_calibration_error(clicks, impressions, rate) == pytest.approx(1 / 6)


def test_the_average_rate_has_entropy_one_and_no_forecast_beats_the_truth():
    clicks, impressions, rate = some()
    average = np.full(len(rate), clicks.sum() / impressions.sum())
    assert cm.normalised_entropy(clicks, impressions, average) == pytest.approx(1)
    assert cm.calibration(clicks, impressions, average) == pytest.approx(1)
    shown = impressions > 0
    k, n = clicks[shown].astype(float), impressions[shown].astype(float)
    least = cm.least_losses(k, n)
    for other in (rate[shown], average[shown], np.full(shown.sum(), 0.5)):
        assert (cm.losses(k, n, other) >= least - 1e-9).all()


def test_rows_count_by_impressions():
    clicks, impressions, rate = some()
    twice = [np.concatenate([one, one]) for one in (clicks, impressions, rate)]
    for measure in cm.MEASURES.values():
        one = measure(*(np.asarray(x, float) for x in (clicks, impressions, rate)))
        assert measure(*(np.asarray(x, float) for x in twice)) == pytest.approx(one, rel=1e-9)


def test_bins_of_equal_mass():
    _, impressions, rate = some(rows=3000)
    code = cm.equal_mass_bins(impressions, rate, 10)
    mass = np.bincount(code, impressions)
    assert len(mass) == 10
    assert mass.max() < 1.3 * mass.mean()
    order = np.argsort(rate, kind="stable")
    assert (np.diff(code[order]) >= 0).all()
    for value in np.unique(rate):
        assert len(np.unique(code[rate == value])) == 1


def test_intervals_of_reliability_equal_scipy():
    table = cm.reliability_table([3, 40], [50, 70], [0.1, 0.5], bins=2)
    for at, (k, n) in enumerate([(3, 50), (40, 70)]):
        expected = stats.binomtest(k, n).proportion_ci(method="wilson")
        assert table["low"][at] == pytest.approx(expected.low)
        assert table["high"][at] == pytest.approx(expected.high)


def test_nothing_to_measure_is_nan():
    for measure in cm.MEASURES.values():
        assert np.isnan(measure(np.zeros(2), np.zeros(2), np.full(2, 0.5)))


def test_over_time():
    clicks, impressions, rate = some(rows=300)
    day = np.repeat(np.arange("2024-05-01", "2024-05-31", dtype="M8[D]"), 10)
    table = cm.by_group(day, clicks, impressions, rate)
    assert len(table["group"]) == 30
    assert table["clicks"].sum() == clicks.sum()
    first = cm.log_loss(clicks[:10], impressions[:10], rate[:10])
    assert table["log-loss"][0] == pytest.approx(first)


def test_negatives_dropped_at_random_are_put_back():
    rng = np.random.default_rng(0)
    kept, rate, n = 0.05, 0.01, 4_000_000
    clicks = rng.binomial(n, rate)
    logged = clicks + rng.binomial(n - clicks, kept)
    assert unsampled_rate(clicks / logged, kept) == pytest.approx(rate, rel=0.02)
    assert unsampled_rate(0.3, 1.0) == pytest.approx(0.3)
    for wrong in (0.0, -1.0, 1.5):
        with pytest.raises(OptionError):
            unsampled_rate(0.3, wrong)
