"""From checked rows to dense arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nestcast.data.calendar import Calendar
from nestcast.data.engine import Engine
from nestcast.data.keys import Column, Keys
from nestcast.data.panel import Floats
from nestcast.data.presets import Preset
from nestcast.errors import DataError


@dataclass(frozen=True)
class Arrays:
    """The dense part of a panel; shapes as there."""

    keys: Keys
    target: Floats
    start: NDArray[np.int32]
    is_count: bool
    means: dict[str, Floats]
    sums: dict[str, Floats]


def build_arrays(
    engine: Engine,
    names: tuple[str, ...],
    calendar: Calendar,
    preset: Preset,
    means: Sequence[str] = (),
    sums: Sequence[str] = (),
) -> Arrays:
    """Group `rows` by key and period, and lay the groups out by series and time.

    Sums are taken over whole multiples of a power of two, so that they are exact and do not
    depend on the order of rows or the number of threads.

    Args:
        engine: holds `rows`.
        names: the key columns.
        calendar: the periods wanted; rows outside are left out.
        preset: which keys to merge.
        means: columns of `rows` to average where they have a value.
        sums: further columns of `rows` to sum.
    """
    values = [_number_values(engine, at, name, preset) for at, name in enumerate(names)]
    scales = _scales(engine, ["y", *means, *sums])
    found = _grouped(engine, [len(distinct) for distinct in values], calendar, scales, means)
    code, period = np.divmod(found["cell"], len(calendar))
    begins = np.ones(len(code), dtype=bool)
    begins[1:] = code[1:] != code[:-1]
    series = np.cumsum(begins) - 1
    keys = _keys(names, values, code[begins])
    start = period[begins].astype(np.int32)
    shape = (len(keys), len(calendar))

    is_count = _is_count(engine)
    target = np.zeros(shape, dtype=np.float32)
    if not is_count:
        target[np.arange(len(calendar)) >= start[:, None]] = np.nan
    target[series, period] = np.ldexp(found["y"], -scales["y"])
    averages = {name: np.full(shape, np.nan, dtype=np.float32) for name in means}
    for name, array in averages.items():
        seen = found[f"{name}_seen"] > 0
        total = np.ldexp(found[name][seen], -scales[name])
        array[series[seen], period[seen]] = total / found[f"{name}_seen"][seen]
    totals = {name: np.zeros(shape, dtype=np.float32) for name in sums}
    for name, array in totals.items():
        array[series, period] = np.ldexp(found[name], -scales[name])
    return Arrays(keys, target, start, is_count, averages, totals)


def _scales(engine: Engine, names: Sequence[str]) -> dict[str, int]:
    """For each number the power of two by which its values still fit into 62 bits."""
    largest = engine.row(
        f"SELECT {', '.join(f'max(abs({name}))' for name in names)} FROM rows WHERE reason = 0"
    )
    # At most 2^1000, so that the power itself stays a number.
    return {
        name: min(62 - math.frexp(value or 0.0)[1], 1000)
        for name, value in zip(names, largest, strict=True)
    }


def _number_values(engine: Engine, at: int, name: str, preset: Preset) -> Column:
    """Number the distinct values of a key, after merges, in ascending order from 0.

    The numbers go into the table `codes<at>`; rows are grouped by them and not by the values,
    which may be long texts.
    """
    engine.run(
        f"CREATE TEMP TABLE codes{at} AS SELECT k, v, dense_rank() OVER (ORDER BY v) - 1 AS code "
        f"FROM (SELECT DISTINCT k{at} AS k, {_merged(f'k{at}', preset, name)} AS v "
        "FROM rows WHERE reason = 0)"
    )
    values = np.ma.getdata(engine.arrays(f"SELECT DISTINCT v FROM codes{at} ORDER BY v")["v"])
    return values.astype(np.str_) if values.dtype == object else values.astype(np.int64)


def _grouped(
    engine: Engine,
    sizes: list[int],
    calendar: Calendar,
    scales: dict[str, int],
    counted: Sequence[str],
) -> dict[str, NDArray[Any]]:
    """Sums of each series and period, and of some columns the number of values, ordered by both.

    Series and period are packed into one number, `cell`, the period varying fastest.
    """
    if math.prod(sizes) * len(calendar) >= 2**63:
        raise DataError(
            f"the key columns have {' x '.join(f'{size:,}' for size in sizes)} values, too many "
            "to combine: name fewer with --series."
        )
    cell, joins = "CAST(0 AS BIGINT)", ""
    for at, size in enumerate(sizes):
        cell = f"({cell} * {size} + codes{at}.code)"
        joins += f" JOIN codes{at} ON codes{at}.k = k{at}"
    sums = ", ".join(
        f"coalesce(sum(CAST({name} * {2.0**scale:.17e} AS BIGINT)), 0) AS {name}"
        for name, scale in scales.items()
    )
    sums += "".join(f", count({name}) AS {name}_seen" for name in counted)
    days = np.arange(calendar.starts()[0], calendar.ends()[-1] + 1)
    kind = "TIMESTAMP" if calendar.freq == "1h" else "DATE"
    periods = calendar.index_of(days).astype(np.int32)
    with engine.table(day=days.astype("M8[us]"), period=periods) as table:
        found = engine.arrays(
            f"SELECT {cell} * {len(calendar)} + period AS cell, {sums} "
            f"FROM rows{joins} "
            f"JOIN (SELECT CAST(day AS {kind}) AS day, period FROM {table}) USING (day) "
            "WHERE reason = 0 GROUP BY ALL"
        )
    order = np.argsort(found["cell"])
    return {name: values[order] for name, values in found.items()}


def _keys(names: tuple[str, ...], values: list[Column], code: NDArray[np.int64]) -> Keys:
    """The key values behind the packed numbers of series."""
    columns: dict[str, Column] = {}
    for name, distinct in reversed(list(zip(names, values, strict=True))):
        code, at = np.divmod(code, len(distinct))
        columns[name] = distinct[at]
    return Keys({name: columns[name] for name in names})


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
