"""Cancel, kill and crowd: whatever happens, no process and no half-made file stays behind."""

import json
import os
import secrets
import signal
import time
from pathlib import Path

import pytest
from qgis_run import Qgis, arguments_of
from world import SETTINGS

MARK = "GEOSEG_TEST_RUN"
"""Variable by which the processes of one run are found, whatever group they are in."""
ENDLESS = SETTINGS.replace("train.steps=12", "train.steps=1000000")
PATIENCE = 240.0
"""Seconds until something that must happen counts as not happening."""


class Run:
    """A run of `qgis_process` whose processes can be found."""

    def __init__(self, folder, plugins, algorithm, parameters):
        self.mark = secrets.token_hex(8)
        qgis = Qgis(folder / f"qgis {self.mark}", plugins, {MARK: self.mark})
        self.process = qgis.start(*arguments_of(f"geoseg:{algorithm}", parameters))

    def processes(self):
        """Return the ids of all living processes of this run."""
        found, wanted = [], f"{MARK}={self.mark}".encode()
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and wanted in (entry / "environ").read_bytes() \
                        and ") Z " not in (entry / "stat").read_text():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def worker(self):
        """Return the id of the engine's process, or None."""
        for process in self.processes():
            line = Path(f"/proc/{process}/cmdline").read_bytes()
            if b"worker.py" in line and process != self.process.pid:
                return process
        return None

    def end(self):
        """Leave nothing behind, also when a test fails."""
        for process in self.processes():
            os.kill(process, signal.SIGKILL)
        self.process.communicate()


def until(condition, what):
    """Wait for something that must happen."""
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < limit, f"not within {PATIENCE:.0f} s: {what}"
        time.sleep(0.02)


@pytest.fixture
def start(tmp_path, plugins, engine_python):
    """Start runs; they end with the test."""
    runs = []

    def begin(algorithm, **parameters):
        runs.append(Run(tmp_path, plugins, algorithm, parameters))
        return runs[-1]

    yield begin
    for run in runs:
        run.end()


@pytest.fixture
def training(start, made, tmp_path):
    """A training that would go on for ever, after its first validation."""
    output = tmp_path / "out" / "model.safetensors"
    run = start("trainmodel", CHIPS=made["CHIPS"], RECIPE="buildings", SETTINGS=ENDLESS,
                OUTPUT=output)
    until((output.parent / "model-run" / "history.json").exists, "a first validation")
    return run, output


@pytest.fixture
def prediction(start, made, tmp_path, town):
    """A prediction of a large image that has begun to write."""
    from osgeo import gdal

    large = tmp_path / "large.tif"
    gdal.Translate(str(large), str(town.image), width=8192, height=8192,
                   creationOptions=["TILED=YES", "COMPRESS=DEFLATE"])
    output = tmp_path / "out" / "proba.tif"
    run = start("predict", MODEL=made["MODEL"], IMAGE=large, OUTPUT=output, FORCE="true")
    until(lambda: list(output.parent.glob(".proba*")), "a first tile")
    return run, output


def assert_nothing_left(run, output):
    assert run.processes() == []
    assert not output.exists()
    assert list(output.parent.glob(".*")) == []


@pytest.mark.parametrize("task", ["training", "prediction"])
def test_a_cancel_ends_it_and_leaves_nothing(task, request):
    run, output = request.getfixturevalue(task)
    began = time.monotonic()
    run.process.send_signal(signal.SIGINT)
    stdout, stderr = run.process.communicate(timeout=PATIENCE)
    # Well before the worker would be killed for not answering.
    assert time.monotonic() - began < 15
    assert "Traceback" not in stdout + stderr
    assert_nothing_left(run, output)


def test_a_cancelled_training_goes_on_where_it_was(training, start, made):
    run, output = training
    history = output.parent / "model-run" / "history.json"
    run.process.send_signal(signal.SIGINT)
    run.process.communicate(timeout=PATIENCE)
    before = json.loads(history.read_text())
    start("trainmodel", CHIPS=made["CHIPS"], RECIPE="buildings", SETTINGS=ENDLESS, OUTPUT=output,
          RESUME="true")
    until(lambda: len(json.loads(history.read_text())) > len(before), "a further validation")
    after = json.loads(history.read_text())
    assert after[:len(before)] == before
    assert after[len(before)]["step"] == before[-1]["step"] + after[0]["step"]


@pytest.mark.parametrize("task", ["training", "prediction"])
def test_no_process_outlives_qgis(task, request):
    run, output = request.getfixturevalue(task)
    assert run.worker()
    os.kill(run.process.pid, signal.SIGKILL)
    until(lambda: not run.processes(), "the end of the engine")
    run.process.communicate()
    assert_nothing_left(run, output)


def test_a_killed_engine_is_explained(training):
    run, output = training
    os.kill(run.worker(), signal.SIGKILL)
    stdout, stderr = run.process.communicate(timeout=PATIENCE)
    assert run.process.returncode == 1
    assert "memory" in stdout + stderr
    assert "Traceback" not in stdout + stderr
    assert_nothing_left(run, output)


def test_two_runs_at_once(start, made, tmp_path):
    both = [start("classify", PROBABILITIES=made["PROBABILITIES"], OUTPUT=tmp_path / f"{name}.tif")
            for name in "ab"]
    for run in both:
        stdout, stderr = run.process.communicate(timeout=PATIENCE)
        assert run.process.returncode == 0, stdout + stderr
    contents = [(tmp_path / f"{name}.tif").read_bytes() for name in "ab"]
    assert contents[0] == contents[1]
