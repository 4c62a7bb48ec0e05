"""Sequences of unequal lengths: packed to padded and back, and reversed sample by sample."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence


def pad(packed: PackedSequence) -> tuple[Tensor, Tensor]:
    """The padded sequence (T, N, F) and the lengths (N,) on the CPU, both in the packed order.

    Packed order is from long to short, so a caller must sort initial states by
    `packed.sorted_indices` and final ones by `packed.unsorted_indices`.
    """
    return pad_packed_sequence(PackedSequence(packed.data, packed.batch_sizes))


def pack_like(padded: Tensor, lengths: Tensor, packed: PackedSequence) -> PackedSequence:
    """Pack a padded sequence (T, N, F) whose samples and lengths are those of `packed`."""
    data = pack_padded_sequence(padded, lengths).data
    return PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)


def reverse(sequence: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Reverse each sample in time, its valid steps only; the padding stays where it is.

    Example:
        >>> sequence = torch.tensor([[1, 1], [2, 2], [3, 0]]).unsqueeze(-1)
        >>> reverse(sequence, torch.tensor([3, 2])).squeeze(-1)
        tensor([[3, 2],
                [2, 1],
                [1, 0]])

    Args:
        sequence: shape (T, N, F).
        lengths: valid steps of each sample, shape (N,); all are if not given.
    """
    if lengths is None:
        return sequence.flip(0)
    step = torch.arange(len(sequence), device=sequence.device).unsqueeze(1)  # (T, 1)
    source = torch.where(step < lengths, lengths - 1 - step, step)  # (T, N)
    return sequence.gather(0, source.unsqueeze(-1).expand_as(sequence))
