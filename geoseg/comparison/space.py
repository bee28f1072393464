"""What is compared: named settings and values to vary, and the recipes that come of them."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from geoseg.class_table import assemble_recipe, parse_setting
from geoseg.errors import RecipeError
from geoseg.recipe import Recipe

Point = Mapping[str, Any]
"""One place in a space: by axis, the label of a choice or a number within a range."""

NAMED = "setting"
"""The axis of named settings."""
_MATTERS = ("train", "augment", "image")
_MOST_POINTS = 5000
_LONGEST_FOLDER = 48
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})")


@dataclass(frozen=True)
class Choices:
    """An axis with a few values."""

    key: str
    """Dotted recipe key, or `NAMED`."""
    values: Mapping[str, Mapping[str, object]]
    """By label: the recipe's values by dotted key."""

    def at(self, label: str) -> Mapping[str, object]:
        """Return the recipe's values at a label."""
        return self.values[label]

    @property
    def corners(self) -> Sequence[str]:
        """The places that stand for all when settings are checked: each of them."""
        return list(self.values)

    def word(self, label: str) -> str:
        """Return what names a setting at this place."""
        value = self.values[label].get(self.key)
        speaks = self.key == NAMED or isinstance(value, str)
        return label if speaks else f"{_short(self.key)} {label}"


@dataclass(frozen=True)
class Range:
    """An axis of numbers, tried on a logarithmic scale if it spans more than a factor of ten."""

    key: str
    """Dotted recipe key."""
    low: float
    """Smallest value."""
    high: float
    """Largest value."""
    whole: bool
    """Whether only whole numbers are meant."""

    @property
    def logarithmic(self) -> bool:
        """Whether values are drawn by their logarithm."""
        return self.low > 0 and self.high / self.low > 10

    def at(self, value: float) -> Mapping[str, object]:
        """Return the recipe's values at a number."""
        return {self.key: int(value) if self.whole else float(value)}

    @property
    def corners(self) -> Sequence[float]:
        """Both ends."""
        return [self.low, self.high]

    def word(self, value: float) -> str:
        """Return what names a setting at this place."""
        return f"{_short(self.key)} {value:.4g}"


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
    """Everything that may be tried.

    Args of settings are taken in this order: the base, named settings, varied values.
    """

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
        pairs = vary.items() if isinstance(vary, Mapping) else map(_split, vary or ())
        axes += [_axis(key, values) for key, values in pairs]
        if not axes:
            raise RecipeError("comparison", "has nothing to compare", "Vary a setting, as in "
                              '--vary train.loss="ce|dice", or give named settings')
        keys = [key for axis in axes for key in _keys(axis)]
        doubles = [key for axis in axes[1:] for key in _keys(axis) if key in _keys(axes[0])]
        doubles += [axis.key for axis in axes if keys.count(axis.key) > 1]
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


def read_settings(given: Sequence[Mapping[str, object]] | str | Path
                  ) -> dict[str, Mapping[str, object]]:
    """Return named settings: by name, recipe values by dotted key.

    Args:
        given: Mappings with a `name` and recipe values, by dotted key or in tables; or a TOML file
            that holds such as `[[setting]]` tables.

    Raises:
        RecipeError: The file cannot be read, or a name is missing or given twice.
    """
    subject = str(given) if isinstance(given, str | Path) else "settings"
    rows = _read_file(Path(given)) if isinstance(given, str | Path) else given
    found: dict[str, Mapping[str, object]] = {}
    for place, row in enumerate(rows, start=1):
        name = str(row.get("name", "")).strip()
        if not name:
            raise RecipeError(f"{subject}, setting {place}", "has no name", "Give it one")
        if name in found:
            raise RecipeError(f"{subject}, setting {place}", f"is called {name!r} like one above",
                              "Give every setting a name of its own")
        found[name] = _flat({key: value for key, value in row.items() if key != "name"})
    if not found:
        raise RecipeError(subject, "holds no settings", "Write each as a [[setting]] table")
    return found


def trained_hash(recipe: Recipe) -> str:
    """Return a hash of everything in a recipe that a training on a given plan depends on."""
    data = recipe.without("labels", "chips", "predict", "refine", "map").to_dict()
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _read_file(path: Path) -> list[dict[str, object]]:
    if not path.is_file():
        raise RecipeError(path, "does not exist", "Check the path")
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecipeError(path, f"is not valid TOML ({error})", "Mend that line") from error
    rows = data.get(NAMED, [])
    if set(data) - {NAMED} or not isinstance(rows, list):
        raise RecipeError(path, "holds more than [[setting]] tables",
                          "Write each setting as [[setting]], with a name and recipe keys such as "
                          "train.loss")
    return rows


def _flat(values: Mapping[str, object]) -> dict[str, object]:
    """Return `{"train": {"loss": "ce"}}`, as TOML has it, as `{"train.loss": "ce"}`."""
    flat: dict[str, object] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and "." not in key:
            flat |= {f"{key}.{inner}": item for inner, item in value.items()}
        else:
            flat[key] = value
    return flat


def _split(text: str) -> tuple[str, Sequence[object] | str]:
    """Split `KEY=A|B|C` into the key and its values."""
    key, equals, values = (part.strip() for part in text.partition("="))
    if not key or not equals or not values:
        raise RecipeError(f"vary {text!r}", "is not KEY=VALUE|VALUE",
                          'Write it as in train.loss="ce|dice"')
    if _RANGE.fullmatch(values):
        return key, values
    return key, [parse_setting(f"{key}={value}")[1] for value in values.split("|")]


def _axis(key: str, values: Sequence[object] | str) -> Choices | Range:
    if isinstance(values, str):
        found = _RANGE.fullmatch(values.strip())
        if not found:
            raise RecipeError(key, f"varies over {values!r}, which is neither a list nor a range",
                              "Write a list of values, or a range such as 1e-4..1e-2")
        low, high = map(float, found.groups())
        if not low < high:
            raise RecipeError(key, f"varies over {values}, which is empty", "Give low..high")
        whole = all(re.fullmatch(r"[+-]?\d+", text) for text in found.groups())
        return Range(key, low, high, whole)
    choices = {_label(value): {key: value} for value in values}
    if len(choices) < len(values):
        raise RecipeError(key, "varies over the same value twice", "Give each value once")
    if not choices:
        raise RecipeError(key, "varies over no values", "Give at least one")
    return Choices(key, choices)


def _label(value: object) -> str:
    if isinstance(value, str):
        return value
    return "default" if value is None else json.dumps(value)


def _keys(axis: Choices | Range) -> list[str]:
    if isinstance(axis, Choices) and axis.key == NAMED:
        return sorted({key for values in axis.values.values() for key in values})
    return [axis.key]


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


def _short(key: str) -> str:
    return key.rpartition(".")[2]
