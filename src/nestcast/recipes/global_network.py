"""The default recipe: networks for all series, trained on every period of every series."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from nestcast.data.covariates import check_known_ahead
from nestcast.data.keys import Keys, numbered
from nestcast.data.panel import Panel
from nestcast.errors import ModelError, OptionError
from nestcast.model.base import Base
from nestcast.model.calibration import Calibration
from nestcast.model.cells import learned_from
from nestcast.model.families import likelihood
from nestcast.model.features import Features
from nestcast.model.groups import column
from nestcast.model.likelihood import Size
from nestcast.model.nameparts import with_name_parts
from nestcast.model.network import ForecastNetwork, NetworkConfig, as_large, check_cell
from nestcast.model.population import with_series
from nestcast.model.schema import Schema, schema_of
from nestcast.recipes.base import Prediction
from nestcast.recipes.basing import learn_base
from nestcast.recipes.batches import batches_of_similar_length
from nestcast.recipes.holdout import HoldOut, Watch
from nestcast.recipes.learning import (
    Budget,
    Cases,
    Effort,
    Question,
    ask,
    question,
    stages,
    train_network,
)
from nestcast.recipes.networks import NetworkRecipe, embedded
from nestcast.recipes.tuning import Tuning
from nestcast.training import Report

# Longest sequence, in periods; whole histories of months were no better.
_CONTEXT = {"1d": 112, "1w": 104, "1mo": 12}
HELD = {"1d": 14, "1w": 4, "1mo": 2}  # periods on which intervals are calibrated, at least
_FEWEST_HELD = 1000  # series-periods on which they are: few series tell little in few periods
_HELD_OUT_STEPS = 4_000_000  # series-periods that the network without them sees, at most
_CLEARLY = 0.02  # nats per cell; losses on what is held back that differ less are not told apart
_LARGEST_BATCH = 16_384  # series-steps
_MOST_TIMES = 3  # as many members as the effort says, where each is trained for a shorter time
_ERRORS = 2.0  # errors of smoothing that one raw unit of a real value is
_DEVIATION = 1.25  # of noise whose mean absolute size is 1, about as in a normal distribution
_NOISE = (0.03, 1.0)  # what counts are taken to have, at least and at most
_ENOUGH = 4096  # series that tell how all of them move
_UNIT = 3.0  # typical targets that one raw unit is, where errors count in units of the target


EFFORTS = {
    "quick": Effort(1, Budget(2_500_000, 300)),
    "standard": Effort(2, Budget(18_000_000, 1500)),
    "best": Effort(6, Budget(18_000_000, 1500)),
}


@dataclass(frozen=True)
class Settings:
    """What fitted networks need to know besides their weights; all of it fits into JSON."""

    family: str
    context: int
    squared: bool
    members: int
    schema: Schema
    network: NetworkConfig
    calibration: Calibration
    base: Base | None = None
    trust: float = 1.0
    recent: float = 0.0
    follow: float = 1.0

    def to_json(self) -> dict[str, Any]:
        """What `from_json` takes."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The settings that were saved."""
        parts = {
            "schema": Schema.from_json(values["schema"]),
            "network": NetworkConfig.from_json(values["network"]),
            "calibration": Calibration.from_json(values["calibration"]),
            "base": Base.from_json(values["base"]) if values.get("base") else None,
        }
        return cls(**{**values, **parts})


class GlobalNetwork(NetworkRecipe):
    """Networks for all series: many-to-many training, a distribution at every step.

    Args:
        effort: `quick`, `standard` or `best`: how many networks, and how long each is trained.
        family: name of the likelihood; by default negative binomial for counts, else Student's t.
        cell: the encoder: `nested:2` (if not given), `lstm:1`, `gru:1`, with any number of levels
            or layers, or `mlp`; all of them are as large, by their number of parameters.
        squared: whether squared errors count in units of the target, the same for every series;
            else errors are relative to the size of a series.
        known_assortment: whether what is asked for is known to be all that will be sold.
        tuning: sizes and training options, the cell among them, if not the usual ones.
        members: networks whose forecasts are averaged, if not as many as the effort says, or up to
            three times as many where short trainings turn out to be enough.

    Raises:
        OptionError: no such effort, likelihood or cell, two cells, or no member.
    """

    name: ClassVar[str] = "global"
    settings_from_json = Settings.from_json
    _settings: Settings

    def __init__(
        self,
        effort: str = "standard",
        family: str | None = None,
        cell: str | None = None,
        squared: bool = False,
        known_assortment: bool = False,
        tuning: Tuning | None = None,
        members: int | None = None,
    ) -> None:
        if effort not in EFFORTS:
            raise OptionError(f"unknown effort {effort!r}: use one of {', '.join(EFFORTS)}.")
        if family is not None:
            likelihood(family)
        if members is not None and members < 1:
            raise OptionError(f"members must be 1 or more, not {members}.")
        self.effort = replace(EFFORTS[effort], members=members or EFFORTS[effort].members)
        self._may_add = members is None
        if tuning is not None and cell is not None:
            raise OptionError("the tuning names a cell: leave the other one out.")
        self._wanted_family, self._squared = family, squared
        self._cell, self._tuning = check_cell(cell or Tuning.cell), tuning
        self._known_assortment = known_assortment

    def fit(self, panel: Panel, asked: Keys, horizon: int, report: Report) -> None:
        """See `Recipe.fit`."""
        generator = np.random.default_rng(int(torch.randint(2**31, ()).item()))
        schema = schema_of(panel, horizon, known_assortment=self._known_assortment, asked=asked)
        panel, weights, cells = learned_from(panel, asked, generator)
        weight = torch.from_numpy(weights)
        named = None if cells is None else torch.from_numpy(cells)
        family = self._wanted_family or ("negative-binomial" if panel.is_count else "student-t")
        features = Features(panel, schema)
        past, ahead = features.sizes()
        config = NetworkConfig(
            past=past,
            ahead=ahead,
            outputs=likelihood(family).parameters,
            vocabularies=tuple(map(len, schema.vocabularies.values())),
        )
        tuning = self._tuning
        config = tuning.applied_to(config) if tuning else as_large(config, self._cell)
        self._settings = Settings(
            family=family,
            context=_CONTEXT[panel.calendar.freq],
            squared=self._squared,
            members=self.effort.members,
            schema=schema,
            network=config,
            calibration=Calibration(),
            base=Base() if schema.based else None,
        )
        self._build()
        cases = self._cases(panel, features, weight, named)
        budget = self._hold_out(cases, generator, next(stages(report, self.effort.members + 1)))
        self._add_members(budget, len(asked))
        self._learn_base(features, features.length, generator)
        reports = stages(report, len(self.networks) + 1)
        next(reports)
        items = numbered(panel.keys[schema.item])[1] if schema.by_shop else None
        kinds = cases, replace(cases, items=items)
        for number, network in enumerate(self.networks):
            self._train(network, kinds[number % 2], budget, generator, next(reports))

    def _build(self) -> None:
        super()._build()
        self._family = likelihood(self._settings.family)

    def _cases(
        self,
        panel: Panel,
        features: Features,
        weight: Tensor | None = None,
        named: Tensor | None = None,
    ) -> Cases:
        def size(series: Tensor, periods: Tensor, steps: Tensor) -> Size:
            settings = self._settings
            level = unit = scale = features.scale(series, periods)[..., None]  # (steps, batch, 1)
            noise: Tensor | float = 1.0
            if settings.base is not None:
                parts = features.simple(series, periods, steps)
                level = settings.base(parts, scale, steps / features.horizon)
                error = settings.base.wider(features.error(series, periods)[..., None], steps)
                unit = scale if self._family.counts else _ERRORS * error
                noise = (_DEVIATION * error / level.clamp(min=1e-6)).clamp(*_NOISE)
            if settings.squared:
                unit = torch.full_like(scale, _UNIT * settings.schema.typical)
            return Size(level, unit, noise)

        weight = torch.ones(len(panel)) if weight is None else weight
        small = self._settings.base is None and self._family.counts
        recent = features.recent if small else None
        context = self._settings.context
        return Cases(features, self._codes(panel), size, weight, named, context, recent)

    def _train(
        self,
        network: ForecastNetwork,
        cases: Cases,
        budget: Budget,
        generator: np.random.Generator,
        report: Report,
        until: int | None = None,
    ) -> None:
        train_network(
            network,
            self._family,
            cases,
            budget,
            generator,
            report,
            until=until,
            squared=self._settings.squared,
            tuning=self._tuning,
        )

    def _hold_out(self, cases: Cases, generator: np.random.Generator, report: Report) -> Budget:
        """Learn from a network that has not seen the last periods how long to train the others.

        What their probabilities are worth follows as well.
        """
        features, budget = cases.features, self.effort.budget
        horizon = self._settings.schema.horizon
        enough = math.ceil(_FEWEST_HELD / len(features.start))
        held = min(max(horizon, HELD[features.freq], enough), features.length // 4)
        until = features.length - held
        held_out = HoldOut(cases, self._family, until, self._settings.squared, generator)
        if len(held_out) == 0 or cases.sequences(until, generator).steps == 0:
            return budget
        assert isinstance(features, Features)
        self._learn_base(features, until, generator)
        network = ForecastNetwork(self._settings.network)
        watch = Watch(network, held_out, report, _CLEARLY)
        shorter = replace(budget, steps=min(budget.steps // 2, _HELD_OUT_STEPS))
        self._train(network, cases, shorter, generator, watch, until)
        watch.restore()
        forecasts = list(held_out.asked(network))
        trust = held_out.trust(forecasts) if self._settings.base is not None else 1.0
        # Months held back are of another season than the next one: they say little of its level.
        learned = cases.recent is not None and (horizon > 1 or features.freq != "1mo")
        follow = held_out.follow(forecasts) if learned else 1.0
        recent = held_out.recent(forecasts, follow) if cases.recent is not None else 0.0
        calibration = held_out.calibration(forecasts, trust, recent, follow)
        self._settings = replace(
            self._settings, trust=trust, recent=recent, follow=follow, calibration=calibration
        )
        usual = replace(budget, steps=2 * shorter.steps)
        cut = usual.part(watch.share)
        return budget if cut is usual else cut  # longer only where nothing got worse

    def _learn_base(self, features: Features, until: int, generator: np.random.Generator) -> None:
        """Weigh the simple forecasts by what happened before a period, where there is a base."""
        if self._settings.base is not None:
            self._settings = replace(self._settings, base=learn_base(features, until, generator))

    def _add_members(self, budget: Budget, asked: int) -> None:
        """Spend what short trainings save on more of them: few data make networks differ most.

        To ask them all may take as many steps as to train one.
        """
        if not self._may_add or budget.updates == 0:
            return
        whole, settings = self.effort.budget, self._settings
        times = min(round(whole.updates / budget.updates), _MOST_TIMES)
        affordable = whole.steps // max(1, asked * settings.context)
        more = min(settings.members * times, affordable) - settings.members
        if more > 0:
            self.networks += [ForecastNetwork(settings.network) for _ in range(more)]
            self._settings = replace(settings, members=settings.members + more)

    def predict(
        self,
        panel: Panel,
        asked: Keys,
        horizon: int,
        probabilities: Sequence[float],
        samples: int = 0,
    ) -> Prediction:
        """See `Recipe.predict`."""
        settings, family = self._settings, self._family
        _check_covariates(panel, settings.schema, horizon)
        count = len(panel)
        panel, at = with_series(panel, asked)
        features = Features(panel, settings.schema)
        cases = self._cases(panel, features)
        rows, position = numbered(at)  # pairs may be asked for twice
        mean = np.empty((len(rows), horizon), np.float32)
        quantiles = np.empty((len(rows), horizon, len(probabilities)), np.float32)
        paths = np.empty((len(rows), horizon, samples), np.float32)
        generator = np.random.default_rng(int(torch.randint(2**31, ()).item()))
        wanted = np.asarray(probabilities, np.float64)
        steps = np.clip(features.length - features.start.numpy()[rows] + 1, 1, settings.context)
        largest = _LARGEST_BATCH // max(1, horizon // 2)
        late = self._level_of_late(cases, count, horizon)
        for part in batches_of_similar_length(np.arange(len(rows)), steps, largest):
            raw, size = ask(self.networks, family, cases, rows[part], features.length, horizon)
            raw = family.trusted(raw, settings.trust)
            level = size.level[:, 0].double().numpy()
            size = size.expand(-1, horizon)
            if cases.recent is not None and settings.recent > 0:
                recent = cases.recent(torch.from_numpy(rows[part]), features.length).at(late)
                raw = recent.averaged(family, raw, size, settings.recent, settings.follow)
            mean[part] = family.mean(raw, size).numpy()
            levels = settings.calibration.probabilities(wanted, level)[:, None]
            quantiles[part] = family.quantile(raw, size, np.repeat(levels, horizon, axis=1))
            if samples:
                drawn = settings.calibration.uniforms(len(part), horizon, samples, generator)
                flat = settings.calibration.probabilities(drawn.reshape(len(part), -1), level)
                paths[part] = family.quantile(raw, size, flat.reshape(drawn.shape))
        return Prediction(mean[position], quantiles[position], paths[position] if samples else None)

    def _level_of_late(self, cases: Cases, count: int, horizon: int) -> Tensor:
        """What networks say of all, in means of late, from the first series, shape (horizon,)."""
        if cases.recent is None or self._settings.recent == 0 or count == 0:
            return torch.ones(horizon)
        some = np.linspace(0, count - 1, min(count, _ENOUGH)).astype(np.int64)
        raw, size = ask(self.networks, self._family, cases, some, cases.features.length, horizon)
        said = self._family.mean(raw, size.expand(-1, horizon))
        return cases.recent(torch.from_numpy(some), cases.features.length).level_of(said)

    def question(self, panel: Panel, asked: Keys, horizon: int) -> Question:
        """What the networks are given when they forecast some series, to look inside.

        Args:
            panel: what is known.
            asked: the series, each once.
            horizon: how many periods.
        """
        _check_covariates(panel, self._settings.schema, horizon)
        panel, at = with_series(panel, asked)
        features = Features(panel, self._settings.schema)
        with torch.no_grad():
            return question(self._cases(panel, features), at, features.length, horizon)

    def mean(self, raw: Tensor, size: Size) -> Tensor:
        """The mean that raw outputs stand for, whatever the trust, shape (batch, ahead)."""
        return self._family.mean(raw, size)

    @property
    def trust(self) -> float:
        """How far forecasts go from their base to what the networks say, from 0 to 1."""
        return self._settings.trust

    @property
    def recent(self) -> float:
        """The weight of means of late beside what the networks say, from 0 to 1."""
        return self._settings.recent

    def _codes(self, panel: Panel) -> Tensor:
        """Embedded values as positions in their vocabulary from 1, 0 where unknown."""
        panel = with_name_parts(panel)[0]
        vocabularies = self._settings.schema.vocabularies
        return embedded(panel, {name: column(panel, name) for name in vocabularies}, vocabularies)


def _check_covariates(panel: Panel, schema: Schema, horizon: int) -> None:
    """See that what the networks learned from is there.

    Raises:
        ModelError: a column is missing.
        DataError: one that is known ahead ends too early.
    """
    for name in schema.observed:
        if name not in panel.observed:
            raise ModelError(f"the model learned from {name}: give the column again.")
    for name in schema.known:
        if name not in panel.known:
            raise ModelError(f"the model learned from {name}: give the column again.")
    check_known_ahead(panel, horizon, schema.known)
