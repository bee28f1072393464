"""Real set-ups of small environments: pip, uv and the package index take part."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

import geoseg
from qgis_plugin.environment import EngineHome, SetupCancelled, SetupFailed, stamp
from qgis_plugin.environment.home import LOCK
from tests.plugin.processes import Listener, wait_until
from tests.plugin.small_engine import ROOT, cancelling_at, entries, home, names, set_up

LEFT = ["set-up.busy", "set-up.log"]
"""All that a set-up without success leaves, apart from what was downloaded."""

pytestmark = pytest.mark.usefixtures("installers")


@pytest.fixture(scope="module")
def finished(installers, tmp_path_factory):
    """An environment that is set up; tests may damage it, and mend it again."""
    folder = tmp_path_factory.mktemp("finished")
    engine, listener = home(folder, "certifi"), Listener()
    return folder, engine, set_up(engine, folder, listener), listener


def packages(python: Path) -> set[str]:
    """Return the names in the folder of an interpreter's packages."""
    code = "import certifi, os; print(os.listdir(os.path.join(certifi.__path__[0], '..')))"
    return set(ast.literal_eval(subprocess.check_output([python, "-I", "-c", code], text=True)))


def test_a_set_up_ends_with_an_interpreter_that_has_the_packages(finished):
    _, engine, python, listener = finished
    assert "certifi" in packages(python)
    assert engine.python() == engine.python("default") == python
    assert engine.python("cpu") is None
    assert names(engine) == sorted([python.parents[1].name, *LEFT])
    assert engine.facts(python)["found"]["task"] == "check"
    assert ("info", "It works.") in listener.logs
    fractions = [fraction for fraction, _ in listener.steps]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    log = engine.log.read_text(encoding="utf-8")
    assert "-m venv" in log
    assert " + certifi==" in log


def test_a_second_set_up_only_tries_what_is_there(finished):
    folder, engine, python, _ = finished
    made = engine.facts(python)["made"]
    assert set_up(engine, folder) == python
    assert engine.facts(python)["made"] == made
    assert "$" not in engine.log.read_text(encoding="utf-8")


def test_another_lock_needs_another_environment(finished):
    _, engine, _, _ = finished
    assert EngineHome(engine.root, ROOT / "qgis_plugin" / "engine.lock").python() is None


@pytest.mark.parametrize("lost", ["lib/python3.*/site-packages/certifi", "bin/python", stamp.NAME])
def test_a_damaged_environment_is_none(finished, lost):
    _, engine, python, _ = finished
    victim, = python.parents[1].glob(lost)
    aside = victim.rename(engine.root / "aside")
    try:
        assert engine.python() is None
    finally:
        aside.rename(victim)
    assert engine.python() == python


def test_an_environment_whose_python_was_replaced_is_none(finished):
    """As when an update of the system brings another minor version under the same name."""
    _, engine, python, _ = finished
    target = python.readlink()
    python.unlink()
    python.symlink_to("/bin/sh")
    try:
        assert engine.python() is None
    finally:
        python.unlink()
        python.symlink_to(target)


def test_a_damaged_environment_is_made_again_and_leftovers_go(finished):
    folder, engine, python, _ = finished
    for name in ("env-0123456789.new", "env-abcdefabcd.old", "tools.new"):
        (engine.root / name).mkdir()
    for path in python.parents[1].glob("lib/python3.*/site-packages/certifi/*.py"):
        path.unlink()
    listener = Listener()
    assert set_up(engine, folder, listener) == python
    assert any(level == "warning" and "made again" in text for level, text in listener.logs)
    assert "certifi" in packages(python)
    assert names(engine) == sorted([python.parents[1].name, *LEFT])


def test_after_a_change_of_the_lock_the_earlier_environment_goes_unless_it_is_in_use(
        finished, tmp_path):
    engine = home(tmp_path, "certifi", "idna")
    shutil.copytree(finished[1].root, engine.root, symlinks=True)
    assert engine.python() is None
    first = EngineHome(engine.root, finished[1].lock.path).python()
    with engine.in_use(first):
        second = set_up(engine, tmp_path)
        assert first.exists()
    assert first != second
    assert {"certifi", "idna"} < packages(second)
    assert engine.python() == second
    set_up(engine, tmp_path)
    assert names(engine) == sorted([second.parents[1].name, *LEFT])


@pytest.mark.parametrize("moment", ["Making an", "Fetching the", "Trying the"])
def test_cancelling_leaves_nothing(tmp_path, moment):
    engine = home(tmp_path, "certifi")
    with pytest.raises(SetupCancelled):
        set_up(engine, tmp_path, cancelling_at(moment))
    assert names(engine) == LEFT
    assert engine.python() is None


def test_a_killed_set_up_leaves_no_process_and_the_next_one_works(tmp_path):
    engine = home(tmp_path, "certifi")
    program = textwrap.dedent(f"""
        import sys
        sys.path.insert(0, {str(ROOT)!r})
        from pathlib import Path
        from qgis_plugin.environment import EngineHome
        from tests.plugin import small_engine
        engine = EngineHome({str(engine.root)!r}, {str(engine.lock.path)!r})
        small_engine.set_up(engine, Path({str(tmp_path)!r}))
        """)
    process = subprocess.Popen([sys.executable, "-c", program])
    wait_until(lambda: engine.log.exists() and "-m pip" in engine.log.read_text("utf-8"))
    process.kill()
    process.wait()
    assert [name for name in names(engine) if name.startswith("env") and name.endswith(".new")]
    wait_until(lambda: not running_in(engine.root))
    assert engine.python() is None
    assert "certifi" in packages(set_up(engine, tmp_path))


def test_two_set_ups_at_once_make_one_environment(tmp_path):
    engine = home(tmp_path, "certifi")
    listeners = Listener(), Listener()
    made: list[Path] = []

    def work(listener: Listener) -> None:
        made.append(set_up(engine, tmp_path, listener))

    threads = [threading.Thread(target=work, args=(listener,)) for listener in listeners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made[0] == made[1] == engine.python()
    waited = [any("waiting" in text for _, text in listener.logs) for listener in listeners]
    assert sorted(waited) == [False, True]
    assert names(engine) == sorted([made[0].parents[1].name, *LEFT])


def test_waiting_for_another_set_up_can_be_cancelled(tmp_path):
    engine = home(tmp_path, "certifi")
    engine.root.mkdir()
    hold = ("import fcntl, sys; file = open(sys.argv[1], 'a'); fcntl.flock(file, fcntl.LOCK_EX); "
            "print(flush=True); input()")
    holder = subprocess.Popen([sys.executable, "-c", hold, engine.root / "set-up.busy"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    holder.stdout.read(1)
    try:
        with pytest.raises(SetupCancelled):
            set_up(engine, tmp_path, cancelling_at("Waiting"))
    finally:
        holder.communicate(b"\n")
    assert names(engine) == ["set-up.busy"]


def test_a_changed_package_is_refused(tmp_path):
    engine = home(tmp_path, text=re.sub("sha256:....", "sha256:0000", entries("certifi")))
    with pytest.raises(SetupFailed, match="certifi is not the file that geoseg was tested with"):
        set_up(engine, tmp_path)
    assert names(engine) == LEFT


def test_pip_steps_in_where_uv_cannot(tmp_path, monkeypatch):
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    monkeypatch.delenv("PIP_NO_INDEX")
    engine, listener = home(tmp_path, "certifi"), Listener()
    assert "certifi" in packages(set_up(engine, tmp_path, listener))
    assert any(level == "warning" and "trying pip" in text for level, text in listener.logs)


@pytest.mark.slow
def test_the_real_engine_is_set_up_and_works(tmp_path, monkeypatch):
    """With all its packages, which uv has at hand since it made the checkout's environment."""
    monkeypatch.delenv("UV_CACHE_DIR")
    uv = subprocess.check_output([sys.executable, "-m", "uv", "cache", "dir"], text=True).strip()
    monkeypatch.setenv("UV_CACHE_DIR", uv)
    engine = EngineHome(tmp_path / "home")
    try:
        python = set_up(engine, tmp_path, worker=ROOT / "geoseg" / "worker.py",
                        version=geoseg.__version__)
        assert python == engine.python()
        versions = engine.facts(python)["found"]["versions"]
        for name in ("rasterio", "torch"):
            assert f"\n{name}=={versions[name].partition('+')[0]}" in LOCK.read_text("utf-8")
    finally:
        shutil.rmtree(engine.root)


def running_in(folder: Path) -> list[str]:
    """Return the processes whose command line names a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = process.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line and process.parent.name != str(os.getpid()):
            found.append(line)
    return found
