"""Training one network on many series, and asking it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nestcast.data.calendar import Frequency
from nestcast.model.likelihood import Likelihood, Size
from nestcast.model.network import ForecastNetwork
from nestcast.model.recent import Recent
from nestcast.recipes.batches import Sequences
from nestcast.recipes.tuning import Tuning
from nestcast.training import Progress, Report, TrainingOptions, train

_LARGEST_BATCH = 16_384  # series-steps
# Series of one item err alike: what batches of whole items teach is noisier, and taken less of.
_BY_ITEM_BATCH, _BY_ITEM_RATE = 0.5, 2 / 3  # of the usual ones
_MOST_EPOCHS = 20
_UNKNOWN_RATE = 0.02  # share of training series whose embedded values are hidden
_NEARLY_ALL = 0.75  # the last quarter of a training only settles
_STEPS_AHEAD = 6  # periods ahead that one batch trains on

# From series, periods and periods ahead, as for `Inputs.ahead`, to (steps, batch, ahead or 1).
SizeOf = Callable[[Tensor, Tensor, Tensor], Size]


class Inputs(Protocol):
    """What a network learns from, at any step of any series.

    Args:
        start: first period of each series, shape (series,).
        length: periods known.
        freq: their length.
        horizon: periods ahead.
        power: mean square of the target.
    """

    start: Tensor
    length: int
    freq: Frequency
    horizon: int
    power: float

    def past(self, rows: Tensor, periods: Tensor) -> Tensor:
        """What is known before each period (steps, batch) of some series (batch,)."""

    def ahead(self, rows: Tensor, periods: Tensor, steps: Tensor) -> Tensor:
        """What is known of periods ahead (ahead,), shape (steps, batch, ahead, features)."""

    def targets(self, rows: Tensor, periods: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
        """What happened then, and whether it is known, shape (steps, batch, ahead)."""


@dataclass(frozen=True, eq=False)
class Cases:
    """What there is to learn from.

    Args:
        features: of the panel.
        codes: of the embedded columns, shape (series, columns).
        size: of the series at each step.
        weight: how many series each one stands for, shape (series,).
        named: which cells to learn from, shape (series, time); None for all.
        context: longest sequence, in periods.
        recent: means of late of some series (batch,) before a period, where these count.
        items: the item of each series, from 0, to learn from batches of whole items; else None.
    """

    features: Inputs
    codes: Tensor
    size: SizeOf
    weight: Tensor
    named: Tensor | None
    context: int
    recent: Callable[[Tensor, int], Recent] | None = None
    items: NDArray[np.int64] | None = None

    def sequences(self, until: int, generator: np.random.Generator) -> Sequences:
        """Steps of each series that forecast a period before `until` from which can be learned."""
        start = self.features.start.numpy()
        ends = np.full(len(start), until)
        if self.named is not None:
            named = self.named[:, :until].numpy()
            ends = np.where(named.any(axis=1), until - named[:, ::-1].argmax(axis=1), 0)
        lengths = np.clip(ends - start, 0, self.context)
        return Sequences(start, ends, lengths, generator, self.items)


@dataclass(frozen=True)
class Budget:
    """How long to train; not at all where both are 0.

    Args:
        steps: series-periods to see, at most.
        updates: where that takes many passes, so many updates of the weights are enough.
    """

    steps: int
    updates: int

    def part(self, share: float) -> Budget:
        """A share of it; all of it if that is nearly all."""
        if share > _NEARLY_ALL:
            return self
        return Budget(math.ceil(self.steps * share), math.ceil(self.updates * share))

    def spent(self, steps: int, batch_steps: int) -> tuple[int, float]:
        """How often to pass through so many steps in such batches, and through which share."""
        passes = self.steps / steps
        updates = math.ceil(steps * min(1.0, passes) / batch_steps)
        enough = max(_MOST_EPOCHS, math.ceil(self.updates / updates))
        epochs = min(math.ceil(passes), enough)
        return epochs, min(1.0, passes / epochs)


@dataclass(frozen=True)
class Effort:
    """How much to spend.

    Args:
        members: networks whose forecasts are averaged.
        budget: for each.
    """

    members: int
    budget: Budget


def stages(report: Report, count: int) -> Iterator[Report]:
    """One report for each of several trainings, whose epochs are counted on."""

    def staged(stage: int) -> Report:
        def tell(progress: Progress) -> None:
            before = stage * progress.epochs
            epochs = count * progress.epochs
            report(replace(progress, epoch=before + progress.epoch, epochs=epochs))

        return tell

    return map(staged, range(count))


def train_network(
    network: ForecastNetwork,
    family: Likelihood,
    cases: Cases,
    budget: Budget,
    generator: np.random.Generator,
    report: Report,
    *,
    until: int | None = None,
    squared: bool = False,
    tuning: Tuning | None = None,
) -> None:
    """Train on every period of every series at once.

    Args:
        network: what is trained, in place.
        family: whose log-probability is the loss.
        cases: what to learn from.
        budget: how long.
        generator: for the order of series and for what is drawn of them.
        report: told of progress.
        until: learn from the periods before this one only.
        squared: add the squared error of the mean, relative to the mean square of the target.
        tuning: learning rate and weight decay.
    """
    tuning = tuning or Tuning()
    features = cases.features
    until = features.length if until is None else until
    sequences = cases.sequences(until, generator)
    network.eval()
    if sequences.steps == 0 or budget.steps == 0:
        return
    horizon = features.horizon
    ahead_at_once = min(horizon, _STEPS_AHEAD)
    batch_steps = min(
        _LARGEST_BATCH // max(1, ahead_at_once // 2), max(1024, sequences.steps // 50)
    )
    rate = tuning.learning_rate
    if cases.items is not None:
        batch_steps, rate = round(batch_steps * _BY_ITEM_BATCH), rate * _BY_ITEM_RATE
    epochs, share = budget.spent(sequences.steps, batch_steps)

    def loss(rows: NDArray[np.int64]) -> Tensor:
        series, periods = sequences.of(rows)
        ahead = np.sort(generator.permutation(horizon - 1)[: ahead_at_once - 1] + 1)
        wanted = torch.from_numpy(np.append(0, ahead))
        target, known = features.targets(series, periods, wanted)
        at = periods[..., None] + wanted
        known = known & (at < until)  # (steps, batch, periods ahead)
        if cases.named is not None:
            known = known & cases.named[series[:, None], at.clamp(max=features.length - 1)]
        used = known * cases.weight[series, None]
        periods = periods.clamp(max=features.length)
        hidden = torch.rand(len(rows), 1) < _UNKNOWN_RATE
        raw = network(
            features.past(series, periods),
            features.ahead(series, periods, wanted),
            cases.codes[series].masked_fill(hidden, 0),
        )
        size = cases.size(series, periods, wanted)
        total = used.sum().clamp(min=1)
        value: Tensor = -(family.log_prob(raw, size, target) * used).sum() / total
        if squared:
            error = (family.mean(raw, size) - target) ** 2
            value = value + (error * used).sum() / total / features.power
        return value

    series, periods = sequences.sample(4096)
    inside = periods < until
    periods = periods.clamp(max=features.length)
    ahead = features.ahead(series, periods, torch.arange(horizon))[inside].flatten(0, 1)
    network.standardise(features.past(series, periods)[inside], ahead)
    network.train()
    options = TrainingOptions(epochs, rate, tuning.weight_decay)
    batches = partial(sequences.batches, batch_steps, share)
    train(network.parameters(), batches, loss, options, report)
    network.eval()


@dataclass(frozen=True, eq=False)
class Question:
    """What networks are given to forecast some series from an origin.

    Args:
        past: shape (steps, batch, features).
        ahead: shape (steps, batch, ahead, features).
        codes: shape (batch, columns).
        last: the step of each series that forecasts, shape (batch,).
        size: of the series, (batch, ahead) or (batch, 1).
    """

    past: Tensor
    ahead: Tensor
    codes: Tensor
    last: Tensor
    size: Size


def question(cases: Cases, rows: NDArray[np.int64], origin: int, ahead: int) -> Question:
    """What networks are given, as `ask` does.

    Args:
        cases: the series.
        rows: which of them, shape (batch,).
        origin: the first period to forecast.
        ahead: how many.
    """
    features = cases.features
    series, steps = torch.from_numpy(rows), torch.arange(ahead)
    count = (origin - features.start[series] + 1).clamp(min=1, max=cases.context)
    step = torch.arange(int(count.max()))[:, None]
    periods = (origin - count + 1 + step).clamp(max=origin)
    size = cases.size(series, torch.full_like(series, origin)[None], steps)
    return Question(
        features.past(series, periods),
        features.ahead(series, periods, steps),
        cases.codes[series],
        count - 1,
        size[0],
    )


def ask(
    networks: list[ForecastNetwork],
    family: Likelihood,
    cases: Cases,
    rows: NDArray[np.int64],
    origin: int,
    ahead: int,
) -> tuple[Tensor, Size]:
    """Raw outputs for the periods from an origin on, pooled over networks, and the sizes.

    Args:
        networks: trained ones.
        family: of what they say.
        cases, rows, origin, ahead: see `question`.

    Returns:
        Raw outputs (batch, ahead, outputs) and sizes, (batch, ahead) or (batch, 1).
    """
    with torch.no_grad():
        given = question(cases, rows, origin, ahead)
        raw = torch.stack(
            [network(given.past, given.ahead, given.codes, given.last) for network in networks]
        )
        return family.pooled(raw), given.size
