"""What varies: values of a key, a range of numbers, or named settings from a list or file."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from geoseg.class_table import parse_setting
from geoseg.errors import RecipeError

NAMED = "setting"
"""The axis of named settings."""
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


def split_text(text: str) -> tuple[str, Sequence[object] | str]:
    """Split `KEY=A|B|C` into the key and its values.

    Raises:
        RecipeError: It is not written so.
    """
    key, equals, values = (part.strip() for part in text.partition("="))
    if not key or not equals or not values:
        raise RecipeError(f"vary {text!r}", "is not KEY=VALUE|VALUE",
                          'Write it as in train.loss="ce|dice"')
    if _RANGE.fullmatch(values):
        return key, values
    return key, [parse_setting(f"{key}={value}")[1] for value in values.split("|")]


def read_axis(key: str, values: Sequence[object] | str) -> Choices | Range:
    """Return the axis of a key over a list of values, or over a range such as `1e-4..1e-2`.

    Raises:
        RecipeError: It is neither, is empty, or holds a value twice.
    """
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


def keys_of(axis: Choices | Range) -> list[str]:
    """Return the recipe keys that an axis sets."""
    if isinstance(axis, Choices) and axis.key == NAMED:
        return sorted({key for values in axis.values.values() for key in values})
    return [axis.key]


def _label(value: object) -> str:
    if isinstance(value, str):
        return value
    return "default" if value is None else json.dumps(value)


def _short(key: str) -> str:
    return key.rpartition(".")[2]
