"""The stock run against demand: closed forms, stockpyl, and what must always hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from stockpyl.newsvendor import newsvendor_normal, newsvendor_poisson

from nestcast.data import Keys
from nestcast.errors import OptionError
from nestcast.seller import Stock, demand_paths, stock_outlook
from tests.seller.forecasts import forecast_of, rate_of, strata


def stock_for(forecast, on_hand, **more):
    size = len(forecast)
    full = {name: np.full(size, value, float) for name, value in more.items()}
    return Stock(forecast.keys, np.full(size, on_hand, float), **full)


def outlook(forecast, on_hand, service_level=0.95, is_count=True, **more):
    stock = stock_for(forecast, on_hand, **more)
    return stock_outlook(
        forecast, rate_of(forecast), stock, service_level=service_level, is_count=is_count
    )


@pytest.mark.parametrize(("mean", "holding", "shortage"), [(12, 1, 9), (3, 2, 5), (40, 0.2, 7)])
def test_order_up_to_is_the_newsvendors_quantity_for_poisson_demand(mean, holding, shortage):
    forecast = forecast_of(strata(stats.poisson(mean))[None, None])
    found = outlook(forecast, 2, holding_cost=holding, shortage_cost=shortage)
    best, _ = newsvendor_poisson(holding, shortage, mean)
    assert found.order_up_to[0] == best
    assert found.order_quantity[0] == best - 2


def test_order_up_to_is_the_newsvendors_quantity_for_normal_demand():
    # The newsboy of Snyder and Shen, Fundamentals of Supply Chain Theory, example 4.3.
    forecast = forecast_of(strata(stats.norm(50, 8))[None, None])
    found = outlook(forecast, 0, is_count=False, holding_cost=0.18, shortage_cost=0.70)
    best, _ = newsvendor_normal(0.18, 0.70, 50, 8)
    assert found.order_up_to[0] == pytest.approx(best, abs=0.05)


def test_costs_that_are_not_known_leave_the_service_level():
    forecast = forecast_of(strata(stats.poisson(12))[None, None])
    found = outlook(forecast, 0, 0.9, holding_cost=np.nan, shortage_cost=5)
    assert found.order_up_to[0] == stats.poisson.ppf(0.9, 12)


@pytest.mark.parametrize("on_hand", [0, 5, 12, 30])
def test_lost_sales_and_stock_left_are_the_loss_functions(on_hand):
    forecast = forecast_of(strata(stats.poisson(12), 20_000)[None, None])
    found = outlook(forecast, on_hand)
    k = np.arange(200)
    chance = stats.poisson.pmf(k, 12)
    assert found.lost_sales[0] == pytest.approx(chance @ np.maximum(k - on_hand, 0), abs=0.01)
    assert found.ending_mean[0] == pytest.approx(chance @ np.maximum(on_hand - k, 0), abs=0.01)
    assert found.stock_out_probability[0] == pytest.approx(stats.poisson.sf(on_hand, 12), abs=1e-3)


def test_reorder_point_is_the_quantile_of_poisson_demand_over_the_lead_time():
    # A third of the days of January is a third of a Poisson month: Poisson of 31 x 10 / 31.
    rng = np.random.default_rng(0)
    forecast = forecast_of(rng.poisson(31, (1, 1, 40_000)))
    found = outlook(forecast, 100, lead_time_days=10)
    assert found.reorder_point[0] == stats.poisson.ppf(0.95, 10)
    assert found.safety_stock[0] == pytest.approx(found.reorder_point[0] - 10, abs=0.1)


def test_reorder_point_is_of_the_sum_and_not_the_sum_of_quantiles():
    # Two months that are independent: the textbook's z sigma sqrt(L) above the mean.
    rng = np.random.default_rng(0)
    forecast = forecast_of(rng.normal(1000, 100, (1, 2, 100_000)))
    found = outlook(forecast, 3000, is_count=False, lead_time_days=59)
    wanted = 2000 + stats.norm.ppf(0.95) * 100 * np.sqrt(2)
    assert found.reorder_point[0] == pytest.approx(wanted, abs=3)
    sum_of_quantiles = 2 * stats.norm.ppf(0.95, 1000, 100)
    assert found.reorder_point[0] < sum_of_quantiles - 50


def test_a_lead_time_beyond_the_forecast_has_no_reorder_point():
    forecast = forecast_of(np.full((1, 1, 50), 31.0))
    found = outlook(forecast, 10, lead_time_days=32, on_order=500)
    assert np.isnan(found.reorder_point[0])
    assert np.isnan(found.safety_stock[0])
    assert found.lost_sales[0] == 21  # what comes afterwards does not help
    assert any("go beyond the forecast" in note for note in found.notes)


def test_without_lead_times_there_is_no_reorder_point_and_no_order_is_counted_on():
    forecast = forecast_of(np.full((1, 1, 50), 31.0))
    found = outlook(forecast, 10, on_order=500)
    assert found.reorder_point is None
    assert found.safety_stock is None
    assert found.lost_sales[0] == 21
    assert any("no lead time" in note for note in found.notes)
    assert "reorder_point" not in found.to_columns()


def test_what_comes_in_time_is_sold():
    forecast = forecast_of(np.full((1, 1, 50), 310.0))
    rate = rate_of(forecast)
    for lead, lost in ((0, 0), (10, 0), (20, 100), (30, 200)):
        # 10 a day, 100 on hand: from day 10 on nothing is there until the 300 come.
        stock = stock_for(forecast, 100, lead_time_days=lead, on_order=300)
        found = stock_outlook(forecast, rate, stock, is_count=False)
        assert found.lost_sales[0] == pytest.approx(lost, abs=1e-3)
        assert found.ending_mean[0] == pytest.approx(90 + lost, abs=1e-3)


def test_the_date_is_when_the_stock_is_over():
    forecast = forecast_of(np.full((1, 3, 50), 10_000.0))  # January to March 2026
    for on_hand, date in ((5000, "2026-01-16"), (10_000, "2026-02-01"), (24_999, "2026-03-16")):
        found = outlook(forecast, on_hand)
        assert found.stock_out_date[0] == np.datetime64(date)
    found = outlook(forecast, 30_000)  # exactly enough
    assert found.stock_out_probability[0] == 0
    assert np.isnat(found.stock_out_date[0])


def test_an_amount_is_over_when_its_share_is():
    forecast = forecast_of(np.full((1, 1, 50), 1.0))  # a ton a month, not a unit
    for on_hand, date in ((0, "2026-01-01"), (0.5, "2026-01-16")):
        found = outlook(forecast, on_hand, is_count=False)
        assert found.stock_out_date[0] == np.datetime64(date)


def test_days_of_supply_are_infinite_where_nothing_sells():
    forecast = forecast_of(np.stack([np.zeros((1, 50)), np.full((1, 50), 62.0)]))
    found = outlook(forecast, 8)
    assert found.days_of_supply.tolist() == [np.inf, 4.0]


def test_of_series_without_stock_nothing_is_said():
    forecast = forecast_of(np.full((3, 1, 20), 5.0))
    stock = Stock(Keys({"item_id": np.array([1])}), np.array([2.0]))
    found = stock_outlook(forecast, rate_of(forecast), stock)
    for name, values in found.to_columns().items():
        if values.dtype.kind == "f":
            assert np.isfinite(values).tolist() == [False, True, False], name
    assert np.isnat(found.stock_out_date).tolist() == [True, False, True]
    assert "1 of 3 series" in found.notes[0]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**31),
    st.integers(1, 4),
    st.floats(0, 60),
    st.integers(0, 80),
    st.integers(0, 40),
    st.one_of(st.none(), st.integers(0, 150)),
)
def test_what_always_holds(seed, horizon, mean, on_hand, on_order, lead):
    rng = np.random.default_rng(seed)
    paths = rng.poisson(mean * rng.gamma(2, 0.5, (3, horizon, 200)))
    forecast = forecast_of(paths)
    more = {} if lead is None else {"lead_time_days": lead}
    found = outlook(forecast, on_hand, on_order=on_order, **more)
    days = len(rate_of(forecast).days)
    comes = on_order if lead is not None and lead < days else 0
    sold = paths.sum(axis=1).mean(axis=1) - found.lost_sales
    # Conservation: what was there and came is what was sold and what is left.
    np.testing.assert_allclose(on_hand + comes, sold + found.ending_mean, rtol=1e-4, atol=1e-3)
    assert (np.diff(found.ending_quantiles, axis=1) >= 0).all()
    assert (found.lost_sales >= 0).all()
    assert ((found.stock_out_probability > 0) == (found.lost_sales > 0)).all()
    date = found.stock_out_date
    first, last = rate_of(forecast).days[[0, -1]]
    assert (np.isnat(date) | ((date >= first) & (date <= last))).all()
    # With more on hand, less is lost and more is left.
    more_stock = outlook(forecast, on_hand + 5, on_order=on_order, **more)
    assert (more_stock.lost_sales <= found.lost_sales + 1e-9).all()
    assert (more_stock.ending_mean >= found.ending_mean - 1e-9).all()
    assert (more_stock.order_quantity <= found.order_quantity).all()
    # For a higher service level more is kept.
    higher = outlook(forecast, on_hand, 0.99, on_order=on_order, **more)
    assert (higher.order_up_to >= found.order_up_to).all()
    if lead is not None and lead <= days:
        assert (higher.reorder_point >= found.reorder_point).all()
        longer = outlook(forecast, on_hand, on_order=on_order, lead_time_days=min(lead + 7, days))
        # Units are thinned anew, so that a longer lead time may need one or two less by chance.
        assert (longer.reorder_point >= found.reorder_point - 0.2 * found.reorder_point - 2).all()


def test_paths_from_quantiles_have_the_distribution():
    mean = np.array([0.05, 0.4, 3.0, 40.0, 400.0])
    variance = mean * np.array([1.0, 1.5, 3.0, 8.0, 30.0])
    size = mean**2 / np.maximum(variance - mean, 1e-9)
    exact = [
        stats.poisson(m) if v == m else stats.nbinom(n, m / v)
        for m, v, n in zip(mean, variance, size, strict=True)
    ]
    forecast = forecast_of(np.stack([strata(one, 50_000)[None] for one in exact]), (50, 80, 95))
    paths = demand_paths(
        forecast_of(forecast.samples, (50, 80, 95), with_samples=False), np.arange(5), paths=1000
    )[:, 0]
    assert (paths == np.rint(paths)).all()
    np.testing.assert_allclose(paths.mean(axis=1), mean, rtol=0.02, atol=0.01)
    for at, one in enumerate(exact):
        for level in (0.5, 0.9, 0.95):
            found, wanted = np.quantile(paths[at], level), one.ppf(level)
            assert abs(found - wanted) <= 1 + 0.06 * wanted, (at, level)


def test_paths_from_quantiles_hang_together_over_periods_as_stated():
    rng = np.random.default_rng(1)
    forecast = forecast_of(rng.normal(1000, 50, (1, 4, 4000)), with_samples=False)
    paths = demand_paths(forecast, np.array([0]), paths=4000)[0]
    correlation = np.corrcoef(paths)[np.triu_indices(4, 1)]
    np.testing.assert_allclose(correlation, 0.5, atol=0.05)
    np.testing.assert_array_equal(paths, demand_paths(forecast, np.array([0]), paths=4000)[0])
    found = outlook(forecast, 100)
    assert any("no sample paths" in note for note in found.notes)


def test_a_forecast_that_tells_no_spread_cannot_be_run_against_stock():
    forecast = forecast_of(np.full((1, 1, 9), 3.0), level=(), with_samples=False)
    with pytest.raises(OptionError, match="without intervals"):
        outlook(forecast, 3)


@pytest.mark.parametrize("level", [0, 1, 95])
def test_a_service_level_is_a_share(level):
    with pytest.raises(OptionError, match="between 0 and 1"):
        outlook(forecast_of(np.full((1, 1, 9), 3.0)), 3, level)
