"""The native kernel against the float64 oracle, on every instruction set that this CPU has."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from nestcast import kernels
from nestcast.nn import native
from nestcast.nn.reference import Candidate, Level, nested_lstm

INSTRUCTION_SETS = kernels.instruction_sets()

pytestmark = pytest.mark.skipif(not INSTRUCTION_SETS, reason="the native kernel was not built")


@pytest.fixture(params=INSTRUCTION_SETS or ["none"])
def instruction_set(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(native, "_name", request.param)
    return str(request.param)


@dataclass
class Case:
    """One layer's run: every tensor by name, and how it is to be run."""

    T: int
    N: int
    H: int
    depth: int = 2
    input_size: int = 3
    proj_size: int = 0
    bias: bool = True
    candidate: Candidate = "tanh"
    with_lengths: bool = False
    with_mask: bool = False
    scale: float = 1.0
    tensors: dict[str, Tensor] = field(init=False)

    def __post_init__(self) -> None:
        T, N, H, P = self.T, self.N, self.H, self.proj_size or self.H
        shapes = {
            "input": (T, N, self.input_size),
            "h": (N, P),
            "c": (self.depth, N, H),
        }
        for level in range(self.depth):
            shapes[f"weight_ih_{level}"] = (4 * H, H if level else self.input_size)
            shapes[f"weight_hh_{level}"] = (4 * H, H if level else P)
            if self.bias:
                shapes[f"bias_{level}"] = (4 * H,)
        if self.proj_size:
            shapes["weight_hr"] = (P, H)
        self.tensors = {
            name: torch.randn(shape) * self.scale * (H**-0.5 if name.startswith("weight") else 1)
            for name, shape in shapes.items()
        }
        self.lengths = torch.randint(0, T + 1, (N,)) if self.with_lengths else None
        self.mask = torch.randint(0, 2, (N, P)) * 2.0 if self.with_mask else None
        self.d_results = [torch.randn(T, N, P), torch.randn(N, P), torch.randn(self.depth, N, H)]

    def run(
        self, implementation=nested_lstm, dtype=torch.float32, compute_dtype=None
    ) -> dict[str, Tensor]:
        """Results and the gradients of every tensor, by name."""
        given = {
            name: tensor.detach().to(dtype).requires_grad_()
            for name, tensor in self.tensors.items()
        }
        levels = [
            Level(given[f"weight_ih_{k}"], given[f"weight_hh_{k}"], given.get(f"bias_{k}"))
            for k in range(self.depth)
        ]
        results = implementation(
            given["input"],
            given["h"],
            given["c"],
            levels,
            given.get("weight_hr"),
            candidate=self.candidate,
            lengths=self.lengths,
            recurrent_mask=None if self.mask is None else self.mask.to(dtype),
            compute_dtype=compute_dtype,
        )
        pairs = [
            (y, d.to(dtype))
            for y, d in zip(results, self.d_results, strict=True)
            if y.requires_grad
        ]
        gradients = torch.autograd.grad(
            [y for y, _ in pairs],
            list(given.values()),
            [d for _, d in pairs],
            allow_unused=True,
            materialize_grads=True,
        )
        return {
            **dict(zip(("output", "h_n", "c_n"), results, strict=True)),
            **{f"d_{name}": d for name, d in zip(given, gradients, strict=True)},
        }


def errors(actual: dict[str, Tensor], exact: dict[str, Tensor]) -> dict[str, float]:
    """The largest error of each tensor as a share of its largest value."""
    found = {}
    for name, wanted in exact.items():
        got = actual[name].detach().double()
        assert got.shape == wanted.shape, name
        if wanted.numel():
            error = (got - wanted).abs().max() / wanted.abs().max().clamp(min=1e-2)
            found[name] = error.item()
    return found


def assert_equals_the_oracle(case: Case) -> None:
    found = errors(case.run(native.nested_lstm), case.run(dtype=torch.float64))
    assert max(found.values()) < 1e-5, found


def assert_within_the_bounds_of_bfloat16(case: Case) -> None:
    """The bounds that docs/kernel.md states, without and with rounding in the oracle."""
    actual = case.run(native.nested_lstm, compute_dtype=torch.bfloat16)
    assert all(tensor.dtype == torch.float32 for tensor in actual.values())
    for compute_dtype, results, gradients in ((None, 0.03, 0.06), (torch.bfloat16, 0.01, 0.02)):
        exact = case.run(dtype=torch.float64, compute_dtype=compute_dtype)
        for name, error in errors(actual, exact).items():
            assert error < (gradients if name.startswith("d_") else results), (name, error)


SIZES = (1, 7, 33, 129)


# Every pair of batch and layer, and every number of steps.
FEW_SIZES = [(SIZES[k % 3], N, H) for k, (N, H) in enumerate(itertools.product(SIZES, SIZES))]
FEW_SIZES += [(129, 7, 33)]


@pytest.mark.parametrize(("T", "N", "H"), FEW_SIZES)
def test_every_size_equals_the_oracle(instruction_set: str, T: int, N: int, H: int) -> None:
    assert_equals_the_oracle(Case(T, N, H))


@pytest.mark.slow
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize(("T", "N", "H"), list(itertools.product(SIZES, SIZES, SIZES)))
def test_all_sizes_equal_the_oracle(
    instruction_set: str, T: int, N: int, H: int, depth: int
) -> None:
    assert_equals_the_oracle(Case(T, N, H, depth))


every_option = pytest.mark.parametrize(
    "options",
    [
        {},
        {"bias": False, "candidate": "identity"},
        {"with_lengths": True},
        {"with_mask": True},
        {"proj_size": 5, "input_size": 17},
        {"proj_size": 16, "with_lengths": True, "with_mask": True, "candidate": "identity"},
    ],
    ids=lambda options: "-".join(options) or "plain",
)


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 8])
@every_option
def test_every_option_equals_the_oracle(instruction_set: str, depth: int, options) -> None:
    assert_equals_the_oracle(Case(7, 35, 33, depth, **options))


@pytest.mark.parametrize("H", [300, 600])
def test_tiles_in_lockstep_equal_the_oracle(instruction_set: str, H: int) -> None:
    """Large weights, that several tiles share, with lengths that end in different tiles."""
    assert_equals_the_oracle(Case(3, 150, H, with_lengths=True, input_size=1))


@pytest.mark.parametrize("scale", [5.0, 30.0])
def test_large_magnitudes_lose_no_more_than_the_reference(
    instruction_set: str, scale: float
) -> None:
    """Gates far into saturation, where exp overflows if it is not kept from it."""
    case = Case(7, 33, 33, candidate="identity", scale=scale)
    case.tensors["c"] *= 1e3
    exact = case.run(dtype=torch.float64)
    actual, reference = errors(case.run(native.nested_lstm), exact), errors(case.run(), exact)
    assert max(actual.values()) < 4 * max(reference.values()), (actual, reference)


@pytest.mark.parametrize("logistic", [True, False], ids=["sigmoid", "tanh"])
def test_activations_are_exact_to_3e_7(instruction_set: str, logistic: bool) -> None:
    from nestcast.kernels import _native

    x = torch.cat([torch.linspace(-110, 110, 400_001), torch.logspace(-38, 38, 10_001)])
    x = torch.cat([x, -x])
    y = torch.empty_like(x)
    _native.activate(instruction_set, logistic, x, y)
    exact = (torch.sigmoid if logistic else torch.tanh)(x.double())
    assert (y.double() - exact).abs().max() < 3e-7
    assert y.abs().max() <= 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_arrives_where_the_oracle_has_it(
    instruction_set: str, value: float
) -> None:
    case = Case(5, 19, 7, depth=3)
    case.tensors["input"][2, 4, 1] = value
    case.tensors["c"][1, 17, 3] = value
    actual, expected = case.run(native.nested_lstm), case.run()
    for name in expected:
        if not name.startswith("d_"):  # gradients of an infinity may be 0 or no number
            torch.testing.assert_close(
                actual[name], expected[name], equal_nan=True, rtol=1e-4, atol=1e-5, msg=name
            )
        elif value != value:
            assert torch.equal(actual[name].isnan(), expected[name].isnan()), name


@pytest.mark.parametrize(("T", "N"), [(0, 3), (3, 0), (0, 0)])
def test_empty_sequences_and_batches(instruction_set: str, T: int, N: int) -> None:
    case = Case(T, N, 5)
    actual, expected = case.run(native.nested_lstm), case.run()
    for name, wanted in expected.items():
        assert torch.equal(actual[name], wanted), name


def test_views_of_any_strides_are_read_right(instruction_set: str) -> None:
    case = Case(7, 19, 9)
    expected = case.run(native.nested_lstm)
    for name, tensor in case.tensors.items():
        wide = torch.randn(*tensor.shape[:-1], 2 * tensor.shape[-1])
        wide[..., ::2] = tensor
        case.tensors[name] = wide[..., ::2]
    case.d_results[0] = case.d_results[0].transpose(0, 1).contiguous().transpose(0, 1)
    for name, actual in case.run(native.nested_lstm).items():
        assert torch.equal(actual, expected[name]), name
    case.tensors["input"] = case.tensors["input"].transpose(0, 1).contiguous().transpose(0, 1)
    assert torch.equal(case.run(native.nested_lstm)["output"], expected["output"])


def test_only_the_gradients_that_are_wanted(instruction_set: str) -> None:
    case = Case(4, 19, 9)
    everything = case.run(native.nested_lstm)
    t = {name: tensor.clone() for name, tensor in case.tensors.items()}
    levels = [Level(t[f"weight_ih_{k}"], t[f"weight_hh_{k}"], t[f"bias_{k}"]) for k in range(2)]
    levels[1].weight_hh.requires_grad_()
    results = native.nested_lstm(t["input"], t["h"], t["c"], levels)
    (gradient,) = torch.autograd.grad(results, [levels[1].weight_hh], case.d_results)
    assert torch.equal(gradient, everything["d_weight_hh_1"])


with_bfloat16 = pytest.mark.skipif(
    not native.multiplies(torch.bfloat16), reason="the kernel in use has no products of bfloat16"
)


@with_bfloat16
@pytest.mark.parametrize(("T", "N", "H"), FEW_SIZES)
def test_bfloat16_keeps_its_bounds_at_every_size(T: int, N: int, H: int) -> None:
    assert_within_the_bounds_of_bfloat16(Case(T, N, H))


@with_bfloat16
@pytest.mark.slow
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize(("T", "N", "H"), list(itertools.product(SIZES, SIZES, SIZES)))
def test_bfloat16_keeps_its_bounds_at_all_sizes(T: int, N: int, H: int, depth: int) -> None:
    assert_within_the_bounds_of_bfloat16(Case(T, N, H, depth))


@with_bfloat16
@pytest.mark.parametrize("depth", [1, 2, 3, 4, 8])
@every_option
def test_bfloat16_keeps_its_bounds_with_every_option(depth: int, options) -> None:
    assert_within_the_bounds_of_bfloat16(Case(7, 35, 33, depth, **options))


@with_bfloat16
@pytest.mark.parametrize("H", [300, 600])
def test_bfloat16_keeps_its_bounds_in_lockstep(H: int) -> None:
    assert_within_the_bounds_of_bfloat16(Case(3, 150, H, with_lengths=True, input_size=1))


@with_bfloat16
@pytest.mark.parametrize("H", SIZES)
def test_bfloat16_sums_in_float32(H: int) -> None:
    """In one step of one level all operands are given, so nothing is rounded another way."""
    case = Case(1, 33, H, depth=1)
    actual, exact = (
        case.run(implementation, dtype, torch.bfloat16)
        for implementation, dtype in (
            (native.nested_lstm, torch.float32),
            (nested_lstm, torch.float64),
        )
    )
    found = errors(actual, exact)
    assert max(found[name] for name in ("output", "h_n", "c_n", "d_c")) < 1e-5, found


@with_bfloat16
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_passes_through_bfloat16(value: float) -> None:
    case = Case(5, 19, 7, depth=3)
    case.tensors["input"][2, 4, 1] = value
    case.tensors["c"][1, 17, 3] = value
    actual = case.run(native.nested_lstm, compute_dtype=torch.bfloat16)
    expected = case.run(compute_dtype=torch.bfloat16)
    for name in ("output", "h_n", "c_n"):
        torch.testing.assert_close(
            actual[name], expected[name], equal_nan=True, rtol=0.05, atol=0.02, msg=name
        )
