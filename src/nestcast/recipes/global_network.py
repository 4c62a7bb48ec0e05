"""The default recipe: one network for all series, trained on every period of every series."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nestcast.data.keys import Keys
from nestcast.data.panel import Panel
from nestcast.model.features import Features
from nestcast.model.groups import Group, choose_embedded, choose_means, column
from nestcast.model.likelihood import likelihood
from nestcast.model.network import ForecastNetwork, NetworkConfig
from nestcast.model.population import from_listing, with_series
from nestcast.recipes.base import Floats, Recipe
from nestcast.training import Report, TrainingOptions, train

_CONTEXT = {"1d": 112, "1w": 104, "1mo": 60}  # longest sequence, in periods
_LARGEST_BATCH = 16_384  # series-steps
_FEWEST_UPDATES = 300
_MOST_EPOCHS = 20
_UNKNOWN_RATE = 0.02  # share of training series whose embedded values are hidden


@dataclass(frozen=True)
class Settings:
    """What a fitted network needs to know besides its weights; all of it fits into JSON."""

    family: str
    horizon: int
    context: int
    typical: float
    groups: list[list[str]]
    vocabularies: dict[str, list[Any]]
    network: NetworkConfig


class GlobalNetwork(Recipe):
    """One Nested LSTM for all series: many-to-many training, a distribution at every step.

    Args:
        training_steps: series-periods seen in training; more takes longer.
    """

    name: ClassVar[str] = "global"

    def __init__(self, training_steps: int = 8_000_000) -> None:
        self.training_steps = training_steps
        self._settings: Settings
        self._network: ForecastNetwork

    def fit(self, panel: Panel, asked: Keys, horizon: int, report: Report) -> None:
        """See `Recipe.fit`."""
        panel = from_listing(with_series(panel, asked)[0])
        embedded = choose_embedded(panel)
        groups = choose_means(panel)
        seen = panel.target[np.arange(len(panel.calendar)) >= panel.start[:, None]]
        seen = np.abs(seen[np.isfinite(seen)])
        typical = float(seen.mean(dtype=np.float64)) if len(seen) else 0.0
        features = Features(panel, groups, max(typical, 1e-3))
        vocabularies = {name: np.unique(column(panel, name)).tolist() for name in embedded}
        self._settings = Settings(
            family="negative-binomial" if panel.is_count else "normal",
            horizon=horizon,
            context=_CONTEXT[panel.calendar.freq],
            typical=max(typical, 1e-3),
            groups=[list(group) for group in groups],
            vocabularies=vocabularies,
            network=NetworkConfig(
                inputs=features.size, vocabularies=tuple(map(len, vocabularies.values()))
            ),
        )
        self._build()
        self._train(panel, features, report)

    def _build(self) -> None:
        settings = self._settings
        self._family = likelihood(settings.family)
        self._network = ForecastNetwork(settings.network, settings.horizon, self._family)

    def _train(self, panel: Panel, features: Features, report: Report) -> None:
        lengths = len(panel.calendar) - panel.start.astype(np.int64)
        lengths = np.minimum(lengths, self._settings.context)
        available = np.flatnonzero(lengths > 0)
        steps = int(lengths.sum())
        batch_steps = min(_LARGEST_BATCH, max(1024, steps // 50))
        share = min(1.0, self.training_steps / max(steps, 1))
        epochs = min(_MOST_EPOCHS, max(1, round(self.training_steps / max(steps, 1))))
        updates = math.ceil(steps * share / batch_steps)
        epochs = max(epochs, math.ceil(_FEWEST_UPDATES / max(updates, 1)))
        codes = self._codes(panel)
        generator = np.random.default_rng(int(torch.randint(2**31, ()).item()))
        network, family, horizon = self._network, self._family, self._settings.horizon

        def sequences(rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
            """Series and the periods of their steps, a random stretch of each long history."""
            length = int(lengths[rows].max())
            slack = len(panel.calendar) - panel.start[rows] - lengths[rows]
            first = panel.start[rows] + generator.integers(0, slack + 1)
            periods = first + np.arange(length)[:, None]
            return torch.from_numpy(rows), torch.from_numpy(periods)

        def batches() -> list[NDArray[np.int64]]:
            rows = generator.permutation(available)[: math.ceil(len(available) * share)]
            return _batches_of_similar_length(rows, lengths, batch_steps, generator)

        def loss(rows: NDArray[np.int64]) -> Tensor:
            series, periods = sequences(rows)
            target, known = features.targets(series, periods, horizon)
            at = periods.clamp(max=len(panel.calendar))
            hidden = torch.rand(len(rows), 1) < _UNKNOWN_RATE
            raw = network(features.inputs(series, at), codes[series].masked_fill(hidden, 0))
            scale = features.scale(series, at)[..., None].expand_as(target)
            log_prob = family.log_prob(raw, scale, target)
            return -torch.where(known, log_prob, 0.0).sum() / known.sum().clamp(min=1)

        sample = generator.permutation(available)[:4096]
        if len(sample):
            series, periods = sequences(sample)
            inside = periods < len(panel.calendar)
            at = periods.clamp(max=len(panel.calendar))
            network.standardise(features.inputs(series, at)[inside])
        network.train()
        train(network.parameters(), batches, loss, TrainingOptions(epochs=epochs), report)
        network.eval()

    def predict(
        self, panel: Panel, asked: Keys, horizon: int, probabilities: Sequence[float]
    ) -> tuple[Floats, Floats]:
        """See `Recipe.predict`."""
        settings = self._settings
        panel, rows = with_series(panel, asked)
        panel = from_listing(panel)
        groups: list[Group] = [tuple(group) for group in settings.groups]
        features = Features(panel, groups, settings.typical)
        codes = self._codes(panel)
        mean = np.empty((len(rows), horizon), dtype=np.float32)
        quantiles = np.empty((len(rows), horizon, len(probabilities)), dtype=np.float32)
        steps = np.minimum(features.length - panel.start + 1, settings.context).astype(np.int64)
        for part in _batches_of_similar_length(np.arange(len(rows)), steps[rows], _LARGEST_BATCH):
            series, count = torch.from_numpy(rows[part]), torch.from_numpy(steps[rows[part]])
            ahead = torch.arange(int(count.max()))[:, None]
            periods = (features.length - count + 1 + ahead).clamp(max=features.length)
            with torch.no_grad():
                inputs = features.inputs(series, periods)
                raw = self._network(inputs, codes[series], last=count - 1)[:, :horizon]
                scale = features.scale(series, torch.full_like(series, features.length))
                scale = scale[:, None].expand(-1, horizon)
                mean[part] = self._family.mean(raw, scale).numpy()
                quantiles[part] = self._family.quantile(raw, scale, probabilities)
        return mean, quantiles

    def _codes(self, panel: Panel) -> Tensor:
        """Embedded values as positions in their vocabulary from 1, 0 where unknown."""
        codes = [
            _positions(column(panel, name), vocabulary) + 1
            for name, vocabulary in self._settings.vocabularies.items()
        ]
        empty = np.zeros((len(panel), 0), dtype=np.int64)
        return torch.from_numpy(np.column_stack([empty, *codes]))

    def layers(self) -> list[tuple[str, str, int]]:
        """See `Recipe.layers`."""
        network = self._network
        config, (horizon, parameters) = self._settings.network, network.shape
        parts = [
            (f"Embedding({name})", f"({e.embedding_dim})", e)
            for name, e in zip(self._settings.vocabularies, network.embeddings, strict=True)
        ]
        rows = [
            *parts,
            (
                f"NestedLSTM(depth={config.depth})",
                f"(steps, {config.hidden_size})",
                network.encoder,
            ),
            ("Head", f"(steps, {horizon}, {parameters})", network.head),
            ("Skip", f"(steps, {horizon}, {parameters})", network.skip),
        ]
        return [(n, s, sum(p.numel() for p in m.parameters())) for n, s, m in rows]

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """See `Recipe.state`."""
        return asdict(self._settings), dict(self._network.state_dict())

    @classmethod
    def restore(cls, settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        """See `Recipe.restore`."""
        recipe = cls()
        shape = dict(settings["network"])
        shape["vocabularies"] = tuple(shape["vocabularies"])
        recipe._settings = Settings(**{**settings, "network": NetworkConfig(**shape)})
        recipe._build()
        recipe._network.load_state_dict(dict(tensors))
        recipe._network.eval()
        return recipe


def _batches_of_similar_length(
    rows: NDArray[np.int64],
    lengths: NDArray[np.int64],
    batch_steps: int,
    generator: np.random.Generator | None = None,
) -> list[NDArray[np.int64]]:
    """Cut rows into batches of about `batch_steps` steps, padded little.

    With a generator, rows are sorted by length only within chunks of some 60 batches, and the
    batches come in random order.
    """
    sizes = lengths[rows]
    per_chunk = len(rows)
    if generator is not None:
        per_chunk = max(1, int(60 * batch_steps / max(sizes.mean(), 1)))

    def cut() -> Iterator[NDArray[np.int64]]:
        for begin in range(0, len(rows), per_chunk):
            chunk = rows[begin : begin + per_chunk]
            chunk = chunk[np.argsort(lengths[chunk], kind="stable")]
            batch = np.cumsum(lengths[chunk]) // batch_steps
            yield from np.split(chunk, np.flatnonzero(np.diff(batch)) + 1)

    batches = [batch for batch in cut() if len(batch)]
    if generator is not None:
        generator.shuffle(batches)
    return batches


def _positions(values: NDArray[Any], vocabulary: Sequence[Any]) -> NDArray[np.int64]:
    """Position of each value in the vocabulary, -1 where it is absent."""
    return Keys({"value": np.asarray(vocabulary)}).locate(Keys({"value": values}))
