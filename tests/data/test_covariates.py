"""Covariates: read, averaged, carried into the future, and holidays."""

import numpy as np
import pyarrow as pa
import pytest

from nestcast import DataError, OptionError, read_panel
from nestcast.data.holidays import with_holidays

ROWS = {
    "shop": [1, 1, 1, 2, 2],
    "date": ["2024-01-03", "2024-01-20", "2024-03-01", "2024-02-01", "2024-03-02"],
    "sold": [3, 4, 5, 2, 1],
    "promotion": [1, 0, 1, 0, 1],
    "visitors": [10.0, None, 30.0, 7.5, None],
}
NAMES = {"time": "date", "series": "shop", "target": "sold", "freq": "1mo"}


def read(rows=ROWS, **options):
    return read_panel(pa.table(rows), **NAMES, keep_incomplete=True, **options)


def test_covariates_are_averaged_over_the_rows_that_have_a_value():
    panel = read(observed=["visitors"], known="promotion")
    assert np.array_equal(panel.target, [[7, 0, 5], [0, 2, 1]])
    expected = [[10, np.nan, 30], [np.nan, 7.5, np.nan]]
    assert np.array_equal(panel.observed["visitors"], np.float32(expected), equal_nan=True)
    # January is half a promotion in shop 1, so that the shops differ nowhere: kept once.
    assert np.array_equal(panel.known["promotion"], np.float32([0.5, 0, 1]))


def test_a_covariate_that_differs_between_series_is_kept_for_each():
    rows = {**ROWS, "promotion": [1, 1, 1, 0, 0]}
    expected = [[1, np.nan, 1], [np.nan, 0, 0]]
    found = read(rows, known="promotion").known["promotion"]
    assert np.array_equal(found, np.float32(expected), equal_nan=True)


def test_the_future_is_known_as_far_as_it_is_given():
    future = pa.table({"shop": [2, 1], "date": ["2024-05-01", "2024-04-09"], "promotion": [0, 1]})
    rows = {**ROWS, "promotion": [1, 1, 1, 0, 0]}
    found = read(rows, known="promotion", future=future).known["promotion"]
    nan = np.nan
    expected = [[1, nan, 1, 1, nan], [nan, 0, 0, nan, 0]]
    assert np.array_equal(found, np.float32(expected), equal_nan=True)


def test_the_future_may_be_wider_than_the_series():
    rows = {**ROWS, "item": [1, 2, 1, 1, 2]}
    names = {**NAMES, "series": ["shop", "item"]}
    future = pa.table({"shop": [1, 2], "date": ["2024-04-09", "2024-04-01"], "promotion": [1, 0]})
    panel = read_panel(
        pa.table(rows), **names, keep_incomplete=True, known="promotion", future=future
    )
    assert np.array_equal(panel.known["promotion"][:, 3], 1 - (panel.keys["shop"] == 2))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"known": "promo"}, DataError, "no column 'promo'.*--known"),
        ({"observed": ["visitors", "visitors"]}, OptionError, "visitors is named"),
        ({"known": "sold"}, OptionError, "sold is named"),
        ({"future": ROWS}, OptionError, "--known"),
        ({"known": "promotion", "future": ROWS}, DataError, "the future ends on 2024-03-31"),
        ({"known": "promotion", "future": {"date": ["2024-04-01"]}}, DataError, "add at least"),
    ],
)
def test_mistakes_are_told(options, error, message):
    if "future" in options:
        options = {**options, "future": pa.table(options["future"])}
    with pytest.raises(error, match=message):
        read(**options)


def test_a_covariate_that_is_no_number_rejects_its_row():
    with pytest.raises(DataError, match="visitors is not a number"):
        read({**ROWS, "visitors": ["10", "", "many", "7.5", "1"]}, observed="visitors")


def test_holidays_of_a_country_are_counted_ahead():
    pytest.importorskip("holidays")
    panel = with_holidays(read(), "de-by")
    # New Year and Epiphany; none; Good Friday; Easter Monday; Labour Day, Ascension, two more.
    assert panel.known["holidays"][:5].tolist() == [2, 0, 1, 1, 4]
    with pytest.raises(OptionError, match="no holidays are known of 'XX'"):
        with_holidays(panel, "XX")


def test_days_know_their_neighbours():
    pytest.importorskip("holidays")
    rows = {"shop": [1, 1], "date": ["2024-12-20", "2024-12-28"], "sold": [1, 1]}
    panel = with_holidays(read_panel(pa.table(rows), **{**NAMES, "freq": "1d"}), "US")
    christmas = 5
    for name, at in (
        ("holidays", christmas),
        ("holiday tomorrow", christmas - 1),
        ("holiday yesterday", christmas + 1),
    ):
        assert np.flatnonzero(panel.known[name][:9]).tolist() == [at]
