"""Calendars made from the days on which there are rows."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestcast.data import read_panel
from nestcast.data.periods import bulk_of, periods_of
from tests.data.raw import table


def days(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="M8[D]")


def span(first: str, last: str, step: int = 1) -> np.ndarray:
    return np.arange(np.datetime64(first), np.datetime64(last) + 1, step)


@pytest.mark.parametrize(
    ("on", "freq", "first", "length"),
    [
        (span("2024-01-03", "2024-02-29"), "1d", "2024-01-03", 58),
        (span("2024-01-03", "2024-06-26", 7), "1w", "2024-01-03", 26),
        (days("2024-01-01", "2024-02-01", "2024-05-01"), "1mo", "2024-01-01", 5),
        (days("2024-01-31", "2024-02-29", "2024-04-30"), "1mo", "2024-01-01", 4),
    ],
)
def test_frequency_is_inferred(on: np.ndarray, freq: str, first: str, length: int) -> None:
    calendar = periods_of(on, None, keep_incomplete=False).calendar
    assert (calendar.freq, calendar.first, len(calendar)) == (freq, np.datetime64(first), length)


def test_month_ends_name_months_by_their_last_day() -> None:
    calendar = periods_of(days("2024-01-31", "2024-02-29"), "1mo", False).calendar
    assert calendar.labels().tolist() == days("2024-01-31", "2024-02-29").tolist()


def test_weeks_begin_on_the_weekday_of_the_rows_or_on_monday() -> None:
    fridays = span("2010-02-05", "2010-06-25", 7)
    assert periods_of(fridays, "1w", False).calendar.labels().tolist() == fridays.tolist()
    any_day = periods_of(span("2024-01-03", "2024-01-28"), "1w", False).calendar
    assert any_day.starts()[0] == np.datetime64("2024-01-01")
    assert any_day.starts()[0].astype(object).weekday() == 0


@pytest.mark.parametrize(
    ("on", "freq", "complete"),
    [
        (span("2024-01-01", "2024-03-31"), "1mo", 3),
        (span("2024-01-01", "2024-03-30"), "1mo", 3),  # one day short: rows are a day apart
        (span("2024-01-01", "2024-03-28"), "1mo", 2),
        (span("2024-01-01", "2024-03-28", 7), "1mo", 3),  # the next row is due in April
        (span("2024-01-01", "2024-03-20", 7), "1mo", 2),
        (span("2024-01-01", "2024-01-17"), "1w", 2),
        (span("2024-01-01", "2024-01-24", 7), "1w", 4),  # one row a week
        (days("2024-01-01", "2024-02-01"), "1mo", 2),  # one row a month
        (days("2024-01-31", "2024-02-29"), "1mo", 2),
        (span("2024-01-01", "2024-01-17"), "1d", 17),
        (span("2024-01-01", "2024-01-17"), "1mo", 1),  # there is no other
    ],
)
def test_an_incomplete_last_period_is_held_back(on: np.ndarray, freq: str, complete: int) -> None:
    assert periods_of(on, freq, keep_incomplete=False).complete == complete
    kept = periods_of(on, freq, keep_incomplete=True)
    assert kept.complete == len(kept.calendar)


def without(on: np.ndarray, first: str, last: str) -> np.ndarray:
    return on[(on < np.datetime64(first)) | (on > np.datetime64(last))]


@pytest.mark.parametrize(
    ("last", "complete"), [("2024-06-30", 30), ("2024-06-28", 29), ("2024-06-10", 29)]
)
def test_gaps_elsewhere_do_not_hide_that_the_last_month_is_incomplete(last, complete) -> None:
    on = without(span("2022-01-01", last), "2022-08-01", "2022-08-25")  # closed for a holiday
    on = without(on, "2023-02-01", "2023-02-28")  # a month that was not exported
    assert periods_of(on, "1mo", keep_incomplete=False).complete == complete


@pytest.mark.parametrize(("last", "complete"), [("2024-06-29", 130), ("2024-06-27", 129)])
def test_weekdays_that_are_always_closed_are_not_missing(last, complete) -> None:
    on = span("2022-01-03", last)
    on = on[on.astype(int) % 7 != 3]  # never on Sundays
    on = without(on, "2022-12-20", "2022-12-31")
    assert periods_of(on, "1w", keep_incomplete=False).complete == complete


def test_shops_that_close_every_year_have_a_complete_last_month() -> None:
    on = span("2021-01-01", "2023-12-31")
    for year in (2021, 2022, 2023):
        on = without(on, f"{year}-12-23", f"{year}-12-31")
    found = periods_of(on, "1mo", keep_incomplete=False)
    assert found.complete == len(found.calendar) == 36


def test_rows_that_are_few_and_far_between_have_a_complete_last_month() -> None:
    rng = np.random.default_rng(2)
    for _ in range(20):
        on = np.unique(rng.integers(0, 1000, 60)).astype("M8[D]")
        held = periods_of(on, "1mo", keep_incomplete=False)
        far = held.calendar.ends()[-1] - on[-1] > np.diff(on).max()
        assert held.complete == len(held.calendar) - far


@given(
    st.lists(st.integers(0, 2000), min_size=1, unique=True), st.sampled_from(["1d", "1w", "1mo"])
)
def test_every_day_lies_in_the_calendar(numbers: list[int], freq: str) -> None:
    on = np.sort(np.array(numbers)).astype("M8[D]")
    calendar = periods_of(on, freq, keep_incomplete=True).calendar
    index = calendar.index_of(on)
    assert index[0] == 0
    assert index[-1] == len(calendar) - 1


def test_far_dates_are_those_beyond_ten_empty_years() -> None:
    on = np.concatenate([days("1901-01-01"), span("1990-01-01", "2020-12-31"), days("2031-06-01")])
    assert bulk_of(on, np.ones(len(on), int)) == (np.datetime64("1990-01-01"), on[-2])
    many = np.where(on == on[-1], 100_000, 1)  # the bulk is where the rows are
    assert bulk_of(on, many) == (on[-1], on[-1])


def test_the_account_of_an_incomplete_month(tmp_path: Path) -> None:
    rows = [f"a,{day},1" for day in span("2024-01-01", "2024-03-10")]
    rows.append("b,2024-03-02,5")
    path = table(tmp_path, "unique_id,ds,y", rows)
    panel = read_panel(path, freq="1mo")
    assert panel.keys["unique_id"].tolist() == ["a"]
    assert panel.target.tolist() == [[31, 29]]
    assert panel.report.rows_used == panel.report.rows_read == 71
    assert panel.report.rows_held_back == 11
    assert any("2024-03-01 is incomplete" in note for note in panel.report.notes)
    kept = read_panel(path, freq="1mo", keep_incomplete=True)
    assert kept.target.tolist() == [[31, 29, 10], [0, 0, 5]]
    assert kept.report.rows_held_back == 0


def test_months_without_rows_are_told(tmp_path: Path) -> None:
    path = table(tmp_path, "unique_id,ds,y", ["a,2024-01-01,1", "a,2024-04-01,2"])
    panel = read_panel(path)
    assert panel.target.tolist() == [[1, 0, 0, 2]]
    assert "2 months without any row: 2024-02-01, 2024-03-01" in panel.report.notes
