"""What a unit is worth: the last price known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nestcast.data.keys import Keys, item_column
from nestcast.data.panel import Panel

Values = NDArray[np.float64]


def unit_prices(panel: Panel, keys: Keys) -> Values | None:
    """The last known price of each series, else of its item anywhere; None if there are no prices.

    Example:
        >>> from nestcast.data import Calendar
        >>> panel = Panel(
        ...     Keys({"shop_id": np.array([1, 2]), "item_id": np.array([7, 7])}),
        ...     Calendar("1mo", np.datetime64("2024-01-01"), 2),
        ...     np.ones((2, 2), np.float32),
        ...     np.zeros(2, np.int32),
        ...     observed={"price": np.array([[10, np.nan], [9, 8]], np.float32)},
        ...     price_name="price",
        ... )
        >>> asked = Keys({"shop_id": np.array([1, 3, 3]), "item_id": np.array([7, 7, 8])})
        >>> unit_prices(panel, asked).tolist()
        [10.0, 8.0, nan]

    Args:
        panel: what was read, with the price in `observed`.
        keys: the series asked for.

    Returns:
        Shape (series,), NaN where the item never had a price. Of several shops with a price in
        the last period, the median counts for those without one.
    """
    if panel.price_name is None:
        return None
    last, when = _last(panel.observed[panel.price_name])
    at = panel.keys.locate(keys)
    own = np.where(at >= 0, last[at], np.nan) if len(last) else np.full(len(keys), np.nan)
    missing = np.isnan(own)
    if missing.any():
        item = item_column(panel.keys)
        items, price = _of_items(panel.keys[item], last, when)
        found = Keys({item: items}).locate(Keys({item: keys[item][missing]}))
        if len(items):
            own[missing] = np.where(found >= 0, price[found], np.nan)
    return own


def _last(prices: NDArray[np.float32]) -> tuple[Values, NDArray[np.int64]]:
    """The last known price of each row and its period; NaN and -1 where there is none."""
    known = np.isfinite(prices)
    when = prices.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
    seen = known.any(axis=1)
    last = prices[np.arange(len(prices)), when].astype(np.float64)
    return np.where(seen, last, np.nan), np.where(seen, when, -1)


def _of_items(
    item: NDArray[np.generic], last: Values, when: NDArray[np.int64]
) -> tuple[NDArray[np.generic], Values]:
    """The items that have a price, and the median of their latest ones."""
    known = when >= 0
    items, code = np.unique(item[known], return_inverse=True)
    latest = np.full(len(items), -1)
    np.maximum.at(latest, code, when[known])
    now = when[known] == latest[code]
    code, price = code[now], last[known][now]
    order = np.lexsort((price, code))
    count = np.bincount(code, minlength=len(items))
    first = np.cumsum(count) - count
    middle = price[order][first + (count - 1) // 2], price[order][first + count // 2]
    return items, np.asarray((middle[0] + middle[1]) / 2)
