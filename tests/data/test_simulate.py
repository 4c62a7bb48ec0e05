"""The simulated chain: what it holds, that it is repeatable, and that its own reader accepts it."""

import csv
import hashlib

import numpy as np
import pytest

from nestcast.data import read_pairs, read_panel
from nestcast.data.simulate import SALES_SIZES, SalesSize, simulate_sales
from nestcast.errors import OptionError
from nestcast.seller import read_stock

FILES = [
    "item_categories.csv",
    "items.csv",
    "sales_train.csv",
    "shops.csv",
    "stock.csv",
    "test.csv",
    "truth.csv",
]


def rows(path):
    with open(path, newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def digests(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated") / "chain"
    assert simulate_sales(folder, "small", seed=3) == SALES_SIZES["small"]
    return folder


def test_it_holds_the_raw_layout(chain):
    assert sorted(path.name for path in chain.iterdir()) == FILES
    sales = rows(chain / "sales_train.csv")
    assert list(sales[0]) == [
        "date",
        "date_block_num",
        "shop_id",
        "item_id",
        "item_price",
        "item_cnt_day",
    ]
    dates = np.array(["-".join(row["date"].split(".")[::-1]) for row in sales], dtype="M8[D]")
    assert (np.diff(dates) >= np.timedelta64(0)).all()
    month = (dates.astype("M8[M]") - np.datetime64("2013-01")).astype(int)
    assert month.tolist() == [int(row["date_block_num"]) for row in sales]
    assert set(month.tolist()) == set(range(34))
    assert all(float(row["item_price"]) > 0 for row in sales)
    listed = {row["item_id"] for row in rows(chain / "items.csv")}
    assert {row["item_id"] for row in sales} <= listed
    categories = {row["item_category_id"] for row in rows(chain / "item_categories.csv")}
    assert {row["item_category_id"] for row in rows(chain / "items.csv")} <= categories


def test_names_and_ids_are_distinct(chain):
    for name in ("item", "shop", "item_category"):
        file = {"item_category": "item_categories"}.get(name, f"{name}s")
        table = rows(chain / f"{file}.csv")
        for column in (f"{name}_name", f"{name}_id"):
            assert len({row[column] for row in table}) == len(table)


def test_the_question_and_its_truth_belong_together(chain):
    question, truth = rows(chain / "test.csv"), rows(chain / "truth.csv")
    assert [row["ID"] for row in question] == [row["ID"] for row in truth]
    pairs = {(row["shop_id"], row["item_id"]) for row in question}
    shops, items = {shop for shop, _ in pairs}, {item for _, item in pairs}
    assert len(pairs) == len(question) == len(shops) * len(items)
    sold = [row for row, y in zip(question, truth, strict=True) if float(y["item_cnt_month"]) > 0]
    assert {row["shop_id"] for row in sold} == shops, "asks for a shop that sold nothing"
    assert {row["item_id"] for row in sold} == items, "asks for an item that did not sell"


def test_nestcast_reads_what_it_writes(chain):
    panel = read_panel(chain)
    assert (panel.report.rows_rejected, len(panel.calendar)) == (0, 34)
    assert panel.is_count
    assert panel.report.returns > 0
    pairs = read_pairs(chain / "test.csv", series=panel.keys.names)
    assert (panel.keys.locate(pairs.keys) < 0).any(), "no new pair to forecast"


def test_sales_have_the_shape_of_real_ones(chain):
    panel = read_panel(chain)
    alive = np.arange(34) >= panel.start[:, None]
    assert 0.5 < (panel.target[alive] == 0).mean() < 0.95
    sold = panel.target[panel.target > 0]
    assert 0.5 < (sold == 1).mean() < 0.75
    month = np.minimum(panel.target, 5).sum(axis=0)
    assert month[[11, 23]].sum() > 1.1 * month[[10, 22]].sum(), "no December peak"


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        simulate_sales(tmp_path / name, shops=4, items=90, months=5, seed=seed)
    a, b, c = (digests(tmp_path / name) for name in "abc")
    assert a == b
    assert a["sales_train.csv"] != c["sales_train.csv"]


@pytest.mark.parametrize("size", [SalesSize(1, 30, 2), SalesSize(200, 40, 3), SalesSize(3, 7, 13)])
def test_any_size_works(tmp_path, size):
    made = simulate_sales(
        tmp_path / "chain", shops=size.shops, items=size.items, months=size.months
    )
    assert made == size
    assert len(rows(tmp_path / "chain" / "shops.csv")) == size.shops
    assert len(rows(tmp_path / "chain" / "items.csv")) == size.items
    assert rows(tmp_path / "chain" / "sales_train.csv")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": "huge"}, "unknown size 'huge': use one of demo, small, full"),
        ({"shops": 0}, "number of shops must be 1 or more"),
        ({"months": 1}, "number of months must be 2 or more"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"shops": 1, "items": 1, "months": 2}, "sells nothing: ask for more"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path, arguments, message):
    with pytest.raises(OptionError, match=message):
        simulate_sales(tmp_path / "chain", **arguments)
    assert not list(tmp_path.iterdir())


def test_only_a_simulated_folder_is_replaced(tmp_path):
    folder = tmp_path / "chain"
    simulate_sales(folder, shops=2, items=20, months=3, seed=1)
    before = digests(folder)
    with pytest.raises(OptionError, match="not empty: name another folder, or use --overwrite"):
        simulate_sales(folder, shops=2, items=20, months=3, seed=2)
    assert digests(folder) == before
    simulate_sales(folder, shops=2, items=20, months=3, seed=2, overwrite=True)
    assert digests(folder) != before
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(OptionError, match=r"holds thesis\.txt, which is no part of"):
        simulate_sales(folder, overwrite=True)
    assert (folder / "thesis.txt").read_text() == "years of work"


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "chain").write_text("")
    with pytest.raises(OptionError, match="is a file"):
        simulate_sales(tmp_path / "chain", overwrite=True)


def test_its_stock_is_of_what_sold_of_late_and_adds_up(chain):
    panel = read_panel(chain)
    stock = read_stock(chain / "stock.csv", series=panel.keys.names, attributes=panel.attributes)
    assert stock.rejected == {}
    assert stock.notes == ()
    assert len(stock) == len(rows(chain / "stock.csv"))
    at = panel.keys.locate(stock.keys)
    assert (at >= 0).all()
    end = panel.calendar.ends()[-1] + 1
    sold = {}
    for row in rows(chain / "sales_train.csv"):
        day = np.datetime64("-".join(row["date"].split(".")[::-1]))
        if day >= end - 90:
            key = int(row["shop_id"]), int(row["item_id"])
            sold[key] = sold.get(key, 0) + float(row["item_cnt_day"])
    pairs = list(zip(stock.keys["shop_id"].tolist(), stock.keys["item_id"].tolist(), strict=True))
    assert set(pairs) == set(sold)
    # What was received, with what was there before, was sold or is on hand.
    net = np.array([max(sold[pair], 0) for pair in pairs])
    np.testing.assert_array_equal(stock.received, net + stock.on_hand)
    assert (stock.on_hand == 0).any()
    assert (stock.on_order > 0).any()
    assert (stock.shortage_cost > 0).all()
