"""What the documents say is so."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

import geoseg
from geoseg.cli import main
from geoseg.recipe import Recipe

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_recipe_reference_is_current():
    spec = importlib.util.spec_from_file_location("reference",
                                                  ROOT / "scripts" / "recipe_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8") == module.reference()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_exist(page):
    """Every `geoseg ...` line names a command, and only options that it has."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in re.findall(r"^ *geoseg ([a-z-]+)(.*)$", text, flags=re.MULTILINE):
        command = main.commands[line[0]]
        known = {option for parameter in command.params
                 for option in [*parameter.opts, *parameter.secondary_opts]}
        used = {word for word in line[1].split("#")[0].split() if re.match(r"--?[a-zA-Z]", word)}
        assert used <= known, (line[0], used - known)


def test_pictures_are_shown_and_small():
    pictures = set((ROOT / "docs").rglob("*.png"))
    shown = {(page.parent / target).resolve() for page in PAGES
             for target in re.findall(r"!\[[^]]*\]\(([^)]+)\)", page.read_text(encoding="utf-8"))}
    assert pictures == shown
    assert sum(path.stat().st_size for path in pictures) < 2_500_000


def test_the_version_is_one():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", geoseg.__version__)


@pytest.mark.parametrize("recipe", sorted((ROOT / "docs").rglob("*.toml")), ids=lambda p: p.stem)
def test_recipes_of_the_tutorials_are_valid(recipe):
    assert Recipe.read(recipe).description
