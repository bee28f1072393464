"""Recipes put together from a base, a table of classes and settings."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoseg.class_table import COLUMNS, assemble_recipe, class_rows, parse_setting
from geoseg.errors import RecipeError
from geoseg.recipe import Recipe, shipped_recipes

LAND = ["land", "#d9d3b8", "", ""]
WATER = ["water", "#3182bd", "natural=water", ""]


def error(*args, **kwargs) -> str:
    with pytest.raises(RecipeError) as caught:
        assemble_recipe(*args, **kwargs)
    return str(caught.value)


@pytest.mark.parametrize("name", shipped_recipes())
def test_the_table_of_a_shipped_recipe_gives_the_recipe_again(name):
    recipe = Recipe.read(name)
    rows = class_rows(recipe)
    assert all(len(row) == len(COLUMNS) for row in rows)
    assert assemble_recipe(name, rows) == recipe == assemble_recipe(name)


def test_cells_are_read_as_an_analyst_writes_them():
    land, road, water = assemble_recipe("roads", [
        ["land", "#D9D3B8", "codes=1,2", None],
        ["  road ", "#5f5f66", " highway = motorway | residential ;railway=; surface ",
         "motorway=14; residential=6,5; default=5"],
        ["", "", None, " "],
        ["water", "#3182bd", "natural=water; codes=3; landuse=reservoir; ", "6"],
    ]).classes
    assert (land.name, land.osm, land.codes, land.width) == ("land", {}, [1, 2], {})
    assert road.name == "road"
    assert road.osm == {"highway": ["motorway", "residential"], "railway": True, "surface": True}
    assert road.width == {"motorway": 14, "residential": 6.5, "default": 5}
    assert (water.codes, water.width) == ([3], {"default": 6})
    assert water.osm == {"natural": ["water"], "landuse": ["reservoir"]}


def test_only_classes_of_the_same_name_stay_optional():
    rows = [[*row[:3], ""] for row in class_rows(Recipe.read("landcover-osm"))]
    renamed = [["wood", *row[1:]] if row[0] == "forest" else row for row in rows]
    assert [item.name for item in assemble_recipe("landcover-osm", renamed).classes
            if item.optional] == ["field", "beach", "water"]


@pytest.mark.parametrize(("row", "says"), [
    (["a", "#3182bd", ""], "row 2 of the classes: has 3 cells. Give 4: name, color, tags, width."),
    (["", "#3182bd", "", ""], "row 2 of the classes, column name: has 0 letters."),
    (["a" * 61, "#3182bd", "", ""], "column name: has 61 letters. Give the class a name of 1"),
    (["land", "#3182bd", "", ""], "row 2 of the classes: has the name 'land' of a row above."),
    (["a", "blue", "", ""], "row 2 of the classes, column color: holds 'blue'. Write the colour"),
    (["a", "", "", ""], "column color: holds ''. Write the colour as #rrggbb"),
    (["a", "#3182bd", "=water", ""], "column tags: has '=water' without a key."),
    (["a", "#3182bd", "natural=|", ""], "column tags: has 'natural' without a value."),
    (["a", "#3182bd", "natural=bay; natural=water", ""], "column tags: has 'natural' twice."),
    (["a", "#3182bd", "codes=1.2", ""], "column tags: has the codes '1.2'."),
    (["a", "#3182bd", "codes=many", ""], "column tags: has the codes 'many'."),
    (["a", "#3182bd", "", "wide"], "column width: has the width 'wide'. Write metres above zero"),
    (["a", "#3182bd", "", "0"], "column width: has the width '0'."),
    (["a", "#3182bd", "", "motorway=14; -3"], "column width: has the width ''."),
    (["a", "#3182bd", "", "nan"], "column width: has the width 'nan'."),
    (["a", "#3182bd", "", "inf"], "column width: has the width 'inf'."),
])
def test_what_is_not_understood_is_named_with_its_cell(row, says):
    assert says in error("roads", [LAND, row])


def test_too_few_classes_are_refused():
    assert error("roads", []) == "table of classes: is empty. Give each class a row."
    assert "needs at least two classes" in error("roads", [LAND])


def test_a_class_that_the_map_section_needs_must_stay():
    lake = ["lake", *WATER[1:]]
    assert error("water", [LAND, lake]) == (
        "water: names class 'water' in map.water, which is not among the classes. Change "
        "map.water, or leave it empty; the classes are land, lake.")
    assert assemble_recipe("water", [LAND, lake], {"map.water": "lake"}).map.water == "lake"
    assert assemble_recipe("water", [LAND, lake], {"map.water": None}).map.water is None
    assert "names class 'sea' in map.threshold" in error(
        "water", settings={"map.threshold": {"sea": 0.3}})


def test_settings_change_single_values():
    recipe = assemble_recipe("water", settings={
        "train.steps": 300, "train.pretrained": False, "augment.scale": [1, 1],
        "map.threshold.water": 0.4, "name": "lakes", "predict.tile": "256"})
    base = Recipe.read("water")
    assert (recipe.train.steps, recipe.train.pretrained) == (300, False)
    assert (recipe.augment.scale, recipe.map.threshold) == ((1, 1), {"water": 0.4})
    assert (recipe.name, recipe.predict.tile) == ("lakes", 256)
    assert recipe.classes == base.classes
    assert base.train.steps != 300
    assert assemble_recipe("water-sar", settings={"train.steps": None}).train.steps == 2000


@pytest.mark.parametrize(("key", "value", "says"), [
    ("train.stpes", 3, "water: has an unknown key train.stpes. Did you mean 'steps'? Known here: "),
    ("trian.steps", 3, "water: has an unknown key trian. Did you mean 'train'?"),
    ("steps", 3, "water: has an unknown key steps. Did you mean 'train.steps'?"),
    ("train.steps", 0, "water: train.steps: input should be greater than or equal to 1 (given: 0). "
     "Correct the setting"),
    ("train.steps", "many", "train.steps: input should be a valid integer"),
    ("train.steps.more", 1, "train.steps: input should be a valid integer"),
    ("train", 1, "water: train: "),
    ("name", None, "water: name: field required"),
    ("class", [], "class: is no single setting. Change the classes in their table"),
    ("class.0.name", "sea", "class.0.name: is no single setting."),
])
def test_settings_that_do_not_fit_are_named(key, value, says):
    assert says in error("water", settings={key: value})


def test_settings_may_be_written_as_text():
    texts = ["train.steps=300", "map.water=", "name = my lakes", "train.network=unet",
             "map.threshold={ water = 0.4 }", "image.bands=[1, 2]"]
    assert assemble_recipe("water", settings=texts) == assemble_recipe("water", settings={
        "train.steps": 300, "map.water": None, "name": "my lakes", "train.network": "unet",
        "map.threshold": {"water": 0.4}, "image.bands": [1, 2]})


@pytest.mark.parametrize("text", ["train.steps", "", "=3", " = "])
def test_texts_without_key_or_value_are_refused(text):
    assert "is not KEY=VALUE. Write it as in train.steps=300." in error("water", settings=[text])


def test_a_text_sets_one_value_only():
    assert parse_setting('name="a"\ntask="overlapping"') == ("name", '"a"\ntask="overlapping"')


CELL = st.text(alphabet=st.characters(codec="utf-8"), max_size=8)
KEY = st.text(alphabet="abc:_;=|* ,", min_size=1, max_size=4)


@given(st.dictionaries(KEY, st.just(True) | KEY | st.lists(KEY, max_size=3), max_size=3),
       st.dictionaries(KEY, st.floats(min_value=1e-9, max_value=1e9), max_size=3),
       st.lists(st.integers(), max_size=3))
def test_a_class_comes_back_from_its_row_or_is_refused(osm, width, codes):
    recipe = Recipe.read("roads").to_dict()
    recipe["class"][1] |= {"osm": osm, "width": width, "codes": codes}
    wanted = Recipe.from_dict(recipe)
    with contextlib.suppress(RecipeError):
        _, again = assemble_recipe("roads", class_rows(wanted)).classes
        lists = {key: [value] if isinstance(value, str) else value for key, value in osm.items()}
        assert (again.osm, again.width, again.codes) == (lists, width, codes)


@given(st.lists(st.lists(CELL | st.none() | st.integers(), max_size=5), max_size=4), st.lists(CELL))
def test_any_table_is_a_recipe_or_a_clear_error(rows, settings):
    with contextlib.suppress(RecipeError):
        assemble_recipe("water", rows, settings)


def test_recipes_that_are_not_there():
    assert "marshes: is neither a .toml file nor a shipped recipe." in error("marshes")


def test_a_recipe_of_ones_own_is_a_base(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\n[[class]]\nname = "a"\ncolor = "#000000"\n'
                    '[[class]]\nname = "b"\ncolor = "#ffffff"\n')
    assert assemble_recipe(str(path), settings=["train.batch=2"]).train.batch == 2
    assert error(str(path), settings=["train.batch=0"]).startswith(f"{path}: train.batch: ")


def test_the_tables_of_the_plugin_are_current():
    """If not: run scripts/recipe_classes.py."""
    folder = Path(__file__).parents[1]
    tables = json.loads((folder / "qgis_plugin" / "classes.json").read_text(encoding="utf-8"))
    assert tables == {name: class_rows(Recipe.read(name)) for name in shipped_recipes()}
