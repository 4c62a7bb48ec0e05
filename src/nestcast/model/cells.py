"""The past cells (series, period) that are like those asked for.

Whoever asks for every shop and every item that sell in a month asks of another population than who
asks for the series on record: most of the former never sold. What is learned of the past, by a
model or for intervals, is learned on the cells that the same question would have named then.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nestcast.data.keys import Keys
from nestcast.data.panel import Floats, Panel
from nestcast.errors import OptionError
from nestcast.model.groups import Grouping
from nestcast.model.population import from_listing, with_series

_NEARLY_ALL = 0.9
_LARGEST_GRID = 50_000_000


@dataclass(frozen=True, eq=False)
class Cells:
    """Which cells of a panel the question would have named.

    Args:
        asked: whether it names the cell, shape (series, time).
        absent: cells it names of series that the panel does not hold, which never sold,
            shape (time,).
    """

    asked: NDArray[np.bool_]
    absent: NDArray[np.int64]


def is_grid(asked: Keys) -> bool:
    """Whether the series asked for are (nearly) every combination of their key values.

    Example:
        >>> shop, item = np.divmod(np.arange(6), 3)
        >>> is_grid(Keys({"shop_id": shop, "item_id": item}))
        True
        >>> is_grid(Keys({"shop_id": np.array([0, 1, 2]), "item_id": np.array([0, 1, 2])}))
        False
    """
    if len(asked.names) < 2 or len(asked) == 0:
        return False
    combinations = np.prod([len(np.unique(asked[name])) for name in asked.names], dtype=float)
    return len(asked.first_of_each()) >= _NEARLY_ALL * float(combinations)


def names_grid(asked: Keys, panel: Panel) -> bool:
    """Whether a grid is asked for that is not just what is on record.

    Whoever names shops and items that way says that these will sell. A complete record says nothing
    of the kind: there are shops in it that closed for good.
    """
    known = len(asked) == len(panel) and bool((panel.keys.locate(asked) >= 0).all())
    return is_grid(asked) and not known


def every_combination(keys: Keys) -> Keys:
    """Every combination of the values in each column.

    Example:
        >>> keys = Keys({"shop_id": np.array([1, 2]), "item_id": np.array([8, 9])})
        >>> every_combination(keys)["item_id"]
        array([8, 9, 8, 9])

    Raises:
        OptionError: there are too many.
    """
    values = [np.unique(keys[name]) for name in keys.names]
    if math.prod(map(len, values)) > _LARGEST_GRID:
        sizes = " x ".join(f"{len(one):,}" for one in values)
        raise OptionError(f"the grid of {sizes} series is too large: ask for the known series.")
    axes = np.meshgrid(*(np.arange(len(one)) for one in values), indexing="ij")
    columns = zip(keys.names, values, axes, strict=True)
    return Keys({name: one[axis.ravel()] for name, one, axis in columns})


def asked_before(panel: Panel, periods: Sequence[int], grid: bool) -> list[Keys]:
    """The series that would have been asked for in each of some past periods.

    Args:
        panel: what is known.
        periods: numbers of periods that are known.
        grid: whether a grid is asked for, see `names_grid`: every combination of the key values
            that sell; else the series that have begun.
    """
    if not grid:
        start = from_listing(panel).start
        return [panel.keys.take(start <= period) for period in periods]
    sells = np.isfinite(panel.target) & (panel.target != 0)
    return [every_combination(panel.keys.take(sells[:, period])) for period in periods]


def cells_like(panel: Panel, grid: bool) -> Cells:
    """The cells that the same question would have named in each period of the panel.

    Args:
        panel: what is known, and the series asked for.
        grid: as for `asked_before`.
    """
    begun = np.arange(len(panel.calendar)) >= panel.start[:, None]
    if not grid:
        return Cells(begun, np.zeros(len(panel.calendar), np.int64))
    named = np.ones_like(begun)
    combinations = np.ones(len(panel.calendar), np.int64)
    grouping = Grouping(panel)
    for name in panel.keys.names:
        code = grouping.key(name)[1]
        sold = sold_by_value(panel, code)
        named &= sold[code]
        combinations *= sold.sum(axis=0)
    return Cells(named, np.maximum(combinations - named.sum(axis=0), 0))


def sold_by_value(panel: Panel, code: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each value of a key sold anything in each period, shape (values, time).

    Args:
        panel: the series.
        code: the value of each series, from 0, shape (series,).
    """
    sold = np.zeros((code.max(initial=-1) + 1, len(panel.calendar)), bool)
    series, period = np.nonzero(np.isfinite(panel.target) & (panel.target != 0))
    sold[code[series], period] = True
    return sold


def listed_pairs(panel: Panel, most: int, generator: np.random.Generator) -> tuple[Keys, float]:
    """Pairs of two keys that the panel does not hold, though both sold in some same period.

    Args:
        panel: with two key columns.
        most: at most so many pairs, drawn evenly.
        generator: for the draw.

    Returns:
        The pairs, and the share of all such pairs that they are.
    """
    grouping = Grouping(panel)
    (first_values, first), (second_values, second) = map(grouping.key, panel.keys.names)
    sold = [sold_by_value(panel, code).astype(np.float32) for code in (first, second)]
    together = sold[0] @ sold[1].T > 0
    together[first, second] = False
    rows, columns = np.nonzero(together)
    share = min(1.0, most / max(len(rows), 1))
    if share < 1:
        drawn = np.sort(generator.choice(len(rows), most, replace=False))
        rows, columns = rows[drawn], columns[drawn]
    values = first_values[rows], second_values[columns]
    return Keys(dict(zip(panel.keys.names, values, strict=True))), share


def learned_from(
    panel: Panel, asked: Keys, generator: np.random.Generator
) -> tuple[Panel, Floats, NDArray[np.bool_] | None]:
    """The series to learn from, how many each one stands for, and which of their cells count.

    Who asks for a grid of shops and items gets a model of such grids: in every period all pairs
    whose shop and item both sold then, most of which never sold. As many of those as there are
    others are drawn, and weigh the more.

    Args:
        panel: what was read.
        asked: the series to forecast.
        generator: for the draw.

    Returns:
        The series, a weight for each, and for a grid the cells, shape (series, time).
    """
    grid = names_grid(asked, panel)
    panel = with_series(panel, asked)[0]
    weight = np.ones(len(panel), np.float32)
    if not grid or len(asked.names) != 2:
        return panel, weight, None
    pairs, share = listed_pairs(panel, len(panel), generator)
    panel = with_series(panel, pairs)[0]
    weight = np.append(weight, np.full(len(pairs), 1 / share, np.float32))
    return panel, weight, cells_like(panel, grid).asked
