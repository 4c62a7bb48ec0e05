"""`nestcast report` and `--report`: the page of a forecast."""

from __future__ import annotations

from pathlib import Path

from nestcast.commands.click_forecast import (
    ClickOptions,
    MadeClicks,
    check_sales_options,
    forecast_clicks,
    refuse_for_clicks,
)
from nestcast.commands.forecasting import Made, Options, read_asked
from nestcast.commands.reading import Reading
from nestcast.commands.selling import Selling, advice_of, make_ranked
from nestcast.console import Messages
from nestcast.data import Panel
from nestcast.errors import OptionError
from nestcast.files import check_place
from nestcast.report import (
    Accuracy,
    ClickAccuracy,
    check_page_name,
    find_backtest,
    parts,
    read_accuracy,
    write_report,
)
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
    of_clicks: ClickOptions,
    backtest: Path | None,
    page: Path,
    say: Messages,
) -> None:
    """Read the rows, forecast, rank, and write the page.

    Raises:
        NestcastError: whatever a user can mend.
    """
    check_page(page)
    selling.check()
    of_clicks.check(reading.clicks.exposure)
    panel, pairs = read_asked(source, wanted, reading, say)
    if panel.exposure is not None:
        refuse_for_clicks(selling.of_sales)
        clicks = forecast_clicks(panel, pairs, wanted, of_clicks, reading.rows.encoding, say)
        write_click_page(clicks, wanted.saved, backtest, page, say)
        return
    check_sales_options(of_clicks)
    made, ranking = make_ranked(source, panel, pairs, wanted, reading, selling, say)
    write_page(made, ranking, wanted.saved, backtest, page, say)


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
    accuracy = _accuracy(backtest, model, made.panel)
    if isinstance(accuracy, ClickAccuracy):
        raise OptionError("the backtest is of clicks, the rows of sales: backtest the same rows.")
    write_report(
        made.forecast,
        made.panel,
        page,
        clip=made.forecaster.clip,
        accuracy=accuracy,
        advice=advice_of(ranking),
    )
    _tell(page, accuracy, say)


def write_click_page(
    made: MadeClicks, model: Path | None, backtest: Path | None, page: Path, say: Messages
) -> None:
    """Write the page of a forecast of clicks; see `write_page`."""
    accuracy = _accuracy(backtest, model, made.panel)
    if isinstance(accuracy, Accuracy):
        raise OptionError("the backtest is of sales, the rows of clicks: backtest the same rows.")
    write_report(made.forecast, made.panel, page, accuracy=accuracy, ranking=made.ranked)
    _tell(page, accuracy, say)


def _accuracy(
    backtest: Path | None, model: Path | None, panel: Panel
) -> Accuracy | ClickAccuracy | None:
    scores = find_backtest(backtest, model)
    return None if scores is None else read_accuracy(scores, panel.calendar)


def _tell(page: Path, accuracy: Accuracy | ClickAccuracy | None, say: Messages) -> None:
    say.say(f"report written to {page}")
    if accuracy is None:
        say.say("  without a backtest: see --backtest in nestcast report --help")
