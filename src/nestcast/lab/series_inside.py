"""What happens inside a forecaster's network that reads a series."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

import nestcast.lab.cells  # noqa: F401  (adds the variants to the cells that have a name)
from nestcast.data.calendar import Dates
from nestcast.data.keys import Keys
from nestcast.data.panel import Panel
from nestcast.errors import DataError, OptionError
from nestcast.forecaster import Forecaster
from nestcast.lab.inside import Trace, autocorrelation, slowness, trace
from nestcast.model.network import MLP, ForecastNetwork
from nestcast.model.recurrent import Cell
from nestcast.recipes.learning import Question

_FEWEST_STEPS = 3


@dataclass(frozen=True)
class SeriesLook:
    """A look inside a network that reads one series.

    Args:
        cell: its name.
        name: of the series.
        periods: the last period that each step has read, shape (time,).
        values: what was sold in each of them, NaN where nothing is known of it, shape (time,).
        ahead: periods that are forecast, shape (ahead,).
        mean: the network's forecast of them, shape (ahead,).
        traces: levels or layers of its cell.
        autocorrelations: of the memory's units within series, by name of the level.
        series: how many series the autocorrelations are over.
        influences: Euclidean norm of the gradient of the mean of each period ahead with respect to
            the inputs of each step, in units of the target for one standard deviation of an input,
            shape (ahead, time).
        trust: how far forecasts go from their base to what networks say, from 0 to 1.
        recent: the weight of the mean of late in them, from 0 to 1.
    """

    cell: str
    name: str
    periods: Dates
    values: np.ndarray
    ahead: Dates
    mean: np.ndarray
    traces: list[Trace]
    autocorrelations: dict[str, np.ndarray]
    series: int
    influences: np.ndarray
    trust: float = 1.0
    recent: float = 0.0

    @property
    def over(self) -> str:
        """What the autocorrelations are over, in words."""
        return f"{self.series:,} series" if self.series > 1 else "this series"

    def sentences(self) -> list[str]:
        """What was measured, in words."""
        found = slowness(self.cell, self.autocorrelations, f"over {self.over}")
        shares = self.influences[0] / max(float(self.influences[0].sum()), 1e-30)
        half = 1 + int(np.searchsorted(np.cumsum(shares[::-1]), 0.5))
        steps = "the last step" if half == 1 else f"the last {half} of {len(shares)} steps"
        found.append(f"half of the influence on {self.ahead[0]} comes from {steps}")
        if self.trust < 1:
            way = f"{self.trust:.0%} of the way" if self.trust else "nowhere"
            found.append(f"forecasts go {way} from simple ones to what the networks say")
        if self.recent > 0:
            found.append(
                f"the mean of late counts {self.recent:.1%} in forecasts, networks the rest"
            )
        return found


def look_at_series(forecaster: Forecaster, panel: Panel, one: Keys, most: int = 200) -> SeriesLook:
    """Look inside the first of a forecaster's networks while it reads one series.

    Args:
        forecaster: fitted, of the recipe `global` or `ensemble`.
        panel: what it forecasts from.
        one: the series, which the panel holds.
        most: autocorrelations are over so many series of the panel, this one among them.

    Raises:
        ModelError: another recipe, or the panel does not fit the model.
        DataError: the series is not there, or too short.
        OptionError: the network has no memory.

    Source of `influences`: A. Madsen, "Visualizing memorization in RNNs", Distill 2019.
    """
    network = forecaster.global_network.networks[0]
    if network.config.cell == MLP:
        raise OptionError("this model's cell is mlp, which has no gates and no memory to look at.")
    name = ", ".join(f"{column} {one[column][0]}" for column in one.names)
    [row] = panel.keys.locate(one)
    if row < 0:
        raise DataError(f"the data have no series with {name}: name one that they have.")
    given = forecaster.question(panel, panel.keys.take(_with_others(int(row), len(panel), most)))
    steps = int(given.last[0]) + 1
    if steps < _FEWEST_STEPS:
        raise DataError(f"{name} has {steps} steps, too few to look at: name an older series.")
    mean, influences = _influences(forecaster, network, _first(given, steps))
    traces, *others = _read(network, given)
    many = [traces, *(one for one in others if len(one[0].memory) >= _FEWEST_STEPS)]

    def slow(level: int) -> np.ndarray:
        """Each series about its own mean: that series differ makes no memory slow."""
        memories = [one[level].memory for one in many]
        return autocorrelation([memory - memory.mean(axis=0) for memory in memories])

    # A step forecasts a period, and has read what was before it.
    at = len(panel.calendar) - steps + np.arange(steps)
    begun = at >= panel.start[row]
    return SeriesLook(
        str(Cell.named(network.config.cell)),
        name,
        panel.calendar.start_of(at),
        np.where(begun, panel.target[row, np.maximum(at, 0)], np.nan),
        panel.calendar.after(forecaster.horizon).starts(),
        mean,
        traces,
        {level.name: slow(k) for k, level in enumerate(traces)},
        len(many),
        influences,
        forecaster.global_network.trust,
        forecaster.global_network.recent,
    )


def _with_others(row: int, series: int, most: int) -> np.ndarray:
    """A row and others up to `most` in all, drawn the same way every time."""
    rest = np.delete(np.arange(series), row)
    return np.append(row, np.random.default_rng(0).permutation(rest)[: most - 1])


def _first(given: Question, steps: int) -> Question:
    """The first series alone."""
    return Question(
        given.past[:steps, :1],
        given.ahead[:steps, :1],
        given.codes[:1],
        given.last[:1],
        given.size[:1],
    )


def _influences(
    forecaster: Forecaster, network: ForecastNetwork, given: Question
) -> tuple[np.ndarray, np.ndarray]:
    """The mean of each period ahead, and how much each step matters to it."""
    seen, static, ahead = network.inputs(given.past, given.ahead, given.codes)
    seen = seen.detach().requires_grad_()
    raw = network.read(seen, static, ahead, given.last)
    mean = forecaster.global_network.mean(raw, given.size)[0]
    rows = [torch.autograd.grad(one, seen, retain_graph=True)[0][:, 0].norm(dim=-1) for one in mean]
    return mean.detach().numpy(), torch.stack(rows).numpy()


@torch.no_grad()
def _read(network: ForecastNetwork, given: Question) -> list[list[Trace]]:
    """Traces of every series, each as long as it is."""
    x, static, _ = network.inputs(given.past, given.ahead, given.codes)
    first = network.encoder.first(static)
    h, c = first if isinstance(first, tuple) else (first, None)
    return [
        trace(
            network.encoder.layer,
            x[: int(last) + 1, at],
            None if h is None else h[:, at],
            None if c is None else c[:, :, at],
        )[0]
        for at, last in enumerate(given.last)
    ]
