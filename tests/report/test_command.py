import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from nestcast import cli
from nestcast.data.simulate import simulate_sales
from nestcast.errors import DataError
from nestcast.evaluation import backtest
from nestcast.report import find_backtest, read_accuracy
from nestcast.report.payload import unpack
from tests.panels import store, weekly
from tests.report.test_page import Page


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "shop"
    simulate_sales(path, shops=3, items=60, months=16)
    return path


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["nestcast", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code or 0, capsys.readouterr().err


def read(path):
    return Page(path.read_text(encoding="utf-8"))


def test_a_forecast_and_its_page_agree(folder, tmp_path, monkeypatch, capsys, short_training):
    csv, page, model = tmp_path / "forecast.csv", tmp_path / "page.html", tmp_path / "model"
    pairs = tmp_path / "pairs.csv"
    test = np.genfromtxt(folder / "test.csv", delimiter=",", names=True, dtype=int)
    pairs.write_text(
        "shop_id,item_id\n"
        + "".join(f"{s},{i}\n" for s, i in zip(test["shop_id"], test["item_id"], strict=True))
    )
    code, said = run(
        monkeypatch, capsys, "forecast", folder, "-o", csv, "--pairs", pairs, "--report", page,
        "--save-model", model, "--horizon", 2,
    )  # fmt: skip
    assert code == 0, said
    assert f"report written to {page}" in said
    rows = np.genfromtxt(csv, delimiter=",", names=True, dtype=None, encoding="utf-8")
    data = unpack(read(page).scripts["data"])
    assert data["total"]["total"][0] == pytest.approx(rows["mean"].sum(), abs=0.02)

    # The same page from the saved model, and with what a backtest says.
    again, scores = tmp_path / "again.html", tmp_path / "scores.json"
    code, said = run(
        monkeypatch, capsys, "report", folder, "--model", model, "--pairs", pairs, "-o", again
    )
    assert code == 0, said
    assert "without a backtest" in said
    assert again.read_bytes() == page.read_bytes()
    code, said = run(
        monkeypatch, capsys, "backtest", folder, "--models", "naive,mean-3", "--origins", 2,
        "-o", scores,
    )  # fmt: skip
    assert code == 0, said
    code, said = run(
        monkeypatch, capsys, "report", folder, "--model", model, "--pairs", pairs, "-o", again,
        "--backtest", scores,
    )  # fmt: skip
    assert code == 0, said
    assert "without a backtest" not in said
    shown = "".join(read(again).text)
    assert "In the 2 months tried" in shown
    assert "mean of the last 3 months" in shown
    scores.rename(model / "backtest.json")
    run(monkeypatch, capsys, "report", folder, "--model", model, "--pairs", pairs, "-o", page)
    assert page.read_bytes() == again.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "page.pdf"], "end the name of page.pdf in .html"),
        (["-o", "nowhere/page.html"], "there is no folder"),
        (["--model", "m", "--clip", "0,20"], "--clip cannot be combined with --model"),
        (["--model", "missing"], "no model in missing"),
        (["--horizon", "0"], "--horizon must be 1 or more"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_read(
    folder, arguments, said, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    code, error = run(monkeypatch, capsys, "report", folder, *arguments)
    assert code in (1, 2)
    assert said in error
    assert len(error.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_without_the_charts_it_says_what_to_install(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("nestcast.report.parts.find_spec", lambda name: None)
    for command in (["report", "-o"], ["forecast", "--report"]):
        name, option = command
        code, error = run(monkeypatch, capsys, name, folder, option, tmp_path / "page.html")
        assert code == 2
        assert error.splitlines() == [
            "nestcast: the page needs vl-convert-python: pip install vl-convert-python"
        ]


def test_help_and_a_forecast_load_neither_charts_nor_templates():
    code = "import sys, nestcast.cli; sys.exit('vl_convert' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    panel = store(months=24)
    result = backtest(panel, ["naive", "mean-3", "zero"], origins=4)
    path = tmp_path_factory.mktemp("scores") / "backtest.json"
    result.write(path)
    return panel, result, path


def test_a_saved_backtest_gives_its_own_means(tried):
    panel, result, path = tried
    accuracy = read_accuracy(path, panel.calendar)
    assert accuracy.ours.mae == pytest.approx(result.means("mae")["naive"])
    assert {one.words: one.rmse for one in accuracy.others} == pytest.approx(
        {
            "mean of the last 3 months": result.means("rmse")["mean-3"],
            "nothing at all": result.means("rmse")["zero"],
        }
    )
    assert accuracy.coverage[80] == pytest.approx(100 * result.means("coverage-80")["naive"])
    assert accuracy.when == "the 4 months tried, September 2023 to December 2023"


def test_errors_of_the_total_are_those_of_the_sums(tried):
    panel = tried[0]
    result = backtest(panel, ["naive"], origins=4, keep_forecasts=True)
    truth = [float(np.nansum(run.actual)) for run in result.runs]
    guessed = [float(run.forecast.mean.sum()) for run in result.runs]
    expected = [g / t - 1 for g, t in zip(guessed, truth, strict=True)]
    accuracy = read_accuracy(tried[2], panel.calendar)
    assert accuracy.totals == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        lambda found: [],
        lambda found: found | {"origins": []},
        lambda found: found | {"models": ["other"]},
        lambda found: found | {"scores": [{"metric": "mae"}]},
        lambda found: found | {"origins": ["soon"]},
        lambda found: {},
    ],
)
def test_something_else_than_a_backtest_is_named(tried, tmp_path, change):
    panel, _, path = tried
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(DataError, match=r"wrong\.json is no saved backtest") as raised:
        read_accuracy(wrong, panel.calendar)
    assert "\n" not in str(raised.value)


def test_a_backtest_of_other_periods_is_refused(tried, tmp_path):
    _, _, path = tried
    with pytest.raises(DataError, match="backtest the same rows"):
        read_accuracy(path, store(months=20).calendar)
    with pytest.raises(DataError, match="no such file"):
        read_accuracy(tmp_path / "none.json", weekly().calendar)
    later = replace(store().calendar, first=np.datetime64("2030-01-01"))
    with pytest.raises(DataError, match="backtest the same rows"):
        read_accuracy(path, later)


def test_a_model_without_a_backtest_has_none(tmp_path):
    assert find_backtest(None, tmp_path) is None
    assert find_backtest(None, None) is None
    assert find_backtest(tmp_path / "given.json", tmp_path) == tmp_path / "given.json"
