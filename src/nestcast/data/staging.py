"""Reading raw rows once, checked, into the table `rows` from which everything else is made.

`rows` has, for each row read: `part` (the file), `day`, `k0`, `k1`, ... (keys), `y` (target),
`price`, `exposure`, `cost`, `revenue`, `v0`, ... (covariates; where there are such), and `reason`
(0, or the number of the check that failed); only for rejected rows also `n` (where it stands) and
`told` (the reason in words, then its values as they were). Usable rows of an impression log are
summed on the way in; `size` is how many of them a row stands for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce

from nestcast.data.checks import (
    Check,
    RawColumn,
    cleaning_checks,
    click_checks,
    date_checks,
    detail_of,
    first_failing,
    key_checks,
    malformed,
    number_checks,
)
from nestcast.data.dates import DateReader
from nestcast.data.engine import Engine
from nestcast.data.layout import Layout
from nestcast.data.presets import Preset
from nestcast.data.source import Part, Table, read_with_care


@dataclass(frozen=True)
class Reading:
    """How raw rows are to be read.

    Args:
        layout: which column means what.
        dates: how dates are written in each part.
        preset: which rows to drop.
        text_keys: key columns that hold text; the others hold whole numbers.
        window: first and last credible day.
        known: key column whose values are looked up -> (the file that lists them, the table of
            them in DuckDB).
    """

    layout: Layout
    dates: tuple[DateReader, ...]
    preset: Preset
    text_keys: frozenset[str] = frozenset()
    window: tuple[str, str] | None = None
    known: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def stage(engine: Engine, table: Table, reading: Reading) -> tuple[Check, ...]:
    """Fill `rows` from all parts of a table.

    Returns:
        The checks, in the order in which `reason` counts them from 1.
    """
    layout = reading.layout
    keys = ", ".join(
        f"k{at} {'VARCHAR' if name in reading.text_keys else 'BIGINT'}"
        for at, name in enumerate(layout.series)
    )
    further = [name for name in (*layout.averaged, *sums_of(layout)) if name != "y"]
    numbers = "".join(f"{name} DOUBLE, " for name in further)
    day = "TIMESTAMP" if layout.freq == "1h" else "DATE"
    engine.run(
        f"CREATE OR REPLACE TEMP TABLE rows (part INTEGER, day {day}, {keys}, y DOUBLE, {numbers}"
        f"reason UTINYINT, n BIGINT, told VARCHAR[], size BIGINT)"
    )
    checks: tuple[Check, ...] = ()
    for at, part in enumerate(table.parts):
        checks, columns, joins = _checks(table, part, reading, at)
        insert = _insert_summed if layout.each_row else _insert
        read_with_care(engine, table, at, partial(insert, at, table, columns, joins, checks))
    return checks


def sums_of(layout: Layout) -> tuple[str, ...]:
    """The columns of `rows` that are summed over the rows of a series and period."""
    return ("y", *(("exposure",) if layout.each_row else ()), *layout.amounts)


def text_keys(engine: Engine, table: Table, names: Sequence[str]) -> frozenset[str]:
    """Key columns that hold text, as far as the first rows tell."""
    raw = [raw_column(table, table.parts[0], name) for name in names]
    is_text = ", ".join(
        f"coalesce(bool_or({column.is_rounded(column.rounded, if_plain=True)}), false)"
        for column in raw
    )
    (answers,) = read_with_care(
        engine, table, 0, lambda scan: f"SELECT {is_text} FROM (SELECT * FROM ({scan}) LIMIT 1000)"
    )
    return frozenset(name for name, answer in zip(names, answers, strict=True) if answer)


def raw_column(table: Table, part: Part, name: str) -> RawColumn:
    """A column of a part by its name."""
    at = table.names.index(name)
    return RawColumn(name, f"c{at}", part.types[at])


def time_column(table: Table, part: Part, layout: Layout) -> RawColumn:
    """The column with the date; where that is in parts, all of them as one text."""
    if not layout.time_parts:
        return raw_column(table, part, layout.time)
    raw = [raw_column(table, part, name) for name in layout.time_parts]
    joined = reduce(lambda all_, one: f"{all_} || ' ' || {one}", (f"trim({c.text})" for c in raw))
    return RawColumn(", ".join(layout.time_parts), f"({joined})", "VARCHAR")


def _checks(
    table: Table, part: Part, reading: Reading, at: int
) -> tuple[tuple[Check, ...], dict[str, str], str]:
    """The rules for a part, the SQL of each value read from it, and joins that rules need."""
    layout, dates = reading.layout, reading.dates[at]
    columns = {"day": dates.day}
    checks = [malformed()]
    checks += date_checks(time_column(table, part, layout), dates.written, reading.window)
    joins = ""
    for number, name in enumerate(layout.series):
        raw, value = raw_column(table, part, name), f"k{number}"
        fails = None
        if name in reading.text_keys:
            columns[value] = f"CASE WHEN NOT {raw.is_blank} THEN {raw.text} END"
        else:
            columns[value] = raw.rounded
            fails = raw.is_rounded(value, if_plain=not layout.whole_keys)
        file, known = reading.known.get(name, (None, ""))
        if file:
            joins += f" LEFT JOIN {known} AS known_{value} ON known_{value}.id = typed.{value}"
        checks += key_checks(raw, value, fails, file)
    numbers = {layout.target: "y"}
    target = raw_column(table, part, layout.target)
    columns["y"] = target.number
    checks += number_checks(
        target, "y", may_be_negative=not layout.counts_clicks, is_whole=layout.whole_target
    )
    for name, column in layout.amounts.items():
        amount = raw_column(table, part, column)
        is_money = name != "exposure"
        # A blank in a column of money is nothing spent or earned.
        blank = f"CASE WHEN {amount.is_blank} THEN 0 ELSE {amount.number} END"
        columns[name] = blank if is_money else amount.number
        checks += number_checks(amount, name, may_be_negative=False, is_whole=not is_money)
    if layout.counts_clicks:
        checks += click_checks(layout.target, layout.exposure)
    if layout.price:
        price = raw_column(table, part, layout.price)
        numbers[layout.price] = "price"
        columns["price"] = price.number
        checks += number_checks(price, "price", may_be_negative=False)
    for name, column in layout.averaged.items():
        if name != "price":
            covariate = raw_column(table, part, column)
            columns[name] = covariate.number
            checks += number_checks(covariate, name, may_be_missing=True)
    checks += cleaning_checks(reading.preset, numbers)
    return tuple(checks), columns, joins


def _insert(
    at: int,
    table: Table,
    columns: Mapping[str, str],
    joins: str,
    checks: tuple[Check, ...],
    scan: str,
) -> str:
    source = _checked(table, columns, joins, checks, scan)
    return f"INSERT INTO rows SELECT {at}, {', '.join(columns)}, reason, n, told, 1 FROM {source}"


def _insert_summed(
    at: int,
    table: Table,
    columns: Mapping[str, str],
    joins: str,
    checks: tuple[Check, ...],
    scan: str,
) -> str:
    """Of an impression log only sums are kept, and each rejected row."""
    source = _checked(table, columns, joins, checks, scan)
    money = [name for name in ("cost", "revenue") if name in columns]
    by = [name for name in columns if name not in ("y", *money)]
    sums = "".join(f", sum({name})" for name in money)
    return (
        f"INSERT INTO rows SELECT {at}, {', '.join(by)}, sum(y), count(*){sums}, reason, n, told, "
        f"count(*) FROM {source} GROUP BY {', '.join(by)}, reason, n, told"
    )


def _checked(
    table: Table, columns: Mapping[str, str], joins: str, checks: tuple[Check, ...], scan: str
) -> str:
    """SQL of the rows with typed values, `reason`, and for rejected ones `n` and `told`."""
    typed = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    # All fields are read in any case, so that no flaw in an unused one goes unnoticed.
    fields = ", ".join(f"CAST(c{number} AS VARCHAR)" for number in range(len(table.names)))
    return (
        f"(SELECT {', '.join(columns)}, reason, CASE WHEN reason > 0 THEN n END AS n, "
        f"CASE WHEN reason > 0 THEN [{detail_of(checks, 'reason')}, {fields}] END AS told FROM ("
        f"SELECT typed.*, {first_failing(checks)} AS reason FROM ("
        f"SELECT *, {typed} FROM ({scan})) AS typed{joins}))"
    )
