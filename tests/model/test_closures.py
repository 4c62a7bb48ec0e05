import numpy as np
import pytest

from nestcast.data import Calendar, Keys, Panel
from nestcast.model.closures import Closures


def fair(months=40, opens=(6, 18, 30), lasts=2):
    """A shop of two items that opens for two months of the year, and one that is always open."""
    target = np.zeros((4, months), np.float32)
    for month in opens:
        target[0, month : month + lasts] = 5
    target[1, [*opens]] = 1  # sells in the first month only
    target[2:] = 3
    return Panel(
        Keys({"shop": np.array([7, 7, 9, 9]), "item": np.array([1, 2, 1, 2])}),
        Calendar("1mo", np.datetime64("2022-01-01"), months),
        target,
        np.array([6, 6, 0, 0], np.int32),
    )


def test_a_shop_that_opened_a_season_ago_opens_again():
    panel = fair()
    found = Closures.of(panel, "item")
    np.testing.assert_array_equal(found.shop, [0, 0, 1, 1])
    never = 41
    expected = np.full(41, never)
    expected[9:19], expected[21:31] = 18, 30  # from when it was closed for a whole month
    np.testing.assert_array_equal(found.opens, [expected, np.full(41, never)])
    assert (found.closed[0, 8:19] == 8).all()
    assert (found.closed[0, 20:31] == 20).all()
    ahead = Closures.of(panel.until(30), "item")
    assert ahead.opens[0, 30] == 30  # in the month to forecast, too


def test_a_shop_that_closed_for_good_does_not_open_again():
    panel = fair(opens=(0,), lasts=20)  # open when the data begin: nobody knows since when
    assert (Closures.of(panel, "item").opens == 41).all()


@pytest.mark.parametrize("months", [1, 2, 11, 12, 13, 14])
def test_what_has_no_season_behind_it_is_not_known_to_open(months):
    panel = fair(months, opens=(0,), lasts=1)
    assert (Closures.of(panel, "item").opens == months + 1).all()


@pytest.mark.parametrize("period", [10, 18, 25])
def test_when_a_shop_was_open_does_not_depend_on_what_follows(period):
    panel = fair()
    before = Closures.of(panel, "item")
    panel.target[:, period:] = 1 - panel.target[:, period:].clip(0, 1)
    after = Closures.of(panel, "item")
    until = slice(None), slice(period + 1)
    np.testing.assert_array_equal(before.closed[until], after.closed[until])
    # What has opened by then is the same; what will may not be.
    np.testing.assert_array_equal(before.opens[until] <= period, after.opens[until] <= period)
    assert not np.array_equal(before.opens, after.opens)
