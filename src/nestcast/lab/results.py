"""What a comparison found: numbers for machines, a table and sentences for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from nestcast.lab.bootstrap import differences
from nestcast.lab.cells import parameters
from nestcast.lab.comparison import Chosen, Texts
from nestcast.lab.model import CharacterModel
from nestcast.lab.runs import Epoch, Finished

Results = dict[str, Any]

HEADER = (
    "cell", "hidden", "parameters", "in cell", "rate", "best epoch", "valid nll", "test nll",
    "± seeds", "test bits", "perplexity", "cpu s/epoch", "memory MB",
)  # fmt: skip
_NARROW = (
    "cell", "parameters", "rate", "valid nll", "test nll", "± seeds", "test bits", "cpu s/epoch",
)  # fmt: skip


def results(
    chosen: Mapping[str, Chosen],
    texts: Texts,
    settings: Mapping[str, Any],
    also: Mapping[str, Mapping[str, Sequence[float]]],
) -> Results:
    """All that was measured, as JSON can hold it.

    Args:
        chosen: the runs by cell.
        texts: what was read.
        settings: of the comparison.
        also: losses by name of a further text, cell and seed.
    """
    scores = {cell: [run.test_units for run in one.runs.values()] for cell, one in chosen.items()}
    return {
        "settings": dict(settings),
        "texts": {
            name: {
                "file": texts.sources[name].name,
                "characters": corpus.characters,
                "unseen": corpus.unseen,
            }
            for name, corpus in texts.corpora.items()
        },
        "vocabulary": len(texts.vocabulary),
        "cells": {cell: _cell(one) for cell, one in chosen.items()},
        "differences": [
            {**asdict(one), "shown": one.shown, "sentence": str(one)} for one in differences(scores)
        ],
        "also": {
            name: {cell: _over_seeds(list(losses)) for cell, losses in by_cell.items()}
            for name, by_cell in also.items()
        },
    }


def _cell(one: Chosen) -> dict[str, Any]:
    model = CharacterModel(one.shape)
    best = [run.history.epochs[run.history.best - 1] for run in one.runs.values()]
    epochs = [epoch for run in one.runs.values() for epoch in run.history.epochs]
    return {
        "hidden": one.shape.hidden,
        "parameters": parameters(model),
        "parameters_in_cell": parameters(model.cell),
        "rate": one.rate,
        "trials": [
            {"rate": rate, "valid": loss if math.isfinite(loss) else None}
            for rate, loss in one.trials.items()
        ],
        "valid": _over_seeds([epoch.losses["valid"] for epoch in best]),
        "test": _over_seeds([epoch.losses["test"] for epoch in best]),
        "seconds_per_epoch": float(np.median([epoch.seconds for epoch in epochs])),
        "processor_seconds_per_epoch": float(
            np.median([epoch.processor_seconds for epoch in epochs])
        ),
        "memory": max((epoch.memory for epoch in epochs if epoch.memory), default=None),
        "seeds": [_seed(seed, run) for seed, run in one.runs.items()],
    }


def _seed(seed: int, run: Finished) -> dict[str, Any]:
    return {
        "seed": seed,
        "best_epoch": run.history.best,
        "epochs": [_epoch(epoch) for epoch in run.history.epochs],
    }


def _epoch(epoch: Epoch) -> dict[str, Any]:
    record = asdict(epoch)
    losses = record.pop("losses")
    return {**record, **{name: measures(loss) for name, loss in losses.items()}}


def measures(nats: float) -> dict[str, float]:
    """A loss per character in nats, in bits, and as perplexity.

    Example:
        >>> measures(math.log(8))["bits"], round(measures(math.log(8))["perplexity"], 9)
        (3.0, 8.0)
    """
    return {"nll": nats, "bits": nats / math.log(2), "perplexity": math.exp(nats)}


def _over_seeds(losses: list[float]) -> dict[str, Any]:
    """The mean, in three measures, and the standard deviation in nats (None for one seed)."""
    spread = float(np.std(losses, ddof=1)) if len(losses) > 1 else None
    return {**measures(float(np.mean(losses))), "spread": spread, "seeds": losses}


def rows(found: Results) -> list[list[str]]:
    """The table's rows under HEADER, the best cell first."""
    made = []
    for cell, one in sorted(found["cells"].items(), key=lambda item: item[1]["test"]["nll"]):
        valid, test = one["valid"], one["test"]
        best = [str(run["best_epoch"]) for run in one["seeds"]]
        made.append([
            cell, f"{one['hidden']:,}", f"{one['parameters']:,}", f"{one['parameters_in_cell']:,}",
            f"{one['rate']:g}", "/".join(best), f"{valid['nll']:.3f}", f"{test['nll']:.3f}",
            "-" if test["spread"] is None else f"{test['spread']:.3f}", f"{test['bits']:.3f}",
            f"{test['perplexity']:.1f}", f"{one['processor_seconds_per_epoch']:.1f}",
            "-" if one["memory"] is None else f"{one['memory'] / 2**20:,.0f}",
        ])  # fmt: skip
    return made


def narrow(lines: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """The columns of a table that fit on a terminal: header and rows."""
    kept = [HEADER.index(name) for name in _NARROW]
    return list(_NARROW), [[line[column] for column in kept] for line in lines]


def also_table(found: Results) -> tuple[list[str], list[list[str]]]:
    """Losses on further texts: the header, and a row for each text."""
    cells = list(found["cells"])
    header = ["text", "unseen", *cells]
    made = []
    for name in ["test", *found["also"]]:
        text = found["texts"][name]
        by_cell = {cell: found["cells"][cell]["test"] for cell in cells}
        by_cell = found["also"].get(name, by_cell)
        losses = [
            f"{by_cell[cell]['nll']:.3f}"
            + ("" if by_cell[cell]["spread"] is None else f" ± {by_cell[cell]['spread']:.3f}")
            for cell in cells
        ]
        made.append([name, f"{text['unseen'] / text['characters']:.2%}", *losses])
    return header, made


def markdown(found: Results) -> str:
    """The tables and sentences as Markdown."""
    parts = [markdown_table(HEADER, rows(found))]
    if found["also"]:
        parts.append(markdown_table(*also_table(found)))
    if found["differences"]:
        parts.append("\n".join(f"- {one['sentence']}" for one in found["differences"]))
    return "\n\n".join(parts) + "\n"


def markdown_table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table as Markdown, all columns but the first at the right."""
    ruler = ["---", *("---:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, ruler, *lines))
