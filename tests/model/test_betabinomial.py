import numpy as np
import pytest
import torch
from scipy import stats

from nestcast.model.betabinomial import (
    beta_binomial_log_prob,
    beta_binomial_quantile,
    beta_binomial_variance,
    beta_quantile,
    binomial_log_prob,
    sample_beta_binomial,
    sample_joint,
    seen_concentration,
)

COUNTS = [
    (0, 1),
    (1, 1),
    (3, 10),
    (10, 10),
    (0, 1000),
    (7, 1000),
    (999, 1000),
    (5_000, 10**6),
    (0, 10**9),
    (1, 10**9),
    (5_000_000, 10**9),
    (10**9, 10**9),
]


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(("k", "n"), COUNTS)
@pytest.mark.parametrize("p", [1e-9, 1e-4, 0.005, 0.3, 0.999])
def test_binomial_equals_scipy(k, n, p):
    found = binomial_log_prob(tensor(k), tensor(n), tensor(p).logit()).item()
    # What is not known of the rate itself, one part in 10^16, counts n times.
    assert found == pytest.approx(stats.binom.logpmf(k, n, p), rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(("k", "n"), [pair for pair in COUNTS if pair[1] < 10**9])
@pytest.mark.parametrize("p", [1e-4, 0.005, 0.3])
@pytest.mark.parametrize("concentration", [0.01, 1.0, 300.0, 1e6])
def test_beta_binomial_equals_scipy(k, n, p, concentration):
    a, b = p * concentration, (1 - p) * concentration
    found = beta_binomial_log_prob(tensor(k), tensor(n), tensor(a), tensor(b)).item()
    assert found == pytest.approx(stats.betabinom.logpmf(k, n, a, b), rel=1e-8, abs=2e-8)


@pytest.mark.parametrize("n", [10, 10**5, 10**9])
def test_a_flat_prior_makes_all_counts_as_likely(n):
    k = tensor(0, 1, n // 2, n)
    found = beta_binomial_log_prob(k, tensor(n), tensor(1.0), tensor(1.0))
    torch.testing.assert_close(found, torch.full_like(found, -np.log1p(n)), rtol=1e-10, atol=0)


@pytest.mark.parametrize("n", [100, 10**9])
def test_large_concentration_is_binomial(n):
    k, p = tensor(n // 100), 0.011
    binomial = binomial_log_prob(k, tensor(n), tensor(p).logit())
    found = beta_binomial_log_prob(k, tensor(n), tensor(p * 1e16), tensor((1 - p) * 1e16))
    torch.testing.assert_close(found, binomial, rtol=1e-4, atol=1e-5)


def test_probabilities_sum_to_one():
    k = torch.arange(201, dtype=torch.float64)
    for a, b in [(0.3, 40.0), (2.0, 2.0), (900.0, 9.0)]:
        total = beta_binomial_log_prob(k, tensor(200), tensor(a), tensor(b)).exp().sum()
        assert total.item() == pytest.approx(1, abs=1e-12)
    assert binomial_log_prob(k, tensor(200), tensor(-3)).exp().sum().item() == pytest.approx(1)


def test_no_impressions_contribute_exactly_nothing():
    a, b, logit = (tensor(x).requires_grad_() for x in (1e-3, 50.0, -4.0))
    zero = tensor(0)
    for value in (
        beta_binomial_log_prob(zero, zero, a, b),
        binomial_log_prob(zero, zero, logit),
    ):
        assert value.item() == 0
        value.sum().backward()
    assert a.grad.item() == b.grad.item() == logit.grad.item() == 0


@pytest.mark.parametrize(("k", "n"), [(0, 5), (5, 5), (2, 30), (40, 9000), (10**6, 10**9)])
def test_gradients(k, n):
    a, b = tensor(0.7, 12.0).requires_grad_(), tensor(40.0, 900.0).requires_grad_()
    logit = tensor(-3.0, 0.5).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda a, b: beta_binomial_log_prob(tensor(k), tensor(n), a, b),
        (a, b),
        atol=1e-4,
        rtol=1e-4,
    )
    if n < 10**6:  # finite differences of values near 10^9 tell nothing
        assert torch.autograd.gradcheck(
            lambda x: binomial_log_prob(tensor(k), tensor(n), x), (logit,)
        )


def test_gradients_stay_finite_where_impressions_are_many():
    raw = torch.tensor([-20.0, -5.0, 5.0], requires_grad=True)
    n = torch.full((3,), 1e9)
    value = beta_binomial_log_prob(n * 0.01, n, raw.sigmoid() * 500, (-raw).sigmoid() * 500)
    (value.sum() + binomial_log_prob(n * 0.01, n, raw).sum()).backward()
    assert torch.isfinite(value).all()
    assert torch.isfinite(raw.grad).all()


LEVELS = np.array([0.025, 0.1, 0.5, 0.9, 0.975])


@pytest.mark.parametrize("n", [0, 1, 7, 1000, 6000])
@pytest.mark.parametrize(("p", "M"), [(0.002, 100.0), (0.3, 8.0), (0.91, 30.0), (0.001, 1e6)])
def test_quantiles_equal_scipy(n, p, M):
    found = beta_binomial_quantile(LEVELS, n, p, M)
    if n == 0:
        assert (found == 0).all()
        return
    expected = stats.betabinom.ppf(LEVELS, n, p * M, (1 - p) * M)
    rare = n * min(p, 1 - p)
    spread = 6 * np.sqrt(beta_binomial_variance(n, p, M))
    if rare + spread <= 500:
        np.testing.assert_array_equal(found, expected)
    else:
        np.testing.assert_allclose(found, expected, rtol=0, atol=0.01 * spread + 1)


def test_quantiles_of_certain_rates():
    np.testing.assert_array_equal(beta_binomial_quantile(LEVELS, 50, 0.0, 10.0), np.zeros(5))
    np.testing.assert_array_equal(beta_binomial_quantile(LEVELS, 50, 1.0, 10.0), np.full(5, 50.0))
    np.testing.assert_array_equal(beta_quantile(LEVELS, 0.0, 10.0), np.zeros(5))


def test_quantiles_of_a_thousand_million_impressions():
    found = beta_binomial_quantile(LEVELS, 10**9, 0.01, 1e5)
    np.testing.assert_allclose(found / 1e9, beta_quantile(LEVELS, 0.01, 1e5), rtol=1e-3)


def test_samples_have_the_moments_and_never_more_clicks_than_impressions():
    rng = np.random.default_rng(0)
    n, p, M = 500, 0.02, 60.0
    drawn = sample_beta_binomial(rng, n, p, M, (40_000,))
    assert drawn.mean() == pytest.approx(n * p, rel=0.02)
    assert drawn.var() == pytest.approx(beta_binomial_variance(n, p, M), rel=0.05)
    assert drawn.max() <= n


def test_joint_samples():
    rng = np.random.default_rng(0)
    impressions, clicks = sample_joint(
        rng, [0.0, 3.0, 1e4, 1e9], 0.4, [0.5, 0.9, 0.01, 1e-6], [1.0, 5.0, 300.0, 1e4], 20_000
    )
    assert (clicks <= impressions).all()
    assert (clicks >= 0).all()
    assert (impressions[0] == 0).all()
    assert impressions[2].mean() == pytest.approx(1e4, rel=0.03)
    assert impressions[2].var() == pytest.approx(1e4 + 0.4 * 1e8, rel=0.06)
    assert clicks[2].mean() == pytest.approx(100, rel=0.05)
    assert clicks[3].mean() == pytest.approx(1000, rel=0.05)


@pytest.mark.parametrize("rate", [0.003, 0.4, 0.97])
def test_spread_quantiles_are_where_probabilities_up_to_half_a_count_say(rate):
    n, M = 60, 40.0
    law = stats.betabinom(n, rate * M, (1 - rate) * M)
    k = np.arange(n + 1)
    upto = law.cdf(k) - law.pmf(k) / 2
    inside = (upto > 1e-6) & (upto < 1 - 1e-6)
    found = beta_binomial_quantile(upto[inside], n, rate, M, spread=True)
    np.testing.assert_allclose(found, k[inside], atol=1e-6)


def test_spread_intervals_hold_their_level_on_average():
    rng = np.random.default_rng(0)
    size = 40_000
    n = rng.integers(200, 5000, size)
    rate, M = rng.uniform(0.002, 0.05, size), rng.uniform(50, 5000, size)
    k = sample_beta_binomial(rng, n, rate, M)
    for level in (0.5, 0.8, 0.95):
        ends = (1 - level) / 2, (1 + level) / 2
        whole, spread = (
            [beta_binomial_quantile(end, n, rate, M, spread=one) for end in ends]
            for one in (False, True)
        )
        held = [((k >= low) & (k <= high)).mean() for low, high in (whole, spread)]
        assert held[1] == pytest.approx(level, abs=0.012)
        assert held[0] > held[1]
        assert (spread[0] >= 0).all()
        assert (spread[1] <= n).all()


def test_spread_quantiles_rise_with_the_level_and_meet_where_counts_are_large():
    levels = np.linspace(0.01, 0.99, 99)
    for n, rate, M in ((50, 0.02, 30.0), (400, 0.5, 20.0), (10**6, 0.01, 1e4)):
        found = beta_binomial_quantile(levels, n, rate, M, spread=True)
        assert (np.diff(found) >= 0).all()
        assert (np.abs(found - beta_binomial_quantile(levels, n, rate, M)) <= 0.5 + 1e-9).all()


def test_extra_variance_is_what_clicks_in_bunches_have():
    n, rate, extra = np.array([20.0, 300.0, 50_000.0]), 0.03, 1.4
    M = seen_concentration(1e12, n, extra)
    ratio = beta_binomial_variance(n, rate, M) / (n * rate * (1 - rate))
    np.testing.assert_allclose(ratio, 1 + extra * (n - 1) / n, rtol=1e-6)
    np.testing.assert_allclose(seen_concentration(700.0, n, 0.0), 700.0)


def test_joint_samples_have_the_extra_variance():
    given = [np.full(1, one) for one in (20_000.0, 1e-9, 0.01, 1e9)]
    plain, bunched = (
        sample_joint(np.random.default_rng(0), *given, 20_000, extra)[1].var()
        for extra in (0.0, 2.0)
    )
    assert bunched / plain == pytest.approx(3, rel=0.1)
