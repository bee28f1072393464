"""The test command: what goes to which run of pytest, and what it makes of a missing QGIS."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture
def command(monkeypatch):
    """The script, under a name that is not that of a module of Python's own tests."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    spec = importlib.util.spec_from_file_location("test_command", SCRIPTS / "test.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    for name in ("environment", "qgis_environment"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(("given", "engine", "plugin"), [
    ([], [], []),
    (["-k", "tiling"], ["-k", "tiling"], ["-k", "tiling"]),
    (["--", "-x"], ["-x"], ["-x"]),
    (["tests/geo", "-x"], ["-x", "tests/geo"], None),
    (["tests/qgis"], None, ["tests/qgis"]),
    (["tests/qgis/test_zip.py::test_a", "-s"], None, ["-s", "tests/qgis/test_zip.py::test_a"]),
    (["tests/qgis", "tests/geo", "-x"], ["-x", "tests/geo"], ["-x", "tests/qgis"]),
    (["tests/qgisx"], ["tests/qgisx"], None),
    (["-k", "qgis"], ["-k", "qgis"], ["-k", "qgis"]),
])
def test_arguments_go_where_they_belong(command, given, engine, plugin):
    assert command.split(given) == (engine, plugin)


@pytest.mark.parametrize(("codes", "result"), [
    ({"ruff": 0, "mypy": 0, "pytest": 0, "QGIS": 0}, 0),
    ({"ruff": 1, "mypy": 0, "pytest": 0, "QGIS": 0}, 1),
    ({"ruff": 0, "mypy": 0, "pytest": 0, "QGIS": 1}, 1),
    ({"ruff": 0, "mypy": 0, "pytest": 0, "QGIS": -11}, 1),
    ({"ruff": 0, "mypy": 0, "pytest": 0, "QGIS": None}, 0),
    ({"ruff": 0, "mypy": 0, "pytest": 5, "QGIS": 0}, 0),
    ({"ruff": 0, "mypy": 0, "pytest": 0, "QGIS": 5}, 0),
    ({"ruff": 0, "mypy": 0, "pytest": 5, "QGIS": 5}, 1),
])
def test_every_run_counts(command, monkeypatch, capsys, codes, result):
    monkeypatch.setattr(sys, "argv", ["test.py"])
    monkeypatch.setattr(command, "module", lambda name, *_: codes[name])
    monkeypatch.setattr(command, "inside_engine", lambda _: codes["pytest"])
    monkeypatch.setattr(command, "inside_qgis", lambda _: codes["QGIS"])
    assert command.main() == result
    table = capsys.readouterr().out.splitlines()[-4:]
    assert [line.split(":")[0] for line in table] == ["style", "types", "tests", "QGIS"]
    assert any("FAILED" in line for line in table) or not result or set(codes.values()) == {0, 5}


@pytest.mark.parametrize(("demanded", "code"), [("", None), ("1", 1)])
def test_without_qgis_it_says_what_to_install(command, monkeypatch, capsys, demanded, code):
    monkeypatch.setenv("GEOSEG_REQUIRE_QGIS", demanded)
    monkeypatch.setattr(command, "find_qgis", str)
    assert command.inside_qgis([]) == code
    assert "apt-get install --no-install-recommends qgis" in capsys.readouterr().out


def test_ci_installs_what_is_needed(command):
    assert f"packages=({' '.join(command.PACKAGES)})" in (SCRIPTS.parent / ".ci/run").read_text()
