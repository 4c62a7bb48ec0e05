"""One run of a comparison on series: a network with one cell: trained, scored, kept in a file."""

from __future__ import annotations

import time
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from nestcast.data.keys import Keys
from nestcast.data.panel import Panel
from nestcast.errors import DataError, OptionError
from nestcast.evaluation.backtest import backtest
from nestcast.evaluation.origins import Ask
from nestcast.evaluation.registry import Contender
from nestcast.evaluation.results import Run, ScoredOrigin
from nestcast.evaluation.scoring import Cells
from nestcast.files import replacing
from nestcast.forecast import Forecast
from nestcast.forecaster import Forecaster
from nestcast.model.recurrent import parameters
from nestcast.training import Report, silent

LEVEL = (50.0, 80.0, 95.0)
_EFFORTS = ("quick", "standard")


@dataclass(frozen=True)
class Plan:
    """What is the same for every cell.

    Args:
        effort: how long each network is trained, `quick` or `standard`.
        horizon: periods forecast from each origin.
        ask: which series are asked for, see `evaluation.origins.rolling_origins`.
        clip: ends into which targets and forecasts are clipped.
        cluster: key column of the item, which intervals draw.

    Raises:
        OptionError: no such effort.
    """

    effort: str = "quick"
    horizon: int = 1
    ask: Ask | Keys | None = None
    clip: tuple[float, float] | None = None
    cluster: str | None = None

    def __post_init__(self) -> None:
        if self.effort not in _EFFORTS:
            raise OptionError(f"--effort is {' or '.join(_EFFORTS)}, not {self.effort!r}.")


@dataclass(frozen=True)
class Cost:
    """What a cell took in one run.

    Args:
        hidden: hidden size.
        parameters: of the network.
        in_cell: those of them that are the cell's.
        processor_seconds: to train.
    """

    hidden: int
    parameters: int
    in_cell: int
    processor_seconds: float


class CellModel:
    """One network with a cell, as a backtest sees it.

    Args:
        cell: name of the cell.
        seed: of the first weights and of the order of series.
        plan: all else.
        report: told of the training's progress.
    """

    cost: Cost

    def __init__(self, cell: str, seed: int, plan: Plan, report: Report = silent) -> None:
        self._cell, self._seed, self._plan, self._report = cell, seed, plan, report

    def fit(self, panel: Panel, asked: Keys, horizon: int, report: Report = silent) -> None:
        """Train; see `evaluation.models.Model`."""
        begin = time.process_time()
        self._forecaster = Forecaster(
            horizon,
            recipe="global",
            seed=self._seed,
            clip=self._plan.clip,
            effort=self._plan.effort,
            cell=self._cell,
            members=1,  # an average of networks would hide how they differ
        ).fit(panel, asked, self._report)
        [network] = self._forecaster.global_network.networks
        self.cost = Cost(
            network.config.hidden_size,
            parameters(network),
            parameters(network.encoder.layer),
            time.process_time() - begin,
        )

    def predict(self, panel: Panel, asked: Keys, horizon: int, level: Sequence[float]) -> Forecast:
        """Forecast; see `evaluation.models.Model`."""
        return self._forecaster.predict(horizon, level, panel=panel, pairs=asked)


@dataclass(frozen=True, eq=False)
class Scored:
    """One cell with one seed at one origin.

    Args:
        origin: where, and the series asked for.
        run: the scores; its origin and seed are 0, its model is the cell.
        cost: what it took.
    """

    origin: ScoredOrigin
    run: Run
    cost: Cost


def score(panel: Panel, cell: str, seed: int, plan: Plan, report: Report) -> Scored:
    """Train a network without the last periods, and score its forecast of them.

    Args:
        panel: until the end of the periods to forecast.
        cell, seed: which network. The same seed trains other networks at other origins, so that
            all trainings of a cell are independent of one another.
        plan: all else.
        report: told of the training's progress.

    Raises:
        DataError: nothing is known of what was forecast.
    """
    drawn = zlib.crc32(f"{seed} {panel.calendar.ends()[-1]}".encode())
    model = CellModel(cell, drawn, plan, report)
    found = backtest(
        panel,
        [Contender(cell, lambda _: model)],
        origins=1,
        horizon=plan.horizon,
        ask=plan.ask,
        clip=plan.clip,
        cluster=plan.cluster,
        level=LEVEL,
    )
    [origin], [run] = found.origins, found.runs
    if run.sums["rmse"][:, 1].sum() == 0:
        raise DataError(f"nothing is known of what happened at {origin.date}: take other origins.")
    return Scored(origin, run, model.cost)


_SUMS = "sums "  # before the name of a metric
_SECONDS = ("fit_seconds", "predict_seconds")


def write(path: Path, one: Scored) -> None:
    """Keep a run: arrays only, so that reading it cannot run code."""
    cells, run = one.origin.cells, one.run
    arrays: dict[str, Any] = {
        "date": np.asarray(one.origin.date.astype("datetime64[D]")),
        "cell": np.array(run.model),
        "cluster": cells.cluster,
        "newness": cells.newness,
        "volume": cells.volume,
        "size": cells.size,
        **{name: np.array(getattr(run, name)) for name in _SECONDS},
        **{name: np.array(value) for name, value in asdict(one.cost).items()},
        **{_SUMS + metric: sums for metric, sums in run.sums.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as aside:
        np.savez_compressed(aside, **arrays)


def read(path: Path) -> Scored:
    """What `write` kept.

    Raises:
        DataError: it is damaged.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            arrays = dict(kept)
        cost = Cost(**{field.name: arrays[field.name].item() for field in fields(Cost)})
        nowhere = np.zeros(0, np.int64)  # which series is in which cell is not kept
        cluster, newness, volume = (arrays[name] for name in ("cluster", "newness", "volume"))
        cells = Cells(nowhere, cluster, newness, volume, {}, arrays["size"])
        sums = {
            name.removeprefix(_SUMS): values
            for name, values in arrays.items()
            if name.startswith(_SUMS)
        }
        fit, predict = (float(arrays[name]) for name in _SECONDS)
        run = Run(0, str(arrays["cell"]), 0, sums, fit, predict)
        return Scored(ScoredOrigin(arrays["date"][()], cells), run, cost)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        raise DataError(f"{path} is damaged: remove it, and it will be made again.") from None
