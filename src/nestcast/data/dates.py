"""Reading dates: one way of writing them per file, found out from the values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def parts_reader(
    engine: Engine, table: Table, columns: Sequence[RawColumn], year: int | None
) -> tuple[tuple[DateReader, ...], tuple[str, ...]]:
    """Dates whose month and day, and maybe year, stand in columns of their own.

    Months are names, abbreviated or not, or numbers. Without years, all rows are of one; but where
    they are of at most half a year and go over New Year, it is the year of the earlier ones.

    Args:
        engine: the connection to look at values with.
        table: the table.
        columns: for each part the column of all values joined by blanks, see `time_column`.
        year: the year, if it is not in the rows; a leap year if None.

    Returns:
        A reader for each part, and notes on the year taken.
    """
    words = len(columns[0].name.split(", "))
    if words == 3:
        return tuple(DateReader("year, month, day", _by_words(c.text)) for c in columns), ()
    taken = _ANY_YEAR if year is None else year
    months: set[int] = set()
    for number, column in enumerate(columns):
        month = f"month({_in_year(_ANY_YEAR, column)})"
        found = read_with_care(
            engine,
            table,
            number,
            lambda scan, month=month: f"SELECT DISTINCT {month} FROM ({scan})",  # type: ignore[misc]
        )
        months |= {value for (value,) in found if value is not None}
    first = _first_month(months)
    notes = () if year is not None else (f"dates have no year: {taken} is taken (--year)",)
    if first > 1:
        notes = (*notes, f"months before {first} are taken for those of {taken + 1}")
    readers = []
    for column in columns:
        same, later = _in_year(taken, column), _in_year(taken + 1, column)
        month = f"month({_in_year(_ANY_YEAR, column)})"
        day = f"CASE WHEN {month} < {first} THEN {later} ELSE {same} END"
        readers.append(DateReader("month, day", same if first == 1 else day))
    return tuple(readers), notes


_ANY_YEAR = 2024  # a leap year, so that every day of any year can be read


def _in_year(year: int, column: RawColumn) -> str:
    return _by_words(f"'{year} ' || {column.text}")


def _by_words(text: str) -> str:
    formats = "['%Y %B %d', '%Y %b %d', '%Y %m %d']"
    return f"CAST(TRY_STRPTIME({text}, {formats}) AS DATE)"


def _first_month(months: set[int]) -> int:
    """The month that rows begin in: 1, unless they go over New Year and leave out half a year."""
    if not {1, 12} <= months:
        return 1
    absent = [month for month in range(1, 13) if month not in months]
    return max(absent) + 1 if len(absent) >= 6 else 1


def date_reader(
    engine: Engine,
    table: Table,
    number: int,
    at: int,
    date_format: str | None,
    *,
    hourly: bool = False,
) -> DateReader:
    """How the dates in column `at` of part `number` of a table are to be read.

    Args:
        engine: the connection to look at values with.
        table: the table.
        number: which part of it.
        at: which column.
        date_format: the format given by the user, in the notation of `strftime`.
        hourly: whether the hour is wanted too.

    Raises:
        DataError: the dates are written in no known way, or day and month cannot be told apart.
        OptionError: the format given is none.
    """
    type_ = table.parts[number].types[at]
    if type_ == "DATE" or type_.startswith("TIMESTAMP"):
        return DateReader("a date", _plausible(_cut(f"CAST(c{at} AS TIMESTAMP)", hourly)))
    text = f"CAST(c{at} AS VARCHAR)"
    if date_format is not None:
        _check_format(engine, date_format)
        return DateReader(date_format, _by_format(date_format)(text, hourly))
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
    return DateReader(best, _WAYS[best](text, hourly))


def _cut(time: str, hourly: bool) -> str:
    """SQL of the day of a time, or of its hour."""
    return f"date_trunc('hour', {time})" if hourly else f"CAST({time} AS DATE)"


def _by_format(format_: str, *others: str) -> Callable[[str, bool], str]:
    formats = ", ".join(literal(one) for one in (format_, *others))

    def day(text: str, hourly: bool) -> str:
        return _plausible(_cut(f"TRY_STRPTIME({text}, [{formats}])", hourly))

    return day


def _of_day(format_: str) -> Callable[[str, bool], str]:
    """Also with a time of day."""
    return _by_format(format_, f"{format_} %H:%M:%S", f"{format_} %H:%M")


def _iso(text: str, hourly: bool) -> str:
    # The cast also takes words such as "infinity".
    type_ = "TIMESTAMP" if hourly else "DATE"
    value = f"TRY_CAST(trim({text}) AS {type_})"
    return _plausible(f"CASE WHEN {text} < ':' THEN {_cut(value, True) if hourly else value} END")


def _seconds(text: str, hourly: bool) -> str:
    """Seconds or milliseconds since 1970."""
    number = f"TRY_CAST({text} AS BIGINT)"
    seconds = f"CASE WHEN {number} >= 100000000000 THEN {number} // 1000 ELSE {number} END"
    # Before September 2001 there are nine digits, as in no log; eight are a date.
    known = f"CASE WHEN {number} BETWEEN 1000000000 AND 99999999999999 THEN {seconds} END"
    return _cut(f"make_timestamp(({known}) * 1000000)", hourly)


def _plausible(day: str) -> str:
    # A year of two digits has been read as one of the first century.
    return f"nullif(greatest({day}, DATE '0999-12-31'), DATE '0999-12-31')"


# How dates may be written -> from SQL of a text to SQL of its day, NULL if written otherwise.
# All but the last three may have a time of day, which is left out unless hours are wanted.
_WAYS: dict[str, Callable[[str, bool], str]] = {
    "yyyy-mm-dd": _iso,
    "dd.mm.yyyy": _of_day("%d.%m.%Y"),
    "dd/mm/yyyy": _of_day("%d/%m/%Y"),
    "mm/dd/yyyy": _of_day("%m/%d/%Y"),
    "dd-mm-yyyy": _of_day("%d-%m-%Y"),
    "mm-dd-yyyy": _of_day("%m-%d-%Y"),
    "yyyymmdd": _by_format("%Y%m%d"),
    "yyyy-mm": _by_format("%Y-%m"),
    "seconds since 1970": _seconds,
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
    counts = ", ".join(f"count({day('v', False)})" for day in _WAYS.values())
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
            f"WHERE {_WAYS[best]('v', False)} IS NULL ORDER BY n LIMIT 1"
        ),
    )[0]
    return n, value
