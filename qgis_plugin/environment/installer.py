"""Puts an interpreter and the locked packages into the folder of a new environment."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import NoReturn

from . import stamp
from .console import Console, Outcome
from .errors import SetupFailed
from .explain import explain
from .interpreters import Interpreter
from .lock import Lock
from .part import Downloads, Part

DEFAULT = "default"
"""The backend that takes every package from the usual index, as locked."""
INSTALLER_LOCK = Path(__file__).parents[1] / "installer.lock"
"""The version of uv that is used, with its hashes."""
INSTALL_UV = ("install", "--require-hashes", "--only-binary", ":all:", "-r", INSTALLER_LOCK)
"""What to tell pip for that."""

_BACKENDS = re.compile(r"auto|cpu|default|xpu|cu\d{2,3}|rocm\d+(\.\d+)*")
_REPLACEABLE = ("auto", "cpu")
"""Backends in whose place the default will do: it runs wherever they do."""
_HOPELESS = ("disk", "hash", "wheel", "path", "virus")
"""Failures of uv that pip would meet as well."""
_GIGABYTE = 1_000_000_000


def check_backend(backend: str) -> None:
    """Raise if there is no such backend.

    Raises:
        SetupFailed: The name is not known.
    """
    if not _BACKENDS.fullmatch(backend):
        raise SetupFailed(f"There is no backend {backend!r} for PyTorch",
                          "Choose auto, cpu, default, or one such as cu128, rocm6.4 or xpu")


def check_space(folder: Path, lock: Lock, backend: str) -> None:
    """Raise if the disk has less free space than the environment certainly needs.

    Raises:
        SetupFailed: There is too little.
    """
    if not lock.pytorch():
        return
    # The libraries for graphics cards weigh three times as much as everything else together; on
    # Linux the default brings them along.
    heavy = backend.startswith(("cu", "rocm")) or (backend == DEFAULT and sys.platform == "linux")
    needed = 7 if heavy else 2
    free = shutil.disk_usage(folder).free / _GIGABYTE
    if free < needed:
        raise SetupFailed(f"Only {free:.1f} GB are free in {folder}, and the engine needs "
                          f"{needed} GB or more", "Free some space and try again, or choose "
                          "another folder for the engine")


class Installer:
    """Fills one folder; all of its methods raise `SetupFailed` and `SetupCancelled`.

    Args:
        console: Where the commands run.
        base: The Python to build on.
        folder: The folder of the environment, which must not exist yet.
        part: Is told of the progress.
    """

    def __init__(self, console: Console, base: Interpreter, folder: Path, part: Part) -> None:
        self.python = stamp.interpreter(folder)
        """The environment's own interpreter."""
        self._console, self._base, self._folder, self._part = console, base, folder, part
        self._pip: list[str | Path] = []
        self._uv: list[str | Path] = []

    def make(self) -> None:
        """Make the empty environment, with pip and uv at hand."""
        self._part.progress(0.0, f"Making an environment with Python {self._base.minor}")
        # Without pip: Debian's Python may lack the part that would put it in.
        self._must(self._run(self._base.path, "-I", "-m", "venv", "--without-pip", self._folder))
        self._part.progress(0.03, "Fetching the installer")
        self._add_uv()
        uv: list[str | Path] = [self.python, "-I", "-m", "uv"]
        if self._run(*uv, "--version").is_good:
            self._uv = [*uv, "pip"]
        else:
            self._console.note("uv cannot be started here, perhaps because of a virus scanner; "
                               "going on with pip, which is slower", "warning")

    def add_packages(self, lock: Lock, backend: str) -> str:
        """Install the packages of the lock.

        Returns:
            The backend that was installed: the given one, or the default in its place.
        """
        self._part.progress(0.06, "Installing the packages")
        if backend == DEFAULT or not lock.pytorch():
            self._add_locked(lock.path, 0.06, 1.0)
            return backend
        self._add_locked(self._file("others.txt", lock.others()), 0.06, 0.3)
        if self._add_pytorch(lock, backend):
            return backend
        self._add_locked(self._file("pytorch.txt", lock.pytorch()), 0.3, 1.0)
        return DEFAULT

    def _add_uv(self) -> None:
        """Install uv with the pip of the base, or with one of the environment's own."""
        self._pip = [self._base.path, "-I", "-m", "pip", "--python", self.python]
        first = self._run(*self._pip, *INSTALL_UV)
        if first.is_good:
            return
        why = explain(first.output)
        if why and why.kind != "pip":
            self._fail(first)
        # The base has no pip, or one that is too old to install into another environment.
        self._must(self._run(self.python, "-I", "-m", "ensurepip"))
        self._pip = [self.python, "-I", "-m", "pip"]
        self._must(self._run(*self._pip, *INSTALL_UV))

    def _add_locked(self, requirements: Path, start: float, end: float) -> None:
        """Install exactly the given packages, each checked against its hash."""
        arguments = ["install", "--no-deps", "--require-hashes", "--only-binary", ":all:",
                     "-r", requirements]
        first = why = None
        if self._uv:
            first = self._run(*self._uv, *arguments, "--python", self.python,
                              part=Part(self._part, start, end))
            if first.is_good:
                return
            why = explain(first.output)
            if why and why.kind in _HOPELESS:
                self._fail(first)
            # pip knows settings that uv does not: the address of a company's index, its proxy.
            self._console.note("uv could not install the packages"
                               + (f" ({why.finding})" if why else "") + "; trying pip", "warning")
            self._uv = []
        second = self._run(*self._pip, *arguments, part=Part(self._part, start, end))
        if not second.is_good:
            # pip says of any package that it cannot get that there is none.
            self._fail(first if first and why and _is_vague(second) else second)

    def _add_pytorch(self, lock: Lock, backend: str) -> bool:
        """Install PyTorch for an accelerator from its own index; False if the default must do."""
        why = "uv is needed for that"
        if self._uv:
            versions = self._file("pytorch-versions.txt", lock.pytorch_versions())
            outcome = self._run(*self._uv, "install", "--torch-backend", backend, "--only-binary",
                                ":all:", "-r", versions, "--python", self.python,
                                part=Part(self._part, 0.3, 1.0))
            if outcome.is_good:
                return True
            explained = explain(outcome.output)
            if explained and explained.kind == "disk":
                self._fail(outcome)
            why = explained.finding if explained else "its message is in the log of the set-up"
        if backend not in _REPLACEABLE:
            raise SetupFailed(f"PyTorch for {backend} could not be installed ({why})",
                              "Choose auto or default, or try again")
        self._console.note(f"PyTorch could not be had from its own index as chosen ({backend}): "
                           f"{why}. Taking the default one in its place, which fits most "
                           "computers but may be larger or may not use the graphics card",
                           "warning")
        check_space(self._folder, lock, DEFAULT)
        return False

    def _run(self, *command: str | Path, part: Part | None = None) -> Outcome:
        read = Downloads(part).read if part else None
        return self._console.run(command, guard=self._base.path, on_line=read)

    def _must(self, outcome: Outcome) -> None:
        if not outcome.is_good:
            self._fail(outcome)

    def _fail(self, outcome: Outcome) -> NoReturn:
        why = explain(outcome.output, folder=str(self._folder.parent), python=str(self._base.path))
        if why:
            raise SetupFailed(why.finding, why.cure, outcome.tail)
        raise SetupFailed(f"An installer failed: {outcome.last_words}",
                          f"Look into {self._folder.with_name('set-up.log')}, and try again",
                          outcome.tail)

    def _file(self, name: str, text: str) -> Path:
        path = self._folder / name
        path.write_text(text, encoding="utf-8")
        return path


def _is_vague(outcome: Outcome) -> bool:
    why = explain(outcome.output)
    return why is None or why.kind == "wheel"
