"""The command. It parses, calls the public functions, and reports; it decides nothing else."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nestcast._version import __version__
from nestcast.commands import compare, explain, options
from nestcast.commands.grouped import grouped
from nestcast.errors import NestcastError

if TYPE_CHECKING:
    from nestcast.console import Messages

app = typer.Typer(
    name="nestcast",
    help="Forecasts of what each shop will sell of each item, straight from raw daily rows.",
    epilog="Start with: nestcast demo",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

app.add_typer(compare.app, name="compare")
app.command(
    epilog="Example: nestcast explain poems --line 春眠不觉晓 --cells nested:2,lstm:2 -o inside.png"
)(explain.explain)

_INTERRUPTED = 130


def _print_version(wanted: bool) -> None:
    if wanted:
        from nestcast import kernels

        print(f"nestcast {__version__} ({kernels.describe(kernels.choose())})")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version and the kernel in use.",
        ),
    ] = False,
) -> None:
    pass


@app.command(epilog="Example: nestcast forecast my-data -o submission.csv --clip 0,20")
@grouped
def forecast(
    *,
    source: options.Source,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Result: .csv, .csv.gz or .parquet. Else stdout."),
    ] = None,
    wanted: options.ForecastOptions,
    report: Annotated[
        Path | None, typer.Option(help="Write the page to look at too: .html.")
    ] = None,
    exposure_plan: options.ExposurePlan = None,
    ranking: Annotated[
        Path | None, typer.Option(help="Ads ranked by clicks and return: .csv, .parquet.")
    ] = None,
    recalibrate: Annotated[
        str | None, typer.Option(help="Put rates right by past ones: isotonic or platt.")
    ] = None,
    negatives_kept: Annotated[
        float | None, typer.Option(help="Share of impressions without a click that a log kept.")
    ] = None,
    rows: options.Rows,
    columns: options.ClickColumns,
    quiet: options.Quiet = False,
) -> None:
    """Read raw rows, train, and forecast the next periods of every series."""
    from nestcast.commands.click_forecast import ClickOptions
    from nestcast.commands.forecast import run_forecast
    from nestcast.commands.forecasting import Options
    from nestcast.commands.reading import Reading

    of_clicks = ClickOptions(wanted.model, exposure_plan, ranking, recalibrate, negatives_kept)
    run_forecast(
        source,
        Options(**vars(wanted)),
        Reading(rows, output, columns),
        of_clicks,
        report,
        _messages(quiet),
    )


@app.command(epilog="Example: nestcast report my-data --model my-model -o report.html")
@grouped
def report(
    *,
    source: options.Source,
    output: Annotated[Path, typer.Option("-o", "--output", help="The page, .html.")] = Path(
        "report.html"
    ),
    wanted: options.ForecastOptions,
    backtest: Annotated[
        Path | None,
        typer.Option(
            help="What nestcast backtest DIR -o FILE.json wrote, to say how good the forecast is. "
            "Else backtest.json in the model's folder."
        ),
    ] = None,
    stock: options.Stock = None,
    service_level: options.ServiceLevel = None,
    exposure_plan: options.ExposurePlan = None,
    rows: options.Rows,
    columns: options.ClickColumns,
    quiet: options.Quiet = False,
) -> None:
    """Forecast, and write a page to look at: one HTML file that works offline."""
    from nestcast.commands.click_forecast import ClickOptions
    from nestcast.commands.forecasting import Options
    from nestcast.commands.reading import Reading
    from nestcast.commands.report import run_report
    from nestcast.commands.selling import Selling

    run_report(
        source,
        Options(**vars(wanted)),
        Reading(rows, output, columns),
        Selling(stock, service_level),
        ClickOptions(wanted.model, exposure_plan),
        backtest,
        output,
        _messages(quiet),
    )


@app.command(epilog="Example: nestcast rank my-data --model my-model --top 20 -o ranking.csv")
@grouped
def rank(
    *,
    source: options.Source,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The whole ranking: .csv, .csv.gz or .parquet."),
    ] = None,
    wanted: options.ForecastOptions,
    top: Annotated[int, typer.Option(help="Rows to print.")] = 20,
    daily: Annotated[
        Path | None, typer.Option(help="Units expected on each day: .csv, .csv.gz or .parquet.")
    ] = None,
    what_if: Annotated[
        str | None, typer.Option(help="An item and another price for it, as in 5037=499.")
    ] = None,
    stock: options.Stock = None,
    service_level: options.ServiceLevel = None,
    exposure_plan: options.ExposurePlan = None,
    rows: options.Rows,
    columns: options.ClickColumns,
    quiet: options.Quiet = False,
) -> None:
    """Forecast, and say what to act on first: what sells out, changes, or lies too long.

    Of clicks: which ads will have the most, and what they return.
    """
    from nestcast.commands.click_forecast import ClickOptions
    from nestcast.commands.forecasting import Options
    from nestcast.commands.ranking import Ranked, run_rank
    from nestcast.commands.reading import Reading
    from nestcast.commands.selling import Selling

    run_rank(
        source,
        Options(**vars(wanted)),
        Reading(rows, output, columns),
        Selling(stock, service_level),
        ClickOptions(wanted.model, exposure_plan),
        Ranked(output, top, daily, what_if),
        _messages(quiet),
    )


@app.command(
    epilog="Example: nestcast backtest my-data --models nestcast,seasonal-naive,tsb --clip 0,20 "
    "-o backtest.csv --plot backtest.png"
)
@grouped
def backtest(
    source: options.Source,
    wanted: options.BacktestOptions,
    rows: options.Rows,
    columns: options.ClickColumns,
    quiet: options.Quiet = False,
) -> None:
    """Forecast past periods from what was known before them, and compare models side by side."""
    from nestcast.commands.backtest import run_backtest
    from nestcast.commands.reading import Reading

    run_backtest(source, wanted, Reading(rows, wanted.output, columns), _messages(quiet))


@app.command(epilog="Example: nestcast tune my-data --trials 30 --study study.log -o tuning.json")
@grouped
def tune(
    source: options.Source,
    wanted: options.TuneOptions,
    rows: options.Rows,
    quiet: options.Quiet = False,
) -> None:
    """Search the sizes and training options that forecast past periods best."""
    from nestcast.commands.reading import Reading
    from nestcast.commands.tune import run_tune

    run_tune(source, wanted, Reading(rows, wanted.output), _messages(quiet))


@app.command(epilog="Example: nestcast simulate my-data --size small --seed 1")
def simulate(
    folder: Annotated[Path, typer.Argument(help="Folder to write, new or empty.")],
    size: Annotated[str, typer.Option(help="demo, small, or full (2.9 million rows).")] = "small",
    shops: Annotated[int | None, typer.Option(help="Number of shops.")] = None,
    items: Annotated[int | None, typer.Option(help="Number of items.")] = None,
    months: Annotated[int | None, typer.Option(help="Number of months.")] = None,
    kind: Annotated[str, typer.Option(help="sales, or ads with their impressions.")] = "sales",
    campaigns: Annotated[int | None, typer.Option(help="Number of campaigns, of ads.")] = None,
    ads: Annotated[int | None, typer.Option(help="Number of ads.")] = None,
    days: Annotated[int | None, typer.Option(help="Number of days, of ads.")] = None,
    seed: options.Seed = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what the folder holds.")
    ] = False,
    quiet: options.Quiet = False,
) -> None:
    """Write a simulated store, or campaigns of ads, with the truth of the time after it."""
    from nestcast.data.simulate import simulate_ads, simulate_sales
    from nestcast.errors import OptionError

    if kind not in ("sales", "ads"):
        raise OptionError(f"--kind takes sales or ads, not {kind!r}.")
    of_sales = {"--shops": shops, "--items": items, "--months": months}
    of_ads = {"--campaigns": campaigns, "--ads": ads, "--days": days}
    for option, value in (of_sales if kind == "ads" else of_ads).items():
        if value is not None:
            raise OptionError(f"{option} does not go with --kind {kind}: leave it out.")
    if kind == "ads":
        account = simulate_ads(
            folder, size, campaigns=campaigns, ads=ads, days=days, seed=seed, overwrite=overwrite
        )
        _messages(quiet).say(
            f"{account.ads:,} ads of {account.campaigns} campaigns over {account.days} days "
            f"written to {folder}"
        )
        return
    made = simulate_sales(
        folder, size, shops=shops, items=items, months=months, seed=seed, overwrite=overwrite
    )
    _messages(quiet).say(
        f"{made.shops} shops and {made.items:,} items over {made.months} months written to {folder}"
    )


@app.command(epilog="Example: nestcast demo")
def demo(
    folder: Annotated[Path, typer.Argument(help="Where to put it all.")] = Path("nestcast-demo"),
    seed: options.Seed = 0,
    quiet: options.Quiet = False,
) -> None:
    """Simulate a small store, forecast its next month, and say where the results are."""
    from nestcast.demo import run_demo

    run_demo(folder, seed, _messages(quiet))


def _messages(quiet: bool) -> Messages:
    from nestcast.console import Messages

    return Messages(quiet)


def main() -> None:
    """Run the command; every error on purpose is one line on stderr."""
    try:
        code = app(sys.argv[1:] or ["--help"], standalone_mode=False)
        if code == _INTERRUPTED:  # what typer makes of a KeyboardInterrupt
            code = _fail("interrupted; no file is half-written.", _INTERRUPTED)
    except NestcastError as error:
        code = _fail(str(error), error.exit_code)
    except typer.TyperException as error:
        message = error.format_message().rstrip(".")
        code = _fail(f"{message}. See {_called()} --help.", 2)
    except BrokenPipeError:
        # The reader of stdout went away, as `| head` does: no error, but no more output either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def _called() -> str:
    called, known = "nestcast", vars(typer.main.get_command(app))
    for word in sys.argv[1:]:
        if word not in known.get("commands", {}):
            break
        called, known = f"{called} {word}", vars(known["commands"][word])
    return called


def _fail(message: str, code: int) -> int:
    print(f"nestcast: {message}", file=sys.stderr)
    return code
