"""Which feature belongs to which class, and how wide a line is on the ground.

A layer is matched by the first of these that gives some feature a class:

1. a column `class` (or `classname`, `class_name`, `cls`, `label`) that holds class names;
2. the recipe's `osm` tags against columns of the same name, where an empty text is no value and
   `true` means any value but `no`;
3. the recipe's `codes` against a column `class`, `code`, `value` and the like, as listed in
   `CODE_COLUMNS`.

Column names are compared without regard to case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.recipe import DEFAULT_WIDTHS, ClassRecipe, Recipe

if TYPE_CHECKING:
    import pandas as pd

NAME_COLUMNS = ("class", "classname", "class_name", "cls", "label")
"""Columns in which class names are looked for, in this order."""

CODE_COLUMNS = ("class", "code", "value", "classvalue", "class_value", "classcode", "class_code",
                "class_id", "classid", "label", "gridcode", "dn")
"""Columns in which class codes are looked for, in this order."""

WIDTH_KEYS = ("highway", "waterway", "railway")
"""Tags whose value tells the width of a line, besides the tags that the class names."""

LANE_WIDTH = 3.25
"""Metres per lane where only the number of lanes is tagged: between the 3.0 m of town streets and
the 3.75 m of motorways."""

SHOULDERS = {"motorway": 4.0, "trunk": 3.0, "primary": 1.5, "secondary": 1.0}
"""Metres of paved shoulder, both sides together, added to the lanes of a `highway`."""

_FOOT = 0.3048
_WIDTH = re.compile(r"^\s*(\d+(?:[.,]\d+)?)\s*(m|metres?|meters?|ft|feet|foot|')?"
                    r"(?:\s*(\d+(?:\.\d+)?)\s*(?:\"|''|in))?\s*$", re.IGNORECASE)
_WIDEST = 1000.0
_MOST_LANES = 16


@dataclass(frozen=True, slots=True)
class Matches:
    """Which features of a table belong to which classes."""

    member: np.ndarray
    """bool (classes, features)."""
    by: str
    """How they were matched: `names`, `tags` or `codes`; empty if no column could be compared."""


def recipe_keys(recipe: Recipe) -> tuple[str, ...]:
    """Return the tag keys that the recipe's classes name, each once, in recipe order."""
    return tuple(dict.fromkeys(key for item in recipe.classes for key in item.osm))


def match_classes(table: pd.DataFrame, recipe: Recipe) -> Matches:
    """Find the classes of each row by class names, tags or codes; see the module's text.

    Args:
        table: Attributes, one row per feature.
        recipe: The classes.

    Returns:
        The matches. With overlapping classes, tags are looked at beside class names, since a
        `class` column can name only one of a feature's classes.
    """
    nothing = np.zeros((len(recipe.classes), len(table)), dtype=bool)
    names, tags = match_names(table, recipe), match_tags(table, recipe)
    if names is not None and names.any():
        both = recipe.task == "overlapping" and tags is not None
        return Matches(names | tags if both else names, "names")
    if tags is not None and tags.any():
        return Matches(tags, "tags")
    codes = _match_codes(table, recipe)
    if codes is not None:
        return Matches(codes, "codes")
    return Matches(nothing, "tags" if tags is not None else "")


def match_names(table: pd.DataFrame, recipe: Recipe) -> np.ndarray | None:
    """Match class names in the first of `NAME_COLUMNS` that holds any.

    Args:
        table: Attributes, one row per feature.
        recipe: The classes; names are compared without regard to case.

    Returns:
        bool (classes, rows), or None if no such column holds a class name.
    """
    wanted = [item.name.casefold() for item in recipe.classes]
    for column in _find_columns(table, NAME_COLUMNS):
        texts = np.char.lower(_texts(table[column]))
        member = np.array([texts == name for name in wanted])
        if member.any():
            return member
    return None


def match_tags(table: pd.DataFrame, recipe: Recipe) -> np.ndarray | None:
    """Match the `osm` tags of the recipe against columns of the same name.

    Args:
        table: Attributes, one row per feature; an empty text is no value.
        recipe: The classes; one of its tags is enough for a class.

    Returns:
        bool (classes, rows), or None if the table has none of these columns.
    """
    texts = {key: _texts(table[column]) for key in recipe_keys(recipe)
             for column in _find_columns(table, (key,))}
    if not texts:
        return None
    member = np.zeros((len(recipe.classes), len(table)), dtype=bool)
    for place, item in enumerate(recipe.classes):
        for key, value in item.osm.items():
            if key not in texts:
                continue
            if value is True:
                member[place] |= (texts[key] != "") & (texts[key] != "no")
            else:
                member[place] |= np.isin(texts[key], [value] if isinstance(value, str) else value)
    return member


def _match_codes(table: pd.DataFrame, recipe: Recipe) -> np.ndarray | None:
    import pandas as pd

    if not any(item.codes for item in recipe.classes):
        return None
    member = None
    for column in _find_columns(table, CODE_COLUMNS):
        values = pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=float)
        if np.isnan(values).all() and len(values):
            continue
        member = np.array([np.isin(values, item.codes) for item in recipe.classes])
        if member.any():
            return member
    return member


def line_widths(table: pd.DataFrame, item: ClassRecipe, *, in_metres: bool = True) -> np.ndarray:
    """Return the width of each line or point of a class.

    The first known of: the tag `width` ("3.5", "3.5 m", "12'"); the tag `lanes` times
    `LANE_WIDTH` plus `SHOULDERS`; the class's own table by tag value; the built-in table by tag
    value; the class's `default`.

    Args:
        table: Attributes of the features.
        item: The class.
        in_metres: False in pixel space: widths are then pixels, and neither lanes nor the
            built-in table apply.

    Returns:
        float64 (rows,): metres (pixels in pixel space), NaN where nothing tells.
    """
    widths = np.full(len(table), np.nan)
    tables = [item.width, DEFAULT_WIDTHS] if in_metres else [item.width]
    _fill(widths, map(parse_width, _column(table, "width")))
    if in_metres:
        _fill(widths, map(_width_of_lanes, _column(table, "lanes"), _column(table, "highway")))
    for known in tables:
        for key in dict.fromkeys((*item.osm, *WIDTH_KEYS)):
            _fill(widths, (known.get(value, np.nan) for value in _column(table, key)))
    widths[np.isnan(widths)] = item.width.get("default", np.nan)
    return widths


def parse_width(text: str) -> float:
    """Return the metres that a `width` tag tells, or NaN if it is not understood.

    Understood are plain numbers (metres, decimal point or comma), numbers with `m`, and feet with
    or without inches (`12'`, `12'6"`, `12 ft`); at most 1000 m.
    """
    found = _WIDTH.match(text)
    if not found:
        return float("nan")
    number, unit, inches = found.groups()
    is_feet = (unit or "m").lower() in ("ft", "feet", "foot", "'")
    if inches and not is_feet:
        return float("nan")
    metres = float(number.replace(",", "."))
    if is_feet:
        metres = (metres + float(inches or 0) / 12) * _FOOT
    return metres if 0 < metres <= _WIDEST else float("nan")


def _width_of_lanes(lanes: str, highway: str) -> float:
    try:
        count = float(lanes)
    except ValueError:
        return float("nan")
    if not 1 <= count <= _MOST_LANES:
        return float("nan")
    return count * LANE_WIDTH + SHOULDERS.get(highway, 0.0)


def _fill(widths: np.ndarray, values: Iterable[float]) -> None:
    """Fill the unknown widths from values of the same length, if there are any."""
    given = np.fromiter(values, dtype=float)
    if len(given):
        unknown = np.isnan(widths)
        widths[unknown] = given[unknown]


def _column(table: pd.DataFrame, key: str) -> np.ndarray:
    """Return a column as texts, or an empty array if the table has none of that name."""
    columns = _find_columns(table, (key,))
    return _texts(table[columns[0]]) if columns else np.empty(0, dtype=str)


def _find_columns(table: pd.DataFrame, names: Iterable[str]) -> list[str]:
    """Return the table's columns of these names, whatever their case, in the order of `names`."""
    known = {str(column).casefold(): str(column) for column in reversed(table.columns)}
    return [known[name.casefold()] for name in names if name.casefold() in known]


def _texts(values: pd.Series) -> np.ndarray:
    """Return values as stripped texts; missing ones are empty, whole numbers lose their `.0`."""
    if values.dtype.kind == "b":
        return np.where(values.to_numpy(), "yes", "no").astype(str)
    if values.dtype.kind == "f":
        return np.array(["" if np.isnan(v) else f"{v:.12g}" for v in values.to_numpy()], dtype=str)
    there = values.notna().to_numpy()
    pairs = zip(values.astype(object).to_numpy(), there, strict=True)
    return np.array([str(text).strip() if ok else "" for text, ok in pairs], dtype=str)
