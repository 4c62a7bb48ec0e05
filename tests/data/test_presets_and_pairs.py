"""Cleaning on request, the pairs to forecast, and what is known of items and shops."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nestcast.data import find_pairs, read_pairs, read_panel
from tests.data.raw import FIRST_BAD, GOOD, rejected, sales, table

SERIES = ("shop_id", "item_id")
OUTLIERS = ("01.01.2013,0,2,1,100001,1", "01.01.2013,0,2,1,9.5,1001")


def test_nothing_is_changed_without_a_preset(tmp_path: Path) -> None:
    panel = read_panel(sales(tmp_path, *OUTLIERS))
    assert np.unique(panel.keys["shop_id"]).tolist() == [0, 1, 2]
    assert panel.report.rows_used == len(GOOD) + 2
    assert panel.report.notes == ()


def test_preset_1c_merges_and_drops_and_tells(tmp_path: Path) -> None:
    account = tmp_path / "rejected.csv"
    plain = read_panel(sales(tmp_path))
    many = ["01.01.2013,0,57,1,9.5,1", *OUTLIERS * 10]
    panel = read_panel(sales(tmp_path, *many), preset="1c", rejected=account)
    assert np.unique(panel.keys["shop_id"]).tolist() == [2, 57, 58]
    assert panel.target.sum() == plain.target.sum() + 1
    assert rejected(account)[:2] == [
        (FIRST_BAD + 1, "preset 1c: item_price is over 100,000: 100001.0"),
        (FIRST_BAD + 2, "preset 1c: item_cnt_day is over 1,000: 1001.0"),
    ]
    # More than 1% of the rows, but not because they are unreadable.
    assert panel.report.rows_rejected == 20
    assert panel.report.notes == (
        "preset 1c: shop_id 0 is 57, rows: 134",
        "preset 1c: shop_id 1 is 58, rows: 133",
        "preset 1c: item_price is over 100,000, rows dropped: 10",
        "preset 1c: item_cnt_day is over 1,000, rows dropped: 10",
    )


def test_merges_apply_to_text_keys(tmp_path: Path) -> None:
    rows = ["0,2024-01-01,1", "57,2024-01-01,2", "x,2024-01-01,3"]
    path = table(tmp_path, "shop_id,day,sold", rows)
    columns = {"time": "day", "series": "shop_id", "target": "sold", "freq": "1mo"}
    panel = read_panel(path, preset="1c", **columns)
    assert dict(zip(panel.keys["shop_id"], panel.target[:, 0], strict=True)) == {"57": 3, "x": 3}


def test_pairs_keep_their_order_and_spelling(tmp_path: Path) -> None:
    path = table(tmp_path, "ID,shop_id,item_id", ["7,5,1", "3,0,9", "5,57,9"], "test.csv")
    assert find_pairs(tmp_path) == path
    assert find_pairs(str(tmp_path)) == path
    pairs = read_pairs(path, series=SERIES, preset="1c")
    assert pairs.ids is not None
    assert pairs.ids.tolist() == [7, 3, 5]
    assert pairs.given["shop_id"].tolist() == [5, 0, 57]
    assert pairs.keys["shop_id"].tolist() == [5, 57, 57]
    assert pairs.notes == (
        "preset 1c: 1 pairs get another shop_id",
        "preset 1c: 1 pairs are the same as another then",
    )
    assert read_pairs(path, series=SERIES).keys["shop_id"].tolist() == [5, 0, 57]


def test_pairs_of_other_forms(tmp_path: Path) -> None:
    assert find_pairs(tmp_path) is None
    frame = pl.DataFrame({"unique_id": ["007", "8"], "note": ["", None]})
    pairs = read_pairs(frame, series=["unique_id"])
    assert pairs.ids is None
    assert pairs.keys["unique_id"].tolist() == ["007", "8"]
    path = tmp_path / "test.parquet"
    pl.DataFrame({"ID": ["x", "y"], "shop_id": [1.0, 2.0], "item_id": [3, 4]}).write_parquet(path)
    pairs = read_pairs(find_pairs(tmp_path), series=SERIES)
    assert pairs.ids is not None
    assert pairs.ids.tolist() == ["x", "y"]
    assert pairs.keys["shop_id"].tolist() == [1, 2]
    one_column = table(tmp_path, "unique_id", ["a", "", "b"])
    assert read_pairs(one_column, series=["unique_id"]).keys["unique_id"].tolist() == ["a", "b"]


def test_attributes_and_pairs_that_are_not_listed(tmp_path: Path) -> None:
    items = ['"a, ""x""",0,7', "Ё,4,3", ",1,7", "d,2,7", "e,3,7"]
    table(tmp_path, "item_name,item_id,item_category_id", items, "items.csv")
    table(tmp_path, "item_category_name,item_category_id", ["Kino,7"], "item_categories.csv")
    table(tmp_path, "shop_name,shop_id", ["s,0", "t,1", "u,2"], "shops.csv")
    sales(tmp_path)
    attributes = read_panel(tmp_path).attributes
    items_ = attributes["item_id"]
    assert items_.ids.tolist() == [0, 1, 2, 3, 4]
    assert items_.columns["item_name"].tolist() == ['a, "x"', "", "d", "e", "Ё"]
    assert items_.columns["item_category_id"].tolist() == [7, 7, 7, 7, 3]
    assert items_.columns["item_category_name"].tolist() == ["Kino", "Kino", "Kino", "Kino", ""]
    assert attributes["shop_id"].columns["shop_name"].tolist() == ["s", "t", "u"]
    path = table(tmp_path, "ID,shop_id,item_id", ["0,0,99", "1,8,1"], "test.csv")
    pairs = read_pairs(path, series=SERIES, attributes=attributes)
    assert len(pairs) == 2
    assert len(pairs.notes) == 2
    assert pairs.notes[0].startswith("1 pairs have a shop_id that is not listed")


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_files_beside_the_sales_in_any_format(tmp_path: Path, ending: str) -> None:
    frame = pl.DataFrame({"shop_name": ["a", "b", "c"], "shop_id": [0, 1, 2]})
    path = tmp_path / f"shops.{ending}"
    if ending == "parquet":
        frame.write_parquet(path)
    else:
        import gzip

        text = frame.write_csv().encode()
        path.write_bytes(gzip.compress(text) if ending == "csv.gz" else text)
    sales(tmp_path)
    assert read_panel(tmp_path).attributes["shop_id"].ids.tolist() == [0, 1, 2]
