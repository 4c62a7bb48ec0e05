"""Input that cannot be read at all: one line that says what, where, and what to do."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from nestcast.data import read_pairs, read_panel
from nestcast.errors import DataError, NestcastError, OptionError
from tests.data.raw import GOOD, HEADER, sales, table

ROWS = ["a,2024-01-01,1", "a,2024-02-01,2"]


def refusal(source: Any, *said: str, kind: type[NestcastError] = DataError, **options: Any) -> None:
    with pytest.raises(kind) as caught:
        read_panel(source, **options)
    message = str(caught.value)
    for words in said:
        assert words in message
    assert "\n" not in message
    assert message.endswith(".")


def test_missing_file(tmp_path: Path) -> None:
    refusal(tmp_path / "nope.csv", "no such file", "nope.csv", "Check the path")


def test_folder_without_sales(tmp_path: Path) -> None:
    refusal(tmp_path, str(tmp_path), "sales_train*.csv", "sales_monthly", "Name the file")


def test_rows_there_twice(tmp_path: Path) -> None:
    sales(tmp_path)
    (tmp_path / "sales_train.csv.gz").write_bytes(gzip.compress(b"x"))
    refusal(tmp_path, "sales_train.csv", "sales_train.csv.gz", "keep one")


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff"])
def test_empty_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(text, encoding="utf-8")
    refusal(path, str(path), "is empty", "column names")


@pytest.mark.parametrize("end", ["", "\n", "\r\n\r\n"])
def test_header_only(tmp_path: Path, end: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes((HEADER + end).encode())
    refusal(path, str(path), "no rows", "at least one")


def test_missing_column(tmp_path: Path) -> None:
    path = table(tmp_path, "shop,day,sold", ["1,2024-01-01,2"])
    refusal(path, str(path), "shop, day, sold", "--time, --series, --target")
    refusal(path, "say which", "--time, --series", target="sold")
    refusal(path, "'Day2'", "shop, day, sold", "--time", time="Day2", series="shop", target="sold")
    refusal(path, "'cost'", "--price", time="day", series="shop", target="sold", price="cost")


def test_one_missing_column_of_a_known_layout(tmp_path: Path) -> None:
    for name, option in (
        ("date", "--time"),
        ("shop_id", "--series"),
        ("item_id", "--series"),
        ("item_cnt_day", "--target"),
    ):
        path = table(tmp_path, HEADER.replace(name, "other"), GOOD)
        refusal(path, f"no column {name!r}", "other", f"takes its place with {option}.")


def test_values_instead_of_column_names(tmp_path: Path) -> None:
    for first in ("01.01.2013,0,3,4,9.5,1", "01.01.2013,0,0,0,9.5,1"):
        refusal(table(tmp_path, first, GOOD), "line of column names above")


@pytest.mark.parametrize(
    ("begins", "words"),
    [
        (b"PK\x03\x04\x14", "save the sheet as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1", "save the sheet as CSV"),
        (gzip.compress(b"x"), "end its name in .csv.gz"),
        (b"PAR1\x15\x04", "end its name in .parquet"),
        ("ds".encode("utf-16"), "--encoding utf-16"),
    ],
)
def test_files_that_are_no_text(tmp_path: Path, begins: bytes, words: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(begins)
    refusal(path, str(path), words)


def test_folder_as_downloaded(tmp_path: Path) -> None:
    (tmp_path / "sales.zip").write_bytes(b"PK")
    refusal(tmp_path, "Unpack sales.zip")


def test_files_with_different_columns(tmp_path: Path) -> None:
    sales(tmp_path, name="sales_train_1.csv")
    table(tmp_path, HEADER.replace("item_price", "cost"), GOOD, "sales_train_2.csv")
    refusal(tmp_path, "sales_train_2.csv", "'item_price'", "same columns")


def test_column_twice(tmp_path: Path) -> None:
    path = table(tmp_path, "unique_id,ds,y,y", ["a,2024-01-01,1,2"])
    refusal(path, f"{path} line 1", "'y'", "Rename one")


def test_column_used_twice(tmp_path: Path) -> None:
    path = table(tmp_path, "unique_id,ds,y", ROWS)
    refusal(path, "'y'", "name another", series="y", kind=OptionError)


@pytest.mark.parametrize("packed", [False, True])
def test_other_encoding(tmp_path: Path, packed: bool) -> None:
    text = "unique_id,ds,y\n" + "a,2024-01-01,1\n" * 50_000 + "Якутск,2024-01-01,1\n"
    path = tmp_path / ("rows.csv.gz" if packed else "rows.csv")
    content = text.encode("cp1251")
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    refusal(path, f"{path} line 50002", "byte 0xdf", "not UTF-8", "--encoding cp1251")
    refusal(path, f"{path} line 50002", "not ascii", encoding="ascii")


def test_other_encoding_in_a_column_that_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes("unique_id,ds,y,note\na,2024-01-01,1,naïve\n".encode("latin-1"))
    refusal(path, f"{path} line 2", "byte 0xef", freq="1mo")


def test_broken_files(tmp_path: Path) -> None:
    packed = tmp_path / "rows.csv.gz"
    content = gzip.compress("\n".join([HEADER, *GOOD]).encode())
    for broken in (content[:-30], content[:500] + b"x" * 50 + content[550:], b"no gzip"):
        packed.write_bytes(broken)
        refusal(packed, str(packed), "gzip", "again")
    parquet = tmp_path / "rows.parquet"
    parquet.write_bytes(b"PAR1 and nothing else")
    refusal(parquet, str(parquet), "Parquet")


def test_not_a_frame() -> None:
    refusal([1, 2, 3], "list", "pandas")
    refusal(None, "NoneType", "path")


def test_frame_of_mixed_types() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"unique_id": ["a"], "ds": ["2024-01-01"], "y": [[1, "x"]]}, dtype=object)
    refusal(frame, "frame", "one type")


@pytest.mark.parametrize(
    ("values", "value"),
    [
        (["Jan 1", "Jan 2"], "'Jan 1'"),
        (["01.02.13", "02.02.13"], "'01.02.13'"),
        (["1", "2"], "'1'"),
    ],
)
def test_unknown_date_format(tmp_path: Path, values: list[str], value: str) -> None:
    path = table(tmp_path, "unique_id,ds,y", [f"a,{value},1" for value in values])
    refusal(path, f"{path} line 2", "column ds", value, "--date-format")


def test_day_and_month_that_may_be_swapped(tmp_path: Path) -> None:
    rows = [f"a,{d:02d}/{m:02d}/2024,1" for d in range(1, 13) for m in range(1, 13)]
    path = table(tmp_path, "unique_id,ds,y", rows)
    refusal(path, str(path), "column ds", "dd/mm/yyyy or mm/dd/yyyy", "--date-format")
    assert read_panel(path, date_format="%m/%d/%Y").report.rows_used == 144


def test_date_format_that_is_none(tmp_path: Path) -> None:
    path = table(tmp_path, "unique_id,ds,y", ROWS)
    for wrong in ("%Q", "dd.mm.yyyy", "it's %"):
        refusal(path, "date format", "%d.%m.%Y", date_format=wrong, kind=OptionError)


def test_one_day_tells_no_frequency(tmp_path: Path) -> None:
    path = table(tmp_path, "unique_id,ds,y", ["a,2024-01-01,1"])
    refusal(path, "2024-01-01", "--freq", kind=OptionError)


def test_no_row_that_can_be_used(tmp_path: Path) -> None:
    path = table(tmp_path, "unique_id,ds,y", ["a,2024-01-01,x"])
    refusal(path, str(path), "not one", max_rejected=1, freq="1mo")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"preset": "zz"}, "'zz'"),
        ({"preset": "1c"}, "preset 1c"),
        ({"freq": "2h"}, "'2h'"),
        ({"encoding": "klingon"}, "'klingon'"),
        ({"memory_limit": "2 apples"}, "'2 apples'"),
        ({"threads": 0}, "threads"),
        ({"max_rejected": 2}, "--max-rejected"),
        ({"max_rejected": float("nan")}, "--max-rejected"),
        ({"rejected": "/no/such/folder/rejected.csv", "max_rejected": 1}, "/no/such/folder"),
    ],
)
def test_options_that_make_no_sense(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    path = table(tmp_path, "unique_id,ds,y", [*ROWS, "a,b,c"])
    refusal(path, words, kind=OptionError, **options)


def test_too_little_memory(tmp_path: Path) -> None:
    rows = [f"name of a series {at},2024-01-01,{at}" for at in range(50_000)]
    path = table(tmp_path, "unique_id,ds,y", rows)
    refusal(path, "memory", "--memory-limit", memory_limit="1MB", freq="1mo")


def test_messages_stay_on_one_line(tmp_path: Path) -> None:
    pl = pytest.importorskip("polars")
    refusal(pl.DataFrame({"a\nb": [1], "c": [2]}), "a b, c")


@pytest.mark.parametrize(
    ("header", "rows", "said"),
    [
        ("ID,shop_id,item_id", ["0,1,1", "1,1,2", "0,2,2"], ["line 4", "column ID", "line 2"]),
        ("ID,shop_id,item_id", ["0,1,1", "1,1,x"], ["line 3", "column item_id", "'x'"]),
        ("ID,shop_id,item_id", ["0,1,1", ",1,1"], ["line 3", "column ID", "missing"]),
        ("ID,shop_id,item_id", ["0,1,1", "1,1"], ["line 3", "2 values", "3 columns"]),
        ("ID,shop_id,item_id", [], ["no rows"]),
        ("ID,shop,item_id", ["0,1,1"], ["'shop_id'", "ID, shop, item_id"]),
    ],
)
def test_pairs(tmp_path: Path, header: str, rows: list[str], said: list[str]) -> None:
    path = table(tmp_path, header, rows, "test.csv")
    with pytest.raises(DataError) as caught:
        read_pairs(path, series=("shop_id", "item_id"))
    for words in [str(path), *said]:
        assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "header", "rows", "said"),
    [
        ("items.csv", "item_name,item_id", ["a,1", "b,2", "c,1"], ["line 4", "item_id", "line 2"]),
        ("items.csv", "item_name,item_id", ["a,x"], ["line 2", "item_id", "'x'"]),
        ("items.csv", "item_name,id", ["a,1"], ["'item_id'", "item_name, id"]),
        ("shops.csv", "shop_name,shop_id", ['"a', "b,1"], ["line 2", "quotation mark"]),
    ],
)
def test_files_beside_the_sales(
    tmp_path: Path, name: str, header: str, rows: list[str], said: list[str]
) -> None:
    sales(tmp_path)
    table(tmp_path, header, rows, name)
    refusal(tmp_path, name, *said)
