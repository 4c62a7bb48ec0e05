"""Results of a command: into the file named, or as CSV to stdout."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from nestcast.data import write_table
from nestcast.data.keys import Column


def write_or_print(columns: Mapping[str, Column], output: Path | None) -> None:
    """Write a table to a file, or as CSV to stdout."""
    if output is not None:
        write_table(columns, output)
        return
    with tempfile.TemporaryDirectory() as scratch:
        csv = Path(scratch) / "result.csv"
        write_table(columns, csv)
        with csv.open("rb") as lines:
            shutil.copyfileobj(lines, sys.stdout.buffer)
        sys.stdout.flush()
