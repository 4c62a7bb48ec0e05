"""What is in stock: `stock.csv`."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nestcast.data.engine import engine, one_line_errors
from nestcast.data.keys import Column, Keys
from nestcast.data.panel import Attributes
from nestcast.data.presets import preset_named
from nestcast.data.smalltable import SmallTable, as_whole, keys_of_text, read_small
from nestcast.errors import DataError
from nestcast.files import replacing

Values = NDArray[np.float64]
Marks = NDArray[np.bool_]

_WHOLE = ("shop_id", "item_id")
_LARGEST = 1e15


@dataclass(frozen=True, eq=False)
class Stock:
    """Units in stock on the morning of the first day forecast; each array has shape (rows,).

    Values are NaN where a row leaves them blank, arrays None where the file has no such column.

    Args:
        keys: the series, one row each.
        on_hand: units on the shelf.
        on_order: units ordered and not yet there.
        lead_time_days: days from an order until the units are there.
        unit_cost: what one unit costs to buy.
        holding_cost: what one unit left over at the end of the forecast costs.
        shortage_cost: what one unit asked for and not there costs.
        received: units received in the last 90 days, with those there at their beginning.
        mean_on_hand: mean units on hand in the last 90 days.
        rejected: reason -> number of rows that could not be used.
        notes: sentences to read with it.
    """

    keys: Keys
    on_hand: Values
    on_order: Values | None = None
    lead_time_days: Values | None = None
    unit_cost: Values | None = None
    holding_cost: Values | None = None
    shortage_cost: Values | None = None
    received: Values | None = None
    mean_on_hand: Values | None = None
    rejected: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.keys)

    def of(self, keys: Keys) -> Stock:
        """The stock of the given series, NaN for those not listed."""
        at = self.keys.locate(keys)
        columns: dict[str, Any] = {
            name: np.where(at >= 0, values[at], np.nan) if len(self) else np.full(len(at), np.nan)
            for name in COLUMNS
            if (values := getattr(self, name)) is not None
        }
        return replace(self, keys=keys, **columns)


COLUMNS = tuple(one.name for one in fields(Stock) if one.name not in ("keys", "rejected", "notes"))


@one_line_errors
def read_stock(
    source: Any,
    *,
    series: Sequence[str],
    preset: str | None = None,
    attributes: Mapping[str, Attributes] | None = None,
    encoding: str = "utf-8",
    rejected: str | Path | None = None,
    max_rejected: float = 0.01,
) -> Stock:
    """Read what is in stock.

    Rows that cannot be used are left out, counted by reason and written to a file, as `read_panel`
    does with sales.

    Example:
        >>> import pyarrow as pa
        >>> frame = pa.table({"shop_id": [5, 5], "item_id": [7, 8], "on_hand": [12, 0]})
        >>> stock = read_stock(frame, series=["shop_id", "item_id"])
        >>> stock.of(Keys({"shop_id": np.array([5]), "item_id": np.array([9])})).on_hand
        array([nan])

    Args:
        source: a file, a DuckDB relation or a frame, as in `read_panel`: the key columns,
            `on_hand`, and any of the other columns of `Stock`. Columns of other names are not
            used, which is noted.
        series: the key columns, those of the panel.
        preset: the cleaning that was applied to the panel.
        attributes: what is known of items and shops; rows whose keys are not listed are rejected.
        encoding: encoding of text files.
        rejected: where to write rows that cannot be used, with their line and the reason.
        max_rejected: largest share of unusable rows that is accepted, from 0 to 1.

    Raises:
        DataError: a column is missing or misspelt, or too many rows cannot be used.
    """
    cleaning = preset_named(preset)
    with engine() as db:
        table = read_small(db, source, encoding)
    unused = _check_columns(table, series)
    problems = _Problems(table)
    columns: dict[str, Column] = {name: _key(table, name, problems) for name in series}
    for name, listed in (attributes or {}).items():
        if name in columns and listed.ids.dtype.kind == columns[name].dtype.kind:
            problems.add(f"{name} is not listed", listed.positions(columns[name]) < 0, name)
    values = {name: _numbers(table, name, problems) for name in COLUMNS if table.table.has(name)}
    problems.add("on_hand is missing", np.isnan(values["on_hand"]), "on_hand")
    keys = cleaning.merge(Keys(columns))
    first = np.zeros(len(table), bool)
    usable = np.flatnonzero(problems.usable)
    if len(usable):
        first[usable[keys.take(usable).first_of_each()]] = True
    problems.add(f"{' and '.join(series)} stand there twice", ~first, series[-1])
    problems.write(None if rejected is None else Path(rejected))
    problems.check_limit(max_rejected, rejected)
    return Stock(
        keys.take(first),
        **{name: one[first] for name, one in values.items()},
        rejected=problems.counts,
        notes=(f"columns not used: {', '.join(unused)}",) if unused else (),
    )


def _check_columns(table: SmallTable, series: Sequence[str]) -> list[str]:
    """Columns that mean nothing here.

    Raises:
        DataError: one that must be there is missing, or looks like a known one misspelt.
    """
    known = (*series, *COLUMNS)
    unused = [one for one in table.table.names if one.lower() not in known and one not in known]
    for name in unused:
        absent = [one for one in known if not table.table.has(one)]
        meant = difflib.get_close_matches(name.lower().strip(), absent, 1, cutoff=0.8)
        if meant:
            raise DataError(
                f"{table.table.name} has an unknown column {name!r}: is it {meant[0]}? Rename it; "
                f"known are {', '.join(known)}."
            )
    for name in (*series, "on_hand"):
        table.column(name)
    return unused


class _Problems:
    """Rows that cannot be used, each for the first reason found."""

    def __init__(self, table: SmallTable) -> None:
        self.table = table
        self.usable: Marks = np.ones(len(table), bool)
        self.counts: dict[str, int] = {}
        self._told: list[tuple[int, str]] = []

    def add(self, reason: str, fails: Marks, column: str) -> None:
        """Reject the rows, of those still usable, for which it fails."""
        rows = np.flatnonzero(fails & self.usable)
        self.usable[rows] = False
        if len(rows):
            self.counts[reason] = len(rows)
            shown = self.table.column(column)
            self._told += [
                (at, reason if shown[at] is None else f"{reason}: {shown[at]}")
                for at in rows.tolist()
            ]

    def write(self, path: Path | None) -> None:
        """Write `file, line, reason` and the row's own fields; without rejected rows, no file."""
        if path is None:
            return
        if not self._told:
            path.unlink(missing_ok=True)
            return
        table = self.table
        with replacing(path) as aside, aside.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(["file", "line", "reason", *table.table.names])
            for at, told in sorted(self._told):
                part, n = table.rows[at]
                found = table.table.parts[part]
                row = [table.columns[name][at] for name in table.table.names]
                writer.writerow([found.name, found.places([n])[n], told, *row])

    def check_limit(self, max_rejected: float, path: str | Path | None) -> None:
        """Stop if more rows were rejected than allowed.

        Raises:
            DataError: it says how many, why, and shows the first.
        """
        count, rows = len(self._told), len(self.table)
        if count <= max_rejected * rows:
            return
        why = "; ".join(f"{number:,} {reason}" for reason, number in self.counts.items())
        at, told = min(self._told)
        part, n = self.table.rows[at]
        where = f"See {path} for all of them" if path else "Mend the rows"
        raise DataError(
            f"{count:,} of {rows:,} rows ({100 * count / rows:.3g}%) of {self.table.table.name} "
            f"cannot be used: {why}. The first: {self.table.table.parts[part].place(n)}: {told}. "
            f"{where}, or allow a larger share than {max_rejected:g} with --max-rejected."
        )


def _key(table: SmallTable, name: str, problems: _Problems) -> Column:
    """A key column; what is no key is rejected and stands as 0 or empty."""
    texts = table.column(name)
    problems.add(f"{name} is missing", np.array([text is None for text in texts], bool), name)
    if name not in _WHOLE:
        return keys_of_text([text or "" for text in texts])
    numbers = [None if text is None else as_whole(text) for text in texts]
    problems.add(
        f"{name} is not a whole number", np.array([one is None for one in numbers], bool), name
    )
    return np.array([one or 0 for one in numbers], np.int64)


def _numbers(table: SmallTable, name: str, problems: _Problems) -> Values:
    """A column of numbers that are not negative; NaN where blank."""
    texts = table.column(name)
    found = np.array([_number(text) for text in texts], np.float64)
    blank = np.array([text is None for text in texts], bool)
    problems.add(f"{name} is not a number (as in 1234.5)", np.isnan(found) & ~blank, name)
    problems.add(f"{name} is out of range", np.abs(found) > _LARGEST, name)
    problems.add(f"{name} is negative", found < 0, name)
    return found


def _number(text: str | None) -> float:
    try:
        return np.nan if text is None else float(text)
    except ValueError:
        return np.nan
