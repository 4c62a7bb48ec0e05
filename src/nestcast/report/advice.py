"""What analytics say of the series of a forecast: what to act on first, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nestcast.data.keys import Column
from nestcast.report.naming import Group
from nestcast.report.sums import add

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Advice:
    """One entry for each series of a forecast.

    Args:
        priority: higher is more urgent, shape (series,).
        why: the reason in words, shape (series,); empty where there is none.
        stock: units on hand, shape (series,), NaN where not known; None where no stock is known.
        order: units to order now, likewise.
        classes: kind of class, such as `ABC`, -> class of each series, shape (series,).
        notes: sentences to read with the ranking.
    """

    priority: Values
    why: Sequence[str]
    stock: Values | None = None
    order: Values | None = None
    classes: Mapping[str, Column] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ItemAdvice:
    """The same for items.

    Args:
        priority: sum of that of its series, shape (items,).
        why: the reason of its most urgent series, shape (items,).
        stock: sum of what is known, shape (items,), NaN where nothing is; None without any stock.
        order: likewise.
        classes: kind of class -> names of the classes, and class of each item, shape (items,).
    """

    priority: Values
    why: list[str]
    stock: Values | None
    order: Values | None
    classes: dict[str, tuple[list[str], NDArray[np.int64]]]


def of_items(advice: Advice, items: Group, places: Group | None, size: Values) -> ItemAdvice:
    """Gather advice by item.

    Args:
        advice: of the series.
        items: item of each series.
        places: place of each series, which reasons then name.
        size: of each series, shape (series,); an item's class is that of its largest series.
    """
    codes, count = items.of_series, len(items)
    urgent, largest = (_largest(values, codes, count) for values in (advice.priority, size))
    alone = np.bincount(codes, minlength=count) == 1
    why = []
    for item, at in enumerate(urgent.tolist()):
        place = "" if places is None or alone[item] else places.names[places.of_series[at]]
        reason = advice.why[at]
        why.append(f"most urgent in {place}: {reason}" if place and reason else reason)
    priority = add(advice.priority[:, None], codes, count)[:, 0]
    stock, order = (_sum_known(values, codes, count) for values in (advice.stock, advice.order))
    classes = {}
    for kind, values in advice.classes.items():
        names, of_series = np.unique(values.astype(str), return_inverse=True)
        classes[kind] = (list(names.tolist()), of_series[largest].astype(np.int64))
    return ItemAdvice(priority, why, stock, order, classes)


def _sum_known(values: Values | None, codes: NDArray[np.int64], count: int) -> Values | None:
    if values is None:
        return None
    known = np.isfinite(values)
    total = add(np.where(known, values, 0)[:, None], codes, count)[:, 0]
    total[np.bincount(codes[known], minlength=count) == 0] = np.nan
    return total


def _largest(values: Values, codes: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Position of the largest value of each group, shape (groups,)."""
    order = np.lexsort((values, codes))
    last = np.searchsorted(codes[order], np.arange(count), side="right") - 1
    return np.asarray(order[last])
