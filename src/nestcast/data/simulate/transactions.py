"""What is sold day by day: chance, promotions, prices, returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nestcast.data.simulate.store import Floats, Integers, Store

FIRST_MONTH = np.datetime64("2013-01")
_WEEKDAYS = np.array([0.85, 0.95, 0.85, 0.9, 1.1, 1.35, 1.1])  # Monday to Sunday
_ITEM_NOISE = 0.30  # spread of an item's month, shared by all shops
_CELL_SHAPE = 2.0  # of the gamma that spreads an item's month in one shop
_SHARE_ON_PROMOTION = 0.08
_PROMOTION_LIFT = 2.5
_SHARE_SEVERAL, _SHARE_BULK = 0.04, 0.0003  # of purchases: of more than one unit, of very many
_NO_FURTHER_UNIT, _NO_FURTHER_OF_BULK = 0.6, 0.04  # chance that there is no further unit
_UNITS_OF_A_PURCHASE = 1 + _SHARE_SEVERAL / _NO_FURTHER_UNIT + _SHARE_BULK / _NO_FURTHER_OF_BULK
_SHARE_RETURNED = 0.0025
_LONGEST_RETURN = 14  # days


@dataclass(frozen=True)
class Rows:
    """Daily rows: one for what a shop sold of an item on a day. Each field has shape (rows,)."""

    day: NDArray[np.datetime64]
    shop: Integers
    item: Integers
    price: Floats
    count: Integers

    def take(self, at: NDArray[np.bool_] | Integers) -> Rows:
        """Some of the rows."""
        return Rows(self.day[at], self.shop[at], self.item[at], self.price[at], self.count[at])


def joined(parts: list[Rows]) -> Rows:
    """Rows one after another, in the order of days."""
    names = ("day", "shop", "item", "price", "count")
    rows = Rows(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
    return rows.take(np.argsort(rows.day, kind="stable"))


def month_of_sales(store: Store, month: int, rng: np.random.Generator) -> Rows:
    """The rows of one month; goods given back may come in the next."""
    shops, items = store.open_shops(month), store.items_on_sale(month)
    days = _days_of(month)
    begin = np.clip(store.launch[items] - month, 0, 1)
    end = np.clip(store.retire[items] - month, 0, 1)
    promotion = _promotions(len(items), len(days), rng)

    expected = store.expected_units(month, shops, items) * (end - begin)
    expected *= promotion.lift * rng.lognormal(-(_ITEM_NOISE**2) / 2, _ITEM_NOISE, len(items))
    expected *= rng.gamma(_CELL_SHAPE, 1 / _CELL_SHAPE, expected.shape)
    purchases = rng.poisson(expected / _UNITS_OF_A_PURCHASE)
    shop, item = np.nonzero(purchases)
    cell = np.repeat(np.arange(len(shop)), purchases[shop, item])
    shop, item = shop[cell], item[cell]

    day = _drawn_days(days, begin[item], end[item], rng)
    prompted = rng.random(len(item)) < promotion.share[item]
    day[prompted] = promotion.drawn_day(item[prompted], rng)
    count = _drawn_counts(len(item), rng)
    key = (shop * len(items) + item) * len(days) + day
    one_a_day, row = np.unique(key, return_inverse=True)
    pair, day = np.divmod(one_a_day, len(days))
    shop, item = np.divmod(pair, len(items))
    price = _price(store, items[item], month) * np.where(promotion.covers(item, day), 0.8, 1.0)
    rows = Rows(
        days[day], shops[shop], items[item], _tidy(price), np.bincount(row, count).astype(np.int64)
    )
    return joined([rows, _given_back(rows, rng)])


@dataclass(frozen=True)
class _Promotions:
    """Days in which an item is cheaper and sells more; each field has shape (items,)."""

    start: Integers
    length: Integers  # 0 where there is none
    lift: Floats
    share: Floats  # of the month's purchases, how many the promotion brought

    def covers(self, item: Integers, day: Integers) -> NDArray[np.bool_]:
        return (self.start[item] <= day) & (day < self.start[item] + self.length[item])

    def drawn_day(self, item: Integers, rng: np.random.Generator) -> Integers:
        return self.start[item] + (rng.random(len(item)) * self.length[item]).astype(np.int64)


def _promotions(items: int, days: int, rng: np.random.Generator) -> _Promotions:
    length = rng.integers(7, 15, items)
    length[rng.random(items) >= _SHARE_ON_PROMOTION] = 0
    start = (rng.random(items) * (days - length + 1)).astype(np.int64)
    more = (_PROMOTION_LIFT - 1) * length / days
    return _Promotions(start, length, 1 + more, more / (1 + more))


def _days_of(month: int) -> NDArray[np.datetime64]:
    months = (FIRST_MONTH + np.arange(month, month + 2)).astype("M8[D]")
    days: NDArray[np.datetime64] = np.arange(months[0], months[1])
    return days


def _drawn_days(
    days: NDArray[np.datetime64], begin: Floats, end: Floats, rng: np.random.Generator
) -> Integers:
    """Days of purchases, more of them at weekends, while the item is on sale."""
    weekday = (days.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
    share = np.cumsum(_WEEKDAYS[weekday])
    share /= share[-1]
    within = begin + (end - begin) * rng.random(len(begin))
    return np.minimum(np.searchsorted(share, within, side="right"), len(days) - 1)


def _drawn_counts(purchases: int, rng: np.random.Generator) -> Integers:
    """Units of each purchase: mostly one, now and then a whole box."""
    kind = rng.random(purchases)
    count = np.ones(purchases, np.int64)
    several = kind < _SHARE_SEVERAL
    count[several] += rng.geometric(_NO_FURTHER_UNIT, several.sum())
    bulk = kind < _SHARE_BULK
    count[bulk] += rng.geometric(_NO_FURTHER_OF_BULK, bulk.sum())
    return count


def _price(store: Store, item: Integers, month: int) -> Floats:
    """The list price, a tenth lower after each half year, to two fifths of the first."""
    steps = np.floor(np.maximum(month - store.launch[item], 0) / 6)
    return store.price[item] * np.maximum(0.9**steps, 0.4)


def _tidy(price: Floats) -> Floats:
    """Prices as shops like them: 49, 199, 1490."""
    step = np.where(price < 1000, 10.0, 100.0)
    return np.maximum(np.round(price / step) * step - np.where(price < 1000, 1.0, 10.0), 5.0)


def _given_back(sold: Rows, rng: np.random.Generator) -> Rows:
    back = sold.take(np.flatnonzero(rng.random(len(sold.day)) < _SHARE_RETURNED))
    later = rng.integers(1, _LONGEST_RETURN + 1, len(back.day))
    return Rows(back.day + later, back.shop, back.item, back.price, np.full(len(later), -1))
