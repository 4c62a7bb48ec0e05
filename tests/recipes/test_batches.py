"""In which order series are seen."""

from __future__ import annotations

import numpy as np

from nestcast.recipes.batches import batches_of_similar_length, in_random_order


def test_series_of_an_item_come_together_and_none_is_lost() -> None:
    generator = np.random.default_rng(3)
    items = generator.integers(0, 40, 500)
    rows = np.sort(generator.permutation(500)[:300])
    order = in_random_order(rows, generator, items)
    assert np.array_equal(np.sort(order), rows)
    changes = np.count_nonzero(np.diff(items[order])) + 1
    assert changes == len(np.unique(items[rows]))
    assert not np.array_equal(order, in_random_order(rows, generator, items))


def test_without_items_series_come_in_any_order() -> None:
    order = in_random_order(np.arange(100), np.random.default_rng(3))
    assert np.array_equal(np.sort(order), np.arange(100))
    assert np.count_nonzero(np.diff(order) != 1) > 50


def test_a_batch_of_series_as_long_as_each_other_holds_whole_items() -> None:
    generator = np.random.default_rng(3)
    items = np.repeat(np.arange(100), 8)
    rows = in_random_order(np.arange(800), generator, items)
    batches = batches_of_similar_length(rows, np.full(800, 12), 12 * 40, generator)
    assert sorted(np.concatenate(batches).tolist()) == list(range(800))
    apart = sum(len(np.unique(items[batch])) for batch in batches) - 100
    assert apart <= len(batches)  # only an item at the edge of a batch is cut
