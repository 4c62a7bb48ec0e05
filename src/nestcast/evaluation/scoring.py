"""Scores of one forecast as sums, from which every metric of every segment and draw follows.

Each metric is a ratio of two sums over series (and for RMSE the root of one), or for clicks some
other function of a few sums, so that sums by cell of (cluster, segment) are all that must be kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nestcast.evaluation import click_scoring, metrics
from nestcast.evaluation.origins import Origin
from nestcast.evaluation.segments import ALL, NEWNESS, VOLUMES, newness, volume
from nestcast.forecast import Forecast
from nestcast.rateforecast import RateForecast

Values = NDArray[np.float64]
Segment = Callable[[Origin], NDArray[np.bool_]]  # which of the series asked for are in it

_ROOTS = frozenset({"rmse"})


@dataclass(frozen=True, eq=False)
class Cells:
    """The series asked for at one origin, gathered by item and segments.

    Args:
        of_series: cell of each series, shape (series,).
        cluster: value of the item's key in each cell, shape (cells,).
        newness, volume: positions in `NEWNESS` and `VOLUMES`, shape (cells,).
        own: further segments, name -> whether a cell is in it, shape (cells,).
        size: series in each cell, shape (cells,).
    """

    of_series: NDArray[np.int64]
    cluster: NDArray[np.generic]
    newness: NDArray[np.int64]
    volume: NDArray[np.int64]
    own: Mapping[str, NDArray[np.bool_]]
    size: NDArray[np.int64]

    @property
    def segments(self) -> tuple[str, ...]:
        """All segments, in the order of tables."""
        return (ALL, *NEWNESS, *VOLUMES, *self.own)

    def members(self, segment: str) -> NDArray[np.bool_]:
        """The cells of a segment, shape (cells,)."""
        if segment == ALL:
            return np.ones(len(self.size), bool)
        if segment in NEWNESS:
            return np.asarray(self.newness == NEWNESS.index(segment))
        if segment in VOLUMES:
            return np.asarray(self.volume == VOLUMES.index(segment))
        return self.own[segment]


def cells_of(
    origin: Origin,
    item: str,
    segments: Mapping[str, Segment] | None = None,
    *,
    by_series: bool = False,
) -> Cells:
    """Gather the series of an origin.

    Args:
        origin: the series.
        item: key column of the item.
        by_series: whether each series is a cluster of its own, and not each item.
        segments: further segments, name -> function that tells which series are in it.
    """
    new, sold = newness(origin.known, origin.asked, item), volume(origin.known, origin.asked)
    own = {name: np.asarray(belongs(origin), bool) for name, belongs in (segments or {}).items()}
    named = _joined(origin) if by_series else origin.asked[item]
    cluster = np.unique(named, return_inverse=True)[1]
    code = (cluster * len(NEWNESS) + new) * len(VOLUMES) + sold
    for belongs in own.values():
        code = 2 * code + belongs
    _, first, of_series, size = np.unique(
        code, return_index=True, return_inverse=True, return_counts=True
    )
    return Cells(
        of_series,
        named[first],
        new[first],
        sold[first],
        {name: belongs[first] for name, belongs in own.items()},
        size,
    )


def score(
    origin: Origin, forecast: Forecast, cells: Cells, seasonality: int = 1
) -> dict[str, Values]:
    """Sums of every metric over every cell: name -> (cells, sums), see `value`."""
    size = len(cells.size)
    if origin.exposure is None:
        found: Mapping[str, tuple[Values, ...]] = _pieces(origin, forecast, seasonality)
    else:
        assert isinstance(forecast, RateForecast)
        found = click_scoring.pieces(origin, forecast)
    return {
        name: np.stack(
            [np.bincount(cells.of_series, part, minlength=size) for part in pieces], axis=1
        )
        for name, pieces in found.items()
    }


def value(name: str, sums: Values) -> Values:
    """The metric that sums make, from (..., sums) to (...); NaN where there is nothing to measure.

    The sums are a numerator and a denominator, for metrics of clicks see `click_scoring.pieces`.
    """
    if name in click_scoring.VALUES:
        return click_scoring.VALUES[name](sums)
    found = click_scoring.over(sums[..., 0], sums[..., 1])
    return np.asarray(np.sqrt(found) if name in _ROOTS else found)


def is_pooled(name: str) -> bool:
    """Whether a metric is of all origins together, rather than the mean over them.

    Those of clicks are: each impression counts the same, on whatever day it came.
    """
    return name in click_scoring.VALUES or name.endswith("-weighted")


def _joined(origin: Origin) -> NDArray[np.str_]:
    """All key values of each series as one text."""
    columns = [origin.asked[name].astype(str) for name in origin.asked.names]
    joined = columns[0]
    for column in columns[1:]:
        joined = np.char.add(np.char.add(joined, "|"), column)
    return np.asarray(joined)


def _pieces(
    origin: Origin, forecast: Forecast, seasonality: int
) -> dict[str, tuple[Values, Values]]:
    """Numerator and denominator of each metric for each series, shape (series,) each."""
    actual, mean = origin.actual, forecast.mean.astype(np.float64)
    quantiles, p = forecast.quantiles.astype(np.float64), forecast.probabilities
    known = np.isfinite(actual)
    error = np.where(known, mean - actual, 0.0)
    count = known.sum(axis=1).astype(np.float64)
    history = _history(origin)
    absolute, squared = (metrics.naive_scale(history, seasonality, power) for power in (1, 2))

    def total(values: Values) -> Values:
        return np.asarray(np.where(known, values, 0.0).sum(axis=1))

    def per_series(values: Values) -> tuple[Values, Values]:
        finite = np.isfinite(values)
        return np.where(finite, values, 0.0), finite.astype(np.float64)

    pieces = {
        "rmse": (total(error**2), count),
        "mae": (total(np.abs(error)), count),
        "wape": (total(np.abs(error)), total(np.abs(actual))),
        "bias": (total(error), count),
        "rmsse": per_series(metrics.root_squared_scaled_error(actual, mean, squared)),
        "mase": per_series(metrics.absolute_scaled_error(actual, mean, absolute)),
        "quantile-loss": (total(metrics.pinball(actual, quantiles, p).mean(axis=-1)), count),
        "crps": (total(metrics.crps_of_quantiles(actual, quantiles, p)), count),
    }
    for level in forecast.levels:
        low, high = (end.astype(np.float64) for end in forecast.interval(level))
        pieces[f"coverage-{level:g}"] = (total(metrics.covered(actual, low, high)), count)
        pieces[f"width-{level:g}"] = (total(high - low), count)
    return pieces


def _history(origin: Origin) -> Values:
    """The past of each series asked for, NaN where it has none, shape (series, time)."""
    known = origin.known
    begun = np.arange(len(known.calendar)) >= known.start[:, None]
    past = np.where(begun, known.target, np.nan).astype(np.float64)
    nothing = np.full((1, past.shape[1]), np.nan)
    return np.concatenate([past, nothing])[known.keys.locate(origin.asked)]
