"""Which column of a table of impressions and clicks, or of an impression log, means what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nestcast.data.calendar import parse_frequency
from nestcast.data.layout import Layout, column_named, known_layout, listed
from nestcast.data.source import Table
from nestcast.errors import DataError, OptionError

EACH_ROW = "rows"  # what --exposure takes where each row is one impression

_DATES = ("date", "day", "ds", "timestamp", "datetime", "time", "event_time", "ts", "hour", "week")
_IMPRESSIONS = ("impressions", "displays", "impression", "imps", "impr", "views", "exposures")
_CLICKS = ("clicks", "clks", "n_clicks", "click_count")
_CLICKED = ("click", "clicked", "is_click", "is_clicked", "label")
_COST = ("cost", "spend", "spent", "cost_usd", "amount_spent")
_REVENUE = ("revenue", "income", "conversion_value", "sales_amount")


def is_clicks(table: Table, exposure: str | None, target: str | None) -> bool:
    """Whether a table is to be read as impressions and clicks.

    It is if the user names an exposure, or no target and the columns tell.
    """
    if exposure:
        return True
    if target or known_layout(table):
        return False
    return bool(_first(table, _CLICKS) and _first(table, _IMPRESSIONS))


def choose_click_layout(
    table: Table,
    *,
    time: str | None,
    series: Sequence[str] | str | None,
    target: str | None,
    exposure: str | None,
    cost: str | None,
    revenue: str | None,
    freq: str | None,
) -> Layout:
    """What the user named, and for the rest what the columns' names say, which is noted.

    Raises:
        DataError: a column is missing; the message lists those that are there.
        OptionError: a column is to be two things.
    """
    notes: list[str] = []
    each_row = exposure == EACH_ROW and table.find(EACH_ROW) is None
    log = "" if each_row else ", or say --exposure rows if each row is one impression"

    def found(option: str, given: str | None, usual: Sequence[str], what: str) -> str:
        """The column given; if there is none of that name, the one usually called so."""
        name = _first(table, usual)
        if given and (table.find(given) is not None or name is None or given not in usual):
            return column_named(table, option, given)
        if name is None:
            raise DataError(
                f"{table.name} has no column that looks like {what}; it has "
                f"{listed(table.names)}. Name it with {option}{log}."
            )
        if name != given:
            notes.append(f"column {name} holds {what} ({option})")
        return name

    def optional(option: str, given: str | None, usual: Sequence[str]) -> str | None:
        if given:
            return column_named(table, option, given)
        name = _first(table, usual)
        if name:
            notes.append(f"column {name} is summed ({option})")
        return name

    if each_row:
        notes.append("each row is one impression (--exposure rows)")
        clicks = found("--target", target, (*_CLICKED, *_CLICKS), "clicks")
    else:
        clicks = found("--target", target, _CLICKS, "clicks")
    layout = Layout(
        time="date",
        series=(),
        target=clicks,
        exposure=None if each_row else found("--exposure", exposure, _IMPRESSIONS, "impressions"),
        each_row=each_row,
        cost=optional("--cost", cost, _COST),
        revenue=optional("--revenue", revenue, _REVENUE),
        freq=parse_frequency(freq) if freq else ("1d" if each_row else None),
        whole_target=True,
    )
    parts = () if time else _date_parts(table)
    if parts:
        layout = replace(layout, time="date", time_parts=parts)
        notes.append(f"columns {', '.join(parts)} make the date")
    else:
        layout = replace(layout, time=found("--time", time, _DATES, "dates"))
    layout = replace(layout, series=_series(table, series, layout), notes=tuple(notes))
    _check(layout)
    return layout


def date_column(table: Table) -> str:
    """The column with dates, by its name.

    Raises:
        DataError: there is none.
    """
    return _by_name(table, _DATES, "dates")


def impressions_column(table: Table) -> str:
    """The column with impressions, by its name.

    Raises:
        DataError: there is none.
    """
    return _by_name(table, _IMPRESSIONS, "impressions")


def _by_name(table: Table, names: Sequence[str], what: str) -> str:
    name = _first(table, names)
    if name is None:
        raise DataError(
            f"{table.name} has no column that looks like {what}; it has {listed(table.names)}. "
            f"Call it {names[0]}."
        )
    return name


def _first(table: Table, names: Sequence[str]) -> str | None:
    """The first of these columns that a table has, by the name it has there."""
    for name in names:
        at = table.find(name)
        if at is not None:
            return table.names[at]
    return None


def _date_parts(table: Table) -> tuple[str, ...]:
    """The columns of (year,) month and day, if the date is in parts."""
    year, month, day = (_first(table, [name]) for name in ("year", "month", "day"))
    if not month or not day or _first(table, ("date",)):
        return ()
    return (year, month, day) if year else (month, day)


def _series(table: Table, series: Sequence[str] | str | None, layout: Layout) -> tuple[str, ...]:
    if series:
        names = [series] if isinstance(series, str) else series
        return tuple(column_named(table, "--series", name) for name in names)
    used = {layout.time, layout.target, *layout.amounts.values(), *layout.time_parts}
    rest = [name for name in table.names if name not in used]
    example = f", as in --series {','.join(rest[:2])}" if rest else ""
    raise DataError(
        f"{table.name} has the columns {listed(table.names)}: say which tell ads apart, the most "
        f"general first{example}."
    )


def _check(layout: Layout) -> None:
    time = layout.time_parts or (layout.time,)
    used = [*time, *layout.series, layout.target, *layout.amounts.values()]
    twice = [name for name in used if used.count(name) > 1]
    if twice:
        raise OptionError(
            f"column {twice[0]!r} cannot be two of time, series, target, exposure, cost and "
            "revenue: name another."
        )
