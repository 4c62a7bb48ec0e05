"""Sell-through, under both definitions in use."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nestcast.data.keys import Keys
from nestcast.data.panel import Panel
from nestcast.seller.groups import per_quarter

Values = NDArray[np.float64]


def sell_through_received(sold: ArrayLike, received: ArrayLike) -> Values:
    """Units sold over units received in the same time; 1 is all of them.

    Example:
        >>> sell_through_received([30, 0, 5], [40, 10, 0])
        array([0.75, 0.  ,  nan])

    Args:
        sold: units, net of returns.
        received: units that came in, with those that were there at the beginning.

    Returns:
        The rate, NaN where nothing was received; above 1 where more was sold than was received.
    """
    return _over(sold, received)


def sell_through_90_days(sold: ArrayLike, mean_on_hand: ArrayLike) -> Values:
    """Units sold in the last 90 days over mean units on hand in them, as marketplaces reckon it.

    Values above 1 are normal: the shelf was then filled again in these days.

    Example:
        >>> sell_through_90_days([90, 0], [30, 12])
        array([3., 0.])

    Args:
        sold: units sold in 90 days.
        mean_on_hand: mean number of units on hand in the same days.

    Returns:
        The rate, NaN where nothing was on hand.
    """
    return _over(sold, mean_on_hand)


def sold_in_90_days(panel: Panel, keys: Keys) -> Values:
    """Units sold in the last 90 days: in the last quarter of a year, times 90 over its days.

    Args:
        panel: the past.
        keys: the series asked for.

    Returns:
        Shape (series,), 0 for series without a row; NaN where less of the past is known.
    """
    periods = per_quarter(panel)
    if len(panel.calendar) < periods:
        return np.full(len(keys), np.nan)
    sold = panel.target[:, -periods:].sum(axis=1, dtype=np.float64)
    sold *= 90 / panel.calendar.days()[-periods:].sum()
    at = panel.keys.locate(keys)
    return np.where(at >= 0, sold[at], 0.0) if len(sold) else np.zeros(len(keys))


def _over(above: ArrayLike, below: ArrayLike) -> Values:
    numerator, denominator = np.asarray(above, np.float64), np.asarray(below, np.float64)
    known = denominator > 0
    result: Values = np.divide(
        numerator,
        denominator,
        out=np.full(np.broadcast(numerator, known).shape, np.nan),
        where=known,
    )
    return result
