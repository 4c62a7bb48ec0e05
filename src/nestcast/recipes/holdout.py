"""The last known periods, kept from a network that is judged on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nestcast.model.base import WORST
from nestcast.model.calibration import Calibration, spread_over
from nestcast.model.likelihood import Doubles, Likelihood, Size
from nestcast.model.network import ForecastNetwork
from nestcast.model.recent import Recent
from nestcast.recipes.learning import Cases, ask
from nestcast.training import Progress, Report

_BATCH = 4096  # series
_MOST_JUDGED = 16_384  # series-origins behind one loss
_MOST_CALIBRATED = 60_000  # and behind a calibration
_TRUSTS = (0.25, 0.5, 0.75, 1.0)
_WEIGHTS = np.array([0.0, 0.125, 0.25, 0.375, 0.5, 0.75, 1.0])  # of means of late
_HALF = 0.5  # the largest one if it is not the best
_NOISE = 0.1  # of the logarithm of what all series are together: known of one period, to begin with
_SPREAD = 0.35  # how far from a half it may be, how far their movements are followed
_SURELY = 2.0  # standard errors
_CHECKS = (0, 1 / 24, 1 / 12, 1 / 6, 1 / 3, 1 / 2, 2 / 3, 5 / 6, 1)  # shares of a training

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Held:
    """Forecasts of some series from one origin, and what happened.

    Args:
        rows: the series, shape (batch,).
        origin: the first period forecast.
        raw: outputs of the network, shape (batch, ahead, outputs).
        size: of the series, shape (batch, ahead).
        target: what happened, shape (batch, ahead).
        known: whether that is known, shape (batch, ahead).
        recent: means of late at the level of the forecasts, where these count.
    """

    rows: Rows
    origin: int
    raw: Tensor
    size: Size
    target: Tensor
    known: Tensor
    recent: Recent | None = None


class HoldOut:
    """Forecasts of the last periods from origins among them.

    Args:
        cases: all there is to learn from.
        family: of the forecasts.
        until: the first period kept back.
        squared: whether the squared error of the mean is part of the loss.
        generator: for the choice of series.
    """

    def __init__(
        self,
        cases: Cases,
        family: Likelihood,
        until: int,
        squared: bool,
        generator: np.random.Generator,
    ) -> None:
        self._cases, self._family, self._until = cases, family, until
        self._squared, self._generator = squared, generator
        features = cases.features
        self._rows: dict[int, Rows] = {}
        for origin in range(until, features.length):
            rows = np.flatnonzero(features.start.numpy() <= origin)
            if cases.named is not None:
                rows = rows[cases.named[rows, origin].numpy()]
            if len(rows):
                self._rows[origin] = generator.permutation(rows)

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

    def loss(self, network: ForecastNetwork) -> float:
        """Mean negative log-likelihood per cell on some of the series, in nats.

        The squared error, which a few cells decide, would tell little of how training goes on.
        """
        total = count = 0.0
        for held in self.asked(network, _MOST_JUDGED):
            used = self._used(held)
            loss = -self._family.log_prob(held.raw, held.size, held.target)
            total += float((loss * used).sum())
            count += float(used.sum())
        return total / max(count, 1e-9)

    def _losses(self, held: Held, raw: Tensor) -> Tensor:
        value = -self._family.log_prob(raw, held.size, held.target)
        if self._squared:
            error = (self._family.mean(raw, held.size) - held.target) ** 2
            value = value + error / self._cases.features.power
        return value

    def _used(self, held: Held) -> Tensor:
        """How much each cell counts."""
        return held.known * self._cases.weight[torch.from_numpy(held.rows), None]

    def recent(self, forecasts: Iterable[Held], follow: float) -> float:
        """The weight of means of late.

        It is the largest one, up to half, whose loss is no more than a standard error above the
        least, from the differences between series (the rule of one standard error: Breiman,
        Friedman, Olshen and Stone, "Classification and Regression Trees", 1984, section 3.4.3); or
        that of the least loss, if that is larger.
        """
        losses = np.zeros((len(_WEIGHTS), len(self._cases.codes)))
        for held in forecasts:
            used = self._used(held)
            for one, weight in enumerate(_WEIGHTS):
                found = self._losses(held, self._raw(held, recent=weight, follow=follow)) * used
                losses[one, held.rows] += found.sum(dim=1).double().numpy()
        best = losses.sum(axis=1).argmin()
        more = losses - losses[best]
        near = more.sum(axis=1) <= np.sqrt((more**2).sum(axis=1))
        return float(max(_WEIGHTS[best], _WEIGHTS[near & (_WEIGHTS <= _HALF)].max(initial=0)))

    def follow(self, forecasts: Iterable[Held]) -> float:
        """How far all series together go from their level of late to what the network says.

        That is the slope, in logarithms, of what came on what was said, over the periods held
        back, drawn towards a half by Bayes' rule: where movements are small beside their noise,
        the slope tells little.
        """
        late, said, came = np.zeros((3, self._cases.features.length))
        for held in forecasts:
            assert held.recent is not None
            at = held.origin + np.arange(held.target.shape[1])
            counted = held.recent.known * held.known
            mean = self._family.mean(held.raw, held.size)
            for sums, one in ((late, held.recent.mean), (said, mean), (came, held.target)):
                sums[at] += (counted * one).sum(dim=0).numpy()
        some = (late > 0) & (said > 0) & (came > 0)
        x, y = np.log(said[some] / late[some]), np.log(came[some] / late[some])
        slope = x @ y / max(x @ x, 1e-9)
        noise = (((y - slope * x) ** 2).sum() + _NOISE**2) / max(len(x), 1)
        doubt = noise / _SPREAD**2
        return float(np.clip((x @ y + doubt * _HALF) / (x @ x + doubt), 0, 1))

    def _raw(
        self, held: Held, trust: float = 1.0, recent: float = 0.0, follow: float = 1.0
    ) -> Tensor:
        """Raw outputs so far from the base, averaged with means of late."""
        raw = self._family.trusted(held.raw, trust)
        if held.recent is None:
            return raw
        return held.recent.averaged(self._family, raw, held.size, recent, follow)

    def trust(self, forecasts: Iterable[Held]) -> float:
        """How far to go from the base to what the network says.

        That is as far as errors surely fall, in units of the series: less two standard errors of
        their fall, from the differences between the periods forecast. Of absolute and of squared
        errors the more cautious counts: a network may gain on most days what it loses on the
        largest. Where nothing surely falls, the base is the forecast.
        """
        shape = (2, len(_TRUSTS), self._cases.features.length)
        falls = np.zeros(shape)  # of absolute and squared errors, by the period forecast
        for held in forecasts:
            base = self._errors(held, 0.0)
            at = held.origin + np.arange(base.shape[1])
            for one, trust in enumerate(_TRUSTS):
                falls[:, one, at] += base - self._errors(held, trust)
        surely = falls.sum(axis=2) - _SURELY * np.sqrt((falls**2).sum(axis=2))
        return min((0.0, *_TRUSTS)[np.append(0.0, kind).argmax()] for kind in surely)

    def _errors(self, held: Held, trust: float) -> Doubles:
        """Absolute and squared errors in units of the series, sums over them, shape (2, ahead)."""
        mean = self._family.mean(self._raw(held, trust), held.size)
        error = (mean - held.target).abs() / held.size.unit
        error = (error.clamp(max=WORST) * held.known).double()
        return np.asarray(torch.stack([error.sum(dim=0), (error**2).sum(dim=0)]))

    def calibration(
        self,
        forecasts: Iterable[Held],
        trust: float = 1.0,
        recent: float = 0.0,
        follow: float = 1.0,
    ) -> Calibration:
        """What its probabilities are worth, so far from the base and so near means of late."""
        horizon = self._cases.features.horizon
        pits, sizes, origins = [], [], []
        for held in forecasts:
            raw = self._raw(held, trust, recent, follow)
            upto = self._family.cdf(raw, held.size, held.target)
            if self._family.counts:
                below = self._family.cdf(raw, held.size, held.target - 1)
                upto = spread_over(below, upto, self._generator)
            pit = np.full((len(held.rows), horizon), np.nan)
            pit[:, : upto.shape[1]] = np.where(held.known.numpy(), upto, np.nan)
            pits.append(pit)
            sizes.append(held.size.level[:, 0].double().numpy())
            origins.append(np.full(len(pit), held.origin))
        return Calibration.of(*(np.concatenate(one) for one in (pits, sizes, origins)))

    def asked(self, network: ForecastNetwork, most: int = _MOST_CALIBRATED) -> Iterator[Held]:
        """Forecasts from each origin of about so many series in all."""
        features = self._cases.features
        for origin, rows in self._rows.items():
            some = rows[: max(1, most // len(self._rows))]
            ahead = min(features.horizon, features.length - origin)
            level = None  # of means of late; any of the parts tells it as well
            for part in np.array_split(some, -(-len(some) // _BATCH)):
                raw, size = ask([network], self._family, self._cases, part, origin, ahead)
                size = size.expand(-1, ahead)
                series, at = torch.from_numpy(part), torch.full((1, len(part)), origin)
                target, known = features.targets(series, at, torch.arange(ahead))
                recent = self._cases.recent(series, origin) if self._cases.recent else None
                if recent is not None:
                    if level is None:
                        level = recent.level_of(self._family.mean(raw, size))
                    recent = recent.at(level)
                yield Held(part, origin, raw, size, target[0], known[0], recent)


class Watch:
    """A report of training that notes when the network was best on what was held out.

    Args:
        network: which is trained, before the first step.
        held_out: to judge it by.
        report: told of progress in turn.
        margin: by how much a loss must be less than a later one to count.
    """

    def __init__(
        self, network: ForecastNetwork, held_out: HoldOut, report: Report, margin: float = 0.0
    ) -> None:
        self._margin = margin
        self._network, self._held_out, self._report = network, held_out, report
        self._checks = 0
        self._best = float("inf")
        self._state: dict[str, Tensor] = {}
        self.share = 1.0  # how far training went when the network was best
        self._check(0.0)

    def __call__(self, progress: Progress) -> None:
        """Take the loss now and then."""
        self._report(progress)
        done = (progress.epoch - 1 + progress.batch / progress.batches) / progress.epochs
        if self._checks < len(_CHECKS) and done >= _CHECKS[self._checks]:
            self._check(done)

    def _check(self, done: float) -> None:
        self._checks = sum(share <= done for share in _CHECKS)
        self._network.eval()
        loss = self._held_out.loss(self._network)
        self._network.train()
        if loss <= self._best + self._margin:  # not clearly worse: more was learned from the rest
            self.share = done
            self._state = {n: v.clone() for n, v in self._network.state_dict().items()}
        self._best = min(self._best, loss)

    def restore(self) -> None:
        """Bring back the weights of then."""
        if self.share < 1:
            self._network.load_state_dict(self._state)
