"""What if the price were another: the same model, asked again with one covariate changed.

A model learns from the past that sales and prices went together, not what a price does: prices were
cut where sales were weak, and raised at launches. What comes out is an association.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nestcast.data.keys import item_column
from nestcast.data.panel import Floats, Panel
from nestcast.errors import DataError, OptionError
from nestcast.forecast import Forecast
from nestcast.seller.priority import number
from nestcast.seller.value import unit_prices

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class WhatIf:
    """The forecast of an item at two prices, all else equal.

    Args:
        price, now: the price asked about, and the last one known (the median of the shops).
        seen: lowest and highest price of the item so far.
        before, after: forecasts at the last prices and at the other one, of the same series.
    """

    price: float
    now: float
    seen: tuple[float, float]
    before: Forecast
    after: Forecast

    @property
    def uses_prices(self) -> bool:
        """Whether the model's forecast depends on the price at all."""
        return not np.array_equal(self.before.mean, self.after.mean)

    @property
    def is_outside(self) -> bool:
        """Whether the price lies outside those seen."""
        return not self.seen[0] <= self.price <= self.seen[1]

    @property
    def text(self) -> str:
        """The answer in words, with what to beware of."""
        if not self.uses_prices and np.isclose(self.price, self.now):
            return f"{number(self.price)} is the last price itself: ask about another."
        if not self.uses_prices:
            return (
                "This model does not use prices: its forecast is the same at any. Fit one with "
                "the recipe global on rows that have them."
            )
        old, new = (float(one.mean.sum(dtype=np.float64)) for one in (self.before, self.after))
        change = f" ({new / old - 1:+.0%})" if old > 0 else ""
        said = (
            f"At {number(self.price)} instead of {number(self.now)}, the model expects "
            f"{number(new)} units instead of {number(old)}{change}. This is how sales and prices "
            "went together in the past, not what a change of price would do."
        )
        if self.is_outside:
            low, high = map(number, self.seen)
            said += f" Beware: prices seen so far are {low} to {high}, and this one is outside."
        return said


def what_if(
    predict: Callable[[Panel], Forecast],
    panel: Panel,
    item: Any,
    price: float,
    *,
    covariate: str | None = None,
) -> WhatIf:
    """The forecast of an item under another price, in all its shops.

    Of a price known ahead all periods after the last change; of one that is only observed, the last
    period, which is what a model sees of it. The forecast to compare with has the last known price
    at the same places, so that nothing but the price differs.

    Example:
        >>> from nestcast.data import Calendar, Keys
        >>> panel = Panel(
        ...     Keys({"item_id": np.array([7])}),
        ...     Calendar("1mo", np.datetime64("2024-01-01"), 3),
        ...     np.array([[9, 8, 9]], np.float32),
        ...     np.zeros(1, np.int32),
        ...     observed={"price": np.array([[100, 90, 95]], np.float32)},
        ...     price_name="price",
        ... )
        >>> def twice_at_half(panel):
        ...     mean, median = 900 / panel.observed["price"][:, -1:], np.array([0.5])
        ...     return Forecast(panel.keys, panel.calendar.after(1), mean, median, mean[..., None])
        >>> found = what_if(twice_at_half, panel, 7, 45)
        >>> found.is_outside, round(float(found.after.mean[0, 0]))
        (True, 20)

    Args:
        predict: forecasts from a panel, such as
            `lambda panel: forecaster.predict(panel=panel, pairs=keys)`.
        panel: the rows the model forecasts from.
        item: value of the key column of the item.
        price: the other price.
        covariate: name of the price in `observed` or `known`; by default `panel.price_name`.

    Raises:
        OptionError: the price is not above 0.
        DataError: there are no prices, or none of this item.
    """
    if not (np.isfinite(price) and price > 0):
        raise OptionError(f"a price is a number above 0, not {price:g}.")
    name = panel.price_name if covariate is None else covariate
    if name is None or not (name in panel.observed or name in panel.known):
        raise DataError("no prices were read: name their column with --price.")
    key = item_column(panel.keys)
    values = panel.keys[key]
    rows = np.flatnonzero(values == (item if values.dtype.kind in "iu" else str(item)))
    if len(rows) == 0:
        raise DataError(f"{key} {item} has no row so far: name an item that was sold.")
    ahead = name in panel.known
    prices = panel.known[name] if ahead else panel.observed[name]
    if ahead and prices.ndim == 1:
        raise DataError(f"{name} is the same for all series: a price of one item is needed.")
    own = prices[rows, : len(panel.calendar)]
    if not np.isfinite(own).any():
        raise DataError(f"{key} {item} has no price so far.")
    shown = replace(panel, observed={name: prices[:, : len(panel.calendar)]}, price_name=name)
    last = unit_prices(shown, panel.keys.take(rows))
    assert last is not None

    def asked(at: Values | float) -> Forecast:
        changed = _with_price(panel, name, rows, np.broadcast_to(at, len(rows)))
        return predict(changed)

    return WhatIf(
        price=float(price),
        now=float(np.nanmedian(last)),
        seen=(float(np.nanmin(own)), float(np.nanmax(own))),
        before=asked(last),
        after=asked(float(price)),
    )


def _with_price(panel: Panel, name: str, rows: NDArray[np.int64], price: Values) -> Panel:
    length = len(panel.calendar)
    if name in panel.known:
        values = panel.known[name]
        if values.shape[1] == length:  # nothing is known ahead: let it be so for one year
            values = np.pad(values, ((0, 0), (0, panel.calendar.year)), constant_values=np.nan)
        return replace(panel, known={**panel.known, name: _set(values, rows, length, price)})
    values = _set(panel.observed[name], rows, length - 1, price)
    return replace(panel, observed={**panel.observed, name: values})


def _set(values: Floats, rows: NDArray[np.int64], first: int, price: Values) -> Floats:
    changed = values.copy()
    changed[rows, first:] = price[:, None]
    return changed
