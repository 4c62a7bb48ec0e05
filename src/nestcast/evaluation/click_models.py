"""The models of clicks that a backtest knows by name."""

from __future__ import annotations

from collections.abc import Callable

from nestcast.errors import OptionError
from nestcast.evaluation import click_boosting
from nestcast.evaluation.models import NETWORK, Model, RecipeModel, network_options
from nestcast.rates.models import EmpiricalBayes, LastWeek, pooled, smoothed
from nestcast.rates.recalibration import METHODS, Recalibrated

_PLAIN: dict[str, Callable[[int], Model]] = {
    "pooled": lambda seed: pooled(),
    "last-week": lambda seed: LastWeek(),
    "ewma": lambda seed: smoothed(),
    "eb": lambda seed: EmpiricalBayes(),
    "eb-moments": lambda seed: EmpiricalBayes(method="moments"),
}


def is_click_model(name: str) -> bool:
    """Whether a model of clicks has this name.

    Example:
        >>> is_click_model("eb-7"), is_click_model("my-model")
        (True, False)
    """
    try:
        click_model(name)
    except OptionError:
        return False
    return True


def click_model(name: str) -> Callable[[int], Model]:
    """What makes the model of this name, from a seed.

    Example:
        >>> type(click_model("eb-7")(0)).__name__, type(click_model("ewma+platt")(0)).__name__
        ('EmpiricalBayes', 'Recalibrated')

    Args:
        name: `nestcast` (the network), `pooled`, `last-week`, `ewma`, `eb` (empirical Bayes),
            `eb-K` (of the last K periods), `eb-moments`, `lightgbm`; each also with `+isotonic` or
            `+platt`, recalibrated.

    Raises:
        OptionError: there is no such model, or the package that it needs is not installed.
    """
    plain, plus, method = name.partition("+")
    if plus:
        if method not in METHODS:
            raise OptionError(f"cannot recalibrate by {method!r}: use {' or '.join(METHODS)}.")
        make = click_model(plain)
        return lambda seed: Recalibrated(lambda: make(seed), method)
    if name in _PLAIN:
        return _PLAIN[name]
    if (options := network_options(name)) is not None:
        return lambda seed: RecipeModel("global", seed, None, **options)
    if name.startswith("eb-") and name.removeprefix("eb-").isdecimal():
        periods = int(name.removeprefix("eb-"))
        if periods > 0:
            return lambda seed: EmpiricalBayes(periods)
    if name == "lightgbm":
        click_boosting.check_installed()
        return click_boosting.ClickBoosting
    known = [NETWORK, *_PLAIN, "eb-7 (or another number)", "lightgbm"]
    raise OptionError(f"unknown model {name!r} of clicks: use any of {', '.join(known)}.")
