"""What becomes of the stock: how long it lasts, what is left, what to order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nestcast.data.calendar import Dates
from nestcast.data.keys import Keys
from nestcast.forecast import Forecast
from nestcast.seller.rate import SalesRate
from nestcast.seller.stock import Stock

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StockOutlook:
    """One entry for each series of a forecast, NaN where its stock is not known.

    What needs a column that the stock does not have is None.

    Args:
        keys: the series.
        on_hand: units on hand when the forecast begins, shape (series,).
        on_order: units ordered, which come after the lead time, shape (series,).
        days_of_supply: units on hand over units expected per day; infinite where none are.
        stock_out_probability: that demand exceeds what is there before the forecast ends.
        stock_out_date: mean day on which that happens, where it can (else NaT).
        lost_sales: expected units asked for and not there.
        ending_mean: expected units left at the end.
        ending_probabilities: levels of the quantiles of units left, ascending, shape (levels,).
        ending_quantiles: units left at these levels, shape (series, levels).
        service_level: share of lead times that the reorder point is to get through.
        reorder_point: stock at which to order, the service level's quantile of the demand over
            the lead time; NaN where that goes beyond the forecast.
        safety_stock: reorder point less the mean demand over the lead time.
        order_up_to: stock to have for the whole forecast, the newsvendor's quantile.
        order_quantity: what to order now to have it.
        sell_through_received, sell_through_90_days: of the past 90 days.
        notes: sentences to read with it.
    """

    keys: Keys
    on_hand: Values
    on_order: Values | None
    days_of_supply: Values
    stock_out_probability: Values
    stock_out_date: Dates
    lost_sales: Values
    ending_mean: Values
    ending_probabilities: Values
    ending_quantiles: Values
    service_level: float
    reorder_point: Values | None
    safety_stock: Values | None
    order_up_to: Values
    order_quantity: Values
    sell_through_received: Values | None = None
    sell_through_90_days: Values | None = None
    notes: tuple[str, ...] = ()


def stock_outlook(
    forecast: Forecast, rate: SalesRate, stock: Stock, *, service_level: float = 0.95
) -> StockOutlook:
    """Run the demand of a forecast against the stock.

    Args:
        forecast: with sample paths; a forecast of one period may have quantiles only.
        rate: its sales rate, which says how demand falls on days.
        stock: what is there.
        service_level: between 0 and 1.

    Raises:
        OptionError: the forecast has several periods and no sample paths, or no quantile as high
            as the service level.
    """
    raise NotImplementedError
