import numpy as np

from nestcast.data import Calendar, Keys, Panel
from nestcast.model.population import from_listing, with_series
from tests.panels import store, weekly


def test_series_asked_for_are_found_or_added_once():
    panel = store()
    absent = Keys({"shop_id": np.array([9, 9, 0]), "item_id": np.array([100, 100, 777])})
    asked = panel.keys.take(np.array([3, 0])).concat(absent)
    extended, rows = with_series(panel, asked)
    assert len(extended) == len(panel) + 2
    np.testing.assert_array_equal(rows[:2], [3, 0])
    assert rows[2] == rows[3] == len(panel)
    assert extended.target[len(panel) :].sum() == 0
    assert (extended.start[len(panel) :] == len(panel.calendar)).all()
    for name in asked.names:
        np.testing.assert_array_equal(extended.keys[name][rows], asked[name])


def test_nothing_is_added_when_all_are_there():
    panel = store()
    same, rows = with_series(panel, panel.keys)
    assert same is panel
    np.testing.assert_array_equal(rows, np.arange(len(panel)))


def test_a_pair_begins_when_both_its_shop_and_its_item_were_seen():
    panel = Panel(
        Keys({"shop": np.array([1, 1, 2, 2]), "item": np.array([10, 11, 10, 11])}),
        Calendar("1mo", np.datetime64("2024-01-01"), 6),
        np.zeros((4, 6), np.float32),
        np.array([0, 4, 2, 5], np.int32),
    )
    listed = from_listing(panel)
    # shop 1 opens in 0, shop 2 in 2; item 10 appears in 0, item 11 in 4
    np.testing.assert_array_equal(listed.start, [0, 4, 2, 4])


def test_missing_values_before_the_first_row_of_real_targets_are_not_facts():
    panel = weekly(series=2)
    both = Panel(
        Keys({"a": np.array([1, 2]), "b": np.array([1, 1])}),
        panel.calendar,
        panel.target,
        np.array([0, 30], np.int32),
        is_count=False,
    )
    assert np.isnan(from_listing(both).target[1, :30]).all()


def test_one_key_column_keeps_its_starts():
    panel = weekly()
    assert from_listing(panel) is panel
