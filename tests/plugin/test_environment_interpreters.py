"""Which Python is taken, and what is said of those that are not."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest

from qgis_plugin.environment import EngineHome, SetupFailed, check_interpreter, interpreters
from qgis_plugin.environment.home import user_data
from qgis_plugin.environment.interpreters import examine, find
from tests.plugin.processes import Listener
from tests.plugin.small_engine import home, set_up, worker

ANSWER = {"path": "/opt/python", "version": [3, 12, 4], "bits": 64, "kind": "CPython",
          "libc": "cpython-312-x86_64-linux-gnu", "free": False}


def program(path: Path, text: str) -> Path:
    """Write a program that stands for an interpreter, and prints a text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{text}'\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_the_python_of_the_tests_can_carry_the_engine():
    found = examine(Path(sys.executable))
    assert found.version == sys.version_info[:3]
    assert found.minor == f"3.{sys.version_info.minor}"
    assert found.flaw == ""


@pytest.mark.parametrize(("change", "flaw"), [
    ({"version": [3, 9, 2]}, "too old: the engine needs 3.11 to 3.14"),
    ({"version": [3, 15, 0]}, "too new"),
    ({"bits": 32}, "32-bit"),
    ({"kind": "PyPy"}, "PyPy"),
    ({"free": True}, "free-threaded"),
    ({"libc": "cpython-312-x86_64-linux-musl"}, "musl"),
])
def test_others_are_refused_with_the_reason(tmp_path, change, flaw):
    python = program(tmp_path / "python", json.dumps({**ANSWER, **change}))
    assert flaw in examine(python).flaw
    engine = home(tmp_path, "certifi")
    with pytest.raises(SetupFailed, match=flaw.split(":")[0]):
        set_up(engine, tmp_path, base_python=python)
    assert not engine.root.exists()
    with pytest.raises(SetupFailed, match=flaw.split(":")[0]):
        check_interpreter(python, worker(tmp_path), "0.0", Listener())


@pytest.mark.parametrize("text", ["I am not a Python", "[1]"])
def test_what_is_no_python_is_refused(tmp_path, text):
    with pytest.raises(SetupFailed, match="not a Python that can be started"):
        examine(program(tmp_path / "python", text))
    with pytest.raises(SetupFailed, match="No such file"):
        examine(tmp_path / "missing")


def test_the_first_supported_python_is_found(tmp_path, monkeypatch):
    old = program(tmp_path / "old", json.dumps({**ANSWER, "version": [3, 9, 2], "path": ""}))
    broken = program(tmp_path / "broken", "no")
    right = program(tmp_path / "right", json.dumps({**ANSWER, "path": ""}))
    monkeypatch.setattr(interpreters, "candidates", lambda: iter([broken, old, right]))
    notes = []
    found, others = find(notes.append)
    assert found.path == right
    assert [other.path for other in others] == [old]
    assert len(notes) == 3


def test_on_windows_qgis_itself_is_never_started(tmp_path, monkeypatch):
    for name in ("python.exe", "bin/qgis-bin.exe", "bin/python3"):
        program(tmp_path / name, "")
    monkeypatch.setattr(interpreters.sys, "platform", "win32")
    monkeypatch.setattr(interpreters.sys, "base_exec_prefix", str(tmp_path))
    monkeypatch.setattr(interpreters.sys, "executable", str(tmp_path / "bin/qgis-bin.exe"))
    assert list(interpreters.candidates()) == [tmp_path / "python.exe"]


def test_on_macos_the_python_of_the_bundle_only_helps(tmp_path, monkeypatch):
    bundle = tmp_path / "QGIS.app" / "Contents" / "MacOS"
    python = program(bundle / "bin" / "python3", "")
    monkeypatch.setattr(interpreters.sys, "platform", "darwin")
    monkeypatch.setattr(interpreters.sys, "base_exec_prefix", str(bundle))
    assert python not in interpreters.candidates()
    assert Path("/usr/bin/python3") not in interpreters.candidates()
    assert python in interpreters.helpers()


def test_the_home_lies_among_the_data_of_the_user(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.delenv("GEOSEG_ENGINE_HOME", raising=False)
    assert EngineHome().root == tmp_path / ".local/share/geoseg"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert EngineHome().root == tmp_path / "data/geoseg"
    assert EngineHome().python() is None
    monkeypatch.setenv("GEOSEG_ENGINE_HOME", str(tmp_path / "elsewhere"))
    assert EngineHome().root == tmp_path / "elsewhere"
    assert EngineHome(tmp_path / "given").root == tmp_path / "given"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert user_data() == tmp_path / "Library/Application Support"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert user_data() == tmp_path / "local"


def test_an_interpreter_of_the_users_own_is_checked_by_the_engine(tmp_path):
    found = check_interpreter(sys.executable, worker(tmp_path), "0.0", Listener())
    assert found["python"] == sys.executable
    with pytest.raises(SetupFailed, match=r"The engine does not run in .*Set up engine"):
        check_interpreter(sys.executable, worker(tmp_path, "import nothing_of_this_name"), "0.0",
                          Listener())
    with pytest.raises(SetupFailed, match=r"version 0\.0"):
        check_interpreter(sys.executable, worker(tmp_path), "9.9", Listener())
