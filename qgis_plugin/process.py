"""Runs one task of the engine in a process of its own, and leaves no process of it behind.

Knows nothing of QGIS: whoever calls is told of progress, and asked about cancelling, through a
listener. It blocks the calling thread, which must not be that of the user interface.

A listener has three methods: `is_cancelled()`, `progress(fraction, text)` with 0 to 1 and a text or
None, and `log(level, text)` with a level of `debug`, `info` and `warning`.

What is said to the worker and by it stands at the top of `geoseg/worker.py`.
"""

import collections
import contextlib
import json
import os
import queue
import signal

# Running the engine is what this module is for.
import subprocess  # nosec B404
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

from .surroundings import clean_environment

PROTOCOL = 1
"""Version of what is said; both sides must agree on it."""

TAIL = 200
"""Last lines of the worker's standard error that are kept."""
SHOWN = 40
"""How many of them are shown after a crash."""

_POLL = 0.1
_FLUSH = 1.0
_LONGEST_LINE = 10_000
_SET_UP = 'Run "Set up engine" again'
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
    """For the process to end after it was interrupted or has said its last word."""


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


_USUAL = Limits()


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
    process = _Process(str(python), str(worker))
    try:
        return _Conversation(process, listener, limits).lead(task, params, version)
    finally:
        process.end(limits)


class _Conversation:
    """What is said to a worker and heard from it, up to the last word."""

    def __init__(self, process, listener, limits):
        self._process, self._listener, self._limits = process, listener, limits
        self._has_asked = False
        self._cancelled_at = None

    def lead(self, task, params, version):
        """Ask for a task and return its result."""
        self._hear_hello(version)
        self._process.send({"protocol": PROTOCOL, "task": task, "params": params})
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
            raise TaskFailed("version", "The engine began with something else than its name. "
                             + _REINSTALL, self._process.tail())
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
        waited = 0.0
        while True:
            self._pass_on_cancel()
            try:
                line = self._process.lines.get(timeout=_POLL)
            except queue.Empty:
                waited += _POLL
                if waited >= patience:
                    raise self._silent(patience) from None
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
            self._process.send({"cancel": True})

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
                              self._process.tail())
        kind = "user" if message.get("kind") == "user" else "bug"
        return TaskFailed(kind, str(message.get("text")), message.get("traceback") or "")

    def _silent(self, patience):
        if self._cancelled_at is not None:
            return TaskCancelled()
        return TaskFailed("silent", f"The engine was silent for {patience:.0f} s and was ended. Try "
                          "again; if it happens again, report it with the lines in the log.",
                          self._process.tail())

    def _ended(self):
        code = self._process.exit_code(self._limits.terminate)
        if self._cancelled_at is not None:
            return TaskCancelled()
        kind, lead = (("crash", "The engine stopped without a result") if self._has_asked
                      else ("start", "The engine did not start"))
        return TaskFailed(kind, f"{lead}: it {explain(code)}", self._process.tail())


class _Process:
    """The worker and all that it starts, in a process group of their own."""

    def __init__(self, python, worker):
        self.lines = queue.Queue()
        """Lines of its standard output; None at the end."""
        self._tail = collections.deque(maxlen=TAIL)
        try:
            # The interpreter is the one that the user has set up or chosen; no shell is involved.
            self._process = subprocess.Popen(  # nosec B603
                [python, "-I", "-X", "utf8", "-u", worker], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment(),
                **_own_group())
        except (OSError, ValueError) as error:
            raise TaskFailed("start", f"The engine's Python {python} cannot be started "
                             f"({getattr(error, 'strerror', None) or error}). {_SET_UP}, or choose "
                             "another interpreter.") from None
        self._readers = [threading.Thread(target=work, daemon=True)
                         for work in (self._read_lines, self._read_tail)]
        for reader in self._readers:
            reader.start()

    def _read_lines(self):
        with self._process.stdout as stream:
            for line in stream:
                self.lines.put(line.decode("utf-8", "replace").rstrip())
        self.lines.put(None)

    def _read_tail(self):
        with self._process.stderr as stream:
            for line in iter(lambda: stream.readline(_LONGEST_LINE), b""):
                self._tail.append(line.decode("utf-8", "replace").rstrip())

    def send(self, message):
        """Write a line to the worker; if it is gone, that is noticed where its output ends."""
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()

    def tail(self):
        """Return the last lines of its standard error."""
        self._readers[1].join(_FLUSH)
        return "\n".join(list(self._tail)[-SHOWN:])

    def exit_code(self, patience):
        """Return the exit code, or None if the process goes on although its output has ended."""
        try:
            return self._process.wait(patience)
        except subprocess.TimeoutExpired:
            return None

    def end(self, limits):
        """Leave nothing behind: neither the worker nor what it started, whatever came before.

        A worker that goes on is interrupted, so that it takes back what is half made; what goes on
        then is killed. Children have nothing to take back.
        """
        # The end of its input asks it to stop, should nobody have done so before.
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        if self.exit_code(_POLL) is None:
            self._interrupt()
            self.exit_code(limits.terminate)
        self._kill()
        self.exit_code(limits.terminate)
        for reader in self._readers:
            reader.join(_FLUSH)

    def _interrupt(self):
        if sys.platform != "win32":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGTERM)

    def _kill(self):
        if sys.platform == "win32":
            if self._process.poll() is None:
                # The tool lies where Windows keeps it; a bare name could be somebody else's.
                tool = Path(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "taskkill.exe")
                # Program and arguments are fixed but for the number of our own process.
                subprocess.run([str(tool), "/T", "/F", "/PID",  # nosec B603
                                str(self._process.pid)], capture_output=True, check=False,
                               **_own_group())
        else:
            # macOS says PermissionError of a group in which only ended processes are left.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)


def _own_group():
    """Return the options that give a process its own group, and on Windows no console window."""
    if sys.platform == "win32":
        return {"creationflags": (subprocess.CREATE_NO_WINDOW
                                  | subprocess.CREATE_NEW_PROCESS_GROUP)}
    return {"start_new_session": True}


def _parse(line):
    """Return a line as a message, or None if it is none."""
    try:
        message = json.loads(line)
    except ValueError:
        return None
    fine = isinstance(message, dict) and isinstance(message.get("event"), str)
    return message if fine else None


_MEMORY = ("was killed, most likely because memory ran out. Use smaller tiles, chips or batches, or "
           "close other programs.")
_NATIVE = ("crashed in native code ({}). Try again; if it happens again, report it with the lines "
           "in the log.")
_LIBRARY = f"could not load one of its libraries. {_SET_UP}."
_PROCESSOR = f"used instructions that this processor lacks. {_SET_UP} with another choice."
_OUTSIDE = "was ended from outside QGIS. Try again."

_SIGNALS = {"SIGKILL": _MEMORY, "SIGTERM": _OUTSIDE, "SIGINT": _OUTSIDE, "SIGHUP": _OUTSIDE,
            "SIGILL": _PROCESSOR}
_WINDOWS = {0xC0000005: _NATIVE.format("access violation"), 0xC0000017: _MEMORY,
            0xC000001D: _PROCESSOR, 0xC000007B: _LIBRARY, 0xC00000FD: _NATIVE.format(
                "stack overflow"), 0xC0000135: _LIBRARY, 0xC0000139: _LIBRARY,
            0xC000013A: _OUTSIDE, 0xC0000142: _LIBRARY, 0xC0000409: _NATIVE.format(
                "fail-fast exception")}


def explain(code):
    """Return what an exit code means, as the rest of a sentence that began with "it".

    Args:
        code: As `subprocess` gives it: negative for a signal; on Windows an unsigned status. None
            if the process had not ended.
    """
    if code is None:
        return "closed its output but went on, and was ended. Try again."
    if code & 0xFFFFFFFF in _WINDOWS:
        return _WINDOWS[code & 0xFFFFFFFF]
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return _SIGNALS.get(name, _NATIVE.format(name))
    return (f"ended with exit code {code}. Look at the lines in the log; if they do not help, "
            f"{_SET_UP[:1].lower()}{_SET_UP[1:]}.")
