"""What was sold on each day, in all and by group: what months and weeks no longer tell."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nestcast.data.calendar import Calendar, Dates
from nestcast.data.engine import Engine
from nestcast.data.keys import Column
from nestcast.data.panel import Attributes, DailyTotals

_MOST_GROUPS = 1000
_FEWEST_DAYS = 0.5  # of all days; rows on fewer are stamped by week or month


def daily_totals(
    engine: Engine,
    names: Sequence[str],
    calendar: Calendar,
    days: Dates,
    attributes: Mapping[str, Attributes],
) -> DailyTotals | None:
    """Sums of the target by day, over all series and by each column of few values.

    Args:
        engine: holds `rows` and, of each key, its `codes`.
        names: the key columns.
        calendar: the periods of the panel.
        days: distinct days on which there are rows.
        attributes: of keys; those that are whole numbers, such as a category, group them.

    Returns:
        None where periods are days, or rows are of too few days to be daily.
    """
    first, end = calendar.starts()[0], calendar.ends()[-1] + np.timedelta64(1, "D")
    length = int((end - first).astype(np.int64))
    inside = int(((days >= first) & (days < end)).sum())
    if calendar.freq not in ("1w", "1mo") or inside < _FEWEST_DAYS * length:
        return None
    (largest,) = engine.row("SELECT max(abs(y)) FROM rows WHERE reason = 0")
    # Whole multiples of a power of two, as in the panel: exact in whichever order they are added.
    scale = min(62 - math.frexp(largest or 0.0)[1], 1000)
    amount = f"sum(CAST(y * {2.0**scale:.17e} AS BIGINT))"

    def sums(group: str, joins: str, groups: int) -> NDArray[np.float64]:
        found = engine.arrays(
            f"SELECT {group} AS g, day - DATE '{first}' AS d, {amount} AS y FROM rows{joins} "
            f"WHERE reason = 0 AND day >= DATE '{first}' AND day < DATE '{end}' GROUP BY ALL"
        )
        totals = np.zeros((groups, length))
        totals[found["g"], found["d"]] = np.ldexp(found["y"].astype(np.float64), -scale)
        return totals

    result = DailyTotals(first, sums("0", "", 1)[0])
    by = {}
    for at, name, values, code in _groupings(engine, names, attributes):
        distinct, group = np.unique(values, return_inverse=True)
        if len(distinct) <= _MOST_GROUPS:
            with engine.table(code=code, g=group.astype(np.int64)) as table:
                joins = f" JOIN codes{at} ON codes{at}.k = k{at} JOIN {table} USING (code)"
                by[name] = distinct, sums("g", joins, len(distinct))
    return replace(result, by=by)


def _groupings(
    engine: Engine, names: Sequence[str], attributes: Mapping[str, Attributes]
) -> Iterator[tuple[int, str, Column, NDArray[np.int64]]]:
    """Number of a key, name of a column, and its value for each code of the key."""
    for at, key in enumerate(names):
        found = engine.arrays(f"SELECT DISTINCT code, v FROM codes{at} ORDER BY code")
        code, values = found["code"].astype(np.int64), np.ma.getdata(found["v"])
        values = values.astype(np.str_) if values.dtype == object else values
        yield at, key, values, code
        if key in attributes:
            where = attributes[key].positions(values)
            for name, column in attributes[key].columns.items():
                if column.dtype.kind in "iu":
                    yield at, name, column[where[where >= 0]], code[where >= 0]
