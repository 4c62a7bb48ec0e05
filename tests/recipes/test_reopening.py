"""Shops that open now and then: who names one asks what it will sell, not whether it is open."""

import numpy as np
import pytest

from nestcast import Forecaster, Keys, Panel
from nestcast.data import Calendar
from nestcast.model.cells import every_combination

SHOPS, ITEMS, MONTHS = 8, 30, 30
FAIR = 7  # open in one month of the year
OPEN = (6, 18)  # the next is the month after the last one
GONE = 6  # closed for good
LAST = 17
RATE = 2.0


@pytest.fixture(scope="module")
def panel():
    rng = np.random.default_rng(0)
    shop, item = np.divmod(np.arange(SHOPS * ITEMS), ITEMS)
    target = rng.poisson(RATE, (len(shop), MONTHS)).astype(np.float32)
    closed = ~np.isin(np.arange(MONTHS), OPEN)
    target[np.ix_(shop == FAIR, closed)] = 0
    target[np.ix_(shop == GONE, np.arange(MONTHS) > LAST)] = 0
    start = np.where(shop == FAIR, OPEN[0], 0).astype(np.int32)
    keys = Keys({"shop_id": shop, "item_id": item})
    made = Panel(keys, Calendar("1mo", np.datetime64("2022-01-01"), MONTHS), target, start)
    return made.take(np.arange(len(shop)) % 11 > 0)  # some pairs never sold


def forecast(panel, asked):
    made = Forecaster(1, effort="quick", seed=0).fit(panel, asked).predict()
    return [float(made.mean[made.keys["shop_id"] == shop].mean()) for shop in range(SHOPS)]


def test_a_shop_that_is_named_is_forecast_as_it_sold_when_it_was_open(panel):
    named = forecast(panel, every_combination(panel.keys))
    del named[GONE]
    assert all(0.6 * RATE < one < 1.4 * RATE for one in named), named


def test_a_shop_on_record_that_sells_nothing_is_forecast_to_go_on_so(panel):
    recorded = forecast(panel, panel.keys)
    assert recorded[GONE] < 0.1 * RATE, recorded
    assert all(0.6 * RATE < one < 1.4 * RATE for one in recorded[:GONE]), recorded
