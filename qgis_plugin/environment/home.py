"""The folder that keeps the engine's environment: finding it, making it, and tidying up."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path
from typing import Any, ContextManager, Iterator

from . import stamp
from .busy import alone, shared
from .console import Console
from .errors import SetupFailed
from .installer import check_backend
from .interpreters import Interpreter, chosen
from .lock import Lock
from .making import NEW, OLD, Maker
from .variables import installer_variables

VARIABLE = "GEOSEG_ENGINE_HOME"
"""Environment variable that names another folder."""
LOCK = Path(__file__).parents[1] / "engine.lock"
"""The packages of the engine."""


class EngineHome:
    """A folder with the engine's environment, and with what is needed to make another one.

    Args:
        root: The folder; by default the one that the variable GEOSEG_ENGINE_HOME names, else
            `geoseg` among the user's data.
        lock: The packages that an environment must have; by default those of this plugin.
    """

    def __init__(self, root: str | Path | None = None, lock: str | Path | None = None) -> None:
        self.root = Path(root or os.environ.get(VARIABLE) or user_data() / "geoseg").absolute()
        self.lock = Lock(Path(lock or LOCK))

    @property
    def log(self) -> Path:
        """The log of the latest set-up: all that the installers said."""
        return self.root / "set-up.log"

    def python(self, backend: str | None = None) -> Path | None:
        """Return the interpreter of the environment, or None if there is none that fits.

        It fits if it was made from this lock and is whole; no program is started to find out.

        Args:
            backend: The backend it must have been made for; any if not given.
        """
        fitting = []
        for folder in self._environments():
            facts = stamp.read(folder)
            if (facts and facts.get("lock") == self.lock.digest
                    and backend in (None, facts["backend"])
                    and stamp.is_whole(folder, facts)):
                fitting.append((facts["made"], stamp.interpreter(folder)))
        return max(fitting)[1] if fitting else None

    def facts(self, python: Path) -> dict[str, Any]:
        """Return what is known about the environment of an interpreter; empty if it is not ours."""
        return stamp.read(_folder_of(python)) or {}

    def in_use(self, python: Path) -> ContextManager[None]:
        """Keep the environment of an interpreter from being tidied away while the block runs."""
        mark = _folder_of(python) / stamp.NAME
        return shared(mark) if mark.is_file() else contextlib.nullcontext()

    def set_up(self, *, base_python: str | Path | None = None, backend: str = "auto",
               worker: str | Path, version: str | None, listener: Any,
               proxy: str | None = None) -> Path:
        """Make the environment if there is none that works; return its interpreter.

        Args:
            base_python: The Python to build it on; one is looked for if not given.
            backend: What PyTorch computes on: auto, cpu, default, or one such as cu128.
            worker: The engine's worker, whose task `check` has the last word.
            version: The version that the engine must have.
            listener: Is told of progress and log lines, and asked whether to stop.
            proxy: Address of the proxy, as QGIS knows it.

        Raises:
            SetupFailed: There is no environment; the error says why and what to do.
            SetupCancelled: The user cancelled.
        """
        check_backend(backend)
        base = chosen(base_python) if base_python else None
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with alone(self.root / "set-up.busy", listener), \
                    self.log.open("w", encoding="utf-8") as log:
                variables = installer_variables(self._downloads, self._temporary, proxy)
                console = Console(log, listener, variables, self.root)
                maker = Maker(self.root, self.lock, backend, worker, version, console)
                try:
                    return self._set_up(maker, base, backend, console)
                except SetupFailed as failure:
                    log.write(f"\n{failure}\n")
                    raise
                finally:
                    shutil.rmtree(self._temporary, ignore_errors=True)
        except OSError as error:
            raise SetupFailed(f"{error.filename or self.root}: {error.strerror or error}",
                              "Check that the disk is not full and that you may write there, or "
                              "choose another folder for the engine") from None

    def _set_up(self, maker: Maker, base: Interpreter | None, backend: str,
                console: Console) -> Path:
        maker.tidy()
        self._temporary.mkdir()
        python = self.python(backend)
        if python and base and self.facts(python)["python"] != base.minor:
            python = None
        if python:
            try:
                maker.verify(python, 0.1)
            except SetupFailed as failure:
                console.note(f"{failure} It is made again.", "warning")
                python = None
        if python is None:
            python = maker.make(base or maker.find_base())
        elif self.facts(python)["installed"] != backend:
            console.note(f"It has the default PyTorch in place of {backend}; to try that again, "
                         f"delete {_folder_of(python)} first", "info")
        maker.tidy(keep=_folder_of(python))
        shutil.rmtree(self._downloads, ignore_errors=True)
        console.listener.progress(1.0, "The engine is ready")
        return python

    @property
    def _temporary(self) -> Path:
        return self.root / f"temporary{NEW}"

    @property
    def _downloads(self) -> Path:
        return self.root / "downloads"

    def _environments(self) -> Iterator[Path]:
        for folder in sorted(self.root.glob("env-*")):
            if folder.suffix not in (NEW, OLD):
                yield folder


def user_data() -> Path:
    """Return where this system keeps the data of the user's programs."""
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return Path(local) if local else Path.home() / "AppData" / "Local"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    given = Path(os.environ.get("XDG_DATA_HOME", ""))
    # The specification wants relative paths to be ignored.
    return given if given.is_absolute() else Path.home() / ".local" / "share"


def _folder_of(python: Path) -> Path:
    return Path(python).parents[1]
