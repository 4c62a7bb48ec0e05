"""`nestcast forecast`: read, forecast, write, and make the page."""

from __future__ import annotations

from pathlib import Path

from nestcast.commands.click_forecast import (
    ClickOptions,
    check_sales_options,
    forecast_clicks,
    write_clicks,
)
from nestcast.commands.forecasting import Options, forecast_sales, read_asked
from nestcast.commands.output import write_forecast
from nestcast.commands.reading import Reading
from nestcast.commands.report import check_page, write_click_page, write_page
from nestcast.commands.selling import Selling, ranked
from nestcast.console import Messages
from nestcast.data.tables import check_table_name
from nestcast.files import check_place
from nestcast.seller.demand import PATHS


def run_forecast(
    source: str,
    wanted: Options,
    reading: Reading,
    of_clicks: ClickOptions,
    page: Path | None,
    say: Messages,
) -> None:
    """Read the rows, forecast, and write what was asked for.

    Raises:
        NestcastError: whatever a user can mend.
    """
    output = reading.output
    wanted.check()
    of_clicks.check(reading.clicks.exposure)
    if output is not None:
        check_table_name(output)
        check_place(output)
    if page is not None:
        check_page(page)
    panel, asked = read_asked(source, wanted, reading, say)
    if panel.exposure is not None:
        clicks = forecast_clicks(panel, asked, wanted, of_clicks, reading.rows.encoding, say)
        write_clicks(clicks, wanted, of_clicks, output, say)
        if page is not None:
            write_click_page(clicks, wanted.saved, None, page, say)
    else:
        check_sales_options(of_clicks)
        selling = Selling()
        stock = None if page is None else selling.read(source, panel, reading, say)
        made = forecast_sales(panel, asked, wanted, say, samples=0 if stock is None else PATHS)
        write_forecast(made, wanted.levels, output)
        if page is not None:
            write_page(made, ranked(made, stock, selling), wanted.saved, None, page, say)
    if output is not None:
        say.say(f"forecast written to {output}")
