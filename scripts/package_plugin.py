"""The QGIS plugin as one folder: zipped for users, linked for development, checked for the hub.

    python3 scripts/package_plugin.py zip       dist/geoseg_qgis.VERSION.zip
    python3 scripts/package_plugin.py link      build/plugins/geoseg_qgis, links into this checkout
    python3 scripts/package_plugin.py check     the rules of plugins.qgis.org that can be read here

The folder holds metadata.txt and LICENSE from the top, the modules of `qgis_plugin`, and the
engine's source in `engine/geoseg`, so that plugin and engine are always of one version. What ships
is what git lists; the same commit gives the same bytes. Standard library only.
"""

from __future__ import annotations

import argparse
import configparser
import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The checkout."""
FOLDER = "geoseg_qgis"
"""The plugin's name for QGIS. Not `geoseg`: QGIS puts the plugins' folder on Python's path."""

_PLUGIN, _ENGINE = "qgis_plugin", "geoseg"
_TOP = ("metadata.txt", "LICENSE")
_LARGEST = 1_000_000
_VERSIONS_TOLD = 3
_DEMANDED = ("name", "description", "about", "version", "qgisMinimumVersion", "author", "email",
             "tracker", "repository", "homepage", "icon", "tags", "license", "changelog")
_LINKS = ("tracker", "repository", "homepage")
_BINARY = (".exe", ".dll", ".so", ".dylib", ".bat", ".cmd", ".sh", ".ps1", ".pyc", ".whl", ".zip",
           ".pt", ".pth")
_FORBIDDEN = {"..", "__pycache__", "__MACOSX", ".git"}


def contents(root: Path = ROOT) -> dict[str, bytes]:
    """Return what ships: names inside the plugin's folder, and their bytes, in the zip's order."""
    found = {}
    for name in _listed_by_git(root):
        top, _, rest = name.partition("/")
        inside = {_PLUGIN: rest, _ENGINE: f"engine/{name}"}.get(top, name)
        found[inside] = (root / name).read_bytes()
    if "metadata.txt" in found and (root / "CHANGELOG.md").is_file():
        changes = _changes((root / "CHANGELOG.md").read_text(encoding="utf-8"))
        found["metadata.txt"] += f"changelog={changes}\n".encode()
    return dict(sorted(found.items()))


def problems(files: Mapping[str, bytes]) -> Iterator[str]:
    """Yield what the hub would refuse or complain of; each line names the file."""
    try:
        metadata = read_metadata(files.get("metadata.txt", b"").decode())
    except configparser.Error as error:
        yield f"metadata.txt cannot be read: {error}"
        return
    yield from _problems_of_metadata(metadata)
    for needed in ("__init__.py", "LICENSE", metadata.get("icon", "")):
        if needed not in files:
            yield f"{needed or 'the icon'} is missing"
    for name in files:
        parts = name.split("/")
        if _FORBIDDEN.intersection(parts) or "\\" in name or not name.isascii():
            yield f"{name} is no name for the hub"
        if parts[-1].startswith("."):
            yield f"{name} is hidden"
        if name.lower().endswith(_BINARY):
            yield f"{name} is a binary or a script of the system"


def read_metadata(text: str) -> dict[str, str]:
    """Read metadata.txt as QGIS and the hub do, so that a bare percent sign is an error."""
    parser = configparser.ConfigParser()
    # Keys such as qgisMinimumVersion are to keep their capitals.
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return dict(parser.items("general")) if parser.has_section("general") else {}


def build(root: Path, out: Path) -> Path:
    """Write the zip; return its path. Ends with the problems if there are any."""
    files = contents(root)
    _stop_at(problems(files))
    version = read_metadata(files["metadata.txt"].decode())["version"]
    target = out / f"{FOLDER}.{version}.zip"
    part = target.with_suffix(".part")
    out.mkdir(parents=True, exist_ok=True)
    moment = _time_of_commit(root)
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(f"{FOLDER}/{name}", moment)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, wherever this runs: the permissions below are Unix'
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, data)
    size = part.stat().st_size
    if size > _LARGEST:
        part.unlink()
        _stop_at([f"The zip has {size} bytes, more than {_LARGEST}"])
    return part.replace(target)


def link(root: Path, out: Path) -> Path:
    """Make a plugin folder of links, through which QGIS runs the checkout itself; return it."""
    folder = out / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {name: root / name for name in _TOP}
    wanted |= {path.name: path for path in (root / _PLUGIN).iterdir() if path.name != "__pycache__"}
    for old in folder.iterdir():
        if old.is_symlink() and old.name not in wanted:
            old.unlink()
    for name, path in wanted.items():
        place, goal = folder / name, Path(os.path.relpath(path, folder))
        if place.is_symlink() and place.readlink() == goal:
            continue
        place.unlink(missing_ok=True)
        place.symlink_to(goal)
    return folder


def _listed_by_git(root: Path) -> list[str]:
    listed = _git(root, "ls-files", "-z", "--", *_TOP, _PLUGIN, _ENGINE).split("\0")
    # A file that is deleted but not yet committed is still listed.
    return [name for name in listed if name and (root / name).is_file()]


def _time_of_commit(root: Path) -> tuple[int, int, int, int, int, int]:
    seconds = int(_git(root, "log", "-1", "--format=%ct"))
    return time.gmtime(seconds)[:6]


def _git(root: Path, *arguments: str) -> str:
    try:
        return subprocess.run(["git", "-C", str(root), *arguments], check=True, text=True,
                              capture_output=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"git does not list the plugin's files in {root} "
                 f"({getattr(error, 'stderr', '') or error}). Start this in a clone.")


def _changes(changelog: str) -> str:
    """Return the last versions of CHANGELOG.md as the value of a key of metadata.txt."""
    versions = re.split(r"^## ", changelog, flags=re.MULTILINE)[1:][:_VERSIONS_TOLD]
    lines = [re.sub(r"^#+ |[`*\[\]]", "", line) for line in "\n".join(versions).splitlines()]
    # Continued lines are indented, and a percent sign would start an interpolation.
    return "\n ".join(line for line in lines if line.strip()).replace("%", " percent")


def _problems_of_metadata(metadata: Mapping[str, str]) -> Iterator[str]:
    for key in _DEMANDED:
        if not metadata.get(key, "").strip():
            yield f"metadata.txt has no {key}"
    for key in _LINKS:
        if not metadata.get(key, "").startswith("https://"):
            yield f"metadata.txt: {key} is no https address"
    if "/" in metadata.get("author", ""):
        yield "metadata.txt: author holds a slash"
    if "plugin" in metadata.get("name", "").lower():
        yield "metadata.txt: name says plugin, which everything on the hub is"
    if not re.fullmatch(r"\d+\.\d+(\.\d+)?", metadata.get("version", "")):
        yield "metadata.txt: version is not of the form 1.2.3"
    if "supportsQt6" in metadata or metadata.get("qgisMaximumVersion") != "4.99":
        yield "metadata.txt: QGIS 4 is promised by qgisMaximumVersion=4.99 alone"


def _stop_at(found: Iterator[str] | list[str]) -> None:
    lines = list(found)
    if lines:
        sys.exit("\n".join(f"{line}." for line in lines))


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("zip", "link", "check"))
    parser.add_argument("--out", type=Path, help="folder of the result")
    asked = parser.parse_args()
    if asked.what == "zip":
        print(build(ROOT, asked.out or ROOT / "dist"))
    elif asked.what == "link":
        print(link(ROOT, asked.out or ROOT / "build" / "plugins"))
    else:
        _stop_at(problems(contents()))
        print("Nothing that the hub would refuse")


if __name__ == "__main__":
    main()
