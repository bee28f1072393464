"""Making an environment, from finding a Python to tidying up after the last one."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
from pathlib import Path
from typing import Any

from . import stamp
from .busy import is_free
from .checking import verify
from .console import Console
from .errors import SetupFailed
from .installer import Installer, check_space
from .interpreters import Interpreter, find, helpers
from .lock import Lock
from .managed import fetch_python
from .part import Part

NEW, OLD = ".new", ".old"
"""What follows the name of a folder that is not yet, or no longer, an environment."""

_RENAMING = 10.0
"""Seconds for which a folder is tried to be renamed; virus scanners hold new files for a while."""


class Maker:
    """Makes one environment below a folder that nobody else works in meanwhile.

    An environment may be renamed when it is finished: it is only ever used by starting its
    interpreter, which finds its packages relative to itself and its base by a full path.

    Args:
        root: The folder of the environments.
        lock: The packages.
        backend: What PyTorch computes on.
        worker: The engine's worker.
        version: The version that the engine must have.
        console: Where the commands run.
    """

    def __init__(self, root: Path, lock: Lock, backend: str, worker: str | Path,
                 version: str | None, console: Console) -> None:
        self._root, self._lock, self._backend = root, lock, backend
        self._worker, self._version, self._console = worker, version, console

    def make(self, base: Interpreter) -> Path:
        """Make the environment, check it, and put it in its place; return its interpreter."""
        check_space(self._root, self._lock, self._backend)
        folder = self._root / f"env-{self._name(base)}"
        new = folder.with_name(folder.name + NEW)
        try:
            installer = Installer(self._console, base, new, self._part(0.1, 0.9))
            installer.make()
            backend = installer.add_packages(self._lock, self._backend)
            found = self.verify(installer.python, 0.9)
            stamp.write(new, {
                "lock": self._lock.digest, "backend": self._backend, "installed": backend,
                "python": base.minor, "base": str(base.path), "made": time.time(), "found": found})
            _rename(folder, folder.with_name(folder.name + OLD))
            _rename(new, folder)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        return stamp.interpreter(folder)

    def verify(self, python: Path, start: float) -> dict[str, Any]:
        """Let the engine try the environment; return what it found."""
        part = self._part(start, 1.0)
        part.progress(0.0, "Trying the engine")
        try:
            found = verify(python, self._worker, self._version, part)
        except SetupFailed as failure:
            self._console.note(failure.details)
            raise
        self._console.note(found.get("text") or "The engine runs", "info")
        return found

    def find_base(self) -> Interpreter:
        """Return the Python to build on: one of this computer, else one fetched for the engine."""
        part = self._part(0.0, 0.1)
        part.progress(0.0, "Looking for a Python")
        found, others = find(self._console.note)
        if found:
            return found
        able = [other.path for other in others] + [path for path in helpers() if path.is_file()]
        return fetch_python(self._console, able, self._root, part)

    def tidy(self, keep: Path | None = None) -> None:
        """Remove what earlier set-ups left behind.

        Args:
            keep: The environment that is ready now: all others go as well, except those in which
                an engine is running. Without it only half-made ones go.
        """
        for folder in self._root.glob("*"):
            if folder.suffix in (NEW, OLD):
                shutil.rmtree(folder, ignore_errors=True)
            elif keep and folder.name.startswith("env-") and folder != keep:
                self._sweep(folder)

    def _sweep(self, folder: Path) -> None:
        """Remove an environment unless it is in use; Windows does not rename one that is."""
        old = folder.with_name(folder.name + OLD)
        with contextlib.suppress(OSError):
            if is_free(folder / stamp.NAME):
                folder.rename(old)
                shutil.rmtree(old, ignore_errors=True)
                self._console.note(f"Removed the earlier environment {folder.name}")

    def _name(self, base: Interpreter) -> str:
        what = f"{self._lock.digest} {base.minor} {self._backend}"
        return hashlib.sha256(what.encode()).hexdigest()[:10]

    def _part(self, start: float, end: float) -> Part:
        return Part(self._console.listener, start, end)


def _rename(folder: Path, to: Path) -> None:
    """Rename a folder if it exists."""
    if not folder.exists():
        return
    until = time.monotonic() + _RENAMING
    while True:
        try:
            folder.replace(to)
            return
        except PermissionError:
            if time.monotonic() > until:
                raise SetupFailed(f"{folder} cannot be renamed because it is in use",
                                  "Close other QGIS windows, check that no virus scanner holds it, "
                                  "and try again") from None
            time.sleep(0.5)
