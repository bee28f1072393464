"""Runs, one after the other in this process or several side by side in processes of their own."""

from __future__ import annotations

import json
import logging
import os
import queue

# It starts this Python with a module of geoseg.
import subprocess  # nosec B404
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from geoseg.caller import PROTOCOL
from geoseg.comparison.runs import Run, perform
from geoseg.errors import GeosegError, TrainingError
from geoseg.learn.model import choose_device, device_count
from geoseg.samples.plan import ChipPlan

_log = logging.getLogger("geoseg")
_TICK = 0.2
_PATIENCE = 10.0
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

Report = Callable[[float, str], None]
"""Told how many runs are being done, in parts of runs, and what one of them says."""


class Pool(Protocol):
    """Does runs; use as a context manager, whose end stops what is still going on."""

    def __enter__(self) -> Pool:
        """Begin."""
        ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Stop what is still going on."""
        ...

    @property
    def wants_more(self) -> bool:
        """Whether nothing waits to be done."""
        ...

    def submit(self, run: Run) -> None:
        """Take a run."""
        ...

    def wait(self, report: Report) -> tuple[Run, TrainingError | None]:
        """Return the next run that has ended, and why if it could not be trained.

        Raises:
            GeosegError: It failed for another reason than its training.
        """
        ...


@dataclass
class Here:
    """Does one run after the other in this process."""

    plan: ChipPlan
    split: str
    device: str
    _waiting: list[Run] = field(default_factory=list)

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting.clear()

    @property
    def wants_more(self) -> bool:
        """Whether nothing waits to be done."""
        return not self._waiting

    def submit(self, run: Run) -> None:
        """Take a run."""
        self._waiting.append(run)

    def wait(self, report: Report) -> tuple[Run, TrainingError | None]:
        """Do the next run; see `Pool.wait`."""
        run = self._waiting.pop(0)
        try:
            perform(self.plan, run.recipe, run.folder, split=self.split, device=self.device,
                    progress=lambda done, said: report(done, f"{_title(run)}: {said}"))
        except TrainingError as error:
            return run, error
        return run, None


class SideBySide:
    """Does several runs at a time, each in a process of its own with its share of the cores.

    On a machine with several GPUs, the processes take them in turn.

    Args:
        plan: File of the chip plan.
        split: The chips to score.
        device: `auto`, `cpu`, `cuda` or `mps`.
        jobs: How many runs at a time.
    """

    def __init__(self, plan: Path, split: str, device: str, jobs: int) -> None:
        self._plan, self._split, self._device, self._jobs = plan, split, device, jobs
        self._waiting: list[Run] = []
        self._children: dict[int, _Child] = {}
        self._events: queue.Queue[tuple[int, dict[str, Any] | None]] = queue.Queue()
        self._gpus = _gpus(device)

    def __enter__(self) -> SideBySide:
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting.clear()
        for child in self._children.values():
            child.ask_to_stop()
        for child in self._children.values():
            child.end()

    @property
    def wants_more(self) -> bool:
        """Whether nothing waits to be done."""
        return not self._waiting and len(self._children) < self._jobs

    def submit(self, run: Run) -> None:
        """Take a run, and begin it if a place is free."""
        self._waiting.append(run)
        self._begin()

    def wait(self, report: Report) -> tuple[Run, TrainingError | None]:
        """Wait for the next run to end; see `Pool.wait`."""
        said = "starting"
        while True:
            report(sum(child.done for child in self._children.values()), said)
            with suppress(queue.Empty):
                slot, event = self._events.get(timeout=_TICK)
                child = self._children[slot]
                if event is None:
                    del self._children[slot]
                    self._begin()
                    return child.run, child.verdict()
                said = child.hear(event) or said

    def _begin(self) -> None:
        while self._waiting and len(self._children) < self._jobs:
            slot = next(i for i in range(self._jobs) if i not in self._children)
            run = self._waiting.pop(0)
            request = {"plan": str(self._plan.absolute()), "recipe": run.recipe.to_dict(),
                       "folder": str(run.folder.absolute()), "split": self._split,
                       "device": self._device}
            self._children[slot] = _Child(run, request, self._environment(slot),
                                          partial(self._hear, slot))

    def _hear(self, slot: int, event: dict[str, Any] | None) -> None:
        self._events.put((slot, event))

    def _environment(self, slot: int) -> dict[str, str]:
        threads = str(max(1, _cores() // self._jobs))
        ours = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [ours, os.environ.get("PYTHONPATH", "")]))
        found = {**os.environ, "PYTHONPATH": path,
                 **{name: os.environ.get(name, threads) for name in _THREADS}}
        if self._gpus:
            found["CUDA_VISIBLE_DEVICES"] = self._gpus[slot % len(self._gpus)]
        return found


class _Child:
    """A process that does one run, and what was heard from it."""

    def __init__(self, run: Run, request: dict[str, Any], environment: dict[str, str],
                 pass_on: Callable[[dict[str, Any] | None], None]) -> None:
        self.run, self.done = run, 0.0
        self._last: dict[str, Any] = {}
        run.folder.mkdir(parents=True, exist_ok=True)
        self._noise = run.folder / "process.txt"
        with self._noise.open("wb") as noise:
            # The program is this Python, its module one of geoseg, and there are no arguments.
            self._process = subprocess.Popen(  # nosec B603
                [sys.executable, "-P", "-X", "utf8", "-u", "-m", "geoseg.comparison.child"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=noise, env=environment,
                start_new_session=True)
        self._reader = threading.Thread(target=self._read, args=(pass_on,), daemon=True)
        self._reader.start()
        with suppress(OSError):
            line = json.dumps({"protocol": PROTOCOL, "task": "run", "params": request})
            self._process.stdin.write(line.encode() + b"\n")  # type: ignore[union-attr]
            self._process.stdin.flush()  # type: ignore[union-attr]

    def _read(self, pass_on: Callable[[dict[str, Any] | None], None]) -> None:
        for line in self._process.stdout or ():
            with suppress(ValueError):
                pass_on(json.loads(line))
        pass_on(None)

    def hear(self, event: dict[str, Any]) -> str | None:
        """Note an event; return what there is to show."""
        if event["event"] == "progress":
            self.done = event["fraction"]
            return f"{_title(self.run)}: {event['text']}"
        if event["event"] == "log":
            _log.warning("%s: %s", _title(self.run), event["text"])
        elif event["event"] in ("result", "error"):
            self._last = event
        return None

    def verdict(self) -> TrainingError | None:
        """Return why the run could not be trained, if it could not; its process has ended.

        Raises:
            GeosegError: It failed for another reason.
        """
        self.end()
        if self._last.get("event") == "result":
            self._noise.unlink(missing_ok=True)
            return None
        parts = self._last.get("parts") or [
            str(self.run.folder), "ended before its time",
            f"Start again to go on; what the process said is in {self._noise}"]
        if self._last.get("kind") == "training":
            return TrainingError(*parts)
        raise GeosegError(*parts)

    def ask_to_stop(self) -> None:
        """End the child's input, which it takes for the wish to stop."""
        with suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]

    def end(self) -> None:
        """Wait for the process, and kill it if it does not end."""
        self.ask_to_stop()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(_PATIENCE)
        self._process.stdout.close()  # type: ignore[union-attr]


def _title(run: Run) -> str:
    return f"{run.setting.name}, seed {run.seed}"


def _cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _gpus(device: str) -> list[str]:
    """Return what CUDA_VISIBLE_DEVICES would be for each GPU that may be used."""
    if choose_device(device).type != "cuda":
        return []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return ([name.strip() for name in visible.split(",")] if visible
            else [str(place) for place in range(device_count("cuda"))])
