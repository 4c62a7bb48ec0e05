"""Simulated campaigns: impressions and clicks of ads, and the true rates behind them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nestcast.data.simulate.sales import at_least, check_folder
from nestcast.data.tables import write_table
from nestcast.errors import OptionError
from nestcast.files import replacing

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

FIRST_DAY = np.datetime64("2024-01-01")
_FILES = frozenset(["ads.csv", "truth.csv", "plan.csv"])
_PLACEMENTS = ("feed", "search", "sidebar", "story", "video")
_AHEAD = 30  # days after the last one whose truth is written

_USUAL_RATE = 0.006
_CAMPAIGN, _PLACEMENT, _AD = 0.5, 0.6, 0.45  # spread of log-odds that each brings
_DRIFT = 0.04  # of a campaign's log-odds from day to day, drawn back by a tenth each day
_NOISE = 0.08  # of an ad's log-odds on a day
_WEEK = np.array([0.02, 0.0, -0.02, -0.03, 0.0, 0.06, 0.08])  # Monday to Sunday, in log-odds
_SHOWN_IN_WEEK = np.array([1.0, 1.05, 1.05, 1.0, 0.95, 0.85, 0.8])
_SHARE_AT_FIRST = 0.4  # of ads, that run on the first day already


@dataclass(frozen=True)
class AdsSize:
    """How large a simulated account is."""

    campaigns: int
    ads: int
    days: int


ADS_SIZES = {
    "demo": AdsSize(campaigns=4, ads=60, days=90),
    "small": AdsSize(campaigns=8, ads=300, days=120),
    "full": AdsSize(campaigns=40, ads=8_000, days=365),
}


@dataclass(frozen=True)
class _Account:
    """What does not depend on chance from day to day; shapes (ads,) unless said.

    Args:
        campaign, placement: of each ad.
        start, stop: first day, and first day no more.
        log_odds: of a click on the first impression of an ad.
        shown: impressions on a usual day.
        fatigue: by how much log-odds have fallen once 100,000 impressions have been shown.
        campaign_drift: added on each day, shape (campaigns, days).
        cost: of a thousand impressions; value: of a click.
    """

    campaign: Integers
    placement: Integers
    start: Integers
    stop: Integers
    log_odds: Floats
    shown: Floats
    fatigue: Floats
    campaign_drift: Floats
    cost: Floats
    value: Floats


def simulate_ads(
    folder: str | Path,
    size: str = "small",
    *,
    campaigns: int | None = None,
    ads: int | None = None,
    days: int | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> AdsSize:
    """Write simulated campaigns, with the true rates of each day and of the 30 that follow.

    Campaigns and their ads are launched and end; an ad's rate has what its campaign, its placement
    and it itself bring, falls with what has been shown of it (fatigue), moves with its campaign
    from day to day, and is higher at weekends; clicks are rare. The folder holds `ads.csv` (date,
    campaign, placement, ad, impressions, clicks, cost, revenue), `truth.csv` (date, keys, the true
    `rate`, and impressions and clicks, 30 days longer) and `plan.csv` (the impressions of those
    days, as for `--exposure-plan`). The same seed and size give the same bytes.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()) / "account"
        >>> simulate_ads(folder, "demo", days=28)
        AdsSize(campaigns=4, ads=60, days=28)
        >>> sorted(path.name for path in folder.iterdir())
        ['ads.csv', 'plan.csv', 'truth.csv']

    Args:
        folder: where to; new or empty.
        size: `demo`, `small` or `full`.
        campaigns, ads, days: numbers, instead of the size's.
        seed: of the random numbers.
        overwrite: replace a simulated data set that is there.

    Raises:
        OptionError: an unknown size, a number too small, or a folder that is in use.
    """
    if size not in ADS_SIZES:
        raise OptionError(f"unknown size {size!r}: use one of {', '.join(ADS_SIZES)}.")
    usual = ADS_SIZES[size]
    wanted = AdsSize(
        at_least(1, campaigns, usual.campaigns, "campaigns"),
        at_least(1, ads, usual.ads, "ads"),
        at_least(2, days, usual.days, "days"),
    )
    if seed < 0:
        raise OptionError(f"the seed must be 0 or more, not {seed}.")
    folder = Path(folder)
    check_folder(folder, _FILES, overwrite)
    rng = np.random.default_rng(seed)
    account = _open_account(wanted, rng)
    day, ad, shown, rate = _impressions(account, wanted.days + _AHEAD, rng)
    if not (day < wanted.days).any():
        raise OptionError("no ad is shown on any day: ask for more ads, or for another seed.")
    clicks = rng.binomial(shown, rate)
    table = {
        "date": FIRST_DAY + day,
        "campaign": _named("campaign ", account.campaign)[ad],
        "placement": np.array(_PLACEMENTS)[account.placement[ad]],
        "ad": _named("ad ", np.arange(wanted.ads))[ad],
        "impressions": shown,
        "clicks": clicks,
    }
    money = {
        "cost": np.round(shown * account.cost[ad] / 1000, 4),
        "revenue": np.round(clicks * account.value[ad], 4),
    }
    past, ahead = day < wanted.days, day >= wanted.days
    with replacing(folder) as aside:
        aside.mkdir()
        rows = {name: values[past] for name, values in (table | money).items()}
        write_table(rows, aside / "ads.csv")
        write_table(table | {"rate": rate}, aside / "truth.csv")
        plan = {name: values[ahead] for name, values in table.items() if name != "clicks"}
        write_table(plan, aside / "plan.csv")
    return wanted


def _named(prefix: str, number: Integers) -> NDArray[np.str_]:
    width = len(str(number.max(initial=0) + 1))
    return np.array([f"{prefix}{one + 1:0{width}d}" for one in number.tolist()])


def _open_account(wanted: AdsSize, rng: np.random.Generator) -> _Account:
    days = wanted.days + _AHEAD
    campaign = np.sort(rng.integers(0, wanted.campaigns, wanted.ads))
    placement = rng.integers(0, len(_PLACEMENTS), wanted.ads)
    opens = rng.integers(0, max(days - 14, 1), wanted.campaigns)
    opens[: max(wanted.campaigns // 2, 1)] = 0
    start = np.maximum(rng.integers(0, days, wanted.ads), opens[campaign])
    start[rng.random(wanted.ads) < _SHARE_AT_FIRST] = 0
    start = np.maximum(start, opens[campaign])
    life = np.ceil(rng.lognormal(3.7, 0.8, wanted.ads)).astype(np.int64)
    of_campaign = rng.normal(0, _CAMPAIGN, wanted.campaigns)
    both = rng.normal(0, _PLACEMENT / 2, (wanted.campaigns, len(_PLACEMENTS)))
    of_placement = rng.normal(0, _PLACEMENT, len(_PLACEMENTS))
    drift = np.zeros((wanted.campaigns, days))
    for day in range(1, days):
        drift[:, day] = 0.9 * drift[:, day - 1] + rng.normal(0, _DRIFT, wanted.campaigns)
    return _Account(
        campaign=campaign,
        placement=placement,
        start=start,
        stop=start + life,
        log_odds=np.log(_USUAL_RATE)
        + of_campaign[campaign]
        + of_placement[placement]
        + both[campaign, placement]
        + rng.normal(0, _AD, wanted.ads),
        shown=rng.lognormal(6.0, 1.5, wanted.ads),
        fatigue=rng.uniform(0.1, 0.9, wanted.ads),
        campaign_drift=drift,
        cost=rng.lognormal(0.0, 0.4, wanted.campaigns)[campaign],
        value=rng.lognormal(-1.7, 0.5, wanted.campaigns)[campaign],
    )


def _impressions(
    account: _Account, days: int, rng: np.random.Generator
) -> tuple[Integers, Integers, Integers, Floats]:
    """Day, ad, impressions and true rate of each row with impressions, by day and ad."""
    parts: list[tuple[Integers, Integers, Integers, Floats]] = []
    so_far = np.zeros(len(account.start))
    level = rng.normal(0, 0.3, len(account.start))  # how much more is shown of it than usually
    for day in range(days):
        on = np.flatnonzero((account.start <= day) & (day < account.stop))
        level = 0.8 * level + rng.normal(0, 0.25, len(level))
        weekday = day % 7  # 1 January 2024 was a Monday
        expected = account.shown[on] * _SHOWN_IN_WEEK[weekday] * np.exp(level[on])
        shown = rng.poisson(expected)
        # Fatigue grows with the logarithm of what has been shown.
        tired = account.fatigue[on] * np.log1p(so_far[on] / 1000) / np.log1p(100)
        odds = account.log_odds[on] - tired + _WEEK[weekday]
        odds += account.campaign_drift[account.campaign[on], day]
        odds += rng.normal(0, _NOISE, len(on))
        seen = shown > 0
        rate = 1 / (1 + np.exp(-odds[seen]))
        parts.append((np.full(seen.sum(), day), on[seen], shown[seen], rate))
        so_far[on] += shown
    day_, ad, shown_, rate_ = (np.concatenate(column) for column in zip(*parts, strict=True))
    return day_, ad, shown_, rate_
