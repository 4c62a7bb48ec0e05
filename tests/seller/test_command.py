"""nestcast rank, and the page with stock."""

import csv
import subprocess
import sys

import numpy as np
import pytest

from nestcast import cli
from nestcast.commands.ranking import _show
from nestcast.commands.selling import advice_of
from nestcast.console import Messages
from nestcast.data.simulate import simulate_sales
from nestcast.report import write_report
from nestcast.report.payload import unpack
from nestcast.seller import Stock, rank
from tests.report.forecasts import HOSTILE, guess, named_store
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
    said = capsys.readouterr()
    return ended.value.code or 0, said.out, said.err


def rows_of(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_rank_prints_the_top_and_writes_the_whole(
    folder, tmp_path, monkeypatch, capsys, short_training
):
    whole, days, model = tmp_path / "rank.csv", tmp_path / "days.csv", tmp_path / "model"
    code, out, said = run(
        monkeypatch, capsys, "rank", folder, "--top", 5, "-o", whole, "--daily", days,
        "--save-model", model,
    )  # fmt: skip
    assert code == 0, said
    rows = rows_of(whole)
    asked = rows_of(folder / "test.csv")
    assert len(rows) == len(asked)
    assert [int(row["rank"]) for row in rows] == list(range(1, len(rows) + 1))
    for row in rows[:5]:
        assert row["why"].split(":")[0] in " ".join(out.split())
    assert "what to act on first" in out
    assert "a day" in out
    priority = [float(row["priority"]) for row in rows]
    assert priority == sorted(priority, reverse=True)
    daily = rows_of(days)
    total = sum(float(row["units"]) for row in daily)
    assert total == pytest.approx(sum(float(row["expected"]) for row in rows), rel=1e-4)
    known = {(row["shop_id"], row["item_id"]) for row in rows_of(folder / "stock.csv")}
    for row in rows:
        given = (row["shop_id"], row["item_id"]) in known
        assert bool(row["on_hand"]) == given
        assert bool(row["order_quantity"]) == given

    # What if, from the saved model.
    item = next(row["item_id"] for row in rows if row["price"])
    code, out, said = run(
        monkeypatch, capsys, "rank", folder, "--model", model, "--top", 0, "--what-if",
        f"{item}=1000000",
    )  # fmt: skip
    assert code == 0, said
    assert out.startswith(f"item_id {item}: ")
    assert "not what a change of price would do" in out or "does not use prices" in out
    assert "outside" in out or "does not use prices" in out

    # Without stock, of the same rows.
    alone = tmp_path / "alone"
    alone.mkdir()
    for path in folder.iterdir():
        if path.name != "stock.csv":
            (alone / path.name).write_bytes(path.read_bytes())
    code, out, said = run(monkeypatch, capsys, "rank", alone, "--model", model, "-o", whole)
    assert code == 0, said
    assert "on_hand" not in rows_of(whole)[0]
    assert "Supply stock.csv" in said
    assert "it stands" not in said

    # The page says the same, from the same forecast.
    page, again = tmp_path / "page.html", tmp_path / "again.html"
    code, _, said = run(monkeypatch, capsys, "report", alone, "--model", model, "-o", page)
    assert code == 0, said
    assert "it stands" in said
    (model / "forecast.safetensors").unlink()
    code, _, said = run(monkeypatch, capsys, "report", alone, "--model", model, "-o", again)
    assert code == 0, said
    assert page.read_bytes() == again.read_bytes()
    found = Page(page.read_text(encoding="utf-8"))
    assert "Supply stock.csv" in "".join(found.text)
    assert "stock" not in unpack(found.scripts["data"])["items"]
    code, _, said = run(
        monkeypatch, capsys, "report", alone, "--model", model, "-o", page,
        "--stock", folder / "stock.csv",
    )  # fmt: skip
    assert code == 0, said
    items = unpack(Page(page.read_text(encoding="utf-8")).scripts["data"])["items"]
    assert any(one is not None for one in items["stock"])
    assert len(items["why"]) == len(items["order"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--top", "-1"], "--top must be 0 or more"),
        (["-o", "rank.txt"], "cannot tell the format"),
        (["--daily", "nowhere/days.csv"], "no folder"),
        (["--what-if", "5037"], "--what-if takes an item and a price"),
        (["--what-if", "5037=x"], "--what-if takes an item and a price"),
        (["--what-if", "5037=-3"], "--what-if takes an item and a price"),
        (["--service-level", "100"], "--service-level is a percentage"),
    ],
)
def test_wrong_options_end_in_one_line(folder, monkeypatch, capsys, options, said):
    code, out, err = run(monkeypatch, capsys, "rank", folder, *options)
    assert code == 2
    assert said in err
    assert err.count("\n") == 1
    assert out == ""


def test_bad_stock_ends_in_one_line_before_training(folder, tmp_path, monkeypatch, capsys):
    stock = tmp_path / "mine.csv"
    stock.write_text("shop_id,item_id,on_hand\n0,1,-4\n")
    monkeypatch.chdir(tmp_path)
    code, _, err = run(monkeypatch, capsys, "rank", folder, "--stock", stock, "--quiet")
    assert code == 1
    assert "line 2: on_hand is negative: -4" in err
    assert err.count("\n") == 1
    assert rows_of(tmp_path / "rejected-stock.csv")[0]["reason"] == "on_hand is negative: -4"
    code, _, err = run(monkeypatch, capsys, "rank", folder, "--stock", tmp_path / "none.csv", "-q")
    assert code == 1
    assert "no such file" in err


def test_names_are_shown_as_they_are_written(capsys):
    hostile = [*HOSTILE, "[bold red]sale[/bold red]", "[/]", ":warning:", "\x1b[2J\x1b]0;x\x07"]
    panel = named_store(items=14)
    names = panel.attributes["item_id"].columns["item_name"]
    names = np.array([hostile[at % len(hostile)] for at in range(len(names))])
    panel.attributes["item_id"].columns["item_name"] = names
    _show(rank(guess(panel), panel), len(panel), Messages(quiet=True))
    out = capsys.readouterr().out
    for text in ("[bold red]sale[/bold red]", "[/]", ":warning:", "<script>alert(1)</script>"):
        assert text in out
    assert "Игра престолов" in out
    assert not any(one in out for one in "\x1b\x07\u202e\u2028")


def test_reasons_with_hostile_shops_are_text_in_the_page(tmp_path):
    panel = named_store(items=20, months=30)
    stock = Stock(panel.keys, np.full(len(panel), 2.0))
    path = tmp_path / "page.html"
    write_report(guess(panel), panel, path, advice=advice_of(rank(guess(panel), panel, stock)))
    text = path.read_text(encoding="utf-8")
    for name in HOSTILE[:3]:
        assert name not in text
    why = unpack(Page(text).scripts["data"])["items"]["why"]
    assert any(one.startswith("most urgent in Shop <") for one in why)


def test_help_has_an_example():
    found = subprocess.run(
        [sys.executable, "-m", "nestcast", "rank", "--help"], capture_output=True, text=True
    )
    assert found.returncode == 0
    assert "Example: nestcast rank" in found.stdout
