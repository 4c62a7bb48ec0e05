"""What the page says: sums, rows and words, from a forecast and the panel it was made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nestcast.data.keys import Column, item_column
from nestcast.data.panel import Panel
from nestcast.data.report import ReadReport
from nestcast.forecast import Forecast, each_once
from nestcast.rateforecast import RateForecast
from nestcast.report import clicks, naming, periods, sums
from nestcast.report.accuracy import Accuracy
from nestcast.report.advice import Advice, ItemAdvice
from nestcast.report.advice import of_items as advice_of_items
from nestcast.report.click_accuracy import ClickAccuracy
from nestcast.report.clicks import Rates
from nestcast.report.history import History, history_of
from nestcast.report.naming import Group

Values = NDArray[np.float64]

_CHARTED = 2  # intervals in a fan chart
_MISSED = 0.01  # of a sum that may be missing from it
_USUAL_LEVEL = 80.0  # the interval in tables, or the one nearest to it


@dataclass(frozen=True, eq=False)
class Block:
    """Numbers of several sums side by side: of items, of shops, or the one total.

    Args:
        past: so far, shape (rows, periods); NaN where nothing is known.
        mean: expected at each step, shape (rows, steps).
        bands: low and high of each charted interval, shape (rows, steps, intervals, 2).
        total: expected over all steps, shape (rows,).
        low, high: the interval of that total in tables, shape (rows,).
        last: the same number of periods before, shape (rows,).
        year: the same periods a year before, shape (rows,); NaN where the past is too short.
    """

    past: Values
    mean: Values
    bands: Values
    total: Values
    low: Values
    high: Values
    last: Values
    year: Values

    def take(self, index: NDArray[np.int64]) -> Block:
        """Some of the rows."""
        return Block(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


@dataclass(frozen=True, eq=False)
class Content:
    """All that the page can show; `payload` chooses what fits.

    Args:
        forecast, history: where it comes from.
        levels: intervals charted, in per cent, the narrow one first.
        level: the interval in tables; None where the forecast holds none.
        unit: what is counted.
        total, items, places, categories: numbers; the latter two may not exist.
        series: numbers of each series.
        by_item, by_place, by_category: which series is where.
        order: items, the first the one to look at first.
        read: what happened to the rows.
        accuracy: of a saved backtest, if there is one.
        advice, item_advice: what analytics say of series and items, if they were asked.
        rates: of clicks, where these were forecast: then items are the series.
    """

    forecast: Forecast
    history: History
    levels: tuple[float, ...]
    level: float | None
    unit: str
    total: Block
    items: Block
    places: Block | None
    categories: Block | None
    series: Block
    by_item: Group
    by_place: Group | None
    by_category: Group | None
    order: NDArray[np.int64]
    read: ReadReport
    clip: tuple[float, float] | None
    accuracy: Accuracy | ClickAccuracy | None = None
    advice: Advice | None = None
    item_advice: ItemAdvice | None = None
    rates: Rates | None = None

    def summed_rates(self, group: Group) -> dict[str, Values]:
        """What is known of rates, summed over the items of each group; nothing of sales."""
        if self.rates is None:
            return {}
        of_item = np.zeros(len(self.by_item), np.int64)
        of_item[self.by_item.of_series] = group.of_series
        return self.rates.summed(of_item, len(group))


def gather(
    forecast: Forecast,
    panel: Panel,
    *,
    clip: tuple[float, float] | None = None,
    accuracy: Accuracy | ClickAccuracy | None = None,
    advice: Advice | None = None,
    ranking: Mapping[str, Column] | None = None,
) -> Content:
    """Sum up a forecast.

    Args:
        forecast: made from the panel.
        panel: the past.
        clip: what target and forecast were clipped to.
        accuracy: of a saved backtest.
        advice: what to act on first, of each distinct series; else the largest come first.
        ranking: of clicks, what `rates.ranking` says, for spend and return.
    """
    of_rates = None
    if isinstance(forecast, RateForecast):
        of_rates = clicks.each_rate_once(forecast)
        forecast = clicks.clicks_of(of_rates)
    forecast = each_once(forecast)
    keys, attributes = forecast.keys, panel.attributes
    if of_rates is not None:
        by_item, by_place, by_category = clicks.by_series(keys), None, clicks.by_first_key(keys)
    else:
        by_item = naming.by_item(keys, attributes)
        by_place = naming.by_place(keys, attributes)
        by_category = naming.by_category(keys, attributes)
    history = history_of(forecast, panel, item_column(keys), clip)
    one = Group("total", ["total"], [""], np.zeros(len(forecast), np.int64))
    make = _Summing(forecast, history)
    items, series = make.block(by_item), make.series()
    of_items = None
    if advice is not None:
        of_items = advice_of_items(advice, by_item, by_place, series.total)
    urgency = items.total if of_items is None else of_items.priority
    return Content(
        forecast=forecast,
        history=history,
        levels=make.levels,
        level=make.level,
        unit=_unit(panel),
        total=make.block(one, by_item, accuracy.totals if isinstance(accuracy, Accuracy) else ()),
        items=items,
        places=None if by_place is None else make.block(by_place),
        categories=None if by_category is None else make.block(by_category, by_item),
        series=series,
        by_item=by_item,
        by_place=by_place,
        by_category=by_category,
        order=np.lexsort((-items.total, -urgency)),
        read=panel.report,
        clip=clip,
        accuracy=accuracy,
        advice=advice,
        item_advice=of_items,
        rates=None
        if of_rates is None
        else clicks.rates_of(of_rates, panel, make.levels, ranking).take(
            np.argsort(by_item.of_series)
        ),
    )


class _Summing:
    """Makes blocks of numbers from one forecast and its past."""

    def __init__(self, forecast: Forecast, history: History) -> None:
        self.forecast, self.history = forecast, history
        self.is_count = history.panel.is_count
        self.is_positive = self.is_count or not (history.panel.target < 0).any()
        nearest = sorted(forecast.levels, key=lambda level: abs(level - _USUAL_LEVEL))
        self.levels = tuple(sorted(nearest[:_CHARTED]))
        self.level = nearest[0] if nearest else None
        self.variance = sums.variances(forecast, self.is_count)
        self.spread = sums.Spread.of(history.panel, forecast.horizon)

    def block(
        self, group: Group, members: Group | None = None, past_errors: Sequence[float] = ()
    ) -> Block:
        """Sums over groups; their variance is at least that of past errors of the sum.

        Args:
            group: which series are summed.
            members: sums whose errors go together within a group, such as items in a category;
                else the series themselves.
            past_errors: of such sums in a backtest, as shares of the truth.
        """
        size, codes = len(group), group.of_series
        if _is_one_each(group):  # whose quantiles are known
            return self.series().take(np.argsort(codes))
        mean, variance = self._sum(group, members)
        if not self.spread.is_known:
            variance = np.full_like(variance, np.nan)
        if past_errors:
            seen = float(np.mean(np.square(past_errors))) * mean**2
            variance = np.fmax(variance, seen)
        by_step = sums.Sums(mean, variance, self.is_count, self.is_positive)
        bands = np.zeros((*mean.shape, len(self.levels), 2))
        for at, level in enumerate(self.levels):
            bands[:, :, at, 0], bands[:, :, at, 1] = np.stack(by_step.interval(level))
        past = _sum_known(self.history, codes, size)
        return self._block(past, mean, variance, bands)

    def _sum(self, group: Group, members: Group | None) -> tuple[Values, Values]:
        """Mean and variance of the sums over groups, at each step, shape (groups, steps) each."""
        mean, variance = self.forecast.mean.astype(np.float64), self.variance
        codes, at, spread = group.of_series, self.history.at, self.spread
        if members is None:
            correlation = spread.correlation(codes[at])
            return sums.over_series(mean, variance, codes, len(group), correlation)
        mean, variance = self._sum(members, None)
        of_member = np.zeros(len(members), np.int64)
        of_member[members.of_series] = codes
        summed = spread.summed(members.of_series[at], len(members))
        correlation = summed.correlation(of_member)
        return sums.over_series(mean, variance, of_member, len(group), correlation)

    def series(self) -> Block:
        bands = np.zeros((*self.forecast.mean.shape, len(self.levels), 2))
        for at, level in enumerate(self.levels):
            bands[:, :, at, 0], bands[:, :, at, 1] = self.forecast.interval(level)
        mean = self.forecast.mean.astype(np.float64)
        return self._block(self.history.past.astype(np.float64), mean, self.variance, bands)

    def _block(self, past: Values, mean: Values, variance: Values, bands: Values) -> Block:
        steps = mean.shape[1]
        total = mean.sum(axis=1)
        low = high = np.full(len(mean), np.nan)
        if self.level is not None:
            if steps == 1:
                low, high = bands[:, 0, self.levels.index(self.level)].T
            else:
                summed = sums.Sums(
                    *sums.over_steps(mean, variance, self.spread.steps),
                    self.is_count,
                    self.is_positive,
                )
                low, high = (end[:, 0] for end in summed.interval(self.level))
        year = self.history.calendar.year
        return Block(
            past, mean, bands, total, low, high, _window(past, steps, 0), _window(past, steps, year)
        )


def _is_one_each(group: Group) -> bool:
    return bool((np.bincount(group.of_series, minlength=len(group)) == 1).all())


def _sum_known(history: History, codes: NDArray[np.int64], size: int) -> Values:
    """Sums over groups, shape (groups, periods).

    NaN where no series of the group has a value, and where series that make up more than 1% of
    the group miss theirs: the sum of the rest would look like a fall.
    """
    past = history.past
    known = np.isfinite(past)
    total = sums.add(np.where(known, past, 0), codes, size)
    unknown = sums.add(known.astype(np.float32), codes, size) == 0
    if history.missing.any():
        usual = np.abs(np.where(known, past, 0)).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        missed = sums.add(history.missing * usual[:, None], codes, size)
        unknown |= missed > _MISSED * sums.add(usual[:, None], codes, size)
    return np.where(unknown, np.nan, total)


def _window(past: Values, steps: int, back: int) -> Values:
    """Sum of the `steps` periods that lie `back` periods before the forecast, or just before."""
    end = past.shape[1] - max(back - steps, 0) if back else past.shape[1]
    if end - steps < 0 or (back and back < steps):
        return np.full(len(past), np.nan)
    window = past[:, end - steps : end]
    return np.where(np.isfinite(window).any(axis=1), np.nansum(window, axis=1), np.nan)


def _unit(panel: Panel) -> str:
    is_sales = panel.target_name in ("item_cnt_day", "item_cnt_month", "y")
    return "units" if is_sales and panel.is_count else panel.target_name.replace("_", " ").lower()


def title(content: Content) -> str:
    """What was forecast, in one line."""
    item, place = content.by_item, content.by_place
    what = "" if content.rates is None else "clicks of "
    items = f"{what}{len(item):,} {naming.plural(item.word) if len(item) != 1 else item.word}"
    when = periods.span(content.forecast.calendar)
    if place is None:
        return f"Forecast of {items} for {when}"
    places = f"{len(place):,} {naming.plural(place.word) if len(place) != 1 else place.word}"
    return f"Forecast of {items} in {places} for {when}"
