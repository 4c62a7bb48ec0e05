"""What becomes of the stock: how long it lasts, what is left, what to order.

Every number is a mean, a share or a quantile over sample paths of demand that are run against the
stock day by day: so many units a period as the path says, each of which falls on a day by the
day profile, independently of the others. What is asked for and not there is lost.

Quantiles of demand over the lead time as reorder point, and the critical ratio: E. A. Silver,
D. F. Pyke and D. J. Thomas, "Inventory and Production Management in Supply Chains" (2017),
chapters 6 and 9.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nestcast.data.calendar import Dates
from nestcast.data.keys import Column, Keys
from nestcast.errors import OptionError
from nestcast.forecast import Forecast
from nestcast.seller.demand import Paths, demand_paths
from nestcast.seller.rate import SalesRate
from nestcast.seller.stock import Stock

Values = NDArray[np.float64]
Codes = NDArray[np.int64]

_ROWS = 1024  # series at a time, so that their paths stay in the processor's cache


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

    def to_columns(self) -> dict[str, Column]:
        """All of it by name, without what is not known of any series."""
        columns: dict[str, Column | None] = {
            "on_hand": self.on_hand,
            "on_order": self.on_order,
            "days_of_supply": self.days_of_supply,
            "stock_out_probability": self.stock_out_probability,
            "stock_out_date": self.stock_out_date,
            "lost_sales": self.lost_sales,
            "ending_mean": self.ending_mean,
        }
        for at, level in enumerate(self.ending_probabilities):
            columns[f"ending_q{100 * level:g}"] = self.ending_quantiles[:, at]
        columns |= {
            "reorder_point": self.reorder_point,
            "safety_stock": self.safety_stock,
            "order_up_to": self.order_up_to,
            "order_quantity": self.order_quantity,
            "sell_through_received": self.sell_through_received,
            "sell_through_90_days": self.sell_through_90_days,
        }
        return {name: values for name, values in columns.items() if values is not None}


def stock_outlook(
    forecast: Forecast,
    rate: SalesRate,
    stock: Stock,
    *,
    service_level: float = 0.95,
    is_count: bool = True,
) -> StockOutlook:
    """Run the demand of a forecast against the stock.

    Args:
        forecast: with sample paths; without, see `demand.demand_paths`.
        rate: its sales rate, which says how demand falls on days.
        stock: what is there.
        service_level: between 0 and 1.
        is_count: whether demand comes in whole units.

    Raises:
        OptionError: the service level makes no sense, or the forecast has neither sample paths nor
            intervals.
    """
    if not 0 < service_level < 1:
        raise OptionError(f"the service level is between 0 and 1, not {service_level:g}.")
    stock = stock.of(forecast.keys)
    known = np.flatnonzero(np.isfinite(stock.on_hand))
    size, days = len(forecast), len(rate.days)
    lead = _filled(stock.lead_time_days, np.inf, size)
    on_order = _filled(stock.on_order, 0.0, size)
    lead = np.ceil(lead)
    ratio = _critical_ratio(stock, service_level)
    levels = forecast.probabilities
    found = {name: np.full(size, np.nan) for name in _NAMES}
    ending = np.full((size, len(levels)), np.nan)
    for first in range(0, len(known), _ROWS):
        rows = known[first : first + _ROWS]
        paths = demand_paths(forecast, rows, is_count=is_count)
        cut = _Cut.of(rate, rows, lead[rows])
        early, late = cut.split(paths, is_count)
        # What comes when the forecast is over, or nobody knows when, cannot be sold in it.
        coming = np.where(lead[rows] < days, on_order[rows], 0)
        run = _run(early, late, stock.on_hand[rows], coming, cut, is_count)
        over_lead = np.sort(early.sum(axis=1), axis=1)
        total = np.sort(paths.sum(axis=1), axis=1)
        point = _quantile(over_lead, np.full(len(rows), service_level))
        found["probability"][rows] = run.out.mean(axis=1)
        found["day"][rows] = cut.day_of(run.when)
        found["lost"][rows] = run.lost.mean(axis=1, dtype=np.float64)
        found["ending"][rows] = run.left.mean(axis=1, dtype=np.float64)
        found["point"][rows] = np.where(lead[rows] <= days, point, np.nan)
        found["safety"][rows] = found["point"][rows] - over_lead.mean(axis=1, dtype=np.float64)
        found["up_to"][rows] = _quantile(total, ratio[rows])
        left = np.sort(run.left, axis=1)
        for at, level in enumerate(levels):
            ending[rows, at] = _quantile(left, np.full(len(rows), level))
    date = rate.days[np.nan_to_num(found["day"]).astype(np.int64)]
    velocity = rate.velocity
    has_lead = stock.lead_time_days is not None
    supply = np.divide(stock.on_hand, velocity, out=np.full(size, np.inf), where=velocity > 0)
    return StockOutlook(
        keys=forecast.keys,
        on_hand=stock.on_hand,
        on_order=stock.on_order,
        days_of_supply=np.where(np.isnan(stock.on_hand), np.nan, supply),
        stock_out_probability=found["probability"],
        stock_out_date=np.where(np.isnan(found["day"]), np.datetime64("NaT"), date),
        lost_sales=found["lost"],
        ending_mean=found["ending"],
        ending_probabilities=levels,
        ending_quantiles=ending,
        service_level=service_level,
        reorder_point=found["point"] if has_lead else None,
        safety_stock=found["safety"] if has_lead else None,
        order_up_to=found["up_to"],
        order_quantity=np.maximum(found["up_to"] - stock.on_hand - on_order, 0),
        notes=_notes(forecast, stock, lead, on_order, days),
    )


_NAMES = ("probability", "day", "lost", "ending", "point", "safety", "up_to")


def _filled(values: Values | None, fill: float, size: int) -> Values:
    return np.full(size, fill) if values is None else np.where(np.isnan(values), fill, values)


def _critical_ratio(stock: Stock, service_level: float) -> Values:
    """Cost of a unit short over that plus the cost of a unit left; without both, the level."""
    ratio = np.full(len(stock), service_level)
    if stock.shortage_cost is not None and stock.holding_cost is not None:
        both = stock.shortage_cost + stock.holding_cost
        np.divide(stock.shortage_cost, both, out=ratio, where=both > 0)  # NaN is not above 0
    return ratio


def _quantile(ordered: Paths, probability: Values) -> Values:
    """The smallest value that at least this share of the ordered paths do not exceed."""
    paths = ordered.shape[1]
    at = np.ceil(probability * paths - 1e-9).astype(np.int64) - 1
    rows = np.arange(len(ordered))
    return np.asarray(ordered[rows, np.clip(at, 0, paths - 1)], np.float64)


@dataclass(frozen=True, eq=False)
class _Cut:
    """Where the lead time of each series ends.

    Args:
        period: the period in which it does, shape (series,); the horizon, where none does.
        share: of that period's sales, how much falls on days before it, shape (series,).
        upto: share of a period's sales up to and with each day, shape (series, days).
        first: first day of each period, and the end, shape (horizon + 1,).
    """

    period: Codes
    share: Values
    upto: Values
    first: Codes

    @classmethod
    def of(cls, rate: SalesRate, rows: Codes, lead: Values) -> _Cut:
        days, horizon = len(rate.days), rate.expected.shape[1]
        first = np.searchsorted(rate.period, np.arange(horizon + 1))
        shares = np.cumsum(rate.share_of_day, axis=1)
        before = np.concatenate([np.zeros((len(shares), 1)), shares], axis=1)
        upto = shares - before[:, first[rate.period]]
        # A lead time ends before the day of that number.
        day = np.minimum(lead, days).astype(np.int64)
        period = np.append(rate.period, horizon)[day]
        profile = rate.profile[rows]
        share = before[profile, day] - before[profile, first[period]]
        return cls(period, np.clip(share, 0, 1), upto[profile], first)

    def split(self, paths: Paths, is_count: bool) -> tuple[Paths, Paths]:
        """Demand of each period before the end of the lead time and after it."""
        horizon = paths.shape[1]
        early = np.where(np.arange(horizon)[:, None] < self.period[:, None, None], paths, 0)
        inside = np.flatnonzero((self.period < horizon) & (self.share > 0))
        demand = paths[inside, self.period[inside]]
        share = self.share[inside]
        part = _thinned(demand, share) if is_count else demand * share[:, None].astype(np.float32)
        early[inside, self.period[inside]] = part
        return early, paths - early

    def day_of(self, when: Values) -> Values:
        """Number of the day on which so many periods' sales are over, shape (series,)."""
        period = np.minimum(np.nan_to_num(when).astype(np.int64), len(self.first) - 2)
        within = np.nan_to_num(when) - period
        day = np.arange(self.upto.shape[1])
        inside = (day >= self.first[period, None]) & (day < self.first[period + 1, None])
        over = (inside & (self.upto <= within[:, None])).sum(axis=1)
        last = self.first[period + 1] - 1
        return np.where(np.isnan(when), np.nan, np.minimum(self.first[period] + over, last))


def _thinned(demand: Paths, share: Values) -> Paths:
    """Each whole unit with the probability of its row, shape (rows, paths)."""
    rng = np.random.default_rng(0)
    found = np.zeros(demand.size, np.float32)
    units = demand.ravel().astype(np.int32)
    at = np.flatnonzero(units)
    units, chance = units[at], share.astype(np.float32)[at // demand.shape[1]]
    found[at] = rng.random(len(at), dtype=np.float32) < chance
    more = units > 1  # of slow sellers, few
    found[at[more]] += rng.binomial(units[more] - 1, chance[more])
    return found.reshape(demand.shape)


@dataclass(frozen=True, eq=False)
class _Run:
    """What becomes of the stock on each path.

    Args:
        out: whether it is not enough, shape (series, paths).
        lost: units asked for and not there, shape (series, paths).
        left: units at the end, shape (series, paths).
        when: mean time of the first unit lost, in periods' sales, shape (series,); NaN if never.
    """

    out: NDArray[np.bool_]
    lost: Paths
    left: Paths
    when: Values


def _run(
    early: Paths, late: Paths, on_hand: Values, coming: Values, cut: _Cut, is_count: bool
) -> _Run:
    """Sell period by period; what is on order comes when the lead time is over.

    Of d units in a stretch of time, the one after the k-th comes, by the mean of the order
    statistics of d uniform numbers, when (k + 1) / (d + 1) of the stretch's sales are over; of an
    amount d, k is sold when k / d are.
    """
    next_unit = 1 if is_count else 0
    left = np.repeat(on_hand.astype(np.float32)[:, None], early.shape[2], axis=1)
    lost, out, when = np.zeros_like(left), np.zeros(left.shape, bool), np.zeros_like(left)
    none, whole = np.zeros(len(left), np.float32), np.ones(len(left), np.float32)
    for step in range(early.shape[1]):
        share = np.where(cut.period == step, cut.share, cut.period > step).astype(np.float32)
        for demand, begin, end in ((early[:, step], none, share), (late[:, step], share, whole)):
            short = demand - left
            lacks = short > 0
            if lacks.any():
                along = (left + next_unit) / np.where(lacks, demand + next_unit, 1)
                moment = step + begin[:, None] + (end - begin)[:, None] * along
                when = np.where(lacks & ~out, moment, when)
                out |= lacks
                lost += np.maximum(short, 0)
            left = np.maximum(-short, 0)
            if end is share:
                left += np.where(cut.period == step, coming, 0).astype(np.float32)[:, None]
    times = out.sum(axis=1)
    mean = when.sum(axis=1, dtype=np.float64) / np.maximum(times, 1)
    return _Run(out, lost, left, np.where(times > 0, mean, np.nan))


def _notes(
    forecast: Forecast, stock: Stock, lead: Values, on_order: Values, days: int
) -> tuple[str, ...]:
    known = np.isfinite(stock.on_hand)
    notes = []
    if not known.all():
        notes.append(
            f"The stock of {known.sum():,} of {len(known):,} series is known; of the others "
            "nothing is said."
        )
    unplanned = int((known & (on_order > 0) & np.isinf(lead)).sum())
    if unplanned:
        notes.append(
            f"{unplanned:,} series have units on order and no lead time: as nobody knows when they "
            "come, they are not counted on before the end."
        )
    far = int((known & np.isfinite(lead) & (lead > days)).sum())
    if far:
        notes.append(
            f"{far:,} lead times go beyond the forecast: forecast further (--horizon) for their "
            "reorder points."
        )
    if forecast.samples is None:
        notes.append(
            "The forecast has no sample paths: demand is drawn from its intervals, see "
            "docs/seller.md."
        )
    return tuple(notes)
