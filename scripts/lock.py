"""Write the locks anew: every package with its hashes, no address.

- `requirements.lock`: what this project and its tests need, from pyproject.toml.
- `qgis_plugin/engine.lock`: the part of it that the engine needs to run; ships in the plugin.
- `qgis_plugin/installer.lock`: the installer that puts those packages in.

Arguments go to the first compilation: `--upgrade` takes the newest versions of everything.
"""

from __future__ import annotations

import subprocess
import sys

from environment import ROOT, UV, run_inside

ALL = "requirements.lock"
ENGINE = "qgis_plugin/engine.lock"
INSTALLER = "qgis_plugin/installer.lock"


def main() -> None:
    """Write all three; the last two keep to what the first has settled."""
    _compile("pyproject.toml", "--group", "dev", *sys.argv[1:], out=ALL)
    _compile("pyproject.toml", "--constraints", ALL, out=ENGINE)
    _compile("-", out=INSTALLER, read=UV)


def _compile(*arguments: str, out: str, read: str | None = None) -> None:
    command = [sys.executable, "-m", "uv", "pip", "compile", *arguments, "--quiet", "--universal",
               "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url",
               "--no-header", "--no-annotate", "-o", out]
    print(out, flush=True)
    code = subprocess.run(command, cwd=ROOT, input=read, text=True).returncode
    if code != 0:
        sys.exit(code)


if __name__ == "__main__":
    run_inside()
    main()
