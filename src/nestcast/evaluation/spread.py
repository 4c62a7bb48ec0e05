"""How far the truth lay from past forecasts of the same size, as quantiles for the next ones.

A point forecast says nothing of its uncertainty. Here the past tells: at each past period the
method would have forecast something, and something happened. For counts, forecasts are sorted by
size into bins, and the truth of a bin, from 1 unit up as a multiple of the forecast, gives its
quantiles; so an interval of a slow seller begins at 0 as often as its sales do. For other targets,
errors are pooled in the same way and scaled to how large those of the series itself were, compared
with its bins. This is split-conformal calibration in groups of equal forecasts (V. Vovk et al.,
"Mondrian confidence machine", 2003).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_MOST_BINS = 40
_FEWEST_PER_BIN = 200
_PSEUDO_CELLS = 4.0  # cells of the usual size that a series' own errors are averaged with
_NEVER, _ZERO = 0, 1  # bins of forecasts of 0: nothing sold so far, and all others


def count_quantiles(
    past: tuple[Values, Values, NDArray[np.bool_]],
    future: tuple[Values, NDArray[np.bool_]],
    absent: int,
    probabilities: Sequence[float],
) -> Values:
    """Quantiles of counts, whole numbers.

    Example:
        >>> forecast = np.repeat([0.0, 2.0], 500)
        >>> actual = np.concatenate([np.zeros(500), np.tile([1, 2, 3, 4], 125)])
        >>> never = np.zeros(1000, bool)
        >>> future = np.array([0.0, 2.0]), np.array([False, False])
        >>> count_quantiles((forecast, actual, never), future, 0, [0.1, 0.5, 0.9])
        array([[0., 0., 0.],
               [1., 2., 4.]])

    Args:
        past: forecast, truth, and whether the series had sold nothing before, shape (cells,) each.
        future: the forecasts to spread, and the same of them, shape (series,) each.
        absent: further past cells of series that never sold, whose forecast and truth are 0.
        probabilities: levels, ascending.

    Returns:
        Shape (series, levels).
    """
    forecast, actual, never = past
    ahead, never_ahead = future
    above, above_ahead = forecast > 0, ahead > 0
    edges = _edges(forecast[above])
    bins = np.searchsorted(edges, forecast[above], side="right")
    # Forecasts far below 1 differ by orders of magnitude in one bin, and their truths do not.
    ratio = actual[above] / np.maximum(forecast[above], 1)
    by_size = _quantiles_of_bins(ratio, bins, len(edges) + 1, probabilities, empty=1.0)
    small = np.where(never[~above], _NEVER, _ZERO)
    by_past = _quantiles_of_bins(actual[~above], small, 2, probabilities, extra_zeros=absent)
    quantiles = np.where(
        above_ahead[:, None],
        by_size[np.searchsorted(edges, ahead, side="right")] * np.maximum(ahead, 1)[:, None],
        by_past[np.where(never_ahead, _NEVER, _ZERO)],
    )
    return np.asarray(np.rint(np.maximum(quantiles, 0)))


def real_quantiles(
    past: tuple[Values, Values, NDArray[np.int64]],
    future: Values,
    probabilities: Sequence[float],
) -> Values:
    """Quantiles of a real-valued target.

    Args:
        past: forecast, truth and number of the series, shape (cells,) each.
        future: the forecasts to spread, shape (series,).
        probabilities: levels, ascending.

    Returns:
        Shape (series, levels).
    """
    forecast, actual, series = past
    if len(forecast) == 0:
        return np.repeat(future[:, None], len(probabilities), axis=1)
    edges = _edges(np.abs(forecast))
    bins = np.searchsorted(edges, np.abs(forecast), side="right")
    error = actual - forecast
    size = np.bincount(bins, np.abs(error), minlength=len(edges) + 1)
    usual = (size / np.maximum(np.bincount(bins, minlength=len(edges) + 1), 1))[bins]
    cells = np.bincount(series, minlength=len(future))
    expected = np.bincount(series, usual, minlength=len(future)) / np.maximum(cells, 1)
    seen = np.bincount(series, np.abs(error), minlength=len(future)) / np.maximum(cells, 1)
    expected = np.maximum(np.where(cells > 0, expected, np.abs(error).mean()), 1e-9)
    # Geometric, so that a steady series among wild ones stays steady.
    relative = np.log(np.maximum(seen / expected, 1e-3))
    own = expected * np.exp(relative * cells / (cells + _PSEUDO_CELLS))
    every = np.zeros(len(error), np.int64)
    found = _quantiles_of_bins(error / own[series], every, 1, probabilities)
    return np.asarray(future[:, None] + own[:, None] * found)


def _edges(sizes: Values) -> Values:
    """Ends of bins of equal numbers of cells."""
    bins = min(_MOST_BINS, len(sizes) // _FEWEST_PER_BIN)
    if bins < 2:
        return np.empty(0)
    return np.unique(np.quantile(sizes, np.arange(1, bins) / bins))


def _quantiles_of_bins(
    values: Values,
    bins: NDArray[np.int64],
    count: int,
    probabilities: Sequence[float],
    extra_zeros: int = 0,
    empty: float = 0.0,
) -> NDArray[Any]:
    """Quantiles of the values in each bin: the smallest value that enough are at or below.

    Args:
        values, bins: shape (cells,).
        count: number of bins; an empty one takes from its neighbour.
        probabilities: levels.
        extra_zeros: further values of 0 in bin 0, where no value is below 0.
        empty: what to give if no bin has a value.

    Returns:
        Shape (count, levels).
    """
    order = np.lexsort([values, bins])
    ordered, first = values[order], np.searchsorted(bins[order], np.arange(count + 1))
    size = np.diff(first)
    zeros = np.zeros(count, np.int64)
    zeros[0] = extra_zeros
    p = np.asarray(probabilities)
    rank = np.ceil(p * (size + zeros)[:, None] - 1e-9).astype(np.int64) - 1 - zeros[:, None]
    at = np.clip(rank, 0, np.maximum(size - 1, 0)[:, None]) + first[:-1, None]
    padded = np.append(ordered, 0.0)
    result = np.where((rank < 0) & (zeros > 0)[:, None], 0.0, padded[np.minimum(at, len(ordered))])
    filled = size + zeros > 0
    if not filled.any():
        return np.full_like(result, empty)
    nearest = np.maximum.accumulate(np.where(filled, np.arange(count), -1))
    return np.asarray(result[np.where(nearest < 0, np.argmax(filled), nearest)])
