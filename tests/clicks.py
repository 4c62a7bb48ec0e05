"""Small panels of impressions and clicks for tests."""

import numpy as np

from nestcast.data import Calendar, Keys, Panel


def account(campaigns=3, ads=8, days=32, seed=0, shown=400.0, concentration=400.0):
    """Ads of campaigns with different rates, that begin on different days."""
    rng = np.random.default_rng(seed)
    campaign = np.repeat(np.arange(campaigns), ads)
    rate = np.array([0.01, 0.03, 0.08, 0.02])[campaign % 4]
    rate = rng.beta(rate * concentration, (1 - rate) * concentration)
    start = rng.integers(0, days // 2, len(campaign)).astype(np.int32)
    start[::ads] = 0
    impressions = rng.poisson(shown * rng.lognormal(0, 1, (len(campaign), 1)), (len(rate), days))
    impressions[np.arange(days) < start[:, None]] = 0
    clicks = rng.binomial(impressions, rate[:, None])
    return Panel(
        Keys({"campaign": campaign, "ad": np.arange(len(campaign))}),
        Calendar("1d", np.datetime64("2024-01-01"), days),
        clicks.astype(np.float32),
        start,
        target_name="clicks",
        time_name="date",
        exposure=impressions.astype(np.float32),
        observed={
            "cost": (impressions * 0.002).astype(np.float32),
            "revenue": (clicks * 0.1 * (1 + campaign[:, None])).astype(np.float32),
        },
    )
