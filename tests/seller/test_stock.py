"""Reading stock.csv."""

import csv

import numpy as np
import pytest

from nestcast.data import Attributes, Keys
from nestcast.errors import DataError
from nestcast.seller import Stock, read_stock

SERIES = ("shop_id", "item_id")


def written(tmp_path, text):
    path = tmp_path / "stock.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_all_columns_are_read(tmp_path):
    text = (
        "item_id,shop_id,on_hand,on_order,lead_time_days,unit_cost,holding_cost,shortage_cost,"
        "received,mean_on_hand\n8,5,3,1,14,9.5,0.2,4,20,11.5\n7,5,0,,,,,,,\n"
    )
    stock = read_stock(written(tmp_path, text), series=SERIES)
    assert stock.keys["item_id"].tolist() == [8, 7]
    assert stock.unit_cost.tolist() == pytest.approx([9.5, np.nan], nan_ok=True)
    assert stock.lead_time_days.tolist() == pytest.approx([14, np.nan], nan_ok=True)
    asked = Keys({"shop_id": np.array([5, 6]), "item_id": np.array([7, 7])})
    of = stock.of(asked)
    assert of.keys is asked
    assert of.on_hand.tolist() == pytest.approx([0, np.nan], nan_ok=True)


def test_columns_that_are_not_there_are_not_invented(tmp_path):
    stock = read_stock(written(tmp_path, "shop_id,item_id,on_hand\n5,7,3\n"), series=SERIES)
    assert stock.on_order is None
    assert stock.of(stock.keys).lead_time_days is None


def test_bad_rows_are_left_out_counted_and_written(tmp_path):
    path = written(
        tmp_path,
        "shop_id,item_id,on_hand,unit_cost\n"
        "5,7,3,1.5\n"  # line 2, good
        "5,8,-1,1\n"
        "5,9,many,1\n"
        "5,7,4,1\n"
        "6,7.5,4,1\n"
        "6,,4,1\n"
        "6,7,,1\n"
        "6,8,4,nix\n"
        "6,99,4,1\n"
        "6,9,4,inf\n"
        "6,9,4,\n",  # good
    )
    attributes = {"item_id": Attributes("item_id", np.array([7, 8, 9]), {})}
    bad = tmp_path / "bad.csv"
    stock = read_stock(path, series=SERIES, attributes=attributes, rejected=bad, max_rejected=0.9)
    assert stock.keys["item_id"].tolist() == [7, 9]
    rows = list(csv.DictReader(bad.read_text().splitlines()))
    assert [(int(row["line"]), row["reason"]) for row in rows] == [
        (3, "on_hand is negative: -1"),
        (4, "on_hand is not a number (as in 1234.5): many"),
        (5, "shop_id and item_id stand there twice: 7"),
        (6, "item_id is not a whole number: 7.5"),
        (7, "item_id is missing"),
        (8, "on_hand is missing"),
        (9, "unit_cost is not a number (as in 1234.5): nix"),
        (10, "item_id is not listed: 99"),
        (11, "unit_cost is out of range: inf"),
    ]
    assert rows[0]["unit_cost"] == "1"
    assert sum(stock.rejected.values()) == len(rows)
    # Read again without bad rows, the file is gone.
    read_stock(written(tmp_path, "shop_id,item_id,on_hand\n5,7,3\n"), series=SERIES, rejected=bad)
    assert not bad.exists()


def test_too_many_bad_rows_stop(tmp_path):
    path = written(tmp_path, "shop_id,item_id,on_hand\n5,7,3\n5,8,x\n")
    with pytest.raises(DataError) as stop:
        read_stock(path, series=SERIES)
    said = str(stop.value)
    assert "1 of 2 rows (50%)" in said
    assert "line 3: on_hand is not a number (as in 1234.5): x" in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("shop_id,item_id,on_hnad", "unknown column 'on_hnad': is it on_hand?"),
        ("shop_id,item_id,on_hand,on_oder", "unknown column 'on_oder': is it on_order?"),
        ("shop_id,item_id,stock", "no column 'on_hand'"),
        ("shop_id,on_hand,name", "no column 'item_id'"),
    ],
)
def test_columns_misspelt_or_missing_stop(tmp_path, header, said):
    path = written(tmp_path, f"{header}\n" + ",".join("1" for _ in header.split(",")) + "\n")
    with pytest.raises(DataError, match=said):
        read_stock(path, series=SERIES)


def test_other_columns_are_noted(tmp_path):
    path = written(tmp_path, "shop_id,item_id,on_hand,shelf,bin\n1,2,3,a,b\n")
    stock = read_stock(path, series=SERIES)
    assert stock.notes == ("columns not used: shelf, bin",)


def test_a_preset_gives_shops_the_ids_they_have_in_the_sales(tmp_path):
    path = written(tmp_path, "shop_id,item_id,on_hand\n0,2,3\n5,2,4\n")
    stock = read_stock(path, series=SERIES, preset="1c")
    assert stock.keys["shop_id"].tolist() == [57, 5]


def test_keys_may_be_text():
    pa = pytest.importorskip("pyarrow")
    frame = pa.table({"sku": ["007", "<b>"], "on_hand": [1.0, 2.5]})
    stock = read_stock(frame, series=["sku"])
    assert stock.of(Keys({"sku": np.array(["<b>", "7"])})).on_hand.tolist() == pytest.approx(
        [2.5, np.nan], nan_ok=True
    )


def test_an_empty_stock_knows_nothing():
    empty = Stock(Keys({"item_id": np.array([], int)}), np.array([]))
    assert np.isnan(empty.of(Keys({"item_id": np.array([1])})).on_hand).all()
