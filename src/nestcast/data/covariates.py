"""Covariates: what else is known of each series and period, and of periods to come."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from nestcast.data.keys import Keys
from nestcast.data.layout import Layout, column_named, listed
from nestcast.data.panel import Floats, Panel
from nestcast.data.source import Table
from nestcast.errors import DataError, OptionError


def with_covariates(
    table: Table, layout: Layout, observed: Sequence[str] | str, known: Sequence[str] | str
) -> Layout:
    """The layout with covariates that the user named.

    Raises:
        DataError: there is no such column.
        OptionError: a column is named twice, or the rows are a log, which has none.
    """
    found: dict[str, tuple[str, ...]] = {}
    for option, names in (("--observed", observed), ("--known", known)):
        names = [names] if isinstance(names, str) else names
        found[option] = tuple(column_named(table, option, name) for name in names)
    both = [*found["--observed"], *found["--known"]]
    taken = [layout.time, *layout.series, layout.price, *layout.amounts.values()]
    for at, name in enumerate(both):
        is_target = name == layout.target and name in found["--known"]  # it would be no forecast
        if is_target or name in taken or name in both[:at]:
            raise OptionError(
                f"{name} is named as a covariate and as something else: name it once."
            )
    if both and layout.each_row:
        raise OptionError(
            "a log of impressions takes no covariates: leave --observed and --known out."
        )
    return replace(layout, observed=found["--observed"], known=found["--known"])


def series_columns(table: Table, names: Sequence[str]) -> list[str]:
    """Those of the series columns that a table of the future has.

    Raises:
        DataError: it has none.
    """
    found = [name for name in names if table.has(name)]
    if not found:
        raise DataError(
            f"{table.name} has the columns {listed(table.names)}: to tell whose future it is, add "
            f"at least one of {', '.join(names)}."
        )
    return found


def with_future(panel: Panel, ahead: Panel, names: Sequence[str]) -> Panel:
    """A panel whose known covariates go on as far as another panel knows them.

    Args:
        panel: the past.
        ahead: its series may be wider, as when keyed by shop alone; what is known is `observed`.
        names: the covariates.

    Raises:
        DataError: nothing in it is about periods after the last.
    """
    length = len(panel.calendar)
    period = panel.calendar.index_of(ahead.calendar.labels())
    after = period >= length
    if not after.any():
        raise DataError(
            f"the future ends on {ahead.calendar.ends()[-1]}, and the rows on "
            f"{panel.calendar.ends()[-1]}: give what is known of the periods after these."
        )
    row = ahead.keys.locate(Keys({name: panel.keys[name] for name in ahead.keys.names}))
    known: dict[str, Floats] = {}
    for name in names:
        values = np.full((len(panel), int(period[-1]) + 1), np.nan, np.float32)
        values[:, :length] = panel.known[name]
        found = np.where(row[:, None] >= 0, ahead.observed[name][row], np.nan)
        values[:, period[after]] = found[:, after]
        known[name] = values
    return replace(panel, known=known)


def check_known_ahead(panel: Panel, horizon: int, names: Iterable[str] | None = None) -> None:
    """See that covariates known ahead are known of all periods to forecast.

    Args:
        panel: what is known.
        horizon: periods to forecast.
        names: the covariates, if not all of them.

    Raises:
        DataError: one is not.
    """
    for name in panel.known if names is None else names:
        if panel.known[name].shape[-1] < len(panel.calendar) + horizon:
            raise DataError(
                f"{name} is known ahead, but its values in the next {horizon} periods are not all "
                "given: name a table of them with --future."
            )


def shared_once(panel: Panel) -> Panel:
    """A panel in which a known covariate that is the same for all series is kept once.

    What is so for some series of a period, such as a holiday, is then so for all.
    """
    return replace(panel, known={name: _shared(values) for name, values in panel.known.items()})


def _shared(values: Floats) -> Floats:
    seen = np.isfinite(values)
    lowest = np.where(seen, values, np.inf).min(axis=0, initial=np.inf)
    highest = np.where(seen, values, -np.inf).max(axis=0, initial=-np.inf)
    if (lowest < highest).any():
        return values
    return np.where(seen.any(axis=0), lowest, np.nan).astype(np.float32)
