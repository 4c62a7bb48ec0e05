"""Cutting series into batches of sequences of similar length."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


def batches_of_similar_length(
    rows: Rows, lengths: Rows, batch_steps: int, generator: np.random.Generator | None = None
) -> list[Rows]:
    """Cut rows into batches of about `batch_steps` steps, padded little.

    With a generator, rows are sorted by length only within chunks of some 60 batches, and the
    batches come in random order.

    Example:
        >>> batches_of_similar_length(np.arange(4), np.array([5, 1, 5, 1]), 7)
        [array([1, 3]), array([0, 2])]
    """
    sizes = lengths[rows]
    per_chunk = len(rows)
    if generator is not None:
        per_chunk = max(1, int(60 * batch_steps / max(sizes.mean(), 1)))

    def cut() -> Iterator[Rows]:
        for begin in range(0, len(rows), per_chunk):
            chunk = rows[begin : begin + per_chunk]
            chunk = chunk[np.argsort(lengths[chunk], kind="stable")]
            batch = np.cumsum(lengths[chunk]) // batch_steps
            yield from np.split(chunk, np.flatnonzero(np.diff(batch)) + 1)

    batches = [batch for batch in cut() if len(batch)]
    if generator is not None:
        generator.shuffle(batches)
    return batches


def in_random_order(rows: Rows, generator: np.random.Generator, items: Rows | None = None) -> Rows:
    """Rows in random order, those of an item next to each other.

    Example:
        >>> in_random_order(np.arange(4), np.random.default_rng(1), np.array([0, 1, 0, 1]))
        array([0, 2, 1, 3])

    Args:
        rows: series.
        generator: for the order.
        items: the item of every series, from 0; none are next to each other if not given.
    """
    if items is None:
        return generator.permutation(rows)
    order = generator.permutation(items.max(initial=-1) + 1)
    return rows[np.argsort(order[items[rows]], kind="stable")]
