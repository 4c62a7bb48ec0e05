"""Who sells what, drawn once: shops, categories, items, tastes, seasons and prices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_MOST_CATEGORIES = 84
_ITEMS_FOR_EACH_CATEGORY = 25
_EARLIEST_LAUNCH = -48.0  # months before the first one
_SHARE_LAUNCHED_BEFORE = 0.45
_LAUNCHES_HALVE_IN = 18.0  # months; the range of the store shrinks
_HOLIDAYS = (1.0, 0.96, 0.98, 0.93, 0.92, 0.94, 0.92, 0.97, 1.04, 1.04, 1.15, 1.5)  # Jan to Dec


@dataclass(frozen=True)
class Store:
    """Everything about the shops and items that does not depend on chance from day to day.

    Args:
        months: months the store is looked at, with the one whose truth is wanted.
        shop_size: relative sales of each shop, shape (shops,).
        shop_opens, shop_closes: first month open and first month closed, shape (shops,).
        category: category of each item, shape (items,).
        launch, retire: when an item comes and goes, in months, with fractions; shape (items,).
        appeal: units a shop of size 1 sells in the first month of an item, shape (items,).
        fade: how fast an item's sales fall with its age, shape (items,).
        price: price at launch, shape (items,).
        liking: how much more or less a shop sells of an item than others, shape (shops, items).
        season: factor of each calendar month, shape (categories, 12).
    """

    months: int
    shop_size: Floats
    shop_opens: Integers
    shop_closes: Integers
    category: Integers
    launch: Floats
    retire: Floats
    appeal: Floats
    fade: Floats
    price: Floats
    liking: NDArray[np.float32]
    season: Floats

    def open_shops(self, month: int) -> Integers:
        """Shops open in a month."""
        return np.flatnonzero((self.shop_opens <= month) & (month < self.shop_closes))

    def items_on_sale(self, month: int) -> Integers:
        """Items on sale for at least a part of a month."""
        return np.flatnonzero((self.launch < month + 1) & (month < self.retire))

    def expected_units(self, month: int, shops: Integers, items: Integers) -> Floats:
        """Units that each shop sells of each item in a month on average, shape (shops, items)."""
        age = np.maximum(month + 0.5 - self.launch[items], 0.25)
        of_item = (
            self.appeal[items]
            * (1 + age) ** -self.fade[items]
            * self.season[self.category[items], month % 12]
        )
        units: Floats = self.shop_size[shops, None] * of_item * self.liking[np.ix_(shops, items)]
        return units


def open_store(shops: int, items: int, months: int, rng: np.random.Generator) -> Store:
    """Draw a store of the given size."""
    opens, closes = _shop_lives(shops, months, rng)
    categories = min(max(items // _ITEMS_FOR_EACH_CATEGORY, 1), _MOST_CATEGORIES)
    crowding = (np.arange(categories) + 2.0) ** -1.1
    category = rng.choice(categories, items, p=crowding / crowding.sum())
    launch = _launches(items, months, rng)
    long_seller = rng.random(items) < 0.2
    life = np.where(long_seller, 50.0, 17.0) * rng.weibull(1.1, items)
    before = launch < 0
    # What was launched before the first month and is gone by then is not in the data at all.
    life[before] = np.maximum(life[before], rng.uniform(0.5, 28, before.sum()) - launch[before])
    appeal = 0.34 * rng.lognormal(0, 0.3, categories)[category]
    appeal *= rng.lognormal(0, 1.35, items)
    shop_size = rng.lognormal(0, 0.45, shops)
    liking = rng.lognormal(0, 0.4, (shops, categories)).astype(np.float32)[:, category]
    liking *= rng.lognormal(-0.3, 0.8, (shops, items)).astype(np.float32)
    return Store(
        months=months,
        shop_size=shop_size / shop_size.mean(),
        shop_opens=opens,
        shop_closes=closes,
        category=category,
        launch=launch,
        retire=launch + life,
        appeal=appeal,
        fade=np.where(long_seller, rng.uniform(0.0, 0.5, items), rng.uniform(0.8, 1.6, items)),
        price=rng.lognormal(6.3, 0.4, categories)[category] * rng.lognormal(0, 0.7, items),
        liking=liking,
        season=_seasons(categories, rng),
    )


def _shop_lives(shops: int, months: int, rng: np.random.Generator) -> tuple[Integers, Integers]:
    """Most shops are open throughout; a quarter open later, a quarter close early."""
    opens, closes = np.zeros(shops, np.int64), np.full(shops, months + 1)
    order = rng.permutation(shops)
    quarter = shops // 4
    opens[order[:quarter]] = rng.integers(1, max(months - 4, 2), quarter)
    closes[order[quarter : 2 * quarter]] = rng.integers(min(4, months), months + 1, quarter)
    return opens, closes


def _launches(items: int, months: int, rng: np.random.Generator) -> Floats:
    """Months in which items are launched, ever fewer, most of them before the holidays."""
    month = np.arange(months)
    weight = 0.5 ** (month / _LAUNCHES_HALVE_IN) * np.array(_HOLIDAYS)[month % 12]
    launch = rng.choice(months, items, p=weight / weight.sum()) + rng.random(items)
    before = rng.random(items) < _SHARE_LAUNCHED_BEFORE
    launch[before] = _EARLIEST_LAUNCH * rng.random(before.sum()) ** 2
    return launch


def _seasons(categories: int, rng: np.random.Generator) -> Floats:
    """The holidays, felt more in some categories than in others, and a wave of each one's own."""
    month = np.arange(12)
    holidays = np.array(_HOLIDAYS) ** rng.uniform(0.5, 1.5, (categories, 1))
    peak = rng.uniform(0, 12, (categories, 1))
    wave = 1 + rng.uniform(0, 0.25, (categories, 1)) * np.cos((month - peak) * np.pi / 6)
    return holidays * wave
