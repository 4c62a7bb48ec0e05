"""The default recipe: one network for all series, trained on every period of every series."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nestcast.data.keys import Keys
from nestcast.data.panel import Panel
from nestcast.model.cells import cells_like, is_grid, listed_pairs
from nestcast.model.families import likelihood
from nestcast.model.features import Features
from nestcast.model.groups import column
from nestcast.model.likelihood import Size
from nestcast.model.nameparts import with_name_parts
from nestcast.model.network import ForecastNetwork, NetworkConfig
from nestcast.model.population import with_series
from nestcast.model.schema import Schema, schema_of
from nestcast.recipes.base import Floats, Recipe
from nestcast.recipes.batches import batches_of_similar_length
from nestcast.training import Report, TrainingOptions, train

_CONTEXT = {"1d": 112, "1w": 104, "1mo": 60}  # longest sequence, in periods
_LARGEST_BATCH = 16_384  # series-steps
_FEWEST_UPDATES = 300
_MOST_EPOCHS = 20
_UNKNOWN_RATE = 0.02  # share of training series whose embedded values are hidden
_MOST_CELLS = 60_000_000  # of a grid that is trained on
_STEPS_AHEAD = 6  # periods ahead that one batch trains on


@dataclass(frozen=True)
class Settings:
    """What a fitted network needs to know besides its weights; all of it fits into JSON."""

    family: str
    context: int
    squared: bool
    schema: Schema
    network: NetworkConfig
    members: int


class GlobalNetwork(Recipe):
    """One network for all series: many-to-many training, a distribution at every step.

    Args:
        training_steps: series-periods seen in training; more takes longer.
        squared: whether squared errors count in units of the target, the same for every series.
    """

    name: ClassVar[str] = "global"

    def __init__(self, training_steps: int = 8_000_000, squared: bool = False) -> None:
        self.training_steps = training_steps
        self.squared = squared
        self._settings: Settings
        self._network: ForecastNetwork

    def fit(self, panel: Panel, asked: Keys, horizon: int, report: Report) -> None:
        """See `Recipe.fit`."""
        generator = np.random.default_rng(int(torch.randint(2**31, ()).item()))
        schema = schema_of(panel, horizon)
        panel = with_series(panel, asked)[0]
        weight = np.ones(len(panel), np.float32)
        named = None
        if is_grid(asked) and len(asked.names) == 2:
            most = max(_MOST_CELLS // max(len(panel.calendar), 1) - len(panel), 0)
            most = int(getattr(self, "unsold", 1) * most)
            pairs, share = listed_pairs(panel, most, generator)
            u = float(getattr(self, "rate", 1))
            if u < 1:
                k = np.flatnonzero(generator.random(len(pairs)) < u)
                pairs = pairs.take(k)
                share *= u
            panel = with_series(panel, pairs)[0]
            weight = np.append(weight, np.full(len(pairs), 1 / share, np.float32))
            named = torch.from_numpy(cells_like(asked, panel).asked)
        features = Features(panel, schema)
        family = "negative-binomial" if panel.is_count else "normal"
        one = torch.zeros(1, dtype=torch.int64)
        sizes = [
            features.past(one, one[None]).shape[-1],
            features.ahead(one, one[None], one).shape[-1],
        ]
        self._settings = Settings(
            family=family,
            context=_CONTEXT[panel.calendar.freq],
            squared=self.squared,
            schema=schema,
            network=NetworkConfig(
                *sizes,
                outputs=likelihood(family).parameters,
                vocabularies=tuple(map(len, schema.vocabularies.values())),
                cell=getattr(self, "cell", "nested"),
                hidden_size=int(getattr(self, "hidden", 48)),
                dropout=float(getattr(self, "drop", 0.2)),
            ),
            members=1,
        )
        self._build()
        self._train(panel, features, torch.from_numpy(weight), named, generator, report)

    def _build(self) -> None:
        settings = self._settings
        self._family = likelihood(settings.family)
        self._network = ForecastNetwork(settings.network)

    def _train(
        self,
        panel: Panel,
        features: Features,
        weight: Tensor,
        named: Tensor | None,
        generator: np.random.Generator,
        report: Report,
    ) -> None:
        settings = self._settings
        horizon = settings.schema.horizon
        lengths = features.length - features.start.numpy()
        lengths = np.minimum(lengths, settings.context)
        available = np.flatnonzero(lengths > 0)
        steps = int(lengths.sum())
        ahead_at_once = min(horizon, _STEPS_AHEAD)
        batch_steps = min(_LARGEST_BATCH // max(1, ahead_at_once // 2), max(1024, steps // 50))
        share = min(1.0, self.training_steps / max(steps, 1))
        epochs = min(_MOST_EPOCHS, max(1, round(self.training_steps / max(steps, 1))))
        updates = math.ceil(steps * share / batch_steps)
        epochs = max(epochs, math.ceil(_FEWEST_UPDATES / max(updates, 1)))
        codes = self._codes(panel)
        network, family = self._network, self._family
        power = float((panel.target[available[:: max(1, len(available) // 50_000)]] ** 2).mean())

        def sequences(rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
            """Series and the periods of their steps, a random stretch of each long history."""
            length = int(lengths[rows].max())
            start = features.start.numpy()[rows]
            slack = features.length - start - lengths[rows]
            first = start + generator.integers(0, slack + 1)
            periods = first + np.arange(length)[:, None]
            return torch.from_numpy(rows), torch.from_numpy(periods)

        def batches() -> list[NDArray[np.int64]]:
            rows = generator.permutation(available)[: math.ceil(len(available) * share)]
            return batches_of_similar_length(rows, lengths, batch_steps, generator)

        def loss(rows: NDArray[np.int64]) -> Tensor:
            series, periods = sequences(rows)
            ahead = np.sort(generator.permutation(horizon - 1)[: ahead_at_once - 1] + 1)
            wanted = torch.from_numpy(np.append(0, ahead))
            target, known = features.targets(series, periods, wanted)
            if named is not None:
                at = (periods[..., None] + wanted).clamp(max=features.length - 1)
                known = known & named[series[:, None], at]
            used = known * weight[series, None]
            at = periods.clamp(max=features.length)
            hidden = torch.rand(len(rows), 1) < _UNKNOWN_RATE
            raw = network(
                features.past(series, at),
                features.ahead(series, at, wanted),
                codes[series].masked_fill(hidden, 0),
            )
            size = self._size(features, series, at)
            # (steps, batch, periods ahead)
            log_prob = family.log_prob(raw, size, target)
            total = used.sum().clamp(min=1)
            value = -(log_prob * used).sum() / total
            if settings.squared:
                error = (family.mean(raw, size) - target) ** 2
                value = (
                    value + float(getattr(self, "mse", 1)) * (error * used).sum() / total / power
                )
            return value

        sample = generator.permutation(available)[:4096]
        if len(sample):
            series, periods = sequences(sample)
            inside = periods < features.length
            at = periods.clamp(max=features.length)
            ahead = features.ahead(series, at, torch.arange(horizon))[inside].flatten(0, 1)
            network.standardise(features.past(series, at)[inside], ahead)
        network.train()
        train(network.parameters(), batches, loss, TrainingOptions(epochs=epochs), report)
        network.eval()

    def _size(self, features: Features, series: Tensor, periods: Tensor) -> Size:
        """The size of each series at each step, shape (steps, batch, 1)."""
        level = features.scale(series, periods)[..., None]
        if not self._settings.squared:
            return Size(level, level)
        unit = 3 * self._settings.schema.typical
        return Size(level, torch.full_like(level, unit))

    def predict(
        self, panel: Panel, asked: Keys, horizon: int, probabilities: Sequence[float]
    ) -> tuple[Floats, Floats]:
        """See `Recipe.predict`."""
        settings = self._settings
        panel, rows = with_series(panel, asked)
        features = Features(panel, settings.schema)
        codes = self._codes(panel)
        mean = np.empty((len(rows), horizon), dtype=np.float32)
        quantiles = np.empty((len(rows), horizon, len(probabilities)), dtype=np.float32)
        steps = np.minimum(features.length - features.start.numpy() + 1, settings.context)
        wanted = torch.arange(horizon)
        for part in batches_of_similar_length(
            np.arange(len(rows)), steps[rows], _LARGEST_BATCH // max(1, horizon // 2)
        ):
            series, count = torch.from_numpy(rows[part]), torch.from_numpy(steps[rows[part]])
            ahead = torch.arange(int(count.max()))[:, None]
            periods = (features.length - count + 1 + ahead).clamp(max=features.length)
            with torch.no_grad():
                raw = self._network(
                    features.past(series, periods),
                    features.ahead(series, periods, wanted),
                    codes[series],
                    last=count - 1,
                )
                end = torch.full_like(series, features.length)
                size = self._size(features, series, end)
                mean[part] = self._family.mean(raw, size).numpy()
                quantiles[part] = self._family.quantile(raw, size, np.asarray(probabilities))
        return mean, quantiles

    def _codes(self, panel: Panel) -> Tensor:
        """Embedded values as positions in their vocabulary from 1, 0 where unknown."""
        panel = with_name_parts(panel)[0]
        codes = [
            _positions(column(panel, name), vocabulary) + 1
            for name, vocabulary in self._settings.schema.vocabularies.items()
        ]
        empty = np.zeros((len(panel), 0), dtype=np.int64)
        return torch.from_numpy(np.column_stack([empty, *codes]))

    def layers(self) -> list[tuple[str, str, int]]:
        """See `Recipe.layers`."""
        network, config = self._network, self._settings.network
        parts = [
            (f"Embedding({name})", f"({e.embedding_dim})", e)
            for name, e in zip(self._settings.schema.vocabularies, network.embeddings, strict=True)
        ]
        rows = [
            *parts,
            (
                f"NestedLSTM(depth={config.depth})",
                f"(steps, {config.hidden_size})",
                network.encoder,
            ),
            ("Head", f"(steps, {self._settings.schema.horizon}, {config.outputs})", network.head),
        ]
        return [(n, s, sum(p.numel() for p in m.parameters())) for n, s, m in rows]

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """See `Recipe.state`."""
        settings = {**asdict(self._settings), "schema": self._settings.schema.to_json()}
        return settings, dict(self._network.state_dict())

    @classmethod
    def restore(cls, settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        """See `Recipe.restore`."""
        recipe = cls()
        shape = {**settings["network"], "vocabularies": tuple(settings["network"]["vocabularies"])}
        schema = Schema.from_json(settings["schema"])
        recipe._settings = Settings(
            **{**settings, "network": NetworkConfig(**shape), "schema": schema}
        )
        recipe._build()
        recipe._network.load_state_dict(dict(tensors))
        recipe._network.eval()
        return recipe


def _positions(values: NDArray[Any], vocabulary: Sequence[Any]) -> NDArray[np.int64]:
    """Position of each value in the vocabulary, -1 where it is absent."""
    return Keys({"value": np.asarray(vocabulary)}).locate(Keys({"value": values}))
