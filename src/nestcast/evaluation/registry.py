"""The models a backtest knows by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nestcast.boosting import trees
from nestcast.errors import OptionError
from nestcast.evaluation import exponential
from nestcast.evaluation.baselines import METHODS, Baseline, mean_of_last
from nestcast.evaluation.click_models import click_model
from nestcast.evaluation.models import NETWORK, Model, RecipeModel, network_options

_MEAN = "mean-"


@dataclass(frozen=True)
class Contender:
    """A model to compare.

    Args:
        name: how results call it.
        make: makes one that has learned nothing, from a seed.
        random: whether the seed matters; without, it runs once.
    """

    name: str
    make: Callable[[int], Model]
    random: bool = False


def contender(
    name: str,
    clip: tuple[float, float] | None = None,
    *,
    of_clicks: bool = False,
    known_assortment: bool = False,
) -> Contender:
    """The model of this name.

    Example:
        >>> contender("mean-3").name, contender("nestcast").random
        ('mean-3', True)

    Args:
        name: `nestcast`, also as `nestcast-quick` or `nestcast-best` and with another cell, as in
            `nestcast-gru` or `nestcast-quick-lstm`; `seed` (the classical recipe), `zero`, `naive`,
            `seasonal-naive`, `mean-K` (of the last K periods), `croston`, `sba`, `tsb`, `ets` or
            `lightgbm`.
        clip: ends into which the target and the forecast are clipped.
        of_clicks: whether rates of clicks are to be forecast; see `click_models.click_model`.
        known_assortment: whether networks and trees know that what is asked for is all that will
            be sold.

    Raises:
        OptionError: there is no such model, or the package that it needs is not installed.
    """
    if of_clicks:
        return Contender(name, click_model(name), random=name.startswith(("lightgbm", "nestcast")))
    if name == "seed":
        return Contender(name, lambda seed: RecipeModel("seed", seed, clip), random=True)
    if (options := network_options(name)) is not None:
        options["known_assortment"] = known_assortment
        return Contender(name, lambda seed: RecipeModel(None, seed, clip, **options), random=True)
    if name in METHODS:
        return Contender(name, lambda seed: Baseline(METHODS[name]))
    if name.startswith(_MEAN) and name.removeprefix(_MEAN).isdecimal():
        k = int(name.removeprefix(_MEAN))
        if k > 0:
            return Contender(name, lambda seed: Baseline(mean_of_last(k)))
    if name == "ets":
        exponential.check_installed()
        return Contender(name, lambda seed: exponential.AutoETS())
    if name == "lightgbm":
        trees.check_installed()
        return Contender(
            name,
            lambda seed: trees.Boosting(seed, known_assortment=known_assortment),
            random=True,
        )
    known = [NETWORK, "nestcast-quick", "seed", *METHODS, "mean-3", "ets", "lightgbm"]
    raise OptionError(f"unknown model {name!r}: use any of {', '.join(known)}.")


def contenders(
    models: Sequence[str | Contender],
    clip: tuple[float, float] | None = None,
    *,
    of_clicks: bool = False,
    known_assortment: bool = False,
) -> list[Contender]:
    """Several models, by name or as they are.

    Raises:
        OptionError: none or one twice, or see `contender`.
    """
    entered = [
        contender(one, clip, of_clicks=of_clicks, known_assortment=known_assortment)
        if isinstance(one, str)
        else one
        for one in models
    ]
    if not entered:
        raise OptionError("a backtest needs at least one model.")
    names = [one.name for one in entered]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise OptionError(f"the model {twice[0]} is named twice: name it once.")
    return entered
