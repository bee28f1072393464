"""The real worker with tasks made for tests, and talking to it without the plugin."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import geoseg

REAL = ("__init__.py", "errors.py", "progress.py", "caller.py", "worker.py")
"""What the worker consists of; its tasks are exchanged."""


def make_engine(folder: Path) -> Path:
    """Make an engine in a folder and return its worker."""
    package = folder / "geoseg"
    package.mkdir()
    for name in REAL:
        shutil.copy(Path(geoseg.__file__).with_name(name), package)
    shutil.copy(Path(__file__).with_name("stub_tasks.py"), package / "tasks.py")
    return package / "worker.py"


class Worker:
    """A running worker; use as a context manager. It is killed when it runs for far too long."""

    LIMIT = 180.0

    def __init__(self, script: Path, python: str | Path = sys.executable) -> None:
        self._process = subprocess.Popen(
            [python, "-I", "-X", "utf8", "-u", script], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        self.group = self._process.pid
        self._watchdog = threading.Timer(self.LIMIT, self.kill)
        self._watchdog.start()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: object) -> None:
        self._watchdog.cancel()
        self.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):
                stream.close()

    def kill(self) -> None:
        """Kill the worker and its children, as the plugin does in the end."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.group, signal.SIGKILL)

    def has_ended(self) -> bool:
        """Return whether the worker has ended; its children may not have."""
        return self._process.poll() is not None

    def write(self, line: bytes) -> None:
        """Write a line to it."""
        self._process.stdin.write(line + b"\n")
        self._process.stdin.flush()

    def ask(self, task: str, **params: object) -> None:
        """Ask for a task."""
        self.write(json.dumps({"protocol": 1, "task": task, "params": params}).encode())

    def hear(self) -> dict[str, Any]:
        """Return the next event."""
        return json.loads(self._process.stdout.readline())

    def hear_until(self, event: str) -> dict[str, Any]:
        """Return the next event of a kind."""
        while (message := self.hear())["event"] != event:
            pass
        return message

    def leave(self) -> None:
        """Be gone, as QGIS is after a crash."""
        self._process.stdin.close()

    def stop_listening(self) -> None:
        """Close the end of its output."""
        self._process.stdout.close()

    def rest(self) -> list[dict[str, Any]]:
        """Return all events until the worker ends by itself."""
        events = [json.loads(line) for line in self._process.stdout]
        self._process.wait(20)
        return events

    def errors(self) -> bytes:
        """Return what it wrote to standard error."""
        return self._process.stderr.read()
