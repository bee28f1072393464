"""Recipes as an analyst meets them: shipped ones, the schema, and mistakes in one's own."""

from __future__ import annotations

import contextlib
import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from geoseg.errors import RecipeError
from geoseg.learn.card import read_card
from geoseg.recipe import Recipe, recipe_text, shipped_recipes
from geoseg.samples.plan import ChipPlan
from tests.cli.conftest import RECIPE, RESULTS, invoke
from tests.cli.test_usage import WITH_A_RECIPE

SHIPPED = shipped_recipes()


def test_the_shipped_recipes_are_listed_with_what_they_are_for():
    shown = invoke("recipes")
    assert shown.exit_code == 0
    lines = shown.stdout.strip().splitlines()
    assert [line.split()[0] for line in lines] == list(SHIPPED)
    assert all(line.endswith(".") and len(line) > 40 for line in lines)
    assert {"landcover-osm", "buildings", "roads", "water", "clouds", "membranes"} <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_printed_recipe_is_the_recipe(name, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(invoke("recipes", name).stdout, encoding="utf-8")
    assert Recipe.read(path) == Recipe.read(name)
    assert Recipe.read(name).name == name


@pytest.mark.parametrize("name", SHIPPED)
def test_a_recipe_survives_being_written_down(name):
    """As it goes into the model card and the run folder."""
    recipe = Recipe.read(name)
    assert Recipe.model_validate(json.loads(json.dumps(recipe.to_dict()))) == recipe


def keys_of(schema: dict, part: dict) -> dict:
    """Return the properties of an object in a schema, following references."""
    while "$ref" in part:
        part = schema["$defs"][part["$ref"].rsplit("/", 1)[1]]
    return part.get("properties", {})


@pytest.mark.parametrize("name", SHIPPED)
def test_the_schema_knows_every_key_of_the_shipped_recipes(name):
    schema = json.loads(invoke("recipes", "--schema").stdout)
    known = keys_of(schema, schema)
    for key, value in tomllib.loads(recipe_text(name)).items():
        assert key in known
        items = value if isinstance(value, list) else [value]
        inner = known[key].get("items", known[key])
        for item in items:
            if isinstance(item, dict):
                assert item.keys() <= keys_of(schema, inner).keys(), key


def test_the_schema_describes_every_key_and_forbids_others():
    schema = json.loads(invoke("recipes", "--schema").stdout)
    for part in (schema, *schema["$defs"].values()):
        assert part["additionalProperties"] is False
        for name, key in part["properties"].items():
            # Sections are described where they are defined.
            assert "description" in key or "$ref" in key, name
    assert TypeAdapter(Recipe).json_schema(by_alias=True) == schema


MISTAKES = [
    ("[train]", "[trian]", "has an unknown key trian. Did you mean 'train'?"),
    ("steps = 3", "stpes = 3", "has an unknown key train.stpes. Did you mean 'steps'?"),
    ("codes = [0]", "code = [0]", "has an unknown key class.0.code. Did you mean 'codes'?"),
    ("tile = 256", "tiles = 256", "has an unknown key predict.tiles. Did you mean 'tile'?"),
    ("tile = 256", "qq = 1", "has an unknown key predict.qq. Remove it. Known here: "),
    ("size = 64", "size = 50", "chips.size: input should be a multiple of 32 (given: 50)"),
    ("steps = 3", "steps = -1", "train.steps: input should be greater than or equal to 1"),
    ("steps = 3", 'steps = "many"', "train.steps: input should be a valid integer"),
    ('"#3182bd"', '"blue"', "class.1.color: string should match pattern"),
    ('name = "water"', 'name = "land"', "class: two classes are called 'land'"),
    ('water = "water"', 'water = "sea"', "[map] names class 'sea', which is not defined"),
    ("[chips]", '[image]\nscaling = "range"\n[chips]',
     'image: scaling = "range" needs low and high, with low < high'),
    ('name = "small"', "name = ", "is not valid TOML (Invalid value (at line 2"),
]


@pytest.mark.parametrize(("old", "new", "finding"), MISTAKES)
def test_mistakes_are_named_with_their_place(refused, world, tmp_path, old, new, finding):
    assert old in RECIPE
    path = tmp_path / "mine.toml"
    path.write_text(RECIPE.replace(old, new))
    for command, out in (("burn-labels", "o.tif"), ("train", "o.safetensors"), ("run", "map"),
                         ("fetch-osm", "o.gpkg")):
        refused(*world.command(command, tmp_path / out, recipe=path),
                says=(f"{path}: {finding}",))
    refused(*world.command("plan-chips", tmp_path / "o.gpkg"), "--recipe", path,
            says=(f"{path}: {finding}",))


@pytest.mark.parametrize("command", WITH_A_RECIPE)
def test_settings_change_the_recipe_of_every_command(refused, world, tmp_path, command):
    more = ("--recipe", world.recipe) if command == "plan-chips" else ()
    line = (*world.command(command, tmp_path / RESULTS[command]), *more)
    refused(*line, "--set", "train.stpes=3",
            says=(f"{world.recipe}: has an unknown key train.stpes. Did you mean 'steps'?",))
    refused(*line, "--set", "train.steps=3", "--set", "chips.size=65",
            says=("chips.size: input should be a multiple of 32 (given: 65)",))
    refused(*line, "--set", "train.steps", says=("is not KEY=VALUE. Write it as in",))


def test_settings_reach_the_verb(world, tmp_path):
    done = invoke(*world.command("plan-chips", tmp_path / "a.gpkg"), "-r", world.recipe,
                  "--set", "chips.seed=5", "--set", "chips.split=[80, 10, 10]")
    assert done.exit_code == 0, done.stderr
    assert ChipPlan.read(tmp_path / "a.gpkg").seed == 5
    done = invoke(*world.command("train", tmp_path / "a.safetensors"), "--set", "train.steps=2",
                  "--set", "train.dropout=0.5", "--set", "name=mine")
    assert done.exit_code == 0, done.stderr
    card = read_card(tmp_path / "a.safetensors")
    assert (card.name, card.recipe["train"]["steps"]) == ("mine", 2)
    assert card.recipe["train"]["dropout"] == 0.5


def test_recipes_that_are_not_there(refused, world, tmp_path):
    for recipe, finding in (("marshes", "marshes: is neither a .toml file nor a shipped recipe. "
                             "Shipped are buildings, clouds"),
                            (tmp_path / "no.toml", "no.toml: does not exist. Check the path"),
                            (tmp_path, "is neither a .toml file nor a shipped recipe")):
        refused(*world.command("burn-labels", tmp_path / "o.tif", recipe=recipe),
                says=(finding,))
    refused("recipes", "marshes", says=("marshes: is neither",))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_recipe_or_a_clear_error(text):
    with contextlib.suppress(RecipeError):
        Recipe.parse(text, "mine.toml")
