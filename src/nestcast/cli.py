"""The command. It parses, calls the public functions, and reports; it decides nothing else."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nestcast._version import __version__
from nestcast.commands import compare, explain, options
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
def forecast(
    source: options.Source,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Result: .csv, .csv.gz or .parquet. Else stdout."),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(help="Series to forecast. Else test.csv of the folder, or all that sold."),
    ] = None,
    horizon: Annotated[
        int | None, typer.Option(help="Periods ahead. Else 1, or what the model was fitted for.")
    ] = None,
    level: options.Level = "80,95",
    clip: options.Clip = None,
    recipe: options.Recipe = None,
    effort: options.Effort = None,
    likelihood: options.Likelihood = None,
    cell: options.Cell = None,
    known_assortment: options.KnownAssortment = False,
    tuning: options.Tuning = None,
    model: Annotated[
        str | None,
        typer.Option(help="Forecast with this saved model; for clicks also eb (empirical Bayes)."),
    ] = None,
    save_model: Annotated[Path | None, typer.Option(help="Save the model to this folder.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write the page to look at too: .html.")
    ] = None,
    seed: options.Seed = 0,
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
    time: options.Time = None,
    series: options.Series = None,
    target: options.Target = None,
    price: options.Price = None,
    observed: options.Observed = None,
    known: options.Known = None,
    future: options.Future = None,
    holidays: options.Holidays = None,
    exposure: options.Exposure = None,
    cost: options.Cost = None,
    revenue: options.Revenue = None,
    year: options.Year = None,
    freq: options.Freq = None,
    date_format: options.DateFormat = None,
    encoding: options.Encoding = "utf-8",
    preset: options.Preset = None,
    keep_incomplete: options.KeepIncomplete = False,
    max_rejected: options.MaxRejected = 0.01,
    rejected: options.Rejected = None,
    memory_limit: options.MemoryLimit = "2GB",
    threads: options.Threads = None,
    quiet: options.Quiet = False,
) -> None:
    """Read raw rows, train, and forecast the next periods of every series."""
    from nestcast.commands.click_forecast import (
        ClickOptions,
        check_sales_options,
        forecast_clicks,
        write_clicks,
    )
    from nestcast.commands.forecasting import Options, forecast_sales, read_asked
    from nestcast.commands.output import write_forecast
    from nestcast.commands.reading import Reading, beside
    from nestcast.commands.report import check_page, write_click_page, write_page
    from nestcast.commands.selling import Selling, ranked
    from nestcast.data.tables import check_table_name
    from nestcast.files import check_place
    from nestcast.seller.demand import PATHS

    of_clicks = ClickOptions(model, exposure_plan, ranking, recalibrate, negatives_kept)
    wanted = Options(
        pairs=pairs,
        horizon=horizon,
        level=level,
        clip=clip,
        recipe=recipe,
        effort=effort,
        likelihood=likelihood,
        cell=cell,
        known_assortment=known_assortment,
        tuning=tuning,
        model=None if model is None or of_clicks.names_a_model else Path(model),
        save_model=save_model,
        seed=seed,
    )
    wanted.check()
    of_clicks.check(exposure)
    if output is not None:
        check_table_name(output)
        check_place(output)
    if report is not None:
        check_page(report)
    say = _messages(quiet)
    reading = Reading(
        rejected=beside(output, rejected),
        time=time,
        series=series,
        target=target,
        price=price,
        observed=observed,
        known=known,
        future=future,
        holidays=holidays,
        exposure=exposure,
        cost=cost,
        revenue=revenue,
        year=year,
        freq=freq,
        date_format=date_format,
        encoding=encoding,
        preset=preset,
        keep_incomplete=keep_incomplete,
        max_rejected=max_rejected,
        memory_limit=memory_limit,
        threads=threads,
    )
    panel, asked = read_asked(source, wanted, reading, say)
    if panel.exposure is not None:
        clicks = forecast_clicks(panel, asked, wanted, of_clicks, encoding, say)
        write_clicks(clicks, wanted, of_clicks, output, say)
        if report is not None:
            write_click_page(clicks, wanted.model, None, report, say)
    else:
        check_sales_options(of_clicks)
        selling = Selling()
        stock = None if report is None else selling.read(source, panel, reading, say)
        made = forecast_sales(panel, asked, wanted, say, samples=0 if stock is None else PATHS)
        write_forecast(made, wanted.levels, output)
        if report is not None:
            write_page(made, ranked(made, stock, selling), wanted.model, None, report, say)
    if output is not None:
        say.say(f"forecast written to {output}")


@app.command(epilog="Example: nestcast report my-data --model my-model -o report.html")
def report(
    source: options.Source,
    output: Annotated[Path, typer.Option("-o", "--output", help="The page, .html.")] = Path(
        "report.html"
    ),
    model: Annotated[
        str | None,
        typer.Option(help="Forecast with this saved model; for clicks also eb (empirical Bayes)."),
    ] = None,
    backtest: Annotated[
        Path | None,
        typer.Option(
            help="What nestcast backtest DIR -o FILE.json wrote, to say how good the forecast is. "
            "Else backtest.json in the model's folder."
        ),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(help="Series to forecast. Else test.csv of the folder, or all that sold."),
    ] = None,
    horizon: Annotated[
        int | None, typer.Option(help="Periods ahead. Else 1, or what the model was fitted for.")
    ] = None,
    stock: options.Stock = None,
    service_level: options.ServiceLevel = None,
    level: options.Level = "80,95",
    clip: options.Clip = None,
    recipe: options.Recipe = None,
    effort: options.Effort = None,
    likelihood: options.Likelihood = None,
    cell: options.Cell = None,
    known_assortment: options.KnownAssortment = False,
    tuning: options.Tuning = None,
    save_model: Annotated[Path | None, typer.Option(help="Save the model to this folder.")] = None,
    seed: options.Seed = 0,
    exposure_plan: options.ExposurePlan = None,
    time: options.Time = None,
    series: options.Series = None,
    target: options.Target = None,
    price: options.Price = None,
    observed: options.Observed = None,
    known: options.Known = None,
    future: options.Future = None,
    holidays: options.Holidays = None,
    exposure: options.Exposure = None,
    cost: options.Cost = None,
    revenue: options.Revenue = None,
    year: options.Year = None,
    freq: options.Freq = None,
    date_format: options.DateFormat = None,
    encoding: options.Encoding = "utf-8",
    preset: options.Preset = None,
    keep_incomplete: options.KeepIncomplete = False,
    max_rejected: options.MaxRejected = 0.01,
    rejected: options.Rejected = None,
    memory_limit: options.MemoryLimit = "2GB",
    threads: options.Threads = None,
    quiet: options.Quiet = False,
) -> None:
    """Forecast, and write a page to look at: one HTML file that works offline."""
    from nestcast.commands.click_forecast import ClickOptions
    from nestcast.commands.forecasting import Options
    from nestcast.commands.reading import Reading, beside
    from nestcast.commands.report import run_report
    from nestcast.commands.selling import Selling

    of_clicks = ClickOptions(model, exposure_plan)
    wanted = Options(
        pairs=pairs,
        horizon=horizon,
        level=level,
        clip=clip,
        recipe=recipe,
        effort=effort,
        likelihood=likelihood,
        cell=cell,
        known_assortment=known_assortment,
        tuning=tuning,
        model=None if model is None or of_clicks.names_a_model else Path(model),
        save_model=save_model,
        seed=seed,
    )
    reading = Reading(
        rejected=beside(output, rejected),
        time=time,
        series=series,
        target=target,
        price=price,
        observed=observed,
        known=known,
        future=future,
        holidays=holidays,
        exposure=exposure,
        cost=cost,
        revenue=revenue,
        year=year,
        freq=freq,
        date_format=date_format,
        encoding=encoding,
        preset=preset,
        keep_incomplete=keep_incomplete,
        max_rejected=max_rejected,
        memory_limit=memory_limit,
        threads=threads,
    )
    selling = Selling(stock, service_level)
    run_report(source, wanted, reading, selling, of_clicks, backtest, output, _messages(quiet))


@app.command(epilog="Example: nestcast rank my-data --model my-model --top 20 -o ranking.csv")
def rank(
    source: options.Source,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The whole ranking: .csv, .csv.gz or .parquet."),
    ] = None,
    top: Annotated[int, typer.Option(help="Rows to print.")] = 20,
    daily: Annotated[
        Path | None, typer.Option(help="Units expected on each day: .csv, .csv.gz or .parquet.")
    ] = None,
    what_if: Annotated[
        str | None, typer.Option(help="An item and another price for it, as in 5037=499.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Forecast with this saved model; for clicks also eb (empirical Bayes)."),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(help="Series to forecast. Else test.csv of the folder, or all that sold."),
    ] = None,
    horizon: Annotated[
        int | None, typer.Option(help="Periods ahead. Else 1, or what the model was fitted for.")
    ] = None,
    stock: options.Stock = None,
    service_level: options.ServiceLevel = None,
    level: options.Level = "80,95",
    clip: options.Clip = None,
    recipe: options.Recipe = None,
    effort: options.Effort = None,
    likelihood: options.Likelihood = None,
    cell: options.Cell = None,
    known_assortment: options.KnownAssortment = False,
    tuning: options.Tuning = None,
    save_model: Annotated[Path | None, typer.Option(help="Save the model to this folder.")] = None,
    seed: options.Seed = 0,
    exposure_plan: options.ExposurePlan = None,
    time: options.Time = None,
    series: options.Series = None,
    target: options.Target = None,
    price: options.Price = None,
    observed: options.Observed = None,
    known: options.Known = None,
    future: options.Future = None,
    holidays: options.Holidays = None,
    exposure: options.Exposure = None,
    cost: options.Cost = None,
    revenue: options.Revenue = None,
    year: options.Year = None,
    freq: options.Freq = None,
    date_format: options.DateFormat = None,
    encoding: options.Encoding = "utf-8",
    preset: options.Preset = None,
    keep_incomplete: options.KeepIncomplete = False,
    max_rejected: options.MaxRejected = 0.01,
    rejected: options.Rejected = None,
    memory_limit: options.MemoryLimit = "2GB",
    threads: options.Threads = None,
    quiet: options.Quiet = False,
) -> None:
    """Forecast, and say what to act on first: what sells out, changes, or lies too long.

    Of clicks: which ads will have the most, and what they return.
    """
    from nestcast.commands.click_forecast import ClickOptions
    from nestcast.commands.forecasting import Options
    from nestcast.commands.ranking import Ranked, run_rank
    from nestcast.commands.reading import Reading, beside
    from nestcast.commands.selling import Selling

    of_clicks = ClickOptions(model, exposure_plan)
    wanted = Options(
        pairs=pairs,
        horizon=horizon,
        level=level,
        clip=clip,
        recipe=recipe,
        effort=effort,
        likelihood=likelihood,
        cell=cell,
        known_assortment=known_assortment,
        tuning=tuning,
        model=None if model is None or of_clicks.names_a_model else Path(model),
        save_model=save_model,
        seed=seed,
    )
    reading = Reading(
        rejected=beside(output, rejected),
        time=time,
        series=series,
        target=target,
        price=price,
        observed=observed,
        known=known,
        future=future,
        holidays=holidays,
        exposure=exposure,
        cost=cost,
        revenue=revenue,
        year=year,
        freq=freq,
        date_format=date_format,
        encoding=encoding,
        preset=preset,
        keep_incomplete=keep_incomplete,
        max_rejected=max_rejected,
        memory_limit=memory_limit,
        threads=threads,
    )
    selling = Selling(stock, service_level)
    shown = Ranked(output, top, daily, what_if)
    run_rank(source, wanted, reading, selling, of_clicks, shown, _messages(quiet))


@app.command(
    epilog="Example: nestcast backtest my-data --models nestcast,seasonal-naive,tsb --clip 0,20 "
    "-o backtest.csv --plot backtest.png"
)
def backtest(
    source: options.Source,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Scores: .csv, .csv.gz, .parquet, .json. Else stdout."),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Picture: .png, .svg or .pdf.")] = None,
    forecasts: Annotated[
        Path | None, typer.Option(help="Every forecast with its truth: .csv, .csv.gz or .parquet.")
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(
            help="Any of nestcast, seed, zero, naive, seasonal-naive, mean-3 (or another number), "
            "croston, sba, tsb, ets, lightgbm; for clicks eb, eb-7, ewma, last-week, pooled, "
            "lightgbm. The others are compared with the first."
        ),
    ] = None,
    origins: Annotated[int, typer.Option(help="How many of the last origins.")] = 5,
    horizon: Annotated[int, typer.Option(help="Periods to forecast from each.")] = 1,
    step: Annotated[int, typer.Option(help="Periods from one origin to the next.")] = 1,
    ask: Annotated[
        str | None,
        typer.Option(
            help="Series to forecast: grid (every shop x every item that sell in the periods "
            "forecast), known (all that have begun) or, for clicks, shown (all that have "
            "impressions then). Else grid for counts by shop and item, shown for clicks."
        ),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(help="Series to forecast, from a file; each from when its item sells."),
    ] = None,
    level: options.Level = "50,80,95",
    clip: options.Clip = None,
    seeds: Annotated[int, typer.Option(help="Runs of each model that has random numbers.")] = 1,
    refit: Annotated[
        bool, typer.Option("--refit/--no-refit", help="Train at every origin, or at the first.")
    ] = True,
    known_assortment: options.KnownAssortment = False,
    cluster: Annotated[
        str | None, typer.Option(help="Column of the item, which intervals of differences draw.")
    ] = None,
    without: Annotated[
        str | None, typer.Option(help="Score also without some series, as in shop_id=9,20.")
    ] = None,
    time: options.Time = None,
    series: options.Series = None,
    target: options.Target = None,
    price: options.Price = None,
    observed: options.Observed = None,
    known: options.Known = None,
    future: options.Future = None,
    holidays: options.Holidays = None,
    exposure: options.Exposure = None,
    cost: options.Cost = None,
    revenue: options.Revenue = None,
    year: options.Year = None,
    freq: options.Freq = None,
    date_format: options.DateFormat = None,
    encoding: options.Encoding = "utf-8",
    preset: options.Preset = None,
    keep_incomplete: options.KeepIncomplete = False,
    max_rejected: options.MaxRejected = 0.01,
    rejected: options.Rejected = None,
    memory_limit: options.MemoryLimit = "2GB",
    threads: options.Threads = None,
    quiet: options.Quiet = False,
) -> None:
    """Forecast past periods from what was known before them, and compare models side by side."""
    from nestcast.commands.backtest import Options, run_backtest
    from nestcast.commands.reading import Reading, beside

    wanted = Options(
        models=models,
        origins=origins,
        horizon=horizon,
        step=step,
        ask=ask,
        pairs=pairs,
        level=level,
        clip=clip,
        seeds=seeds,
        refit=refit,
        known_assortment=known_assortment,
        cluster=cluster,
        without=without,
        output=output,
        plot=plot,
        forecasts=forecasts,
    )
    reading = Reading(
        rejected=beside(output, rejected),
        time=time,
        series=series,
        target=target,
        price=price,
        observed=observed,
        known=known,
        future=future,
        holidays=holidays,
        exposure=exposure,
        cost=cost,
        revenue=revenue,
        year=year,
        freq=freq,
        date_format=date_format,
        encoding=encoding,
        preset=preset,
        keep_incomplete=keep_incomplete,
        max_rejected=max_rejected,
        memory_limit=memory_limit,
        threads=threads,
    )
    run_backtest(source, wanted, reading, _messages(quiet))


@app.command(epilog="Example: nestcast tune my-data --trials 30 --study study.log -o tuning.json")
def tune(
    source: options.Source,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="What was found, for --tuning: a .json file.")
    ],
    trials: Annotated[int, typer.Option(help="Settings to try.")] = 20,
    study: Annotated[
        Path | None,
        typer.Option(help="Keep the trials in this file; an interrupted search goes on from it."),
    ] = None,
    origins: Annotated[int, typer.Option(help="How many of the last origins to judge by.")] = 3,
    horizon: Annotated[int, typer.Option(help="Periods to forecast from each.")] = 1,
    step: Annotated[int, typer.Option(help="Periods from one origin to the next.")] = 1,
    ask: Annotated[
        str | None, typer.Option(help="Series to forecast: grid or known, as in a backtest.")
    ] = None,
    clip: options.Clip = None,
    metric: Annotated[
        str, typer.Option(help="To make small: rmse, mae, rmsse, mase, quantile-loss or crps.")
    ] = "rmse",
    effort: Annotated[str, typer.Option(help="Of each trial: quick, standard or best.")] = "quick",
    seed: options.Seed = 0,
    time: options.Time = None,
    series: options.Series = None,
    target: options.Target = None,
    price: options.Price = None,
    observed: options.Observed = None,
    known: options.Known = None,
    future: options.Future = None,
    holidays: options.Holidays = None,
    freq: options.Freq = None,
    date_format: options.DateFormat = None,
    encoding: options.Encoding = "utf-8",
    preset: options.Preset = None,
    keep_incomplete: options.KeepIncomplete = False,
    max_rejected: options.MaxRejected = 0.01,
    rejected: options.Rejected = None,
    memory_limit: options.MemoryLimit = "2GB",
    threads: options.Threads = None,
    quiet: options.Quiet = False,
) -> None:
    """Search the sizes and training options that forecast past periods best."""
    from nestcast.commands.reading import Reading, beside
    from nestcast.commands.tune import Options, run_tune

    wanted = Options(
        output=output,
        trials=trials,
        origins=origins,
        horizon=horizon,
        step=step,
        ask=ask,
        clip=clip,
        metric=metric,
        effort=effort,
        seed=seed,
        study=study,
    )
    reading = Reading(
        rejected=beside(output, rejected),
        time=time,
        series=series,
        target=target,
        price=price,
        observed=observed,
        known=known,
        future=future,
        holidays=holidays,
        freq=freq,
        date_format=date_format,
        encoding=encoding,
        preset=preset,
        keep_incomplete=keep_incomplete,
        max_rejected=max_rejected,
        memory_limit=memory_limit,
        threads=threads,
    )
    run_tune(source, wanted, reading, _messages(quiet))


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
