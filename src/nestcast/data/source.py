"""Any input as parts that DuckDB can scan: text files, Parquet files, frames, relations.

Every part is scanned as `n, problem, c0, c1, ...`: where the row stands, what is wrong with it as
a row of the file, and its values. Columns go by number inside SQL, so that no name (of any
script, with quotes, equal to another but for case) can do harm; names appear in messages only.
"""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import duckdb

from nestcast.data.engine import Engine, first_line
from nestcast.data.tables import literal, quote
from nestcast.data.textfile import (
    Dialect,
    clean_copy,
    has_quotes,
    lines_of_rows,
    read_dialect,
)
from nestcast.errors import DataError

_PARQUET = (".parquet", ".pq")


@dataclass(frozen=True)
class Part:
    """One file or frame.

    Args:
        name: what to call it in messages.
        types: DuckDB's type of each column.
        scan: SQL that gives `n, problem, c0, c1, ...`.
        n: what `n` counts: lines of the file, records of it below the header, or rows.
        path: the file, if it is one.
        dialect: how it is written, if it is text.
    """

    name: str
    types: tuple[str, ...]
    scan: str
    n: Literal["line", "record", "row"]
    path: Path | None = None
    dialect: Dialect | None = None

    def places(self, numbers: Iterable[int]) -> dict[int, int]:
        """Line (of a text file) or row (of anything else) of each `n`."""
        if self.n == "record" and self.path is not None and self.dialect is not None:
            return lines_of_rows(self.path, self.dialect, numbers)
        return {number: number for number in numbers}

    def place(self, number: int) -> str:
        """Where a row stands, in words: `sales.csv line 7`."""
        word = "row" if self.n == "row" else "line"
        return f"{self.name} {word} {self.places([number])[number]}"


@dataclass
class Table:
    """Parts with the same columns.

    Args:
        name: what to call the whole in messages.
        names: the columns, as the first part orders them; so does every scan.
        parts: replaced one by one where DuckDB refuses a file that a clean copy makes readable.
    """

    name: str
    names: tuple[str, ...]
    parts: list[Part] = field(default_factory=list)

    def find(self, name: str) -> int | None:
        """Position of a column: the one so named, else the only one but for upper case."""
        if name in self.names:
            return self.names.index(name)
        alike = [at for at, other in enumerate(self.names) if other.lower() == name.lower()]
        return alike[0] if len(alike) == 1 else None

    def has(self, *names: str) -> bool:
        """Whether all these columns are there."""
        return all(self.find(name) is not None for name in names)


def open_table(engine: Engine, source: Any, encoding: str) -> Table:
    """Open a path, a pattern, a list of paths, a DuckDB relation, or an Arrow-speaking frame.

    Raises:
        DataError: there is no such file, or it cannot be read as a table.
    """
    if isinstance(source, str | Path):
        return _open_files(engine, _expand(source), encoding, str(source))
    if isinstance(source, Sequence) and source and all(isinstance(p, Path) for p in source):
        name = str(source[0]) if len(source) == 1 else f"{source[0].parent}"
        return _open_files(engine, list(source), encoding, name)
    if hasattr(source, "__arrow_c_stream__"):
        return _open_frame(engine, source)
    raise DataError(
        f"cannot read a {type(source).__name__}: give a path, a DuckDB relation, or a frame of "
        "pandas (2.2 or later), Polars or pyarrow."
    )


def read_with_care(
    engine: Engine, table: Table, at: int, sql: Callable[[str], str]
) -> list[tuple[Any, ...]]:
    """Run a statement on part `at` of a table; if its text is flawed, on a clean copy of it.

    The part is replaced by its clean copy then, for this and later readings.

    Args:
        engine: the connection.
        table: the table.
        at: number of the part.
        sql: gives the statement, from the SQL that scans the part.
    """
    part = table.parts[at]
    if part.n == "record":
        try:
            return engine.rows(sql(part.scan))
        except (duckdb.OutOfMemoryException, duckdb.InterruptException):
            raise
        except duckdb.Error:
            pass
        table.parts[at] = part = _cleaned(engine, part, table.names, at)
    return engine.rows(sql(part.scan))


def _expand(source: str | Path) -> list[Path]:
    path = Path(source)
    if path.exists():
        return [path]
    found = sorted(glob.glob(str(source)))
    if not found:
        raise DataError(f"no such file: {source}. Check the path.")
    return [Path(one) for one in found]


def _open_files(engine: Engine, paths: list[Path], encoding: str, name: str) -> Table:
    table = Table(name, ())
    for at, path in enumerate(paths):
        if path.is_dir():
            raise DataError(f"{path} is a folder: give a file.")
        if path.name.endswith(_PARQUET):
            names, part = _parquet(engine, path, table.names)
        else:
            dialect = read_dialect(path, encoding)
            names, part = dialect.names, _text_part(path, dialect, table.names)
            if not dialect.is_plain:
                part = _cleaned(engine, part, table.names or names, at)
        table.names = table.names or names
        table.parts.append(part)
    return table


def _order(name: str, names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Where each wanted column stands in a file; the first file's order rules."""
    missing = [one for one in wanted if one not in names]
    if missing:
        raise DataError(
            f"{name} has no column {missing[0]!r}, which the first file has. "
            "Give files with the same columns."
        )
    return [names.index(one) for one in wanted] if wanted else list(range(len(names)))


def _csv(path: Path, delimiter: str, columns: Iterable[str], *, header: bool, mark: str) -> str:
    types = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in columns)
    # Nothing is guessed: the dialect is known, and every value is text until we check it.
    return (
        f"read_csv({_path(path)}, auto_detect=false, header={str(header).lower()}, "
        f"delim={literal(delimiter)}, quote='{mark}', escape='{mark}', columns={{{types}}})"
    )


def _path(path: Path) -> str:
    # A name that exists is no pattern, whatever signs it has.
    return literal(glob.escape(str(path)))


def _text_part(path: Path, dialect: Dialect, wanted: Sequence[str]) -> Part:
    order = _order(str(path), dialect.names, wanted)
    mark = '"' if has_quotes(path) else ""
    csv = _csv(path, dialect.delimiter, _numbered(len(dialect.names)), header=True, mark=mark)
    columns = ", ".join(f"c{there} AS c{here}" for here, there in enumerate(order))
    problem = "NULL::VARCHAR"
    if mark:
        # Lines may have been joined by a stray mark; the clean copy knows how to tell.
        breaks = " OR ".join(f"contains(c{here}, chr(10))" for here in range(len(order)))
        problem = f"CASE WHEN {breaks} THEN error('a value goes on over lines') END"
    scan = f"SELECT row_number() OVER () AS n, {problem} AS problem, {columns} FROM {csv}"
    return Part(str(path), ("VARCHAR",) * len(order), scan, "record", path, dialect)


def _cleaned(engine: Engine, part: Part, wanted: Sequence[str], at: int) -> Part:
    assert part.path is not None
    assert part.dialect is not None
    copy = engine.scratch / f"part{at}.csv"
    clean_copy(part.path, part.dialect, copy)
    order = _order(part.name, part.dialect.names, wanted)
    columns = ["line", "problem", *_numbered(len(part.dialect.names))]
    chosen = ", ".join(f"c{there} AS c{here}" for here, there in enumerate(order))
    csv = _csv(copy, ",", columns, header=False, mark='"')
    scan = f"SELECT line::BIGINT AS n, problem, {chosen} FROM {csv}"
    return Part(part.name, part.types, scan, "line", part.path, part.dialect)


def _parquet(engine: Engine, path: Path, wanted: Sequence[str]) -> tuple[tuple[str, ...], Part]:
    relation = f"read_parquet({_path(path)}, file_row_number=true)"
    problem = ""
    try:
        names, types = _describe(engine, f"SELECT * EXCLUDE file_row_number FROM {relation}")
    except duckdb.Error as error:
        problem = first_line(error)
    if problem:
        raise DataError(f"{path} cannot be read as Parquet: {problem}. Write it again.")
    order = _order(str(path), names, wanted)
    columns = ", ".join(f"{quote(names[there])} AS c{here}" for here, there in enumerate(order))
    scan = f"SELECT file_row_number + 1 AS n, NULL::VARCHAR AS problem, {columns} FROM {relation}"
    return names, Part(str(path), tuple(types[there] for there in order), scan, "row", path)


class _Stream:
    """Only the Arrow interface of a frame, so that DuckDB asks for no other library."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._frame.__arrow_c_stream__(requested_schema)


def _open_frame(engine: Engine, frame: Any) -> Table:
    # Copied, since a stream may give its rows only once; the copy spills like any table.
    problem = ""
    try:
        engine.connection.register("given", _Stream(frame))
        engine.run("CREATE TEMP TABLE frame AS SELECT * FROM given")
    except duckdb.OutOfMemoryException:
        raise
    except Exception as error:  # of whichever library the frame is from
        problem = first_line(error)
    finally:
        engine.connection.unregister("given")
    if problem:
        # pandas gives its frames through pyarrow, which it does not bring along.
        advice = (
            "Install it" if "ImportError" in problem else "Give every column values of one type"
        )
        raise DataError(f"the frame cannot be read: {problem}. {advice}.")
    names, types = _describe(engine, "FROM frame")
    columns = ", ".join(f"{quote(name)} AS c{at}" for at, name in enumerate(names))
    scan = f"SELECT rowid + 1 AS n, NULL::VARCHAR AS problem, {columns} FROM frame"
    return Table("the frame", names, [Part("the frame", types, scan, "row")])


def _describe(engine: Engine, sql: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    rows = engine.rows(f"DESCRIBE {sql}")
    return tuple(row[0] for row in rows), tuple(row[1] for row in rows)


def _numbered(count: int) -> Iterator[str]:
    return (f"c{at}" for at in range(count))
