"""Whatever path runs, it has the reference's signature and its results."""

from __future__ import annotations

import inspect

import torch

from nestcast import kernels
from nestcast.nn import kernel_info
from nestcast.nn.dispatch import run_layer
from nestcast.nn.reference import Level, nested_lstm


def test_the_signature_is_the_reference_s() -> None:
    assert inspect.signature(run_layer) == inspect.signature(nested_lstm)


def test_the_path_in_use_is_named() -> None:
    assert kernel_info().path == ("native" if kernels.choose() else "reference")
    assert kernel_info().description == kernels.describe(kernels.choose())


def test_every_argument_arrives() -> None:
    T, N, F, H, P, depth = 4, 3, 2, 5, 4, 2
    levels = [
        Level(torch.randn(4 * H, i), torch.randn(4 * H, p), torch.randn(4 * H))
        for i, p in ((F, P), (H, H))
    ]
    arguments = (torch.randn(T, N, F), torch.randn(N, P), torch.randn(depth, N, H), levels)
    options = {
        "weight_hr": torch.randn(P, H),
        "candidate": "identity",
        "lengths": torch.tensor([4, 1, 2]),
        "recurrent_mask": torch.rand(N, P),
    }
    for actual, expected in zip(
        run_layer(*arguments, **options), nested_lstm(*arguments, **options), strict=True
    ):
        torch.testing.assert_close(actual, expected)
