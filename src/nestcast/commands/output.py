"""Results of a command: into the file named, or as CSV to stdout."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nestcast.data import Panel, write_table
from nestcast.data.keys import Column

if TYPE_CHECKING:
    from nestcast.commands.forecasting import Made


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


def write_forecast(made: Made, levels: Sequence[float], output: Path | None) -> None:
    """Write a forecast as a long table, or as a submission where the pairs have IDs."""
    forecast, pairs = made.forecast, made.pairs
    if pairs is not None:
        forecast = replace(forecast, keys=pairs.given)
    if pairs is not None and pairs.ids is not None:
        columns = forecast.to_submission(pairs.ids, _submission_column(made.panel))
    else:
        columns = forecast.to_columns(levels)
    write_or_print(columns, output)


def _submission_column(panel: Panel) -> str:
    """The competition's name for a month of daily counts, or the target's own name."""
    if panel.target_name == "item_cnt_day" and panel.calendar.freq == "1mo":
        return "item_cnt_month"
    return panel.target_name
