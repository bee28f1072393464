"""Make the environments if needed, then run every check of the project.

Arguments go to pytest, which runs twice: on the engine, and inside QGIS on the plugin. Options such
as `-k tiling` go to both runs; a path below `tests` goes to the run that it belongs to, and the
other run is left out.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from environment import ROOT, run_inside
from qgis_environment import PACKAGES, TESTS, ensure_qgis_environment, find_qgis, qgis_variables

QGIS_TESTS = TESTS.relative_to(ROOT).as_posix()
NOTHING_CHOSEN = 5
"""What pytest returns if the arguments choose no test."""


def main() -> int:
    """Run the checks one after the other; return 0 if all passed, else 1."""
    engine, plugin = split(sys.argv[1:])
    verdicts = [check("style", lambda: module("ruff", "check", ".")),
                check("types", lambda: module("mypy"))]
    if engine is not None:
        verdicts.append(check("tests", lambda: inside_engine(engine)))
    if plugin is not None:
        verdicts.append(check("QGIS", lambda: inside_qgis(plugin)))
    print()
    for line, _ in verdicts:
        print(line)
    codes = [code for _, code in verdicts]
    chose_something = any(code != NOTHING_CHOSEN for code in codes[2:])
    return int(not chose_something or any(code not in (0, NOTHING_CHOSEN) for code in codes))


def split(arguments: list[str]) -> tuple[list[str] | None, list[str] | None]:
    """Return the arguments of pytest on the engine and inside QGIS; None leaves a run out."""
    arguments = [argument for argument in arguments if argument != "--"]
    paths = [argument for argument in arguments if argument.startswith("tests/")]
    options = [argument for argument in arguments if argument not in paths]
    of_plugin = [path for path in paths if f"{path}/".startswith(f"{QGIS_TESTS}/")]
    of_engine = [path for path in paths if path not in of_plugin]
    return ([*options, *of_engine] if of_engine or not paths else None,
            [*options, *of_plugin] if of_plugin or not paths else None)


def check(name: str, run: Callable[[], int | None]) -> tuple[str, int]:
    """Run a check; return its line in the table and its code, which is None if it cannot run."""
    print(f"\n== {name}", flush=True)
    started = time.monotonic()
    code = run()
    verdict = {None: "NOT RUN", 0: "passed", NOTHING_CHOSEN: "nothing chosen"}.get(code, "FAILED")
    return f"{name}: {verdict} in {time.monotonic() - started:.0f} s", code or 0


def module(*command: str) -> int:
    """Run a module of the engine's environment; return its exit code."""
    return subprocess.call([sys.executable, "-m", *command], cwd=ROOT)


def inside_engine(arguments: list[str]) -> int:
    """Run the tests of the engine: all of them side by side, chosen ones in one process."""
    if arguments:
        return module("pytest", *arguments)
    # One thread each, or every process would take every core.
    return subprocess.call([sys.executable, "-m", "pytest", "-n", "auto", "--maxprocesses", "4",
                            "--dist", "loadfile"], cwd=ROOT,
                           env={"OMP_NUM_THREADS": "1", **os.environ})


def inside_qgis(arguments: list[str]) -> int | None:
    """Run the tests inside QGIS; return pytest's exit code, or None if there is no QGIS."""
    qgis = find_qgis()
    if not qgis:
        print(f"!! There is no QGIS here, so the plugin is not tested. On Debian and Ubuntu:\n"
              f"!! apt-get install --no-install-recommends {' '.join(PACKAGES)}", flush=True)
        return 1 if os.environ.get("GEOSEG_REQUIRE_QGIS") == "1" else None
    pytest = ensure_qgis_environment(qgis)
    paths = [] if any(argument.startswith(QGIS_TESTS) for argument in arguments) else [QGIS_TESTS]
    # pytest itself, not `python -m pytest`: that would put the checkout on Python's path, and with
    # it the engine, which the plugin must do without.
    with tempfile.TemporaryDirectory() as runtime:
        variables = {**qgis_variables(), "XDG_RUNTIME_DIR": runtime,
                     "GEOSEG_ENGINE_PYTHON": str(Path(sys.executable))}
        return subprocess.call([str(pytest), *arguments, *paths], cwd=ROOT, env=variables)


if __name__ == "__main__":
    run_inside()
    sys.exit(main())
