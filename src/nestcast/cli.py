"""The command. It parses, calls the public functions, and reports; it decides nothing else."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nestcast._version import __version__
from nestcast.errors import NestcastError, OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nestcast.console import Messages
    from nestcast.data import Panel
    from nestcast.data.keys import Column
    from nestcast.data.pairs import Pairs
    from nestcast.forecaster import Forecaster

app = typer.Typer(
    name="nestcast",
    help="Forecasts of what each shop will sell of each item, straight from raw daily rows.",
    epilog="Start with: nestcast demo",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

_INTERRUPTED = 130

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same bytes.")]


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
    source: Annotated[str, typer.Argument(help="Folder with sales_train.csv, or a table file.")],
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
    level: Annotated[str, typer.Option(help="Intervals to give, in per cent.")] = "80,95",
    clip: Annotated[
        str | None, typer.Option(help="Clip the target and the forecast, as in 0,20.")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="global (one network for all series) or seed (classical).")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="Forecast with this saved model instead of training.")
    ] = None,
    save_model: Annotated[Path | None, typer.Option(help="Save the model to this folder.")] = None,
    seed: Seed = 0,
    time: Annotated[str | None, typer.Option(help="Column with the date.")] = None,
    series: Annotated[
        str | None, typer.Option(help="Columns that tell series apart, as in shop_id,item_id.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="Column to forecast.")] = None,
    price: Annotated[str | None, typer.Option(help="Column with the price.")] = None,
    freq: Annotated[str | None, typer.Option(help="Length of a period: 1d, 1w or 1mo.")] = None,
    date_format: Annotated[
        str | None, typer.Option(help="How dates are written, as in %d/%m/%Y.")
    ] = None,
    encoding: Annotated[str, typer.Option(help="Encoding of the text files.")] = "utf-8",
    preset: Annotated[str | None, typer.Option(help="Known cleaning of a data set: 1c.")] = None,
    keep_incomplete: Annotated[
        bool, typer.Option("--keep-incomplete", help="Train on an incomplete last period too.")
    ] = False,
    max_rejected: Annotated[float, typer.Option(help="Share of bad rows at which to stop.")] = 0.01,
    rejected: Annotated[
        Path | None, typer.Option(help="Where bad rows go. Else rejected.csv beside the result.")
    ] = None,
    memory_limit: Annotated[str, typer.Option(help="Memory for reading.")] = "2GB",
    threads: Annotated[int | None, typer.Option(help="Processor threads to use.")] = None,
    quiet: Quiet = False,
) -> None:
    """Read raw rows, train, and forecast the next periods of every series."""
    from nestcast.data import read_pairs, read_panel
    from nestcast.data.pairs import find_pairs
    from nestcast.data.tables import check_table_name
    from nestcast.files import check_place
    from nestcast.forecast import probabilities_of

    levels = _numbers(level, "--level")
    probabilities_of(levels)
    limits = _limits(clip)
    if horizon is not None and horizon < 1:
        raise OptionError(f"--horizon must be 1 or more, not {horizon}.")
    _check_model_options(model, recipe=recipe, clip=clip, save_model=save_model)
    if output is not None:
        check_table_name(output)
        check_place(output)
    if save_model is not None:
        check_place(save_model)
    say = _messages(quiet)
    _use_threads(threads)
    forecaster = None if model is None else _load(model)
    if rejected is None:
        rejected = (output.parent if output else Path()) / "rejected.csv"

    panel = read_panel(
        source,
        time=time,
        series=None if series is None else [name.strip() for name in series.split(",")],
        target=target,
        price=price,
        freq=freq,
        preset=preset,
        max_rejected=max_rejected,
        memory_limit=memory_limit,
        threads=threads,
        rejected=rejected,
        encoding=encoding,
        date_format=date_format,
        keep_incomplete=keep_incomplete,
    )
    _tell_what_was_read(say, panel, rejected)
    pairs = pairs or find_pairs(source)
    wanted = None
    if pairs is not None:
        wanted = read_pairs(
            pairs,
            series=panel.keys.names,
            preset=preset,
            attributes=panel.attributes,
            encoding=encoding,
        )
        say.say(f"forecasting the {len(wanted.keys):,} series of {pairs}")
        for note in wanted.notes:
            say.say(f"  {note}")
        if wanted.ids is not None and (horizon or 1) != 1:
            raise OptionError(
                f"{pairs} has one ID for each pair, which take one number each: "
                "use --horizon 1, or pairs without an ID column."
            )

    if forecaster is None:
        forecaster = _fit(panel, wanted, horizon or 1, recipe or "global", seed, limits, say)
        if save_model is not None:
            forecaster.save(save_model)
            say.say(f"model saved to {save_model}")
    _write_forecast(forecaster, panel, wanted, horizon, levels, output)
    if output is not None:
        say.say(f"forecast written to {output}")


@app.command(epilog="Example: nestcast simulate my-data --size small --seed 1")
def simulate(
    folder: Annotated[Path, typer.Argument(help="Folder to write, new or empty.")],
    size: Annotated[str, typer.Option(help="demo, small, or full (2.9 million rows).")] = "small",
    shops: Annotated[int | None, typer.Option(help="Number of shops.")] = None,
    items: Annotated[int | None, typer.Option(help="Number of items.")] = None,
    months: Annotated[int | None, typer.Option(help="Number of months.")] = None,
    seed: Seed = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what the folder holds.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Write a simulated store in the raw layout, with the truth of the month after the last."""
    from nestcast.data.simulate import simulate_sales

    made = simulate_sales(
        folder, size, shops=shops, items=items, months=months, seed=seed, overwrite=overwrite
    )
    _messages(quiet).say(
        f"{made.shops} shops and {made.items:,} items over {made.months} months written to {folder}"
    )


@app.command(epilog="Example: nestcast demo")
def demo(
    folder: Annotated[Path, typer.Argument(help="Where to put it all.")] = Path("nestcast-demo"),
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Simulate a small store, forecast its next month, and say where the results are."""
    from nestcast.demo import run_demo

    run_demo(folder, seed, _messages(quiet))


def _fit(
    panel: Panel,
    wanted: Pairs | None,
    horizon: int,
    recipe: str,
    seed: int,
    limits: tuple[float, float] | None,
    say: Messages,
) -> Forecaster:
    from nestcast.forecaster import Forecaster

    forecaster = Forecaster(horizon, recipe=recipe, seed=seed, clip=limits)
    with say.training() as report:
        forecaster.fit(panel, None if wanted is None else wanted.keys, report)
    rows = forecaster.layers()
    total = sum(parameters for *_, parameters in rows)
    say.table(f"recipe {recipe}", ["layer", "output", "parameters"], [*rows, ("total", "", total)])
    return forecaster


def _write_forecast(
    forecaster: Forecaster,
    panel: Panel,
    wanted: Pairs | None,
    horizon: int | None,
    levels: list[float],
    output: Path | None,
) -> None:
    from dataclasses import replace

    keys = None if wanted is None else wanted.keys
    result = forecaster.predict(horizon, levels, panel=panel, pairs=keys)
    if wanted is not None:
        result = replace(result, keys=wanted.given)
    if wanted is not None and wanted.ids is not None:
        columns = result.to_submission(wanted.ids, _submission_column(panel))
    else:
        columns = result.to_columns(levels)
    _write(columns, output)


def _write(columns: Mapping[str, Column], output: Path | None) -> None:
    """Write to a file, or as CSV to stdout."""
    import shutil
    import tempfile

    from nestcast.data import write_table

    if output is not None:
        write_table(columns, output)
        return
    with tempfile.TemporaryDirectory() as scratch:
        csv = Path(scratch) / "forecast.csv"
        write_table(columns, csv)
        with csv.open("rb") as lines:
            shutil.copyfileobj(lines, sys.stdout.buffer)
        sys.stdout.flush()


def _submission_column(panel: Panel) -> str:
    """The competition's name for a month of daily counts, or the target's own name."""
    if panel.target_name == "item_cnt_day" and panel.calendar.freq == "1mo":
        return "item_cnt_month"
    return panel.target_name


def _tell_what_was_read(say: Messages, panel: Panel, rejected: Path) -> None:
    report = panel.report
    first, last = panel.calendar.starts()[0], panel.calendar.ends()[-1]
    say.say(
        f"read {report.rows_read:,} rows: {report.rows_used:,} used "
        f"({report.returns:,} returns), {report.rows_rejected:,} rejected"
    )
    for reason, count in report.rejected.items():
        say.say(f"  rejected {count:,}: {reason}")
    if report.rows_rejected:
        say.say(f"  see {rejected}")
    for note in report.notes:
        say.say(f"  {note}")
    names = {"1d": "days", "1w": "weeks", "1mo": "months"}
    say.say(
        f"{len(panel):,} series over {len(panel.calendar)} {names[panel.calendar.freq]}, "
        f"{first} to {last}"
    )


def _check_model_options(model: Path | None, **fitted_with: object) -> None:
    """A saved model has its own recipe and clip; to accept others would silently ignore them."""
    if model is not None:
        for name, value in fitted_with.items():
            if value is not None:
                option = "--" + name.replace("_", "-")
                raise OptionError(f"{option} cannot be combined with --model: leave one out.")


def _load(folder: Path) -> Forecaster:
    from nestcast.forecaster import Forecaster

    return Forecaster.load(folder)


def _messages(quiet: bool) -> Messages:
    from nestcast.console import Messages

    return Messages(quiet)


def _use_threads(threads: int | None) -> None:
    if threads is not None:
        if threads < 1:
            raise OptionError(f"--threads must be 1 or more, not {threads}.")
        import torch

        torch.set_num_threads(threads)


def _numbers(text: str, option: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise OptionError(f"{option} takes numbers separated by commas, not {text!r}.") from None


def _limits(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    numbers = _numbers(text, "--clip")
    if len(numbers) != 2:
        raise OptionError(f"--clip takes a low and a high end, as in 0,20, not {text!r}.")
    return numbers[0], numbers[1]


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
    command = sys.argv[1] if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else ""
    known = {
        info.name or info.callback.__name__ for info in app.registered_commands if info.callback
    }
    return f"nestcast {command}" if command in known else "nestcast"


def _fail(message: str, code: int) -> int:
    print(f"nestcast: {message}", file=sys.stderr)
    return code
