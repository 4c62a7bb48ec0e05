"""Scores of one forecast as sums, from which every metric of every segment and draw follows.

Each metric is a ratio of two sums over series (and for RMSE the root of one), so that sums by cell
of (cluster, segment) are all that must be kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nestcast.evaluation import metrics
from nestcast.evaluation.origins import Origin
from nestcast.evaluation.segments import ALL, NEWNESS, VOLUMES, newness, volume
from nestcast.forecast import Forecast

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


def cells_of(origin: Origin, item: str, segments: Mapping[str, Segment] | None = None) -> Cells:
    """Gather the series of an origin.

    Args:
        origin: the series.
        item: key column of the item.
        segments: further segments, name -> function that tells which series are in it.
    """
    new, sold = newness(origin.known, origin.asked, item), volume(origin.known, origin.asked)
    own = {name: np.asarray(belongs(origin), bool) for name, belongs in (segments or {}).items()}
    cluster = np.unique(origin.asked[item], return_inverse=True)[1]
    code = (cluster * len(NEWNESS) + new) * len(VOLUMES) + sold
    for belongs in own.values():
        code = 2 * code + belongs
    _, first, of_series, size = np.unique(
        code, return_index=True, return_inverse=True, return_counts=True
    )
    return Cells(
        of_series,
        origin.asked[item][first],
        new[first],
        sold[first],
        {name: belongs[first] for name, belongs in own.items()},
        size,
    )


def score(
    origin: Origin, forecast: Forecast, cells: Cells, seasonality: int = 1
) -> dict[str, Values]:
    """Sums of every metric over every cell: name -> (cells, 2), numerator and denominator."""
    size = len(cells.size)
    return {
        name: np.stack(
            [np.bincount(cells.of_series, part, minlength=size) for part in pieces], axis=1
        )
        for name, pieces in _pieces(origin, forecast, seasonality).items()
    }


def ratio(name: str, numerator: Values, denominator: Values) -> Values:
    """The metric that the sums make, NaN where there is nothing to measure."""
    value = np.where(denominator > 0, numerator / np.where(denominator > 0, denominator, 1), np.nan)
    return np.asarray(np.sqrt(value) if name in _ROOTS else value)


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
