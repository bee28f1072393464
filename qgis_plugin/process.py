"""Runs one task of the engine in a process of its own, and leaves no process of it behind.

Knows nothing of QGIS: whoever calls is told of progress, and asked about cancelling, through a
listener. It blocks the calling thread, which must not be that of the user interface.

A listener has three methods: `is_cancelled()`, `progress(fraction, text)` with 0 to 1 and a text or
None, and `log(level, text)` with a level of `debug`, `info` and `warning`.

What is said to the worker and by it stands at the top of `geoseg/worker.py`.
"""

import json
import queue
import time
from typing import NamedTuple

from .child import Child
from .exit_codes import explain

PROTOCOL = 1
"""Version of what is said; both sides must agree on it."""

_POLL = 0.1
_LINGER = 0.5
_REINSTALL = "Restart QGIS; if that does not help, install the plugin again."


class Limits(NamedTuple):
    """How long to wait for what, in seconds."""

    hello: float = 60.0
    """For the first word; interpreters start slowly under a virus scanner."""
    silence: float = 300.0
    """For the next word; the worker is only silent while native code holds Python's lock."""
    grace: float = 15.0
    """For the task to stop after it was asked to, before it is interrupted."""
    terminate: float = 5.0
    """For the process to end after it was interrupted."""


_USUAL = Limits()


class TaskFailed(Exception):
    """A task did not bring a result; the text is one sentence for the user."""

    def __init__(self, kind, text, details=""):
        super().__init__(text)
        self.kind = kind
        """`user` (can be mended by who asked), `bug`, `crash`, `silent`, `version`, `start`."""
        self.details = details
        """Traceback or last lines of standard error for the log; may be empty."""


class TaskCancelled(Exception):
    """The listener asked to stop, and nothing of the task goes on."""


def run_task(python, worker, task, params, *, listener, version=None, limits=_USUAL):
    """Run a task and return its result.

    Args:
        python: Interpreter that has the engine's packages.
        worker: Path of `geoseg/worker.py`.
        task: Name of the task.
        params: Its parameters, as JSON can hold them.
        listener: Is told of the task and asked about cancelling, several times a second.
        version: Version that the engine must have; any if not given.
        limits: How long to wait for what.

    Raises:
        TaskFailed: There is no result; the error says why.
        TaskCancelled: The listener asked to stop.
    """
    if listener.is_cancelled():
        raise TaskCancelled
    try:
        child = Child(str(python), str(worker))
    except (OSError, ValueError) as error:
        raise TaskFailed("start", f"{python}: cannot be started as the engine's Python "
                         f"({getattr(error, 'strerror', None) or error}). Run \"Set up engine\" "
                         "again, or choose another interpreter.") from None
    try:
        return _Conversation(child, listener, limits).lead(task, params, version)
    finally:
        child.end(limits.terminate)


class _Conversation:
    """What is said to a worker and heard from it, up to the last word."""

    def __init__(self, child, listener, limits):
        self._child, self._listener, self._limits = child, listener, limits
        self._has_asked = False
        self._cancelled_at = None

    def lead(self, task, params, version):
        """Ask for a task and return its result."""
        self._hear_hello(version)
        self._child.send({"protocol": PROTOCOL, "task": task, "params": params})
        self._has_asked = True
        while True:
            message = self._next(self._limits.silence)
            event = message["event"]
            if event == "progress":
                self._progress(message)
            elif event == "log":
                self._listener.log(str(message.get("level")), str(message.get("text")))
            elif event == "result":
                return self._result(message)
            elif event in ("cancelled", "error"):
                raise self._failure(message)

    def _hear_hello(self, version):
        message = self._next(self._limits.hello)
        found = message.get("version")
        if message["event"] != "hello":
            raise TaskFailed("version", "The engine did not begin with its version. " + _REINSTALL,
                             self._child.tail())
        if message.get("protocol") != PROTOCOL or version not in (None, found):
            raise TaskFailed("version", f"The engine has version {found}, but the plugin needs "
                             f"{version or 'another one'}. {_REINSTALL}")
        self._listener.log("debug", f"Engine {found} runs in Python {message.get('python')}, "
                           f"process {message.get('pid')}.")

    def _next(self, patience):
        """Wait for the next message; meanwhile pass on the wish to stop.

        Time counts only while this loop waits, so that neither a sleeping computer nor a slow
        listener makes the worker seem silent.
        """
        waited = lingered = 0.0
        while True:
            self._pass_on_cancel()
            try:
                line = self._child.lines.get(timeout=_POLL)
            except queue.Empty:
                waited += _POLL
                if waited >= patience:
                    raise self._silent(patience) from None
                if self._child.exit_code(0) is not None:
                    # Children that outlived it may hold its output open.
                    lingered += _POLL
                    if lingered >= _LINGER:
                        raise self._ended() from None
                continue
            if line is None:
                raise self._ended()
            message = _parse(line)
            if message is not None:
                return message
            self._listener.log("debug", f"Not understood: {line}")

    def _pass_on_cancel(self):
        if self._cancelled_at is not None:
            if time.monotonic() - self._cancelled_at > self._limits.grace:
                raise TaskCancelled
        elif self._listener.is_cancelled():
            self._listener.log("info", "Stopping…")
            if not self._has_asked:
                raise TaskCancelled
            self._cancelled_at = time.monotonic()
            self._child.send({"cancel": True})

    def _progress(self, message):
        fraction, text = message.get("fraction"), message.get("text")
        if isinstance(fraction, (int, float)):
            self._listener.progress(min(max(float(fraction), 0.0), 1.0), text)

    def _result(self, message):
        if self._cancelled_at is not None or self._listener.is_cancelled():
            raise TaskCancelled
        return message.get("data") or {}

    def _failure(self, message):
        if self._cancelled_at is not None:
            return TaskCancelled()
        if message["event"] == "cancelled":
            return TaskFailed("crash", "The engine was told to stop from outside QGIS. Try again.",
                              self._child.tail())
        kind = "user" if message.get("kind") == "user" else "bug"
        return TaskFailed(kind, str(message.get("text")), message.get("traceback") or "")

    def _silent(self, patience):
        if self._cancelled_at is not None:
            return TaskCancelled()
        return TaskFailed("silent", f"The engine was silent for {patience:g} s and was ended. Try "
                          "again; if it happens again, report it with the lines in the log.",
                          self._child.tail())

    def _ended(self):
        code = self._child.exit_code(self._limits.terminate)
        if self._cancelled_at is not None:
            return TaskCancelled()
        kind, lead = (("crash", "The engine stopped without a result") if self._has_asked
                      else ("start", "The engine did not start"))
        return TaskFailed(kind, f"{lead}: it {explain(code)}", self._child.tail())


def _parse(line):
    """Return a line as a message, or None if it is none."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    fine = isinstance(message, dict) and isinstance(message.get("event"), str)
    return message if fine else None
