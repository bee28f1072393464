"""The worker's side of the protocol: the real one, with tasks made for these tests."""

from __future__ import annotations

import ast
import json
import sys
import venv
from pathlib import Path

import pytest

import geoseg
from tests.plugin.engine import REAL, Worker, make_engine
from tests.plugin.processes import assert_gone, members, wait_until

FINAL = {"result", "cancelled", "error"}
HERE = Path(geoseg.__file__).parent


@pytest.fixture
def worker(tmp_path):
    """A worker that waits for its request; nothing of its group may be left in the end."""
    with Worker(make_engine(tmp_path)) as running:
        yield running
        running.leave()
        assert_gone(running.group)


def do(worker: Worker, task: str, **params: object) -> list[dict]:
    """Do a task; return all events after `hello`, of which only the last is final."""
    worker.ask(task, **params)
    hello, *events = worker.rest()
    assert hello["event"] == "hello"
    assert [event["event"] in FINAL for event in events] == [False] * (len(events) - 1) + [True]
    return events


def last(worker: Worker, task: str, **params: object) -> dict:
    return do(worker, task, **params)[-1]


def test_hello_comes_first_and_tells_the_versions(worker):
    hello = worker.hear()
    assert hello == {"event": "hello", "protocol": 1, "version": geoseg.__version__,
                     "python": ".".join(map(str, sys.version_info[:3])), "pid": worker.group}


def test_hello_needs_no_package_and_a_missing_one_is_named(tmp_path):
    """An interpreter without any package says so, after it has said hello."""
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    with Worker(HERE / "worker.py", tmp_path / "bare" / "bin" / "python") as worker:
        assert worker.hear()["event"] == "hello"
        worker.ask("predict")
        [error] = worker.rest()
    assert (error["event"], error["kind"]) == ("error", "user")
    assert str(tmp_path / "bare") in error["text"]
    assert "lacks the package numpy" in error["text"]
    assert "Set up engine" in error["text"]
    assert "Traceback" in error["traceback"]


def test_an_old_python_can_say_what_is_wrong(tmp_path):
    script = make_engine(tmp_path)
    source = script.read_text(encoding="utf-8")
    assert "OLDEST_PYTHON = (3, 11)" in source
    script.write_text(source.replace("OLDEST_PYTHON = (3, 11)", "OLDEST_PYTHON = (99, 1)"))
    with Worker(script) as worker:
        error = last(worker, "echo")
    assert error["kind"] == "user"
    assert "but the engine needs 99.1 or newer" in error["text"]


@pytest.mark.parametrize("name", REAL)
def test_what_runs_before_that_is_old_enough_and_of_the_standard_library(name):
    tree = ast.parse((HERE / name).read_text(encoding="utf-8"), feature_version=(3, 9))
    for node in tree.body:
        if isinstance(node, ast.Import):
            assert all(item.name in sys.stdlib_module_names for item in node.names)
        elif isinstance(node, ast.ImportFrom):
            inner = node.module.partition(".")[2] + ".py" in REAL
            assert inner or node.module.partition(".")[0] in sys.stdlib_module_names
    if name == "worker.py":
        assert "geoseg" not in {node.module for node in tree.body
                                if isinstance(node, ast.ImportFrom)}


def test_a_result_is_returned_with_odd_texts_as_they_are(worker):
    odd = "ümläut ☂ \ud800 \n \" \\"
    assert last(worker, "echo", text=odd)["data"] == {"text": odd}


def test_what_json_does_not_have_becomes_null_or_text(worker):
    data = last(worker, "numbers")["data"]
    assert data == {"numbers": {"nan": None, "inf": None, "one": 1}, "path": str(Path("a", "b")),
                    "pair": [True, None]}


def test_progress_is_throttled_and_prints_go_elsewhere(worker):
    events = do(worker, "chatty")
    shown = [event for event in events if event["event"] == "progress"]
    seconds = events[-1]["data"]["numbers"]["seconds"]
    assert 2 <= len(shown) <= 10 * seconds + 2
    assert shown[-1] == {"event": "progress", "fraction": 0.998, "text": "step 499"}
    errors = worker.errors()
    assert errors.count(b"\xff native\n") == errors.count(b"python\n") == 500


def test_logs_come_with_their_level(worker):
    logs = [(event["level"], event["text"]) for event in do(worker, "talks")[:-1]]
    assert logs == [("info", "an info"), ("warning", "a warning"), ("warning", "an error"),
                    ("debug", "UserWarning: old ways")]


def test_signs_of_life(worker):
    assert sum(event["event"] == "beat" for event in do(worker, "slow_beats")) >= 3


@pytest.mark.parametrize("request_line", [
    b"nonsense", b"\xff\xfe", b"[1, 2]", b"{}", b"3", b"[" * 100_000,
    json.dumps({"protocol": 1, "task": "echo"}).encode(),
    json.dumps({"protocol": 2, "task": "echo", "params": {}}).encode(),
    json.dumps({"protocol": 1, "task": 5, "params": {}}).encode(),
    json.dumps({"protocol": 1, "task": "echo", "params": []}).encode()])
def test_a_request_that_is_not_understood(worker, request_line):
    worker.write(request_line)
    hello, error = worker.rest()
    assert hello["event"] == "hello"
    assert (error["event"], error["kind"]) == ("error", "user")
    assert error["text"].startswith("the request: ")


def test_an_error_that_was_foreseen_is_one_sentence(worker):
    assert last(worker, "user_error") == {"event": "error", "kind": "user",
                                          "text": "image.tif: is blue. Paint it."}


@pytest.mark.parametrize(("task", "says"), [
    ("bug", "(ZeroDivisionError: division by zero)"), ("leaves", "(SystemExit: 3)")])
def test_an_error_that_was_not_foreseen_is_a_bug(worker, task, says):
    error = last(worker, task)
    assert error["kind"] == "bug"
    assert says in error["text"]
    assert "\n" not in error["text"]
    assert "stub_tasks" not in error["text"]
    assert f"in {task}" in error["traceback"]


@pytest.mark.parametrize(("task", "says"), [
    ("memory", "memory ran out"), ("torch_memory", "memory ran out"),
    ("missing", "lacks the package no_such_package"),
    ("broken", "cannot load a package (libfoo.so: cannot open)"),
    ("no_library", "cannot load a package ([WinError 126]")])
def test_errors_of_the_surroundings_say_what_to_do(worker, task, says):
    error = last(worker, task)
    assert error["kind"] == "user"
    assert says in error["text"]
    assert error["text"].endswith(".")


def test_cancelling_stops_the_task_at_its_next_report(worker, tmp_path):
    worker.ask("busy")
    worker.hear_until("progress")
    worker.write(b"nonsense")
    worker.write(b'{"cancel": false}')
    worker.write(b'{"cancel": true}')
    assert worker.rest()[-1] == {"event": "cancelled"}
    assert (tmp_path / "cleaned.txt").exists()
    # The children are the caller's to end as long as there is one.
    assert len(members(worker.group)) == 2
    worker.kill()


@pytest.mark.parametrize("task", ["lost", "waits", "slow_to_clean"])
def test_a_task_that_does_not_report_is_interrupted_once(worker, tmp_path, task):
    """Wherever it is, unless it is stopping already: what is half made is taken back in peace."""
    worker.ask(task)
    worker.hear_until("progress")
    worker.write(b'{"cancel": true}')
    assert worker.rest()[-1] == {"event": "cancelled"}
    assert (tmp_path / "cleaned.txt").exists()
    worker.kill()


def test_cancelling_while_packages_are_imported_keeps_the_task_from_starting(worker):
    worker.ask("slow_import")
    worker.write(b'{"cancel": true}')
    hello, end = worker.rest()
    assert (hello["event"], end) == ("hello", {"event": "cancelled"})


def test_without_a_request_the_worker_ends(worker):
    worker.leave()
    assert [event["event"] for event in worker.rest()] == ["hello", "cancelled"]


@pytest.mark.parametrize("task", ["busy", "lost", "stubborn"])
def test_when_the_caller_is_gone_the_whole_group_ends(worker, tmp_path, task):
    """Whether the task listens, only gives way when interrupted, or does neither."""
    worker.ask(task)
    wait_until(lambda: len(members(worker.group)) == 3)
    worker.leave()
    wait_until(lambda: not members(worker.group))
    assert (tmp_path / "cleaned.txt").exists() == (task != "stubborn")


def test_when_nobody_listens_the_task_stops(worker, tmp_path):
    worker.ask("unheard")
    worker.hear_until("progress")
    worker.stop_listening()
    wait_until((tmp_path / "cleaned.txt").exists)
    wait_until(worker.has_ended)
    worker.kill()


def test_threads_that_linger_do_not_hold_the_worker(worker):
    worker.ask("lingers")
    worker.hear_until("result")
    wait_until(worker.has_ended)
