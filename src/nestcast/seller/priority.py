"""What to act on first, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nestcast.data.keys import Column, Keys
from nestcast.data.panel import Panel
from nestcast.forecast import Forecast
from nestcast.seller.inventory import StockOutlook
from nestcast.seller.rate import SalesRate
from nestcast.seller.stock import Stock

Values = NDArray[np.float64]


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
    stock: StockOutlook | None = None
    notes: tuple[str, ...] = ()

    @property
    def order(self) -> NDArray[np.int64]:
        """Positions of the series, the most urgent first."""
        raise NotImplementedError

    def to_columns(self) -> dict[str, Column]:
        """The whole as a table in order of priority."""
        raise NotImplementedError


def rank(
    forecast: Forecast, panel: Panel, stock: Stock | None = None, *, service_level: float = 0.95
) -> Ranking:
    """Order the series of a forecast by what is at stake.

    Args:
        forecast: what is expected; with a stock and several periods it needs sample paths.
        panel: what it was made from.
        stock: what is in stock; without, nothing is said of it.
        service_level: between 0 and 1, see `stock_outlook`.
    """
    raise NotImplementedError
