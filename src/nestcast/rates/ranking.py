"""Which series deserve the budget: by the clicks expected, and by what they return."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nestcast.data.keys import Column
from nestcast.data.panel import Panel
from nestcast.model.population import with_series
from nestcast.rateforecast import RateForecast
from nestcast.rates.hierarchy import hierarchy_of
from nestcast.rates.models import exposure_of

Values = NDArray[np.float64]

_LATELY = 28  # periods from which prices are known
_IMPRESSIONS, _CLICKS = 1000.0, 10.0  # that the price of the group above counts for


def ranking(panel: Panel, forecast: RateForecast) -> dict[str, Column]:
    """A row for each series, the one with the most clicks expected first.

    Columns: `rank`, the keys, `impressions` and `clicks` over the whole forecast, and `ctr`. With
    cost and revenue known also `cost` and `revenue` expected, `return` (revenue over cost) and
    `rank-by-return`. A series costs for each impression, and earns with each click, what it did
    lately, drawn towards the groups that it is in.

    Args:
        panel: the past; cost and revenue are in `observed`.
        forecast: the rates and impressions ahead.
    """
    shown = forecast.exposure.sum(axis=1, dtype=np.float64)
    clicks = forecast.clicks.sum(axis=1)
    rate = clicks / np.where(shown > 0, shown, 1)
    columns: dict[str, Column] = {
        **forecast.keys.columns,
        "impressions": shown,
        "clicks": clicks,
        "ctr": np.where(shown > 0, rate, forecast.mean.mean(axis=1)),
    }
    order = np.lexsort((-columns["ctr"], -clicks))
    if {"cost", "revenue"} <= set(panel.observed):
        known, rows = with_series(panel, forecast.keys)
        n, k = exposure_of(known), known.target
        cost = shown * _price(known, "cost", n, _IMPRESSIONS)[rows]
        revenue = clicks * _price(known, "revenue", k, _CLICKS)[rows]
        back = np.where(cost > 0, revenue / np.where(cost > 0, cost, 1), np.nan)
        columns |= {"cost": cost, "revenue": revenue, "return": back}
        best = np.argsort(np.where(np.isfinite(back), -back, np.inf), kind="stable")
        by_return = np.empty(len(back), np.int64)
        by_return[best] = np.arange(1, len(back) + 1)
        columns["rank-by-return"] = by_return
    ranked = {
        name: values[order].astype(np.float32 if values.dtype.kind == "f" else values.dtype)
        for name, values in columns.items()
    }
    return {"rank": np.arange(1, len(order) + 1), **ranked}


def _price(panel: Panel, name: str, units: NDArray[np.floating], weight: float) -> Values:
    """Money for each unit lately, from the most general group to each series, shape (series,)."""
    hierarchy = hierarchy_of(panel.keys)
    money = np.nan_to_num(panel.observed[name][:, -_LATELY:]).sum(axis=1, dtype=np.float64)
    count = units[:, -_LATELY:].sum(axis=1, dtype=np.float64)
    price = np.full(len(money), money.sum() / max(count.sum(), 1e-12))
    for level in range(len(hierarchy.groups)):
        some, all_ = hierarchy.sums(level, money), hierarchy.sums(level, count)
        price = (some + weight * price) / (all_ + weight)
    return price
