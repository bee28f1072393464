"""The skin: names, defaults and help of the commands, wrong usage, and `python -m geoseg`."""

from __future__ import annotations

import inspect
import json
import subprocess
from pathlib import Path

import click
import pytest
from click.core import ParameterSource

import geoseg
from geoseg.cli import main
from geoseg.samples.plan import SPLITS, ChipPlan
from tests.cli.conftest import AS_MODULE, RESULTS, check_sentence, invoke, python

COMMANDS = list(main.commands)
VERBS = [name for name in COMMANDS if name != "recipes"]

WITH_A_RECIPE = ("fetch-osm", "burn-labels", "plan-chips", "train", "run")

# `info` prints instead of returning, a script changes recipes with `assemble_recipe` and predicts
# with a list of models; everything else is the same in both skins.
ONLY_ON_THE_COMMAND_LINE = {("info", "as_json"), ("predict", "more"), ("compare", "fixed"),
                            *((name, "settings") for name in WITH_A_RECIPE)}
ONLY_IN_PYTHON = {"progress"}


def finished(code: str, *args: object, cwd: Path | None = None):
    return subprocess.run(python(code, *args), capture_output=True, text=True, check=False,
                          cwd=cwd)


def verb(name: str):
    return getattr(geoseg, name.replace("-", "_"))


def example(name: str) -> list[str]:
    """Return the arguments of the example in a command's help."""
    line = invoke(name, "--help").stdout.split("Example:\n")[1].splitlines()[0]
    return line.split(">")[0].split()[2:]


@pytest.mark.parametrize("name", VERBS)
def test_a_command_takes_what_its_function_takes(name):
    command = {parameter.name for parameter in main.commands[name].params}
    extra = {option for owner, option in ONLY_ON_THE_COMMAND_LINE if owner == name}
    function = set(inspect.signature(verb(name)).parameters)
    assert command - extra == function - ONLY_IN_PYTHON


@pytest.mark.parametrize("name", VERBS)
def test_defaults_are_the_same_in_python_and_on_the_command_line(name):
    signature = inspect.signature(verb(name)).parameters
    context = main.commands[name].make_context(name, example(name))
    for option, value in context.params.items():
        is_given = context.get_parameter_source(option) is not ParameterSource.DEFAULT
        if is_given or option not in signature:
            continue
        # An option that may be repeated is an empty tuple here and None, () or {} there.
        assert (value or None) == (signature[option].default or None), option


@pytest.mark.parametrize("name", VERBS)
def test_what_must_be_given_is_the_same(name):
    for parameter in main.commands[name].params:
        known = inspect.signature(verb(name)).parameters.get(parameter.name)
        if known is not None and parameter.required:
            assert known.default is inspect.Parameter.empty, parameter.name


def test_help_lists_the_commands_in_the_order_of_the_work():
    shown = invoke("--help")
    assert shown.exit_code == 0
    places = [shown.stdout.index(f"\n  {name} ") for name in COMMANDS]
    assert places == sorted(places)
    assert COMMANDS[:4] == ["fetch-osm", "burn-labels", "plan-chips", "export-chips"]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_explains_and_shows_an_example(name):
    shown = invoke(name, "--help")
    assert shown.exit_code == 0
    assert shown.stdout == invoke(name, "-h").stdout
    assert f"Example:\n    geoseg {name} " in shown.stdout
    for parameter in main.commands[name].params:
        if isinstance(parameter, click.Option):
            assert (parameter.help or "").endswith((".", "]")), parameter.name
    assert max(map(len, shown.stdout.splitlines())) <= 100


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_is_a_valid_command_line(name):
    """Parsed, not run: an example must not name an option that has gone."""
    assert main.commands[name].make_context(name, example(name)).params


USAGE = [
    ([], "Usage:"), (["--nonsense"], "No such option"), (["dance"], "No such command 'dance'"),
    (["predict"], "Missing argument 'MODEL'"), (["train", "a.gpkg"], "Missing option"),
    (["predict", "a", "b"], "Missing option '-o'"),
    (["predict", "a", "b", "-o", "c.tif", "--tile", "x"], "'x' is not a valid integer"),
    (["predict", "a", "b", "-o", "c.tif", "--device", "abacus"], "'abacus' is not one of"),
    (["predict", "a", "b", "c", "-o", "c.tif"], "unexpected extra argument"),
    (["evaluate", "a", "b", "-o", "c.html", "--split", "rest"], "'rest' is not one of"),
    (["plan-chips", "a", "b", "-o", "c.gpkg", "--split", "70/30"], "not three shares such as"),
    (["plan-chips", "a", "b", "-o", "c.gpkg", "--split", "a/b/c"], "not three shares such as"),
    (["plan-chips", "-o", "c.gpkg", "--scene", "a"], "requires 2 arguments"),
    (["classify", "a", "-o", "c.tif", "--threshold", "much"], "write --threshold 0.5"),
    (["classify", "a", "-o", "c.tif", "--threshold", "0.5", "--threshold", "0.6"],
     "write --threshold 0.5"),
    (["trace-coastline", "a", "-o", "c.gpkg"], "Missing option '--water'"),
    (["info"], "Missing argument 'FILE'"),
    (["plan-chips", "a", "b", "-o", "c.gpkg", "--set", "chips.size=64"], "give --recipe, too"),
]


@pytest.mark.parametrize(("args", "message"), USAGE)
def test_wrong_usage_exits_with_2(args, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = invoke(*args)
    assert shown.exit_code == 2, shown.output
    assert message in shown.stderr
    assert list(tmp_path.iterdir()) == []


def test_version():
    assert invoke("--version").stdout == f"geoseg, version {geoseg.__version__}\n"


def test_help_loads_nothing_heavy():
    heavy = {"numpy", "torch", "rasterio", "geopandas", "pydantic", "rich", "shapely"}
    code = ("import atexit; atexit.register(lambda: print(sorted("
            f"{heavy!r} & set(sys.modules)), file=sys.stderr)); {AS_MODULE}")
    for args in (["--help"], ["train", "--help"], ["predict", "--help"], ["--version"]):
        done = finished(code, *args)
        assert done.returncode == 0, done.stderr
        assert done.stderr.strip() == "[]", args


def test_information_loads_no_torch(world):
    code = ("import atexit; atexit.register(lambda: print(sorted({'torch', 'osmnx'} & "
            f"set(sys.modules)), file=sys.stderr)); {AS_MODULE}")
    for file in (world.model, world.image, world.chips):
        done = finished(code, "info", file)
        assert done.returncode == 0, done.stderr
        assert done.stderr.strip() == "[]"


def test_as_a_process(world, tmp_path):
    """Exit codes and streams as a script sees them."""
    done = finished(AS_MODULE, *world.command("classify", "o.tif"), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "o.tif\n"), done.stderr
    again = finished(AS_MODULE, *world.command("classify", "o.tif"), cwd=tmp_path)
    assert (again.returncode, again.stdout) == (1, "")
    assert check_sentence(again.stderr).startswith("o.tif: exists already. ")
    wrong = finished(AS_MODULE, "classify", cwd=tmp_path)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert {path.name for path in tmp_path.iterdir()} == {"o.tif", "o.qml"}


def test_standard_output_is_for_scripts(world, tmp_path):
    """The last line names the result; the progress bar and notes go to standard error."""
    for name in ("fetch-osm", "burn-labels", "polygonize"):
        done = invoke(*world.command(name, tmp_path / RESULTS[name]), "--overwrite")
        assert done.stdout == f"{tmp_path / RESULTS[name]}\n"
    plan = invoke(*world.command("plan-chips", tmp_path / "p.gpkg"))
    assert plan.stdout.splitlines()[0].split() == ["split", "chips", "area", "land", "water"]
    assert plan.stdout.splitlines()[-1] == str(tmp_path / "p.gpkg")


def test_information(world):
    facts = json.loads(invoke("info", "--json", world.model).stdout)
    assert facts["kind"] == "model"
    assert facts["classes"] == ["land", "water"]
    facts = json.loads(invoke("info", "--json", world.chips).stdout)
    plan = ChipPlan.read(world.chips)
    assert facts["chips"] == [f"{len(plan.rows(split))} {split}" for split in SPLITS]
    shown = invoke("info", world.labels).stdout
    assert "EPSG:32633" in shown
    assert "2 x 2 m" in shown
    assert "land, water" in shown

