"""The environment of this checkout: made once, checked in a moment ever after.

Only the standard library is there yet, and the plugin's modules for environments, which need no
more. `ensure_environment` makes `.venv` with the packages of `requirements.lock`, each checked
against its hash, and this project itself, editable. A stamp, written last, holds what the
environment was made from; without it, or when the lock or Python has changed, the environment is
made again from nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

sys.path.append(str(Path(__file__).resolve().parents[1]))
from qgis_plugin.environment.busy import try_lock
from qgis_plugin.environment.installer import INSTALLER_LOCK
from qgis_plugin.environment.stamp import interpreter
from qgis_plugin.environment.variables import installer_variables

ROOT = Path(__file__).resolve().parents[1]
"""The checkout."""
VENV = ROOT / ".venv"
"""The environment of the checkout."""

DOWNLOAD = ("A package could not be installed; its message stands above. Check the network and "
            "the free space, then start again: nothing is kept of a half-made environment, but "
            "what was downloaded is")
"""What to say when a step that downloads has failed."""

_LOCK = ROOT / "requirements.lock"
_STAMP = VENV / "geoseg-environment"
_BUSY = ROOT / "build" / "environment.busy"
_NEEDED_BYTES = 12_000_000_000


def ensure_environment() -> Path:
    """Make the environment if it is missing or out of date.

    Returns:
        The environment's Python. On failure the process ends with one sentence and code 1.
    """
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is what says so to older Pythons
        fail(f"Python {sys.version.split()[0]} is too old. Start this with Python 3.11 or newer")
    if _runs_inside():
        if not _is_current():
            say(f"{VENV} is out of date. Start this with python3 from outside to renew it")
        return interpreter(VENV)
    if not _is_current():
        with alone():
            if not _is_current():
                _make()
    return interpreter(VENV)


def run_inside() -> None:
    """Continue the running script in the environment, making that first if needed."""
    python = ensure_environment()
    if _runs_inside():
        return
    command = [str(python), *sys.argv]
    if os.name == "nt":
        sys.exit(subprocess.call(command))
    os.execv(python, command)


def _runs_inside() -> bool:
    return Path(sys.prefix).resolve() == VENV.resolve()


def _wanted_stamp() -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    return f"{digest(_LOCK, ROOT / 'pyproject.toml')} python {version} {_uv()} {ROOT}\n"


def _uv() -> str:
    """Return the installer as its lock pins it."""
    return INSTALLER_LOCK.read_text(encoding="utf-8").split()[0]


def digest(*paths: Path) -> str:
    """Return one hash of several text files."""
    found = hashlib.sha256()
    for path in paths:
        # Git may check text out with other line ends on Windows.
        found.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return found.hexdigest()


def _is_current() -> bool:
    return (interpreter(VENV).exists() and _STAMP.is_file()
            and _STAMP.read_text(encoding="utf-8") == _wanted_stamp())


def _make() -> None:
    """Build the environment from nothing; the stamp comes last."""
    started = time.monotonic()
    say(f"Making {VENV} (once; a few minutes and up to 8 GB, most of it PyTorch)")
    _check_before()
    shutil.rmtree(VENV, ignore_errors=True)
    step("1/4  creating it", [sys.executable, "-m", "venv", str(VENV)],
         "Python could not create a virtual environment. On Debian and Ubuntu install "
         "python3-venv and try again")
    python = str(interpreter(VENV))
    step(f"2/4  installing {_uv()}",
         [python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r",
          str(INSTALLER_LOCK)], DOWNLOAD)
    uv = [python, "-m", "uv", "pip"]
    step("3/4  installing the locked packages",
         [*uv, "install", "--python", python, "--compile-bytecode", "--require-hashes", "-r",
          str(_LOCK)], DOWNLOAD)
    step("4/4  installing geoseg itself",
         [*uv, "install", "--python", python, "--no-deps", "--editable", str(ROOT)], DOWNLOAD)
    _STAMP.write_text(_wanted_stamp(), encoding="utf-8")
    say(f"The environment is ready after {time.monotonic() - started:.0f} s\n")


def _check_before() -> None:
    if not _LOCK.is_file():
        fail(f"{_LOCK} is missing. Restore it from the repository")
    try:
        import ensurepip  # noqa: F401 - Debian's Python leaves it out
        import venv  # noqa: F401
    except ImportError:
        fail("Python's venv module is missing. On Debian and Ubuntu install python3-venv and "
             "try again")
    free = shutil.disk_usage(ROOT).free
    if free < _NEEDED_BYTES:
        say(f"Only {free / 1e9:.1f} GB are free here; this may not be enough")


def step(what: str, command: list[str], on_failure: str) -> None:
    """Say what is done and run it; on failure end the process with a sentence."""
    say(f"  {what}")
    try:
        code = subprocess.call(command, cwd=ROOT, env=installer_variables())
    except OSError as error:
        fail(f"{command[0]} could not be started ({error.strerror})")
    if code != 0:
        free = shutil.disk_usage(ROOT).free
        fail("The disk is full. Free some space and start again" if free < 50_000_000
             else on_failure)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Keep a second run waiting; the system drops the lock when its holder ends, however."""
    _BUSY.parent.mkdir(exist_ok=True)
    with _BUSY.open("a") as file:
        if not try_lock(file.fileno()):
            say("Another run is making the environment; waiting for it")
            while not try_lock(file.fileno()):
                time.sleep(1)
        yield


def say(text: str) -> None:
    """Print at once, also into a pipe."""
    print(text, flush=True)


def fail(text: str) -> NoReturn:
    """End the process with a sentence and code 1."""
    sys.exit(f"{text}.")


if __name__ == "__main__":
    say(f"{ensure_environment()} is ready")
