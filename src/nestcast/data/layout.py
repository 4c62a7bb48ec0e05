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
        time_parts: the columns that hold month and day, and the year if there is one, where no
            column holds the whole date; `time` is then what output calls it.
        exposure: tries behind each count, such as impressions.
        each_row: whether each row is one impression, and the target whether it was clicked.
        cost, revenue: money, summed over rows.
        observed, known: covariates, averaged over rows; those known ahead, and the others.
        notes: what was recognised and a user should know.
    """

    time: str
    series: tuple[str, ...]
    target: str
    price: str | None = None
    freq: Frequency | None = None
    counts_months: bool = False
    whole_keys: bool = False
    whole_target: bool = False
    time_parts: tuple[str, ...] = ()
    exposure: str | None = None
    each_row: bool = False
    cost: str | None = None
    revenue: str | None = None
    observed: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def counts_clicks(self) -> bool:
        """Whether the target is a count of clicks out of impressions."""
        return self.each_row or self.exposure is not None

    @property
    def amounts(self) -> dict[str, str]:
        """Further columns that are summed: what `rows` calls them -> their names in the file."""
        named = {"exposure": self.exposure, "cost": self.cost, "revenue": self.revenue}
        return {name: column for name, column in named.items() if column is not None}

    @property
    def averaged(self) -> dict[str, str]:
        """Columns that are averaged: what `rows` calls them -> their names in the file."""
        covariates = {f"v{at}": name for at, name in enumerate((*self.observed, *self.known))}
        return ({"price": self.price} if self.price else {}) | covariates


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


def click_files(folder: Path) -> list[Path]:
    """The files with impressions and clicks in a folder: those called `ads*`, else the only one.

    Raises:
        DataError: there are none, or several.
    """
    found = sorted(path for ending in _ENDINGS for path in folder.glob(f"ads*{ending}"))
    if not found:
        tables = [path for ending in _ENDINGS for path in folder.glob(f"*{ending}")]
        found = sorted(path for path in tables if path.name != "rejected.csv")
        if len(found) != 1:
            names = f"; it has {listed([path.name for path in found])}" if found else ""
            raise DataError(
                f"cannot tell which file of {folder} has the clicks: looked for ads*.csv, .csv.gz "
                f"or .parquet{names}. Name the file itself, or a pattern in quotation marks."
            )
    return found


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
            "itself if it has another name; where clicks are to be forecast, add --exposure."
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
        time=column_named(table, "--time", time or named.time),
        series=tuple(column_named(table, "--series", name) for name in series or named.series),
        target=column_named(table, "--target", target or named.target),
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
    if found := known_layout(table):
        return found
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
            f"{table.name} has no column {name!r}; it has {listed(table.names)}. "
            f"Name what takes its place with {option}."
        )
    hint = ""
    if any(_is_number(name) for name in table.names):
        hint = " (if these are values, put a line of column names above them)"
    raise DataError(
        f"{table.name} has the columns {listed(table.names)}{hint}: say which is which with "
        f"{', '.join(unnamed)}."
    )


def known_layout(table: Table) -> Layout | None:
    """The known layout all of whose columns a table has."""
    for layout in (DAILY, MONTHLY, NIXTLA):
        if table.has(layout.time, *layout.series, layout.target):
            return layout
    return None


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


def column_named(table: Table, option: str, name: str) -> str:
    """The column of that name, as the file writes it.

    Raises:
        DataError: there is none.
    """
    at = table.find(name)
    if at is None:
        raise DataError(
            f"{table.name} has no column {name!r}; it has {listed(table.names)}. "
            f"Name the right one with {option}."
        )
    return table.names[at]


def _price(table: Table, price: str | None, usual: str | None) -> str | None:
    if price:
        return column_named(table, "--price", price)
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


def listed(names: Sequence[str]) -> str:
    """Names for a message, not too many."""
    shown = ", ".join(names[:30])
    return shown if len(names) <= 30 else f"{shown}, ... ({len(names)} in all)"
