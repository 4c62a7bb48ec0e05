"""Small tables (items, shops, pairs) as columns of text in memory, with where each row stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nestcast.data.engine import Engine
from nestcast.data.keys import Column
from nestcast.data.source import Table, open_table, read_with_care
from nestcast.errors import DataError


@dataclass(frozen=True)
class SmallTable:
    """All values of a table as text.

    Args:
        table: where they come from.
        rows: for each row, its part of the table and its number there.
        columns: column -> its values, None where blank.
    """

    table: Table
    rows: list[tuple[int, int]]
    columns: dict[str, list[str | None]]

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> list[str | None]:
        """Values of a column.

        Raises:
            DataError: there is none of that name.
        """
        at = self.table.find(name)
        if at is None:
            raise DataError(
                f"{self.table.name} has no column {name!r}; it has {', '.join(self.table.names)}. "
                "Rename the right one."
            )
        return self.columns[self.table.names[at]]

    def filled(self, name: str) -> list[str]:
        """Values of a column that may not be blank.

        Raises:
            DataError: one is blank.
        """
        values = self.column(name)
        for at, value in enumerate(values):
            if value is None:
                raise self.error(at, name, "is missing. Fill it in.")
        return values  # type: ignore[return-value]

    def whole(self, name: str) -> NDArray[np.int64]:
        """Values of a column of whole numbers.

        Raises:
            DataError: one is blank or something else.
        """
        values = self.filled(name)
        if (plain := _plain_numbers(values)) is not None:
            return plain
        numbers = [as_whole(value) for value in values]
        for at, number in enumerate(numbers):
            if number is None:
                raise self.error(at, name, f"is not a whole number: {values[at]!r}. Correct it.")
        return np.array(numbers, dtype=np.int64)

    def check_distinct(self, name: str, values: Column) -> None:
        """Refuse a value that stands twice.

        Raises:
            DataError: it names the second place.
        """
        _, first = np.unique(values, return_index=True)
        if len(first) < len(values):
            again = np.setdiff1d(np.arange(len(values)), first)[0]
            before = int(np.flatnonzero(values == values[again])[0])
            raise self.error(
                int(again),
                name,
                f"{values[again]} already stands in {self._place(before)}. Remove one of the two.",
            )

    def error(self, at: int, name: str, problem: str) -> DataError:
        """An error about one value."""
        return DataError(f"{self._place(at)}, column {name}: {problem}")

    def _place(self, at: int) -> str:
        part, n = self.rows[at]
        return self.table.parts[part].place(n)


def read_small(engine: Engine, source: Any, encoding: str) -> SmallTable:
    """Read a table that fits in memory.

    Raises:
        DataError: it cannot be read, is empty, or has a malformed row.
    """
    table = open_table(engine, source, encoding)
    fields = ", ".join(
        f"nullif(trim(CAST(c{at} AS VARCHAR)), '')" for at in range(len(table.names))
    )
    rows: list[tuple[int, int]] = []
    columns: list[list[str | None]] = [[] for _ in table.names]
    for at in range(len(table.parts)):
        found = read_with_care(
            engine, table, at, lambda scan: f"SELECT n, problem, {fields} FROM ({scan}) ORDER BY n"
        )
        for n, problem, *_ in found:
            if problem:
                raise DataError(f"{table.parts[at].place(n)}: {problem}. Correct the line.")
            rows.append((at, n))
        for column, values in zip(columns, list(zip(*found, strict=True))[2:], strict=False):
            column.extend(values)
    if not rows:
        raise DataError(f"{table.name} has a header but no rows: give at least one.")
    return SmallTable(table, rows, dict(zip(table.names, columns, strict=True)))


def as_whole(text: str) -> int | None:
    """The whole number that a text is, as `RawColumn.whole` reads it: 5.0 is 5, 5.5 is none."""
    number: int | None
    try:
        number = int(text)
    except ValueError:
        try:
            number = int(real) if (real := float(text)).is_integer() else None
        except ValueError:
            return None
    return number if number is not None and -(2**63) <= number < 2**63 else None


def keys_of_text(values: list[str]) -> Column:
    """Whole numbers if all are written as such, else text (007 is text), shape (rows,)."""
    numbers = _plain_numbers(values)
    if numbers is not None and (numbers.astype(np.str_) == np.array(values, np.str_)).all():
        return numbers
    return np.array(values, dtype=np.str_)


def _plain_numbers(values: list[str]) -> NDArray[np.int64] | None:
    """All at once, which is quick, or None if one is not written as a whole number."""
    try:
        return np.array(values, dtype=np.str_).astype(np.int64)
    except (ValueError, OverflowError):
        return None
