"""Looking inside: what is shown is what happened."""

import json
import sys

import matplotlib.image
import numpy as np
import pytest
import torch

from nestcast.cli import main
from nestcast.errors import OptionError
from nestcast.lab.cells import Cell
from nestcast.lab.corpus import Vocabulary
from nestcast.lab.inside import autocorrelation, by_lag, influence, look, trace
from nestcast.lab.inside_figure import font_for, picture
from nestcast.lab.model import CharacterModel, Shape
from tests.lab.test_comparison import run_all
from tests.lab.texts import comparison

CELLS = [
    "lstm:1", "lstm:3", "nested:2", "nested:4", "gru:1", "gru:2", "nested-additive:2",
    "nested-identity:3",
]  # fmt: skip


def model(cell):
    torch.manual_seed(0)
    return CharacterModel(Shape(cell, 12, 6, 7, tied=True)).eval()


@pytest.mark.parametrize("name", CELLS)
def test_the_traced_cell_is_the_cell(name):
    torch.manual_seed(0)
    cell = Cell.named(name).build(5, 6)
    x = torch.randn(9, 5)
    traces, output = trace(cell, x)
    whole, state = cell(x.unsqueeze(1))
    torch.testing.assert_close(output, whole[:, 0], atol=1e-5, rtol=1e-5)
    last = torch.from_numpy(np.stack([one.memory[-1] for one in traces]))
    # c is (depth, layers, 1, H); in a GRU the state is (layers, 1, H)
    kept = state if isinstance(state, torch.Tensor) else state[1]
    torch.testing.assert_close(last, kept.reshape(-1, 6).detach(), atol=1e-5, rtol=1e-5)
    assert len({one.name for one in traces}) == len(traces)


def test_gates_explain_the_memory():
    """c = f c + i g in an LSTM, from what is shown alone."""
    (one,), _ = trace(Cell.named("lstm:1").build(5, 6), torch.randn(9, 5))
    before = np.vstack([np.zeros(6), one.memory[:-1]])
    again = one.gates["forget"] * before + one.gates["input"] * one.gates["candidate"]
    np.testing.assert_allclose(one.memory, again, atol=1e-6)


def test_autocorrelation_of_a_known_process():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(4, 3000, 3))
    for t in range(1, 3000):
        noise[:, t] += np.array([0.9, 0.0, -0.5]) * noise[:, t - 1]
    np.testing.assert_allclose(autocorrelation(noise), [0.9, 0, -0.5], atol=0.03)


def test_pairs_are_taken_within_a_line():
    lines = [np.full((5, 1), value) for value in (0.0, 1.0, 0.0, 1.0)]
    np.testing.assert_allclose(autocorrelation(lines), [1.0])
    assert np.isnan(autocorrelation([np.zeros((5, 1))])).all()


@pytest.mark.parametrize("cell", ["lstm:2", "nested:2", "gru:1"])
def test_influence_is_the_gradient(cell):
    reader = model(cell).double()
    numbers = torch.tensor([1, 4, 7, 2, 9, 3])
    found = influence(reader, numbers)
    assert found.shape == (5, 5)
    assert (np.triu(found, 1) == 0).all()
    assert (np.diagonal(found) > 0).all()
    embedded = reader.embedding(numbers[:-1]).detach()

    def log_probability(at, moved):
        logits, _ = reader.read(moved.unsqueeze(1))
        return logits[at, 0].log_softmax(0)[numbers[at + 1]].item()

    for at, read in ((4, 1), (3, 3)):
        gradient = []
        for unit in range(6):
            step = torch.zeros_like(embedded)
            step[read, unit] = 1e-5
            up, down = log_probability(at, embedded + step), log_probability(at, embedded - step)
            gradient.append((up - down) / 2e-5)
        assert found[at, read] == pytest.approx(np.linalg.norm(gradient), rel=1e-4)


def test_influence_by_lag():
    np.testing.assert_allclose(by_lag(np.tril(np.ones((4, 4)))), [1, 1, 1, 1])


@pytest.mark.parametrize("cell", ["gru:1", "nested:2"])
def test_picture_is_not_blank(tmp_path, cell):
    vocabulary = Vocabulary.of("abcdefghij")
    reader = model(cell)
    seen = look(reader, vocabulary, "abc\tdef", others=["abc", "ghijab"])
    path = tmp_path / "inside.png"
    figure = picture([seen])
    figure.savefig(path, dpi=60)
    image = matplotlib.image.imread(path)[..., :3]
    assert image.std() > 0.1
    heat = [axes for block in figure.subfigs for part in block.subfigs for axes in part.axes]
    maps = [axes for axes in heat if axes.images]
    gates = 4 if cell.startswith("gru") else 5
    assert len(maps) >= gates * len(seen.traces) + 1
    assert len(seen.sentences()) == len(seen.traces)


def test_a_font_is_found_only_where_it_has_the_characters():
    assert font_for("plain") == "DejaVu Sans"
    assert font_for("\U000f1234") is None  # for private use: no font should have it


@pytest.mark.parametrize("line", ["", "ab", "abc\ndef"])
def test_a_line_must_be_one_and_long_enough(line):
    with pytest.raises(OptionError, match="--line takes one line"):
        look(model("lstm:1"), Vocabulary.of("abcdefghij"), line)


def test_the_command(tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    found = run_all(comparison(out, seeds=1))
    (out / "results.json").write_text(json.dumps(found), encoding="utf-8")
    path = tmp_path / "inside.png"

    def command(*args):
        monkeypatch.setattr(sys, "argv", ["nestcast", "explain", str(out), *args])
        with pytest.raises(SystemExit) as stopped:
            main()
        return stopped.value.code

    ask = ["--line", "abc 花月", "-o", str(path)]
    assert command(*ask, "--cells", "nested:2") in (0, None)
    said = capsys.readouterr().err
    assert "nested:2, inner: mean lag-1 autocorrelation" in said
    assert path.stat().st_size > 20_000
    for change, says in (
        (["--cells", "gru:1"], "has no gru:1"),
        (["-o", str(tmp_path / "x.txt")], "end its name in .png"),
        (["--line", "a"], "--line takes one line"),
        (["--over", "missing.txt"], "cannot read missing.txt"),
        (["--font", str(out / "results.json")], "cannot read the font"),
    ):
        assert command(*ask, *change) in (1, 2)
        error = capsys.readouterr().err
        assert says in error
        assert error.count("\n") == 1
