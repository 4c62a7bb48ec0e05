"""Totals by day, and the price's name, that a panel of longer periods keeps."""

import numpy as np
import pyarrow as pa
import pytest

from nestcast.data import read_panel
from nestcast.data.simulate import simulate_sales


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("daily") / "chain"
    simulate_sales(folder, shops=4, items=120, months=14, seed=5)
    return folder


def by_period(panel, totals):
    period = panel.calendar.index_of(panel.daily.days())
    return np.stack([np.bincount(period, row) for row in np.atleast_2d(totals)])


def test_days_add_up_to_the_periods_of_the_panel(chain):
    panel = read_panel(chain)
    daily = panel.daily
    assert daily.days()[[0, -1]].tolist() == [
        panel.calendar.starts()[0].tolist(),
        panel.calendar.ends()[-1].tolist(),
    ]
    np.testing.assert_array_equal(by_period(panel, daily.overall)[0], panel.target.sum(axis=0))
    assert list(daily.by) == ["shop_id", "item_id", "item_category_id"]
    items = panel.attributes["item_id"]
    category = items.columns["item_category_id"][items.positions(panel.keys["item_id"])]
    for name, column in {**panel.keys.columns, "item_category_id": category}.items():
        values, totals = daily.by[name]
        expected = np.stack([panel.target[column == value].sum(axis=0) for value in values])
        np.testing.assert_array_equal(by_period(panel, totals), expected)


def test_what_was_known_earlier_ends_earlier(chain):
    panel = read_panel(chain).until(6)
    assert len(panel.daily.overall) == panel.calendar.days().sum() == 181
    assert {totals.shape[1] for _, totals in panel.daily.by.values()} == {181}
    np.testing.assert_array_equal(
        by_period(panel, panel.daily.overall)[0], panel.target.sum(axis=0)
    )


def test_totals_do_not_depend_on_threads_or_the_order_of_rows():
    rng = np.random.default_rng(0)
    days = np.datetime64("2024-01-01") + rng.integers(0, 120, 3000)
    frame = pa.table({"unique_id": rng.integers(0, 9, 3000), "ds": days, "y": rng.random(3000)})
    one = read_panel(frame, freq="1w", threads=1).daily
    other = read_panel(frame.take(rng.permutation(3000)), freq="1w", threads=3).daily
    np.testing.assert_array_equal(one.overall, other.overall)
    np.testing.assert_array_equal(one.by["unique_id"][1], other.by["unique_id"][1])


@pytest.mark.parametrize("step", [7, 14, 30])
def test_rows_stamped_by_longer_periods_have_no_days(step):
    days = np.datetime64("2024-01-01") + np.arange(0, 360, step)
    frame = pa.table({"unique_id": np.ones(len(days), int), "ds": days, "y": days.astype(int)})
    assert read_panel(frame, freq="1mo").daily is None


def test_periods_of_a_day_need_no_totals_by_day():
    days = np.datetime64("2024-01-01") + np.arange(60)
    frame = pa.table({"unique_id": np.ones(60, int), "ds": days, "y": np.ones(60)})
    assert read_panel(frame, freq="1d").daily is None
    assert read_panel(frame, freq="1w").daily is not None


def test_the_price_is_found_by_its_name(chain):
    panel = read_panel(chain)
    assert panel.price_name == "item_price"
    assert (panel.observed[panel.price_name][panel.target > 0] > 0).all()
    frame = pa.table({"id": [1, 2], "day": ["2024-01-01", "2024-02-01"], "n": [3, 4], "p": [9, 8]})
    columns = {"time": "day", "series": "id", "target": "n", "freq": "1mo"}
    assert read_panel(frame, **columns).price_name is None
    priced = read_panel(frame, **columns, price="p")
    assert priced.price_name == "p"
    np.testing.assert_array_equal(np.diagonal(priced.observed["p"]), [9, 8])
