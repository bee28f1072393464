"""A process with all that it starts, in a group that ends as a whole."""

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
from pathlib import Path

from .surroundings import clean_environment

TAIL = 200
"""Last lines of standard error that are kept."""
SHOWN = 40
"""How many of them are shown after a crash."""

_AT_ONCE = 0.1
_FLUSH = 1.0
_LONGEST_LINE = 10_000


class Child:
    """A Python script that reads and writes lines, in a process group of its own.

    Args:
        python: Interpreter.
        script: The script; it runs isolated from the user's settings of Python.

    Raises:
        OSError: The interpreter cannot be started.
        ValueError: Its path is none.
    """

    def __init__(self, python, script):
        self.lines = queue.Queue()
        """Lines of its standard output; None at the end."""
        self._tail = collections.deque(maxlen=TAIL)
        # The interpreter is the one that the user has set up or chosen; no shell is involved.
        self._process = subprocess.Popen(  # nosec B603
            [python, "-I", "-X", "utf8", "-u", script], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment(),
            **own_group())
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
        """Write a message as a line of JSON; that nobody reads it shows where its output ends."""
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()

    def tail(self):
        """Return the last lines of its standard error."""
        self._readers[1].join(_FLUSH)
        return "\n".join(list(self._tail)[-SHOWN:])

    def exit_code(self, patience):
        """Return the exit code, or None if the process still runs after so many seconds."""
        try:
            return self._process.wait(patience)
        except subprocess.TimeoutExpired:
            return None

    def end(self, patience):
        """Leave nothing behind: neither the process nor what it started.

        If it still runs, it is asked to end by closing its input and by interrupting it, so that it
        can take back what is half made. Then all that is left is killed.

        Args:
            patience: Seconds that it may take.
        """
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        if self.exit_code(_AT_ONCE) is None:
            self._interrupt()
            self.exit_code(patience)
        kill_group(self._process)
        self.exit_code(patience)
        for reader in self._readers:
            reader.join(_FLUSH)

    def _interrupt(self):
        if sys.platform != "win32":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGTERM)


def own_group():
    """Return the options that give a process its own group, and on Windows no console window."""
    if sys.platform == "win32":
        return {"creationflags": (subprocess.CREATE_NO_WINDOW
                                  | subprocess.CREATE_NEW_PROCESS_GROUP)}
    return {"start_new_session": True}


def kill_group(process):
    """Kill a process that was started in its own group, with all that it has started.

    On Windows, what it has started is out of reach once it has ended itself.
    """
    if sys.platform != "win32":
        # macOS says PermissionError of a group in which only ended processes are left.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        # The tool lies where Windows keeps it, since a bare name could be somebody else's.
        tool = Path(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "taskkill.exe")
        command = [str(tool), "/T", "/F", "/PID", str(process.pid)]
        # Program and arguments are fixed but for the number of our own process.
        subprocess.run(command, capture_output=True, check=False, **own_group())  # nosec B603
