"""What a simulated chain has in stock when its sales end."""

from __future__ import annotations

import numpy as np

from nestcast.data.keys import Column
from nestcast.data.simulate.transactions import Rows

_DAYS = 90
_COVER = 1.0  # months of recent sales that a shop has on hand, the median
_MARGIN = 0.65  # of the price, what a unit costs
_SHARE_ON_ORDER = 0.3


def stock_of(rows: Rows, end: np.datetime64, rng: np.random.Generator) -> dict[str, Column]:
    """Columns of `stock.csv`: a row for all that each shop sold in the last 90 days.

    Shops keep about a month of recent sales, some far less or more. Units received and mean units
    on hand are those of the 90 days.

    Args:
        rows: the sales.
        end: the day after the last.
        rng: source of random numbers.
    """
    recent = rows.take(rows.day >= end - np.timedelta64(_DAYS, "D"))
    pair = recent.shop * (rows.item.max(initial=0) + 1) + recent.item
    _, first, code = np.unique(pair, return_index=True, return_inverse=True)
    sold = np.bincount(code, recent.count).clip(min=0)
    price = np.bincount(code, recent.price) / np.maximum(np.bincount(code), 1)
    size = len(first)
    on_hand = rng.poisson(sold / 3 * _COVER * rng.lognormal(0, 0.8, size))
    batch = rng.poisson(sold / 3) + 1
    on_order = np.where(rng.random(size) < _SHARE_ON_ORDER, batch, 0)
    lead_time = rng.integers(3, 22, int(recent.item.max(initial=0)) + 1)[recent.item[first]]
    cost = np.round(price * _MARGIN, 2)
    return {
        "shop_id": recent.shop[first],
        "item_id": recent.item[first],
        "on_hand": on_hand,
        "on_order": on_order,
        "lead_time_days": lead_time,
        "unit_cost": cost,
        "holding_cost": np.round(cost * 0.02, 2),
        "shortage_cost": np.round(price - cost, 2),
        "received": (sold + on_hand).astype(np.int64),
        "mean_on_hand": np.round(on_hand + sold / 2 * rng.random(size), 1),
    }
