"""Classical methods against statsforecast; their quantiles against what then happens."""

import numpy as np
import pytest

from nestcast.data import Calendar, Keys, Panel
from nestcast.evaluation import smoothing
from nestcast.evaluation.baselines import METHODS, Baseline, mean_of_last
from tests.panels import store, weekly


@pytest.fixture(scope="module")
def counts():
    """Intermittent counts of many kinds: never sold, sold at once, ended, dense."""
    rng = np.random.default_rng(1)
    past = rng.poisson(rng.gamma(0.5, 2, (60, 1)), (60, 40)).astype(float)
    past[0] = 0
    past[1, :39] = 0
    past[2, 10:] = 0
    past[3] += 1
    return past


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (smoothing.naive, ("Naive", ())),
        (lambda past: smoothing.mean_of_last(past, 3), ("WindowAverage", (3,))),
        (lambda past: smoothing.croston(past, 0.1), ("CrostonClassic", ())),
        (lambda past: smoothing.sba(past, 0.1), ("CrostonSBA", ())),
        (
            lambda past: smoothing.tsb(past, 0.2, 0.3),
            (
                "TSB",
                (
                    0.2,
                    0.3,
                ),
            ),
        ),
    ],
)
def test_methods_are_those_of_statsforecast(counts, ours, theirs):
    models = pytest.importorskip("statsforecast.models")
    name, arguments = theirs
    model = getattr(models, name)(*arguments)
    for time in (1, 12, 40):
        if time < 3 and name == "WindowAverage":
            continue
        flat = ours(counts[:, :time])
        assert flat.shape == (len(counts), time + 1)
        expected = [model.forecast(y.copy(), h=1)["mean"][0] for y in counts[:, :time]]
        np.testing.assert_allclose(flat[:, -1], expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("step", [1, 5, 12, 13])
def test_seasonal_naive_is_that_of_statsforecast(counts, step):
    models = pytest.importorskip("statsforecast.models")
    ours = smoothing.seasonal_naive(counts, 12, step)
    assert ours.shape == (60, 40 + step)
    theirs = [models.SeasonalNaive(12).forecast(y, h=13)["mean"][step - 1] for y in counts]
    np.testing.assert_allclose(ours[:, -1], theirs)


FLAT = [
    smoothing.naive,
    lambda past: smoothing.mean_of_last(past, 4),
    smoothing.croston,
    smoothing.sba,
    smoothing.tsb,
]


@pytest.mark.parametrize("method", FLAT)
def test_every_past_forecast_is_the_one_made_then(counts, method):
    past = counts.copy()
    past[5, :7] = past[6, 20:23] = past[7, :] = np.nan
    flat = method(past)
    assert np.isfinite(flat).all()
    for time in (0, 1, 17, 39):
        np.testing.assert_allclose(method(past[:, :time])[:, -1], flat[:, time], atol=1e-12)
    for step in (1, 3):
        ahead = smoothing.ahead(flat, step)
        np.testing.assert_allclose(ahead[:, 20 + step], flat[:, 21])


@pytest.mark.parametrize("method", [FLAT[0], *FLAT[2:]])  # the last k periods include missing ones
def test_a_missing_period_is_as_if_it_had_not_been(counts, method):
    with_gap = np.insert(counts, 20, np.nan, axis=1)
    np.testing.assert_allclose(method(with_gap)[:, -1], method(counts)[:, -1])


def models():
    return {**METHODS, "mean-3": mean_of_last(3)}


@pytest.mark.parametrize("name", models())
@pytest.mark.parametrize("make", [store, weekly])
def test_forecasts_have_the_shape_asked_for_and_ordered_quantiles(name, make):
    panel = make()
    asked = panel.keys.take(np.array([3, 1, 1, 2]))
    model = Baseline(models()[name])
    model.fit(panel, asked, 3)
    forecast = model.predict(panel, asked, 3, [50, 80])
    assert forecast.mean.shape == (4, 3)
    assert forecast.quantiles.shape == (4, 3, 5)
    assert np.isfinite(forecast.quantiles).all()
    assert (np.diff(forecast.quantiles, axis=-1) >= 0).all()
    assert forecast.calendar == panel.calendar.after(3)
    np.testing.assert_array_equal(forecast.mean[1], forecast.mean[2])
    if panel.is_count:
        assert (forecast.quantiles == np.rint(forecast.quantiles)).all()
        assert (forecast.quantiles >= 0).all()


def poisson_panel(series, time, rng):
    rate = rng.gamma(0.7, 2, (series, 1))
    target = rng.poisson(rate, (series, time)).astype(np.float32)
    return Panel(
        Keys({"id": np.arange(series)}),
        Calendar("1mo", np.datetime64("2020-01-01"), time),
        target,
        np.zeros(series, np.int32),
    )


@pytest.mark.parametrize("name", ["naive", "seasonal-naive", "mean-3", "croston", "tsb"])
def test_intervals_of_counts_hold_what_they_say(name):
    panel = poisson_panel(3000, 26, np.random.default_rng(2))
    model, known = Baseline(models()[name]), panel.until(24)
    model.fit(known, known.keys, 2)
    forecast = model.predict(known, known.keys, 2, [80])
    low, high = forecast.interval(80)
    truth = panel.target[:, 24:]
    assert (truth <= high).mean() >= 0.89
    assert (truth < low).mean() <= 0.11
    assert (truth > high - 1).mean() >= 0.08  # and are no wider than whole numbers make them
    large = forecast.mean[:, 0] > 3
    assert ((truth >= low) & (truth <= high))[large].mean() == pytest.approx(0.85, abs=0.07)


def test_intervals_of_real_values_follow_each_series_own_errors():
    rng = np.random.default_rng(0)
    size = np.where(np.arange(4000) % 2, 1.0, 20.0)[:, None]
    target = (100 + size * rng.standard_normal((4000, 62))).astype(np.float32)
    panel = Panel(
        Keys({"id": np.arange(4000)}),
        Calendar("1w", np.datetime64("2020-01-06"), 62),
        target,
        np.zeros(4000, np.int32),
        is_count=False,
    )
    known = panel.until(60)
    for name in ("naive", "mean-3"):
        forecast = Baseline(models()[name]).predict(known, known.keys, 2, [80])
        low, high = forecast.interval(80)
        inside = (target[:, 60:] >= low) & (target[:, 60:] <= high)
        for kind in (0, 1):
            assert inside[kind::2].mean() == pytest.approx(0.8, abs=0.05)
        assert np.median((high - low)[::2]) > 10 * np.median((high - low)[1::2])


def test_a_grid_asked_for_is_calibrated_on_grids():
    """Most pairs of a grid never sell; intervals for them must know."""
    rng = np.random.default_rng(0)
    shop, item = np.divmod(np.arange(20 * 200), 200)
    rate = np.where(rng.random(4000) < 0.05, 2.0, 0.0)  # 5% of the pairs sell at all
    target = rng.poisson(rate[:, None], (4000, 25)).astype(np.float32)
    sold = (target[:, :24] > 0).any(axis=1)
    keys = Keys({"shop_id": shop, "item_id": item})
    start = np.where(sold, np.argmax(target > 0, axis=1), 0).astype(np.int32)
    calendar = Calendar("1mo", np.datetime64("2020-01-01"), 24)
    panel = Panel(keys, calendar, target[:, :24], start).take(sold)
    forecast = Baseline(METHODS["naive"]).predict(panel, keys, 1, [80])
    never = ~sold
    assert (forecast.quantile(0.9)[never] == 0).all()
    few = Baseline(METHODS["naive"]).predict(panel, panel.keys, 1, [80])
    assert (few.quantile(0.9) > 0).all()


def test_smoothing_is_chosen_by_past_errors():
    rng = np.random.default_rng(0)
    steady = poisson_panel(300, 30, rng)
    ended = Panel(
        steady.keys,
        steady.calendar,
        np.where(np.arange(30) < 15, 4 + steady.target, 0).astype(np.float32),
        steady.start,
    )
    chosen = []
    for panel in (steady, ended):
        model = Baseline(METHODS["tsb"])
        model.fit(panel, panel.keys, 1)
        chosen.append(model._chosen["alpha_probability"])
    assert chosen[0] < chosen[1]


def test_a_series_without_a_past_gets_zero_or_what_others_have():
    panel = store()
    asked = Keys({"shop_id": np.array([99]), "item_id": np.array([1])})
    assert Baseline(METHODS["naive"]).predict(panel, asked, 1, [80]).mean[0, 0] == 0
    panel = weekly()
    asked = Keys({"unique_id": np.array(["new"])})
    mean = Baseline(METHODS["naive"]).predict(panel, asked, 1, [80]).mean[0, 0]
    assert mean == pytest.approx(smoothing.naive(panel.target.astype(float))[:, -1].mean())


def test_forecasts_that_faded_away_do_not_blow_up_intervals():
    """TSB of an ended series falls by orders of magnitude; a late sale is no factor of that."""
    rng = np.random.default_rng(0)
    past = rng.poisson(2.0, (200, 120)).astype(np.float32)
    past[:, 10:] *= rng.random((200, 110)) < 0.01
    panel = Panel(
        Keys({"item_id": np.arange(200)}),
        Calendar("1w", np.datetime64("2022-01-03"), 120),
        past,
        np.zeros(200, np.int32),
    )
    model = Baseline(METHODS["tsb"])
    model.fit(panel, panel.keys, 1)
    forecast = model.predict(panel, panel.keys, 1, [99.8])
    assert forecast.mean.min() < 1e-3
    assert forecast.interval(99.8)[1].max() <= past.max()
