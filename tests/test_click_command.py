"""The command on impressions and clicks, from files to files."""

import csv
import sys

import numpy as np
import pytest

from nestcast import cli
from nestcast.data.simulate import simulate_ads

KEYS = "campaign,placement,ad"
pytestmark = pytest.mark.usefixtures("short_training")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ads") / "account"
    simulate_ads(folder, "demo", days=40, seed=3)
    return folder


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["nestcast", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return stop.value.code or 0


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def forecast(monkeypatch, folder, *more):
    common = ["--target", "clicks", "--exposure", "impressions", "--series", KEYS, "--freq", "1d"]
    return run(monkeypatch, "forecast", folder, *common, *more)


def test_forecast_has_the_columns_asked_for(folder, tmp_path, monkeypatch, capsys):
    output = tmp_path / "ctr.csv"
    assert forecast(monkeypatch, folder, "--horizon", 5, "-o", output) == 0
    found = rows(output)
    assert list(found[0]) == [
        "campaign", "placement", "ad", "date", "ctr", "ctr-lo-80", "ctr-hi-80", "ctr-lo-95",
        "ctr-hi-95", "impressions", "clicks",
    ]  # fmt: skip
    assert sorted({row["date"] for row in found}) == [f"2024-02-{d:02d}" for d in range(10, 15)]
    for row in found:
        bounds = [float(row[name]) for name in ("ctr-lo-95", "ctr-lo-80", "ctr", "ctr-hi-80")]
        assert bounds == sorted(bounds)
        clicks = float(row["ctr"]) * float(row["impressions"])
        assert float(row["clicks"]) == pytest.approx(clicks, rel=1e-4, abs=1e-6)
    said = capsys.readouterr().err
    assert "clicks out of" in said
    assert "most clicks expected" in said


def test_plan_and_ranking(folder, tmp_path, monkeypatch, capsys):
    output, ranked = tmp_path / "ctr.csv", tmp_path / "rank.csv"
    plan = folder / "plan.csv"
    given = ["--horizon", 10, "-o", output, "--ranking", ranked, "--exposure-plan", plan]
    assert forecast(monkeypatch, folder, *given, "--model", "eb-14", "--recalibrate", "platt") == 0
    planned = {(row["ad"], row["date"]): float(row["impressions"]) for row in rows(plan)}
    found = {(row["ad"], row["date"]): row for row in rows(output)}
    ads = {ad for ad, _ in planned}
    new = ads - {row["ad"] for row in rows(folder / "ads.csv")}
    assert new <= {ad for ad, _ in found}
    assert len(new) > 0
    for (ad, date), row in found.items():
        if ad in ads:
            assert float(row["impressions"]) == planned.get((ad, date), 0.0)
    order = [float(row["clicks"]) for row in rows(ranked)]
    assert order == sorted(order, reverse=True)
    assert {"rank", "cost", "revenue", "return", "rank-by-return"} <= set(rows(ranked)[0])


def test_rank_prints_ads_and_writes_the_whole(folder, tmp_path, monkeypatch, capsys):
    output = tmp_path / "rank.csv"
    common = ["--target", "clicks", "--exposure", "impressions", "--series", KEYS, "--freq", "1d"]
    given = ["--model", "eb-14", "--horizon", 5, "--top", 3, "-o", output, "-q"]
    plan = ["--exposure-plan", folder / "plan.csv"]
    assert run(monkeypatch, "rank", folder, *common, *given, *plan) == 0
    found, printed = rows(output), capsys.readouterr().out
    ads = [" / ".join(row[key] for key in KEYS.split(",")) for row in found]
    assert all(ad in printed for ad in ads[:3])
    assert ads[3] not in printed
    assert {row["ad"] for row in rows(folder / "plan.csv")} <= {row["ad"] for row in found}
    assert run(monkeypatch, "rank", folder, *common, "--what-if", "1=2") == 2
    assert "--what-if is for sales" in capsys.readouterr().err
    assert run(monkeypatch, "rank", folder, *common, "--service-level", 90) == 2
    assert "--service-level is for sales" in capsys.readouterr().err


def test_negatives_kept(folder, tmp_path, monkeypatch):
    plain, fewer = tmp_path / "plain.csv", tmp_path / "fewer.csv"
    assert forecast(monkeypatch, folder, "-o", plain, "-q") == 0
    assert forecast(monkeypatch, folder, "-o", fewer, "-q", "--negatives-kept", "0.25") == 0
    for one, other in zip(rows(plain), rows(fewer), strict=True):
        p = float(one["ctr"])
        assert float(other["ctr"]) == pytest.approx(p / (p + (1 - p) / 0.25), rel=1e-4)


def test_backtest(folder, tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    scores, plot, kept = (tmp_path / name for name in ("scores.json", "p.png", "kept.csv"))
    common = ["--exposure", "impressions", "--series", KEYS, "--horizon", 3, "--origins", 2]
    more = ["-o", scores, "--plot", plot, "--forecasts", kept, "--models", "ewma,pooled"]
    assert run(monkeypatch, "backtest", folder, *common, *more) == 0
    assert scores.stat().st_size > 1000
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert "clicks-actual" in rows(kept)[0]
    said = capsys.readouterr().err
    assert "log-loss" in said
    assert "placement search" in said


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--model", "foo"], "no model in foo"),
        (["--clip", "0,1"], "--clip is for sales"),
        (["--recipe", "seed"], "--recipe is for sales"),
        (["--recalibrate", "magic"], "cannot recalibrate by 'magic'"),
        (["--negatives-kept", "2"], "share of negatives kept"),
        (["--exposure-plan", "none.csv"], "no such file: none.csv"),
        (["--ranking", "rank.txt"], "cannot tell the format"),
    ],
)
def test_one_line_says_what_is_wrong(folder, tmp_path, monkeypatch, capsys, more, message):
    monkeypatch.chdir(tmp_path)
    assert forecast(monkeypatch, folder, "-q", *more) in (1, 2)
    said = capsys.readouterr().err.strip()
    assert message in said
    assert "\n" not in said


def test_options_of_clicks_are_refused_for_sales(tmp_path, monkeypatch, capsys):
    path = tmp_path / "sales.csv"
    lines = [f"x,2024-01-{1 + at:02d},{at % 3}" for at in range(20)]
    path.write_text("unique_id,ds,y\n" + "\n".join(lines) + "\n")
    assert run(monkeypatch, "forecast", path, "-q", "--ranking", tmp_path / "r.csv") == 2
    assert "--ranking is for clicks" in capsys.readouterr().err
    assert run(monkeypatch, "forecast", path, "-q", "--freq", "1h") == 2
    assert "--freq 1h is for impressions" in capsys.readouterr().err
    for command, out in (("forecast", "f.csv"), ("report", "page.html")):
        assert run(monkeypatch, command, path, "-q", "--model", "eb", "-o", tmp_path / out) == 2
        assert "--model eb is for clicks" in capsys.readouterr().err


def test_simulated_rates_are_those_that_clicks_come_from(folder):
    truth = rows(folder / "truth.csv")
    k, n, p = (
        np.array([float(row[name]) for row in truth]) for name in ("clicks", "impressions", "rate")
    )
    spread = np.sqrt((n * p * (1 - p)).sum())
    assert abs(k.sum() - (n * p).sum()) < 4 * spread
    past = rows(folder / "ads.csv")
    assert len(past) + len(rows(folder / "plan.csv")) == len(truth)
    assert {row["date"] for row in past}.isdisjoint({r["date"] for r in rows(folder / "plan.csv")})


def test_simulated_ads_tire_and_some_are_new(tmp_path):
    simulate_ads(tmp_path / "a", "small", ads=400, days=100, seed=1)
    truth = rows(tmp_path / "a" / "truth.csv")
    first, last = {}, {}
    for row in truth:
        first.setdefault(row["ad"], float(row["rate"]))
        last[row["ad"]] = float(row["rate"])
    both = [ad for ad in first if last[ad] != first[ad]]
    fell = np.mean([last[ad] < first[ad] for ad in both])
    assert fell > 0.7
    assert np.median(list(first.values())) < 0.05
    past = {row["ad"] for row in rows(tmp_path / "a" / "ads.csv")}
    assert {row["ad"] for row in rows(tmp_path / "a" / "plan.csv")} - past


def test_simulate_command(tmp_path, monkeypatch, capsys):
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        made = ["simulate", folder, "--kind", "ads", "--size", "demo", "--days", 20, "--seed", 4]
        assert run(monkeypatch, *made) == 0
    for name in ("ads.csv", "truth.csv", "plan.csv"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    assert run(monkeypatch, "simulate", tmp_path / "x", "--kind", "ads", "--shops", 3) == 2
    assert "--shops does not go with --kind ads" in capsys.readouterr().err
    assert run(monkeypatch, "simulate", tmp_path / "x", "--kind", "books") == 2


def test_the_page_is_written_with_the_forecast_and_by_itself(folder, tmp_path, monkeypatch):
    page = tmp_path / "page.html"
    more = ["--model", "eb", "--horizon", 5, "-q"]
    assert forecast(monkeypatch, folder, *more, "-o", tmp_path / "ctr.csv", "--report", page) == 0
    common = ["--target", "clicks", "--exposure", "impressions", "--series", KEYS, "--freq", "1d"]
    more = [*common, *more]
    again = tmp_path / "again.html"
    assert run(monkeypatch, "report", folder, *more, "-o", again) == 0
    assert page.read_bytes() == again.read_bytes()
    assert "Forecast of clicks of" in page.read_text(encoding="utf-8")
    plan = folder / "plan.csv"
    assert run(monkeypatch, "report", folder, *more, "--exposure-plan", plan, "-o", again) == 0
    known, planned = rows(folder / "ads.csv"), rows(plan)
    series = {tuple(row[key] for key in KEYS.split(",")) for row in [*known, *planned]}
    assert f"clicks of {len(series)} series" in again.read_text(encoding="utf-8")


def test_a_page_of_clicks_refuses_what_is_for_sales(folder, tmp_path, monkeypatch, capsys):
    common = ["report", folder, "--exposure", "impressions", "--series", KEYS, "--model", "eb"]
    for wrong in (["--clip", "0,20"], ["--stock", tmp_path / "stock.csv"], ["--recipe", "seed"]):
        assert run(monkeypatch, *common, *wrong, "-o", tmp_path / "page.html") == 2
        assert f"{wrong[0]} is for sales" in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()
