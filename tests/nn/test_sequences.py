from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_sequence

from nestcast.nn.sequences import pack_like, pad, reverse

lengths = st.lists(st.integers(1, 6), min_size=1, max_size=5)


@settings(deadline=None, max_examples=50)
@given(lengths)
def test_reversing_turns_the_valid_part_and_leaves_the_padding(lengths: list[int]) -> None:
    T = max(lengths)
    x = torch.randn(T, len(lengths), 2)
    turned = reverse(x, torch.tensor(lengths))
    for n, length in enumerate(lengths):
        assert torch.equal(turned[:length, n], x[:length, n].flip(0))
        assert torch.equal(turned[length:, n], x[length:, n])
    assert torch.equal(reverse(turned, torch.tensor(lengths)), x)
    assert torch.equal(reverse(x), reverse(x, torch.tensor([T] * len(lengths))))


@settings(deadline=None, max_examples=50)
@given(lengths)
def test_padding_and_packing_is_a_round_trip(lengths: list[int]) -> None:
    packed = pack_sequence([torch.randn(n, 2) for n in lengths], enforce_sorted=False)
    padded, sizes = pad(packed)
    assert sizes.tolist() == sorted(lengths, reverse=True)
    again = pack_like(padded, sizes, packed)
    assert torch.equal(again.data, packed.data)
    assert again[1:] == packed[1:]
