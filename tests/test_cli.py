"""The command as a user meets it: exit codes, stderr, stdout, files."""

import csv
import re
import subprocess
import sys

import numpy as np
import pytest

from nestcast import cli

PROGRAM = [sys.executable, "-m", "nestcast"]


@pytest.fixture
def store(tmp_path):
    """A folder in the raw layout: 3 shops, 8 items, 14 months of days, and pairs never sold."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "store"
    folder.mkdir()
    days = np.arange(np.datetime64("2013-01-01"), np.datetime64("2014-03-01"))
    rows = ["date,date_block_num,shop_id,item_id,item_price,item_cnt_day"]
    for day in days:
        month = (day.astype("M8[M]") - np.datetime64("2013-01")).astype(int)
        text = "{2}.{1}.{0}".format(*str(day).split("-"))
        rows += [
            f"{text},{month},{shop},{item},{99.5 + item},{rng.poisson(1 + item / 4)}.0"
            for shop in range(3)
            for item in range(8)
            if rng.random() < 0.5
        ]
    (folder / "sales_train.csv").write_text("\n".join(rows) + "\n")
    items = [f"Item {i} «Ж»,{i},{i % 2}" for i in range(10)]
    (folder / "items.csv").write_text("\n".join(["item_name,item_id,item_category_id", *items]))
    (folder / "item_categories.csv").write_text(
        "item_category_name,item_category_id\nGames,0\nMusic,1\n"
    )
    (folder / "shops.csv").write_text("shop_name,shop_id\nA,0\nB,1\nC,2\n")
    pairs = [
        f"{100 - n},{s},{i}" for n, (s, i) in enumerate((s, i) for s in (2, 0) for i in range(10))
    ]
    (folder / "test.csv").write_text("\n".join(["ID,shop_id,item_id", *pairs]) + "\n")
    return folder


@pytest.fixture
def run(monkeypatch, capsys, short_training):
    """Run the command in this process; gives exit code, stdout and stderr."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["nestcast", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        out, err = capsys.readouterr()
        return exit_.value.code or 0, out, err

    return call


def table(path):
    with open(path, newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize("recipe", ["global", "seed"])
def test_a_submission_answers_every_id_in_order(run, store, tmp_path, recipe):
    output = tmp_path / "submission.csv"
    code, out, err = run("forecast", store, "-o", output, "--recipe", recipe, "--clip", "0,20")
    assert (code, out) == (0, ""), err
    rows = table(output)
    assert list(rows[0]) == ["ID", "item_cnt_month"]
    assert [int(row["ID"]) for row in rows] == [100 - n for n in range(20)]
    assert all(0 <= float(row["item_cnt_month"]) <= 20 for row in rows)
    assert "epoch" in err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["store", "submission.csv"]


def test_the_seed_recipe_shows_its_layers(run, store, tmp_path):
    _, _, err = run("forecast", store, "-o", tmp_path / "s.csv", "--recipe", "seed")
    assert "19,680" in err
    assert "19,721" in err
    for epoch in range(1, 6):
        assert re.search(rf"epoch {epoch}/5.*loss \d", err)


def test_without_ids_the_table_has_keys_time_mean_and_intervals(run, store, tmp_path):
    (store / "test.csv").unlink()
    output = tmp_path / "forecast.csv"
    code, _, err = run("forecast", store, "-o", output, "--horizon", 2, "--level", "50,90")
    assert code == 0, err
    rows = table(output)
    assert list(rows[0]) == [
        "shop_id",
        "item_id",
        "date",
        "mean",
        "lo-50",
        "hi-50",
        "lo-90",
        "hi-90",
    ]
    assert len(rows) == 3 * 8 * 2
    assert {row["date"] for row in rows} == {"2014-03-01", "2014-04-01"}
    for row in rows:
        assert (
            float(row["lo-90"]) <= float(row["lo-50"]) <= float(row["hi-50"]) <= float(row["hi-90"])
        )


def test_results_go_to_stdout_when_no_file_is_named(run, store):
    code, out, err = run("forecast", store, "--recipe", "seed", "--quiet")
    assert code == 0
    assert out.startswith("ID,item_cnt_month\n")
    assert len(out.splitlines()) == 21
    assert err == ""


def test_a_saved_model_forecasts_the_same_without_training(run, store, tmp_path):
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    model = tmp_path / "model"
    assert run("forecast", store, "-o", first, "--save-model", model)[0] == 0
    code, _, err = run("forecast", store, "-o", second, "--model", model)
    assert code == 0, err
    assert "epoch" not in err
    assert first.read_bytes() == second.read_bytes()


def test_the_same_seed_gives_the_same_bytes(run, store, tmp_path):
    for name in ("1.csv", "2.csv"):
        assert run("forecast", store, "-o", tmp_path / name, "--seed", 7)[0] == 0
    assert run("forecast", store, "-o", tmp_path / "3.csv", "--seed", 8)[0] == 0
    one, two, three = (tmp_path.joinpath(f"{n}.csv").read_bytes() for n in (1, 2, 3))
    assert one == two != three


def test_any_table_is_read_by_naming_its_columns(run, tmp_path):
    days = np.arange(np.datetime64("2024-01-01"), np.datetime64("2024-04-01"))
    rows = [f"{d},{s},{i % 5}" for i, d in enumerate(days) for s in ("north", "south")]
    source = tmp_path / "any.csv"
    source.write_text("\n".join(["day,store,sold", *rows]))
    output = tmp_path / "out.parquet"
    code, _, err = run(
        "forecast", source, "-o", output, "--time", "day", "--series", "store", "--target", "sold",
        "--freq", "1d", "--horizon", 3,
    )  # fmt: skip
    assert code == 0, err
    import polars as pl

    frame = pl.read_parquet(output)
    assert frame.columns == ["store", "day", "mean", "lo-80", "hi-80", "lo-95", "hi-95"]
    assert frame["day"].unique().sort().cast(str).to_list() == [
        "2024-04-01",
        "2024-04-02",
        "2024-04-03",
    ]


def test_what_must_be_known_ahead_is_missed_before_training(run, tmp_path):
    rows = tmp_path / "rows.csv"
    lines = [f"2024-{1 + m:02}-01,{s},{m + s},{m % 2}" for m in range(12) for s in range(5)]
    rows.write_text("\n".join(["date,shop,sold,campaign", *lines]))
    columns = ("--series", "shop", "--target", "sold", "--time", "date", "--known", "campaign")
    code, _, err = run("forecast", rows, *columns, "--freq", "1mo", "-o", tmp_path / "forecast.csv")
    assert code != 0
    assert re.search(r"campaign is known ahead.*--future", err)
    assert "epoch" not in err
    assert not (tmp_path / "forecast.csv").exists()


def test_bad_rows_are_set_aside_and_counted(run, store, tmp_path):
    with (store / "sales_train.csv").open("a") as lines:
        lines.write("01.02.2014,13,1,1,10,many\n")
    code, _, err = run("forecast", store, "-o", tmp_path / "s.csv", "--recipe", "seed")
    assert code == 0, err
    assert "1 rejected" in err
    assert "many" in (tmp_path / "rejected.csv").read_text()


def test_a_simulated_chain_can_be_forecast(run, tmp_path):
    chain, output = tmp_path / "chain", tmp_path / "submission.csv"
    code, _, err = run("simulate", chain, "--shops", 3, "--items", 60, "--months", 14)
    assert code == 0, err
    assert "3 shops and 60 items over 14 months" in err
    assert run("forecast", chain, "-o", output, "-q")[::2] == (0, "")
    assert [row["ID"] for row in table(output)] == [row["ID"] for row in table(chain / "truth.csv")]


def test_the_demo_leaves_all_it_speaks_of_and_can_be_repeated(run, tmp_path):
    folder = tmp_path / "nestcast-demo"
    code, out, err = run("demo", folder)
    assert (code, out) == (0, ""), err
    for name in ("data", "forecast.csv", "model"):
        assert (folder / name).exists()
        assert name in err
    forecast, truth = table(folder / "forecast.csv"), table(folder / "data" / "truth.csv")
    assert len(forecast) == len(truth)
    error = {
        name: float(re.search(rf"{name} +(\d+\.\d+)", err)[1])
        for name in ("nestcast", "same as the last month", "nothing sold")
    }
    mean, sold = (
        np.clip([float(row[column]) for row in rows], 0, 20)
        for rows, column in ((forecast, "mean"), (truth, "item_cnt_month"))
    )
    assert error["nestcast"] == pytest.approx(np.sqrt(np.mean((mean - sold) ** 2)), abs=1e-3)
    assert error["nothing sold"] == pytest.approx(np.sqrt(np.mean(sold**2)), abs=1e-3)
    before = (folder / "forecast.csv").read_bytes()
    assert run("demo", folder, "-q") == (0, "", "")
    assert (folder / "forecast.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["forecast", "nowhere"], 1, "nowhere"),
        (["forecast", "STORE", "-o", "out.xlsx"], 2, r"\.csv, \.csv\.gz, \.parquet"),
        (["forecast", "STORE", "--clip", "20"], 2, "--clip takes"),
        (["forecast", "STORE", "--clip", "a,b"], 2, "--clip takes numbers"),
        (["forecast", "STORE", "--level", "80,x"], 2, "--level takes numbers"),
        (["forecast", "STORE", "--level", "180"], 2, "between 0 and 100"),
        (["forecast", "STORE", "--horizon", "0"], 2, "--horizon must be 1"),
        (["forecast", "STORE", "--horizon", "2"], 2, "one ID for each pair"),
        (["forecast", "STORE", "--recipe", "x"], 2, "global, ensemble, seed"),
        (["forecast", "STORE", "--preset", "x"], 2, "1c"),
        (["forecast", "STORE", "--freq", "1y"], 2, "1d, 1w, 1mo"),
        (["forecast", "STORE", "--threads", "0"], 2, "--threads"),
        (["forecast", "STORE", "--model", "nowhere"], 1, "no model in nowhere"),
        (["forecast", "STORE", "--model", "m", "--clip", "0,20"], 2, "--clip cannot be combined"),
        (["forecast", "STORE", "-o", "no/such/folder/out.csv"], 2, "cannot write"),
        (["forecast", "STORE", "--pairs", "none.csv"], 1, r"none\.csv"),
        (["forecast"], 2, "nestcast forecast --help"),
        (["forecast", "STORE", "--typo"], 2, "No such option"),
        (["forecast", "STORE", "--threads", "x"], 2, r"as an integer\. See nestcast forecast"),
        (["forcast"], 2, "nestcast --help"),
        (["simulate", "new", "--size", "x"], 2, "demo, small, full"),
        (["simulate", "STORE"], 2, "not empty: name another folder"),
        (["simulate", "no/such/folder"], 2, "cannot write"),
        (["demo", "STORE"], 2, "something other than a demo"),
    ],
)
def test_mistakes_end_in_one_line_on_stderr(
    run, store, tmp_path, monkeypatch, arguments, code, message
):
    monkeypatch.chdir(tmp_path)
    got, out, err = run(
        *[str(store) if a == "STORE" else a for a in arguments],
        *(["-q"] if len(arguments) > 1 else []),
    )
    assert got == code, err
    assert out == ""
    assert err.count("\n") == 1, err
    assert err.startswith("nestcast: ")
    assert re.search(message, err), err
    assert [p.name for p in tmp_path.iterdir()] == ["store"]


def test_the_bare_command_explains_itself(run):
    code, out, err = run()
    assert (code, err) == (0, "")
    assert out == run("--help")[1]
    assert "nestcast demo" in out


def test_help_and_version_are_quick_and_need_no_torch():
    for arguments in (["--help"], ["forecast", "--help"], ["--version"]):
        code = f"import sys; sys.argv = ['nestcast', *{arguments}]\n" + (
            "from nestcast import cli\n"
            "try: cli.main()\n"
            "except SystemExit as e: assert not e.code, e.code\n"
            "assert 'torch' not in sys.modules\n"
        )
        shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert shown.returncode == 0, shown.stderr
        assert shown.stderr == ""
        assert "nestcast" in shown.stdout


@pytest.mark.parametrize("moment", ["nestcast.training.torch.optim.AdamW.step", "duckdb.connect"])
def test_an_interrupt_leaves_nothing_half_written(run, store, tmp_path, monkeypatch, moment):
    output = tmp_path / "submission.csv"
    assert run("forecast", store, "-o", output)[0] == 0
    before = output.read_bytes()

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(moment, interrupt)
    code, out, err = run("forecast", store, "-o", output, "--seed", 9)
    assert (code, out) == (130, "")
    assert err.endswith("nestcast: interrupted; no file is half-written.\n")
    assert output.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["store", "submission.csv"]
