"""Ways to forecast: each recipe fits, predicts, and says what must be saved."""

from collections.abc import Mapping
from typing import Any

from nestcast.boosting.trees import is_installed
from nestcast.errors import OptionError
from nestcast.recipes.base import Recipe
from nestcast.recipes.ensemble import Ensemble
from nestcast.recipes.global_network import GlobalNetwork
from nestcast.recipes.rate_network import RateNetwork
from nestcast.recipes.seed import SeedRecipe

RECIPES: dict[str, type[Recipe]] = {
    recipe.name: recipe for recipe in (GlobalNetwork, Ensemble, SeedRecipe, RateNetwork)
}


def recipe_named(name: str) -> type[Recipe]:
    """The recipe of this name.

    Raises:
        OptionError: there is none.
    """
    if name not in RECIPES:
        raise OptionError(f"unknown recipe {name!r}: use one of {', '.join(RECIPES)}.")
    return RECIPES[name]


def make_recipe(name: str | None, clipped: bool, options: Mapping[str, Any]) -> Recipe:
    """A recipe that has learned nothing.

    Args:
        name: of the recipe; None for `global`, or with the effort `best` for `ensemble` where
            LightGBM is installed.
        clipped: whether the target is clipped: its errors then count in its own units.
        options: of the networks; None stands for its default.

    Raises:
        OptionError: no such recipe, or it does not take an option.
    """
    given = {option: value for option, value in options.items() if value is not None}
    if name is None:
        with_trees = given.get("effort") == "best" and is_installed()
        name = Ensemble.name if with_trees else GlobalNetwork.name
    recipe = recipe_named(name)
    if recipe is GlobalNetwork or recipe is Ensemble:
        return recipe(squared=clipped, **given)
    if recipe is RateNetwork:
        for option in ("known_assortment", "tuning", "members"):
            if option in given:
                what = option.replace("_", " ")
                raise OptionError(f"the option {what} is for sales: leave it out.")
        return RateNetwork(**given)
    if given:
        raise OptionError(
            f"the recipe {name} has no choice of {next(iter(given))}: leave it out, or use global."
        )
    return recipe()


__all__ = [
    "RECIPES",
    "Ensemble",
    "GlobalNetwork",
    "RateNetwork",
    "Recipe",
    "SeedRecipe",
    "make_recipe",
    "recipe_named",
]
