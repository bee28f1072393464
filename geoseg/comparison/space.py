"""What is compared: all combinations of what varies, and the recipes that come of them."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from geoseg.class_table import assemble_recipe
from geoseg.comparison.axes import (
    NAMED,
    Choices,
    Range,
    keys_of,
    read_axis,
    read_settings,
    split_text,
)
from geoseg.errors import RecipeError
from geoseg.recipe import Recipe

Point = Mapping[str, Any]
"""One place in a space: by axis, the label of a choice or a number within a range."""

_MATTERS = ("train", "augment", "image")
_MOST_POINTS = 5000
_LONGEST_FOLDER = 48


@dataclass(frozen=True, eq=False)
class Setting:
    """One setting to compare: a recipe, and what distinguishes it."""

    name: str
    """As it stands in tables and charts."""
    values: Mapping[str, object]
    """What distinguishes it, by dotted key."""
    recipe: Recipe
    """The recipe, with whatever seed."""

    @cached_property
    def folder(self) -> str:
        """Name of the folder of its runs: readable, and unlike that of any other recipe."""
        slug = re.sub(r"[^A-Za-z0-9.+]+", "-", self.name)[:_LONGEST_FOLDER].strip("-.")
        return f"{slug}-{trained_hash(self.with_seed(0))[:8]}"

    def with_seed(self, seed: int) -> Recipe:
        """Return the recipe with a seed."""
        train = self.recipe.train.model_copy(update={"seed": seed})
        return self.recipe.model_copy(update={"train": train})


@dataclass(frozen=True)
class Space:
    """Everything that may be tried: every combination of places on its axes."""

    base: Recipe
    """The recipe that is varied."""
    axes: tuple[Choices | Range, ...]
    """What is varied."""

    @classmethod
    def of(cls, base: Recipe, vary: Mapping[str, Sequence[object] | str] | Sequence[str] | None,
           settings: Sequence[Mapping[str, object]] | str | Path | None) -> Space:
        """Read what the caller wants to compare.

        Args:
            base: The recipe that is varied.
            vary: By dotted key, values, or a text `1e-4..1e-2` for a range; or texts
                `KEY=A|B|C` with values as `parse_setting` reads them.
            settings: Named settings, see `read_settings`; each is combined with all that varies.

        Raises:
            RecipeError: Nothing varies, something is written wrongly or given twice, or a key
                does not change what is compared.
        """
        axes: list[Choices | Range] = []
        named = read_settings(settings) if settings is not None else {}
        if named:
            axes.append(Choices(NAMED, named))
        pairs = vary.items() if isinstance(vary, Mapping) else map(split_text, vary or ())
        axes += [read_axis(key, values) for key, values in pairs]
        if not axes:
            raise RecipeError("comparison", "has nothing to compare", "Vary a setting, as in "
                              '--vary train.loss="ce|dice", or give named settings')
        keys = [key for axis in axes for key in keys_of(axis)]
        doubles = [key for key in keys if keys.count(key) > 1]
        if doubles:
            raise RecipeError(doubles[0], "is varied twice", "Name each key in one place")
        for key in keys:
            _check_key(key)
        return cls(base, tuple(axes))

    @property
    def is_grid(self) -> bool:
        """Whether the space has points that can be counted."""
        return all(isinstance(axis, Choices) for axis in self.axes)

    def points(self) -> Iterator[dict[str, Any]]:
        """Yield all points; of ranges their ends."""
        for corner in itertools.product(*(axis.corners for axis in self.axes)):
            yield dict(zip((axis.key for axis in self.axes), corner, strict=True))

    def setting(self, point: Point) -> Setting:
        """Return the setting at a point.

        Raises:
            RecipeError: A key is unknown or a value out of range, or they do not go together.
        """
        values: dict[str, object] = {}
        for axis in self.axes:
            values |= axis.at(point[axis.key])
        name = " · ".join(axis.word(point[axis.key]) for axis in self.axes)
        try:
            return Setting(name, values, assemble_recipe(self.base, settings=values))
        except RecipeError as error:
            raise RecipeError(f"setting {name}", f"has a mistake: {error.found}",
                              error.cure) from error

    def settings(self) -> list[Setting]:
        """Return all settings; of ranges those at their ends.

        Raises:
            RecipeError: See `setting`; or there are far too many.
        """
        count = math.prod(len(axis.corners) for axis in self.axes)
        if count > _MOST_POINTS:
            raise RecipeError("comparison", f"has {count:,} settings",
                              f"Vary less; {_MOST_POINTS:,} are possible")
        return [self.setting(point) for point in self.points()]


def trained_hash(recipe: Recipe) -> str:
    """Return a hash of everything in a recipe that a training on a given plan depends on."""
    data = recipe.without("labels", "chips", "predict", "refine", "map").to_dict()
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _check_key(key: str) -> None:
    section = key.split(".")[0]
    if key == "train.seed":
        raise RecipeError(key, "is varied, but it is not a setting to choose by",
                          "Say with --seeds how many seeds each setting is trained with")
    if section in ("labels", "chips"):
        raise RecipeError(key, "cannot be varied, since all settings share one chip plan",
                          "Make a plan for each, and compare in a folder for each")
    if section in ("predict", "refine", "map"):
        raise RecipeError(key, "does not change the trained network, which is what is scored",
                          "Map with each, and evaluate the maps")
    if "." in key and section not in _MATTERS and section in Recipe.model_fields:
        raise RecipeError(key, "cannot be varied", f"Vary keys of {', '.join(_MATTERS)}")
