"""The same rows in any form give the same panel."""

import gzip
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from nestcast.data import Panel, read_panel
from tests.data.raw import GOOD, HEADER, sales, table

NAMES = HEADER.split(",")


def same(one: Panel, other: Panel) -> None:
    assert one.keys.names == other.keys.names
    for name in one.keys.names:
        np.testing.assert_array_equal(one.keys[name], other.keys[name])
    assert one.calendar == other.calendar
    np.testing.assert_array_equal(one.target, other.target)
    np.testing.assert_array_equal(one.start, other.start)
    assert one.is_count == other.is_count
    assert one.observed.keys() == other.observed.keys()
    for name, values in one.observed.items():
        np.testing.assert_array_equal(values, other.observed[name])


@pytest.fixture
def plain(tmp_path_factory: pytest.TempPathFactory) -> Panel:
    return read_panel(sales(tmp_path_factory.mktemp("plain")))


@pytest.mark.parametrize(
    ("delimiter", "encoding", "end"),
    [
        (",", "utf-8-sig", "\n"),
        (";", "utf-8", "\r\n"),
        ("\t", "utf-8", "\n"),
        ("|", "utf-8-sig", "\r\n"),
        (",", "utf-8", "\r"),
    ],
)
def test_text_of_any_dialect(
    tmp_path: Path, plain: Panel, delimiter: str, encoding: str, end: str
) -> None:
    text = end.join([HEADER, *GOOD]).replace(",", delimiter)
    path = tmp_path / "rows.csv"
    path.write_bytes(text.encode(encoding))
    same(read_panel(path), plain)


@pytest.mark.parametrize("encoding", ["cp1251", "utf-16", "latin-1"])
def test_other_encodings_on_request(tmp_path: Path, encoding: str) -> None:
    name = "Élan" if encoding == "latin-1" else "Якутск"
    path = tmp_path / "rows.csv"
    path.write_bytes(f"unique_id,ds,y\n{name},2024-01-01,1\n{name},2024-02-01,2\n".encode(encoding))
    panel = read_panel(path, encoding=encoding)
    assert panel.keys["unique_id"].tolist() == [name]


def test_quoted_values(tmp_path: Path, plain: Panel) -> None:
    quoted = [",".join(f'"{value}"' for value in row.split(",")) for row in [HEADER, *GOOD]]
    same(read_panel(table(tmp_path, quoted[0], quoted[1:])), plain)


def test_compressed_and_parquet(tmp_path: Path, plain: Panel) -> None:
    packed = tmp_path / "rows.csv.gz"
    packed.write_bytes(gzip.compress("\n".join([HEADER, *GOOD]).encode()))
    same(read_panel(packed), plain)
    parquet = tmp_path / "rows.parquet"
    pl.read_csv(packed).write_parquet(parquet)
    same(read_panel(parquet), plain)


def test_several_files_with_columns_in_any_order(tmp_path: Path, plain: Panel) -> None:
    table(tmp_path, HEADER, GOOD[:150], "sales_train_a.csv")
    turned = pl.read_csv(table(tmp_path, HEADER, GOOD[150:300])).select(NAMES[::-1])
    turned.write_csv(tmp_path / "sales_train_b.csv", separator=";")
    pl.read_csv(table(tmp_path, HEADER, GOOD[300:])).write_parquet(
        tmp_path / "sales_train_c.parquet"
    )
    same(read_panel(tmp_path), plain)
    same(read_panel(str(tmp_path / "sales_train_*")), plain)


def test_the_same_frame_of_any_library() -> None:
    days = pd.date_range("2024-01-01", periods=50, freq="W-WED")
    columns = {
        "unique_id": np.repeat(["a", "b", "ü"], 50),
        "ds": np.tile(days.to_numpy(), 3),
        "y": np.arange(150.0) / 8,
    }
    frame = pd.DataFrame(columns)
    arrow = pa.Table.from_pandas(frame)
    connection = duckdb.connect()
    connection.register("frame", arrow)
    forms: list[Any] = [
        pl.from_arrow(arrow),
        arrow,
        arrow.to_reader(),  # can be read only once
        connection.sql("SELECT * FROM frame"),
        frame.assign(unique_id=frame["unique_id"].astype("category")),
        frame.assign(ds=frame["ds"].dt.strftime("%Y-%m-%d")),
        frame.assign(ds=frame["ds"].dt.tz_localize("UTC")),
    ]
    expected = read_panel(frame)
    assert expected.calendar.freq == "1w"
    assert not expected.is_count
    for form in forms:
        same(read_panel(form), expected)


def test_names_of_any_kind(tmp_path: Path) -> None:
    names = ['День "x"', "товар; drop table rows", "Store", "store", "{scan}"]
    header = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    path = table(tmp_path, header, [f"2024-0{m}-01,a{m},{m},9,{m}" for m in range(1, 4)])
    panel = read_panel(path, time=names[0], series=[names[1], "Store"], target="{scan}")
    assert panel.keys.names == (names[1], "Store")
    assert panel.keys["Store"].tolist() == [1, 2, 3]
    assert panel.target.sum() == 6
    assert panel.time_name == names[0]


def test_paths_of_any_kind(tmp_path: Path, plain: Panel) -> None:
    path = sales(tmp_path, name="it's [1] *.csv")
    sales(tmp_path, name="it's 1 x.csv")
    assert read_panel(path).report.rows_read == len(GOOD)
    assert read_panel(tmp_path / "it*.csv").report.rows_read == 2 * len(GOOD)


def test_columns_are_found_whatever_their_case(tmp_path: Path, plain: Panel) -> None:
    panel = read_panel(table(tmp_path, HEADER.upper(), GOOD))
    assert panel.keys.names == ("SHOP_ID", "ITEM_ID")
    np.testing.assert_array_equal(panel.target, plain.target)


def test_keys_keep_how_they_are_written(tmp_path: Path) -> None:
    rows = [f"{key},2024-01-01,1" for key in ["007", "7", " x", "5.0", "-3"]]
    panel = read_panel(table(tmp_path, "unique_id,ds,y", rows), freq="1mo")
    assert panel.keys["unique_id"].tolist() == [" x", "-3", "007", "5.0", "7"]


def test_whole_numbers_are_keys_as_numbers(tmp_path: Path) -> None:
    # Text is only seen after the first thousand rows, from which the kind is guessed.
    rows = [f"{at},2024-01-01,1" for at in range(3000)]
    path = table(tmp_path, "unique_id,ds,y", rows)
    assert read_panel(path, freq="1mo").keys["unique_id"].dtype == np.int64
    path = table(tmp_path, "unique_id,ds,y", [*rows, "x1,2024-01-01,1"])
    panel = read_panel(path, freq="1mo")
    assert panel.keys["unique_id"].dtype.kind == "U"
    assert panel.report.rows_used == len(panel) == 3001


def test_keys_of_a_frame_with_floats_are_whole() -> None:
    frame = pl.DataFrame({"unique_id": [1.0, 2.0], "ds": ["2024-01-01"] * 2, "y": [1, 2]})
    assert read_panel(frame, freq="1mo").keys["unique_id"].tolist() == [1, 2]


def test_other_columns_of_a_known_layout(tmp_path: Path, plain: Panel) -> None:
    panel = read_panel(sales(tmp_path), series="item_id", freq="1w")
    assert panel.keys.names == ("item_id",)
    assert panel.calendar.freq == "1w"
    assert panel.target.sum() == plain.target.sum()


@pytest.mark.parametrize(
    ("name", "option", "given"),
    [
        ("date", "time", "other"),
        ("shop_id", "series", ["other", "item_id"]),
        ("item_cnt_day", "target", "other"),
    ],
)
def test_a_renamed_column_is_all_that_must_be_named(
    tmp_path: Path, plain: Panel, name: str, option: str, given: Any
) -> None:
    panel = read_panel(table(tmp_path, HEADER.replace(name, "other"), GOOD), **{option: given})
    np.testing.assert_array_equal(panel.target, plain.target)
    assert "item_price" in panel.observed


def test_no_frame_library_is_needed() -> None:
    import subprocess
    import sys

    script = """
import sys
import polars as pl
frame = pl.DataFrame({"unique_id": ["a", "a"], "ds": ["2024-01-01", "2024-02-01"], "y": [1, 2]})
sys.modules["pandas"] = sys.modules["pyarrow"] = None
from nestcast.data import read_panel
print(read_panel(frame).target.tolist())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[[1.0, 2.0]]", "")
