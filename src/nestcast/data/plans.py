"""Plans: how often each ad is going to be shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nestcast.data.calendar import Calendar
from nestcast.data.clicklayout import date_column, impressions_column
from nestcast.data.engine import engine, one_line_errors
from nestcast.data.keys import Keys
from nestcast.data.panel import Panel
from nestcast.data.reading import read_panel
from nestcast.data.source import open_table
from nestcast.errors import DataError


@dataclass(frozen=True, eq=False)
class Plan:
    """Planned impressions.

    Args:
        keys: the series planned, some of which may be new.
        calendar: the periods from the first to the last one planned.
        exposure: shape (series, time).
    """

    keys: Keys
    calendar: Calendar
    exposure: NDArray[np.float32]

    def at(self, keys: Keys, calendar: Calendar) -> NDArray[np.float64]:
        """Impressions of some series and periods, shape (keys, time).

        They are NaN for series without a plan. A period without a row of the plan has none.
        """
        row = self.keys.locate(keys)
        period = self.calendar.index_of(calendar.starts())
        inside = (period >= 0) & (period < len(self.calendar))
        found = self.exposure[:, np.where(inside, period, 0)][row].astype(np.float64)
        return np.where(row[:, None] < 0, np.nan, np.where(inside, found, 0.0))


@one_line_errors
def read_plan(path: str | Path, panel: Panel, *, encoding: str = "utf-8") -> Plan:
    """Read a table of the series columns, dates and impressions.

    Args:
        path: CSV, gzipped CSV or Parquet.
        panel: whose series and periods they are.
        encoding: of a text file.

    Raises:
        DataError: a column is missing, or a row cannot be used.
    """
    with engine() as db:
        table = open_table(db, path, encoding)
        time, impressions = date_column(table), impressions_column(table)
    read = read_panel(
        path,
        time=time,
        series=panel.keys.names,
        target=impressions,
        freq=panel.calendar.freq,
        max_rejected=0,
        keep_incomplete=True,
        encoding=encoding,
    )
    if (read.target < 0).any() or not np.isfinite(read.target).all():
        raise DataError(
            f"{path}: {impressions} are below 0 or missing somewhere: correct the plan."
        )
    return Plan(read.keys, read.calendar, read.target)


def check_covers(plan: Plan, calendar: Calendar, path: str | Path) -> None:
    """See that a plan is about the periods that are forecast.

    Raises:
        DataError: it has none of them.
    """
    period = plan.calendar.index_of(calendar.starts())
    if not ((period >= 0) & (period < len(plan.calendar))).any():
        raise DataError(
            f"{path} plans {plan.calendar.starts()[0]} to {plan.calendar.ends()[-1]}, the forecast "
            f"is of {calendar.starts()[0]} to {calendar.ends()[-1]}. Correct the dates, or say "
            "with --year what year rows without one are of."
        )
