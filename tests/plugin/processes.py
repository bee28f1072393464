"""Looking at processes from outside, and a listener that remembers what it was told."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


def members(group: int) -> list[int]:
    """Return the processes of a group that still run; ended ones nobody asked after do not."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group, *_ = stat.read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue
        if int(its_group) == group and state not in "ZX":
            found.append(int(stat.parent.name))
    return found


def wait_until(true: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until something is true; fail if it does not come about."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def assert_gone(group: int, seconds: float = 3.0) -> None:
    """Check that no process of a group is left; the system may need a moment to kill."""
    assert group > 1
    wait_until(lambda: not members(group), seconds)


class Listener:
    """Remembers what it is told; cancels when `cancel_when(self)` is true."""

    def __init__(self, cancel_when: Callable[[Listener], object] = lambda self: False) -> None:
        self.steps: list[tuple[float, str | None]] = []
        self.logs: list[tuple[str, str]] = []
        self._cancel_when = cancel_when

    def is_cancelled(self) -> bool:
        return bool(self._cancel_when(self))

    def progress(self, fraction: float, text: str | None = None) -> None:
        self.steps.append((fraction, text))

    def log(self, level: str, text: str) -> None:
        self.logs.append((level, text))


def after_a_step(listener: Listener) -> bool:
    """Cancel as soon as the task has shown progress."""
    return bool(listener.steps)
