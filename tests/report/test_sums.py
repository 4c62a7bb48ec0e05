import numpy as np
import pytest
from scipy import stats

from nestcast.data import Calendar, Keys, Panel
from nestcast.report import sums


def panel_of(target):
    series, time = target.shape
    return Panel(
        Keys({"item_id": np.arange(series)}),
        Calendar("1mo", np.datetime64("2020-01-01"), time),
        target.astype(np.float32),
        np.zeros(series, np.int32),
        is_count=False,
    )


def errors(rng, correlation, series=40, time=4000):
    common = rng.standard_normal(time)
    own = rng.standard_normal((series, time))
    return np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own


@pytest.mark.parametrize("correlation", [0.0, 0.1, 0.5, 0.9])
def test_the_correlation_of_a_group_is_found_again(correlation):
    made = errors(np.random.default_rng(0), correlation)
    spread = sums.Spread(made, steps=0.0)
    found = spread.correlation(np.zeros(len(made), np.int64))
    assert found == pytest.approx(correlation, abs=0.06)


def test_a_common_jump_once_a_year_does_not_rule_the_correlation(monkeypatch):
    made = errors(np.random.default_rng(1), 0.1, time=60)
    made[:, -5::-12] += 5
    group = np.zeros(len(made), np.int64)
    guarded = sums.Spread.of(panel_of(made), 1).correlation(group)
    monkeypatch.setattr(sums, "_usual", lambda error: np.ones(error.shape[1], bool))
    assert guarded < sums.Spread.of(panel_of(made), 1).correlation(group) - 0.2


def test_groups_of_one_series_have_nothing_to_correlate():
    made = errors(np.random.default_rng(2), 0.5, series=5, time=50)
    assert sums.Spread(made, 0.0).correlation(np.arange(5)) == 0.0


def test_a_sum_lies_between_independent_and_equal_members():
    rng = np.random.default_rng(3)
    mean, variance = rng.random((30, 2)), rng.random((30, 2))
    group = np.arange(30) % 4
    _, alone = sums.over_series(mean, variance, group, 4, 0.0)
    total, half = sums.over_series(mean, variance, group, 4, 0.5)
    _, equal = sums.over_series(mean, variance, group, 4, 1.0)
    for g in range(4):
        members = group == g
        np.testing.assert_allclose(total[g], mean[members].sum(axis=0))
        np.testing.assert_allclose(alone[g], variance[members].sum(axis=0))
        np.testing.assert_allclose(equal[g], np.sqrt(variance[members]).sum(axis=0) ** 2)
    assert ((alone < half) & (half < equal)).all()


def test_intervals_are_those_of_the_distribution_with_that_mean_and_variance():
    mean, variance = np.array([[0.3], [4.0], [1e6]]), np.array([[0.3], [9.0], [4e8]])
    low, high = sums.Sums(mean, variance, True, True).interval(80)
    negative = stats.nbinom(4.0 * (4 / 9) / (5 / 9), 4 / 9)
    assert (low[0, 0], high[0, 0]) == tuple(stats.poisson.ppf([0.1, 0.9], 0.3))
    assert (low[1, 0], high[1, 0]) == tuple(negative.ppf([0.1, 0.9]))
    assert (low[2, 0], high[2, 0]) == pytest.approx(stats.norm.ppf([0.1, 0.9], 1e6, 2e4), abs=1)
    low, high = sums.Sums(mean, variance, False, True).interval(80)
    gamma = stats.gamma(16 / 9, scale=9 / 4)
    assert (low[1, 0], high[1, 0]) == pytest.approx(tuple(gamma.ppf([0.1, 0.9])))


def test_what_may_be_negative_has_an_interval_on_both_sides_of_zero():
    low, high = sums.Sums(np.zeros((1, 1)), np.ones((1, 1)), False, False).interval(95)
    assert (low[0, 0], high[0, 0]) == pytest.approx((-1.96, 1.96), abs=0.001)


def test_a_variance_not_known_gives_no_interval():
    low, high = sums.Sums(np.ones((1, 1)), np.full((1, 1), np.nan), True, True).interval(80)
    assert np.isnan(low).all()
    assert np.isnan(high).all()


def test_the_total_of_a_moving_chain_lies_inside_as_often_as_promised():
    """Series that share a common factor: the interval of the sum, learned from each past alone."""
    rng = np.random.default_rng(4)
    inside, tried = 0, 300
    for _ in range(tried):
        factor = np.exp(0.1 * rng.standard_normal(31))
        target = rng.poisson(rng.gamma(2, 3, (60, 1)) * factor).astype(float)
        spread = sums.Spread.of(panel_of(target[:, :30]), 1)
        mean = target[:, 27:30].mean(axis=1, keepdims=True)
        variance = mean * (1 + 1 / 3) + (0.1 * mean) ** 2
        group = np.zeros(60, np.int64)
        summed = sums.Sums(
            *sums.over_series(mean, variance, group, 1, spread.correlation(group)), True, True
        )
        low, high = summed.interval(80)
        inside += low[0, 0] <= target[:, 30].sum() <= high[0, 0]
    assert 0.70 <= inside / tried <= 0.92


def test_steps_of_a_random_walk_go_together_and_of_noise_do_not():
    rng = np.random.default_rng(5)
    walk = 1000 + np.cumsum(rng.standard_normal((200, 60)), axis=1)
    noise = 1000 + rng.standard_normal((200, 60))
    assert sums.Spread.of(panel_of(walk), 6).steps > 0.6
    assert sums.Spread.of(panel_of(noise), 6).steps < 0.4
    assert sums.Spread.of(panel_of(noise), 1).steps == 0.0
