"""Rows that cannot be used: counted by reason, written to a file with their lines, limited."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from nestcast.data.checks import Check
from nestcast.data.engine import Engine
from nestcast.data.source import Table
from nestcast.errors import DataError
from nestcast.files import replacing

_BATCH = 10_000


def counts_by_reason(engine: Engine, checks: Sequence[Check]) -> dict[str, int]:
    """Rejected rows for each reason, most frequent first."""
    rows = engine.rows(
        "SELECT reason, count(*) AS rows FROM rows WHERE reason > 0 GROUP BY reason "
        "ORDER BY rows DESC, reason"
    )
    counts: dict[str, int] = {}
    for number, count in rows:
        reason = checks[number - 1].reason
        counts[reason] = counts.get(reason, 0) + count
    return counts


def write_rejected(engine: Engine, table: Table, path: Path) -> None:
    """Write `file, line, reason` and the row's own fields; without rejected rows, no file.

    A file of an earlier reading does not stay either.

    Raises:
        OptionError: the folder cannot be written to.
    """
    if not engine.rows("SELECT 1 FROM rows WHERE reason > 0 LIMIT 1"):
        path.unlink(missing_ok=True)
        return
    with replacing(path) as aside, aside.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["file", "line", "reason", *table.names])
        for at, part in enumerate(table.parts):
            of_part = f"FROM rows WHERE reason > 0 AND part = {at}"
            places = part.places(engine.arrays(f"SELECT n {of_part}")["n"].tolist())
            found = engine.connection.execute(f"SELECT n, told {of_part} ORDER BY n")
            while batch := found.fetchmany(_BATCH):
                writer.writerows([part.name, places[n], *told] for n, told in batch)


def check_limit(
    engine: Engine,
    table: Table,
    checks: Sequence[Check],
    *,
    rows_read: int,
    max_rejected: float,
    written_to: Path | None,
) -> None:
    """Stop if more rows were rejected than allowed; what a preset drops is not counted.

    Raises:
        DataError: it says how many, why, and shows the first.
    """
    cleaning = {check.reason for check in checks if check.is_cleaning}
    counts = counts_by_reason(engine, checks)
    unusable = {reason: n for reason, n in counts.items() if reason not in cleaning}
    total = sum(unusable.values())
    if total <= max_rejected * rows_read:
        return
    why = "; ".join(f"{n:,} {reason}" for reason, n in unusable.items())
    where = f"See {written_to} for all of them" if written_to else "Mend the rows"
    raise DataError(
        f"{total:,} of {rows_read:,} rows ({100 * total / rows_read:.3g}%) of {table.name} cannot "
        f"be used: {why}. The first: {_first(engine, table, checks)}. {where}, or allow a larger "
        f"share than {max_rejected:g} with --max-rejected."
    )


def _first(engine: Engine, table: Table, checks: Sequence[Check]) -> str:
    unusable = [str(at) for at, check in enumerate(checks, start=1) if not check.is_cleaning]
    part, n, detail = engine.row(
        f"SELECT part, n, told[1] FROM rows WHERE reason IN ({', '.join(unusable)}) "
        "ORDER BY part, n LIMIT 1"
    )
    return f"{table.parts[part].place(n)}: {' '.join(detail.split())}"
