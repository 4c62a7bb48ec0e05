"""Reading dates: one way of writing them per file, found out from the values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import duckdb

from nestcast.data.checks import RawColumn
from nestcast.data.engine import Engine
from nestcast.data.source import Table, read_with_care
from nestcast.data.tables import literal
from nestcast.errors import DataError, OptionError


@dataclass(frozen=True)
class DateReader:
    """How the dates of one part are read.

    Args:
        written: how they are written, in words.
        day: SQL that gives the day of a row, or NULL.
    """

    written: str
    day: str


def month_reader(column: RawColumn) -> DateReader:
    """Months counted from January 2013, the first of the Kaggle data."""
    number = column.number
    is_month = f"{number} = floor({number}) AND {number} BETWEEN 0 AND 12000"
    day = f"CASE WHEN {is_month} THEN DATE '2013-01-01' + to_months(CAST({number} AS INT)) END"
    return DateReader("a month number, 0 for January 2013", f"CAST({day} AS DATE)")


def date_reader(
    engine: Engine, table: Table, number: int, at: int, date_format: str | None
) -> DateReader:
    """How the dates in column `at` of part `number` of a table are to be read.

    Args:
        engine: the connection to look at values with.
        table: the table.
        number: which part of it.
        at: which column.
        date_format: the format given by the user, in the notation of `strftime`.

    Raises:
        DataError: the dates are written in no known way, or day and month cannot be told apart.
        OptionError: the format given is none.
    """
    type_ = table.parts[number].types[at]
    if type_ == "DATE" or type_.startswith("TIMESTAMP"):
        return DateReader("a date", _plausible(f"CAST(c{at} AS DATE)"))
    text = f"CAST(c{at} AS VARCHAR)"
    if date_format is not None:
        _check_format(engine, date_format)
        return DateReader(date_format, _by_format(date_format)(text))
    values = f"SELECT n, {text} AS v FROM ({{scan}}) WHERE trim({text}) <> ''"
    name = table.names[at]
    # A few rows tell most files; all of them are asked where those leave a doubt.
    for limit in (f" LIMIT {_SAMPLE}", ""):
        total, read = _count_read(engine, table, number, values + limit)
        best = max(read, key=lambda written: read[written])
        other = _SWAPPED.get(best)
        is_read = 2 * read[best] > total
        is_clear = other is None or read[other] < 0.99 * read[best]
        if is_read and is_clear:
            break
    if total and not is_read:
        n, value = _first_unread(engine, table, number, values, best)
        raise DataError(
            f"{table.parts[number].place(n)}, column {name}: cannot read the date {value!r}. "
            "Give its format, as in --date-format %d.%m.%Y."
        )
    if total and not is_clear:
        raise DataError(
            f"{table.parts[number].name}, column {name}: dates may be {best} or {other}. "
            "Say which with --date-format, as in --date-format %d/%m/%Y."
        )
    return DateReader(best, _WAYS[best](text))


def _by_format(format_: str) -> Callable[[str], str]:
    return lambda text: _plausible(f"CAST(TRY_STRPTIME({text}, {literal(format_)}) AS DATE)")


def _iso(text: str) -> str:
    # The cast also takes words such as "infinity".
    return _plausible(f"CASE WHEN {text} < ':' THEN TRY_CAST(trim({text}) AS DATE) END")


def _plausible(day: str) -> str:
    # A year of two digits has been read as one of the first century.
    return f"nullif(greatest({day}, DATE '0999-12-31'), DATE '0999-12-31')"


# How dates may be written -> from SQL of a text to SQL of its day, NULL if written otherwise.
# ISO dates may have a time of day, which is left out.
_WAYS: dict[str, Callable[[str], str]] = {
    "yyyy-mm-dd": _iso,
    "dd.mm.yyyy": _by_format("%d.%m.%Y"),
    "dd/mm/yyyy": _by_format("%d/%m/%Y"),
    "mm/dd/yyyy": _by_format("%m/%d/%Y"),
    "dd-mm-yyyy": _by_format("%d-%m-%Y"),
    "mm-dd-yyyy": _by_format("%m-%d-%Y"),
    "yyyymmdd": _by_format("%Y%m%d"),
    "yyyy-mm": _by_format("%Y-%m"),
}
_SWAPPED = {
    "dd/mm/yyyy": "mm/dd/yyyy",
    "mm/dd/yyyy": "dd/mm/yyyy",
    "dd-mm-yyyy": "mm-dd-yyyy",
    "mm-dd-yyyy": "dd-mm-yyyy",
}
_SAMPLE = 1000


def _check_format(engine: Engine, date_format: str) -> None:
    problem = "%" not in date_format
    try:
        engine.run(f"SELECT TRY_STRPTIME('', {literal(date_format)})")
    except duckdb.Error:
        problem = True
    if problem:
        raise OptionError(
            f"date format {date_format!r} is not one: write it as in %d.%m.%Y or %Y-%m-%d."
        )


def _count_read(
    engine: Engine, table: Table, number: int, values: str
) -> tuple[int, dict[str, int]]:
    """Number of values, and how many of them each way of writing can read."""
    counts = ", ".join(f"count({day('v')})" for day in _WAYS.values())
    total, *read = read_with_care(
        engine,
        table,
        number,
        lambda scan: f"SELECT count(*), {counts} FROM ({values.replace('{scan}', scan)})",
    )[0]
    return total, dict(zip(_WAYS, read, strict=True))


def _first_unread(
    engine: Engine, table: Table, number: int, values: str, best: str
) -> tuple[int, str]:
    n, value = read_with_care(
        engine,
        table,
        number,
        lambda scan: (
            f"SELECT n, v FROM ({values.replace('{scan}', scan)}) "
            f"WHERE {_WAYS[best]('v')} IS NULL ORDER BY n LIMIT 1"
        ),
    )[0]
    return n, value
