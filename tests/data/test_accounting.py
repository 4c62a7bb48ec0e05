"""Rows in = rows used + rows rejected, whatever is done to a file."""

import csv
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nestcast.data import read_panel
from nestcast.errors import DataError
from tests.data.raw import GOOD, HEADER, rejected

DAMAGE = st.sampled_from(
    ["", " ", "abc", "nan", "inf", "-1", "1e400", "1.5", "01.01.2113", "5,6", "NULL", "é", "'", ";"]
)
# Where quotation marks are put at random, how lines make up records is a matter of taste; here
# they stand alone in a value, so that each line is one record.
QUOTED = st.sampled_from(['"', '"x', 'x"', '""', '"a" b', '"1"', '"1\t"'])


@settings(max_examples=40, deadline=None)
@given(
    damages=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 5), DAMAGE), max_size=30),
    dropped=st.lists(st.integers(0, 99), max_size=5),
    blank=st.lists(st.integers(0, 99), max_size=5),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_every_line_is_used_or_rejected(
    damages: list[tuple[int, int, str]], dropped: list[int], blank: list[int], end: str
) -> None:
    rows = [row.split(",") for row in GOOD[:100]]
    for at, column, value in damages:
        rows[at][column] = value
    for at in dropped:
        rows[at] = rows[at][:-1]
    lines = [",".join(row) for row in rows]
    for at in blank:
        lines.insert(at, "")
    filled = {number: line for number, line in enumerate(lines, start=2) if line}
    _check_account(end.join([HEADER, *lines]) + end, filled)


@settings(max_examples=40, deadline=None)
@given(damages=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 5), QUOTED), max_size=6))
def test_stray_quotation_marks_lose_no_other_line(damages: list[tuple[int, int, str]]) -> None:
    rows = [row.split(",") for row in GOOD[:100]]
    for at, column, value in damages:
        rows[at][column] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.csv")
        path.write_text("\n".join([HEADER, *(",".join(row) for row in rows)]) + "\n")
        account = Path(folder, "rejected.csv")
        try:
            report = read_panel(path, max_rejected=1, rejected=account).report
        except DataError as error:
            assert "cannot read the date" in str(error)  # noqa: PT017
            return
    assert report.rows_read == report.rows_used + report.rows_rejected
    assert report.rows_used >= 100 - 2 * len(damages)


def _check_account(text: str, filled: dict[int, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, account = Path(folder, "rows.csv"), Path(folder, "rejected.csv")
        path.write_bytes(text.encode())
        panel = read_panel(path, max_rejected=1, rejected=account)
        lines = [line for line, _ in rejected(account)] if account.exists() else []
    report = panel.report
    assert report.rows_read == len(filled)
    assert report.rows_read == report.rows_used + report.rows_rejected
    assert len(lines) == len(set(lines)) == report.rows_rejected
    used = [line for number, line in filled.items() if number not in set(lines)]
    # What is left are rows that a reader of its own can sum up to the same total.
    total = sum(float(row[5]) for row in csv.reader(used))
    assert report.rows_held_back or np.isclose(np.nansum(panel.target, dtype=float), total)


def test_real_files(shared_data) -> None:
    for name, options in {
        "1c": {},
        "1c_daily": {"preset": "1c"},
        "walmart/walmart_weekly.csv": {
            "time": "Date",
            "series": "Store",
            "target": "Weekly_Sales",
        },
    }.items():
        report = read_panel(shared_data(name), **options).report
        assert report.rows_read == report.rows_used + report.rows_rejected > 0
