"""What the page of clicks says besides clicks: rates, impressions, spend and return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nestcast.data.keys import Column, Keys
from nestcast.data.panel import Panel
from nestcast.forecast import Forecast
from nestcast.rateforecast import RateForecast
from nestcast.report.history import SHOWN
from nestcast.report.naming import Group, joined

Values = NDArray[np.float64]

RATE = "click rate, %"
_PER_CENT = 100.0
_MONEY = ("cost", "revenue", "return")


@dataclass(frozen=True, eq=False)
class Rates:
    """Clicks in 100 impressions, of each series.

    Args:
        past: shape (series, periods), NaN where there were no impressions.
        mean: expected, shape (series, steps).
        bands: low and high of each charted interval, shape (series, steps, intervals, 2).
        columns: further numbers by name, shape (series,): the rate over all steps, impressions
            and, where given, cost, revenue and return.
    """

    past: Values
    mean: Values
    bands: Values
    columns: dict[str, Values]

    def take(self, index: NDArray[np.int64]) -> Rates:
        """Some of the series."""
        columns = {name: values[index] for name, values in self.columns.items()}
        return Rates(self.past[index], self.mean[index], self.bands[index], columns)

    def summed(self, groups: NDArray[np.int64], size: int) -> dict[str, Values]:
        """The columns of groups of series, shape (groups,)."""
        weights = {name: np.nan_to_num(values) for name, values in self.columns.items()}
        weights[RATE] = weights[RATE] * weights["impressions"]
        found: dict[str, Values] = {
            name: np.asarray(np.bincount(groups, one, size), np.float64)
            for name, one in weights.items()
        }
        with np.errstate(divide="ignore", invalid="ignore"):
            found[RATE] /= found["impressions"]
            if "cost" in found:
                found["return"] = np.where(
                    found["cost"] > 0, found["revenue"] / found["cost"], np.nan
                )
        return found


def clicks_of(forecast: RateForecast) -> Forecast:
    """The clicks that rates and impressions make, as a forecast of counts."""
    return Forecast(
        keys=forecast.keys,
        calendar=forecast.calendar,
        mean=forecast.clicks.astype(np.float32),
        probabilities=forecast.probabilities,
        quantiles=forecast.clicks_quantiles().astype(np.float32),
        target_name="clicks",
        time_name=forecast.time_name,
    )


def each_rate_once(forecast: RateForecast) -> RateForecast:
    """The forecast without series that were asked for a second time."""
    first, spread = forecast.keys.first_of_each(), forecast.exposure_dispersion
    return replace(
        forecast,
        keys=forecast.keys.take(first),
        mean=forecast.mean[first],
        quantiles=forecast.quantiles[first],
        concentration=forecast.concentration[first],
        exposure=forecast.exposure[first],
        exposure_dispersion=None if spread is None else spread[first],
    )


def rates_of(
    forecast: RateForecast,
    panel: Panel,
    levels: tuple[float, ...],
    ranking: Mapping[str, Column] | None,
) -> Rates:
    """Gather what is known of the rates.

    Args:
        forecast: each series once.
        panel: the past.
        levels: intervals to chart, in per cent.
        ranking: what `rates.ranking` says, for spend and return.
    """
    assert panel.exposure is not None
    rows = panel.keys.locate(forecast.keys)
    shown = SHOWN[panel.calendar.freq]
    clicks, impressions = panel.target[rows, -shown:], panel.exposure[rows, -shown:]
    on = (impressions > 0) & (rows >= 0)[:, None]
    past = np.where(on, clicks / np.where(on, impressions, 1), np.nan)
    bands = [np.stack(forecast.interval(level), axis=-1) for level in levels]
    total = forecast.exposure.sum(axis=1, dtype=np.float64)
    rate = forecast.clicks.sum(axis=1) / np.where(total > 0, total, 1)
    rate = np.where(total > 0, rate, forecast.mean.mean(axis=1))
    columns = {RATE: _PER_CENT * rate, "impressions": total}
    if ranking is not None:
        keys = Keys({name: ranking[name] for name in forecast.keys.names})
        at = keys.locate(forecast.keys)
        for name in _MONEY:
            if name in ranking:
                columns[name] = np.where(at >= 0, ranking[name][at], np.nan).astype(np.float64)
    return Rates(
        _PER_CENT * past,
        _PER_CENT * forecast.mean.astype(np.float64),
        _PER_CENT * np.stack(bands, axis=2).astype(np.float64)
        if bands
        else np.zeros((*forecast.mean.shape, 0, 2)),
        columns,
    )


def by_series(keys: Keys) -> Group:
    """Each series by itself, called by all of its keys."""
    return replace(joined(keys, keys.names), word="series")


def by_first_key(keys: Keys) -> Group | None:
    """Gather by the first key, such as the campaign; None where it is the only one."""
    return joined(keys, keys.names[:1]) if len(keys.names) > 1 else None
