"""Write the locks anew: every package with its hashes, no address.

- `requirements.lock`: what this project and its tests need, from pyproject.toml.
- `qgis_plugin/engine.lock`: the part of it that the engine needs to run; ships in the plugin.
- `qgis_plugin/installer.lock`: uv, which puts those packages in, here and for the plugin.
- `tests/qgis/requirements.lock`: what the tests inside QGIS need, from the file beside it.

What a lock names stays as it is unless the arguments say otherwise; they go to uv: `--upgrade`
takes the newest versions of everything.
"""

from __future__ import annotations

import subprocess
import sys

from environment import ROOT, run_inside

ALL = "requirements.lock"
ENGINE = "qgis_plugin/engine.lock"
INSTALLER = "qgis_plugin/installer.lock"
QGIS_TESTS = "tests/qgis/requirements.lock"


def main() -> None:
    """Write all four; the engine's lock keeps to what the first has settled."""
    _compile("pyproject.toml", "--group", "dev", *sys.argv[1:], out=ALL)
    _compile("pyproject.toml", "--constraints", ALL, out=ENGINE)
    _compile("-", *sys.argv[1:], out=INSTALLER, read="uv")
    # The oldest Python that pytest-qgis supports.
    _compile("tests/qgis/requirements.in", *sys.argv[1:], out=QGIS_TESTS, python="3.10")


def _compile(*arguments: str, out: str, read: str | None = None, python: str = "3.11") -> None:
    command = [sys.executable, "-m", "uv", "pip", "compile", *arguments, "--quiet", "--universal",
               "--python-version", python, "--generate-hashes", "--no-emit-index-url",
               "--no-header", "--no-annotate", "-o", out]
    print(out, flush=True)
    code = subprocess.run(command, cwd=ROOT, input=read, text=True).returncode
    if code != 0:
        sys.exit(code)


if __name__ == "__main__":
    run_inside()
    main()
