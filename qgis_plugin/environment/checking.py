"""Whether an interpreter can run the engine: the worker's task `check` has the last word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..process import TaskCancelled, TaskFailed, run_task
from .errors import SetupCancelled, SetupFailed
from .interpreters import chosen


def check_interpreter(python: str | Path, worker: str | Path, version: str | None,
                      listener: Any) -> dict[str, Any]:
    """Check an interpreter of the user's own: is it supported, and does the engine run in it?

    Returns:
        What the worker's task `check` found: versions and device.

    Raises:
        SetupFailed: It cannot be used; the error says why.
        SetupCancelled: The user cancelled.
    """
    chosen(python)
    return verify(Path(python), worker, version, listener)


def verify(python: Path, worker: str | Path, version: str | None,
           listener: Any) -> dict[str, Any]:
    """Let the engine make a tiny prediction in an interpreter; return what it found.

    Raises:
        SetupFailed: The engine does not run there.
        SetupCancelled: The user cancelled.
    """
    try:
        return run_task(python, worker, "check", {}, listener=listener, version=version)
    except TaskCancelled:
        raise SetupCancelled from None
    except TaskFailed as failure:
        # What the engine says ends with what to do about it.
        raise SetupFailed(f"The engine does not run in {python}: {str(failure).rstrip('.')}",
                          details=failure.details) from None
