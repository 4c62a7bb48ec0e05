"""Tables of impressions and clicks, and impression logs, into panels."""

import csv
import gzip

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from nestcast.data import read_panel
from nestcast.data.plans import check_covers, read_plan
from nestcast.errors import DataError, OptionError
from tests.data.raw import rejected, table

KEYS = ["campaign", "ad"]
HEADER = "date,campaign,ad,impressions,clicks,cost,revenue"
GOOD = [
    f"2024-05-{1 + at % 20:02d},c{at % 2},a{at % 3},{100 + at},{at % 7},1.5,0.25"
    for at in range(300)
]
BAD = {
    "2024-05-02,c1,a1,5,6,1,1": "clicks is over impressions: 6 of 5",
    "2024-05-02,c1,a1,-5,0,1,1": "impressions is negative: -5",
    "2024-05-02,c1,a1,5,-1,1,1": "clicks is negative: -1",
    "2024-05-02,c1,a1,,0,1,1": "impressions is missing",
    "2024-05-02,c1,a1,5,,1,1": "clicks is missing",
    "2024-05-02,c1,a1,5.5,1,1,1": "impressions is not a whole number: 5.5",
    "2024-05-02,c1,a1,many,1,1,1": "impressions is not a number (as in 1234.5): many",
    "2024-05-02,c1,a1,5,1,-1,1": "cost is negative: -1",
    "2024-05-02,,a1,5,1,1,1": "campaign is missing",
    "2024-05-99,c1,a1,5,1,1,1": "date is not a date (yyyy-mm-dd): 2024-05-99",
}


def test_every_bad_row_is_told_with_its_line_and_no_row_is_lost(tmp_path):
    path = table(tmp_path, HEADER, [*GOOD[:50], *BAD, *GOOD[50:]])
    out = tmp_path / "rejected.csv"
    panel = read_panel(path, series=KEYS, exposure="impressions", max_rejected=0.1, rejected=out)
    assert rejected(out) == [(52 + at, reason) for at, reason in enumerate(BAD.values())]
    report = panel.report
    assert report.rows_read == len(GOOD) + len(BAD) == report.rows_used + report.rows_rejected
    rows = [row.split(",") for row in GOOD]
    assert panel.exposure.sum() == sum(int(row[3]) for row in rows)
    assert panel.target.sum() == sum(int(row[4]) for row in rows)
    assert panel.observed["cost"].sum() == pytest.approx(1.5 * len(rows))
    assert panel.observed["revenue"].sum() == pytest.approx(0.25 * len(rows))
    assert (panel.target <= panel.exposure).all()


def test_blank_money_is_none_and_impressions_may_be_none(tmp_path):
    path = table(tmp_path, HEADER, [*GOOD, "2024-05-21,c0,new,0,0,,"])
    panel = read_panel(path, series=KEYS, exposure="impressions")
    new = panel.keys["ad"] == "new"
    assert panel.report.rows_rejected == 0
    assert panel.exposure[new].sum() == panel.observed["cost"][new].sum() == 0


@pytest.mark.parametrize("month", ["May", "may", "5", "05", "MAY"])
def test_month_and_day_without_a_year(tmp_path, month):
    path = table(
        tmp_path, "month,day,banner,displays,clicks", [f"{month},{d},x,10,1" for d in range(1, 20)]
    )
    panel = read_panel(path, series="banner", exposure="impressions", year=2019)
    assert (str(panel.calendar.first), len(panel.calendar)) == ("2019-05-01", 19)
    assert panel.time_name == "date"
    assert "column displays holds impressions (--exposure)" in panel.report.notes
    unsaid = read_panel(path, series="banner", exposure="impressions")
    assert any("--year" in note for note in unsaid.report.notes)


def test_months_over_new_year(tmp_path):
    days = [("Nov", 30), ("Dec", 30), ("January", 2), ("February", 3)]
    rows = [f"{month},{day},x,10,1" for month, day in days]
    path = table(tmp_path, "month,day,banner,displays,clicks", rows)
    panel = read_panel(path, series="banner", exposure="displays", year=2022, freq="1d")
    assert str(panel.calendar.first) == "2022-11-30"
    assert str(panel.calendar.ends()[-1]) == "2023-02-03"


def test_year_in_a_column_of_its_own(tmp_path):
    rows = [f"{year},Feb,29,x,10,1" for year in (2020, 2023, 2024)]
    path = table(tmp_path, "year,month,day,banner,displays,clicks", rows)
    panel = read_panel(path, series="banner", exposure="displays", freq="1d", max_rejected=0.5)
    assert panel.report.rejected == {"year, month, day is not a date (year, month, day)": 1}
    assert str(panel.calendar.ends()[-1]) == "2024-02-29"


def log_rows(rows=4000, seed=0):
    rng = np.random.default_rng(seed)
    seconds = np.sort(rng.integers(0, 20 * 86400, rows))
    stamps = np.datetime64("2024-05-01T00:00:00") + seconds
    return stamps, rng.integers(0, 3, rows), rng.integers(0, 5, rows), rng.integers(0, 2, rows)


def write_log(tmp_path, kind):
    stamps, campaign, ad, click = log_rows()
    frame = pa.table(
        {"timestamp": stamps.astype("M8[us]"), "campaign": campaign, "ad": ad, "click": click}
    )
    path = tmp_path / f"log.{kind}"
    if kind == "parquet":
        duckdb.connect().from_arrow(frame).write_parquet(str(path))
        return path
    with (gzip.open if kind == "csv.gz" else open)(path, "wt", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(frame.column_names)
        writer.writerows(zip(stamps.astype(str), campaign, ad, click, strict=True))
    return path


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet"])
@pytest.mark.parametrize(("freq", "unit"), [("1h", "M8[h]"), ("1d", "M8[D]"), ("1w", None)])
def test_logs_are_counted_as_numpy_counts_them(tmp_path, kind, freq, unit):
    panel = read_panel(
        write_log(tmp_path, kind), series=KEYS, exposure="rows", freq=freq, keep_incomplete=True
    )
    stamps, campaign, ad, click = log_rows()
    if unit:
        period = (stamps.astype(unit) - stamps.astype(unit).min()).astype(int)
    else:
        period = (stamps.astype("M8[D]") - np.datetime64("2024-04-29")).astype(int) // 7
    shown, clicked = np.zeros((2, 15, period.max() + 1))
    np.add.at(shown, (campaign * 5 + ad, period), 1)
    np.add.at(clicked, (campaign * 5 + ad, period), click)
    np.testing.assert_array_equal(panel.exposure, shown)
    np.testing.assert_array_equal(panel.target, clicked)
    assert panel.report.rows_used == len(stamps)


@pytest.mark.parametrize("write", ["1714521600", "1714521600000", "2024-05-01T00:00:00Z"])
def test_ways_to_write_timestamps(tmp_path, write):
    rows = [f"{write},x,{at % 2}" for at in range(10)]
    path = table(tmp_path, "timestamp,ad,click", rows)
    panel = read_panel(path, series="ad", exposure="rows", freq="1h")
    assert str(panel.calendar.first) == "2024-05-01T00"
    assert (panel.exposure.tolist(), panel.target.tolist()) == ([[10.0]], [[5.0]])


def test_hours_of_other_ways_to_write_days(tmp_path):
    rows = ["31.05.2024 23:59:59,x,1", "01.06.2024 00:00,x,0", "01.06.2024 05:30:00,x,0"]
    path = table(tmp_path, "timestamp,ad,click", rows)
    panel = read_panel(path, series="ad", exposure="rows", freq="1h")
    assert panel.exposure.tolist() == [[1.0, 1.0, 0, 0, 0, 0, 1.0]]


def test_bad_rows_of_a_log(tmp_path):
    good = [f"2024-05-0{1 + at % 5},x,{at % 2}" for at in range(500)]
    bad = ["2024-05-01,x,2", "2024-05-01,x,", "2024-05-01,,1", "soon,x,1"]
    path = table(tmp_path, "timestamp,ad,click", [*good, *bad])
    out = tmp_path / "rejected.csv"
    panel = read_panel(path, series="ad", exposure="rows", rejected=out)
    assert [line for line, _ in rejected(out)] == [502, 503, 504, 505]
    assert rejected(out)[0][1] == "click is not 0 or 1: 2.0"
    assert panel.report.rows_read == 504
    assert panel.report.rows_used == 500 == panel.exposure.sum()


def test_flags_of_a_frame(tmp_path):
    frame = pa.table({"ts": ["2024-05-01"] * 3, "ad": ["x"] * 3, "clicked": [True, False, True]})
    panel = read_panel(frame, series="ad", exposure="rows")
    assert (panel.target.tolist(), panel.exposure.tolist()) == ([[2.0]], [[3.0]])


def test_clicks_are_recognised_without_options_and_named_columns_win(tmp_path):
    path = table(tmp_path, "day,ad,views,taps,clicks", ["2024-05-01,x,9,3,1", "2024-05-02,x,9,4,1"])
    assert read_panel(path, series="ad").target.tolist() == [[1.0, 1.0]]
    named = read_panel(path, series="ad", target="taps", exposure="views")
    assert named.target.tolist() == [[3.0, 4.0]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"exposure": "impressions"}, "say which tell ads apart, the most general first"),
        ({"exposure": "shows", "series": "ad"}, "no column 'shows'.*--exposure"),
        ({"exposure": "impressions", "series": "impressions"}, "cannot be two of"),
        ({"exposure": "impressions", "series": "ad", "freq": "2h"}, "unknown frequency"),
    ],
)
def test_refusals(tmp_path, options, message):
    path = table(tmp_path, HEADER, GOOD)
    with pytest.raises((DataError, OptionError), match=message):
        read_panel(path, **options)


def test_folders(tmp_path):
    table(tmp_path, HEADER, GOOD, "performance.csv")
    panel = read_panel(tmp_path, series=KEYS, exposure="impressions")
    assert panel.report.rows_used == 300
    table(tmp_path, HEADER, GOOD[:20], "other.csv")
    with pytest.raises(DataError, match=r"cannot tell which file.*other.csv, performance.csv"):
        read_panel(tmp_path, series=KEYS, exposure="impressions")
    table(tmp_path, HEADER, GOOD[:20], "ads_2024.csv")
    assert read_panel(tmp_path, series=KEYS, exposure="impressions").report.rows_used == 20


def test_plans(tmp_path):
    panel = read_panel(table(tmp_path, HEADER, GOOD), series=KEYS, exposure="impressions")
    path = table(
        tmp_path,
        "date,campaign,ad,impressions",
        ["2024-05-21,c0,a0,500", "2024-05-23,c9,new,70"],
        "plan.csv",
    )
    plan = read_plan(path, panel)
    ahead = panel.calendar.after(3)
    assert np.array_equal(plan.at(plan.keys, ahead), [[500, 0, 0], [0, 0, 70]])
    assert np.isnan(plan.at(panel.keys, ahead)).all(axis=1).sum() == len(panel) - 1
    with pytest.raises(DataError, match="plans 2024-05-21 to 2024-05-23, the forecast is of"):
        check_covers(plan, ahead.after(3), path)
    negative = table(
        tmp_path, "date,campaign,ad,impressions", ["2024-05-21,c0,a0,-5"], "negative.csv"
    )
    with pytest.raises(DataError, match="below 0"):
        read_plan(negative, panel)


def test_real_ads(shared_data):
    path = shared_data("ads/ad_performance.csv")
    keys = ["campaign_number", "user_engagement", "banner", "placement"]
    panel = read_panel(path.parent, target="clicks", exposure="impressions", series=keys, year=2017)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert panel.report.rows_used == len(rows) == 10_972
    assert panel.exposure.sum(dtype=float) == sum(int(row["displays"]) for row in rows)
    assert panel.target.sum(dtype=float) == sum(int(row["clicks"]) for row in rows)
    assert len(panel) == len({tuple(row[key] for key in keys) for row in rows})
    assert str(panel.calendar.first) == "2017-04-01"
    assert len(panel.calendar) == 61
