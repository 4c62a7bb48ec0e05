"""What is in stock: `stock.csv`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nestcast.data.keys import Keys

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Stock:
    """Units in stock on the morning of the first day forecast; each array has shape (rows,).

    Values are NaN where a row leaves them blank, arrays None where the file has no such column.

    Args:
        keys: the series, one row each.
        on_hand: units on the shelf.
        on_order: units ordered and not yet there.
        lead_time_days: days from an order until the units are there.
        unit_cost: what one unit costs to buy.
        holding_cost: what one unit left over at the end of the forecast costs.
        shortage_cost: what one unit asked for and not there costs.
        received: units received in the last 90 days, with those there at their beginning.
        mean_on_hand: mean units on hand in the last 90 days.
    """

    keys: Keys
    on_hand: Values
    on_order: Values | None = None
    lead_time_days: Values | None = None
    unit_cost: Values | None = None
    holding_cost: Values | None = None
    shortage_cost: Values | None = None
    received: Values | None = None
    mean_on_hand: Values | None = None

    def __len__(self) -> int:
        return len(self.keys)

    def of(self, keys: Keys) -> Stock:
        """The stock of the given series, NaN for those not listed."""
        raise NotImplementedError


def read_stock(
    source: Any, *, series: Sequence[str], preset: str | None = None, encoding: str = "utf-8"
) -> Stock:
    """Read what is in stock.

    Args:
        source: a file, a DuckDB relation or a frame, as in `read_panel`: the key columns,
            `on_hand`, and any of the other columns of `Stock`.
        series: the key columns, those of the panel.
        preset: the cleaning that was applied to the panel.
        encoding: encoding of text files.

    Raises:
        DataError: a column or value is missing or no number, or a series stands twice.
    """
    raise NotImplementedError
