"""Cells compared as forecasters: the same network, and only the cell is another."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import nestcast.lab.cells  # noqa: F401  (adds the variants to the cells that have a name)
from nestcast.data.keys import Column, Keys, item_column
from nestcast.data.panel import Panel
from nestcast.errors import OptionError
from nestcast.evaluation.origins import rolling_origins
from nestcast.evaluation.results import Backtest, Run, ScoredOrigin
from nestcast.files import check_place
from nestcast.lab.comparison import read_json, write_json
from nestcast.lab.forecasting import LEVEL, Cost, Plan, Scored, read, score, write
from nestcast.model.network import check_cell
from nestcast.training import Progress

_SETTINGS = "settings.json"

Tell = Callable[[str, float], None]  # what runs, and how many runs are done


@dataclass(frozen=True, eq=False)
class Compared:
    """All runs of a comparison.

    Args:
        scores: as of a backtest whose models are the cells.
        costs: of each cell, one for each run.
    """

    scores: Backtest
    costs: dict[str, list[Cost]]


@dataclass
class SeriesComparison:
    """Cells, seeds, origins and a plan in a folder that keeps every finished run.

    Args:
        folder: where runs are kept.
        cells: names such as `nested:2`.
        seeds: networks of each cell at each origin.
        origins: how many of the last origins.
        step: periods from one origin to the next.
        plan: what is the same for all.
        panel: the data.

    Raises:
        OptionError: no such cell, a number makes no sense, or the data are of clicks.
    """

    folder: Path
    cells: list[str]
    seeds: int
    origins: int
    step: int
    plan: Plan
    panel: Panel

    def __post_init__(self) -> None:
        self.cells = checked_cells(self.cells)
        if self.seeds < 1:
            raise OptionError(f"--seeds must be 1 or more, not {self.seeds}.")
        if self.panel.exposure is not None:
            raise OptionError("cells are compared on sales: leave --exposure out.")
        plan = self.plan
        item_column(self.panel.keys, plan.cluster)
        rolling_origins(self.panel, self.origins, plan.horizon, step=self.step, ask=plan.ask)

    def claim_folder(self) -> None:
        """Make the folder, or see that what it holds is part of this comparison.

        Raises:
            OptionError: it cannot be made, or belongs to another comparison.
        """
        check_place(self.folder)
        now = self.settings()
        if self.folder.is_dir() and any(self.folder.iterdir()):
            _check_same(self.folder, now)
            return
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise OptionError(f"cannot make {self.folder}: {error.strerror}.") from None
        write_json(self.folder / _SETTINGS, now)

    def settings(self) -> dict[str, Any]:
        """What all runs share, as JSON has it."""
        plan, ask = self.plan, self.plan.ask
        return {
            "effort": plan.effort,
            "horizon": plan.horizon,
            "ask": _digest(ask.columns.values()) if isinstance(ask, Keys) else ask,
            "clip": plan.clip and list(plan.clip),
            "cluster": plan.cluster,
            "data": fingerprint(self.panel),
        }

    @property
    def total(self) -> int:
        """Runs in all."""
        return len(self.cells) * self.seeds * self.origins

    def run(self, tell: Tell = lambda *_: None) -> Compared:
        """Train and score what is not done yet, all cells at one origin before the next one.

        Raises:
            NestcastError: nothing is asked for at an origin, or a training diverged.
        """
        ends = [len(self.panel.calendar) - self.step * back for back in range(self.origins)][::-1]
        origins: dict[int, ScoredOrigin] = {}
        runs: list[Run] = []
        costs: dict[str, list[Cost]] = {cell: [] for cell in self.cells}
        for seed in range(self.seeds):
            for at, end in enumerate(ends):
                for cell in self.cells:
                    one = self._one(cell, seed, end, len(runs), tell)
                    origins[at] = one.origin
                    runs.append(replace(one.run, origin=at, seed=seed))
                    costs[cell].append(one.cost)
        scored = tuple(origins[at] for at in range(len(ends)))
        return Compared(Backtest(scored, tuple(runs), LEVEL, self.plan.horizon), costs)

    def _one(self, cell: str, seed: int, end: int, done: int, tell: Tell) -> Scored:
        first = self.panel.calendar.labels()[end - self.plan.horizon]
        folder = self.folder / "runs" / cell.replace(":", "-")
        path = folder / f"{first}-seed-{seed}.npz"
        if not path.exists():
            text = f"{first} {cell}" + (f" seed {seed}" if self.seeds > 1 else "")
            tell(text, done)

            def report(now: Progress) -> None:
                share = (now.epoch - 1 + now.batch / now.batches) / now.epochs
                tell(text, done + share)

            write(path, score(self.panel.until(end), cell, seed, self.plan, report))
        return read(path)


def checked_cells(names: Iterable[str]) -> list[str]:
    """The cells of these names, each once.

    Example:
        >>> checked_cells(["lstm", "mlp", "lstm:1", "nested-additive"])
        ['lstm:1', 'mlp', 'nested-additive:2']

    Raises:
        OptionError: none, or one that there is not.
    """
    cells = list(dict.fromkeys(map(check_cell, names)))
    if not cells:
        raise OptionError("--cells names no cell. Give some, as in lstm:1,nested:2.")
    return cells


def fingerprint(panel: Panel) -> str:
    """A digest of all that a model may learn from."""
    calendar = panel.calendar
    arrays = [
        *panel.keys.columns.values(),
        np.array([str(asdict(calendar))]),
        panel.target,
        panel.start,
        *(one for part in (panel.observed, panel.known) for _, one in sorted(part.items())),
    ]
    for _, one in sorted(panel.attributes.items()):
        arrays += [one.ids, *(values for _, values in sorted(one.columns.items()))]
    return _digest(arrays)


def _digest(arrays: Iterable[Column]) -> str:
    digest = hashlib.sha256()
    for one in arrays:
        digest.update(f"{one.dtype} {one.shape} ".encode())
        digest.update(np.ascontiguousarray(one).tobytes())
    return digest.hexdigest()[:16]


def _check_same(folder: Path, now: dict[str, Any]) -> None:
    if not (folder / _SETTINGS).exists():
        raise OptionError(f"{folder} holds other things. Choose a new folder for --out.")
    before = read_json(folder / _SETTINGS)
    if not isinstance(before, dict) or "data" not in before:
        raise OptionError(f"{folder} holds another kind of comparison. Choose another --out.")
    for name, new in now.items():
        if before.get(name) == new:
            continue
        if name == "data":
            raise OptionError(
                f"{folder} holds a comparison on other data, or on data read in another way. "
                "Choose another --out, or read the same data to go on."
            )
        raise OptionError(
            f"{folder} holds a comparison with {name} {before.get(name)}, not {new}. "
            "Choose another --out, or the same settings to go on."
        )
