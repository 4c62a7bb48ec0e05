import numpy as np

from nestcast.model.cells import every_combination, names_grid
from tests.panels import store


def test_a_grid_that_is_named_says_which_shops_are_open():
    panel = store()
    grid = every_combination(panel.keys)
    assert names_grid(grid, panel)
    assert names_grid(grid.take(grid["shop_id"] == 1), panel)
    assert not names_grid(panel.keys, panel)  # nobody named anything
    assert not names_grid(panel.keys.take(np.arange(0, len(panel), 2)), panel)  # no grid
