"""Run a script inside the real QGIS desktop, on a screen that nobody sees, with the plugin on.

    python3 scripts/qgis_desktop.py SCRIPT.py [ARGUMENT ...]

The script imports its helpers from `qgis_stage`; pictures go to `build/desktop`, or where `--out`
says. QGIS has a fresh profile, and the engine of this checkout's environment. Needs qgis and xvfb.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from environment import ROOT, VENV
from package_plugin import link
from qgis_environment import TESTS

sys.path.append(str(TESTS))

from qgis_run import Qgis, QgisMissing, find, write_profile

SIZE = "1600x1000"
"""Width and height of the screen."""

_SETTINGS = {
    "locale": ["overrideFlag=true", "userLocale=en_US", "globalLocale=en_US"],
    "core": ["NewsFeed\\httpsfeedqgisorg\\disabled=true"],
    "qgis": ["checkVersion=false", "showTips=false", "askToSaveProjectChanges=false"],
}
_WITHOUT_PLUGIN = {
    "PythonPlugins": ["processing=true"],
    # The plugin manager does not look for others on the net.
    "app": ["plugin_repositories\\QGIS%20Official%20Plugin%20Repository\\enabled=false"],
}


def run_in_desktop(script: Path, arguments: Sequence[str] = (), *, out: Path, size: str = SIZE,
                   seconds: float = 300, plugin: bool = True) -> int:
    """Start QGIS and run a script in it.

    Args:
        script: The script.
        arguments: What it finds in `sys.argv`.
        out: Folder of its pictures.
        size: Width and height of the screen.
        seconds: QGIS is ended when it takes longer.
        plugin: Whether geoseg is there and on, as the checkout is.

    Returns:
        0, or 1 if the script failed or QGIS did, or 124 if it took too long.
    """
    desktop = find("qgis")
    if not shutil.which("xvfb-run"):
        raise QgisMissing("xvfb-run is not installed. On Debian and Ubuntu: apt-get install xvfb "
                          "xauth")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="geoseg-desktop-") as folder:
        status = Path(folder) / "status"
        order = {"script": str(script.resolve()), "arguments": list(arguments),
                 "out": str(out.resolve()), "status": str(status)}
        plugins = Path(folder) / "plugins"
        plugins.mkdir()
        if plugin:
            link(ROOT, plugins)
        qgis = Qgis(Path(folder) / "qgis", plugins,
                    {"GEOSEG_STAGE": json.dumps(order), "QT_QPA_PLATFORM": None,
                     "QT_LOGGING_RULES": "*.debug=false",
                     "GEOSEG_ENGINE_PYTHON": str(VENV / "bin" / "python")})
        write_profile(qgis.profiles, _SETTINGS if plugin else {**_SETTINGS, **_WITHOUT_PLUGIN})
        start = Path(folder) / "start.py"
        start.write_text(f"import sys\nsys.path.insert(0, {str(ROOT / 'scripts')!r})\n"
                         "import qgis_stage\nqgis_stage.begin()\n")
        command = ["timeout", "--kill-after=10", str(seconds), "xvfb-run", "--auto-servernum",
                   f"--server-args=-screen 0 {size}x24 -nolisten tcp", str(desktop), "--nologo",
                   "--noversioncheck", "--profiles-path", str(qgis.profiles), "--code", str(start)]
        code = subprocess.call(command, env=qgis.environment(), stdin=subprocess.DEVNULL)
        # QGIS' own exit code says nothing of the script, and some releases crash while they quit.
        if code == 124:
            return code
        return int(status.read_text()) if status.is_file() else 1


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("script", type=Path)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGUMENT")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "desktop")
    parser.add_argument("--size", default=SIZE, help=f"of the screen ({SIZE})")
    parser.add_argument("--seconds", type=float, default=300, help="until QGIS is ended (300)")
    asked = parser.parse_args()
    try:
        return run_in_desktop(asked.script, asked.arguments, out=asked.out, size=asked.size,
                              seconds=asked.seconds)
    except QgisMissing as error:
        sys.exit(f"{error}.")


if __name__ == "__main__":
    sys.exit(main())
