"""Recipes put together from a base, a table of classes and single settings.

A table of classes is what a dialog or a spreadsheet can hold: a row per class, later rows win where
sources overlap. Each row has four texts:

- name;
- colour: `#rrggbb`;
- tags: OpenStreetMap tags as `building=*` (any value) or `natural=water|bay; landuse=reservoir`,
  and codes of land-cover maps as `codes=1,2`, in any mixture;
- width of lines in metres: nothing, `6`, or `motorway=14; residential=6; default=5`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from geoseg.errors import RecipeError
from geoseg.recipe import ClassRecipe, Recipe

COLUMNS = ("name", "color", "tags", "width")
"""The columns of a table of classes."""

_CODES = "codes"
_DEFAULT = "default"
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


def assemble_recipe(base: Recipe | str | Path, classes: Sequence[Sequence[object]] | None = None,
                    settings: Mapping[str, object] | Sequence[str] | None = None) -> Recipe:
    """Return a recipe with its classes exchanged and single settings changed.

    Args:
        base: Recipe, its TOML file, or the name of a shipped one.
        classes: Table of the classes that replace those of the base; see the module's text. Rows
            without any text are passed over. A class that the base has by the same name stays as
            optional as it is there.
        settings: Values by dotted keys, such as `train.steps`, or texts such as `train.steps=300`;
            see `parse_setting`. None takes a setting out of the recipe, so that its default holds.

    Raises:
        RecipeError: The base cannot be read; a cell is not understood; a key is unknown or its
            value out of range; or `[map]` names a class that the table does not have.
    """
    data = Recipe.of(base).to_dict()
    subject = base.name if isinstance(base, Recipe) else str(base)
    if classes is not None:
        optional = {item["name"] for item in data["class"] if item["optional"]}
        data["class"] = [{**item, "optional": item["name"] in optional}
                         for item in _read_rows(classes)]
    _change(data, settings or {})
    _check_references(subject, data)
    return Recipe.from_dict(data, subject, cure="Correct the setting, or the table of classes")


def class_rows(recipe: Recipe) -> list[list[str]]:
    """Return the classes of a recipe as a table that `assemble_recipe` reads.

    Raises:
        RecipeError: A class does not fit into a row, since a tag of it holds one of the separators.
    """
    rows = []
    for item in recipe.classes:
        row = _write_row(item)
        try:
            fits = _read_row("", *row) == _plain(item)
        except RecipeError:
            fits = False
        if not fits:
            raise RecipeError(recipe.name, f"has a class {item.name!r} that does not fit into a "
                              "table", "Change it in the recipe's TOML file")
        rows.append(row)
    return rows


def parse_setting(text: str) -> tuple[str, object]:
    """Split `KEY=VALUE` into a dotted key and its value.

    Values are written as in TOML (`300`, `true`, `[0.8, 1.25]`, `{ water = 0.4 }`), where texts
    need no quotes. Nothing after the equals sign is None.

    Raises:
        RecipeError: There is no key or no equals sign.
    """
    key, equals, value = (part.strip() for part in text.partition("="))
    if not key or not equals:
        raise RecipeError(f"setting {text!r}", "is not KEY=VALUE",
                          "Write it as in train.steps=300")
    if not value:
        return key, None
    try:
        parsed = tomllib.loads(f"value = {value}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return key, value
    return key, parsed["value"] if len(parsed) == 1 else value


def _read_rows(rows: Sequence[Sequence[object]]) -> list[dict[str, Any]]:
    """Return the classes of a table as they would stand in a TOML file."""
    classes: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(rows, start=1):
        cells = ["" if cell is None else str(cell).strip() for cell in row]
        if not any(cells):
            continue
        place = f"row {number} of the classes"
        if len(cells) != len(COLUMNS):
            raise RecipeError(place, f"has {len(cells)} cells",
                              f"Give {len(COLUMNS)}: {', '.join(COLUMNS)}")
        item = _read_row(place, *cells)
        if item["name"] in classes:
            raise RecipeError(place, f"has the name {item['name']!r} of a row above",
                              "Give every class a name of its own")
        classes[item["name"]] = item
    if not classes:
        raise RecipeError("table of classes", "is empty", "Give each class a row")
    return list(classes.values())


def _read_row(place: str, name: str, color: str, tags: str, width: str) -> dict[str, Any]:
    longest = 60
    if not 0 < len(name) <= longest:
        raise RecipeError(f"{place}, column name", f"has {len(name)} letters",
                          f"Give the class a name of 1 to {longest}")
    if not _COLOR.fullmatch(color):
        raise RecipeError(f"{place}, column color", f"holds {color!r}",
                          "Write the colour as #rrggbb, such as #3182bd")
    osm, codes = _read_tags(f"{place}, column tags", tags)
    return {"name": name, "color": color, "osm": osm, "codes": codes,
            "width": _read_width(f"{place}, column width", width)}


def _read_tags(place: str, text: str) -> tuple[dict[str, Any], list[int]]:
    """Read `natural=water|bay; building=*; codes=1,2` into tags and codes."""
    osm: dict[str, Any] = {}
    codes: list[int] = []
    for key, value in _pairs(place, text):
        if key == _CODES:
            codes = _read_codes(place, value)
        else:
            values = [item.strip() for item in value.split("|")]
            osm[key] = True if value == "" or "*" in values else list(filter(None, values))
        if osm.get(key) == []:
            raise RecipeError(place, f"has {key!r} without a value", f"Write {key}=* for any")
    return osm, codes


def _read_codes(place: str, text: str) -> list[int]:
    try:
        return [int(code) for code in text.split(",")]
    except ValueError as error:
        raise RecipeError(place, f"has the codes {text!r}", "Write whole numbers with commas "
                          "between them, as in codes=1,2") from error


def _read_width(place: str, text: str) -> dict[str, float]:
    """Read `6`, or `motorway=14; default=5`, into metres by tag value."""
    widths = {}
    for key, value in _pairs(place, text if "=" in text or not text else f"{_DEFAULT}={text}"):
        try:
            widths[key] = float(value.replace(",", "."))
        except ValueError:
            widths[key] = 0.0
        if not 0 < widths[key] < float("inf"):
            raise RecipeError(place, f"has the width {value!r}", "Write metres above zero, as in "
                              "6, or in motorway=14; residential=6; default=5")
    return widths


def _pairs(place: str, text: str) -> list[tuple[str, str]]:
    """Split `a=1; b=2` into pairs; a key may stand alone, but not twice."""
    found: dict[str, str] = {}
    for item in filter(None, (item.strip() for item in text.split(";"))):
        key, _, value = (part.strip() for part in item.partition("="))
        if not key:
            raise RecipeError(place, f"has {item!r} without a key", "Write it as key=value")
        if key in found:
            raise RecipeError(place, f"has {key!r} twice", f"Join them, as in {key}=a|b")
        found[key] = value
    return list(found.items())


def _write_row(item: ClassRecipe) -> list[str]:
    osm = {key: "*" if value is True else value for key, value in item.osm.items()}
    tags = [f"{key}={value if isinstance(value, str) else '|'.join(value)}"
            for key, value in osm.items()]
    if item.codes:
        tags.append(f"{_CODES}={','.join(map(str, item.codes))}")
    widths = {key: str(value).removesuffix(".0") for key, value in item.width.items()}
    width = (widths[_DEFAULT] if list(widths) == [_DEFAULT]
             else "; ".join(f"{key}={value}" for key, value in widths.items()))
    return [item.name, item.color, "; ".join(tags), width]


def _plain(item: ClassRecipe) -> dict[str, Any]:
    """Return what a table holds of a class, as `_read_row` returns it."""
    osm = {key: [value] if isinstance(value, str) else value for key, value in item.osm.items()}
    return {**item.model_dump(exclude={"optional"}), "osm": osm}


def _change(data: dict[str, Any], settings: Mapping[str, object] | Sequence[str]) -> None:
    """Set or remove the values of dotted keys; whether they exist is checked by the recipe."""
    pairs = settings.items() if isinstance(settings, Mapping) else map(parse_setting, settings)
    for key, value in pairs:
        *sections, name = key.split(".", 2)
        if "class" in (*sections, name):
            raise RecipeError(key, "is no single setting",
                              "Change the classes in their table, or in the recipe's TOML file")
        inner = data
        for section in sections:
            if not isinstance(inner.get(section), dict):
                inner[section] = {}
            inner = inner[section]
        if value is None:
            inner.pop(name, None)
        else:
            inner[name] = value


def _check_references(base: str, data: Mapping[str, Any]) -> None:
    """Check that `[map]` names only classes that are there, and say which setting mends it."""
    names = [item["name"] for item in data["class"]]
    section = data.get("map")
    if not isinstance(section, dict):
        return
    water, threshold = section.get("water"), section.get("threshold")
    wanted = {"water": [water] if water else [],
              "threshold": list(threshold) if isinstance(threshold, dict) else []}
    for key, classes in wanted.items():
        missing = [name for name in classes if name not in names]
        if missing:
            raise RecipeError(base, f"names class {missing[0]!r} in map.{key}, which is not among "
                              "the classes", f"Change map.{key}, or leave it empty; the classes "
                              f"are {', '.join(names)}")
