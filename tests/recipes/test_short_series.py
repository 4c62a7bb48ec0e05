"""Series with little or nothing in them, next to ordinary ones."""

import numpy as np
import pytest

from nestcast import Forecaster, Keys, Panel
from nestcast.data import Calendar

MONTHS = 30
ORDINARY, ONE_MONTH, ALL_ZERO, ENDED, UNSEEN = 40, 41, 42, 43, 44


def panel(is_count):
    rng = np.random.default_rng(0)
    target = rng.poisson(6.0, (44, MONTHS)).astype(np.float32)
    start = np.zeros(44, np.int32)
    ended = np.arange(0, 40, 4)  # a quarter of the series sold for half a year, then never again
    target[ended, 6:] = 0
    target[ONE_MONTH], target[ONE_MONTH, -1], start[ONE_MONTH] = 0, 8, MONTHS - 1
    target[ALL_ZERO] = 0
    target[ENDED, 6:] = 0
    if not is_count:
        target *= 1.5
    keys = Keys({"item_id": np.arange(44)})
    calendar = Calendar("1mo", np.datetime64("2022-01-01"), MONTHS)
    return Panel(keys, calendar, target, start, is_count=is_count)


@pytest.fixture(scope="module", params=[True, False], ids=["counts", "numbers"])
def forecast(request):
    asked = Keys({"item_id": np.arange(45)})
    made = Forecaster(2, effort="quick").fit(panel(request.param), asked).predict(level=[80])
    usual = 6.0 if request.param else 9.0
    return made, usual


def test_everything_asked_for_is_forecast_in_numbers(forecast):
    made, _ = forecast
    assert made.mean.shape == (45, 2)
    assert np.isfinite(made.mean).all()
    assert np.isfinite(made.quantiles).all()


def test_a_series_of_length_one_is_forecast_like_the_others(forecast):
    made, usual = forecast
    assert (0.4 * usual < made.mean[ONE_MONTH]).all()
    assert (made.mean[ONE_MONTH] < 2 * usual).all()


def test_a_series_of_zeros_is_forecast_near_zero(forecast):
    made, usual = forecast
    assert (abs(made.mean[ALL_ZERO]) < 0.1 * usual).all()


def test_an_ended_series_is_forecast_near_zero(forecast):
    made, usual = forecast
    assert (abs(made.mean[ENDED]) < 0.1 * usual).all()
    low, high = made.interval(80)
    assert (low[ENDED] <= 0.1 * usual).all()
    assert (high[ENDED] < 0.5 * usual).all()


def test_a_series_without_a_row_is_forecast_from_the_others(forecast):
    made, usual = forecast
    assert (made.mean[UNSEEN] > 0).all()
    assert (made.mean[UNSEEN] < 3 * usual).all()


@pytest.mark.parametrize("months", [1, 2, 3])
def test_a_panel_of_few_months_is_forecast(months, short_training):
    whole = panel(True)
    made = Forecaster(2, effort="quick").fit(whole.until(months)).predict()
    assert np.isfinite(made.mean).all()
    assert (made.mean >= 0).all()


def test_a_panel_of_zeros_is_forecast_as_zeros(short_training):
    whole = panel(True)
    nothing = Panel(whole.keys, whole.calendar, 0 * whole.target, whole.start)
    made = Forecaster(1).fit(nothing).predict()
    assert (made.mean < 0.05).all()
    assert (made.quantiles == 0).all()


def test_a_panel_of_one_series_is_forecast(short_training):
    whole = panel(True)
    one = Panel(
        Keys({"item_id": np.array([7])}), whole.calendar, whole.target[1:2], whole.start[1:2]
    )
    assert 1 < Forecaster(1).fit(one).predict().mean[0, 0] < 20
