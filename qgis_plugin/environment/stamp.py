"""What an environment was made of, written into it last; and whether it is still whole."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

NAME = "geoseg-environment.json"
"""The file in an environment's folder."""


def interpreter(folder: Path) -> Path:
    """Return the Python of an environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def write(folder: Path, facts: dict[str, Any]) -> None:
    """Write the stamp, with the given facts and with what `is_whole` compares."""
    facts = {**facts, "program": _program(folder), "packages": sorted(_packages(folder))}
    (folder / NAME).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def read(folder: Path) -> dict[str, Any] | None:
    """Return the facts about an environment; None if it has no stamp, so was never finished."""
    try:
        return dict(json.loads((folder / NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def is_whole(folder: Path, facts: dict[str, Any]) -> bool:
    """Return whether an environment still has its interpreter and its packages.

    The Python it stands on may have gone, with an update of the system or of QGIS.
    """
    program = facts.get("program")
    return (program is not None and program == _program(folder)
            and _packages(folder).issuperset(facts.get("packages", ())))


def _program(folder: Path) -> str | None:
    """Return the program that really runs when the environment's Python is started."""
    python = interpreter(folder)
    if os.name == "nt":
        # Here it is a small starter of the Python named in this file.
        python = _home(folder) / "python.exe"
    return os.path.realpath(python) if interpreter(folder).exists() and python.exists() else None


def _home(folder: Path) -> Path:
    try:
        lines = (folder / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    values = dict(line.partition(" = ")[::2] for line in lines)
    return Path(values.get("home", folder / "missing"))


def _packages(folder: Path) -> set[str]:
    """Return the names of what lies in the folder of installed packages."""
    places = [folder / "Lib" / "site-packages"] if os.name == "nt" else list(
        (folder / "lib").glob("python3.*/site-packages"))
    return {entry.name for place in places if place.is_dir() for entry in os.scandir(place)
            if entry.name != "__pycache__"}
