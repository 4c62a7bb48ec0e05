"""What to act on first: the score, its parts, and the reasons."""

from dataclasses import replace

import numpy as np
import pytest

from nestcast.data import Keys
from nestcast.forecast import Forecast
from nestcast.seller import Stock, rank, what_if
from tests.panels import store
from tests.report.forecasts import guess, named_store
from tests.seller.forecasts import forecast_of, panel_of


def priced(panel, price=10.0):
    prices = np.full(panel.target.shape, price, np.float32)
    return replace(panel, observed={"price": prices}, price_name="price")


def test_the_score_is_the_sum_of_its_parts_and_never_negative():
    panel = priced(named_store(months=30))
    stock = Stock(panel.keys, np.random.default_rng(0).poisson(20, len(panel)).astype(float))
    for given in (None, stock):
        found = rank(guess(panel), panel, given)
        np.testing.assert_allclose(found.priority, np.sum(list(found.parts.values()), axis=0))
        assert all((part >= 0).all() for part in found.parts.values())
        ordered = found.priority[found.order]
        assert (np.diff(ordered) <= 0).all()
        assert sorted(found.order.tolist()) == list(range(len(panel)))


def test_what_is_written_is_what_was_computed():
    panel = priced(named_store(months=30))
    stock = Stock(panel.keys, np.full(len(panel), 3.0))
    found = rank(guess(panel), panel, stock)
    table = found.to_columns()
    lengths = {len(values) for values in table.values()}
    assert lengths == {len(panel)}
    at = Keys({name: table[name] for name in panel.keys.names}).locate(panel.keys)
    np.testing.assert_allclose(table["priority"][at], found.priority, rtol=1e-6)
    assert table["why"][at].tolist() == list(found.why)
    np.testing.assert_allclose(table["lost_sales"][at], found.stock.lost_sales, rtol=1e-6)
    item = panel.attributes["item_id"]
    names = item.columns["item_name"][item.positions(table["item_id"])]
    assert (table["item_name"] == names).all()


def test_without_stock_nothing_is_invented():
    panel = store()
    found = rank(guess(panel), panel)
    assert found.stock is None
    assert not {"lost sales", "overstock"} & set(found.parts)
    written = set(found.to_columns())
    assert not any("stock" in name or "order" in name or "supply" in name for name in written)
    assert not any("hand" in why for why in found.why)
    (note,) = [one for one in found.notes if "none was given" in one]
    assert all(name in note for name in ("shop_id", "item_id", "on_hand", "lead_time_days"))


def test_without_prices_units_are_at_stake():
    panel = store()
    found = rank(guess(panel), panel)
    assert found.price is None
    np.testing.assert_array_equal(found.revenue, found.rate.total)
    assert "units at stake" in found.notes[0]
    assert not {"price", "revenue"} & set(found.to_columns())


def test_a_dearer_unit_counts_for_more():
    panel = store()
    stock = Stock(panel.keys, np.full(len(panel), 2.0))
    cheap, dear = (rank(guess(panel), priced(panel, price), stock) for price in (1.0, 7.0))
    np.testing.assert_allclose(dear.priority, 7 * cheap.priority)


def test_without_prices_a_cost_does_not_mix_with_units():
    panel = store()
    stock = Stock(panel.keys, np.full(len(panel), 500.0))
    cost = replace(stock, unit_cost=np.full(len(panel), 700.0))
    units, mixed = (rank(guess(panel), panel, one) for one in (stock, cost))
    np.testing.assert_array_equal(units.priority, mixed.priority)
    assert rank(guess(panel), priced(panel), cost).priority.sum() > 10 * units.priority.sum()


def reason(sold, mean, on_hand=None, **more):
    """Why one item is where it is, of which each month sells what is given."""
    panel = panel_of(1, np.full((1, 24), sold))
    forecast = forecast_of(np.full((1, 1, 20), mean))
    stock = None
    if on_hand is not None:
        more = {name: np.array([value], float) for name, value in more.items()}
        stock = Stock(panel.keys, np.array([on_hand], float), **more)
    found = rank(forecast, panel, stock)
    return found.why[0], max(found.parts, key=lambda name: found.parts[name][0])


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ((62, 62), ("62 expected, 2 a day", "size")),
        ((20, 62), ("rises from 20 to 62, 2 a day", "change")),
        ((620, 62), ("falls from 620 to 62, 2 a day", "change")),
        ((62, 62, 24), ("sells out around 13 Jan: 24 on hand, 2 a day", "lost sales")),
        ((62, 62, 0), ("out of stock: none on hand, 2 a day", "lost sales")),
        ((62, 62, 800), ("lasts 400 days: 800 on hand, 2 a day", "overstock")),
        ((0, 0, 5), ("hardly sells: 5 on hand, 0 a day", "overstock")),
        ((62, 62, 70), ("62 expected, 2 a day: 70 on hand", "size")),
        ((0, 0), ("0 expected, 0 a day", "change")),  # nothing is at stake
    ],
)
def test_reasons_say_what_matters_most(given, why):
    assert reason(*given) == why


def test_what_is_on_order_is_told():
    why, _ = reason(62, 62, 0, on_order=9, lead_time_days=20)
    assert why == "out of stock: none on hand, 9 on order, 2 a day"


def test_a_chance_is_told_as_one():
    panel = panel_of(1, np.full((1, 24), 31.0))
    paths = np.where(np.arange(100) < 30, 60.0, 31.0)[None, None]
    found = rank(forecast_of(paths), panel, Stock(panel.keys, np.array([45.0])))
    assert found.why[0].startswith("may sell out (30%): 45 on hand")


def test_chance_alone_is_no_change():
    # 8 after 2 is within two standard deviations of two Poisson counts, 80 after 20 is not.
    assert reason(2, 8)[1] == "size"
    assert reason(20, 80)[1] == "change"


def test_shares_of_items_and_of_all_are_of_what_is_expected():
    panel = store()
    found = rank(guess(panel), panel)
    assert found.rate.share_of["all"].sum() == pytest.approx(1)


def test_a_clipped_forecast_is_compared_with_a_clipped_past():
    panel = panel_of(1, np.full((1, 24), 473.0))
    stock = Stock(panel.keys, np.array([30.0]))
    found = rank(forecast_of(np.full((1, 1, 20), 20.0)), panel, stock, clip=(0, 20))
    assert found.parts["change"][0] == 0
    assert found.rate.last_period[0] == 20
    assert any("clipped to 0 to 20" in note for note in found.notes)


def by_price(slope):
    def predict(panel):
        price = panel.observed["price"][:, -1:]
        mean = np.float32(20 + slope * np.nan_to_num(price))
        return Forecast(panel.keys, panel.calendar.after(1), mean, np.array([0.5]), mean[..., None])

    return predict


def test_what_if_changes_one_items_price_and_nothing_else():
    panel = store()
    prices = np.full(panel.target.shape, 8.0, np.float32)
    prices[:, -1] = np.nan
    prices[:, 3] = 5
    panel = replace(panel, observed={"price": prices}, price_name="price")
    item = panel.keys["item_id"][0]
    found = what_if(by_price(-1), panel, item, 6)
    of_item = panel.keys["item_id"] == item
    np.testing.assert_array_equal(found.after.mean[of_item, 0], 14)
    np.testing.assert_array_equal(found.before.mean[of_item, 0], 12)  # at the last price, 8
    np.testing.assert_array_equal(found.after.mean[~of_item], found.before.mean[~of_item])
    assert (found.now, found.seen, found.is_outside) == (8, (5, 8), False)
    assert "not what a change of price would do" in found.text
    assert "Beware" not in found.text
    assert np.isnan(panel.observed["price"][:, -1]).all()  # the rows are as they were
    outside = what_if(by_price(-1), panel, item, 9)
    assert outside.is_outside
    assert "prices seen so far are 5 to 8" in outside.text


def test_what_if_of_a_price_known_ahead_changes_the_periods_to_come():
    panel = store()
    known = np.full((len(panel), len(panel.calendar) + 2), 8.0, np.float32)
    panel = replace(panel, known={"tag": known})

    def predict(panel):
        mean = panel.known["tag"][:, len(panel.calendar) :][:, :2]
        return Forecast(panel.keys, panel.calendar.after(2), mean, np.array([0.5]), mean[..., None])

    item = panel.keys["item_id"][0]
    found = what_if(predict, panel, item, 3, covariate="tag")
    of_item = panel.keys["item_id"] == item
    assert (found.after.mean[of_item] == 3).all()
    assert (found.before.mean == 8).all()


def test_a_model_that_ignores_prices_is_told_as_such():
    panel = priced(store())
    found = what_if(by_price(0), panel, panel.keys["item_id"][0], 3)
    assert not found.uses_prices
    assert "does not use prices" in found.text


def test_the_price_that_it_has_is_no_question():
    panel = priced(store())
    found = what_if(by_price(-1), panel, panel.keys["item_id"][0], 10)
    assert "10 is the last price itself" in found.text


@pytest.mark.parametrize(
    ("item", "price", "said"),
    [(100, -1, "above 0"), (100, np.nan, "above 0"), (7, 3, "item_id 7 has no row")],
)
def test_what_if_questions_that_make_no_sense(item, price, said):
    panel = priced(store())
    with pytest.raises(Exception, match=said):
        what_if(by_price(1), panel, item, price)


def test_what_if_needs_prices():
    with pytest.raises(Exception, match="no prices were read"):
        what_if(by_price(1), store(), 100, 3)
