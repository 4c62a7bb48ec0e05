"""Kinds of series: by value (ABC), by pattern of demand, and by stage of life."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nestcast.data.keys import Column, Keys, item_column
from nestcast.data.panel import Panel
from nestcast.seller.groups import per_quarter

ABC = ("A", "B", "C")
PATTERNS = ("smooth", "erratic", "intermittent", "lumpy", "none")
STAGES = ("new", "growing", "steady", "declining", "ended")

_A, _B = 0.80, 0.95  # of all value
_ADI, _CV2 = 1.32, 0.49
_CHANGE = 0.25  # from which on an item grows or declines
_CHANCE = 2.0  # standard deviations that chance alone seldom exceeds


def abc_classes(value: ArrayLike, groups: NDArray[np.int64] | None = None) -> Column:
    """A for the most valuable that make up 80% of all value, B up to 95%, C for the rest.

    Whichever crosses 80% is still an A, so that there is always one; what has no value is a C.
    (H. F. Dickie, "ABC inventory analysis shoots for dollars not pennies", 1951.)

    Example:
        >>> abc_classes([70, 15, 10, 3, 2, 0]).tolist()
        ['A', 'A', 'B', 'C', 'C', 'C']

    Args:
        value: such as expected revenue, shape (series,).
        groups: number of the item of each series, whose values are added up first; each series
            has the class of its item.

    Returns:
        `A`, `B` or `C`, shape (series,).
    """
    each = np.nan_to_num(np.asarray(value, np.float64)).clip(min=0)
    codes = np.arange(len(each)) if groups is None else groups
    summed = np.bincount(codes, each)
    order = np.argsort(-summed, kind="stable")
    before = np.cumsum(summed[order]) - summed[order]
    # A rounding error of the sum must not push what stands exactly at 80% over it.
    share = before / max(summed.sum(), 1e-300) + 1e-9
    rank = np.empty(len(summed), np.int64)
    rank[order] = np.where(summed[order] > 0, np.searchsorted([_A, _B], share, side="right"), 2)
    return np.array(ABC)[rank][codes]


def demand_patterns(panel: Panel, keys: Keys) -> Column:
    """Smooth, erratic, intermittent or lumpy; `none` for series that never sold.

    With ADI the periods since the first row over those with demand, and CV2 the squared coefficient
    of variation of the demand in these: intermittent from ADI 1.32 on, erratic from CV2 0.49 on,
    lumpy from both on. (A. A. Syntetos, J. E. Boylan and J. D. Croston, "On the categorization
    of demand patterns", 2005.)

    Example:
        >>> from nestcast.data import Calendar
        >>> panel = Panel(
        ...     Keys({"item_id": np.arange(4)}),
        ...     Calendar("1mo", np.datetime64("2024-01-01"), 4),
        ...     np.array(
        ...         [[2, 3, 2, 3], [1, 9, 1, 1], [1, 0, 0, 1], [1, 0, 9, 0]],
        ...         np.float32,
        ...     ),
        ...     np.zeros(4, np.int32),
        ... )
        >>> demand_patterns(panel, Keys({"item_id": np.arange(5)})).tolist()
        ['smooth', 'erratic', 'intermittent', 'lumpy', 'none']

    Args:
        panel: the past.
        keys: the series asked for.

    Returns:
        Names out of `PATTERNS`, shape (series,).
    """
    at = panel.keys.locate(keys)
    known = np.flatnonzero(at >= 0)
    demand = np.nan_to_num(panel.target[at[known]]).clip(min=0).astype(np.float64)
    times = (demand > 0).sum(axis=1)
    total = demand.sum(axis=1)
    squares = (demand**2).sum(axis=1)
    mean = total / np.maximum(times, 1)
    variance = np.maximum(squares - times * mean**2, 0) / np.maximum(times - 1, 1)
    periods = len(panel.calendar) - panel.start[at[known]]
    adi = periods / np.maximum(times, 1)
    cv2 = variance / np.where(mean > 0, mean, 1) ** 2
    pattern = np.where(times > 0, (cv2 >= _CV2) + 2 * (adi >= _ADI), 4)
    found = np.full(len(keys), 4)
    found[known] = pattern
    return np.asarray(np.array(PATTERNS)[found])


def life_cycles(panel: Panel, keys: Keys) -> Column:
    """New, growing, steady, declining or ended, of the item over all its series.

    One shop sells too little of most items to tell. With a quarter of a year as the unit: an item
    is new if its first row is in the last quarter, or if there is none; ended if it sold before
    and nothing in the last quarter; growing or declining if the last quarter differs from the
    same one a year ago (or, for younger items, from the quarter before) by more than a
    quarter, and by more than chance explains: for counts twice the square root of the two
    quarters' sum, two standard deviations of the difference of two Poisson counts.

    Example:
        >>> from nestcast.data import Calendar
        >>> sold = np.repeat([[9, 9, 9, 9], [9, 9, 9, 4], [9, 9, 9, 20], [9, 9, 0, 0]], 3, axis=1)
        >>> panel = Panel(
        ...     Keys({"item_id": np.arange(4)}),
        ...     Calendar("1mo", np.datetime64("2024-01-01"), 12),
        ...     sold.astype(np.float32),
        ...     np.zeros(4, np.int32),
        ... )
        >>> life_cycles(panel, Keys({"item_id": np.arange(5)})).tolist()
        ['steady', 'declining', 'growing', 'ended', 'new']

    Args:
        panel: the past.
        keys: the series asked for.

    Returns:
        Names out of `STAGES`, shape (series,).
    """
    item = item_column(panel.keys)
    items, codes = np.unique(panel.keys[item], return_inverse=True)
    time, quarter, year = len(panel.calendar), per_quarter(panel), panel.calendar.year
    start = np.full(len(items), time)
    np.minimum.at(start, codes, panel.start)
    sold = np.nan_to_num(panel.target).astype(np.float64)

    def of_quarter(end: int) -> NDArray[np.float64]:
        window = sold[:, max(end - quarter, 0) : max(end, 0)].sum(axis=1)
        return np.bincount(codes, window, len(items)).clip(min=0)

    now, before, year_ago = (of_quarter(time - back) for back in (0, quarter, year))
    begun = start <= time - year - quarter  # a whole quarter a year ago to compare with
    before = np.where(begun, year_ago, before)
    chance = _CHANCE * np.sqrt(now + before) if panel.is_count else 0.0
    change = now - before
    clear = np.abs(change) > np.maximum(_CHANGE * before, chance)
    stage = np.where(clear, np.where(change > 0, 1, 3), 2)
    stage[now <= 0] = 4
    stage[start >= time - quarter] = 0
    at = Keys({item: items}).locate(Keys({item: keys[item]}))
    return np.array(STAGES)[np.where(at >= 0, stage[at], 0) if len(items) else np.zeros_like(at)]
