"""Training runs: losses, memory, seeds, interruptions."""

import json
import math

import numpy as np
import pytest
import torch

from nestcast.errors import DataError, ModelError, OptionError
from nestcast.lab.bootstrap import differences
from nestcast.lab.comparison import Texts, score_also
from nestcast.lab.corpus import Corpus, Text, Vocabulary
from nestcast.lab.model import CharacterModel, Shape
from nestcast.lab.results import results
from nestcast.lab.runs import Run, Training, evaluate, mean_loss
from tests.lab.texts import comparison, lines, plan, sources


def quiet(_):
    pass


def without_clock(found):
    """Results but for what depends on the machine."""
    if isinstance(found, dict):
        return {
            name: without_clock(one)
            for name, one in found.items()
            if "seconds" not in name and name != "memory"
        }
    return [without_clock(one) for one in found] if isinstance(found, list) else found


def run_all(made, report=quiet):
    made.claim_folder()
    chosen = made.run(report)
    also = score_also(chosen, made.texts, made.plan.training, quiet)
    return results(chosen, made.texts, made.settings(), also)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("as_lines", [True, False])
def test_loss_of_a_uniform_model_is_log_v(tied, as_lines):
    text = lines(20)
    vocabulary = Vocabulary.of(text)
    model = CharacterModel(Shape("nested:2", len(vocabulary), 6, 7, tied))
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
    corpus = Corpus(Text("t", text), vocabulary, lines=as_lines)
    units = evaluate(model, corpus, batch=3, bptt=4)
    assert mean_loss(units) == pytest.approx(math.log(len(vocabulary)), rel=1e-6)
    assert units[:, 1].sum() == len(text)


def test_loss_does_not_depend_on_how_the_text_is_cut():
    text = lines(20)
    vocabulary = Vocabulary.of(text)
    torch.manual_seed(0)
    model = CharacterModel(Shape("gru:1", len(vocabulary), 6, 7, tied=True))
    lines_apart = Corpus(Text("t", text), vocabulary, lines=True)
    once = evaluate(model, lines_apart, batch=20, bptt=1000)
    often = evaluate(model, lines_apart, batch=3, bptt=2)
    np.testing.assert_allclose(once, often, rtol=1e-5)
    running = Corpus(Text("t", text), vocabulary, lines=False, unit=30)
    once = evaluate(model, running, batch=2, bptt=1000)
    often = evaluate(model, running, batch=2, bptt=7)  # the state is carried over
    np.testing.assert_allclose(once, often, rtol=1e-5)
    assert not np.allclose(once, evaluate(model, running, batch=1, bptt=1000))


@pytest.mark.parametrize("as_lines", [True, False])
def test_training_reads_as_evaluation_does(tmp_path, as_lines):
    """The state is carried from window to window in training too."""
    text = lines(20)
    vocabulary = Vocabulary.of(text)
    corpus = Corpus(Text("t", text), vocabulary, lines=as_lines, unit=30)
    shape = Shape("nested:2", len(vocabulary), 6, 7, tied=True)
    run = Run(shape, 0, 1e-30, Training(batch=2, bptt=4), tmp_path)
    run.train_epoch({"train": corpus, "valid": corpus, "test": corpus}, quiet)
    (epoch,) = run.history.epochs
    assert epoch.train == pytest.approx(epoch.losses["test"], rel=1e-5)


@pytest.mark.parametrize("cell", ["lstm:1", "nested:2", "nested:3", "gru:1"])
def test_a_tiny_corpus_is_memorised(tmp_path, cell):
    text = Text("t", "春眠不觉晓\n处处闻啼鸟\n夜来风雨声\n花落知多少\n")
    vocabulary = Vocabulary.of(text.text)
    corpus = Corpus(text, vocabulary, lines=True)
    training = Training(epochs=150, patience=150, batch=4)
    shape = Shape(cell, len(vocabulary), 16, 32, tied=True)
    run = Run(shape, 0, 0.02, training, tmp_path)
    for _ in range(training.epochs):
        run.train_epoch({"train": corpus, "valid": corpus, "test": corpus}, quiet)
    # The first character of a line cannot be known: log(4) nats in 6 characters.
    assert run.history.best_valid == pytest.approx(math.log(4) / 6, abs=0.02)


def test_resumed_equals_uninterrupted(tmp_path):
    whole = run_all(comparison(tmp_path / "whole"))
    made = comparison(tmp_path / "parts")
    for stop_after in (5, 30, 60, 100):
        calls = 0

        def interrupt(_):
            nonlocal calls
            calls += 1
            if calls > stop_after:  # noqa: B023
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_all(made, interrupt)
    assert without_clock(run_all(made)) == without_clock(whole)


def test_finished_runs_are_not_run_again_and_seeds_can_be_added(tmp_path):
    first = run_all(comparison(tmp_path / "out", seeds=1))
    seen = []
    again = run_all(comparison(tmp_path / "out", seeds=1), seen.append)
    assert seen == []
    assert again == first  # the clock too, since it is what was measured then
    more = run_all(comparison(tmp_path / "out", seeds=2), seen.append)
    assert {one.run.split(",")[0] for one in seen} == {"lstm:1 seed 1", "nested:2 seed 1"}
    assert more["cells"]["lstm:1"]["seeds"][0] == first["cells"]["lstm:1"]["seeds"][0]


def test_more_epochs_go_on_where_fewer_ended(tmp_path):
    longer = Training(epochs=4, batch=8, bptt=6)
    run_all(comparison(tmp_path / "grown", seeds=1))
    grown = run_all(comparison(tmp_path / "grown", seeds=1, training=longer))
    whole = run_all(comparison(tmp_path / "whole", seeds=1, training=longer))
    assert without_clock(grown) == without_clock(whole)


def test_the_same_seed_gives_the_same_numbers_and_another_others(tmp_path):
    one, two = (run_all(comparison(tmp_path / name)) for name in "ab")
    assert without_clock(one) == without_clock(two)
    a, b = one["cells"]["nested:2"]["test"]["seeds"]
    assert a != b


def test_all_cells_get_the_same_trials_and_rule(tmp_path):
    found = run_all(comparison(tmp_path / "out", parameters=100_000, hidden=None))
    for cell in found["cells"].values():
        assert [one["rate"] for one in cell["trials"]] == [0.003, 0.03]
        best = min(cell["trials"], key=lambda one: one["valid"])
        assert cell["rate"] == best["rate"]
        assert abs(cell["parameters"] - 100_000) <= 1000
        for run in cell["seeds"]:
            losses = [one["valid"]["nll"] for one in run["epochs"]]
            assert run["best_epoch"] == 1 + losses.index(min(losses))


def test_equal_hidden_sizes_on_request(tmp_path):
    found = run_all(comparison(tmp_path / "out", parameters=None, hidden=9, seeds=1))
    assert {one["hidden"] for one in found["cells"].values()} == {9}


def test_results_add_up(tmp_path):
    made = comparison(tmp_path / "out")
    made.texts.corpora["again"] = made.texts.corpora["test"]
    made.texts.sources["again"] = made.texts.sources["test"]
    found = run_all(made)
    for name, cell in found["cells"].items():
        at_best = [run["epochs"][run["best_epoch"] - 1]["test"] for run in cell["seeds"]]
        assert cell["test"]["nll"] == pytest.approx(np.mean([one["nll"] for one in at_best]))
        assert cell["test"]["spread"] == pytest.approx(
            np.std([one["nll"] for one in at_best], ddof=1)
        )
        for one in at_best:
            assert one["perplexity"] == pytest.approx(2 ** one["bits"])
        # The saved models give the losses that were measured while training.
        assert found["also"]["again"][name]["seeds"] == pytest.approx(cell["test"]["seeds"])
    (away,) = found["differences"]
    tests = {name: cell["test"]["nll"] for name, cell in found["cells"].items()}
    assert away["value"] == pytest.approx(tests["nested:2"] - tests["lstm:1"])
    assert away["low"] <= away["value"] <= away["high"]
    json.dumps(found, allow_nan=False)


def test_stopping_rule_and_halved_rates(tmp_path):
    text = Text("train", lines(10))
    other = Text("valid", "edcba\n" * 5)
    made = plan()
    texts = Texts.of({"train": text, "valid": other, "test": other}, made)
    training = Training(epochs=60, patience=2, batch=4)
    shape = Shape("lstm:1", len(texts.vocabulary), 8, 24, tied=True)
    run = Run(shape, 0, 0.03, training, tmp_path)
    while not run.over():
        run.train_epoch(texts.corpora, quiet)
    losses = [one.losses["valid"] for one in run.history.epochs]
    assert len(losses) < 60
    assert run.history.best == len(losses) - 2 == 1 + int(np.argmin(losses))
    for number, epoch in enumerate(run.history.epochs):
        worse = sum(loss >= min(losses[:k]) for k, loss in enumerate(losses[:number]) if k)
        assert epoch.rate == pytest.approx(0.03 * 0.5**worse)


def test_a_cell_that_diverges_says_so(tmp_path):
    made = comparison(tmp_path / "out", rates=(1e30, 1e35), cells=["gru:1"], seeds=1)
    with pytest.raises(ModelError, match="gru:1 diverged at every learning rate"):
        run_all(made)


def test_another_comparison_in_the_folder_is_refused(tmp_path):
    comparison(tmp_path / "out").claim_folder()
    with pytest.raises(OptionError, match=r"with min_count 2, not 3"):
        comparison(tmp_path / "out", min_count=3).claim_folder()
    with pytest.raises(OptionError, match=r"with epochs 3, not 2"):
        comparison(tmp_path / "out", training=Training(epochs=2, batch=8, bptt=6)).claim_folder()
    other = comparison(tmp_path / "out")
    other.texts.sources["test"] = Text("x", "other")
    with pytest.raises(OptionError, match="another text for --test"):
        other.claim_folder()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(OptionError, match="holds other things"):
        comparison(tmp_path / "mine").claim_folder()


def test_a_damaged_run_is_named(tmp_path):
    made = comparison(tmp_path / "out", seeds=1)
    run_all(made)
    state = next(tmp_path.glob("out/runs/lstm-1/*/state.safetensors"))
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(ModelError, match=r"cannot read .*state.safetensors"):
        run_all(made)


def test_too_rare_characters_are_refused():
    texts = sources()
    with pytest.raises(DataError, match="no character 1000 times"):
        Texts.of(texts, plan(min_count=1000))


def made_scores(rng, means, seeds=3, pieces=400, spread=0.0):
    hard = rng.gamma(4, 0.5, size=pieces)  # the same for all cells
    characters = np.full(pieces, 10.0)

    def units(mean):
        losses = hard + mean + spread * rng.normal() + rng.normal(0, 0.2, pieces)
        return np.stack([10 * losses, characters], axis=1)

    return {cell: [units(mean) for _ in range(seeds)] for cell, mean in means.items()}


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(5)
    held = [
        one.low <= 0.1 <= one.high
        for _ in range(120)
        for one in differences(
            made_scores(rng, {"a": 0.0, "b": 0.1}, seeds=5, pieces=100, spread=0.05), draws=400
        )
    ]
    assert 0.84 < np.mean(held) <= 1


def test_equal_cells_show_no_difference_and_unequal_ones_do():
    rng = np.random.default_rng(0)
    equal = differences(made_scores(rng, {"a": 0.0, "b": 0.0}))[0]
    assert not equal.shown
    assert "no difference shown" in str(equal)
    # Pairing makes a difference visible that is small against the spread of the lines.
    apart = differences(made_scores(rng, {"a": 0.0, "b": 0.05}))[0]
    assert apart.shown
    assert str(apart).startswith("b is worse than a")
