"""`nestcast rank`: what to act on first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nestcast.commands.click_forecast import (
    ClickOptions,
    MadeClicks,
    check_sales_options,
    forecast_clicks,
    refuse_for_clicks,
    show_ads,
)
from nestcast.commands.forecasting import Made, Options, read_asked
from nestcast.commands.reading import Reading
from nestcast.commands.selling import Selling, make_ranked
from nestcast.console import Messages, plain
from nestcast.data import write_table
from nestcast.data.keys import Column, item_column
from nestcast.data.tables import check_table_name
from nestcast.errors import OptionError
from nestcast.files import check_place
from nestcast.seller import Ranking, what_if
from nestcast.seller.priority import number


@dataclass(frozen=True)
class Ranked:
    """What to show of a ranking, and where to write it.

    Args:
        output: the whole.
        top: rows to print.
        daily: units of each day.
        what_if: an item and a price, as in `5037=499`.
    """

    output: Path | None = None
    top: int = 20
    daily: Path | None = None
    what_if: str | None = None

    @property
    def asked(self) -> tuple[str, float]:
        """Item and price of the what-if question."""
        item, _, price = (self.what_if or "").rpartition("=")
        try:
            return item.strip(), float(price)
        except ValueError:
            raise OptionError(
                f"--what-if takes an item and a price, as in 5037=499, not {self.what_if!r}."
            ) from None

    def check(self) -> None:
        """See before long work that all can be done.

        Raises:
            OptionError: it cannot.
        """
        if self.top < 0:
            raise OptionError(f"--top must be 0 or more, not {self.top}.")
        if self.what_if is not None and not (self.asked[0] and self.asked[1] > 0):
            raise OptionError(
                f"--what-if takes an item and a price, as in 5037=499, not {self.what_if!r}."
            )
        for path in (self.output, self.daily):
            if path is not None:
                check_table_name(path)
                check_place(path)


def run_rank(
    source: str,
    wanted: Options,
    reading: Reading,
    selling: Selling,
    of_clicks: ClickOptions,
    shown: Ranked,
    say: Messages,
) -> None:
    """Forecast, print what to act on first, and write the whole.

    Raises:
        NestcastError: whatever a user can mend.
    """
    shown.check()
    selling.check()
    of_clicks.check(reading.clicks.exposure)
    panel, pairs = read_asked(source, wanted, reading, say)
    if panel.exposure is not None:
        refuse_for_clicks(selling.of_sales | {"--daily": shown.daily, "--what-if": shown.what_if})
        clicks = forecast_clicks(panel, pairs, wanted, of_clicks, reading.rows.encoding, say)
        _rank_clicks(clicks, shown, say)
        return
    check_sales_options(of_clicks)
    made, ranking = make_ranked(source, panel, pairs, wanted, reading, selling, say)
    if shown.output is not None:
        write_table(ranking.to_columns(), shown.output)
    if shown.daily is not None:
        write_table(ranking.rate.to_columns(), shown.daily)
    if shown.top:
        _show(ranking, shown.top, say)
    for note in ranking.notes:
        say.say(note)
    if shown.output is not None:
        say.say(f"ranking of {len(ranking.keys):,} series written to {shown.output}")
    if shown.daily is not None:
        say.say(f"units of each day written to {shown.daily}")
    if shown.what_if is not None:
        _ask(made, *shown.asked)


def _rank_clicks(made: MadeClicks, shown: Ranked, say: Messages) -> None:
    """Print the ads to look at first, and write the whole."""
    if shown.output is not None:
        write_table(made.ranked, shown.output)
    if shown.top:
        show_ads(made, shown.top, say, result=True)
    if shown.output is not None:
        say.say(f"ranking of {len(made.ranked['rank']):,} series written to {shown.output}")


def _ask(made: Made, item: str, price: float) -> None:
    """Forecast one item at another price."""
    asked = made.forecast.keys
    key = item_column(asked)
    rows = np.flatnonzero(asked[key].astype(str) == item)
    if len(rows) == 0:
        raise OptionError(f"--what-if: {key} {item} is none of the series forecast.")
    found = what_if(
        lambda panel: made.forecaster.predict(
            made.forecast.horizon, made.forecast.levels, panel=panel, pairs=asked.take(rows)
        ),
        made.panel,
        asked[key][rows[0]],
        price,
    )
    print(plain(f"{key} {item}: {found.text}"))


def _show(ranking: Ranking, top: int, say: Messages) -> None:
    order = ranking.order[:top]
    names = {key: _name(key, ranking) for key in ranking.keys.names}
    days, stock = ranking.rate.days, ranking.stock
    header = [key.removesuffix("_id") for key in names]
    header += ["ABC", "expected", *([] if stock is None else ["order"]), "priority", "why"]
    rows: list[list[object]] = []
    for at in order.tolist():
        row: list[object] = [str(values[at]) for values in names.values()]
        row += [str(ranking.classes["abc"][at]), number(ranking.rate.total[at])]
        if stock is not None:
            units = stock.order_quantity[at]
            row.append("" if np.isnan(units) else number(units))
        rows.append([*row, number(float(ranking.priority[at])), ranking.why[at]])
    say.table(f"what to act on first, {days[0]} to {days[-1]}", header, rows, result=True)


def _name(key: str, ranking: Ranking) -> Column:
    """The name of each series' shop or item, or its key where it has none."""
    values = ranking.keys[key].astype(str)
    names = ranking.names.get(f"{key.removesuffix('_id')}_name")
    return values if names is None else np.where(names == "", values, names)
