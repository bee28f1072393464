"""A Python of the engine's own, for computers that have none it can use."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Iterable

from . import stamp
from .console import Console
from .errors import SetupFailed
from .explain import explain
from .installer import INSTALL_UV
from .interpreters import SUPPORTED, Interpreter, examine
from .part import Part

VERSION = "3.11"
"""The oldest one that is supported: its packages run on the oldest systems, too."""


def fetch_python(console: Console, helpers: Iterable[Path], root: Path, part: Part) -> Interpreter:
    """Let uv fetch a Python.

    Args:
        console: Where the commands run.
        helpers: Pythons that can be started and are too old, or cannot carry environments; one of
            them has to install uv.
        root: The folder of the environments; the Python is kept below it.
        part: Is told of the progress.

    Raises:
        SetupFailed: None could be had.
        SetupCancelled: The user cancelled.
    """
    part.progress(0.0, f"Fetching Python {VERSION}")
    console.note(f"No Python {SUPPORTED} was found on this computer; fetching one", "info")
    said = ""
    tools = root / "tools.new"
    try:
        for helper in helpers:
            uv, output = _install_uv(console, helper, tools)
            said += output
            if uv:
                return _install_python(console, helper, uv, root / "python")
    finally:
        shutil.rmtree(tools, ignore_errors=True)
    why = explain(said, folder=str(root), python="The Python of this computer")
    if why and why.kind != "pip":
        raise SetupFailed(why.finding, why.cure, said[-2000:])
    raise SetupFailed(f"There is no Python {SUPPORTED} on this computer, and none that could fetch "
                      "one", "Install Python 3.12 (python.org, or your system's packages) and try "
                      "again, or choose its program as the interpreter", said[-2000:])


def _install_uv(console: Console, helper: Path, tools: Path) -> tuple[Path | None, str]:
    """Install uv into a folder with a Python's pip; return its program and what was said."""
    shutil.rmtree(tools, ignore_errors=True)
    done = console.run([helper, "-I", "-m", "pip", *INSTALL_UV, "--target", tools], guard=helper)
    said = done.output
    if not done.is_good:
        done = console.run([helper, "-I", "-m", "venv", tools], guard=helper)
        if done.is_good:
            done = console.run([stamp.interpreter(tools), "-I", "-m", "pip", *INSTALL_UV],
                               guard=helper)
        said += done.output
    places = [tools / "bin" / "uv", tools / "bin" / "uv.exe", tools / "Scripts" / "uv.exe"]
    return next((path for path in places if done.is_good and path.is_file()), None), said


def _install_python(console: Console, helper: Path, uv: Path, folder: Path) -> Interpreter:
    where = {"UV_PYTHON_INSTALL_DIR": str(folder), "UV_PYTHON_INSTALL_BIN": "0",
             "UV_PYTHON_INSTALL_REGISTRY": "0"}
    done = console.run([uv, "python", "install", VERSION], guard=helper, **where)
    if done.is_good:
        done = console.run([uv, "python", "find", "--managed-python", VERSION], guard=helper,
                           **where)
    if done.is_good:
        return examine(Path(done.output.splitlines()[-1].strip()))
    why = explain(done.output, folder=str(folder))
    if why:
        raise SetupFailed(f"Python {VERSION} could not be fetched: {why.finding}", why.cure,
                          done.tail)
    raise SetupFailed(f"Python {VERSION} could not be fetched", "Install Python 3.12 and choose "
                      "its program as the interpreter", done.tail)
