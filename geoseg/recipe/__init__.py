"""`Recipe`: one TOML file that holds everything which must agree along the way."""

from geoseg.recipe.recipe import Recipe, recipe_schema, recipe_text, shipped_recipes
from geoseg.recipe.sections import (
    DEFAULT_WIDTHS,
    ChipsRecipe,
    ClassRecipe,
    ImageRecipe,
    LabelsRecipe,
    MapRecipe,
    PredictRecipe,
    RefineRecipe,
)
from geoseg.recipe.training import AugmentRecipe, TrainRecipe

__all__ = [
    "DEFAULT_WIDTHS", "AugmentRecipe", "ChipsRecipe", "ClassRecipe", "ImageRecipe",
    "LabelsRecipe", "MapRecipe", "PredictRecipe", "Recipe", "RefineRecipe", "TrainRecipe",
    "recipe_schema", "recipe_text", "shipped_recipes",
]
