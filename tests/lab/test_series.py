"""Cells compared as forecasters."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from nestcast.cli import main
from nestcast.data.simulate import simulate_sales
from nestcast.errors import DataError, ModelError, OptionError
from nestcast.evaluation.backtest import backtest
from nestcast.evaluation.bootstrap import Difference, Sums, differences
from nestcast.forecaster import Forecaster
from nestcast.lab import forecasting
from nestcast.lab.forecasting import CellModel, Plan
from nestcast.lab.series import SeriesComparison, fingerprint
from nestcast.lab.series_figure import differences as figure
from nestcast.lab.series_results import markdown, results, sentence
from nestcast.model.network import ForecastNetwork, NetworkConfig, as_large
from nestcast.model.recurrent import parameters
from nestcast.recipes.global_network import EFFORTS
from nestcast.recipes.learning import Budget, Effort
from tests.lab.test_comparison import without_clock
from tests.panels import store, weekly

CELLS = ["lstm:1", "nested:2", "nested-additive:2", "mlp"]


@pytest.fixture(autouse=True, scope="module")
def short():
    with pytest.MonkeyPatch.context() as patch:
        for name in ("quick", "standard"):
            patch.setitem(EFFORTS, name, Effort(3 if name == "standard" else 1, Budget(5000, 5)))
        yield


def small():
    return store(shops=3, items=8)


def comparison(folder, panel=None, **changes):
    usual = {"cells": CELLS[:2], "seeds": 1, "origins": 2, "step": 1, "plan": Plan()}
    return SeriesComparison(folder=folder, panel=panel or small(), **{**usual, **changes})


def run_all(made, tell=lambda *_: None):
    made.claim_folder()
    return results(made.run(tell), made.settings())


@pytest.fixture(scope="module")
def found(tmp_path_factory, short):
    return run_all(comparison(tmp_path_factory.mktemp("series") / "out", cells=CELLS, seeds=2))


@pytest.mark.parametrize(
    "sizes", [(5, 4, ()), (12, 9, (60,)), (30, 9, ()), (20, 14, (60, 84, 300))]
)
def test_networks_with_other_cells_are_as_large(sizes):
    past, ahead, vocabularies = sizes
    config = NetworkConfig(past=past, ahead=ahead, outputs=2, vocabularies=vocabularies)
    wanted = parameters(ForecastNetwork(config))
    for cell in [*CELLS, "lstm:2", "lstm:3", "gru:1", "nested:3", "nested:4", "nested-identity:2"]:
        network = ForecastNetwork(as_large(config, cell))
        assert parameters(network) == pytest.approx(wanted, rel=0.03), cell


def test_scores_are_those_of_a_backtest_of_the_forecaster(tmp_path, monkeypatch):
    """With the training seed known, one run is what anybody gets without the lab."""
    panel = small()
    monkeypatch.setattr(forecasting.zlib, "crc32", lambda _: 5)
    found = run_all(comparison(tmp_path / "out", panel, cells=["gru:1"], origins=1))

    class Own:
        def fit(self, known, asked, horizon, report=None):
            one = Forecaster(horizon, seed=5, effort="quick", cell="gru:1", members=1)
            self.forecaster = one.fit(known, asked)

        def predict(self, known, asked, horizon, level):
            return self.forecaster.predict(horizon, level, panel=known, pairs=asked)

    from nestcast.evaluation import Contender

    alone = backtest(panel, [Contender("own", lambda _: Own())], origins=1)
    for metric in ("rmse", "quantile-loss", "coverage-80"):
        assert found["cells"]["gru:1"][metric] == pytest.approx(alone.means(metric)["own"])


def test_one_network_whatever_the_effort():
    panel = small()
    model = CellModel("nested:2", 0, Plan("standard"))
    model.fit(panel, panel.keys, 1)
    assert len(model._forecaster.global_network.networks) == 1
    assert len(Forecaster(effort="standard").fit(panel).global_network.networks) == 3
    with pytest.raises(OptionError, match="members must be 1 or more"):
        Forecaster(members=0)


def test_resumed_equals_uninterrupted(tmp_path, found):
    panel, stopped = small(), tmp_path / "stopped"

    def stop(text, done):
        if done > 2.2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_all(comparison(stopped, panel), stop)
    assert len(list(stopped.rglob("*.npz"))) == 2
    trained = []
    again = run_all(comparison(stopped, panel), lambda text, _: trained.append(text))
    assert set(trained) == {"2023-06-01 lstm:1", "2023-06-01 nested:2"}
    uninterrupted = [run for run in found["runs"] if run["cell"] in CELLS[:2] and not run["seed"]]
    assert without_clock(again["runs"]) == without_clock(uninterrupted)


def test_finished_runs_serve_other_questions(tmp_path):
    panel, out = small(), tmp_path / "out"
    run_all(comparison(out, panel, origins=1))
    kept = {path: path.read_bytes() for path in out.rglob("*.npz")}
    found = run_all(comparison(out, panel, cells=["nested:2", "lstm", "mlp"], origins=2))
    assert list(found["cells"]) == ["nested:2", "lstm:1", "mlp"]
    assert all(one["reference"] == "nested:2" for one in found["differences"])
    assert len(list(out.rglob("*.npz"))) == 6
    assert all(path.read_bytes() == was for path, was in kept.items())


def test_trainings_differ_by_seed_and_by_origin_but_not_by_cell(monkeypatch):
    seeds = []

    class StopError(Exception):
        pass

    def caught(cell, seed, plan, report):
        seeds.append(seed)
        raise StopError

    monkeypatch.setattr(forecasting, "CellModel", caught)
    for cell in ("lstm:1", "mlp"):
        for seed in (0, 1):
            for end in (17, 18):
                with pytest.raises(StopError):
                    forecasting.score(small().until(end), cell, seed, Plan(), None)
    assert len(set(seeds[:4])) == 4
    assert seeds[:4] == seeds[4:]


def test_what_is_found_agrees_with_itself(found):
    assert found["origins"] == ["2023-05-01", "2023-06-01"]
    assert len(found["runs"]) == 4 * 2 * 2
    for cell, one in found["cells"].items():
        runs = [run for run in found["runs"] if run["cell"] == cell]
        assert one["rmse"] == pytest.approx(np.mean([run["rmse"] for run in runs]))
        assert np.mean(one["by_seed"]["rmse"]) == pytest.approx(one["rmse"])
        assert np.mean(one["by_origin"]["rmse"]) == pytest.approx(one["rmse"])
        assert one["processor_seconds"] > 0
        assert one["in_cell"] < one["parameters"]
    pairs = {(one["model"], one["reference"]) for one in found["differences"]}
    first = {(cell, "lstm:1") for cell in CELLS[1:]}
    assert pairs == first | {("nested-additive:2", "nested:2")}
    for one in found["differences"]:
        away = found["cells"][one["model"]][one["metric"]]
        away -= found["cells"][one["reference"]][one["metric"]]
        assert one["difference"] == pytest.approx(away)
        assert one["low"] <= one["high"]
        assert one["shown"] == (not one["low"] <= 0 <= one["high"])
        assert ("no difference shown" in one["sentence"]) == (not one["shown"])
        assert one["sentence"] in markdown(found)


def test_where_there_are_no_percentages():
    nothing = Difference("gru:1", "lstm:1", 0.1, 0.1, 0.05, 0.2, *[np.nan] * 3)
    said = "gru:1 is worse than lstm:1 in RMSE (+0.1000, 95% interval +0.0500 to +0.2000)"
    assert sentence(nothing, "rmse") == said


def test_the_figure_shows_every_interval(found):
    picture = figure(found)
    rmse, quantile_loss, seconds = picture.axes
    spans = [one for one in found["differences"] if one["reference"] == "lstm:1"]
    for axes, metric in ((rmse, "rmse"), (quantile_loss, "quantile-loss")):
        drawn = {tuple(np.round(line.get_xdata(), 9)) for line in axes.lines}
        for one in spans:
            if one["metric"] == metric:
                assert (round(one["percent_low"], 9), round(one["percent_high"], 9)) in drawn
        best = min(found["cells"], key=lambda cell: found["cells"][cell]["rmse"])
        assert rmse.get_yticklabels()[-1].get_text() == best
    assert len(seconds.patches) == 4


def test_weekly_series_that_are_no_counts(tmp_path):
    plan = Plan(horizon=2)
    found = run_all(comparison(tmp_path / "out", weekly(), plan=plan, origins=1))
    assert found["series"] == [5]
    assert all(np.isfinite(one["rmse"]) for one in found["cells"].values())


def test_periods_of_which_nothing_is_known_are_named(tmp_path):
    panel = weekly()
    target = panel.target.copy()
    target[:, -1] = np.nan
    made = comparison(tmp_path / "out", replace(panel, target=target), origins=1)
    with pytest.raises(DataError, match="nothing is known of what happened at 2024-02-23"):
        run_all(made)


def test_intervals_hold_what_another_training_would_change():
    """Two models that only luck tells apart: intervals of items alone would be sure of it."""
    rng = np.random.default_rng(0)
    items = np.arange(300)
    shown = {False: 0, True: 0}
    for trial in range(60):
        error = rng.random((300, 1)) + 0.5
        runs = [
            Sums(
                origin,
                model,
                items,
                np.hstack([error + rng.normal() / 20, np.ones((300, 1))]),
                seed,
            )
            for origin in range(2)
            for model in ("one", "two")
            for seed in range(3)
        ]
        for drawn in shown:
            _, two = differences(runs, "mae", "one", draws=300, seed=trial, draw_seeds=drawn)
            shown[drawn] += two.low > 0 or two.high < 0
    assert shown[False] > 50
    assert shown[True] < 12


def test_drawn_seeds_do_not_move_the_difference():
    rng = np.random.default_rng(1)
    runs = [
        Sums(0, model, np.arange(50), rng.random((50, 2)) + 0.5, seed)
        for model in ("one", "two")
        for seed in range(3)
    ]
    narrow, wide = (
        differences(runs, "rmse", "one", draw_seeds=drawn)[1] for drawn in (False, True)
    )
    assert wide.difference == narrow.difference
    assert wide.high - wide.low >= narrow.high - narrow.low


def test_a_fingerprint_is_of_all_that_may_be_learned_from():
    panel = store()
    assert fingerprint(store()) == fingerprint(panel)
    other = panel.target.copy()
    other[3, 7] += 1
    changes = [
        {"target": other},
        {"start": panel.start + 1},
        {"observed": {"price": panel.target}},
        {"attributes": {}},
        {"calendar": replace(panel.calendar, first=np.datetime64("2021-01-01"))},
    ]
    for change in changes:
        assert fingerprint(replace(panel, **change)) != fingerprint(panel), change


def test_another_comparison_in_the_folder_is_refused(tmp_path):
    out = tmp_path / "out"
    comparison(out).claim_folder()
    comparison(out, cells=["mlp"], seeds=7, origins=4).claim_folder()  # more of the same
    with pytest.raises(OptionError, match="horizon 1, not 2"):
        comparison(out, plan=Plan(horizon=2)).claim_folder()
    with pytest.raises(OptionError, match="on other data"):
        comparison(out, store(seed=3)).claim_folder()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").touch()
    with pytest.raises(OptionError, match="holds other things"):
        comparison(tmp_path / "full").claim_folder()


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 nothing"])
def test_a_damaged_run_is_named(tmp_path, damage):
    path = tmp_path / "run.npz"
    path.write_bytes(damage)
    with pytest.raises(DataError, match=r"run\.npz is damaged"):
        forecasting.read(path)


def test_reading_a_run_cannot_run_code(tmp_path):
    path = tmp_path / "run.npz"
    np.savez(path, date=np.array([print], dtype=object))
    with pytest.raises(DataError, match="is damaged"):
        forecasting.read(path)


def test_only_networks_can_be_looked_into():
    seed = Forecaster(recipe="seed")
    with pytest.raises(ModelError, match="call fit first"):
        _ = seed.global_network
    with pytest.raises(ModelError, match="fit global"):
        _ = seed.fit(store().take(slice(3))).global_network


def command(monkeypatch, *args):
    monkeypatch.setattr(sys, "argv", ["nestcast", "compare", "series", *map(str, args)])
    with pytest.raises(SystemExit) as stopped:
        main()
    return stopped.value.code


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sales")
    simulate_sales(folder / "sales", shops=2, items=30, months=12)
    return folder


SMALL = ["--cells", "lstm,mlp", "--seeds", "2", "--origins", "1", "--effort", "quick"]


def test_the_command_writes_everything(monkeypatch, capsys, folder):
    import matplotlib.image

    out = folder / "out"
    args = [folder / "sales", *SMALL, "--out", out, "--clip", "0,20", "--threads", "1"]
    assert command(monkeypatch, *args) in (0, None)
    done = capsys.readouterr()
    assert done.out == ""
    assert {path.name for path in out.iterdir()} == {
        "settings.json", "results.json", "table.md", "differences.png", "differences.svg", "runs",
    }  # fmt: skip
    found = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert found["settings"]["clip"] == [0, 20]
    for one in found["differences"]:
        assert one["sentence"] in (out / "table.md").read_text(encoding="utf-8")
        assert one["sentence"] in done.err.replace("\n", "")
    picture = matplotlib.image.imread(out / "differences.png")[..., :3]
    assert picture.std() > 0.05
    assert (out / "differences.svg").read_text(encoding="utf-8").count("<path") > 20
    before = (out / "results.json").read_bytes()
    assert command(monkeypatch, *args) in (0, None)
    assert (out / "results.json").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (["--cells", "lstm:1,nets:2"], "no cell is called 'nets:2'"),
        (["--cells", ","], "--cells names no cell"),
        (["--seeds", "0"], "--seeds must be 1 or more"),
        (["--origins", "0"], "1 or more for origins"),
        (["--origins", "40"], "ask for fewer origins"),
        (["--step", "0"], "1 or more for step"),
        (["--horizon", "0"], "1 or more for horizon"),
        (["--effort", "best"], "--effort is quick or standard"),
        (["--ask", "shown"], "--ask takes grid or known"),
        (["--clip", "20,0"], "--clip takes a low and a high end"),
        (["--clip", "20"], "--clip takes a low and a high end"),
        (["--cluster", "colour"], "colour"),
        (["--out", "missing/out"], "there is no folder"),
    ],
)
def test_bad_input_is_one_line(monkeypatch, capsys, folder, change, says):
    monkeypatch.chdir(folder)
    code = command(monkeypatch, "sales", *SMALL, "--out", "new", "--quiet", *change)
    error = capsys.readouterr().err
    assert code in (1, 2)
    assert error.startswith("nestcast: ")
    assert says in error
    assert error.count("\n") == 1
    assert not (folder / "new").exists()
