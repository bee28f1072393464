"""Running a task in a process of its own: every way in which it can end, and what is left then."""

from __future__ import annotations

import ast
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import qgis_plugin
from qgis_plugin.exit_codes import explain
from qgis_plugin.process import Limits, TaskCancelled, TaskFailed, run_task
from qgis_plugin.surroundings import clean_environment
from tests.plugin.engine import make_engine
from tests.plugin.processes import Listener, after_a_step, assert_gone, members, wait_until

STUB = Path(__file__).with_name("stub_worker.py")
SHORT = Limits(hello=20.0, silence=1.0, grace=0.5, terminate=1.0)


@pytest.fixture
def group(tmp_path, monkeypatch):
    """Where the stub writes its group; at the end of each test none of it may be left."""
    file = tmp_path / "group.txt"
    monkeypatch.setenv("STUB_GROUP", str(file))
    yield file
    if file.exists():
        assert_gone(int(file.read_text()))


def run(task, params=None, *, listener=None, worker=STUB, python=sys.executable, **options):
    return run_task(python, worker, task, params or {}, listener=listener or Listener(), **options)


def failure(task, **options) -> TaskFailed:
    with pytest.raises(TaskFailed) as caught:
        run(task, **options)
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
    assert "Traceback" not in text
    return caught.value


def test_a_task_is_heard_and_its_result_returned(group):
    listener = Listener()
    assert run("normal", {"a": [1, None, "ü"]}, listener=listener, version="1.2") == {
        "a": [1, None, "ü"]}
    assert listener.steps == [(0.0, "step 0"), (0.5, "step 1"), (1.0, "step 2")]
    assert listener.logs[1:] == [("debug", "a debug"), ("info", "a info"),
                                 ("warning", "a warning")]
    assert listener.logs[0] == ("debug", f"Engine 1.2 runs in Python 3, process "
                                         f"{group.read_text()}.")


def test_prints_of_libraries_between_the_messages_do_no_harm(group):
    listener = Listener()
    assert run("native_prints", listener=listener) == {}
    assert len(listener.steps) == 500
    assert sum("library: \ufffd\ufffd done" in text for _, text in listener.logs) == 500


def test_junk_is_logged_and_passed_over(group):
    listener = Listener()
    assert run("junk", listener=listener) == {"whole": True}
    assert listener.steps == [(1.0, "too far")]
    assert sum(text.startswith("Not understood") for _, text in listener.logs) == 7


def test_children_do_not_outlive_a_task_that_ended_well(group):
    assert run("children") == {}


def test_cancelling_lets_the_task_stop_by_itself(group, tmp_path):
    listener, stopped = Listener(after_a_step), tmp_path / "stopped.txt"
    with pytest.raises(TaskCancelled):
        run("patient", {"stopped": str(stopped)}, listener=listener)
    assert ("info", "Stopping…") in listener.logs
    assert stopped.exists()


@pytest.mark.parametrize("task", ["late", "upset", "exits"])
def test_after_cancelling_nothing_else_is_reported(group, task):
    listener = Listener(after_a_step if task != "exits" else lambda self: len(self.logs) > 0)
    with pytest.raises(TaskCancelled):
        run(task, listener=listener)


def test_a_cancelled_task_does_not_start(group):
    with pytest.raises(TaskCancelled):
        run("normal", listener=Listener(lambda self: True))
    assert not group.exists()


def test_cancelling_before_the_engine_answers(group, monkeypatch):
    monkeypatch.setenv("STUB_BEGIN", "mute")
    with pytest.raises(TaskCancelled):
        run("normal", listener=Listener(lambda self: group.exists() and group.read_text()))


def test_a_deaf_task_is_killed_with_its_children(group):
    listener = Listener(lambda self: len(self.steps) > 2 and len(members(
        int(group.read_text()))) == 3)
    start = time.monotonic()
    with pytest.raises(TaskCancelled):
        run("deaf", listener=listener, limits=SHORT)
    assert time.monotonic() - start > SHORT.grace


@pytest.mark.parametrize("task", ["lost", "waits"])
def test_a_task_that_does_not_report_stops_and_cleans_up(tmp_path, task):
    """The real worker unwinds the task where it stands."""
    with pytest.raises(TaskCancelled):
        run(task, worker=make_engine(tmp_path), listener=Listener(after_a_step))
    assert (tmp_path / "cleaned.txt").exists()


def test_a_task_that_is_left_in_the_lurch_can_clean_up(tmp_path):
    """When the listener breaks, the task is asked to stop as if it had been cancelled."""
    listener = Listener()
    listener.progress = lambda fraction, text: 1 / 0
    with pytest.raises(ZeroDivisionError):
        run("busy", worker=make_engine(tmp_path), listener=listener)
    assert (tmp_path / "cleaned.txt").exists()
    assert_gone(int((tmp_path / "group.txt").read_text()))


def test_a_crash_in_native_code(group):
    """It is noticed although children hold the output open."""
    error = failure("segfault", limits=Limits(silence=10.0))
    assert error.kind == "crash"
    assert "crashed in native code (SIGSEGV)" in str(error)
    assert "about to fall" in error.details


def test_a_killed_worker(group):
    error = failure("killed", limits=Limits(silence=10.0))
    assert error.kind == "crash"
    assert "memory ran out" in str(error)


def test_the_end_of_standard_error_comes_with_a_crash(group):
    error = failure("exits")
    assert error.kind == "crash"
    assert "exit code 7" in str(error)
    assert error.details.splitlines() == [f"line {number}" for number in range(260, 300)]


def test_a_worker_that_closes_its_output_and_goes_on(group):
    error = failure("closes", limits=SHORT)
    assert error.kind == "crash"
    assert "went on" in str(error)


def test_an_error_of_the_user_is_passed_on_as_it_is(group):
    error = failure("user_error")
    assert (error.kind, str(error), error.details) == ("user", "image.tif: is blue. Paint it.", "")


def test_a_bug_brings_its_traceback(group):
    error = failure("bug")
    assert (error.kind, str(error), error.details) == ("bug", "Oh no.", "Traceback: here")


def test_a_worker_that_was_stopped_by_others(group):
    error = failure("stopped")
    assert error.kind == "crash"
    assert "from outside QGIS" in str(error)


def test_silence_has_an_end(group):
    error = failure("silent", limits=SHORT)
    assert error.kind == "silent"
    assert "silent for 1 s" in str(error)


def test_an_engine_that_does_not_answer(group, monkeypatch):
    monkeypatch.setenv("STUB_BEGIN", "mute")
    assert failure("normal", limits=SHORT._replace(hello=2.0)).kind == "silent"


def test_an_engine_of_another_version(group):
    error = failure("normal", version="2.0")
    assert error.kind == "version"
    assert "has version 1.2, but the plugin needs 2.0" in str(error)


@pytest.mark.parametrize("beginning", ["protocol", "rude"])
def test_an_engine_that_speaks_otherwise(group, monkeypatch, beginning):
    monkeypatch.setenv("STUB_BEGIN", beginning)
    assert failure("normal", version="1.2").kind == "version"


def test_an_engine_that_ends_before_it_answers(group, monkeypatch):
    monkeypatch.setenv("STUB_BEGIN", "dies")
    error = failure("normal")
    assert error.kind == "start"
    assert "did not start: it ended with exit code 1" in str(error)
    assert error.details == "no such module"


def test_a_script_that_does_not_exist(tmp_path):
    error = failure("normal", worker=tmp_path / "gone.py")
    assert error.kind == "start"
    assert "gone.py" in error.details


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir, Path.touch])
def test_an_interpreter_that_cannot_be_started(tmp_path, make):
    python = tmp_path / "python"
    make(python)
    error = failure("normal", python=python)
    assert error.kind == "start"
    assert str(python) in str(error)
    assert "Set up engine" in str(error)


@pytest.mark.parametrize("method", ["progress", "log", "is_cancelled"])
def test_a_listener_that_fails_leaves_no_process(group, method):
    class Broken(Listener):
        pass

    def fail(self, *told):
        if method != "is_cancelled" or self.steps:
            raise ZeroDivisionError
        return False

    setattr(Broken, method, fail)
    with pytest.raises(ZeroDivisionError):
        run("deaf", listener=Broken(), limits=SHORT)


def test_two_tasks_at_once_do_not_mix(tmp_path, monkeypatch):
    monkeypatch.setenv("STUB_GROUP", "/dev/null")
    results = {}

    def work(number):
        listener = Listener()
        results[number] = run("normal", {"number": number}, listener=listener), listener.steps

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [results[number][0] for number in range(2)] == [{"number": 0}, {"number": 1}]
    assert all(len(steps) == 3 for _, steps in results.values())


def test_odd_characters_in_paths_and_parameters(group, tmp_path):
    odd = """a b ümläut 'single' "double" ;$(touch hit) `touch hit` & %PATH% ☂"""
    folder = tmp_path / odd
    folder.mkdir()
    worker = Path(shutil.copy(STUB, folder / f"{odd}.py"))
    python = folder / "python"
    python.symlink_to(Path(sys.executable).resolve())
    assert run("normal", {odd: odd}, worker=worker, python=python) == {odd: odd}
    assert [path.name for path in tmp_path.rglob("hit")] == []


def test_variables_of_other_pythons_do_not_reach_the_engine(group, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/nowhere")
    monkeypatch.setenv("GEOSEG_KEPT", "yes")
    found = run("environment")
    assert found["GEOSEG_KEPT"] == "yes"
    assert not {"PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH"} & set(found)


def test_which_variables_are_left_out(tmp_path):
    certificate = tmp_path / "company.pem"
    certificate.touch()
    kept = {"PATH": "/usr/bin", "HOME": "/home/a", "https_proxy": "http://proxy",
            "REQUESTS_CA_BUNDLE": str(certificate), "Qtopia": "1", "GDAL_CACHEMAX": "1"}
    dropped = {name: "/nowhere" for name in (
        "PYTHONHOME", "PYTHONEXECUTABLE", "pythonpath", "PIP_TARGET", "PIP_USER", "VIRTUAL_ENV",
        "CONDA_PREFIX", "__PYVENV_LAUNCHER__", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "GDAL_DATA",
        "GDAL_DRIVER_PATH", "PROJ_LIB", "PROJ_DATA", "QGIS_PREFIX_PATH", "QT_PLUGIN_PATH",
        "SSL_CERT_FILE")}
    assert clean_environment({**kept, **dropped}, "linux") == kept


def test_the_path_on_windows_loses_the_folders_of_qgis():
    folders = [r"C:\Windows\System32", r"C:\OSGeo4W\bin", r"c:\osgeo4w\apps\qgis/bin",
               '"C:\\OSGeo4W\\apps"', r"C:\OSGeo4W-tools\bin", "C:/OSGeo4W"]
    clean = clean_environment({"Path": ";".join(folders), "OSGEO4W_ROOT": "C:\\OSGeo4W\\"},
                              "win32")
    assert clean["Path"].split(";") == [folders[0], folders[4]]
    assert clean_environment({"PATH": "a;b"}, "win32") == {"PATH": "a;b"}


@pytest.mark.parametrize(("code", "says"), [
    (-signal.SIGKILL, "memory ran out"), (-signal.SIGSEGV, "native code (SIGSEGV)"),
    (-signal.SIGABRT, "native code (SIGABRT)"), (-signal.SIGILL, "lacks"),
    (-signal.SIGTERM, "from outside"), (-999, "signal 999"), (1, "exit code 1"),
    (0xC0000005, "access violation"), (0xC0000005 - 2**32, "access violation"),
    (0xC0000135, "could not load"), (None, "went on")])
def test_exit_codes_are_explained(code, says):
    text = explain(code)
    assert says in text
    assert text.endswith(".")
    assert not text[0].isupper()


HOST = """
import sys
sys.path.insert(0, {root!r})
from qgis_plugin.process import run_task
from tests.plugin.engine import make_engine
from tests.plugin.processes import Listener
run_task(sys.executable, {worker!r}, {task!r}, {{}}, listener=Listener())
"""


@pytest.mark.parametrize("task", ["busy", "stubborn"])
def test_a_killed_host_leaves_no_process(tmp_path, task):
    """The real worker notices that nobody is there, also when its task does not listen."""
    root = str(Path(qgis_plugin.__file__).parents[1])
    host = subprocess.Popen([sys.executable, "-c", HOST.format(
        root=root, worker=str(make_engine(tmp_path)), task=task)])
    file = tmp_path / "group.txt"
    wait_until(lambda: file.exists() and len(members(int(file.read_text()))) == 3)
    host.kill()
    host.wait()
    wait_until(lambda: not members(int(file.read_text())))
    assert (tmp_path / "cleaned.txt").exists() == (task == "busy")


def test_the_modules_are_free_of_qgis_and_old_enough():
    """They run in any Python from 3.9 on, and import the standard library only."""
    for name in ("process", "child", "exit_codes", "surroundings"):
        source = Path(qgis_plugin.__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
        tree = ast.parse(source, feature_version=(3, 9))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert all(item.name in sys.stdlib_module_names for item in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                assert node.module in sys.stdlib_module_names
