"""`nestcast compare series`: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nestcast.commands import options

_USUAL_CELLS = "lstm:1,lstm:2,gru:1,nested:2,nested:3,mlp"


def series(
    source: options.Source,
    out: Annotated[
        Path, typer.Option(help="Folder of the comparison; an interrupted one goes on there.")
    ],
    cells: Annotated[
        str,
        typer.Option(
            help="lstm:LAYERS, gru:LAYERS, nested:LEVELS, mlp (no memory), nested-identity:LEVELS, "
            "nested-additive:LEVELS, separated by commas. The others are compared with the first."
        ),
    ] = _USUAL_CELLS,
    seeds: Annotated[int, typer.Option(help="Networks of each cell at each origin.")] = 3,
    origins: Annotated[int, typer.Option(help="How many of the last origins.")] = 5,
    effort: Annotated[
        str, typer.Option(help="How long to train each network: quick or standard.")
    ] = "standard",
    horizon: Annotated[int, typer.Option(help="Periods to forecast from each origin.")] = 1,
    step: Annotated[int, typer.Option(help="Periods from one origin to the next.")] = 1,
    ask: Annotated[
        str | None,
        typer.Option(
            help="Series to forecast: grid (every shop x every item that sell in the periods "
            "forecast) or known (all that have begun). Else grid for counts by shop and item."
        ),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(help="Series to forecast, from a file; each from when its item sells."),
    ] = None,
    clip: options.Clip = None,
    cluster: Annotated[
        str | None, typer.Option(help="Column of the item, which intervals of differences draw.")
    ] = None,
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
    """Compare cells as forecasters: the same network, inputs and training, and another cell."""
    from nestcast.commands.comparing_series import Options, run_comparison
    from nestcast.commands.reading import Reading, beside
    from nestcast.console import Messages

    wanted = Options(
        cells=options.names(cells),
        seeds=seeds,
        origins=origins,
        effort=effort,
        horizon=horizon,
        step=step,
        ask=ask,
        pairs=pairs,
        clip=clip,
        cluster=cluster,
        out=out,
    )
    reading = Reading(
        rejected=beside(out, rejected),
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
    run_comparison(source, wanted, reading, Messages(quiet))
