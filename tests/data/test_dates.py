"""Ways in which dates may be written."""

from pathlib import Path

import numpy as np
import pytest

from nestcast.data import read_panel
from tests.data.raw import table

DAYS = np.arange(np.datetime64("2024-01-01"), np.datetime64("2024-03-31"))


@pytest.mark.parametrize(
    ("how", "given"),
    [
        ("%d.%m.%Y", None),
        ("%d/%m/%Y", None),
        ("%m/%d/%Y", None),
        ("%d-%m-%Y", None),
        ("%m-%d-%Y", None),
        ("%Y-%m-%d", None),
        ("%Y-%m-%d 23:59:59", None),
        ("%Y-%m-%dT23:59:59.5", None),
        ("%Y-%m-%dT23:59:59Z", None),
        ("%Y/%m/%d", None),
        ("%Y%m%d", None),
        (" %d.%m.%Y ", None),
        ("%d %b %y", "%d %b %y"),
        ("%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M"),
    ],
)
def test_formats(tmp_path: Path, how: str, given: str | None) -> None:
    rows = [f"a,{day.astype(object).strftime(how)},1" for day in DAYS]
    panel = read_panel(table(tmp_path, "unique_id,ds,y", rows), date_format=given)
    assert panel.calendar.starts().tolist() == DAYS.tolist()


def test_months(tmp_path: Path) -> None:
    rows = ["a,2024-01,1", "a,2024-02,2"]
    panel = read_panel(table(tmp_path, "unique_id,ds,y", rows))
    assert panel.calendar.freq == "1mo"
    assert panel.target.tolist() == [[1, 2]]


def test_day_and_month_are_told_apart_beyond_the_first_rows(tmp_path: Path) -> None:
    early = [f"a{at},{1 + at % 12:02d}/{1 + at % 11:02d}/2024,1" for at in range(1500)]
    path = table(tmp_path, "unique_id,ds,y", [*early, *(["b,13/01/2024,1"] * 200)])
    panel = read_panel(path)
    assert panel.report.rows_rejected == 0
    path = table(tmp_path, "unique_id,ds,y", [*early, *(["b,01/13/2024,1"] * 200)])
    assert read_panel(path).report.rows_rejected == 0


def test_month_numbers_count_from_january_2013(tmp_path: Path) -> None:
    rows = ["0,5,7,2.0", "2,5,7,3", "33,5,8,1", "2.5,5,7,1", "-1,5,7,1", "x,5,7,1", "9999,5,7,1"]
    path = table(tmp_path, "date_block_num,shop_id,item_id,item_cnt_month", rows)
    panel = read_panel(path, max_rejected=1)
    assert panel.report.rows_rejected == 4
    assert len(panel.calendar) == 34
    assert panel.calendar.starts()[[0, -1]].tolist() == [
        np.datetime64("2013-01-01").astype(object),
        np.datetime64("2015-10-01").astype(object),
    ]
    assert panel.target[:, [0, 2, 33]].tolist() == [[2, 3, 0], [0, 0, 1]]
    assert panel.start.tolist() == [0, 33]
    assert panel.time_name == "date_block_num"


def test_words_are_no_dates(tmp_path: Path) -> None:
    rows = [f"a,{day},1" for day in [*DAYS[:5], "infinity", "epoch", "now", "today"]]
    panel = read_panel(table(tmp_path, "unique_id,ds,y", rows), max_rejected=1)
    assert panel.report.rows_used == 5
