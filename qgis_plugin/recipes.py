"""The parameters by which an algorithm asks for a recipe, and others that many share."""

import json

from . import parameters
from .paths import HERE, shipped_recipes

COLUMNS = ["Class", "Colour", "OSM tags", "Width in m"]
DEFAULT = "landcover-osm"
DEVICES = ["auto", "cpu", "cuda", "mps"]


def recipe_parameters(optional=False):
    """Return the parameters that together make the argument `recipe`."""
    return [
        parameters.choice(
            "RECIPE", "Recipe", ("recipe", "base"),
            "What is mapped, and from which OpenStreetMap tags. <code>landcover-osm</code> maps "
            "land cover, <code>buildings</code> buildings, and so on.",
            shipped_recipes(), None if optional else DEFAULT, optional=optional),
        parameters.file(
            "RECIPE_FILE", "Recipe file instead", ("recipe", "base"),
            "A recipe of your own. Write one from a shipped recipe: <code>geoseg recipes buildings "
            "&gt; mine.toml</code>", "Recipes (*.toml)", optional=True).rare(),
        parameters.table(
            "CLASSES", "Classes instead of the recipe's", ("recipe", "classes"),
            "One row per class, burnt in this order, so that a later class covers an earlier one. "
            "Colour as <code>#rrggbb</code>; tags as <code>natural=water|bay; landuse=basin</code> "
            "or <code>building=*</code>; width of lines as <code>6</code> or <code>motorway=14; "
            "default=5</code>. The first row usually is the background, without tags. <i>Fill from "
            "recipe</i> puts in those of the chosen recipe, to begin with.",
            COLUMNS).rare(),
        parameters.string(
            "SETTINGS", "Further settings of the recipe", ("recipe", "settings"),
            "Any setting of the recipe by its name, separated by semicolons. Example: "
            "<code>train.steps=500; labels.edge_ignore=1.5</code>", parse=settings).rare(),
    ]


def class_table(recipe):
    """Return the classes of a shipped recipe as rows of the table; of any other, no rows."""
    tables = json.loads((HERE / "classes.json").read_text(encoding="utf-8"))
    return tables.get(recipe, [])


def settings(text):
    """Return `a.b=1; c.d=x` as a mapping of names to texts."""
    pairs = [part.partition("=") for part in text.split(";") if part.strip()]
    for name, sign, _ in pairs:
        if not sign or not name.strip():
            raise ValueError(f"{name.strip()!r} is not a setting. Write train.steps=500, and "
                             "separate several by semicolons.")
    return {name.strip(): value.strip() for name, _, value in pairs}


def names(text):
    """Return names separated by commas or semicolons as a list."""
    return [name.strip() for name in text.replace(";", ",").split(",") if name.strip()]


def numbers(text):
    """Return `0.75, 1, 1.25` as numbers."""
    try:
        return [float(part) for part in names(text)]
    except ValueError:
        raise ValueError(f"{text!r} are not numbers. Write 0.75, 1, 1.25.") from None


def device():
    """Ask where the network runs."""
    return parameters.choice(
        "DEVICE", "Device", "device", "Where the network runs: <code>auto</code> takes a graphics "
        "card if there is one.", DEVICES, "auto").rare()
