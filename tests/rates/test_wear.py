import numpy as np
import pytest
from scipy import special

from nestcast.rates.wear import Wear, fit_wear


def _shown(rng, series=300, time=60):
    start = rng.integers(0, time, (series, 1))
    shown = rng.poisson(300 * rng.lognormal(0, 1, (series, 1)), (series, time)).astype(float)
    return np.where(np.arange(time) >= start, shown, 0)


@pytest.mark.parametrize("wear", [Wear(-0.15, 1000.0), Wear(0.1, 100.0), Wear(0.0)])
def test_wear_is_found_whatever_moves_all_series_and_whichever_are_shown_much(wear):
    rng = np.random.default_rng(0)
    shown = _shown(rng)
    of_series = np.log(0.02) + 0.3 * np.log(shown.max(axis=1, keepdims=True) / 300)
    of_period = np.linspace(0, -0.8, shown.shape[1])  # all rates fall, for another reason
    rate = special.expit(of_series + of_period + wear.before(shown)[:, :-1])
    found = fit_wear(rng.binomial(shown.astype(int), rate).astype(float), shown)
    assert found.slope == pytest.approx(wear.slope, abs=0.02)
    if wear.slope:
        assert found.scale == wear.scale


def test_without_wear_every_period_has_the_log_odds_of_the_first():
    rng = np.random.default_rng(0)
    shown, wear = _shown(rng), Wear(-0.3, 100.0)
    odds = rng.normal(-1, 1, (len(shown), 1))  # also where clicks are many
    clicks = shown * special.expit(odds + wear.before(shown)[:, :-1])
    unworn = wear.unworn(clicks, shown)
    on = shown > 0
    np.testing.assert_allclose(
        special.logit(clicks[on] / unworn[on]), np.broadcast_to(odds, on.shape)[on], rtol=1e-9
    )
    assert (clicks <= unworn).all()


def test_nothing_clicked_or_everything_or_shown_once_wears_nothing():
    shown = np.full((3, 5), 10.0)
    assert fit_wear(np.zeros((3, 5)), shown) == Wear(0.0)
    assert abs(fit_wear(shown, shown).slope) < 1e-6
    assert fit_wear(np.ones((3, 1)), np.ones((3, 1))).slope == 0
