import numpy as np
import pytest

from nestcast.data import Calendar, Keys, Panel
from nestcast.model.cells import every_combination, last_open, names_grid
from tests.panels import store


def test_a_grid_that_is_named_says_which_shops_are_open():
    panel = store()
    grid = every_combination(panel.keys)
    assert names_grid(grid, panel)
    assert names_grid(grid.take(grid["shop_id"] == 1), panel)
    assert not names_grid(panel.keys, panel)  # nobody named anything
    assert not names_grid(panel.keys.take(np.arange(0, len(panel), 2)), panel)  # no grid


def test_a_shop_is_closed_while_it_sells_nothing():
    target = np.array([[1, 0, 0, 2, 0], [0, 0, 0, 1, 0], [0, 3, 0, 0, 4]], np.float32)
    panel = Panel(
        Keys({"shop": np.array([7, 7, 9]), "item": np.array([1, 2, 1])}),
        Calendar("1mo", np.datetime64("2024-01-01"), 5),
        target,
        np.array([0, 3, 1], np.int32),
    )
    shop, latest = last_open(panel, "item")
    np.testing.assert_array_equal(shop, [0, 0, 1])
    np.testing.assert_array_equal(latest, [[-1, 0, 0, 0, 3, 3], [-1, -1, 1, 1, 1, 4]])


@pytest.mark.parametrize("period", [3, 9])
def test_when_a_shop_was_open_does_not_depend_on_what_follows(period):
    panel = store()
    panel.target[panel.keys["shop_id"] == 2, 5:8] = 0
    before = last_open(panel, "item_id")[1]
    panel.target[:, period:] = 0
    after = last_open(panel, "item_id")[1]
    np.testing.assert_array_equal(before[:, : period + 1], after[:, : period + 1])
    assert not np.array_equal(before, after)
