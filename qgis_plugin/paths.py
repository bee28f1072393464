"""Where the plugin's own files lie: icons, models, the engine's source, its shipped recipes."""

from importlib import util
from pathlib import Path

HERE = Path(__file__).resolve().parent
"""The plugin's folder."""


def engine_root():
    """Return the folder that holds the package `geoseg`: inside the plugin, or the checkout."""
    shipped = Path(__file__).parent / "engine"
    return shipped if shipped.is_dir() else HERE.parent


def worker():
    """Return the program that does the work, run by the engine's own Python."""
    return engine_root() / "geoseg" / "worker.py"


def version():
    """Return the engine's version, read from its source."""
    source = (engine_root() / "geoseg" / "__init__.py").read_text(encoding="utf-8")
    line = next(line for line in source.splitlines() if line.startswith("__version__"))
    return line.partition("=")[2].strip().strip('"')


def shipped_recipes():
    """Return the names of the recipes that come with the engine."""
    folder = engine_root() / "geoseg" / "recipes"
    return sorted(path.stem for path in folder.glob("*.toml"))


def names():
    """Return the engine's module of names that a recipe may choose from, which needs no engine."""
    source = engine_root() / "geoseg" / "recipe" / "names.py"
    spec = util.spec_from_file_location("geoseg_recipe_names", source)
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def models():
    """Return the models for the Model Designer that come with the plugin."""
    return sorted((HERE / "models").glob("*.model3"))


def icon(name):
    """Return the path of an icon."""
    return str(HERE / "icons" / f"{name}.svg")
