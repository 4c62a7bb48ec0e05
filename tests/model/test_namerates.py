from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import Ridge

from nestcast.data import Attributes, Calendar, Keys, Panel
from nestcast.data.keys import numbered
from nestcast.model.groupsums import GroupMeans, Sparse
from nestcast.model.namerates import _bags, _documents, _walked, has_names, name_rates
from tests.panels import store

WORDS = ["dragon", "puzzle", "русская", "海飞丝", "gold"]
WORTH = np.array([9.0, 0.5, 2.0, 4.0, 1.0])


def shop_of_names(items=240, months=14, shops=3, seed=0):
    """Items that appear one after another and sell at once what the words of their names say."""
    rng = np.random.default_rng(seed)
    has = rng.random((items, len(WORDS))) < 0.4
    names = [" ".join([*np.array(WORDS)[row], f"no{i}"]) for i, row in enumerate(has)]
    first = np.sort(rng.integers(0, months, items))
    shop, item = np.divmod(np.arange(shops * items), items)
    rate = 1 + (has @ WORTH)[item]
    target = rng.poisson(rate[:, None], (len(item), months)).astype(np.float32)
    target[np.arange(months) < first[item, None]] = 0
    attributes = {
        "item_id": Attributes(
            "item_id",
            np.arange(items),
            {"item_name": np.array(names), "item_category_id": np.arange(items) % 2},
        )
    }
    return Panel(
        Keys({"shop_id": shop, "item_id": item}),
        Calendar("1mo", np.datetime64("2022-01-01"), months),
        target,
        first[item].astype(np.int32),
        attributes=attributes,
    ), 1 + has @ WORTH


def rates_of(panel):
    items, item = numbered(panel.keys["item_id"])
    listed = np.full(len(items), len(panel.calendar), np.int64)
    np.minimum.at(listed, item, panel.start)
    values = Sparse.of(panel.target)
    return name_rates(panel, "item_id", listed, GroupMeans(panel), values), listed


def test_words_of_earlier_newcomers_tell_what_later_ones_sell():
    panel, truth = shop_of_names()
    rates, listed = rates_of(panel)
    late = listed >= 9
    assert np.corrcoef(rates[late], truth[late])[0, 1] > 0.9
    assert abs(rates[late].mean() / truth[late].mean() - 1) < 0.1
    assert (rates[listed < 2] == 0).all()
    assert (rates >= 0).all()


@pytest.mark.parametrize("period", [3, 9, 13])
def test_a_rate_rests_on_what_was_sold_before_the_item_appeared(period):
    panel, _ = shop_of_names()
    changed = panel.target.copy()
    changed[:, period:] = changed[:, period:] * 3 + (changed[:, period:] > 0)
    before, listed = rates_of(panel)
    after, _ = rates_of(replace(panel, target=changed))
    np.testing.assert_array_equal(before[listed <= period], after[listed <= period])
    if period < 13:
        assert not np.array_equal(before, after)


def test_the_last_fit_is_a_weighted_ridge_regression():
    rng = np.random.default_rng(1)
    words = sparse.random(300, 40, 0.2, "csr", rng=rng)
    listed = np.sort(rng.integers(0, 13, 300))
    sold = rng.gamma(1, 2, 300)
    rates = _walked(words, np.zeros(300), listed, sold, 12, 6)
    before, asked = (listed > 0) & (listed < 12), listed == 12
    weight = 0.5 ** ((12 - listed[before]) / 12)
    usual = np.average(sold[before], weights=weight)
    ridge = Ridge(alpha=3.0, fit_intercept=False)
    ridge.fit(words[before], sold[before] - usual, sample_weight=weight)
    expected = np.maximum(usual + ridge.predict(words[asked]), 0)
    np.testing.assert_allclose(rates[asked], expected, rtol=0.01, atol=0.01)


def test_names_are_words_and_pairs_of_neighbours():
    bags = _bags(np.array(["Gold Dragon 2", "gold dragon", ""])).toarray()
    np.testing.assert_allclose((bags**2).sum(axis=1), [1, 1, 0])
    shared = (bags[0] > 0) & (bags[1] > 0)
    assert shared.sum() == 3  # gold, dragon, gold dragon


def test_only_names_that_tell_items_apart_are_read():
    panel, _ = shop_of_names()
    assert has_names(panel, "item_id")
    assert not has_names(store(), "item_id")
    assert not has_names(panel, "shop_id")


def test_many_periods_are_fitted_in_steps():
    rng = np.random.default_rng(2)
    words, listed = sparse.random(900, 10, 0.4, "csr", rng=rng), rng.integers(0, 300, 900)
    rates = _walked(words, np.zeros(900), listed, np.ones(900), 300, 365)
    np.testing.assert_allclose(rates[listed > 10], 1, rtol=0.02)


def test_terms_of_one_item_need_no_coefficient():
    """They are left out of the regression, and the rates are those with them."""
    panel, _ = shop_of_names()
    words, alone = _documents(panel, "item_id")
    assert (np.diff(words.tocsc().indptr) > 1).all()
    assert (alone > 0).all()  # the number of the item
    rng = np.random.default_rng(3)
    listed, sold = np.arange(240) // 20, rng.gamma(1, 2, 240)
    every = sparse.hstack([words, sparse.diags(np.sqrt(alone))]).tocsr()
    with_them = _walked(every, np.zeros(240), listed, sold, 12, 12)
    np.testing.assert_allclose(
        _walked(words, alone, listed, sold, 12, 12), with_them, rtol=0.01, atol=0.01
    )
