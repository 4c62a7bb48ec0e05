"""What a network consists of, in rows to show."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from nestcast.model.network import ForecastNetwork, NetworkConfig


def layers_of(
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
