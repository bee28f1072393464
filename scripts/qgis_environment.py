"""The environment of the tests inside QGIS: QGIS' own Python, and pytest-qgis of the lock.

Made from the system's Python, which knows QGIS, as `.venv-qgis`; a stamp, written last, holds what
it was made from. Standard library only.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from environment import DOWNLOAD, ROOT, alone, digest, say, step
from qgis_plugin.surroundings import clean_environment

TESTS = ROOT / "tests" / "qgis"
"""The tests inside QGIS."""
LOCK = TESTS / "requirements.lock"
"""What they need beside QGIS."""
VENV = ROOT / ".venv-qgis"
"""Their environment."""
PACKAGES = ("qgis", "python3-qgis", "python3-venv", "xvfb", "xauth", "fonts-dejavu-core",
            "fonts-open-sans")
"""What to install on Debian and Ubuntu; recommended packages are not needed."""
SYSTEM_PATH = "/usr/bin:/bin"
"""QGIS takes the home of its Python from the first python3 on PATH: it must be the system's."""

_PYTHON = "/usr/bin/python3"
_STAMP = VENV / "geoseg-environment"


def find_qgis() -> str:
    """Return the versions of QGIS and of its Python on this machine; "" if there is none."""
    programs = ("qgis_process.bin", "qgis_process")
    if not any(shutil.which(name, path=SYSTEM_PATH) for name in programs):
        return ""
    asked = "import sys; from qgis.core import Qgis; print(Qgis.QGIS_VERSION, sys.version_info[:3])"
    try:
        answer = subprocess.run([_PYTHON, "-c", asked], env=qgis_variables(), text=True,
                                capture_output=True)
    except OSError:
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def qgis_variables() -> dict[str, str]:
    """Return the variables for a process that loads QGIS: no other Python, no display."""
    return {**clean_environment(), "PATH": SYSTEM_PATH, "QT_QPA_PLATFORM": "offscreen"}


def ensure_qgis_environment(qgis: str) -> Path:
    """Make the environment if it is missing or out of date.

    Args:
        qgis: What `find_qgis` has found.

    Returns:
        Its pytest. On failure the process ends with one sentence and code 1.
    """
    pytest = VENV / "bin" / "pytest"
    wanted = f"{digest(LOCK)} qgis {qgis} {ROOT}\n"
    with alone():
        if not (pytest.exists() and _STAMP.is_file() and _STAMP.read_text() == wanted):
            say(f"Making {VENV} (once; some seconds)")
            shutil.rmtree(VENV, ignore_errors=True)
            step("1/2  creating it", [_PYTHON, "-m", "venv", "--system-site-packages", str(VENV)],
                 "Python could not create a virtual environment. On Debian and Ubuntu install "
                 "python3-venv and try again")
            step("2/2  installing the locked packages",
                 [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-deps",
                  "--require-hashes", "-r", str(LOCK)], DOWNLOAD)
            _STAMP.write_text(wanted)
    return pytest
