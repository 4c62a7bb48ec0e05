"""`nestcast report` and `--report`: the page of a forecast."""

from __future__ import annotations

from pathlib import Path

from nestcast.commands.forecasting import Made, Options
from nestcast.commands.reading import Reading
from nestcast.commands.selling import Selling, advice_of, make_ranked
from nestcast.console import Messages
from nestcast.files import check_place
from nestcast.report import check_page_name, find_backtest, parts, read_accuracy, write_report
from nestcast.seller import Ranking


def check_page(path: Path) -> None:
    """See before long work that a page can be written there.

    Raises:
        OptionError: it cannot.
    """
    check_page_name(path)
    check_place(path)
    parts.check()


def run_report(
    source: str,
    wanted: Options,
    reading: Reading,
    selling: Selling,
    backtest: Path | None,
    page: Path,
    say: Messages,
) -> None:
    """Read the rows, forecast, rank, and write the page.

    Raises:
        NestcastError: whatever a user can mend.
    """
    check_page(page)
    made, ranking = make_ranked(source, wanted, reading, selling, say)
    write_page(made, ranking, wanted.model, backtest, page, say)


def write_page(
    made: Made,
    ranking: Ranking,
    model: Path | None,
    backtest: Path | None,
    page: Path,
    say: Messages,
) -> None:
    """Write the page of a forecast, with what a saved backtest says of it.

    Args:
        made: the forecast.
        ranking: what to act on first.
        model: folder of the saved model, which may hold a backtest.
        backtest: the saved backtest, if given.
        page: where to.
        say: told where the page is.
    """
    scores = find_backtest(backtest, model)
    accuracy = None if scores is None else read_accuracy(scores, made.panel.calendar)
    write_report(
        made.forecast,
        made.panel,
        page,
        clip=made.forecaster.clip,
        accuracy=accuracy,
        advice=advice_of(ranking),
    )
    say.say(f"report written to {page}")
    if scores is None:
        say.say("  without a backtest: see --backtest in nestcast report --help")
