"""What commands write, and that they leave nothing when they may not, cannot or must not."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from geoseg.cli.common import task
from geoseg.errors import Cancelled
from geoseg.progress import ConsoleBar
from tests.cli.conftest import AS_MODULE, RESULTS, check_sentence, invoke, python, snapshot

WRITERS = [name for name in RESULTS if name != "export-chips" and name != "run"]
MODULES = {
    "fetch-osm": "geoseg.sources.osm", "burn-labels": "geoseg.samples.labels",
    "plan-chips": "geoseg.samples.chips", "export-chips": "geoseg.samples.export",
    "train": "geoseg.learn.train", "predict": "geoseg.maps.predict",
    "refine": "geoseg.maps.refine", "classify": "geoseg.maps.classify",
    "polygonize": "geoseg.maps.polygons",
    "trace-coastline": "geoseg.coast.tracing.coastline", "evaluate": "geoseg.maps.evaluate",
    "run": "geoseg.chain", "split-sea-land": "geoseg.sources.sea_land",
    "measure-coastline": "geoseg.coast.accuracy.measure",
    "cast-transects": "geoseg.coast.change.transects",
    "measure-change": "geoseg.coast.change.measure"}


@pytest.mark.parametrize("command", RESULTS)
def test_a_result_is_written_into_a_new_folder_and_named(world, tmp_path, command):
    out = tmp_path / "new" / "deep" / RESULTS[command]
    before = snapshot(world.folder)
    done = invoke(*world.command(command, out))
    assert done.exit_code == 0, done.output
    assert str(out) in done.stdout
    assert out.exists()
    assert not [path for path in tmp_path.rglob("*") if ".part" in path.name]
    assert snapshot(world.folder) == before


@pytest.mark.parametrize("command", WRITERS)
def test_what_exists_is_replaced_only_when_told(world, refused, tmp_path, command):
    out = tmp_path / RESULTS[command]
    out.write_text("mine")
    refused(*world.command(command, out), says=(
        f"{out}: exists already. Choose another name, or allow overwriting",))
    assert out.read_text() == "mine"
    done = invoke(*world.command(command, out), "--overwrite")
    assert done.exit_code == 0, done.output
    assert out.read_bytes()[:4] != b"mine"


def test_folders_are_replaced_only_if_they_are_exports(world, refused, tmp_path):
    out = tmp_path / "tiles"
    export = world.command("export-chips", out)
    assert invoke(*export).exit_code == 0
    refused(*export, says=(f"{out}: exists already",))
    assert invoke(*export, "--overwrite").exit_code == 0
    (out / "chips.json").unlink()
    refused(*export, "--overwrite", says=(f"{out}: is a folder with other things in it",))


def test_every_second_result_is_protected_too(world, refused, tmp_path):
    for name, command, more in (("o.json", "evaluate", ()),
                                ("e.tif", "predict", ("--uncertainty", tmp_path / "e.tif")),
                                ("s.gpkg", "trace-coastline", ("--polygons", tmp_path / "s.gpkg")),
                                ("m.json", "measure-coastline", ("--json", tmp_path / "m.json")),
                                ("c.html", "measure-change", ("--report", tmp_path / "c.html"))):
        (tmp_path / name).write_text("mine")
        refused(*world.command(command, tmp_path / RESULTS[command]), *more,
                says=(f"{name}: exists already",))
    refused(*world.command("predict", tmp_path / "o.tif"), "--uncertainty", tmp_path / "o.tif",
            says=("o.tif: cannot hold both probabilities and their uncertainty",))


@pytest.mark.parametrize("command", RESULTS)
def test_a_folder_that_cannot_be_written(world, refused, tmp_path, command):
    """Even the superuser cannot write below a file."""
    (tmp_path / "file").touch()
    for out in (tmp_path / "file" / RESULTS[command], tmp_path / "file" / "a" / RESULTS[command]):
        refused(*world.command(command, out), says=(
            f"{out}: cannot be", "(Not a directory). Choose a folder that you may write to"))


def test_a_run_folder_that_cannot_be_written(world, refused, tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        refused(*world.command("train", tmp_path / "o.safetensors"), "--run-dir", folder,
                says=(f"{folder}: cannot be made",))
    refused(*world.command("run", tmp_path / "file"), says=(f"{tmp_path / 'file'}: is a file",))


@pytest.mark.parametrize("command", WRITERS)
def test_folders_and_unknown_endings(world, refused, tmp_path, command):
    refused(*world.command(command, tmp_path), says=("is a folder. Name a file in it",))
    refused(*world.command(command, tmp_path / "o.xyz"), says=(
        "o.xyz: ends in '.xyz'. Choose a name that ends in .",))
    refused(*world.command(command, tmp_path / "o"), says=("o: has no ending. Choose",))


@pytest.mark.parametrize(("command", "file"), [
    ("burn-labels", "image"), ("predict", "image"), ("classify", "proba"), ("refine", "proba"),
    ("refine", "image"), ("plan-chips", "chips"),
    ("polygonize", "osm"), ("trace-coastline", "osm"), ("burn-labels", "labels")])
def test_an_input_is_never_replaced(world, refused, tmp_path, command, file):
    own = Path(getattr(world, file))
    changes = {"plan-chips": {"image": own}, "polygonize": {"classes": own},
               "trace-coastline": {"proba": own}}.get(command, {})
    if file == "labels":
        changes = {"osm": own}
    refused(*world.command(command, own, **changes), "--overwrite",
            says=(f"{own}: is also an input. Choose another name",))


@contextlib.contextmanager
def stopping(monkeypatch, error: BaseException, at: float = 0.0):
    """Raise an error from the progress bar, once the work has come so far but is not done."""
    stopped = []

    def call(self, fraction, message):
        if at <= fraction < 1:
            stopped.append(message)
            raise error

    with monkeypatch.context() as patch:
        patch.setattr(ConsoleBar, "__call__", call)
        yield stopped


# How late each command tells its progress, so that it can be stopped then.
LATEST = {"plan-chips": 0.0, "export-chips": 0.01, "run": 0.02, "predict": 0.5, "evaluate": 0.5,
          "split-sea-land": 0.5, "cast-transects": 0.0, "train": 0.5, "refine": 0.05}


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("command", RESULTS)
def test_an_interrupt_leaves_nothing(world, tmp_path, monkeypatch, command, late):
    before = snapshot(world.folder, tmp_path)
    at = LATEST.get(command, 0.8) if late else 0.0
    with stopping(monkeypatch, KeyboardInterrupt(), at) as stopped:
        done = invoke(*world.command(command, tmp_path / "new" / RESULTS[command]))
    assert stopped
    assert done.exit_code == 1
    assert check_sentence(done.stderr) == str(Cancelled())
    assert done.stdout == ""
    assert snapshot(world.folder, tmp_path) == before


def test_an_interrupted_run_keeps_its_finished_steps(world, tmp_path, monkeypatch):
    out = tmp_path / "map"
    with stopping(monkeypatch, KeyboardInterrupt(), 0.5):
        assert invoke(*world.command("run", out)).exit_code == 1
    kept = {path.name for path in out.iterdir()}
    assert kept >= {"run.json", "labels.tif", "chips.gpkg"}
    assert not [path for path in out.rglob("*") if ".part" in path.name]
    labels = (out / "labels.tif").stat().st_mtime_ns
    again = invoke(*world.command("run", out))
    assert again.exit_code == 0, again.output
    assert (out / "labels.tif").stat().st_mtime_ns == labels


def test_control_c_in_a_terminal(world, tmp_path):
    """As a process: a signal in the middle of the work."""
    out = tmp_path / "new" / "o.safetensors"
    recipe = tmp_path / "long.toml"
    recipe.write_text(Path(world.recipe).read_text().replace("steps = 3", "steps = 100000")
                      .replace("validate_every = 3", "validate_every = 50000"))
    process = subprocess.Popen(
        python(AS_MODULE, *world.command("train", out, recipe=recipe)),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + 60
        while not (out.parent / "o-run" / "recipe.json").exists():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < until
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 1, stderr
    assert check_sentence(stderr) == str(Cancelled())
    assert stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["long.toml"]


def interrupted(finalized):
    with task("Test") as progress:
        finalized()
        progress(0.5, "half")
        pytest.fail("went on")


def test_an_interrupt_that_python_drops_still_stops(world, tmp_path, monkeypatch):
    """An exception in a finalizer goes nowhere, also that of Ctrl-C."""
    class Finalized:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    dropped = []
    monkeypatch.setattr(sys, "unraisablehook", lambda event: dropped.append(event.exc_type))
    with pytest.raises(SystemExit):
        interrupted(Finalized)
    assert dropped == [KeyboardInterrupt]
    assert signal.getsignal(signal.SIGINT) == before


@pytest.mark.parametrize("command", RESULTS)
def test_a_crash_shows_one_sentence_and_where_the_report_lies(
        world, tmp_path, monkeypatch, command):
    reports = tmp_path / "reports"
    reports.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(reports))
    before = snapshot(world.folder, tmp_path)
    with stopping(monkeypatch, RuntimeError("the roof fell in")):
        done = invoke(*world.command(command, tmp_path / "new" / RESULTS[command]))
    assert done.exit_code == 1
    assert "Traceback" not in done.output
    assert "the roof fell in" not in done.output
    [report] = reports.iterdir()
    [line] = done.stderr.strip().splitlines()
    assert line == f"Error: Something went wrong inside geoseg. Please report it with {report}."
    assert "RuntimeError: the roof fell in" in report.read_text(encoding="utf-8")
    assert f"{MODULES[command].replace('.', '/')}.py" in report.read_text(encoding="utf-8")
    report.unlink()
    assert snapshot(world.folder, tmp_path) == before


@pytest.mark.parametrize("command", ["info", "recipes"])
def test_a_crash_without_progress_bar(world, tmp_path, monkeypatch, command):
    def fall(*args):
        raise RuntimeError("the roof fell in")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("geoseg.describe.info", fall)
    monkeypatch.setattr("geoseg.recipe.shipped_recipes", fall)
    done = invoke(command, *([world.image] if command == "info" else []))
    assert done.exit_code == 1
    [report] = tmp_path.iterdir()
    assert done.stderr == ("Error: Something went wrong inside geoseg. "
                           f"Please report it with {report}.\n")
    assert done.stdout == ""
