"""Ways to forecast: each recipe fits, predicts, and says what must be saved."""

from nestcast.errors import OptionError
from nestcast.recipes.base import Recipe
from nestcast.recipes.global_network import GlobalNetwork
from nestcast.recipes.seed import SeedRecipe

RECIPES: dict[str, type[Recipe]] = {recipe.name: recipe for recipe in (GlobalNetwork, SeedRecipe)}


def recipe_named(name: str) -> type[Recipe]:
    """The recipe of this name.

    Raises:
        OptionError: there is none.
    """
    if name not in RECIPES:
        raise OptionError(f"unknown recipe {name!r}: use one of {', '.join(RECIPES)}.")
    return RECIPES[name]


__all__ = ["RECIPES", "GlobalNetwork", "Recipe", "SeedRecipe", "recipe_named"]
