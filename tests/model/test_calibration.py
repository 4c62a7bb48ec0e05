import json

import numpy as np
import pytest
from scipy import stats

from nestcast.model.calibration import Calibration, spread_over


def test_a_model_that_is_right_stays_as_it_is():
    rng = np.random.default_rng(0)
    calibration = Calibration.of(rng.random((20_000, 1)), rng.random(20_000), np.arange(20_000))
    wanted = np.array([0.025, 0.1, 0.5, 0.9, 0.975])
    found = calibration.probabilities(wanted, np.array([0.1, 0.4, 0.9]))
    np.testing.assert_allclose(found, np.tile(wanted, (3, 1)), atol=0.015)


def test_each_class_of_volume_gets_the_intervals_that_it_needs():
    """Small series are forecast too narrowly, large ones too widely."""
    rng = np.random.default_rng(0)
    size = rng.random(40_000)
    model = np.where(size < 0.5, 0.5, 2.0)  # deviation that the model claims; the truth has 1
    truth = rng.standard_normal(40_000)
    pit = stats.norm(0, model).cdf(truth)[:, None]
    calibration = Calibration.of(pit, size, np.arange(40_000))
    fresh = rng.standard_normal(40_000)
    for level in (0.8, 0.95):
        tails = np.array([(1 - level) / 2, (1 + level) / 2])
        low, high = stats.norm(0, model[:, None]).ppf(calibration.probabilities(tails, size)).T
        inside = (low <= fresh) & (fresh <= high)
        for part in (size < 0.5, size >= 0.5):
            assert inside[part].mean() == pytest.approx(level, abs=0.015)


def test_counts_are_spread_over_their_own_probability():
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.3, 50_000)
    model = stats.poisson(0.3)
    pit = spread_over(model.cdf(counts - 1), model.cdf(counts), rng)
    assert stats.kstest(pit, "uniform").pvalue > 0.01


def test_few_truths_change_little_and_none_change_nothing():
    wanted = np.array([0.1, 0.5, 0.9])
    one = (np.ones(5), np.arange(5))
    few = Calibration.of(np.full((5, 1), 0.99), *one).probabilities(wanted, np.ones(1))
    np.testing.assert_allclose(few[0], wanted, atol=0.05)
    none = Calibration.of(np.full((5, 1), np.nan), *one).probabilities(wanted, np.ones(1))
    np.testing.assert_allclose(none[0], wanted)
    assert (np.diff(few) > 0).all()


def test_periods_tell_how_much_is_known_however_many_series_they_have():
    wanted, size = np.array([0.1, 0.9]), np.ones(90_000)
    too_wide = np.random.default_rng(0).uniform(0.2, 0.8, (90_000, 1))
    in_two, in_many = (
        Calibration.of(too_wide, size, np.arange(90_000) % periods).probabilities(wanted, size[:1])
        for periods in (2, 200)
    )
    np.testing.assert_allclose(in_many, [[0.26, 0.74]], atol=0.02)
    np.testing.assert_allclose(in_two, [[0.12, 0.88]], atol=0.02)


def test_paths_hang_together_as_the_past_did():
    rng = np.random.default_rng(0)
    common = rng.standard_normal((5000, 1))
    scores = 0.8**0.5 * common + 0.2**0.5 * rng.standard_normal((5000, 6))
    calibration = Calibration.of(stats.norm.cdf(scores), np.ones(5000), np.arange(5000))
    assert calibration.correlation == pytest.approx(0.8, abs=0.03)
    drawn = calibration.uniforms(2000, 3, 5, rng)
    assert stats.kstest(drawn[:, 2].ravel(), "uniform").pvalue > 0.01
    again = stats.norm.ppf(drawn)
    assert np.corrcoef(again[:, 1].ravel(), again[:, 2].ravel())[0, 1] == pytest.approx(
        calibration.correlation, abs=0.05
    )
    sums = drawn.sum(axis=1)
    assert sums.var() > 1.5 * 3 / 12  # more than independent periods would give


def test_it_survives_json():
    pit = np.random.default_rng(0).random((900, 2))
    calibration = Calibration.of(pit, np.arange(900.0), np.arange(900))
    assert Calibration.from_json(json.loads(json.dumps(calibration.to_json()))) == calibration
