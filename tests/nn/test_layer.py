"""NestedLSTM against torch.nn.LSTM at depth 1, and what must hold at every depth."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence

from nestcast.nn import NestedLSTM
from nestcast.nn.dispatch import run_layer

F64 = torch.float64
CONFIGURATIONS: list[dict[str, Any]] = [
    {},
    {"bias": False},
    {"num_layers": 3},
    {"bidirectional": True},
    {"proj_size": 2},
    {"num_layers": 2, "bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "proj_size": 3, "bias": False},
]
LENGTHS = [3, 6, 1, 6]


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-13)


def twins(**options: Any) -> tuple[nn.LSTM, NestedLSTM]:
    lstm = nn.LSTM(3, 5, dtype=F64, **options)
    ours = NestedLSTM(3, 5, depth=1, dtype=F64, **options)
    ours.load_state_dict(lstm.state_dict())
    return lstm, ours


def random_state(lstm: nn.LSTM, *batch: int) -> tuple[Tensor, Tensor]:
    total = lstm.num_layers * (1 + lstm.bidirectional)
    return tuple(
        torch.randn(total, *batch, size, dtype=F64, requires_grad=True)
        for size in (lstm.proj_size or lstm.hidden_size, lstm.hidden_size)
    )


def compare(lstm: nn.LSTM, ours: NestedLSTM, x: Any, leaf: Tensor, state: Any) -> None:
    """Outputs, states and every gradient, by name."""
    y_1, (h_1, c_1) = lstm(x, state)
    y_2, (h_2, c_2) = ours(x, state and (state[0], state[1].unsqueeze(0)))
    if isinstance(x, PackedSequence):
        assert torch.equal(y_1.batch_sizes, y_2.batch_sizes)
        assert y_1.sorted_indices is y_2.sorted_indices
        assert y_1.unsorted_indices is y_2.unsorted_indices
        y_1, y_2 = y_1.data, y_2.data
    assert y_1.shape == y_2.shape
    close(y_2, y_1)
    close(h_2, h_1)
    close(c_2.squeeze(0), c_1)

    weights = [torch.randn_like(part) for part in (y_1, h_1, c_1)]
    leaves = [leaf, *(state or ())]

    def gradients(module: nn.Module, *parts: Tensor) -> dict[str, Tensor]:
        loss = sum((w * part).sum() for w, part in zip(weights, parts, strict=True))
        named = dict(module.named_parameters())
        grads = torch.autograd.grad(loss, [*leaves, *named.values()], retain_graph=True)
        return dict(zip(["input", "h", "c"][: len(leaves)] + list(named), grads, strict=True))

    theirs = gradients(lstm, y_1, h_1, c_1)
    for name, gradient in gradients(ours, y_2, h_2, c_2.squeeze(0)).items():
        close(gradient, theirs[name])


@pytest.mark.parametrize("options", CONFIGURATIONS, ids=str)
@pytest.mark.parametrize("stateful", [False, True], ids=["zeros", "state"])
@pytest.mark.parametrize(
    "kind", ["time first", "batch first", "unbatched", "sorted", "unsorted", "packed lists"]
)
def test_depth_1_is_torch_lstm(options: dict[str, Any], stateful: bool, kind: str) -> None:
    lstm, ours = twins(**options, batch_first=kind in ("batch first", "unbatched"))
    N = len(LENGTHS)
    leaf = torch.randn(*((6,) if kind == "unbatched" else (6, N)), 3, dtype=F64, requires_grad=True)
    x: Any = leaf
    if kind == "batch first":
        x = leaf.transpose(0, 1)
    elif kind == "sorted":
        x = pack_padded_sequence(leaf, sorted(LENGTHS, reverse=True))
    elif kind == "unsorted":
        x = pack_padded_sequence(leaf, torch.tensor(LENGTHS), enforce_sorted=False)
    elif kind == "packed lists":
        parts = [leaf[:length, n] for n, length in enumerate(LENGTHS)]
        x = pack_sequence(parts, enforce_sorted=False)
    state = random_state(lstm, *(() if kind == "unbatched" else (N,))) if stateful else None
    compare(lstm, ours, x, leaf, state)


@settings(deadline=None, max_examples=20)
@given(
    sizes=st.tuples(*[st.integers(1, 5)] * 4),
    layers=st.integers(1, 3),
    bidirectional=st.booleans(),
    bias=st.booleans(),
    data=st.data(),
)
def test_depth_1_is_torch_lstm_in_any_shape(
    sizes: tuple[int, int, int, int], layers: int, bidirectional: bool, bias: bool, data: Any
) -> None:
    T, N, F, H = sizes
    options = {
        "num_layers": layers,
        "bidirectional": bidirectional,
        "bias": bias,
        "proj_size": data.draw(st.integers(0, H - 1)),
    }
    lstm = nn.LSTM(F, H, dtype=F64, **options)
    ours = NestedLSTM(F, H, depth=1, dtype=F64, **options)
    ours.load_state_dict(lstm.state_dict())
    leaf = torch.randn(T, N, F, dtype=F64, requires_grad=True)
    lengths = data.draw(st.none() | st.lists(st.integers(1, T), min_size=N, max_size=N))
    x = leaf if lengths is None else pack_padded_sequence(leaf, lengths, enforce_sorted=False)
    compare(lstm, ours, x, leaf, random_state(lstm, N))


@pytest.mark.parametrize("options", [{}, {"bidirectional": True}, {"batch_first": True}], ids=str)
def test_dropout_between_layers_draws_as_torch_lstm_does(options: dict[str, Any]) -> None:
    lstm, ours = twins(num_layers=3, dropout=0.5, **options)
    x = torch.randn(4, 2, 3, dtype=F64)
    torch.manual_seed(1)
    expected, _ = lstm(x)
    torch.manual_seed(1)
    close(ours(x)[0], expected)
    close(ours.eval()(x)[0], lstm.eval()(x)[0])


@settings(deadline=None, max_examples=20)
@given(
    sizes=st.tuples(*[st.integers(1, 4)] * 3),
    layers=st.integers(1, 2),
    depth=st.integers(1, 4),
    bidirectional=st.booleans(),
    candidate=st.sampled_from(["tanh", "identity"]),
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    projected=st.booleans(),
)
def test_each_packed_sample_comes_out_as_if_alone(
    sizes: tuple[int, int, int],
    layers: int,
    depth: int,
    bidirectional: bool,
    candidate: Any,
    lengths: list[int],
    projected: bool,
) -> None:
    F, H, _ = sizes
    layer = NestedLSTM(
        F,
        H + 1,
        layers,
        depth=depth,
        bidirectional=bidirectional,
        candidate=candidate,
        proj_size=H if projected else 0,
        dtype=F64,
    )
    samples = [torch.randn(length, F, dtype=F64) for length in lengths]
    output, (h, c) = layer(pack_sequence(samples, enforce_sorted=False))
    padded, _ = nn.utils.rnn.pad_packed_sequence(output)
    for n, sample in enumerate(samples):
        y, (h_1, c_1) = layer(sample)
        close(padded[: len(sample), n], y)
        close(h[:, n], h_1)
        close(c[:, :, n], c_1)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("batch_first", [False, True])
def test_chunks_with_carried_state_are_the_whole(depth: int, batch_first: bool) -> None:
    layer = NestedLSTM(
        3, 4, num_layers=2, depth=depth, proj_size=2, batch_first=batch_first, dtype=F64
    )
    x = torch.randn(2, 7, 3, dtype=F64) if batch_first else torch.randn(7, 2, 3, dtype=F64)
    time = 1 if batch_first else 0
    whole, (h, c) = layer(x)
    state, parts = None, []
    for chunk in x.split([3, 1, 3], dim=time):
        part, state = layer(chunk, state)
        parts.append(part)
    close(torch.cat(parts, dim=time), whole)
    close(state[0], h)
    close(state[1], c)


def test_the_last_output_is_h_and_the_outermost_cell_gives_it() -> None:
    layer = NestedLSTM(3, 4, depth=3)
    output, (h, c) = layer(torch.randn(5, 2, 3))
    assert torch.equal(output[-1], h[0])
    assert c.shape == (3, 1, 2, 4)
    assert (h[0].abs() <= c[0, 0].tanh().abs()).all()  # h = o * tanh(c), o below 1


def test_a_batch_of_no_samples_is_an_empty_result() -> None:
    lstm, ours = twins(num_layers=2, bidirectional=True)
    x = torch.zeros(4, 0, 3, dtype=F64)
    y_1, (h_1, c_1) = lstm(x)
    y_2, (h_2, c_2) = ours(x)
    assert (y_1.shape, h_1.shape, (1, *c_1.shape)) == (y_2.shape, h_2.shape, c_2.shape)


def test_recurrent_dropout_is_one_scaled_mask_for_all_steps() -> None:
    layer = NestedLSTM(3, 6, depth=2, recurrent_dropout=0.5, dtype=F64)
    plain = NestedLSTM(3, 6, depth=2, dtype=F64)
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(5, 4, 3, dtype=F64)
    torch.manual_seed(1)
    output, _ = layer(x)
    torch.manual_seed(1)
    mask = nn.functional.dropout(torch.ones(1, 4, 6, dtype=F64), 0.5)
    assert set(mask.unique().tolist()) == {0.0, 2.0}
    state, steps = None, []
    for step in x.split(1):
        y, state = plain(step, state and (state[0] * mask, state[1]))
        steps.append(y)
    close(output, torch.cat(steps))
    assert not torch.equal(layer(x)[0], output)  # another sequence, another mask
    close(layer.eval()(x)[0], plain(x)[0])


def test_recurrent_dropout_draws_for_every_layer_and_direction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    masks = []

    def record(*args: Any, recurrent_mask: Tensor, **kwargs: Any) -> Any:
        masks.append(tuple(recurrent_mask.flatten().tolist()))
        return run_layer(*args, recurrent_mask=recurrent_mask, **kwargs)

    monkeypatch.setattr("nestcast.nn.layer.run_layer", record)
    NestedLSTM(3, 32, 2, bidirectional=True, recurrent_dropout=0.5)(torch.randn(4, 2, 3))
    assert len(masks) == len(set(masks)) == 4


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize(
    ("short", "result"), [(torch.float16, torch.float16), (torch.bfloat16, torch.float32)]
)
def test_autocast_rounds_products_of_bfloat16_and_else_everything(
    depth: int, short: torch.dtype, result: torch.dtype
) -> None:
    layer = NestedLSTM(3, 4, depth=depth)
    x = torch.randn(5, 2, 3)
    full, _ = layer(x)
    with torch.autocast("cpu", dtype=short):
        y, (h, c) = layer(x)
        again, _ = layer(x.to(short), (h.to(short), c))  # as they come from other layers
    assert y.dtype == h.dtype == c.dtype == again.dtype == result
    torch.testing.assert_close(y.float(), full, rtol=0, atol=0.03)
    y.float().sum().backward()
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in layer.parameters())


def test_compute_dtype_is_shown_and_leaves_the_state_dict_alone() -> None:
    layer = NestedLSTM(3, 4, compute_dtype=torch.bfloat16)
    assert repr(layer) == "NestedLSTM(3, 4, depth=2, compute_dtype=torch.bfloat16)"
    assert layer.state_dict().keys() == NestedLSTM(3, 4).state_dict().keys()
    assert all(weight.dtype == torch.float32 for weight in layer.parameters())
    with pytest.raises(ValueError, match=r"should be None or torch.bfloat16, got: torch.float16"):
        NestedLSTM(3, 4, compute_dtype=torch.float16)


def test_autocast_to_bfloat16_is_compute_dtype() -> None:
    layer = NestedLSTM(3, 8, num_layers=2, proj_size=5)
    twin = NestedLSTM(3, 8, num_layers=2, proj_size=5, compute_dtype=torch.bfloat16)
    twin.load_state_dict(layer.state_dict())
    for N in (1, 20):
        x = torch.randn(7, N, 3)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(layer(x)[0], twin(x)[0])


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_to_moves_everything(dtype: torch.dtype) -> None:
    layer = NestedLSTM(3, 4, depth=2).to(dtype)
    output, (h, c) = layer(torch.randn(5, 2, 3, dtype=dtype))
    assert output.dtype == h.dtype == c.dtype == dtype
    assert NestedLSTM(3, 4, dtype=dtype).weight_hh_l0.dtype == dtype


def test_on_the_meta_device_shapes_come_out() -> None:
    layer = NestedLSTM(3, 4, device="meta")
    assert layer(torch.empty(5, 2, 3, device="meta"))[0].shape == (5, 2, 4)


def test_deepcopy_and_files_carry_the_layer(tmp_path: Any) -> None:
    layer = NestedLSTM(3, 4, num_layers=2, bidirectional=True, proj_size=2, depth=3)
    x = torch.randn(5, 2, 3)
    expected, _ = layer(x)
    twin = copy.deepcopy(layer)
    assert torch.equal(twin(x)[0], expected)
    assert twin.weight_ih_l0 is not layer.weight_ih_l0

    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other = NestedLSTM(3, 4, num_layers=2, bidirectional=True, proj_size=2, depth=3)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(x)[0], expected)


def test_it_prints_as_it_was_made() -> None:
    assert repr(NestedLSTM(3, 4)) == "NestedLSTM(3, 4, depth=2)"
    layer = NestedLSTM(
        3, 4, 2, False, True, 0.1, True, 2, depth=3, recurrent_dropout=0.2, candidate="identity"
    )
    assert repr(eval(repr(layer))) == repr(layer)


def test_code_written_for_torch_lstm_finds_what_it_calls() -> None:
    lstm, ours = twins(num_layers=2, bidirectional=True, proj_size=2)
    ours.flatten_parameters()
    assert [len(weights) for weights in ours.all_weights] == [4] * 4
    assert len(lstm.all_weights) == len(ours.all_weights)
    assert ours.all_weights[3][0] is ours.weight_ih_l1_reverse
    deep = NestedLSTM(3, 4, depth=2, bidirectional=True)
    assert deep.all_weights[1][3] is deep.weight_ih_l0_reverse_inner1
