"""Runs the commands of a set-up: what they print goes to its log, and they can be stopped."""

from __future__ import annotations

import collections
import contextlib
import queue

# Running other programs is what this module is for.
import subprocess  # nosec B404
import threading
import time
from pathlib import Path
from typing import IO, Any, Callable, NamedTuple, Sequence

from ..child import kill_group, own_group
from .errors import SetupCancelled

_GUARD = Path(__file__).with_name("guard.py")
_LOOK = 0.1
"""Seconds between two looks at the Cancel button."""
_PATIENCE = 10.0
"""Seconds that a command may take to end once it has to."""
_REMEMBERED = 400
"""Lines kept of what a command printed, to explain its failure."""


class Outcome(NamedTuple):
    """How a command ended."""

    code: int
    output: str

    @property
    def is_good(self) -> bool:
        """Whether it did what it should."""
        return self.code == 0

    @property
    def tail(self) -> str:
        """Its last lines, for the details of a message."""
        return "\n".join(self.output.splitlines()[-20:])

    @property
    def last_words(self) -> str:
        """The line in which it says why it failed, as far as one can tell."""
        lines = [line.strip().rstrip(".") for line in self.output.splitlines() if line.strip()]
        complaints = [line for line in lines if line.lower().startswith("error")]
        return (complaints or lines or [f"exit code {self.code}"])[-1]


class Console:
    """Where the commands of one set-up run.

    Args:
        log: The open log file.
        listener: Is told of the progress, and asked whether to stop.
        variables: The environment variables of the commands.
        folder: Working directory of the commands.
    """

    def __init__(self, log: IO[str], listener: Any, variables: dict[str, str],
                 folder: Path) -> None:
        self.listener = listener
        self._log, self._variables, self._folder = log, variables, folder

    def note(self, text: str, level: str = "debug") -> None:
        """Write a line into the log of the set-up, and tell the listener."""
        self._log.write(f"{time.strftime('%H:%M:%S')}  {text}\n")
        self._log.flush()
        self.listener.log(level, text)

    def run(self, command: Sequence[str | Path], *, guard: Path,
            on_line: Callable[[str], None] | None = None, **variables: str) -> Outcome:
        """Run a command to its end.

        Args:
            command: The program by its full path, and its arguments.
            guard: A Python that watches over the command, so that it ends when QGIS does.
            on_line: Is given each line that the command prints.
            **variables: Further environment variables.

        Raises:
            SetupCancelled: The user cancelled; the command and its children have ended.
        """
        arguments = [str(part) for part in command]
        self._log.write(f"\n{time.strftime('%H:%M:%S')}  $ {' '.join(arguments)}\n")
        self._log.flush()
        # Programs of the plugin and of the environment by full paths, never through a shell.
        try:
            process = subprocess.Popen(  # nosec B603
                [str(guard), "-I", str(_GUARD), *arguments], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
                errors="replace", cwd=str(self._folder), env={**self._variables, **variables},
                **own_group())
        except OSError as error:
            return Outcome(-1, f"{guard}: {error}")
        try:
            return self._follow(process, on_line)
        finally:
            _end(process)

    def _follow(self, process: subprocess.Popen[str],
                on_line: Callable[[str], None] | None) -> Outcome:
        lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=_pump, args=(process.stdout, lines), daemon=True).start()
        said: collections.deque[str] = collections.deque(maxlen=_REMEMBERED)
        while True:
            if self.listener.is_cancelled():
                raise SetupCancelled
            try:
                line = lines.get(timeout=_LOOK)
            except queue.Empty:
                continue
            if line is None:
                break
            said.append(line)
            self._log.write(f"{line}\n")
            if on_line:
                on_line(line)
        self._log.flush()
        return Outcome(process.wait(_PATIENCE), "\n".join(said))


def _end(process: subprocess.Popen[str]) -> None:
    """Cut the string that holds a guarded command, and make sure that nothing of it goes on."""
    with contextlib.suppress(OSError):
        process.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_PATIENCE)
    kill_group(process)
    process.wait(_PATIENCE)


def _pump(stream: IO[str], lines: queue.Queue[str | None]) -> None:
    with stream:
        for line in stream:
            lines.put(line.rstrip("\r\n"))
    lines.put(None)
