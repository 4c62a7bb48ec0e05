"""From checked rows to dense arrays."""

from __future__ import annotations

from dataclasses import dataclass
from math import frexp

import numpy as np
from numpy.typing import NDArray

from nestcast.data.calendar import Calendar
from nestcast.data.engine import Engine
from nestcast.data.keys import Column, Keys
from nestcast.data.panel import Floats
from nestcast.data.presets import Preset


@dataclass(frozen=True)
class Arrays:
    """The dense part of a panel; shapes as there."""

    keys: Keys
    target: Floats
    start: NDArray[np.int32]
    is_count: bool
    price: Floats | None


def build_arrays(
    engine: Engine, names: tuple[str, ...], calendar: Calendar, preset: Preset, has_price: bool
) -> Arrays:
    """Group `rows` by key and period, and lay the groups out by series and time.

    Sums are taken over whole multiples of a power of two, so that they are exact and do not
    depend on the order of rows or the number of threads.

    Args:
        engine: holds `rows`.
        names: the key columns.
        calendar: the periods wanted; rows outside are left out.
        preset: which keys to merge.
        has_price: whether rows have a price.
    """
    scales = _scales(engine, has_price)
    found = _grouped(engine, names, calendar, preset, scales)
    columns = [_column(found[f"k{at}"]) for at in range(len(names))]
    period = found["period"].astype(np.int64)
    begins = np.ones(len(period), dtype=bool)
    if len(period):
        begins[1:] = np.any([values[1:] != values[:-1] for values in columns], axis=0)
    series = np.cumsum(begins) - 1
    keys = Keys({name: values[begins] for name, values in zip(names, columns, strict=True)})
    start = period[begins].astype(np.int32)
    shape = (len(keys), len(calendar))

    is_count = _is_count(engine)
    target = np.zeros(shape, dtype=np.float32)
    if not is_count:
        target[np.arange(len(calendar)) >= start[:, None]] = np.nan
    target[series, period] = np.ldexp(found["y"], -scales["y"])
    price = None
    if has_price:
        price = np.full(shape, np.nan, dtype=np.float32)
        price[series, period] = np.ldexp(found["price"], -scales["price"]) / found["rows"]
    return Arrays(keys, target, start, is_count, price)


def _scales(engine: Engine, has_price: bool) -> dict[str, int]:
    """For each number the power of two by which its values still fit into 62 bits."""
    names = ["y", "price"] if has_price else ["y"]
    largest = engine.row(
        f"SELECT {', '.join(f'max(abs({name}))' for name in names)} FROM rows WHERE reason = 0"
    )
    # At most 2^1000, so that the power itself stays a number.
    return {
        name: min(62 - frexp(value or 0.0)[1], 1000)
        for name, value in zip(names, largest, strict=True)
    }


def _grouped(
    engine: Engine,
    names: tuple[str, ...],
    calendar: Calendar,
    preset: Preset,
    scales: dict[str, int],
) -> dict[str, NDArray[np.generic]]:
    """Keys, period, sums and number of rows of each group, ordered by keys and period."""
    days = np.arange(calendar.starts()[0], calendar.ends()[-1] + np.timedelta64(1, "D"))
    keys = ", ".join(f"{_merged(f'k{at}', preset, name)} AS k{at}" for at, name in enumerate(names))
    order = ", ".join(f"k{at}" for at in range(len(names)))
    sums = ", ".join(
        f"sum(CAST({name} * {2.0**scale:.17e} AS BIGINT)) AS {name}"
        for name, scale in scales.items()
    )
    periods = calendar.index_of(days).astype(np.int32)
    with engine.table(day=days.astype("M8[us]"), period=periods) as table:
        return engine.arrays(
            f"SELECT {keys}, period, {sums}, count(*) AS rows FROM rows "
            f"JOIN (SELECT CAST(day AS DATE) AS day, period FROM {table}) USING (day) "
            f"WHERE reason = 0 GROUP BY ALL ORDER BY {order}, period"
        )


def _merged(sql: str, preset: Preset, name: str) -> str:
    """SQL of a key after the preset's merges."""
    merges = preset.merged.get(name)
    if not merges:
        return sql
    cases = " ".join(f"WHEN '{old}' THEN '{new}'" for old, new in merges.items())
    return f"CASE {sql} {cases} ELSE {sql} END"


def _is_count(engine: Engine) -> bool:
    (is_count,) = engine.row(
        "SELECT coalesce(bool_and(y = floor(y)), true) FROM rows WHERE reason = 0"
    )
    return bool(is_count)


def _column(values: NDArray[np.generic]) -> Column:
    values = np.ma.getdata(values)
    return values.astype(np.str_) if values.dtype == object else values.astype(np.int64)
