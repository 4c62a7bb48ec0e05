"""Kinds of series, by what was known at the origin: how new they are, and how much they sold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nestcast.data.keys import Keys
from nestcast.data.panel import Panel

Codes = NDArray[np.int64]

ALL = "all"
NEWNESS = ("pair known", "pair new", "item new")
VOLUMES = ("volume none", "volume low", "volume middle", "volume high")


def newness(known: Panel, asked: Keys, item: str) -> Codes:
    """Whether each series had a row by the origin, or at least its item had: index in `NEWNESS`."""
    pair = known.keys.locate(asked) >= 0
    seen = Keys({item: known.keys[item]}).locate(Keys({item: asked[item]})) >= 0
    return np.where(pair, 0, np.where(seen, 1, 2)).astype(np.int64)


def volume(known: Panel, asked: Keys) -> Codes:
    """How much each series sold in the year before the origin: index in `VOLUMES`.

    Series that sold something are cut into three classes of equal number by their mean absolute
    target (for clicks: impressions) per period since they began.

    Args:
        known: the panel at the origin.
        asked: the series, shape (asked,).
    """
    at = known.keys.locate(asked)
    time = len(known.calendar)
    since = np.maximum(known.start, time - known.calendar.year)
    size = known.target if known.exposure is None else known.exposure
    used = (np.arange(time) >= since[:, None]) & np.isfinite(size)
    total = np.where(used, np.abs(size), 0).sum(axis=1, dtype=np.float64)
    mean = np.append(total / np.maximum(used.sum(axis=1), 1), 0.0)[at]  # absent ones take the last
    if not (mean > 0).any():
        return np.zeros(len(asked), np.int64)
    edges = np.quantile(mean[mean > 0], [1 / 3, 2 / 3])
    return np.where(mean > 0, 1 + np.searchsorted(edges, mean), 0).astype(np.int64)
