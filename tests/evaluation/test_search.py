"""The search keeps what it tried, goes on from there, and loses nothing to the usual settings."""

import json

import numpy as np
import pytest

from nestcast import Forecaster, Keys, OptionError, Panel, Tuning, tune
from nestcast.cli import main
from nestcast.data import Calendar
from nestcast.evaluation import search


def panel(series=6, months=14):
    rng = np.random.default_rng(0)
    return Panel(
        Keys({"item_id": np.arange(series)}),
        Calendar("1mo", np.datetime64("2023-01-01"), months),
        rng.poisson(3, (series, months)).astype(np.float32),
        np.zeros(series, np.int32),
    )


@pytest.fixture
def tried(short_training):
    """Settings that were tried, and at how many periods known."""
    return []


@pytest.fixture(autouse=True)
def record(monkeypatch, tried):
    def backtest(known, contenders, **options):
        tried.append(len(known.calendar))
        return genuine(known, contenders, **options)

    genuine = search.backtest
    monkeypatch.setattr(search, "backtest", backtest)


def test_what_is_found_is_no_worse_than_what_is_usual():
    found = tune(panel(), trials=3, origins=2)
    assert found.trials == 3
    assert found.score <= found.usual


def test_a_search_that_was_stopped_goes_on(tmp_path, tried):
    study = tmp_path / "study.log"
    stop_at = 4

    def tell(_):
        if len(tried) == stop_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(panel(), trials=3, origins=2, study=study, tell=tell)
    before = len(tried)
    found = tune(panel(), trials=3, origins=2, study=study)
    assert found.trials == 3
    assert len(tried) - before <= 2  # one trial of two origins was left
    again = len(tried)
    assert tune(panel(), trials=3, origins=2, study=study) == found
    assert len(tried) == again


def test_a_search_stopped_in_its_first_trial_still_tries_what_is_usual(tmp_path, tried):
    def tell(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(panel(), trials=1, origins=1, study=tmp_path / "study", tell=tell)
    assert tune(panel(), trials=1, origins=1, study=tmp_path / "study").best == Tuning()


def test_origins_are_the_last_ones_and_the_earliest_comes_first(tried):
    tune(panel(), trials=1, origins=3, step=2, horizon=2)
    assert tried == [10, 12, 14]


def test_a_study_of_something_else_is_refused(tmp_path):
    study = tmp_path / "study.log"
    tune(panel(), trials=1, origins=1, study=study)
    with pytest.raises(OptionError, match="metric was 'rmse', is 'mae'"):
        tune(panel(), trials=1, origins=1, metric="mae", study=study)
    with pytest.raises(OptionError, match="other data"):
        tune(panel(series=5), trials=1, origins=1, study=study)
    (tmp_path / "text").write_text("no study\n")
    with pytest.raises(OptionError, match="is no study"):
        tune(panel(), trials=1, origins=1, study=tmp_path / "text")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "best"}, "unknown metric 'best'"),
        ({"trials": 0}, "1 trial or more"),
        ({"origins": 0}, "1 origin or more"),
        ({"origins": 12}, "14 periods are too few for 12 origins"),
        ({"effort": "none"}, "unknown effort"),
    ],
)
def test_mistakes_say_what_to_do(options, message):
    with pytest.raises(OptionError, match=message):
        tune(panel(), **{"trials": 1, **options})


def test_tuning_shapes_the_networks_and_is_saved_with_them(tmp_path):
    tuning = Tuning(cell="lstm:2", hidden_size=7, head_size=5, dropout=0.0, learning_rate=1e-3)
    tuning.write(tmp_path / "tuning.json", score=1.0)
    assert Tuning.read(tmp_path / "tuning.json") == tuning
    forecaster = Forecaster(effort="quick", tuning=tuning).fit(panel())
    assert ("LSTM(2 layers)", "(steps, 7)") in {row[:2] for row in forecaster.layers()}
    forecaster.save(tmp_path / "model")
    here, there = (
        f.predict(panel=panel()) for f in (forecaster, Forecaster.load(tmp_path / "model"))
    )
    np.testing.assert_array_equal(here.mean, there.mean)


def test_the_learning_rate_is_used():
    fitted = [
        Forecaster(effort="quick", tuning=Tuning(learning_rate=rate)).fit(panel())
        for rate in (1e-6, 1e-2)
    ]
    assert not np.allclose(*(one.predict(level=[80]).quantiles for one in fitted))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no result of nestcast tune"),
        ("[]", "no result of nestcast tune"),
        ('{"format": 1}', "no result of nestcast tune"),
        ('{"format": 2, "tuning": {}}', "newer nestcast"),
        ('{"format": 1, "tuning": {"size": 3}}', "has size, which no network has"),
        ('{"format": 1, "tuning": {"hidden_size": 2.5}}', "hidden_size must be a whole number"),
        ('{"format": 1, "tuning": {"dropout": "much"}}', "dropout must be a number"),
        ('{"format": 1, "tuning": {"dropout": NaN}}', "dropout must be from 0 to 0.95"),
        ('{"format": 1, "tuning": {"cell": "rnn"}}', "no cell is called 'rnn'"),
        ('{"format": 1, "tuning": {"cell": 7}}', "cell must be a name"),
    ],
)
def test_damaged_files_are_told_of(tmp_path, text, message):
    (tmp_path / "tuning.json").write_text(text)
    with pytest.raises(OptionError, match=message):
        Tuning.read(tmp_path / "tuning.json")


def test_a_missing_file_is_told_of(tmp_path):
    with pytest.raises(OptionError, match="cannot read"):
        Tuning.read(tmp_path / "none.json")


def test_two_cells_are_refused():
    with pytest.raises(OptionError, match="the tuning names a cell"):
        Forecaster(cell="gru", tuning=Tuning())


def test_the_command_writes_what_a_forecast_takes(tmp_path, monkeypatch, short_training):
    def run(*words):
        monkeypatch.setattr("sys.argv", ["nestcast", *words])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code

    rows = ["date,item_id,item_cnt_day"]
    for month in range(1, 13):
        rows += [f"{day:02}.{month:02}.2023,{item},{item}" for day in (3, 17) for item in (1, 2, 3)]
    (tmp_path / "sales.csv").write_text("\n".join(rows) + "\n")
    monkeypatch.chdir(tmp_path)
    short = ["--trials", "1", "--origins", "1", "-q", "--series", "item_id"]
    assert not run("tune", "sales.csv", *short, "--study", "s.log", "-o", "t.json")
    assert json.loads((tmp_path / "t.json").read_text())["trials"] == 1
    forecast = [
        "forecast",
        "sales.csv",
        "--tuning",
        "t.json",
        "-q",
        "--series",
        "item_id",
        "-o",
        "f.csv",
    ]
    assert not run(*forecast)
    assert len((tmp_path / "f.csv").read_text().splitlines()) == 4
    assert run(*forecast, "--cell", "gru") == 2
