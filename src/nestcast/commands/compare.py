"""`nestcast compare`: cells against each other, with everything else the same."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nestcast.commands import compare_series, options
from nestcast.errors import OptionError

app = typer.Typer(help="Compare recurrent cells at equal numbers of parameters.")

app.command(
    epilog="Example: nestcast compare series my-data --cells lstm:2,nested:2 --seeds 3 --out runs"
)(compare_series.series)

_USUAL_CELLS = "lstm:1,lstm:2,nested:2,nested:3,gru:1"


@app.callback(invoke_without_command=True)
def _compare(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command(
    epilog="Example: nestcast compare text --train poems.txt --valid valid.txt --test test.txt "
    "--lines --cells lstm:2,nested:2 --params 300k --seeds 3 --out poems"
)
def text(
    out: Annotated[
        Path, typer.Option(help="Folder of the comparison; an interrupted one goes on there.")
    ],
    train: Annotated[Path | None, typer.Option(help="Text to learn from, UTF-8.")] = None,
    valid: Annotated[Path | None, typer.Option(help="Text to choose by.")] = None,
    test: Annotated[Path | None, typer.Option(help="Text to judge by.")] = None,
    cells: Annotated[
        str | None,
        typer.Option(
            help="lstm:LAYERS, gru:LAYERS, nested:LEVELS, separated by commas. "
            "Else lstm:1,lstm:2,nested:2,nested:3,gru:1; with --sample the best one."
        ),
    ] = None,
    params: Annotated[
        str | None,
        typer.Option(help="Parameters of each model, as in 300k or 1.5M; sizes follow. Else 1M."),
    ] = None,
    hidden: Annotated[
        int | None, typer.Option(help="The same hidden size for all, instead of --params.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Runs of each cell.")] = 5,
    lines: Annotated[
        bool, typer.Option("--lines", help="Each line is a text of its own, such as a poem.")
    ] = False,
    epochs: Annotated[int, typer.Option(help="Passes over the training text, at most.")] = 20,
    patience: Annotated[
        int, typer.Option(help="Epochs without a better validation loss before stopping.")
    ] = 3,
    rates: Annotated[
        str, typer.Option(help="Learning rates tried for each cell.")
    ] = "0.001,0.003,0.01",
    trial_epochs: Annotated[int, typer.Option(help="Epochs of each such trial.")] = 2,
    embedding: Annotated[int, typer.Option(help="Numbers that stand for a character.")] = 64,
    softmax: Annotated[
        str, typer.Option(help="tied (to the embedding) or plain (weights of its own).")
    ] = "tied",
    dropout: Annotated[
        float, typer.Option(help="Share of the cell's inputs and outputs dropped in training.")
    ] = 0.0,
    batch: Annotated[int, typer.Option(help="Texts side by side.")] = 32,
    bptt: Annotated[int, typer.Option(help="Characters through which gradients flow back.")] = 100,
    min_count: Annotated[
        int, typer.Option(help="Characters seen less often in training are read as unseen.")
    ] = 2,
    also: Annotated[
        list[str] | None,
        typer.Option(help="Score the models on another text too, as in song=song.txt; repeatable."),
    ] = None,
    sample: Annotated[
        int | None, typer.Option(help="Print so many lines written by a model of --out.")
    ] = None,
    prompt: Annotated[str, typer.Option(help="What the lines begin with.")] = "",
    temperature: Annotated[
        float, typer.Option(help="Below 1 keeps to the likely, above 1 is bolder.")
    ] = 1.0,
    seed: options.Seed = 0,
    threads: options.Threads = None,
    quiet: options.Quiet = False,
) -> None:
    """Compare cells as models of text, character by character, or let one write (--sample)."""
    from nestcast.commands import comparing
    from nestcast.console import Messages

    options.use_threads(threads)
    if sample is not None:
        wanted = comparing.Sampling(
            folder=out,
            cell=cells,
            seed=seed,
            lines=sample,
            prompt=prompt,
            temperature=temperature,
        )
        comparing.print_sample(wanted, Messages(quiet))
        return
    files = {"train": train, "valid": valid, "test": test}
    missing = [f"--{name}" for name, path in files.items() if path is None]
    if missing:
        raise OptionError(f"{' and '.join(missing)} missing: give a text file for each.")
    comparing.run_comparison(
        comparing.Options(
            files={name: path for name, path in files.items() if path is not None},
            also=also or [],
            cells=options.names(cells or _USUAL_CELLS),
            params=params,
            hidden=hidden,
            seeds=seeds,
            lines=lines,
            epochs=epochs,
            patience=patience,
            rates=rates,
            trial_epochs=trial_epochs,
            embedding=embedding,
            softmax=softmax,
            dropout=dropout,
            batch=batch,
            bptt=bptt,
            min_count=min_count,
            out=out,
        ),
        Messages(quiet),
    )
