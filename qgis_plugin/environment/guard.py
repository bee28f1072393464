"""Runs one command for QGIS, and ends it with all its children as soon as QGIS is gone.

Started as a program of its own: PYTHON -I guard.py COMMAND...
Standard input is the string by which QGIS holds it: when that is cut, by closing it or because
QGIS was killed, everything here ends at once.
"""

from __future__ import annotations

import os
import signal

# Running a command is what this module is for.
import subprocess  # nosec B404
import sys
import threading
from pathlib import Path


def main() -> int:
    """Run the command; return its exit status."""
    # The command comes from the plugin itself, and there is no shell that could misread it.
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)  # nosec B603
    threading.Thread(target=_watch, daemon=True).start()
    status = process.wait()
    return status if status >= 0 else 128 - status


def _watch() -> None:
    while os.read(0, 1):
        continue
    if os.name == "nt":
        tool = Path(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "taskkill.exe")
        # A program of Windows by its full path, and a number.
        subprocess.run(  # nosec B603
            [str(tool), "/T", "/F", "/PID", str(os.getpid())])
    else:
        os.killpg(os.getpgid(0), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
