"""`nestcast compare series`: its options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from nestcast.commands import options
from nestcast.commands.grouped import grouped

_USUAL_CELLS = "lstm:1,lstm:2,gru:1,nested:2,nested:3,mlp"


@dataclass(frozen=True)
class Options:
    """What to compare, and how."""

    out: Annotated[
        Path, typer.Option(help="Folder of the comparison; an interrupted one goes on there.")
    ]
    cells: Annotated[
        str,
        typer.Option(
            help="lstm:LAYERS, gru:LAYERS, nested:LEVELS, mlp (no memory), nested-identity:LEVELS, "
            "nested-additive:LEVELS, separated by commas. The others are compared with the first."
        ),
    ] = _USUAL_CELLS
    seeds: Annotated[int, typer.Option(help="Networks of each cell at each origin.")] = 3
    origins: options.Origins = 5
    effort: Annotated[
        str, typer.Option(help="How long to train each network: quick or standard.")
    ] = "standard"
    horizon: options.Horizon = 1
    step: options.Step = 1
    ask: Annotated[
        str | None,
        typer.Option(
            help="Series to forecast: grid (every shop x every item that sell in the periods "
            "forecast) or known (all that have begun). Else grid for counts by shop and item."
        ),
    ] = None
    pairs: options.AskedPairs = None
    clip: options.Clip = None
    cluster: options.Cluster = None


@grouped
def series(
    *,
    source: options.Source,
    wanted: Options,
    rows: options.Rows,
    quiet: options.Quiet = False,
) -> None:
    """Compare cells as forecasters: the same network, inputs and training, and another cell."""
    from nestcast.commands.comparing_series import run_comparison
    from nestcast.commands.reading import Reading
    from nestcast.console import Messages

    run_comparison(source, wanted, Reading(rows, wanted.out), Messages(quiet))
