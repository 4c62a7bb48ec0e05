"""`read_panel`: raw rows in, a Panel and the account of every row out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nestcast.data.attributes import read_attributes
from nestcast.data.build import build_arrays
from nestcast.data.calendar import Calendar, Dates
from nestcast.data.checks import Check, not_whole
from nestcast.data.clicklayout import choose_click_layout, is_clicks
from nestcast.data.covariates import series_columns, shared_once, with_covariates, with_future
from nestcast.data.daily import daily_totals
from nestcast.data.dates import DateReader, date_reader, month_reader, parts_reader
from nestcast.data.engine import Engine, engine, one_line_errors
from nestcast.data.layout import Layout, choose_layout, click_files, sales_files
from nestcast.data.panel import Attributes, Panel
from nestcast.data.periods import Periods, bulk_of, periods_of
from nestcast.data.presets import Preset, check_applies, preset_named
from nestcast.data.rejects import check_limit, counts_by_reason, write_rejected
from nestcast.data.report import ReadReport
from nestcast.data.source import Table, open_table
from nestcast.data.staging import Reading, raw_column, stage, sums_of, text_keys, time_column
from nestcast.errors import DataError, OptionError


@one_line_errors
def read_panel(
    source: Any,
    *,
    time: str | None = None,
    series: Sequence[str] | str | None = None,
    target: str | None = None,
    price: str | None = None,
    exposure: str | None = None,
    cost: str | None = None,
    revenue: str | None = None,
    observed: Sequence[str] | str = (),
    known: Sequence[str] | str = (),
    future: Any = None,
    freq: str | None = None,
    preset: str | None = None,
    max_rejected: float = 0.01,
    memory_limit: str = "2GB",
    threads: int | None = None,
    rejected: str | Path | None = None,
    encoding: str = "utf-8",
    date_format: str | None = None,
    year: int | None = None,
    keep_incomplete: bool = False,
) -> Panel:
    """Read raw rows, check every one, and group them into a panel.

    Example:
        >>> import pyarrow as pa
        >>> frame = pa.table({
        ...     "unique_id": ["a", "a", "b"],
        ...     "ds": ["2024-01-01", "2024-03-01", "2024-02-01"],
        ...     "y": [3, 5, 2],
        ... })
        >>> panel = read_panel(frame)
        >>> panel.keys["unique_id"].tolist(), panel.target.tolist(), panel.start.tolist()
        (['a', 'b'], [[3.0, 0.0, 5.0], [0.0, 2.0, 0.0]], [0, 1])
        >>> panel.report.rows_read, panel.report.rows_used, panel.report.notes
        (3, 3, ('periods are months, as the dates say (--freq 1mo)',))

    Args:
        source: a folder in the layout of Kaggle's "Predict Future Sales"; a file or a pattern of
            files (CSV with any usual delimiter, gzipped or not, or Parquet); a DuckDB relation; or
            a frame with the Arrow interface (pandas with pyarrow, Polars, pyarrow).
        time, series, target, price: the columns; those of the Kaggle layouts and nixtla's
            `unique_id, ds, y` are recognised. The price becomes `panel.observed[column]`, as its
            mean over the rows of each series and period; `panel.price_name` is the column.
        exposure: column of the impressions, of which the target counts those that were clicked; or
            `rows`, for a log in which each row is one impression and the target 0 or 1. Common
            names are recognised, and a date in columns `month` and `day`; what was, is noted.
        cost, revenue: columns of money spent and earned, summed into `panel.observed`; only with
            an exposure, and then recognised by their common names too.
        observed, known: columns of further covariates, averaged into `panel.observed` and
            `panel.known`: what is known only afterwards, such as the weather, and what is known
            ahead, such as a promotion that is planned. A value may be missing.
        future: a file or frame with what is known ahead of the periods after the last: the date,
            at least one of the series columns, and the `known` columns.
        freq: length of a period, `1d`, `1w` or `1mo`, with an exposure also `1h`; by default months
            for the Kaggle layouts, days for logs, else what the dates suggest.
        preset: known cleaning to apply, such as `1c`; without, nothing is changed.
        max_rejected: largest share of unusable rows that is accepted, from 0 to 1.
        memory_limit: what DuckDB may hold in memory; beyond, it uses a temporary folder.
        threads: processor threads for reading; the result does not depend on it.
        rejected: where to write unusable rows with file, line and reason.
        encoding: encoding of text files.
        date_format: how dates are written, in the notation of `strftime`, if not recognised.
        year: the year of dates that are written without; by default 2024, which is noted.
        keep_incomplete: whether to keep an incomplete last period.

    Raises:
        DataError: the rows cannot be used as they are; the message says where and what to do.
        OptionError: an argument makes no sense.
    """
    if not 0 <= max_rejected <= 1:
        raise OptionError(f"--max-rejected is a share from 0 to 1, not {max_rejected:g}.")
    if future is not None and not known:
        raise OptionError("--future is of covariates known ahead: name their columns with --known.")
    cleaning = preset_named(preset)
    with engine(memory_limit, threads) as db:
        attributes: dict[str, Attributes] = {}
        files: dict[str, str] = {}
        if isinstance(source, str | Path) and Path(source).is_dir():
            if exposure:
                table = open_table(db, click_files(Path(source)), encoding)
            else:
                table = open_table(db, sales_files(Path(source)), encoding)
                attributes, files = read_attributes(db, Path(source), encoding)
        else:
            table = open_table(db, source, encoding)
        if is_clicks(table, exposure, target):
            layout = choose_click_layout(
                table,
                time=time,
                series=series,
                target=target,
                exposure=exposure,
                cost=cost,
                revenue=revenue,
                freq=freq,
            )
        else:
            layout = choose_layout(
                table, time=time, series=series, target=target, price=price, freq=freq
            )
        layout = with_covariates(table, layout, observed, known)
        columns = (*layout.series, layout.target, *([layout.price] if layout.price else []))
        check_applies(cleaning, columns)
        dates, notes = _date_readers(db, table, layout, date_format, year)
        reading = Reading(
            layout,
            dates,
            cleaning,
            text_keys=frozenset() if layout.whole_keys else text_keys(db, table, layout.series),
        )
        listed = _register_listed(db, layout, attributes, files)
        checks, days, rows = _stage_until_consistent(db, table, reading, listed)
        rows_read = _count(db, "true")
        written_to = Path(rejected) if rejected is not None else None
        if written_to is not None:
            write_rejected(db, table, written_to)
        if rows_read == 0:
            raise DataError(f"{table.name} has a header but no rows: give at least one.")
        check_limit(
            db,
            table,
            checks,
            rows_read=rows_read,
            max_rejected=max_rejected,
            written_to=written_to,
        )
        if len(days) == 0:
            raise DataError(
                f"{table.name}: not one of its {rows_read:,} rows can be used. Mend them."
            )
        periods = periods_of(days, layout.freq, keep_incomplete)
        calendar = periods.calendar.head(periods.complete)
        arrays = build_arrays(
            db, layout.series, calendar, cleaning, tuple(layout.averaged), sums_of(layout)[1:]
        )
        daily = daily_totals(db, layout.series, calendar, days, attributes)
        report = _report(db, checks, layout, cleaning, periods, calendar, days, rows)
        report = replace(report, notes=(*layout.notes, *notes, *report.notes))
    found = {name: arrays.means[column] for column, name in layout.averaged.items()}
    panel = Panel(
        keys=arrays.keys,
        calendar=calendar,
        target=arrays.target,
        start=arrays.start,
        is_count=arrays.is_count,
        target_name=layout.target,
        time_name=layout.time,
        exposure=arrays.sums.get("exposure"),
        observed={name: values for name, values in found.items() if name not in layout.known}
        | {name: arrays.sums[name] for name in layout.amounts if name != "exposure"},
        known={name: found[name] for name in layout.known},
        attributes={key: attributes[key] for key in layout.series if key in attributes},
        report=report,
        price_name=layout.price,
        daily=daily,
    )
    if future is not None:
        with engine(memory_limit, threads) as db:
            keys = series_columns(open_table(db, future, encoding), layout.series)
        ahead = read_panel(
            future,
            time=layout.time,
            series=keys,
            target=layout.known[0],
            observed=layout.known,
            freq=calendar.freq,
            max_rejected=0,
            keep_incomplete=True,
            encoding=encoding,
            date_format=date_format,
            year=year,
        )
        panel = with_future(panel, ahead, layout.known)
    return shared_once(panel)


def _date_readers(
    db: Engine, table: Table, layout: Layout, date_format: str | None, year: int | None
) -> tuple[tuple[DateReader, ...], tuple[str, ...]]:
    """How dates are read in each part, and notes on it."""
    if layout.time_parts:
        columns = [time_column(table, part, layout) for part in table.parts]
        return parts_reader(db, table, columns, year)
    if layout.counts_months:
        months = (month_reader(raw_column(table, part, layout.time)) for part in table.parts)
        return tuple(months), ()
    at = table.names.index(layout.time)
    hourly = layout.freq == "1h"
    readers = (
        date_reader(db, table, number, at, date_format, hourly=hourly)
        for number in range(len(table.parts))
    )
    return tuple(readers), ()


def _register_listed(
    db: Engine, layout: Layout, attributes: dict[str, Attributes], files: dict[str, str]
) -> dict[str, tuple[str, str]]:
    """Tables of the listed ids of each key column that a file lists."""
    known: dict[str, tuple[str, str]] = {}
    for key in layout.series:
        if key in files and attributes[key].ids.dtype.kind == "i":
            name = f"listed{len(known)}"
            with db.table(id=attributes[key].ids) as ids:
                db.run(f"CREATE TEMP TABLE {name} AS SELECT id FROM {ids}")
            known[key] = (files[key], name)
    return known


def _stage_until_consistent(
    db: Engine, table: Table, reading: Reading, known: dict[str, tuple[str, str]]
) -> tuple[tuple[Check, ...], Dates, NDArray[np.int64]]:
    """Read the rows; again, where only the rows as a whole show how each is to be read.

    That is so when a key that began with whole numbers turns out to be text, when a key is not
    listed where it should be (rare, and to look each row up takes long), and when a date turns out
    to be far from all others.

    Returns:
        The checks made, the distinct days of usable rows, and the rows on each.
    """
    while True:
        checks = stage(db, table, reading)
        counts = counts_by_reason(db, checks)
        text = {
            name
            for name in reading.layout.series
            if not reading.layout.whole_keys and counts.get(not_whole(name))
        }
        if text:
            reading = replace(reading, text_keys=reading.text_keys | text)
            continue
        unlisted = {
            key: known[key]
            for at, key in enumerate(reading.layout.series)
            if key in known and key not in reading.known and _has_unlisted(db, at, known[key][1])
        }
        if unlisted:
            reading = replace(reading, known={**reading.known, **unlisted})
            continue
        found = db.arrays(
            "SELECT day, sum(size)::BIGINT AS rows FROM rows WHERE reason = 0 GROUP BY day "
            "ORDER BY day"
        )
        unit = "M8[h]" if reading.layout.freq == "1h" else "M8[D]"
        days, rows = found["day"].astype(unit), found["rows"]
        if len(days) == 0 or reading.window:
            return checks, days, rows
        window = bulk_of(days, rows)
        if window == (days[0], days[-1]):
            return checks, days, rows
        reading = replace(reading, window=(str(window[0]), str(window[1])))


def _has_unlisted(db: Engine, at: int, listed: str) -> bool:
    """Whether a usable row has a key that is not in the table `listed`."""
    distinct = f"SELECT DISTINCT k{at} AS id FROM rows WHERE reason = 0"
    return bool(db.rows(f"FROM ({distinct}) ANTI JOIN {listed} USING (id) LIMIT 1"))


def _report(
    db: Engine,
    checks: Sequence[Check],
    layout: Layout,
    preset: Preset,
    periods: Periods,
    calendar: Calendar,
    days: Dates,
    rows: NDArray[np.int64],
) -> ReadReport:
    rejected = counts_by_reason(db, checks)
    notes = [*_merges(db, layout, preset)]
    notes += [
        f"{check.reason}, rows dropped: {rejected[check.reason]:,}"
        for check in checks
        if check.is_cleaning and check.reason in rejected
    ]
    return ReadReport(
        rows_read=_count(db, "true"),
        rows_used=int(rows.sum()),
        rejected=rejected,
        returns=_count(db, "reason = 0 AND y < 0"),
        rows_held_back=int(rows[days > calendar.ends()[-1]].sum()),
        notes=(*notes, *periods.notes),
    )


def _merges(db: Engine, layout: Layout, preset: Preset) -> list[str]:
    notes = []
    for at, name in enumerate(layout.series):
        for old, new in preset.merged.get(name, {}).items():
            count = _count(db, f"reason = 0 AND k{at} = '{old}'")
            if count:
                notes.append(f"preset {preset.name}: {name} {old} is {new}, rows: {count:,}")
    return notes


def _count(db: Engine, condition: str) -> int:
    return int(db.row(f"SELECT coalesce(sum(size), 0) FROM rows WHERE {condition}")[0])
