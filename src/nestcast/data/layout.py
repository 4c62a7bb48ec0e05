"""Which column means what: recognised from the columns' names, or named by the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nestcast.data.calendar import Frequency, parse_frequency
from nestcast.data.source import Table
from nestcast.errors import DataError, OptionError

_ENDINGS = (".csv", ".csv.gz", ".parquet")


@dataclass(frozen=True)
class Layout:
    """The columns of raw rows, by the names they have in the file.

    Args:
        time: when; `counts_months` says that it holds months, 0 being January 2013.
        series: the columns that together tell series apart.
        target: what is counted or measured.
        price: price of one unit, if known.
        freq: length of a period; None asks for the dates themselves.
        whole_keys: whether the key columns hold whole numbers by definition.
        whole_target: whether the target does.
    """

    time: str
    series: tuple[str, ...]
    target: str
    price: str | None = None
    freq: Frequency | None = None
    counts_months: bool = False
    whole_keys: bool = False
    whole_target: bool = False


DAILY = Layout(
    time="date",
    series=("shop_id", "item_id"),
    target="item_cnt_day",
    price="item_price",
    freq="1mo",
    whole_keys=True,
    whole_target=True,
)
MONTHLY = Layout(
    time="date_block_num",
    series=("shop_id", "item_id"),
    target="item_cnt_month",
    freq="1mo",
    counts_months=True,
    whole_keys=True,
    whole_target=True,
)
NIXTLA = Layout("ds", ("unique_id",), "y")


def sales_files(folder: Path) -> list[Path]:
    """The files with sales in a folder of the Kaggle layout.

    Raises:
        DataError: there are none, or one is there twice in different formats.
    """
    daily = [path for ending in _ENDINGS for path in folder.glob(f"sales_train*{ending}")]
    found = daily or [path for ending in _ENDINGS for path in folder.glob(f"sales_monthly{ending}")]
    if not found:
        packed = [path.name for path in sorted(folder.glob("*.zip"))]
        raise DataError(
            f"no sales in {folder}: looked for sales_train*.csv, .csv.gz or .parquet, and "
            f"sales_monthly. {f'Unpack {packed[0]}, or name' if packed else 'Name'} the file "
            "itself if it has another name."
        )
    by_stem: dict[str, Path] = {}
    for path in sorted(found):
        stem = path.name.split(".")[0]
        if stem in by_stem:
            raise DataError(
                f"{by_stem[stem]} and {path.name} look like the same rows twice: "
                "keep one of them, or name the file to read."
            )
        by_stem[stem] = path
    return sorted(found)


def choose_layout(
    table: Table,
    *,
    time: str | None,
    series: Sequence[str] | str | None,
    target: str | None,
    price: str | None,
    freq: str | None,
) -> Layout:
    """What the user named, and for the rest what the columns' names say.

    Raises:
        DataError: a column is missing; the message lists those that are there.
        OptionError: the choice makes no sense.
    """
    if isinstance(series, str):
        series = [series]
    named = _recognised(table, {"--time": time, "--series": series, "--target": target})
    layout = Layout(
        time=_column(table, "--time", time or named.time),
        series=tuple(_column(table, "--series", name) for name in series or named.series),
        target=_column(table, "--target", target or named.target),
        price=_price(table, price, named.price),
        freq=parse_frequency(freq) if freq else named.freq,
        counts_months=named.counts_months and time in (None, named.time),
        whole_keys=named.whole_keys and not series,
        whole_target=named.whole_target and not target,
    )
    _check(layout)
    return layout


def _recognised(table: Table, given: Mapping[str, Sequence[str] | str | None]) -> Layout:
    """The known layout that a table has, apart from the columns that the user named.

    Raises:
        DataError: there is none, and the user did not name all columns.
    """
    known = (DAILY, MONTHLY, NIXTLA)
    for layout in known:
        if table.has(layout.time, *layout.series, layout.target):
            return layout
    unnamed = [option for option, value in given.items() if not value]
    if not unnamed:
        return Layout("", (), "")
    absent = {layout: _absent(table, layout, unnamed) for layout in known}
    nearest = min(known, key=lambda layout: len(absent[layout]))
    if not absent[nearest]:
        return nearest
    if len(absent[nearest]) == 1:
        ((option, name),) = absent[nearest].items()
        raise DataError(
            f"{table.name} has no column {name!r}; it has {_listed(table.names)}. "
            f"Name what takes its place with {option}."
        )
    hint = ""
    if any(_is_number(name) for name in table.names):
        hint = " (if these are values, put a line of column names above them)"
    raise DataError(
        f"{table.name} has the columns {_listed(table.names)}{hint}: say which is which with "
        f"{', '.join(unnamed)}."
    )


def _absent(table: Table, layout: Layout, options: Sequence[str]) -> dict[str, str]:
    """Of the given options, those whose column of a layout is absent, and that column."""
    wanted = {"--time": [layout.time], "--series": layout.series, "--target": [layout.target]}
    return {
        option: name
        for option in options
        for name in reversed(wanted[option])
        if not table.has(name)
    }


def _is_number(text: str) -> bool:
    return text.replace(".", "").isdecimal()


def _column(table: Table, option: str, name: str) -> str:
    at = table.find(name)
    if at is None:
        raise DataError(
            f"{table.name} has no column {name!r}; it has {_listed(table.names)}. "
            f"Name the right one with {option}."
        )
    return table.names[at]


def _price(table: Table, price: str | None, usual: str | None) -> str | None:
    if price:
        return _column(table, "--price", price)
    at = table.find(usual) if usual else None
    return None if at is None else table.names[at]


def _check(layout: Layout) -> None:
    used = [layout.time, *layout.series, layout.target]
    twice = [name for name in used if used.count(name) > 1]
    if twice:
        raise OptionError(
            f"column {twice[0]!r} cannot be two of time, series and target: name another."
        )
    if layout.counts_months and layout.freq != "1mo":
        raise OptionError(f"{layout.time} counts months: use --freq 1mo, or name another --time.")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:30])
    return shown if len(names) <= 30 else f"{shown}, ... ({len(names)} in all)"
