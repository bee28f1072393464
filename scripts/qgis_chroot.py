"""A Debian chroot with another release of QGIS: built once, entered in private namespaces.

Mounts live in a mount namespace and processes in a PID namespace of the command that runs in the
chroot, so both are gone when it ends, however it ends. Needs root and mmdebstrap.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from qgis_environment import PACKAGES

HOME = Path(os.environ.get("GEOSEG_QGIS_CHROOTS", Path.home() / ".cache" / "geoseg-qgis"))
"""Where the chroots live, about 2 GB each."""
PYTHON = "/opt/venv/bin/python"
"""Inside: the interpreter that knows QGIS and pytest-qgis."""

_PACKAGES = (*PACKAGES, "ca-certificates")
_OPTIONS = ("--aptopt=APT::Install-Recommends \"false\"", "--aptopt=Acquire::Languages \"none\"",
            # A mirror may be a frozen copy, whose list of packages calls itself out of date.
            "--aptopt=Acquire::Check-Valid-Until \"false\"",
            *(f"--dpkgopt=path-exclude=/usr/share/{path}/*" for path in ("doc", "man", "qgis/doc")))


class ChrootError(Exception):
    """A chroot could not be made; the text says why and what to do."""


def build(suite: str, lock: Path) -> Path:
    """Make the chroot of a Debian suite unless it is there and up to date.

    Args:
        suite: Name of the Debian release.
        lock: Requirements, with hashes, of the virtual environment inside.

    Returns:
        The chroot's folder.
    """
    for what, is_there in (("root", os.geteuid() == 0), ("mmdebstrap", shutil.which("mmdebstrap"))):
        if not is_there:
            raise ChrootError(f"A chroot needs {what}")
    root = HOME / suite
    made_from = hashlib.sha256(repr((_PACKAGES, _OPTIONS)).encode() + lock.read_bytes()).hexdigest()
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / f".{suite}.lock").open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        stamp = root / ".geoseg-stamp"
        if not stamp.is_file() or stamp.read_text() != made_from:
            fresh = root.with_suffix(".new")
            _remove(fresh)
            _bootstrap(suite, fresh)
            _add_environment(fresh, lock)
            (fresh / stamp.name).write_text(made_from)
            _remove(root)
            fresh.rename(root)
    return root


def command(root: Path, arguments: Sequence[str], *, checkout: Path, read_only: Sequence[Path] = (),
            variables: Mapping[str, str] | None = None) -> list[str]:
    """Return the command line that runs something in a chroot.

    Args:
        root: The chroot.
        arguments: What to run there; its working directory is the checkout.
        checkout: Seen at its own path; what is written there is gone afterwards.
        read_only: Further folders seen at their own paths.
        variables: Environment variables beside the usual few.
    """
    order = json.dumps({"root": str(root), "arguments": list(arguments), "checkout": str(checkout),
                        "read_only": list(map(str, read_only)), "variables": dict(variables or {})})
    # unshare ignores to be told to stop; killed with whoever started it, it takes all with it.
    return ["setpriv", "--pdeathsig", "KILL",
            "unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child",
            f"--mount-proc={root / 'proc'}", sys.executable, str(Path(__file__)), order]


def _bootstrap(suite: str, root: Path) -> None:
    """Install Debian with QGIS; the namespace takes its mounts away even when it is killed."""
    _run("unshare", "--mount", "--propagation", "private", "mmdebstrap", "--quiet", "--mode=root",
         "--variant=apt", "--format=directory", f"--include={','.join(_PACKAGES)}", *_OPTIONS,
         suite, str(root), f"deb {_archive()} {suite} main")
    (root / "etc" / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")


def _archive() -> str:
    """Return the address of the Debian archive that apt uses on this machine."""
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI)", "Created-By: Packages"],
        check=True, capture_output=True, text=True).stdout
    for line in targets.splitlines():
        origin, _, address = line.partition(" ")
        if origin == "Debian" and "security" not in address:
            return address
    raise ChrootError("apt knows no Debian archive. Add one to its sources, run apt-get update")


def _add_environment(root: Path, lock: Path) -> None:
    """Make the virtual environment inside, from wheels that this machine's pip fetches."""
    wheels = root / "opt" / "wheels"
    _run(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
         "--no-deps", "--require-hashes", "--only-binary=:all:", "-r", str(lock),
         "--dest", str(wheels))
    shutil.copy(lock, wheels / "requirements.lock")
    inside = ["env", "-i", "PATH=/usr/bin:/bin"]
    _run("chroot", str(root), *inside, "/usr/bin/python3", "-m", "venv", "--system-site-packages",
         str(Path(PYTHON).parents[1]))
    _run("chroot", str(root), *inside, PYTHON, "-m", "pip", "install", "--quiet", "--no-index",
         "--no-deps", "--require-hashes", "--find-links=/opt/wheels",
         "-r", "/opt/wheels/requirements.lock")


def _run(*arguments: str) -> None:
    code = subprocess.call(arguments, stdin=subprocess.DEVNULL)
    if code != 0:
        raise ChrootError(f"{arguments[0]} ended with code {code}; its message stands above")


def _remove(folder: Path) -> None:
    """Delete a chroot, never anything that is mounted in it."""
    if folder.exists():
        _run("rm", "-rf", "--one-file-system", str(folder))


def _enter(order: dict) -> None:
    """Mount what is to be seen, then become the command. Runs inside the new namespaces."""
    root = Path(order["root"])

    def mount(path: str, *arguments: str) -> None:
        place = root / path.lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", *arguments, str(place)], check=True)

    mount("/dev", "--rbind", "/dev")
    mount("/tmp", "-t", "tmpfs", "tmpfs")
    layers = {name: root / "tmp" / ".checkout" / name for name in ("upper", "work")}
    for folder in (*layers.values(), root / "tmp" / "home", root / "tmp" / "runtime"):
        folder.mkdir(parents=True, mode=0o700)
    for folder in order["read_only"]:
        mount(folder, "--bind", "-o", "ro", folder)
    checkout = order["checkout"]
    mount(checkout, "-t", "overlay", "overlay", "-o",
          f"lowerdir={checkout},upperdir={layers['upper']},workdir={layers['work']}")
    os.chroot(root)
    os.chdir(checkout)
    variables = {"HOME": "/tmp/home", "XDG_RUNTIME_DIR": "/tmp/runtime", "LANG": "C.UTF-8",
                 "PATH": "/usr/bin:/bin", "QT_QPA_PLATFORM": "offscreen", **order["variables"]}
    os.execve(shutil.which(order["arguments"][0], path=variables["PATH"]), order["arguments"],
              variables)


if __name__ == "__main__":
    _enter(json.loads(sys.argv[1]))
