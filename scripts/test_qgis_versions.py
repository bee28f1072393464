"""Run the tests inside QGIS with its later releases: of the zip, in Debian chroots made once.

    sudo python3 scripts/test_qgis_versions.py                     3.40 and 3.44
    sudo python3 scripts/test_qgis_versions.py trixie -- -k dialog

Needs root and mmdebstrap. The engine runs there in this checkout's environment, seen at its own
path; whatever the tests write into the checkout is gone afterwards. What follows `--` goes to
pytest.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from environment import ROOT, ensure_environment
from package_plugin import build
from qgis_chroot import PYTHON, ChrootError, command
from qgis_chroot import build as build_chroot
from qgis_environment import LOCK, TESTS

RELEASES = ("trixie", "forky")
"""Debian's releases with QGIS 3.40 and 3.44."""


def main() -> int:
    """Test in each chroot; print a table; return 0 if all passed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("suites", nargs="*", metavar="SUITE", default=RELEASES,
                        help=f"releases of Debian ({', '.join(RELEASES)})")
    parser.add_argument("--build-only", action="store_true", help="make the chroots, test nothing")
    own, for_pytest = _divide(sys.argv[1:])
    asked = parser.parse_args(own)
    engine = ensure_environment()
    verdicts = {}
    # Below the checkout, since the chroots see nothing else.
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="released-", dir=ROOT / "build") as folder:
        shutil.unpack_archive(build(ROOT, Path(folder)), Path(folder) / "plugins")
        for suite in asked.suites:
            print(f"\n== {suite}", flush=True)
            started = time.monotonic()
            try:
                root = build_chroot(suite, LOCK)
            except ChrootError as error:
                print(f"{error}.", file=sys.stderr)
                verdicts[suite] = "NO CHROOT"
                continue
            if asked.build_only:
                continue
            passed = _test(root, engine, Path(folder) / "plugins", for_pytest) == 0
            verdicts[suite] = (f"{_version(root)}  {'passed' if passed else 'FAILED'} in "
                               f"{time.monotonic() - started:.0f} s")
    print()
    for suite, verdict in verdicts.items():
        print(f"{suite:<8} {verdict}")
    return int(not all("passed" in verdict for verdict in verdicts.values()))


def _divide(arguments: list[str]) -> tuple[list[str], list[str]]:
    place = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:place], arguments[place + 1:]


def _test(root: Path, engine: Path, plugins: Path, arguments: list[str]) -> int:
    """Run the tests in a chroot; return pytest's exit code."""
    pytest = str(Path(PYTHON).with_name("pytest"))
    return subprocess.call(command(
        root, [pytest, TESTS.relative_to(ROOT).as_posix(), *arguments], checkout=ROOT,
        read_only=[_home_of(engine)],
        variables={"GEOSEG_ENGINE_PYTHON": str(engine), "GEOSEG_PLUGINS": str(plugins)}))


def _home_of(engine: Path) -> Path:
    """Return the folder of the Python behind a virtual environment, which the chroot must see."""
    home = engine.resolve().parents[1]
    if home in (Path("/usr"), Path("/")):
        sys.exit("The engine's environment stands on the system's Python, which a chroot cannot "
                 "share. Make .venv with a Python of its own, such as one of pyenv or uv.")
    return home


def _version(root: Path) -> str:
    """Return the exact version of QGIS in a chroot."""
    asked = "from qgis.core import Qgis; print(Qgis.QGIS_VERSION)"
    answer = subprocess.run(command(root, [PYTHON, "-c", asked], checkout=ROOT), text=True,
                            capture_output=True)
    return f"QGIS {answer.stdout.strip()}"


if __name__ == "__main__":
    sys.exit(main())
