"""`Recipe`: one TOML file that holds everything which must agree along the way.

Classes with their OpenStreetMap tags and land-cover codes, road widths in metres, bands, chips,
augmentation, network, loss, and how to turn probabilities into a map. Paths stay out of it, so that
one recipe serves many places. An unknown key is an error that names the nearest known one.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from geoseg.errors import RecipeError
from geoseg.geo.legend import Legend, LegendClass
from geoseg.recipe.base import Section
from geoseg.recipe.formula import check_loss
from geoseg.recipe.sections import (
    ChipsRecipe,
    ClassRecipe,
    ImageRecipe,
    LabelsRecipe,
    MapRecipe,
    PredictRecipe,
    RefineRecipe,
)
from geoseg.recipe.training import AugmentRecipe, TrainRecipe


class Recipe(Section):
    """Everything that must agree between labels, training, prediction and maps."""

    name: str
    """Short name of the recipe."""
    description: str = ""
    """One sentence for the analyst."""
    task: Literal["exclusive", "overlapping"] = "exclusive"
    """`exclusive`: each pixel has one class. `overlapping`: each class is a yes or no."""
    licence: str = ""
    """Licence and attribution that a model trained with this recipe shall carry."""
    georeferenced: bool = True
    """False for images without a place on the Earth; everything then happens in pixels."""
    classes: Annotated[list[ClassRecipe], Field(alias="class", min_length=1, max_length=250)]
    """The classes in burn order: where sources overlap, the later class wins."""
    labels: LabelsRecipe = LabelsRecipe()
    image: ImageRecipe = ImageRecipe()
    chips: ChipsRecipe = ChipsRecipe()
    augment: AugmentRecipe = AugmentRecipe()
    train: TrainRecipe = TrainRecipe()
    predict: PredictRecipe = PredictRecipe()
    refine: RefineRecipe = RefineRecipe()
    map: MapRecipe = MapRecipe()

    @field_validator("classes")
    @classmethod
    def _names_differ(cls, classes: list[ClassRecipe]) -> list[ClassRecipe]:
        names = [item.name for item in classes]
        doubles = sorted({name for name in names if names.count(name) > 1})
        if doubles:
            raise ValueError(f"two classes are called {doubles[0]!r}")
        return classes

    @model_validator(mode="after")
    def _references_hold(self) -> Recipe:
        if self.task == "exclusive" and len(self.classes) < 2:
            raise ValueError("needs at least two classes; add a background class")
        if self.task == "exclusive" and self.train.presence:
            raise ValueError("train.presence asks whether a class occurs at all, which needs "
                             "overlapping classes; set it to 0 or task to overlapping")
        if self.train.deep_supervision and self.train.network != "nested-unet":
            raise ValueError("train.deep_supervision needs train.network nested-unet; change one")
        check_loss(self.train.loss, len(self.classes), overlapping=self.task == "overlapping")
        names = [item.name for item in self.classes]
        wanted = [name for name in (self.map.water, self.map.objects) if name]
        if isinstance(self.map.threshold, dict):
            wanted += list(self.map.threshold)
        for name in wanted:
            if name not in names:
                raise ValueError(f"[map] names class {name!r}, which is not defined")
        return self

    @property
    def legend(self) -> Legend:
        """The classes with their values 0, 1, 2, ... in recipe order."""
        return Legend(tuple(LegendClass(value, item.name, item.color.lower())
                            for value, item in enumerate(self.classes)),
                      overlapping=self.task == "overlapping")

    def without(self, *sections: str) -> Recipe:
        """Return the recipe with the named sections at their defaults.

        Two recipes that agree without the sections that a step does not use make the same product
        in that step.
        """
        return self.model_copy(update={
            name: type(self).model_fields[name].get_default() for name in sections})

    @classmethod
    def of(cls, recipe: Recipe | str | Path) -> Recipe:
        """Return a recipe as it is, or read it; what every verb does with its argument."""
        return recipe if isinstance(recipe, Recipe) else cls.read(recipe)

    @classmethod
    def read(cls, source: str | Path) -> Recipe:
        """Read a recipe from a TOML file, or a shipped one by its name.

        Raises:
            RecipeError: No such recipe, not TOML, an unknown key, or a value out of range.
        """
        path = Path(source)
        if path.suffix != ".toml":
            return cls.parse(recipe_text(str(source)).encode(), str(source))
        if not path.is_file():
            raise RecipeError(path, "does not exist", "Check the path")
        return cls.parse(path.read_bytes(), str(source))

    @classmethod
    def parse(cls, text: bytes, subject: str = "recipe") -> Recipe:
        """Parse the bytes of a TOML recipe.

        Raises:
            RecipeError: See `read`.
        """
        try:
            data = tomllib.loads(text.decode("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RecipeError(subject, f"is not valid TOML ({error})", "Mend that line") from error
        return cls.from_dict(data, subject)

    @classmethod
    def from_dict(cls, data: dict[str, Any], subject: str = "recipe", *,
                  cure: str = "Correct it in the recipe") -> Recipe:
        """Check values as they would stand in a TOML file; the inverse of `to_dict`.

        Raises:
            RecipeError: An unknown key, or a value out of range, which `cure` tells how to mend.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise RecipeError(subject, *_explain(error, cure)) from error

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as JSON-ready values, as it would stand in a TOML file."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def shipped_recipes() -> tuple[str, ...]:
    """Return the names of the recipes that come with geoseg."""
    folder = resources.files("geoseg") / "recipes"
    return tuple(sorted(item.name.removesuffix(".toml") for item in folder.iterdir()
                        if item.name.endswith(".toml")))


def recipe_text(name: str) -> str:
    """Return the TOML text of a shipped recipe.

    Raises:
        RecipeError: There is no recipe of that name.
    """
    if name not in shipped_recipes():
        raise RecipeError(name, "is neither a .toml file nor a shipped recipe",
                          f"Shipped are {', '.join(shipped_recipes())}")
    return (resources.files("geoseg") / "recipes" / f"{name}.toml").read_text(encoding="utf-8")


def recipe_schema() -> dict[str, Any]:
    """Return the JSON schema of recipes, for editors that complete and check TOML."""
    return Recipe.model_json_schema(by_alias=True)


def _explain(error: ValidationError, cure: str) -> tuple[str, str]:
    """Turn the first of pydantic's findings into (found, cure)."""
    first = error.errors()[0]
    place = ".".join(str(step) for step in first["loc"])
    if first["type"] == "extra_forbidden":
        *section, name = first["loc"]
        known = _known_keys(tuple(section))
        nearest = _elsewhere(str(name)) if not section else []
        nearest += difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
        hint = f"Did you mean {nearest[0]!r}?" if nearest else "Remove it."
        return f"has an unknown key {place}", f"{hint} Known here: {', '.join(sorted(known))}"
    if first["type"] == "literal_error":
        return _explain_choice(place, first)
    message = first["msg"].removeprefix("Value error, ")
    given = first.get("input")
    shown = f" (given: {given!r})" if isinstance(given, str | int | float) else ""
    lead = f"{place}: " if place else ""
    return f"{lead}{message[:1].lower() + message[1:]}{shown}", cure


def _explain_choice(place: str, error: ErrorDetails) -> tuple[str, str]:
    """Say which of the choices is nearest to an unknown name, and which there are."""
    given, known = str(error["input"]), re.findall("'([^']*)'", error["ctx"]["expected"])
    nearest = difflib.get_close_matches(given.lower(), known, n=1, cutoff=0.5)
    hint = f"Did you mean {nearest[0]!r}? " if nearest else ""
    return f"{place}: {given!r} is not known", f"{hint}Known are {', '.join(known)}"


def _elsewhere(name: str) -> list[str]:
    """Return the dotted names of the keys in sections that are called so."""
    return [f"{section}.{name}" for section, field in Recipe.model_fields.items()
            if isinstance(field.default, BaseModel) and name in _known_keys((section,))]


def _known_keys(place: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Recipe
    for step in place:
        if isinstance(step, str):
            model = ClassRecipe if step == "class" else type(
                Recipe.model_fields[step].get_default())
    return [field.alias or name for name, field in model.model_fields.items()]
