"""What the seller sees, as the commands that show it share it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nestcast.commands.forecasting import Made, Options, forecast_sales
from nestcast.commands.reading import Reading
from nestcast.console import Messages
from nestcast.data import Panel
from nestcast.data.attributes import table_in
from nestcast.data.pairs import Pairs
from nestcast.errors import OptionError
from nestcast.forecast import each_once
from nestcast.report import Advice
from nestcast.seller import Ranking, Stock, rank, read_stock
from nestcast.seller.demand import PATHS


@dataclass(frozen=True)
class Selling:
    """What a command was told of stock.

    Args:
        stock: the file; else `stock.csv` of the folder, if there is one.
        wanted_level: share of lead times that the reorder point is to get through, in per cent; 95
            if None.
    """

    stock: Path | None = None
    wanted_level: float | None = None

    @property
    def service_level(self) -> float:
        """The share of lead times, in per cent."""
        return 95.0 if self.wanted_level is None else self.wanted_level

    @property
    def of_sales(self) -> dict[str, object]:
        """The options that ads have no use for, by name."""
        return {"--stock": self.stock, "--service-level": self.wanted_level}

    def check(self) -> None:
        """See before long work that the options make sense.

        Raises:
            OptionError: they do not.
        """
        if not 0 < self.service_level < 100:
            raise OptionError(
                f"--service-level is a percentage between 0 and 100, not {self.service_level:g}."
            )

    def read(self, source: str, panel: Panel, reading: Reading, say: Messages) -> Stock | None:
        """The stock, if there is any to be known."""
        path = self.stock or table_in(Path(source), "stock")
        if path is None:
            return None
        bad = reading.rejected.with_name(f"{reading.rejected.stem}-stock.csv")
        stock = read_stock(
            path,
            series=panel.keys.names,
            preset=reading.rows.preset,
            attributes=panel.attributes,
            encoding=reading.rows.encoding,
            rejected=bad,
            max_rejected=reading.rows.max_rejected,
        )
        say.say(f"read the stock of {len(stock):,} series from {path}")
        for reason, count in stock.rejected.items():
            say.say(f"  rejected {count:,}: {reason}")
        if stock.rejected:
            say.say(f"  see {bad}")
        for note in stock.notes:
            say.say(f"  {note}")
        return stock


def make_ranked(
    source: str,
    panel: Panel,
    pairs: Pairs | None,
    wanted: Options,
    reading: Reading,
    selling: Selling,
    say: Messages,
) -> tuple[Made, Ranking]:
    """Read the stock, forecast, and rank.

    Raises:
        NestcastError: whatever a user can mend.
    """
    stock = selling.read(source, panel, reading, say)
    made = forecast_sales(panel, pairs, wanted, say, samples=0 if stock is None else PATHS)
    return made, ranked(made, stock, selling)


def ranked(made: Made, stock: Stock | None, selling: Selling) -> Ranking:
    """Rank a forecast.

    Args:
        made: the forecast, with sample paths if there is a stock.
        stock: what is in stock.
        selling: the service level.
    """
    return rank(
        each_once(made.forecast),
        made.panel,
        stock,
        service_level=selling.service_level / 100,
        clip=made.forecaster.clip,
    )


def advice_of(ranking: Ranking) -> Advice:
    """A ranking as the page takes it."""
    stock = ranking.stock
    return Advice(
        priority=ranking.priority,
        why=ranking.why,
        stock=None if stock is None else stock.on_hand,
        order=None if stock is None else stock.order_quantity,
        classes={_WORDS[kind]: names for kind, names in ranking.classes.items()},
        notes=ranking.notes,
    )


_WORDS = {"abc": "ABC", "demand_pattern": "demand", "life_cycle": "life"}
