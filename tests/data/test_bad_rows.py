"""Single bad rows: each is rejected with its line and reason, and nothing else changes."""

import csv
from pathlib import Path

import numpy as np
import pytest

from nestcast.data import read_panel
from nestcast.errors import DataError
from tests.data.raw import FIRST_BAD, GOOD, HEADER, rejected, sales, table

BAD_ROWS = {
    "01.01.2013,0,1,1,abc,1": "item_price is not a number (as in 1234.5): abc",
    "01.01.2013,0,1,1,,1": "item_price is missing",
    "01.01.2013,0,1,1,nan,1": "item_price is missing",
    "01.01.2013,0,1,1,-1,1": "item_price is negative: -1",
    "01.01.2013,0,1,1,inf,1": "item_price is out of range: inf",
    "01.01.2013,0,1,1,9.5,one": "item_cnt_day is not a number (as in 1234.5): one",
    '01.01.2013,0,1,1,9.5,""': "item_cnt_day is missing",
    "01.01.2013,0,1,1,9.5,1.5": "item_cnt_day is not a whole number: 1.5",
    "01.01.2013,0,1,1,9.5,-inf": "item_cnt_day is out of range: -inf",
    "01.01.2013,0,1,1,9.5,1e300": "item_cnt_day is out of range: 1e300",
    "01.01.2013,0,,1,9.5,1": "shop_id is missing",
    "01.01.2013,0, ,1,9.5,1": "shop_id is missing",
    "01.01.2013,0,1,1.5,9.5,1": "item_id is not a whole number: 1.5",
    "01.01.2013,0,1,99999999999999999999,9.5,1": (
        "item_id is not a whole number: 99999999999999999999"
    ),
    "01.01.2013,0,1,x,9.5,1": "item_id is not a whole number: x",
    ",0,1,1,9.5,1": "date is missing",
    "31.02.2013,0,1,1,9.5,1": "date is not a date (dd.mm.yyyy): 31.02.2013",
    "2013-01-01,0,1,1,9.5,1": "date is not a date (dd.mm.yyyy): 2013-01-01",
    "01.01.2103,0,1,1,9.5,1": "date is over ten years from all others: 01.01.2103",
    "01.01.1913,0,1,1,9.5,1": "date is over ten years from all others: 01.01.1913",
    "01.01.2013,0,1,1,9.5": "not a row of the table: 5 values where the header has 6 columns",
    "01.01.2013,0,1,1,9.5,1,2": "not a row of the table: 7 values where the header has 6 columns",
    '01.01.2013,0,1,1,9.5,"1': "not a row of the table: a quotation mark is not closed",
    '01.01.2013,0,1,1,9.5,"1"x': ("not a row of the table: text after a closing quotation mark"),
}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(("row", "reason"), BAD_ROWS.items())
def test_a_bad_row_is_rejected_with_line_and_reason(
    tmp_path: Path, row: str, reason: str, end: str
) -> None:
    clean = read_panel(sales(tmp_path))
    account = tmp_path / "rejected.csv"
    panel = read_panel(sales(tmp_path, row, end=end), rejected=account)
    assert rejected(account) == [(FIRST_BAD, reason)]
    assert panel.report.rejected == {reason.split(": ")[0]: 1}
    assert panel.report.rows_read == panel.report.rows_used + 1 == len(GOOD) + 1
    np.testing.assert_array_equal(panel.target, clean.target)


def test_all_kinds_of_bad_rows_at_once(tmp_path: Path) -> None:
    account = tmp_path / "rejected.csv"
    path = sales(tmp_path, *BAD_ROWS)
    panel = read_panel(path, max_rejected=0.1, rejected=account)
    found = rejected(account)
    assert found == [(FIRST_BAD + at, reason) for at, reason in enumerate(BAD_ROWS.values())]
    assert panel.report.rows_rejected == len(BAD_ROWS)
    assert panel.report.rows_read == len(GOOD) + len(BAD_ROWS)


def test_rejected_rows_keep_their_fields(tmp_path: Path) -> None:
    account = tmp_path / "rejected.csv"
    path = sales(tmp_path, '"01.01.2013",0,1,"1","a ""b"", c",1', "01.01.2013,0,1,1,9.5,1,2,3")
    read_panel(path, rejected=account)
    with account.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["file", "line", "reason", *HEADER.split(",")]
    assert rows[1][0] == str(path)
    assert rows[1][3:] == ["01.01.2013", "0", "1", "1", 'a "b", c', "1"]
    assert rows[2][3:] == ["01.01.2013", "0", "1", "1", "9.5", "1,2,3"]


@pytest.mark.parametrize(
    ("between", "lines"),
    [
        (["", "", "{bad}"], [FIRST_BAD + 2]),
        (["   ", "{bad}"], [FIRST_BAD, FIRST_BAD + 1]),
        (['01.01.2013,"0\n\n",1,1,9.5,1', "{bad}"], [FIRST_BAD + 3]),
        (['01.01.2013,"0",1,1,9.5,1', "{bad}"], [FIRST_BAD + 1]),
        (["{bad}", "{bad}"], [FIRST_BAD, FIRST_BAD + 1]),
        (['01.01.2013,0,5" disk,1,9.5,1', "{bad}"], [FIRST_BAD, FIRST_BAD + 1]),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_are_counted_as_an_editor_counts_them(
    tmp_path: Path, between: list[str], lines: list[int], end: str
) -> None:
    rows = [row.replace("{bad}", "01.01.2013,0,1,1,abc,1").replace("\n", end) for row in between]
    account = tmp_path / "rejected.csv"
    read_panel(sales(tmp_path, *rows, end=end), rejected=account)
    assert [line for line, _ in rejected(account)] == lines


def test_mixed_line_ends_are_read(tmp_path: Path) -> None:
    path = sales(tmp_path, "01.01.2013,0,1,1,abc,1\r", "01.01.2013,0,1,1,7,1\r")
    account = tmp_path / "rejected.csv"
    panel = read_panel(path, rejected=account)
    assert rejected(account) == [(FIRST_BAD, "item_price is not a number (as in 1234.5): abc")]
    assert panel.report.rows_used == len(GOOD) + 1


def test_each_of_several_files_is_named(tmp_path: Path) -> None:
    sales(tmp_path, "01.01.2013,0,1,1,abc,1", name="sales_train_1.csv")
    sales(tmp_path, name="sales_train_2.csv")
    sales(tmp_path, "01.01.2013,0,1,1,9.5,xyz", "1,2", name="sales_train_3.csv")
    account = tmp_path / "rejected.csv"
    panel = read_panel(tmp_path, rejected=account)
    with account.open(encoding="utf-8", newline="") as file:
        rows = [(Path(row["file"]).name, int(row["line"])) for row in csv.DictReader(file)]
    assert rows == [
        ("sales_train_1.csv", FIRST_BAD),
        ("sales_train_3.csv", FIRST_BAD),
        ("sales_train_3.csv", FIRST_BAD + 1),
    ]
    assert panel.report.rows_used == 3 * len(GOOD)


def test_returns_are_kept_and_counted(tmp_path: Path) -> None:
    before = read_panel(sales(tmp_path))
    panel = read_panel(sales(tmp_path, "01.01.2013,0,1,1,9.5,-7"))
    assert panel.report.returns == 1
    assert panel.report.rows_rejected == 0
    assert panel.target.sum() == before.target.sum() - 7


def test_no_rejected_row_leaves_no_file(tmp_path: Path) -> None:
    account = tmp_path / "rejected.csv"
    account.write_text("of an earlier run")
    read_panel(sales(tmp_path), rejected=account)
    assert not account.exists()


def test_too_many_rejected_rows_stop_the_reading(tmp_path: Path) -> None:
    path = sales(tmp_path, *["01.01.2013,0,1,1,abc,1"] * 20, "01.01.2013,0,1,1,-2,1")
    account = tmp_path / "rejected.csv"
    with pytest.raises(DataError) as caught:
        read_panel(path, rejected=account)
    message = str(caught.value)
    assert "21 of 421 rows (4.99%)" in message
    assert "20 item_price is not a number (as in 1234.5); 1 item_price is negative" in message
    assert f"{path} line {FIRST_BAD}: item_price is not a number (as in 1234.5): abc" in message
    assert str(account) in message
    assert "--max-rejected" in message
    assert "\n" not in message
    assert len(rejected(account)) == 21
    assert read_panel(path, max_rejected=0.05).report.rows_rejected == 21


def test_unlisted_items_and_shops_are_rejected(tmp_path: Path) -> None:
    table(
        tmp_path, "item_name,item_id,item_category_id", [f"i,{i},0" for i in range(5)], "items.csv"
    )
    table(tmp_path, "shop_name,shop_id", [f"s,{s}" for s in range(3)], "shops.csv")
    sales(tmp_path, "01.01.2013,0,1,99,9.5,1", "01.01.2013,0,7,1,9.5,1")
    account = tmp_path / "rejected.csv"
    panel = read_panel(tmp_path, rejected=account)
    assert rejected(account) == [
        (FIRST_BAD, "item_id is not in items.csv: 99"),
        (FIRST_BAD + 1, "shop_id is not in shops.csv: 7"),
    ]
    assert panel.report.rows_used == len(GOOD)


def test_rows_of_a_frame_are_told_by_number(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    frame = pa.table(
        {
            "unique_id": ["a"] * 200,
            "ds": ["2024-01-01", "2024-02-01"] * 100,
            "y": [1.0] * 199 + [None],
        }
    )
    account = tmp_path / "rejected.csv"
    panel = read_panel(frame, rejected=account)
    assert rejected(account) == [(200, "y is missing")]
    assert panel.target.tolist() == [[100, 99]]
