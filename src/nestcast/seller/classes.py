"""Kinds of series: by value (ABC), by pattern of demand, and by stage of life."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nestcast.data.keys import Column, Keys
from nestcast.data.panel import Panel

ABC = ("A", "B", "C")
PATTERNS = ("smooth", "erratic", "intermittent", "lumpy", "none")
STAGES = ("new", "growing", "steady", "declining", "ended")


def abc_classes(value: ArrayLike, groups: NDArray[np.int64] | None = None) -> Column:
    """A for the most valuable that make up 80% of all value, B up to 95%, C for the rest.

    Args:
        value: such as expected revenue, shape (series,).
        groups: number of the item of each series, whose values are added up first; each series
            has the class of its item.

    Returns:
        `A`, `B` or `C`, shape (series,).
    """
    raise NotImplementedError


def demand_patterns(panel: Panel, keys: Keys) -> Column:
    """Smooth, erratic, intermittent or lumpy; `none` for series that never sold.

    Args:
        panel: the past.
        keys: the series asked for.

    Returns:
        Names out of `PATTERNS`, shape (series,).
    """
    raise NotImplementedError


def life_cycles(panel: Panel, keys: Keys) -> Column:
    """New, growing, steady, declining or ended.

    Args:
        panel: the past.
        keys: the series asked for.

    Returns:
        Names out of `STAGES`, shape (series,).
    """
    raise NotImplementedError
