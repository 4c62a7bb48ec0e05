"""What a training sees: stretches of series, in batches of similar length."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Sequences:
    """One for each series, drawn anew whenever it is seen.

    Args:
        start, ends: the first period of each series and the one before which it ends, shape
            (series,).
        lengths: steps of its sequence, no more than there are periods; none to leave it out.
        generator: for what is drawn.
        items: the item of every series, from 0, to see all series of an item at once.
    """

    start: Rows
    ends: Rows
    lengths: Rows
    generator: np.random.Generator
    items: Rows | None = None

    @property
    def steps(self) -> int:
        """Of all sequences together."""
        return int(self.lengths.sum())

    def batches(self, batch_steps: int, share: float) -> list[Rows]:
        """Batches of so many steps of a share of the series; see `batches_of_similar_length`."""
        rows = in_random_order(self._available(), self.generator, self.items)
        rows = rows[: math.ceil(len(rows) * share)]
        return batches_of_similar_length(rows, self.lengths, batch_steps, self.generator)

    def sample(self, most: int) -> tuple[Tensor, Tensor]:
        """At most so many series and their periods, as `of` gives them."""
        return self.of(self.generator.permutation(self._available())[:most])

    def of(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """Some series and the periods of their steps, a random stretch of each long history.

        Returns:
            Shape (batch,) and (steps, batch); a shorter sequence goes on after its end.
        """
        start, lengths = self.start[rows], self.lengths[rows]
        slack = self.ends[rows] - start - lengths
        first = start + self.generator.integers(0, slack + 1)
        periods = first + np.arange(lengths.max())[:, None]
        return torch.from_numpy(rows), torch.from_numpy(periods)

    def _available(self) -> Rows:
        return np.flatnonzero(self.lengths > 0)


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
