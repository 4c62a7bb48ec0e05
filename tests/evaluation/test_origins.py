"""What is known and asked at each origin, and the kinds of series there."""

import numpy as np
import pytest

from nestcast.data import Keys
from nestcast.data.keys import item_column
from nestcast.errors import DataError, OptionError
from nestcast.evaluation.origins import rolling_origins
from nestcast.evaluation.segments import NEWNESS, VOLUMES, newness, volume
from tests.panels import store, weekly


def pairs_of(keys):
    return set(zip(*(keys[name].tolist() for name in keys.names), strict=True))


def test_origins_end_with_the_data_and_know_only_what_was_before():
    panel = store(months=18)
    made = list(rolling_origins(panel, 3, 2, step=4))
    assert [origin.length for origin in made] == [8, 12, 16]
    for origin in made:
        assert origin.known.calendar == panel.calendar.head(origin.length)
        assert origin.known.target.shape[1] == origin.length
        assert (origin.known.start < origin.length).all()
        assert origin.actual.shape == (len(origin.asked), 2)
        assert str(origin.date) == str(panel.calendar.labels()[origin.length])


def test_the_grid_is_every_shop_and_item_that_sell_in_the_periods_forecast():
    panel = store(shops=5, items=9)
    for origin in rolling_origins(panel, 2, 2):
        sells = panel.target[:, origin.length : origin.length + 2].any(axis=1)
        shops, items = (set(panel.keys[n][sells].tolist()) for n in ("shop_id", "item_id"))
        assert pairs_of(origin.asked) == {(shop, item) for shop in shops for item in items}
        at = panel.keys.locate(origin.asked)
        truth = panel.target[at, origin.length : origin.length + 2]
        np.testing.assert_array_equal(origin.actual, np.where(at[:, None] < 0, 0, truth))
        assert (at < 0).any()


def test_known_series_are_those_that_have_begun():
    panel = weekly()
    panel.start[0] = 58
    first, last = rolling_origins(panel, 2, 1, step=3)
    assert (len(first.asked), len(last.asked)) == (4, 5)
    assert "s0" not in first.asked["unique_id"]
    np.testing.assert_array_equal(last.actual[:, 0], panel.target[:, 59])


def test_given_pairs_are_asked_for_when_their_values_have_been_seen():
    panel = store(months=18)
    panel.start[panel.keys["item_id"] == 103] = 16
    panel.target[panel.keys["item_id"] == 103, :16] = 0
    given = Keys(
        {"shop_id": np.array([0, 0, 0, 0, 77]), "item_id": np.array([103, 101, 101, 5, 101])}
    )
    before, at = rolling_origins(panel, 3, ask=given, step=1), 16
    made = {origin.length: pairs_of(origin.asked) for origin in before}
    assert made[15] == {(0, 101)}
    assert made[at] == made[17] == {(0, 101), (0, 103)}


def test_clipping_is_of_what_is_known_and_of_the_truth():
    panel = store()
    panel.target[:, ::3] *= -1
    origin = next(iter(rolling_origins(panel, 3, clip=(1, 3))))
    assert origin.known.target.min() == 1
    assert {origin.actual.min(), origin.actual.max()} <= {1, 3}
    origin = next(iter(rolling_origins(panel, 3)))
    assert origin.length % 3 == 0
    assert origin.known.target.min() == 0  # as models see counts
    assert origin.actual.min() < 0  # the truth stays


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"origins": 0}, "1 or more for origins"),
        ({"horizon": 0}, "1 or more for horizon"),
        ({"step": 0}, "1 or more for step"),
        ({"origins": 17}, "need 19 periods or more; the data have 18"),
        ({"ask": "all"}, "grid, known, or keys"),
    ],
)
def test_mistakes_say_what_to_do(arguments, message):
    with pytest.raises(OptionError, match=message):
        list(rolling_origins(store(months=18), **arguments))


def test_nothing_to_ask_for_is_an_error():
    panel = store()
    panel.target[:, -1] = 0
    with pytest.raises(DataError, match="nothing to forecast at 2023-06"):
        list(rolling_origins(panel, 1))


def test_newness_is_of_the_pair_then_of_the_item():
    known = store().until(10)
    seen = known.keys.take(np.array([0]))
    shop, item = seen["shop_id"][0], seen["item_id"][0]
    asked = Keys({"shop_id": np.array([shop, 99, 99]), "item_id": np.array([item, item, 999])})
    codes = newness(known, asked, "item_id")
    assert [NEWNESS[code] for code in codes] == ["pair known", "pair new", "item new"]


def test_volume_is_of_the_last_year_in_three_equal_classes():
    panel = store(shops=6, items=20, months=30)
    panel.target[0, 18:] = 0
    codes = volume(panel, panel.keys)
    assert VOLUMES[codes[0]] == "volume none"
    sizes = np.bincount(codes, minlength=4)[1:]
    assert np.ptp(sizes) <= 0.1 * sizes.sum()
    mean = panel.target[:, 18:].mean(axis=1)
    for low, high in ((1, 2), (2, 3)):
        assert mean[codes == low].max() <= mean[codes == high].min()
    absent = Keys({"shop_id": np.array([99]), "item_id": np.array([1])})
    assert VOLUMES[volume(panel, absent)[0]] == "volume none"


def test_the_item_is_the_column_named_so_or_the_one_with_most_values():
    assert item_column(store(shops=20, items=3).keys) == "item_id"
    assert item_column(store().keys, "shop_id") == "shop_id"
    with pytest.raises(OptionError, match="shop_id, item_id"):
        item_column(store().keys, "city")
