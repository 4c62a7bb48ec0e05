"""Sales rates, profiles of days, prices and classes."""

from dataclasses import replace

import numpy as np
import pytest

from nestcast.data import Calendar, DailyTotals, Keys, read_panel
from nestcast.seller import (
    DayProfile,
    abc_classes,
    demand_patterns,
    learn_day_profile,
    life_cycles,
    sales_rate,
    sell_through_90_days,
    unit_prices,
)
from nestcast.seller.sellthrough import sold_in_90_days
from tests.panels import store, weekly
from tests.report.forecasts import guess
from tests.seller.forecasts import panel_of


def test_days_add_up_to_periods_and_shares_to_one():
    panel = store(months=30)
    forecast = guess(panel, 3)
    weekday = np.array([1, 1, 1, 1, 2, 3, 0.5])
    by = {"shop_id": (np.arange(2), np.array([[1, 1, 1, 1, 1, 1, 0.0], [1, 2, 1, 1, 1, 1, 1]]))}
    date = np.ones(366)
    date[1] = 3
    profile = DayProfile(weekday, date, by, panel.attributes)
    rate = sales_rate(forecast, panel, profile)
    daily = rate.daily()
    for step in range(3):
        inside = rate.period == step
        assert inside.sum() == forecast.calendar.days()[step]
        np.testing.assert_allclose(daily[:, inside].sum(axis=1), forecast.mean[:, step], rtol=1e-6)
        np.testing.assert_allclose(rate.share_of_day[:, inside].sum(axis=1), 1)
    np.testing.assert_allclose(
        (rate.per_day * forecast.calendar.days()).sum(axis=1), rate.total, rtol=1e-6
    )
    sundays = (rate.days.astype(int) + 3) % 7 == 6
    at_first = panel.keys["shop_id"] == 0
    assert (daily[at_first][:, sundays] == 0).all()
    assert (daily[~at_first][:, sundays] > 0).any()
    for name, share in rate.share_of.items():
        groups = {
            "all": np.zeros(len(panel), int),
            "shop_id": panel.keys["shop_id"],
            "item_category_id": panel.keys["item_id"] % 3,
        }[name]
        sums = np.bincount(groups, np.nan_to_num(share))
        np.testing.assert_allclose(sums[np.unique(groups)], 1)
    columns = rate.to_columns()
    assert len(columns["date"]) == len(panel) * len(rate.days)
    np.testing.assert_allclose(columns["units"].sum(), forecast.mean.sum(), rtol=1e-5)


def test_changes_are_against_the_same_number_of_periods():
    panel = store(months=30)
    rate = sales_rate(guess(panel, 3), panel)
    assert rate.last_period.sum() == panel.target[:, 27:30].sum()
    assert rate.last_year.sum() == panel.target[:, 18:21].sum()
    none = rate.last_period == 0
    assert np.isnan(rate.change_last_period[none]).all()
    change = rate.total[~none] / rate.last_period[~none] - 1
    np.testing.assert_allclose(rate.change_last_period[~none], change)


def test_a_past_that_is_too_short_is_not_known():
    panel = store(months=6)
    assert np.isnan(sales_rate(guess(panel), panel).last_year).all()
    assert np.isnan(sales_rate(guess(panel, 7), panel).last_period).all()


def test_series_without_a_row_sold_nothing_if_counted_and_else_are_unknown():
    panel = store()
    new = panel.keys.concat(Keys({"shop_id": np.array([99]), "item_id": np.array([100])}))
    assert sales_rate(guess(panel, keys=new), panel).last_period[-1] == 0
    panel = weekly()
    new = panel.keys.concat(Keys({"unique_id": np.array(["new"])}))
    assert np.isnan(sales_rate(guess(panel, keys=new), panel).last_period[-1])


@pytest.mark.parametrize("seed", range(3))
def test_the_profile_of_days_is_found_again(seed):
    rng = np.random.default_rng(seed)
    days = np.datetime64("2022-01-01") + np.arange(1096)
    truth = np.array([0.85, 0.95, 0.85, 0.9, 1.1, 1.35, 1.1])
    holiday = (days.astype("M8[M]").astype(int) % 12 == 11) & (
        (days - days.astype("M8[M]")).astype(int) == 23
    )
    mean = 40 * truth[(days.astype(int) + 3) % 7] * np.where(holiday, 4, 1)
    daily = DailyTotals(days[0], rng.poisson(mean).astype(float))
    calendar = Calendar("1mo", days[0], 36)
    panel = replace(panel_of(1), calendar=calendar, target=np.zeros((1, 36), np.float32))
    found = learn_day_profile(replace(panel, daily=daily))
    np.testing.assert_allclose(found.weekday, truth / truth.mean(), atol=0.05)
    christmas = int((np.datetime64("2000-12-24") - np.datetime64("2000-01-01")).astype(int))
    assert found.date[christmas] == pytest.approx(4, rel=0.3)
    others = np.delete(found.date, christmas)
    assert np.abs(others - 1).max() < 0.35  # noise is shrunk
    assert others.std() < 0.1


def test_a_launch_of_one_year_is_no_holiday():
    days = np.datetime64("2022-01-01") + np.arange(1096)
    sold = np.random.default_rng(0).poisson(400, 1096).astype(float)
    sold[days == np.datetime64("2023-05-19")] *= 6
    sold[(days.astype("M8[M]").astype(int) % 12 == 0) & (days == days.astype("M8[M]"))] *= 0.1
    calendar = Calendar("1mo", days[0], 36)
    panel = replace(panel_of(1), calendar=calendar, target=np.zeros((1, 36), np.float32))
    found = learn_day_profile(replace(panel, daily=DailyTotals(days[0], sold)))
    launch = int((np.datetime64("2000-05-19") - np.datetime64("2000-01-01")).astype(int))
    assert found.date[launch] < 1.2
    assert found.date[0] < 0.9  # closed on the first of each January
    assert found.date[0] == found.date.min()


def test_a_date_seen_once_is_as_its_weekday():
    days = np.datetime64("2022-01-01") + np.arange(
        546
    )  # 18 months: half of the dates are seen once
    sold = np.random.default_rng(0).poisson(400, 546).astype(float)
    sold[days == np.datetime64("2022-11-11")] *= 6
    calendar = Calendar("1mo", days[0], 18)
    panel = replace(panel_of(1), calendar=calendar, target=np.zeros((1, 18), np.float32))
    found = learn_day_profile(replace(panel, daily=DailyTotals(days[0], sold)))
    once = np.arange(np.datetime64("2000-07-01"), np.datetime64("2001-01-01"))
    assert (found.date[(once - np.datetime64("2000-01-01")).astype(int)] == 1).all()


def test_months_have_no_profile_of_days():
    assert learn_day_profile(store()) is None


def test_real_shops_sell_more_at_weekends_and_days_add_up(shared_data):
    panel = read_panel(shared_data("1c_daily"))
    profile = learn_day_profile(panel)
    assert profile.weekday[5] > profile.weekday[:4].max()
    rate = sales_rate(guess(panel), panel, profile)
    np.testing.assert_allclose(rate.share_of_day.sum(axis=1), 1)
    np.testing.assert_allclose(rate.daily().sum(axis=1), rate.total, rtol=1e-6)
    by = panel.daily.by
    for _, totals in by.values():
        np.testing.assert_allclose(totals.sum(axis=0), panel.daily.overall)
    assert panel.daily.overall.sum() == panel.target.sum(dtype=float)


def test_prices_are_the_last_ones_known():
    nan = np.nan
    sold = np.ones((4, 24))
    prices = np.full((4, 24), nan, np.float32)
    prices[0, 3], prices[0, 20], prices[1, 5], prices[2, 7] = 10, 12, 8, 4
    panel = panel_of(4, sold, observed={"price": prices}, price_name="price")
    panel = replace(
        panel, keys=Keys({"shop_id": np.array([1, 2, 1, 1]), "item_id": np.array([7, 7, 8, 9])})
    )
    asked = Keys({"shop_id": np.array([2, 3, 3, 1, 1]), "item_id": np.array([7, 7, 8, 9, 5])})
    assert unit_prices(panel, asked).tolist() == pytest.approx([8, 12, 4, nan, nan], nan_ok=True)
    assert unit_prices(replace(panel, price_name=None), asked) is None


def test_abc_is_by_value_of_the_item():
    values = np.array([50, 30, 15, 4, 1, 0])
    assert "".join(abc_classes(values)) == "AABCCC"
    order = np.random.default_rng(0).permutation(6)
    assert "".join(abc_classes(values[order])) == "".join(np.array(list("AABCCC"))[order])
    # Two shops: together the first item is the largest.
    assert "".join(abc_classes([60, 70, 500], np.array([0, 1, 0]))) == "ABA"
    assert "".join(abc_classes([0, 0])) == "CC"
    assert "".join(abc_classes([5, np.nan])) == "AC"


def test_classes_hold_the_shares_they_promise():
    values = np.random.default_rng(0).lognormal(0, 2, 5000)
    classes = abc_classes(values)
    for most, wanted in ((["A"], 0.80), (["A", "B"], 0.95)):
        inside = np.isin(classes, most)
        share = values[inside].sum() / values.sum()
        assert wanted <= share < wanted + values[inside].min() / values.sum() + 1e-9


def test_demand_patterns_are_by_interval_and_variation():
    every = np.tile([2.0, 3], 12)
    every_other = np.where(np.arange(24) % 2, 0, 2.0)
    lumpy = np.where(np.arange(24) % 3 == 0, [1, 0, 0, 30, 0, 0] * 4, 0)
    erratic = np.tile([1.0, 1, 1, 12], 6)
    panel = panel_of(5, [every, erratic, every_other, lumpy, -np.ones(24)])
    assert demand_patterns(panel, panel.keys).tolist() == [
        "smooth", "erratic", "intermittent", "lumpy", "none",
    ]  # fmt: skip
    # The interval counts from the first row: what began late was not intermittent before.
    late = replace(panel_of(1, [[0] * 20 + [2, 3, 2, 2]]), start=np.array([20], np.int32))
    assert demand_patterns(late, late.keys).tolist() == ["smooth"]


def test_life_cycles_are_of_items_and_not_of_chance():
    sold = np.full((6, 24), 10.0)
    sold[1, 21:] = 30  # three times the quarter a year ago
    sold[2, 21:] = 3
    sold[3, 18:] = 0
    sold[4, :21] = 0
    sold[5] = np.where(np.arange(24) < 21, 1, 2)  # twice as much, and 6 instead of 3: chance
    panel = panel_of(6, sold)
    panel = replace(panel, start=np.array([0, 0, 0, 0, 21, 0], np.int32))
    asked = Keys({"item_id": np.arange(7)})
    assert life_cycles(panel, asked).tolist() == [
        "steady", "growing", "declining", "ended", "new", "steady", "new",
    ]  # fmt: skip
    # A season that comes every year is no growth.
    seasonal = panel_of(1, np.where(np.arange(24) % 12 >= 9, 90.0, 10.0)[None])
    assert life_cycles(seasonal, seasonal.keys).tolist() == ["steady"]


def test_90_days_are_a_quarter():
    panel = panel_of(1, np.full((1, 24), 30.0))
    sold = sold_in_90_days(panel, panel.keys)
    assert sold[0] == pytest.approx(90 * 90 / 92)  # October to December have 92 days
    assert sell_through_90_days(sold, [30])[0] > 1
