"""`nestcast backtest` as a user meets it: tables, files, one-line errors."""

import csv
import json
import re
import shlex
import sys
from pathlib import Path

import pytest

from nestcast import cli
from nestcast.data.simulate import simulate_sales
from nestcast.evaluation import backtest
from nestcast.evaluation.segments import NEWNESS
from tests.panels import store

COLUMNS = ["origin", "model", "seed", "segment", "series", "metric", "value"]
QUICK = ("--models", "naive,zero,mean-3")


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chain") / "data"
    simulate_sales(folder, shops=3, items=60, months=16, seed=1)
    return folder


@pytest.fixture
def run(monkeypatch, capsys, tmp_path, short_training):
    """Run the command in this process and an empty folder; gives exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["nestcast", "backtest", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        out, err = capsys.readouterr()
        return exit_.value.code or 0, out, err

    return call


def table(path):
    with open(path, newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_scores_are_written_and_shown_best_first(run, chain, tmp_path):
    models = ("--models", "naive,zero,mean-3,seasonal-naive")
    code, out, err = run(chain, *models, "--origins", 3, "--clip", "0,20", "-o", "scores.csv")
    assert (code, out) == (0, ""), err
    rows = table(tmp_path / "scores.csv")
    assert list(rows[0]) == COLUMNS
    assert {row["origin"] for row in rows} == {"2014-02-01", "2014-03-01", "2014-04-01"}
    shown = re.findall(r"^ +(naive|zero|mean-3|seasonal-naive) +(\d\.\d{4})", err, re.M)[:4]
    assert [float(value) for _, value in shown] == sorted(float(value) for _, value in shown)
    for model, value in shown:
        values = [
            float(row["value"])
            for row in rows
            if (row["model"], row["segment"], row["metric"]) == (model, "all", "rmse")
        ]
        assert float(value) == pytest.approx(sum(values) / 3, abs=1e-4)
    assert "RMSE against" in err
    assert "pair" in err
    assert "…" not in err  # nothing is cut off at 80 columns
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]


def test_scores_go_to_stdout_when_no_file_is_named(run, chain, tmp_path):
    code, out, err = run(chain, *QUICK, "--origins", 1, "--quiet")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == ",".join(COLUMNS)
    assert list(tmp_path.iterdir()) == []


def test_all_models_run_side_by_side(run, chain, tmp_path):
    pytest.importorskip("lightgbm")
    pytest.importorskip("statsforecast")
    models = "nestcast,seed,zero,naive,seasonal-naive,mean-3,croston,sba,tsb,ets,lightgbm"
    code, _, err = run(
        chain, "--models", models, "--origins", 2, "--seeds", 2, "--no-refit", "-o", "s.json",
        "--forecasts", "f.csv", "--level", "80", "--threads", 1,
    )  # fmt: skip
    assert code == 0, err
    scores = json.loads((tmp_path / "s.json").read_text())["scores"]
    assert list(dict.fromkeys(row["model"] for row in scores)) == models.split(",")
    assert {row["seed"] for row in scores if row["model"] == "nestcast"} == {0, 1}
    rows = table(tmp_path / "f.csv")
    assert {"shop_id", "item_id", "mean", "lo-80", "hi-80", "actual"} <= set(rows[0])
    assert {row["model"] for row in rows} == set(models.split(","))


def test_series_of_a_file_or_those_known_can_be_asked_for(run, chain, tmp_path):
    series = {}
    for name, options in {
        "grid": ["--ask", "grid"],
        "known": ["--ask", "known"],
        "pairs": ["--pairs", chain / "test.csv"],
    }.items():
        code, out, err = run(chain, "--models", "zero", "--origins", 1, "-q", *options)
        assert code == 0, err
        series[name] = int(out.splitlines()[1].split(",")[4])
    assert len(set(series.values())) == 3
    assert series["pairs"] <= len(table(chain / "test.csv"))


def test_scores_without_some_series_are_given_too(run, chain):
    code, out, err = run(chain, *QUICK, "--origins", 1, "--without", "shop_id=1")
    assert code == 0, err
    rows = list(csv.DictReader(out.splitlines()))
    series = {row["segment"]: int(row["series"]) for row in rows}
    assert 0 < series["without shop_id=1"] < series["all"]
    assert "shop_id=1" in err


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_plot_is_drawn(run, chain, tmp_path, ending):
    pytest.importorskip("matplotlib")
    written = []
    for _ in range(2):
        code, _, err = run(
            chain, *QUICK, "--origins", 2, "-q", "-o", "s.csv", "--plot", f"p.{ending}"
        )
        assert code == 0, err
        written.append((tmp_path / f"p.{ending}").read_bytes())
    begin = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending]
    assert written[0].startswith(begin)
    if ending != "svg":  # whose ids are random
        assert written[0] == written[1]


def test_any_table_can_be_backtested(run, tmp_path):
    rows = [f"2024-{m:02}-01,{s},{(m * s) % 7 + 0.5}" for m in range(1, 13) for s in range(4)]
    (tmp_path / "any.csv").write_text("\n".join(["month,store,sold", *rows]))
    code, out, err = run(
        "any.csv", "--time", "month", "--series", "store", "--target", "sold", "--freq", "1mo",
        *QUICK, "--origins", 2, "--horizon", 3, "--step", 2, "-q",
    )  # fmt: skip
    assert code == 0, err
    assert {line.split(",")[0] for line in out.splitlines()[1:]} == {"2024-08-01", "2024-10-01"}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["CHAIN", "--models", "best"], 2, "unknown model 'best'"),
        (["CHAIN", "--models", ","], 2, "at least one model"),
        (["CHAIN", "--models", "zero,zero"], 2, "named twice"),
        (["CHAIN", "--models", "zero", "--origins", "40"], 2, "ask for fewer origins"),
        (["CHAIN", "--models", "zero", "--origins", "0"], 2, "1 or more for origins"),
        (["CHAIN", "--models", "seed", "--horizon", "2"], 2, "--horizon 1"),
        (["CHAIN", "--ask", "all"], 2, "--ask takes grid, known or shown"),
        (["CHAIN", "--ask", "grid", "--pairs", "x.csv"], 2, "--ask cannot be combined"),
        (["CHAIN", "--pairs", "none.csv"], 1, r"none\.csv"),
        (["CHAIN", "--level", "0"], 2, "between 0 and 100"),
        (["CHAIN", "--level", ","], 2, "--level needs"),
        (["CHAIN", "--clip", "20"], 2, "--clip takes"),
        (["CHAIN", "--clip", "20,0"], 2, "clip needs a low and a higher end"),
        (["CHAIN", "--seeds", "0"], 2, "1 seed or more"),
        (["CHAIN", "--models", "zero", "--cluster", "city"], 2, "shop_id, item_id"),
        (["CHAIN", "--without", "city=1"], 2, "--without takes a key column"),
        (["CHAIN", "--without", "shop_id"], 2, "--without takes a key column"),
        (["CHAIN", "--without", "shop_id=99"], 2, "no series has the shop_id 99"),
        (["CHAIN", "-o", "scores.xlsx"], 2, r"\.json, \.csv"),
        (["CHAIN", "-o", "no/such/folder/s.csv"], 2, "cannot write"),
        (["CHAIN", "--plot", "p.gif"], 2, r"\.png, \.svg"),
        (["CHAIN", "--forecasts", "f.json"], 2, r"\.csv, \.csv\.gz"),
        (["CHAIN", "--threads", "0"], 2, "--threads"),
        (["nowhere"], 1, "nowhere"),
    ],
)
def test_mistakes_end_in_one_line_on_stderr(run, chain, tmp_path, arguments, code, message):
    got, out, err = run(*[str(chain) if a == "CHAIN" else a for a in arguments], "-q")
    assert got == code, err
    assert out == ""
    assert err.count("\n") == 1, err
    assert err.startswith("nestcast: ")
    assert re.search(message, err), err
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_a_plot_says_what_to_install(run, chain, monkeypatch):
    monkeypatch.setattr("nestcast.evaluation.plots.find_spec", lambda _: None)
    code, _, err = run(chain, *QUICK, "--plot", "p.png")
    assert code == 2
    assert "nestcast[plots]" in err


DOCUMENT = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")


def test_the_documented_examples_run(run, chain, tmp_path):
    pytest.importorskip("matplotlib")
    command, python = (
        re.search(rf"^```{language}\n(.*?)^```", DOCUMENT, re.M | re.S)[1]
        for language in ("", "python")
    )
    (tmp_path / "my-data").symlink_to(chain)
    code, _, err = run(*shlex.split(command)[2:])
    assert code == 0, err
    assert (tmp_path / "backtest.png").exists()
    exec(python, {})


def test_every_metric_and_segment_is_documented():
    for segment in NEWNESS:
        assert f"`{segment}`" in DOCUMENT
    result = backtest(store(shops=2, items=3), ["zero"], origins=1, level=[80])
    for metric in result.metrics:
        assert f"`{metric}`" in DOCUMENT
