"""What recipes of networks share: networks that are alike, shown, saved and restored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nestcast.data.keys import Keys
from nestcast.data.panel import Panel
from nestcast.model.network import ForecastNetwork, NetworkConfig
from nestcast.recipes.base import Recipe


class _Schema(Protocol):
    @property
    def vocabularies(self) -> Mapping[str, Sequence[Any]]: ...
    @property
    def horizon(self) -> int: ...


class _Settings(Protocol):
    """What fitted networks need to know besides their weights."""

    @property
    def members(self) -> int: ...
    @property
    def network(self) -> NetworkConfig: ...
    @property
    def schema(self) -> _Schema: ...
    def to_json(self) -> dict[str, Any]: ...


class NetworkRecipe(Recipe):
    """A recipe that averages what several networks of the same shape say."""

    settings_from_json: ClassVar[Any]
    _settings: _Settings
    networks: list[ForecastNetwork]

    def _build(self) -> None:
        """Make the networks that the settings tell of; they have learned nothing."""
        settings = self._settings
        self.networks = [ForecastNetwork(settings.network) for _ in range(settings.members)]

    def layers(self) -> list[tuple[str, str, int]]:
        """See `Recipe.layers`."""
        schema = self._settings.schema
        return _layers(
            self.networks, self._settings.network, tuple(schema.vocabularies), schema.horizon
        )

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """See `Recipe.state`."""
        return self._settings.to_json(), dict(nn.ModuleList(self.networks).state_dict())

    @classmethod
    def restore(cls, settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        """See `Recipe.restore`."""
        recipe = cls()
        recipe._settings = cls.settings_from_json(settings)
        recipe._build()
        networks = nn.ModuleList(recipe.networks)
        networks.load_state_dict(dict(tensors))
        networks.eval()
        return recipe


def embedded(
    panel: Panel, columns: Mapping[str, NDArray[Any]], vocabularies: Mapping[str, Sequence[Any]]
) -> Tensor:
    """Values as positions in their vocabularies from 1, 0 where unknown, shape (series, columns).

    Args:
        panel: the series.
        columns: values of each series, by the column's name, shape (series,).
        vocabularies: the values that have an embedding, by the column's name.
    """
    codes = [
        Keys({"value": np.asarray(vocabulary)}).locate(Keys({"value": columns[name]})) + 1
        for name, vocabulary in vocabularies.items()
    ]
    none = np.zeros((len(panel), 0), np.int64)
    return torch.from_numpy(np.column_stack([none, *codes]))


def _layers(
    networks: Sequence[ForecastNetwork],
    config: NetworkConfig,
    vocabularies: Sequence[str],
    horizon: int,
) -> list[tuple[str, str, int]]:
    """Layer, output shape and number of parameters.

    Args:
        networks: alike.
        config: their shape.
        vocabularies: names of the embedded columns.
        horizon: periods ahead.
    """
    network = networks[0]
    kind, _, count = config.cell.partition(":")
    names = {"nested": f"NestedLSTM(depth={count})", "lstm": "LSTM", "gru": "GRU"}
    encoder = names.get(kind, config.cell)
    if kind in ("lstm", "gru") and count != "1":
        encoder += f"({count} layers)"
    parts: list[tuple[str, str, nn.Module]] = [
        (f"Embedding({name})", f"({embedding.embedding_dim})", embedding)
        for name, embedding in zip(vocabularies, network.embeddings, strict=True)
    ]
    parts += [
        (encoder, f"(steps, {config.hidden_size})", network.encoder),
        ("Head", f"(steps, {horizon}, {config.outputs})", network.head),
    ]
    rows = [(name, shape, sum(p.numel() for p in part.parameters())) for name, shape, part in parts]
    more = len(networks) - 1
    if more:
        rows.append((f"{more} more such networks", "", more * sum(count for *_, count in rows)))
    return rows
