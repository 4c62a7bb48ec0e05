"""A DuckDB connection in bounded memory, and its errors in one line."""

from __future__ import annotations

import functools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import duckdb
from numpy.typing import NDArray

from nestcast.errors import DataError, NestcastError, OptionError

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Engine:
    """A connection of our own, and a folder for what does not fit in memory."""

    connection: duckdb.DuckDBPyConnection
    scratch: Path

    def run(self, sql: str) -> None:
        """Execute a statement whose result does not matter."""
        self.connection.execute(sql).fetchall()  # an unread result would block the next statement

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of a result."""
        return self.connection.execute(sql).fetchall()

    def row(self, sql: str) -> tuple[Any, ...]:
        """The only row of a result."""
        (row,) = self.rows(sql)
        return row

    def arrays(self, sql: str) -> dict[str, NDArray[Any]]:
        """A result as an array for each column."""
        return dict(self.connection.execute(sql).fetchnumpy())

    @contextmanager
    def table(self, **columns: NDArray[Any]) -> Iterator[str]:
        """The name, while in use, of a table of the given arrays."""
        self.connection.register("arrays", columns)
        try:
            yield "arrays"
        finally:
            self.connection.unregister("arrays")


@contextmanager
def engine(memory_limit: str = "2GB", threads: int | None = None) -> Iterator[Engine]:
    """Open a connection that spills to a temporary folder, removed at the end.

    Args:
        memory_limit: what DuckDB may hold in memory, such as `500MB`.
        threads: processor threads to use, all by default.

    Raises:
        OptionError: the limit cannot be read, or there are less than 1 threads.
    """
    if threads is not None and threads < 1:
        raise OptionError(f"threads must be 1 or more, not {threads}.")
    scratch = Path(tempfile.mkdtemp(prefix="nestcast-"))
    try:
        with _connect(scratch, memory_limit, threads) as connection:
            opened = Engine(connection, scratch)
            opened.run("SET enable_progress_bar = false")
            opened.run("SET TimeZone = 'UTC'")  # a day must not depend on where the machine is
            yield opened
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _connect(scratch: Path, memory_limit: str, threads: int | None) -> duckdb.DuckDBPyConnection:
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory_limit,
        "temp_directory": str(scratch),
    }
    if threads is not None:
        settings["threads"] = threads
    problem = ""
    try:
        connection = duckdb.connect(config=settings)
    except duckdb.Error as error:
        problem = first_line(error)
    if problem:
        raise OptionError(f"memory limit {memory_limit!r}: {problem}. Write it as in 2GB.")
    return connection


def one_line_errors(function: Callable[P, R]) -> Callable[P, R]:
    """Turn what DuckDB raises inside `function` into a DataError of one line."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        # Raised after the handler: an error of DuckDB that lives on as a context, until the
        # interpreter exits, makes its bindings print warnings of leaks.
        stop: BaseException
        try:
            return function(*args, **kwargs)
        except NestcastError as error:
            if "\n" not in str(error):
                raise
            stop = type(error)(" ".join(str(error).split()))  # a name in it had a line break
        except duckdb.InterruptException:
            stop = KeyboardInterrupt()
        except duckdb.OutOfMemoryException as error:
            stop = DataError(
                f"reading needs more memory than allowed ({first_line(error)}). "
                "Raise it with --memory-limit, or use fewer --threads."
            )
        except duckdb.Error as error:
            stop = DataError(f"the data cannot be read: {first_line(error)}.")
        raise stop

    return wrapper


def first_line(error: BaseException) -> str:
    """What an error of another library says, in one line without its type."""
    text = (str(error) or type(error).__name__).strip().splitlines()[0]
    head, _, rest = text.partition(" Error: ")
    return (rest if rest and len(head) < 30 else text).rstrip(". ")
