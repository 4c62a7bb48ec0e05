import numpy as np
import pytest

from nestcast.data import Calendar, Keys
from nestcast.errors import OptionError
from nestcast.forecast import Forecast


def forecast(series=3, horizon=2):
    mean = np.arange(series * horizon, dtype=np.float32).reshape(series, horizon)
    return Forecast(
        keys=Keys({"shop": np.array(["a", "b", "c"][:series])}),
        calendar=Calendar("1mo", np.datetime64("2024-01-01"), horizon),
        mean=mean,
        probabilities=np.array([0.1, 0.5, 0.9]),
        quantiles=np.stack([mean - 1, mean, mean + 1], axis=-1),
        time_name="month",
    )


def test_long_table_has_one_row_per_series_and_period():
    table = forecast().to_columns([80])
    assert list(table) == ["shop", "month", "mean", "lo-80", "hi-80"]
    assert table["shop"].tolist() == ["a", "a", "b", "b", "c", "c"]
    assert table["month"].astype(str).tolist() == ["2024-01-01", "2024-02-01"] * 3
    np.testing.assert_array_equal(table["hi-80"] - table["lo-80"], 2)


def test_levels_that_were_not_asked_for_are_named():
    with pytest.raises(OptionError, match=r"no 0\.025 quantile"):
        forecast().interval(95)


def test_a_submission_has_one_period():
    assert forecast(horizon=1).to_submission(np.array([7, 8, 9]), "n")["n"].tolist() == [0, 1, 2]
    with pytest.raises(OptionError, match="2 periods"):
        forecast().to_submission(np.arange(3), "n")


def test_frames_are_made_by_any_arrow_library():
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    one = forecast()
    assert one.levels == (80.0,)
    expected = {name: values.tolist() for name, values in one.to_columns([80]).items()}
    frame = pl.DataFrame(one)
    assert frame.schema["shop"] == pl.String
    assert frame.schema["month"] == pl.Date
    assert frame.to_dict(as_series=False) == expected
    assert pa.table(one).to_pydict() == expected
    assert pd.DataFrame.from_arrow(one)["mean"].tolist() == expected["mean"]
