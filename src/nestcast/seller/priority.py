"""What to act on first, and why.

The score of a series is the money (without prices: the units) at stake in the forecast, as a sum of
four parts, so that the score of an item is the sum over its shops:

    lost sales   price x units that will be asked for and not be there
    change       1/4 of price x change in units against the periods before, beyond chance
    overstock    1/10 of cost x units on hand beyond 90 days of supply
    size         1/20 of price x units expected

What is lost for want of stock is lost altogether and counts in full; of what changes, a part can be
won or saved by acting in time; stock for more than a quarter of a year ties up money, of which a
part is lost; and of equal series the larger comes first. The weights are a convention, not
estimates. Beyond chance is, for counts, beyond two standard deviations of the difference of two
Poisson counts, 2 sqrt(expected + before).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nestcast.data.keys import Column, Keys, item_column
from nestcast.data.panel import Panel
from nestcast.forecast import Forecast
from nestcast.seller.classes import abc_classes, demand_patterns, life_cycles
from nestcast.seller.groups import codes_of
from nestcast.seller.inventory import StockOutlook, stock_outlook
from nestcast.seller.profile import learn_day_profile
from nestcast.seller.rate import SalesRate, sales_rate
from nestcast.seller.sellthrough import (
    sell_through_90_days,
    sell_through_received,
    sold_in_90_days,
)
from nestcast.seller.stock import Stock
from nestcast.seller.value import unit_prices

Values = NDArray[np.float64]

_CHANGE, _OVERSTOCK, _SIZE = 0.25, 0.1, 0.05
_LONG = 90  # days of supply beyond which stock is too much
_LIKELY = 0.5  # stock-out probability from which on it "sells out"


@dataclass(frozen=True, eq=False)
class Ranking:
    """Every series of a forecast with what to know and do about it.

    Args:
        keys: the series.
        priority: the score, in money where prices are known, else in units, shape (series,);
            scores add up, so that an item's is the sum over its shops.
        why: the reason in words, shape (series,).
        parts: what the score is the sum of: `lost sales`, `change`, `overstock`, `size`, -> shape
            (series,), after weighting.
        price: last known price, NaN where there is none; None if there are no prices at all.
        revenue: expected units times price (units where there are no prices), shape (series,).
        classes: `abc`, `demand_pattern`, `life_cycle` -> class of each series, shape (series,).
        rate: sales rates.
        names: such as `item_name` -> name of each series' item, where names are known.
        stock: what becomes of the stock; None without a stock file.
        notes: sentences to read with the ranking.
    """

    keys: Keys
    priority: Values
    why: Sequence[str]
    parts: Mapping[str, Values]
    price: Values | None
    revenue: Values
    classes: Mapping[str, Column]
    rate: SalesRate
    names: Mapping[str, Column]
    stock: StockOutlook | None = None
    notes: tuple[str, ...] = ()

    @property
    def order(self) -> NDArray[np.int64]:
        """Positions of the series, the most urgent first."""
        return np.lexsort((-self.rate.total, -self.priority)).astype(np.int64)

    def to_columns(self) -> dict[str, Column]:
        """The whole as a table in order of priority."""
        rate, order = self.rate, self.order
        columns: dict[str, Column] = {**self.keys.columns, **self.names}
        columns |= {
            "priority": self.priority,
            "why": np.array(self.why, dtype=np.str_),
            "expected": rate.total,
            "per_day": rate.velocity,
            "change_last_period": rate.change_last_period,
            "change_last_year": rate.change_last_year,
        }
        columns |= {f"share_of_{name}": share for name, share in rate.share_of.items()}
        if self.price is not None:
            columns |= {"price": self.price, "revenue": self.revenue}
        columns |= self.classes
        columns |= {f"priority_{name.replace(' ', '_')}": v for name, v in self.parts.items()}
        if self.stock is not None:
            columns |= self.stock.to_columns()
        ranked = {name: values[order] for name, values in columns.items()}
        short = {  # seven figures say it all
            name: values.astype(np.float32) if values.dtype.kind == "f" else values
            for name, values in ranked.items()
        }
        return {"rank": np.arange(1, len(order) + 1), **short}


def rank(
    forecast: Forecast,
    panel: Panel,
    stock: Stock | None = None,
    *,
    service_level: float = 0.95,
    clip: tuple[float, float] | None = None,
) -> Ranking:
    """Order the series of a forecast by what is at stake.

    Example:
        >>> from nestcast.data import Calendar
        >>> keys = Keys({"item_id": np.array([7, 8])})
        >>> months = Calendar("1mo", np.datetime64("2024-01-01"), 3)
        >>> sold = np.array([[60, 62, 61], [5, 4, 0]], np.float32)
        >>> panel = Panel(keys, months, sold, np.zeros(2, np.int32))
        >>> mean, quantiles = np.array([[60], [3]]), np.array([[[50, 60, 70]], [[1, 3, 5]]])
        >>> levels = np.array([0.1, 0.5, 0.9])
        >>> forecast = Forecast(keys, months.after(1), mean, levels, quantiles)
        >>> found = rank(forecast, panel, Stock(keys, on_hand=np.array([24.0, 40.0])))
        >>> for at in found.order:
        ...     print(found.why[at])
        sells out around 13 Apr: 24 on hand, 2 a day
        lasts 400 days: 40 on hand, 0.1 a day

    Args:
        forecast: what is expected; with a stock and several periods it should have sample paths.
        panel: what it was made from.
        stock: what is in stock; without, nothing is said of it.
        service_level: between 0 and 1, see `stock_outlook`.
        clip: what target and forecast were clipped to; changes are against a past clipped likewise.
    """
    keys = forecast.keys
    past = panel if clip is None else replace(panel, target=np.clip(panel.target, *clip))
    rate = sales_rate(forecast, past, learn_day_profile(panel))
    price = unit_prices(panel, keys)
    worth = np.ones(len(keys)) if price is None else np.nan_to_num(price)
    revenue = rate.total * worth
    chance = 2 * np.sqrt(rate.total.clip(min=0) + rate.last_period.clip(min=0))
    beyond = np.abs(rate.total - rate.last_period) - (chance if panel.is_count else 0)
    parts = {"change": _CHANGE * worth * np.nan_to_num(beyond).clip(min=0)}
    outlook, too_many = None, None
    if stock is not None:
        stock = stock.of(keys)
        outlook = stock_outlook(
            forecast, rate, stock, service_level=service_level, is_count=panel.is_count
        )
        outlook = replace(outlook, **_sell_through(panel, keys, stock))
        too_many = np.nan_to_num(outlook.on_hand - _LONG * rate.velocity).clip(min=0)
        cost = worth
        if price is not None and stock.unit_cost is not None:
            cost = _either(stock.unit_cost, worth)
        parts = {
            "lost sales": worth * np.nan_to_num(outlook.lost_sales),
            **parts,
            "overstock": _OVERSTOCK * cost * too_many,
        }
    parts["size"] = _SIZE * revenue.clip(min=0)
    item = item_column(keys)
    groups = codes_of(keys[item])[0]
    return Ranking(
        keys=keys,
        priority=np.sum(list(parts.values()), axis=0),
        why=Reasons(rate, parts, outlook),
        parts=parts,
        price=price,
        revenue=revenue,
        classes={
            "abc": abc_classes(revenue, groups),
            "demand_pattern": demand_patterns(panel, keys),
            "life_cycle": life_cycles(panel, keys),
        },
        rate=rate,
        names=_names(panel, keys),
        stock=outlook,
        notes=_notes(price, outlook, clip),
    )


def _either(values: Values, otherwise: Values) -> Values:
    return np.where(np.isnan(values), otherwise, values)


def _sell_through(panel: Panel, keys: Keys, stock: Stock) -> dict[str, Any]:
    sold = sold_in_90_days(panel, keys)
    found: dict[str, Any] = {}
    if stock.received is not None:
        found["sell_through_received"] = sell_through_received(sold, stock.received)
    if stock.mean_on_hand is not None:
        found["sell_through_90_days"] = sell_through_90_days(sold, stock.mean_on_hand)
    return found


def _names(panel: Panel, keys: Keys) -> dict[str, Column]:
    found = {}
    for key in keys.names:
        known = panel.attributes.get(key)
        for name, values in () if known is None else known.columns.items():
            if known is not None and values.dtype.kind == "U":
                found[name] = np.append(values, "")[known.positions(keys[key])]
    return found


def _notes(
    price: Values | None, outlook: StockOutlook | None, clip: tuple[float, float] | None
) -> tuple[str, ...]:
    notes = [
        "Priority is money at stake: sales lost for want of stock in full, a quarter of a change "
        "beyond chance, a tenth of what is on hand for more than 90 days, a twentieth of what is "
        "expected."
    ]
    if price is None:
        notes = [notes[0].replace("money", "units", 1) + " No prices were given."]
    elif np.isnan(price).any():
        notes.append(
            f"{int(np.isnan(price).sum()):,} series have no known price: they count for nothing, "
            "but for what lies too long where its unit_cost is known."
        )
    if outlook is None:
        notes.append(
            "Nothing is said of stock, as none was given. Supply stock.csv (in the folder, or with "
            "--stock FILE) with shop_id, item_id and on_hand, and if known on_order, "
            "lead_time_days, unit_cost, holding_cost and shortage_cost, to see what sells out, "
            "what will be left and what to order."
        )
    elif clip is not None:
        notes.append(
            f"The forecast is clipped to {clip[0]:g} to {clip[1]:g} units a series and period: "
            "stock of what sells more is judged as if it sold that."
        )
    return (*notes, *(() if outlook is None else outlook.notes))


class Reasons(Sequence[str]):
    """The reason in words for each series, written when it is read.

    Args:
        rate: sales rates.
        parts: of the score.
        outlook: what becomes of the stock.
    """

    def __init__(
        self, rate: SalesRate, parts: Mapping[str, Values], outlook: StockOutlook | None
    ) -> None:
        names = list(parts)
        values = np.stack(list(parts.values()))
        # Where nothing is at stake there is only the size, which comes last, to tell of.
        largest = np.where(values.max(axis=0) > 0, np.argmax(values, axis=0), len(names) - 1)
        self._kind = np.array(names, dtype=object)[largest]
        self._rate, self._velocity, self._total = rate, rate.velocity, rate.total
        self._days, self._outlook = len(rate.days), outlook

    def __len__(self) -> int:
        return len(self._kind)

    def __getitem__(self, at):  # type: ignore[no-untyped-def]
        """The reason of one series, or those of several."""
        if isinstance(at, slice):
            return [self._one(one) for one in range(len(self))[at]]
        return self._one(range(len(self))[at])

    def __iter__(self) -> Iterator[str]:
        return map(self._one, range(len(self)))

    def _one(self, at: int) -> str:
        kind, daily = self._kind[at], f"{number(self._velocity[at])} a day"
        if kind == "change":
            before, now = self._rate.last_period[at], self._total[at]
            word = "rises" if now > before else "falls"
            text = f"{word} from {number(before)} to {number(now)}, {daily}"
        else:
            text = f"{number(self._total[at])} expected, {daily}"
        outlook = self._outlook
        if outlook is None or math.isnan(outlook.on_hand[at]):
            return text
        hand = f"{number(outlook.on_hand[at])} on hand" if outlook.on_hand[at] else "none on hand"
        if outlook.on_order is not None and outlook.on_order[at] > 0:
            hand += f", {number(outlook.on_order[at])} on order"
        if kind == "overstock":
            supply = outlook.days_of_supply[at]
            if math.isinf(supply) or supply > 3650:
                return f"hardly sells: {hand}, {daily}"
            return f"lasts {supply:,.0f} days: {hand}, {daily}"
        if kind == "lost sales":
            chance = outlook.stock_out_probability[at]
            if outlook.on_hand[at] <= 0:
                return f"out of stock: {hand}, {daily}"
            if chance >= _LIKELY:
                return f"sells out around {_day(outlook.stock_out_date[at])}: {hand}, {daily}"
            return f"may sell out ({chance:.0%}): {hand}, {daily}"
        return f"{text}: {hand}"


def _day(date: np.datetime64) -> str:
    day: dt.date = date.astype("M8[D]").item()
    return f"{day.day} {day:%b}"


def number(value: float) -> str:
    """A number for a sentence: two figures below 10, whole from there on.

    Example:
        >>> number(0.7342), number(3.96), number(1234.5), number(0.0), number(0.0004)
        ('0.73', '4', '1,234', '0', 'under 0.01')
    """
    if 0 < value < 0.01:
        return "under 0.01"
    return f"{value:.2g}" if value < 9.95 else f"{value:,.0f}"
