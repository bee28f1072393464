"""Which Python the environment is built on."""

from __future__ import annotations

import json
import os
import shutil

# Running other programs is what this module is for.
import subprocess  # nosec B404
import sys
from pathlib import Path
from typing import Callable, Iterator, NamedTuple

from ..child import own_group
from ..surroundings import clean_environment
from .errors import SetupFailed

OLDEST, NEWEST = (3, 11), (3, 14)
"""The versions of Python for which every package of the lock has a wheel."""
SUPPORTED = f"{'.'.join(map(str, OLDEST))} to {'.'.join(map(str, NEWEST))}"

_EXAMPLE = r"C:\Python312\python.exe" if os.name == "nt" else "/usr/bin/python3.12"
_PATIENCE = 30.0
"""Seconds within which an interpreter must have answered."""
_MINORS = (12, 13, 11, 14)
"""In which order to try them: first those that packages have been tried with the longest."""
_QUESTION = """\
import json, platform, sys, sysconfig
print(json.dumps({
    "path": sys.executable, "version": sys.version_info[:3], "bits": sys.maxsize.bit_length() + 1,
    "kind": platform.python_implementation(), "libc": sysconfig.get_config_var("SOABI") or "",
    "free": bool(sysconfig.get_config_var("Py_GIL_DISABLED"))}))
"""


class Interpreter(NamedTuple):
    """A Python that has answered.

    Args:
        path: Its program.
        version: Three numbers.
        flaw: Why the engine cannot run on it, as the rest of a sentence; empty if it can.
    """

    path: Path
    version: tuple[int, int, int]
    flaw: str

    @property
    def minor(self) -> str:
        """Its version as in "3.12"."""
        return f"{self.version[0]}.{self.version[1]}"


def examine(python: Path) -> Interpreter:
    """Ask a Python what it is.

    Raises:
        SetupFailed: It cannot be started or does not answer.
    """
    try:
        # A program that the user has named, or that lies where Pythons are kept.
        done = subprocess.run(  # nosec B603
            [str(python), "-I", "-c", _QUESTION], stdin=subprocess.DEVNULL, capture_output=True,
            timeout=_PATIENCE, env=clean_environment(), encoding="utf-8", errors="replace",
            **own_group())
        answer = json.loads(done.stdout)
        version = tuple(answer["version"])
        return Interpreter(Path(answer["path"] or python), version, _flaw(version, answer))
    except (OSError, subprocess.SubprocessError, ValueError, TypeError, KeyError) as error:
        raise SetupFailed(f"{python} is not a Python that can be started ({_reason(error)})",
                          f"Choose the program of a Python {SUPPORTED}, for example "
                          f"{_EXAMPLE}") from None


def chosen(python: str | Path) -> Interpreter:
    """Return a Python that the user has chosen.

    Raises:
        SetupFailed: It cannot be started, or is not supported.
    """
    found = examine(Path(python))
    if found.flaw:
        raise SetupFailed(f"{python} {found.flaw}", f"Choose a Python {SUPPORTED}, or none, and "
                          "one will be looked for")
    return found


def find(note: Callable[[str], None]) -> tuple[Interpreter | None, list[Interpreter]]:
    """Look for a supported Python on this computer.

    Args:
        note: Is told of each one that was tried.

    Returns:
        The first supported one or None, and those that can be started but are not supported.
    """
    others = []
    for path in candidates():
        try:
            found = examine(path)
        except SetupFailed as failure:
            note(failure.finding)
            continue
        note(f"{found.path} is Python {'.'.join(map(str, found.version))}"
             + (f", which {found.flaw}" if found.flaw else ""))
        if not found.flaw:
            return found, others
        others.append(found)
    return None, others


def candidates() -> Iterator[Path]:
    """Yield programs that may be a Python for the environment, the best first, each once."""
    seen = set()
    for path in _places():
        if path not in seen and path.is_file():
            seen.add(path)
            yield path


def _places() -> Iterator[Path]:
    own = Path(sys.base_exec_prefix)
    if sys.platform == "win32":
        # sys.executable is QGIS itself here; starting it would open a second one.
        yield own / "python.exe"
        return
    if not any(part.endswith(".app") for part in own.parts):
        # Not QGIS' bundle on macOS: environments made with that Python cannot find its libraries.
        yield own / "bin" / "python3"
    if sys.platform == "darwin":
        # Not /usr/bin/python3 here: it would ask to install the developer tools.
        framework = "/Library/Frameworks/Python.framework/Versions/3.{}/bin/python3.{}"
        for minor in _MINORS:
            yield Path(framework.format(minor, minor))
            yield Path(f"/opt/homebrew/bin/python3.{minor}")
            yield Path(f"/usr/local/bin/python3.{minor}")
        return
    yield Path("/usr/bin/python3")
    for minor in _MINORS:
        found = shutil.which(f"python3.{minor}")
        if found:
            yield Path(found)


def helpers() -> Iterator[Path]:
    """Yield Pythons that cannot carry the environment, but can install an installer."""
    own = Path(sys.base_exec_prefix)
    if sys.platform == "darwin":
        yield own / "bin" / "python3"
        yield own.parent / "MacOS" / "bin" / "python3"


def _flaw(version: tuple[int, ...], answer: dict[str, object]) -> str:
    minor = f"{version[0]}.{version[1]}"
    if version[:2] < OLDEST:
        return f"is too old: the engine needs {SUPPORTED}"
    if version[:2] > NEWEST:
        return f"is too new: not every package is ready for {minor}, the engine needs {SUPPORTED}"
    if answer["kind"] != "CPython":
        return f"is {answer['kind']}: the engine needs the usual CPython"
    if answer["bits"] != 64:
        return "is a 32-bit program: the engine needs 64 bits"
    if answer["free"]:
        return "is the free-threaded kind: the engine needs the usual one"
    if "musl" in str(answer["libc"]):
        return "is built with musl: the engine needs a system with glibc"
    return ""


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.TimeoutExpired):
        return f"no answer within {_PATIENCE:.0f} s"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "its answer was not understood"
