"""Rates of groups within groups whose values have effects of their own."""

import numpy as np
import pytest
from scipy import special

from nestcast import Keys
from nestcast.rates.credibility import Credibility, Strengths, fit_strengths
from nestcast.rates.hierarchy import fit_levels, hierarchy_of, shrink

OF_CAMPAIGN, OF_PLACEMENT, OF_BOTH, OF_AD = 0.6, 0.5, 0.25, 0.4  # deviations of log-odds
USUAL = Strengths((5.0, 20.0, 5.0), (5.0, 5.0, 5.0))


def crossed(seed=0, campaigns=30, placements=12, ads=6, shown=3000.0):
    """Ads of campaigns in placements: keys, clicks, misses, the parts of their log-odds."""
    rng = np.random.default_rng(seed)
    shape = (campaigns, placements, ads)
    campaign, placement, _ = (one.ravel() for one in np.indices(shape))
    parts = [
        rng.normal(0, OF_CAMPAIGN, campaigns)[campaign],
        rng.normal(0, OF_PLACEMENT, placements)[placement],
        rng.normal(0, OF_BOTH, shape[:2])[campaign, placement],
        rng.normal(0, OF_AD, len(campaign)),
    ]
    rate = special.expit(-4 + np.sum(parts, axis=0))
    n = rng.poisson(shown * rng.lognormal(0, 1.5, len(rate)))
    k = rng.binomial(n, rate)
    keys = {"campaign": campaign, "placement": placement, "ad": np.arange(len(campaign))}
    return Keys(keys), k.astype(float), (n - k).astype(float), parts


def rates(keys, k, m, strengths=USUAL):
    """Of all levels, at one time, shape (1 + levels, series)."""
    model, k, m = Credibility(keys, strengths, 0.02), k[:, None], m[:, None]
    return special.expit(model.log_odds(k, m, model.effects(k, m)))[..., 0]


def test_strengths_are_found_that_made_the_rates():
    keys, k, m, _ = crossed()
    found = fit_strengths(keys, k, m)
    deviations = 1 / np.sqrt([*found.within, found.across[1]])
    wanted = [OF_CAMPAIGN, OF_BOTH, OF_AD, OF_PLACEMENT]
    np.testing.assert_allclose(deviations, wanted, rtol=0.35)


def test_new_ads_have_what_their_campaign_and_their_placement_bring():
    keys, k, m, parts = crossed()
    unseen = (keys["campaign"] % 6 == 0) & (keys["placement"] % 4 == keys["campaign"] // 6 % 4)
    k[unseen], m[unseen] = 0, 0
    mean = special.logit(rates(keys, k, m, fit_strengths(keys, k, m))[-1])
    truth = -4 + np.sum(parts[:2], axis=0)  # what could be known
    classic = shrink(hierarchy_of(keys), (100.0, 100.0, 100.0), k, k + m)[0]
    # The mean of rates is above that of log-odds.
    error, other = mean - truth - OF_AD**2 / 2, special.logit(classic) - truth
    assert np.sqrt(np.mean(error[unseen] ** 2)) < 0.2
    assert np.mean(error[unseen] ** 2) < 0.3 * np.mean(other[unseen] ** 2)


def test_one_ad_tells_little_of_its_campaign_however_often_it_was_shown():
    keys = Keys({"campaign": np.array([1, 1, 1, 1]), "ad": np.arange(4)})
    k, n = np.array([1e6, 20, 20, 20]), np.array([1e7, 2e3, 2e3, 2e3])
    strengths = Strengths((5.0, 5.0), (5.0, 5.0))
    _, campaign, ad = rates(keys, k, n - k, strengths)
    assert 0.01 < campaign[0] < 0.04  # and not 0.1
    assert ad[0] == pytest.approx(0.1, rel=1e-4)
    assert (np.diff([0.01, ad[1], campaign[0]]) > 0).all()


def test_rates_are_nearer_to_the_truth_than_those_of_summed_groups():
    keys, k, m, parts = crossed(ads=4, shown=300.0)
    truth = special.expit(-4 + np.sum(parts, axis=0))
    found = rates(keys, k, m, fit_strengths(keys, k, m))[-1]
    hierarchy = hierarchy_of(keys)
    summed = shrink(hierarchy, fit_levels(hierarchy, k, k + m, "likelihood"), k, k + m)[0]
    assert np.mean((found - truth) ** 2) < 0.9 * np.mean((summed - truth) ** 2)


def test_neither_the_order_of_series_nor_other_times_matter():
    keys, k, m, _ = crossed(campaigns=3, placements=3, ads=2)
    at_once = np.stack([k, 2 * k, 0 * k], axis=1), np.stack([m, m / 2, 0 * m], axis=1)
    model = Credibility(keys, USUAL, 0.02)
    found = special.expit(model.log_odds(*at_once, model.effects(*at_once)))
    for at in range(3):
        one = (values[:, at] for values in at_once)
        np.testing.assert_allclose(rates(keys, *one), found[..., at], rtol=1e-9)
    order = np.random.default_rng(0).permutation(len(k))
    again = rates(keys.take(order), k[order], m[order])
    np.testing.assert_allclose(again, found[:, order, 0], rtol=1e-9)


def test_before_anything_is_seen_all_have_the_usual_rate():
    keys, k, _, _ = crossed(campaigns=3, placements=3, ads=2)
    np.testing.assert_allclose(rates(keys, 0 * k, 0 * k), 0.02, rtol=1e-9)


@pytest.mark.parametrize("clicked", [0.0, 1.0])
def test_rates_stay_between_none_and_all(clicked):
    keys, k, m, _ = crossed(campaigns=3, placements=3, ads=2)
    n = 1000 * (k + m)
    k, m = clicked * n, (1 - clicked) * n
    found = rates(keys, k, m, fit_strengths(keys, k, m))
    assert ((found > 0) & (found < 1)).all()
    np.testing.assert_allclose(found[-1], clicked, atol=0.01)


def test_a_value_that_was_not_there_when_strengths_were_fitted_has_no_effect():
    keys, k, m, _ = crossed(campaigns=1, placements=1, ads=6)
    strengths = fit_strengths(keys, k, m)
    columns = {"campaign": [7, 7], "placement": [0, 8], "ad": [98, 99]}
    more = keys.concat(Keys({name: np.array(values) for name, values in columns.items()}))
    found = rates(more, np.append(k, [0, 0]), np.append(m, [0, 0]), strengths)[-1]
    assert np.isfinite(found).all()
    assert found[-1] == pytest.approx(found[-2], rel=0.5)
