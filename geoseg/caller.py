"""The worker's end of the line: events to the one who asked for a task, and wishes from there.

Only the standard library is imported, in a way that an old Python understands too.
"""

from __future__ import annotations

import json
import math
import numbers
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from geoseg.errors import Cancelled, GeosegError

PROTOCOL = 1
"""Version of what is said; both sides must agree on it."""

TICK = 0.1
"""Seconds between two looks at the progress, so there are at most ten reports a second."""
BEAT = 5.0
"""Seconds between two signs of life."""
PATIENCE = 1.0
"""Seconds from the wish to stop until a task that has not noticed is interrupted where it is."""
LAST_CHANCE = 20.0
"""Seconds from the end of the input until all processes of the group are killed."""

FINAL = ("result", "cancelled", "error")
"""Events of which one is the last word."""

_AGAIN = "Restart QGIS; if that does not help, install the plugin again"


class Caller:
    """The one who asked for the task: is told of it, may cancel it, and may be gone.

    Args:
        requests: Where the lines of the caller come from.
        events: Where the lines for the caller go.
    """

    def __init__(self, requests: BinaryIO, events: BinaryIO) -> None:
        self.wants_to_stop = threading.Event()
        """Set when the caller cancels or is gone."""
        self._requests, self._events = requests, events
        self._lock = threading.Lock()
        self._has_ended = self._is_gone = self._is_stopping = False
        self._latest: tuple[float, str] | None = None
        self._shown: tuple[float, str] | None = None

    def tell(self, event: str, **data: object) -> None:
        """Write an event; after the last word nothing more is written."""
        line = json.dumps({"event": event, **plain(data)}, allow_nan=False)
        with self._lock:
            if self._has_ended:
                return
            self._has_ended = event in FINAL
            try:
                self._events.write(line.encode() + b"\n")
                self._events.flush()
            except OSError:
                # Nobody reads any more.
                self.wants_to_stop.set()

    def progress(self, fraction: float, message: str) -> None:
        """Note how far the task is; this is the `Progress` given to the verb."""
        self.check()
        self._latest = fraction, message

    def check(self) -> None:
        """Stop the task here if the caller wants that.

        Raises:
            Cancelled: The caller has cancelled, or is gone.
        """
        if self.wants_to_stop.is_set():
            self._is_stopping = True
            raise Cancelled

    def interrupt(self, *signal_and_frame: object) -> None:
        """Unwind the task where it stands, unless it is doing so already; a signal handler.

        Raises:
            Cancelled: As `check`, in the main thread.
        """
        if not (self._is_stopping or self._has_ended):
            self.wants_to_stop.set()
            self.check()

    def request(self) -> tuple[str, dict[str, Any]]:
        """Wait for the request, and return the task's name and parameters.

        Raises:
            Cancelled: There is none, for the caller is gone.
            GeosegError: It cannot be understood.
        """
        line = self._requests.readline()
        if not line:
            raise Cancelled
        try:
            request = json.loads(line)
            protocol, task, params = request["protocol"], request["task"], request["params"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise GeosegError("the request", "cannot be read by the engine", _AGAIN) from error
        if protocol != PROTOCOL:
            raise GeosegError("the request", f"follows protocol {protocol}, but the engine speaks "
                              f"{PROTOCOL}", _AGAIN)
        if not isinstance(task, str) or not isinstance(params, dict):
            raise GeosegError("the request", "names no task with parameters", _AGAIN)
        return task, params

    def keep_in_touch(self) -> None:
        """From now on show progress, beat, listen and interrupt; in threads of their own."""
        signal.signal(signal.SIGTERM, self.interrupt)
        for work in (self._report, self._listen):
            threading.Thread(target=work, daemon=True).start()

    def _report(self) -> None:
        beaten, waited = time.monotonic(), 0.0
        while True:
            time.sleep(TICK)
            self.show_progress()
            if time.monotonic() - beaten >= BEAT:
                beaten = time.monotonic()
                self.tell("beat")
            if self.wants_to_stop.is_set():
                waited += TICK
                if waited >= PATIENCE and not self._is_stopping:
                    _signal_main_thread()

    def show_progress(self) -> None:
        """Tell the newest progress, if it was not told yet."""
        latest = self._latest
        if latest is not None and latest != self._shown:
            self._shown = latest
            self.tell("progress", fraction=latest[0], text=latest[1])

    def _listen(self) -> None:
        for line in self._requests:
            if _is_cancel(line):
                self.wants_to_stop.set()
        self._is_gone = True
        self.wants_to_stop.set()
        time.sleep(LAST_CHANCE)
        self.end(1)

    def end(self, code: int) -> NoReturn:
        """End the process without waiting for its threads; take children along if nobody else can.

        As long as the caller is there, it sees to the children itself.
        """
        if self._is_gone:
            _kill_group()
        os._exit(code)


def plain(value: object) -> Any:  # noqa: ANN401
    """Return a value as JSON can hold it: no number that is not one, paths as strings."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value) if math.isfinite(value) else None
    return str(value)


def _is_cancel(line: bytes) -> bool:
    try:
        message = json.loads(line)
    except ValueError:
        return False
    return isinstance(message, dict) and message.get("cancel") is True


def _signal_main_thread() -> None:
    """Interrupt the main thread, also where it waits for something if the system can do that."""
    if sys.platform == "win32":
        signal.raise_signal(signal.SIGTERM)
    else:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)


def _kill_group() -> None:
    """Kill this process and all that it started; nothing happens if it leads no group."""
    if sys.platform == "win32":
        # Only the tool below is run.
        import subprocess  # nosec B404

        # It lies where Windows keeps it, since a bare name could be somebody else's.
        tool = Path(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "taskkill.exe")
        # Program and arguments are fixed but for the number of this process.
        subprocess.run([str(tool), "/T", "/F", "/PID", str(os.getpid())])  # nosec B603
    elif os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
