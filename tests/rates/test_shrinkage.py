import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestcast.data import Keys
from nestcast.model.betabinomial import seen_concentration
from nestcast.rates.dispersion import Past, fit_dispersion
from nestcast.rates.hierarchy import fit_levels, hierarchy_of, shrink
from nestcast.rates.shrinkage import Prior, fit_concentration, fit_prior


@pytest.mark.parametrize("method", ["likelihood", "moments"])
@pytest.mark.parametrize(("alpha", "beta"), [(2.0, 98.0), (0.8, 400.0), (30.0, 70.0)])
def test_known_priors_are_recovered(method, alpha, beta):
    rng = np.random.default_rng(1)
    n = rng.integers(50, 3000, 6000)
    k = rng.binomial(n, rng.beta(alpha, beta, len(n)))
    prior = fit_prior(k, n, method)
    assert prior.alpha == pytest.approx(alpha, rel=0.08)
    assert prior.beta == pytest.approx(beta, rel=0.08)


def test_likelihood_is_nearer_than_moments_where_impressions_differ_widely():
    errors = {"likelihood": 0.0, "moments": 0.0}
    for seed in range(12):
        rng = np.random.default_rng(seed)
        n = rng.lognormal(5, 2, 400).astype(int) + 1
        k = rng.binomial(n, rng.beta(1.0, 99.0, len(n)))
        for method in errors:
            errors[method] += abs(np.log(fit_prior(k, n, method).concentration / 100))
    assert errors["likelihood"] < errors["moments"]


@given(
    st.floats(1e-4, 0.9999),
    st.floats(0.1, 1e6),
    st.floats(0, 1),
    st.lists(st.integers(0, 10**9), min_size=2, max_size=10, unique=True),
)
def test_shrinkage_is_monotone_in_impressions(mean, concentration, own, impressions):
    n = np.sort(np.array(impressions, float))
    posterior, total = Prior(mean, concentration).posterior(own * n, n)
    away = np.abs(posterior - own)
    assert (np.diff(away) <= 1e-12).all()
    assert (np.diff(total) > 0).all()
    low, high = min(mean, own) - 1e-12, max(mean, own) + 1e-12
    assert ((posterior >= low) & (posterior <= high)).all()


@pytest.mark.parametrize("clicked", [0, 1])
@pytest.mark.parametrize("method", ["likelihood", "moments"])
def test_priors_where_nothing_or_everything_is_clicked(clicked, method):
    n = np.array([5.0, 100.0, 0.0, 70.0])
    prior = fit_prior(n * clicked, n, method)
    assert 0 < prior.mean < 1
    assert np.isfinite(prior.concentration)
    assert abs(prior.mean - clicked) < 0.01


@pytest.mark.parametrize("method", ["likelihood", "moments"])
def test_groups_that_do_not_differ_are_pooled(method):
    rng = np.random.default_rng(0)
    n = np.full(500, 1000.0)
    prior = fit_prior(rng.binomial(1000, 0.05, 500), n, method)
    assert prior.concentration > 5000
    assert prior.mean == pytest.approx(0.05, rel=0.05)


@pytest.mark.parametrize("method", ["likelihood", "moments"])
def test_concentration_around_means_of_their_own(method):
    rng = np.random.default_rng(0)
    mean = rng.uniform(0.01, 0.2, 4000)
    n = rng.integers(100, 2000, 4000).astype(float)
    k = rng.binomial(n.astype(int), rng.beta(mean * 150, (1 - mean) * 150)).astype(float)
    assert fit_concentration(k, n, mean, method) == pytest.approx(150, rel=0.12)


def nested(seed=0, campaigns=60, ads=30):
    rng = np.random.default_rng(seed)
    of_campaign = rng.beta(2, 98, campaigns)
    rate = rng.beta(200 * of_campaign[:, None], 200 * (1 - of_campaign[:, None]), (campaigns, ads))
    campaign, ad = np.divmod(np.arange(campaigns * ads), ads)
    n = rng.integers(0, 300, campaigns * ads).astype(float)
    n[rng.random(len(n)) < 0.2] = 0
    k = rng.binomial(n.astype(int), rate.ravel()).astype(float)
    return Keys({"campaign": campaign, "ad": ad}), k, n, rate.ravel(), of_campaign[campaign]


def test_levels_recover_what_made_them():
    keys, k, n, *_ = nested()
    levels = fit_levels(hierarchy_of(keys), k, n, "likelihood")
    assert levels[0] == pytest.approx(100, rel=0.5)
    assert levels[1] == pytest.approx(200, rel=0.3)


def test_shrunken_rates_are_nearer_to_the_truth():
    keys, k, n, rate, of_campaign = nested()
    hierarchy = hierarchy_of(keys)
    mean, share = shrink(hierarchy, fit_levels(hierarchy, k, n, "likelihood"), k, n)
    error = np.mean((mean - rate) ** 2)
    own = np.where(n > 0, k / np.maximum(n, 1), k.sum() / n.sum())
    assert error < 0.5 * np.mean((own - rate) ** 2)
    assert error < 0.7 * np.mean((k.sum() / n.sum() - rate) ** 2)
    # An ad that was never shown has the rate of its campaign, and is as uncertain as ads differ.
    unseen = n == 0
    assert np.mean((mean - of_campaign)[unseen] ** 2) < 2e-5
    variance = share * mean * (1 - mean)
    assert np.mean((mean - rate)[unseen] ** 2) == pytest.approx(variance[unseen].mean(), rel=0.3)
    assert np.mean((mean - rate)[~unseen] ** 2) == pytest.approx(variance[~unseen].mean(), rel=0.3)


def test_order_of_series_does_not_matter():
    keys, k, n, *_ = nested(campaigns=5, ads=6)
    order = np.random.default_rng(0).permutation(len(k))
    mean, share = shrink(hierarchy_of(keys), (50.0, 80.0), k, n)
    again = shrink(hierarchy_of(keys.take(order)), (50.0, 80.0), k[order], n[order])
    np.testing.assert_allclose(again[0], mean[order])
    np.testing.assert_allclose(again[1], share[order])


def test_dispersion_by_rate_and_step_is_recovered():
    rng = np.random.default_rng(0)
    size = 20_000
    mean = rng.choice([0.003, 0.01, 0.05], size)
    step = rng.integers(1, 8, size).astype(float)
    share = 0.001 * np.sqrt(mean / 0.01) * step**0.7
    concentration = 1 / share - 1
    n = np.full(size, 20_000.0)
    k = rng.binomial(20_000, rng.beta(mean * concentration, (1 - mean) * concentration))
    found = fit_dispersion(Past(mean, np.zeros(size), step, k.astype(float), n))
    assert found.by_rate == pytest.approx(0.5, abs=0.05)
    assert found.by_step == pytest.approx(0.7, abs=0.05)
    again = found.concentration(mean, np.zeros(size), step)
    np.testing.assert_allclose(again, concentration, rtol=0.15)


def test_clicks_in_bunches_are_told_from_rates_that_differ():
    rng = np.random.default_rng(1)
    size = 20_000
    n = np.exp(rng.uniform(4, 12, size)).round()
    mean, step = np.full(size, 0.02), np.ones(size)
    M = seen_concentration(2000.0, n, 1.5)
    k = rng.binomial(n.astype(int), rng.beta(mean * M, (1 - mean) * M)).astype(float)
    found = fit_dispersion(Past(mean, np.zeros(size), step, k, n))
    assert found.extra == pytest.approx(1.5, rel=0.15)
    none = np.zeros(1)
    assert found.concentration(mean[:1], none, step[:1])[0] == pytest.approx(2000, rel=0.1)
