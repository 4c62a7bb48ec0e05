"""A simulated chain of shops in the layout of Kaggle's "Predict Future Sales"."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nestcast.data.simulate.names import category_names, item_names, shop_names
from nestcast.data.simulate.shelves import stock_of
from nestcast.data.simulate.store import Integers, Store, open_store
from nestcast.data.simulate.transactions import FIRST_MONTH, Rows, joined, month_of_sales
from nestcast.data.tables import write_table
from nestcast.errors import OptionError
from nestcast.files import check_place, replacing

_FILES = frozenset(
    [
        "sales_train.csv",
        "items.csv",
        "item_categories.csv",
        "shops.csv",
        "stock.csv",
        "test.csv",
        "truth.csv",
    ]
)
_STOCK = 1  # a stream of random numbers of its own, so that the sales do not depend on it


@dataclass(frozen=True)
class SalesSize:
    """How large a simulated chain is."""

    shops: int
    items: int
    months: int


SALES_SIZES = {
    "demo": SalesSize(shops=12, items=800, months=34),
    "small": SalesSize(shops=20, items=2_000, months=34),
    "full": SalesSize(shops=60, items=22_000, months=34),
}


def simulate_sales(
    folder: str | Path,
    size: str = "small",
    *,
    shops: int | None = None,
    items: int | None = None,
    months: int | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> SalesSize:
    """Write a simulated chain of shops, and the truth of the month after its last.

    Shops open and close; items are launched, fade and are retired; sales are intermittent, higher
    at weekends, before the holidays and in promotions; prices fall; some goods come back. The
    folder holds `sales_train.csv`, `items.csv`, `item_categories.csv`, `shops.csv`, `stock.csv`
    (what is on hand when the month begins), `test.csv` (every shop and item that sells in the next
    month) and `truth.csv` (what they then sell).
    The same seed and size give the same bytes.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()) / "chain"
        >>> simulate_sales(folder, "demo", months=13)
        SalesSize(shops=12, items=800, months=13)
        >>> sorted(path.name for path in folder.iterdir())[-3:]
        ['stock.csv', 'test.csv', 'truth.csv']

    Args:
        folder: where to; new or empty.
        size: `demo`, `small` or `full` (2.9 million rows, as the original).
        shops: number of shops, instead of the size's.
        items: number of items, instead of the size's.
        months: number of months from January 2013, instead of the size's.
        seed: of the random numbers.
        overwrite: replace a simulated data set that is there.

    Raises:
        OptionError: an unknown size, a number too small, or a folder that is in use.
    """
    if size not in SALES_SIZES:
        raise OptionError(f"unknown size {size!r}: use one of {', '.join(SALES_SIZES)}.")
    usual = SALES_SIZES[size]
    wanted = SalesSize(
        at_least(1, shops, usual.shops, "shops"),
        at_least(1, items, usual.items, "items"),
        at_least(2, months, usual.months, "months"),
    )
    if seed < 0:
        raise OptionError(f"the seed must be 0 or more, not {seed}.")
    folder = Path(folder)
    check_folder(folder, _FILES, overwrite)
    rng = np.random.default_rng(seed)
    store = open_store(wanted.shops, wanted.items, wanted.months + 1, rng)
    rows = joined([month_of_sales(store, month, rng) for month in range(wanted.months + 1)])
    month = (rows.day.astype("M8[M]") - FIRST_MONTH).astype(np.int64)
    past, after = rows.take(month < wanted.months), rows.take(month == wanted.months)
    if min(len(past.day), len(after.day)) == 0:
        raise OptionError(
            f"a chain of {wanted.shops} shops and {wanted.items} items sells nothing: "
            "ask for more, or for another seed."
        )
    with replacing(folder) as aside:
        aside.mkdir()
        _write_sales(past, month[month < wanted.months], aside / "sales_train.csv")
        _write_names(store, aside, rng)
        _write_question(after, aside)
        end = (FIRST_MONTH + wanted.months).astype("M8[D]")
        stock = stock_of(past, end, np.random.default_rng([seed, _STOCK]))
        write_table(stock, aside / "stock.csv")
    return wanted


def at_least(least: int, given: int | None, usual: int, name: str) -> int:
    """The number given, or the usual one.

    Raises:
        OptionError: it is below the least.
    """
    if given is None:
        return usual
    if given < least:
        raise OptionError(f"the number of {name} must be {least} or more, not {given}.")
    return given


def check_folder(folder: Path, files: frozenset[str], overwrite: bool) -> None:
    """See that a data set of these files can be written to a folder.

    Raises:
        OptionError: the folder is in use, or holds something else.
    """
    check_place(folder)
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OptionError(f"{folder} is a file: name a folder to write to.")
    held = {path.name for path in folder.iterdir()}
    if held and not overwrite:
        raise OptionError(f"{folder} is not empty: name another folder, or use --overwrite.")
    if held - files:
        raise OptionError(
            f"{folder} holds {min(held - files)}, which is no part of a simulated data set: "
            "name another folder."
        )


def _write_sales(rows: Rows, month: Integers, path: Path) -> None:
    write_table(
        {
            "date": rows.day,
            "date_block_num": month,
            "shop_id": rows.shop,
            "item_id": rows.item,
            "item_price": rows.price,
            "item_cnt_day": rows.count.astype(np.float64),
        },
        path,
        date_format="%d.%m.%Y",
    )


def _write_names(store: Store, folder: Path, rng: np.random.Generator) -> None:
    names = category_names(len(store.season))
    write_table(
        {"item_category_name": names, "item_category_id": np.arange(len(names))},
        folder / "item_categories.csv",
    )
    write_table(
        {
            "item_name": item_names(len(store.category), rng),
            "item_id": np.arange(len(store.category)),
            "item_category_id": store.category,
        },
        folder / "items.csv",
    )
    shops = len(store.shop_size)
    write_table(
        {"shop_name": shop_names(shops, rng), "shop_id": np.arange(shops)}, folder / "shops.csv"
    )


def _write_question(after: Rows, folder: Path) -> None:
    """Every shop and every item that sells in the next month, and what they sell."""
    shops, shop = np.unique(after.shop, return_inverse=True)
    items, item = np.unique(after.item, return_inverse=True)
    sold = np.zeros((len(shops), len(items)))
    np.add.at(sold, (shop, item), after.count)
    some_shop, some_item = (sold > 0).any(axis=1), (sold > 0).any(axis=0)
    shops, items, sold = shops[some_shop], items[some_item], sold[np.ix_(some_shop, some_item)]
    ids = np.arange(sold.size)
    write_table(
        {
            "ID": ids,
            "shop_id": np.repeat(shops, len(items)),
            "item_id": np.tile(items, len(shops)),
        },
        folder / "test.csv",
    )
    write_table({"ID": ids, "item_cnt_month": sold.ravel()}, folder / "truth.csv")
