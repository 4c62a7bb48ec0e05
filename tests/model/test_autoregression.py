from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge as Oracle

from nestcast.data import Calendar, Keys, Panel
from nestcast.data.keys import numbered
from nestcast.model.autoregression import Ridge, expected_by_shop, has_shops
from nestcast.model.groupsums import Sparse
from nestcast.model.population import with_series
from nestcast.model.schema import schema_of
from tests.panels import store, weekly


def followers(items=300, months=14, seed=0):
    """Three shops: the second sells what the first sold a month before, the third by chance."""
    rng = np.random.default_rng(seed)
    shop, item = np.divmod(np.arange(3 * items), items)
    rate = rng.gamma(0.5, 8, (items, months + 1))
    mean = np.stack([rate[:, 1:], rate[:, :-1], np.full((items, months), 4.0)])
    target = rng.poisson(mean.reshape(3 * items, months)).astype(np.float32)
    panel = Panel(
        Keys({"shop": shop, "item": item}),
        Calendar("1mo", np.datetime64("2022-01-01"), months),
        target,
        np.zeros(len(shop), np.int32),
    )
    return panel, mean.reshape(3 * items, months)


def expected_of(panel):
    items, item = numbered(panel.keys["item"])
    listed = np.full(len(items), len(panel.calendar))
    np.minimum.at(listed, item, panel.start)
    return expected_by_shop(panel, "item", listed, Sparse.of(panel.target))


def test_a_shop_is_expected_to_sell_what_the_one_it_follows_sold():
    panel, mean = followers()
    expected = expected_of(panel)[:, 13]
    second, third = np.split(np.arange(900), 3)[1:]
    assert np.corrcoef(expected[second], mean[second, 13])[0, 1] > 0.9
    assert abs(expected[third] - 4).mean() < 1
    assert (expected >= 0).all()
    assert (expected_of(panel)[:, :2] == 0).all()  # nothing to learn from yet


def test_new_items_fall_and_older_ones_do_not():
    rng = np.random.default_rng(2)
    items, months = 1600, 20  # those of the first month, few here, count as new then
    start = np.tile(np.where(np.arange(items) % 8, np.arange(items) % (months - 1) + 1, 0), 3)
    rate = np.tile(rng.uniform(1, 20, items), 3)
    age = np.arange(months) - start[:, None]
    mean = np.where(age == 0, rate[:, None], rate[:, None] * np.where(start, 0.3, 1)[:, None])
    shop, item = np.divmod(np.arange(3 * items), items)
    panel = Panel(
        Keys({"shop": shop, "item": item}),
        Calendar("1mo", np.datetime64("2022-01-01"), months),
        np.where(age < 0, 0, rng.poisson(mean)).astype(np.float32),
        start.astype(np.int32),
    )
    ratio = expected_of(panel)[:, months] / rate
    assert np.median(ratio[start == months - 1]) == pytest.approx(0.3, abs=0.1)
    assert np.median(ratio[start == 0]) == pytest.approx(1, abs=0.15)


def test_ridge_is_that_of_scikit_learn_with_older_periods_counting_less():
    rng = np.random.default_rng(1)
    parts = [(rng.random((50, 4)), rng.random((50, 2)), rng.random(50)) for _ in range(3)]
    ridge = Ridge(inputs=4, outputs=2, half_life=2)
    for part in parts:
        ridge.learn(*part)
    weight = np.concatenate([w * 0.5 ** ((2 - n) / 2) for n, (_, _, w) in enumerate(parts)])
    oracle = Oracle(alpha=300.0, fit_intercept=False)
    x, y = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    oracle.fit(x, y, sample_weight=weight)
    np.testing.assert_allclose(ridge(x), np.maximum(oracle.predict(x), 0))


@pytest.mark.parametrize("period", [2, 7, 13])
def test_what_is_expected_rests_on_the_periods_before(period):
    panel, _ = followers()
    panel.target[650, 1] = 1000  # a bulk sale, cut by what was usual until then
    changed = replace(panel, target=panel.target.copy())
    changed.target[:, period:] = panel.target[:, period:] * 3 + 7
    before, after = expected_of(panel), expected_of(changed)
    np.testing.assert_array_equal(before[:, : period + 1], after[:, : period + 1])
    if period < 13:
        assert not np.array_equal(before[:, period + 1 :], after[:, period + 1 :])


def test_series_without_a_past_change_nothing_for_the_others():
    panel, _ = followers(items=30)
    asked = Keys({"shop": np.array([9, 1]), "item": np.array([3, 99])})
    more = with_series(panel, asked)[0]
    expected = expected_of(more)
    np.testing.assert_allclose(expected[:-2], expected_of(panel), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(expected[-2:], 0, atol=1e-6)


def test_a_bulk_sale_does_not_decide_what_follows():
    panel, _ = followers()
    bulk = replace(panel, target=panel.target.copy())
    bulk.target[650, 8] = 100_000  # in the third shop
    usual = expected_of(panel)[:, 13]
    others = np.arange(900) != 650
    assert np.corrcoef(expected_of(bulk)[others, 13], usual[others])[0, 1] > 0.95


def test_growth_of_everything_is_left_out():
    panel, _ = followers()
    growth = np.float32(1.3) ** np.arange(14)
    growing = expected_of(replace(panel, target=panel.target * growth))[:, 13]
    usual = expected_of(panel)[:, 13].sum()
    assert growing.sum() / usual == pytest.approx(growth[12], rel=0.1)  # and not growth[13]


def test_only_several_shops_and_small_counts_have_it():
    assert schema_of(store()).by_shop
    assert not schema_of(replace(store(), target=store().target * 1000)).by_shop
    assert not schema_of(weekly()).by_shop
    many = store(shops=120)
    assert not has_shops(many, "item_id")
    one = store()
    assert not schema_of(one.take(one.keys["shop_id"] == 1)).by_shop
