"""The plugin's zip: whole, the same twice, within the hub's rules, and clean for its scanners."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import geoseg

ROOT = Path(__file__).parents[1]
MOST_BYTES = 1_000_000


@pytest.fixture(scope="module")
def package():
    """The script, imported as the module that it is."""
    sys.path.insert(0, str(ROOT / "scripts"))
    import package_plugin

    yield package_plugin
    sys.path.remove(str(ROOT / "scripts"))


@pytest.fixture(scope="module")
def archive(package, tmp_path_factory):
    return package.build(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def unpacked(archive, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    return folder


@pytest.fixture
def clone(tmp_path):
    """Return a function that clones the checkout's last commit into a folder of its own."""
    def make(name):
        folder = tmp_path / name
        subprocess.run(["git", "clone", "--quiet", "--shared", str(ROOT), str(folder)], check=True)
        return folder

    return make


def test_one_folder_holds_plugin_and_engine(package, archive):
    with zipfile.ZipFile(archive) as opened:
        names = opened.namelist()
        modes = {entry.external_attr >> 16 for entry in opened.infolist()}
    assert {name.split("/")[0] for name in names} == {"geoseg_qgis"}
    assert modes == {0o100644}
    inside = {name.partition("/")[2] for name in names}
    assert inside >= {"metadata.txt", "LICENSE", "__init__.py", "engine.lock", "icons/geoseg.svg",
                      "engine/geoseg/worker.py", "engine/geoseg/maps/templates/report.html.j2"}
    assert not [name for name in inside if name.startswith(("tests", "engine/tests", "scripts"))]


def test_it_is_small(archive):
    assert archive.stat().st_size < MOST_BYTES


def test_the_version_is_that_of_the_engine(package, archive):
    assert archive.name == f"geoseg_qgis.{geoseg.__version__}.zip"
    metadata = package.read_metadata((ROOT / "metadata.txt").read_text(encoding="utf-8"))
    assert metadata["version"] == geoseg.__version__


def test_the_changelog_travels_along(package, unpacked):
    text = (unpacked / "geoseg_qgis" / "metadata.txt").read_text(encoding="utf-8")
    told = package.read_metadata(text)["changelog"]
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.findall(r"^- (\w+ \w+)", changes, flags=re.MULTILINE)[0]
    assert newest in told


def test_a_commit_gives_the_same_bytes_anywhere(package, clone, tmp_path):
    first, second = clone("here"), clone("there")
    for path in second.rglob("*.py"):
        path.touch()
        path.chmod(0o755)
    assert (package.build(first, tmp_path / "a").read_bytes()
            == package.build(second, tmp_path / "b").read_bytes())


def test_what_git_does_not_list_stays_out(package, clone):
    folder = clone("here")
    before = set(package.contents(folder))
    (folder / "qgis_plugin" / "notes.txt").touch()
    cache = folder / "geoseg" / "__pycache__"
    cache.mkdir()
    (cache / "chain.cpython-311.pyc").touch()
    (folder / "geoseg" / "py.typed").unlink()
    assert set(package.contents(folder)) == before - {"engine/geoseg/py.typed"}


def test_the_hub_has_nothing_to_complain_of(package):
    assert list(package.problems(package.contents())) == []


@pytest.mark.parametrize(("change", "finding"), [
    ({"LICENSE": None}, "LICENSE is missing"),
    ({"__init__.py": None}, "__init__.py is missing"),
    ({"icons/geoseg.svg": None}, "icons/geoseg.svg is missing"),
    ({"a/../b.py": b""}, "is no name for the hub"),
    ({"__pycache__/x.py": b""}, "is no name for the hub"),
    ({"straße.py": b""}, "is no name for the hub"),
    ({".env": b""}, "is hidden"),
    ({"library.DLL": b""}, "is a binary"),
    ({"x.pyc": b""}, "is a binary"),
    ({"metadata.txt": ("about=", "about=100% ")}, "cannot be read"),
    ({"metadata.txt": ("author=The", "author=We/They")}, "slash"),
    ({"metadata.txt": ("version=", "version=v")}, "not of the form"),
    ({"metadata.txt": ("=4.99", "=3.99")}, "QGIS 4"),
    ({"metadata.txt": ("tracker=https:", "tracker=ftp:")}, "tracker is no https"),
    ({"metadata.txt": ("email=", "mail=")}, "has no email"),
    ({"metadata.txt": ("name=geoseg", "name=geoseg plugin")}, "name says plugin"),
])
def test_a_breach_is_found(package, change, finding):
    files = package.contents()
    for name, new in change.items():
        if new is None:
            del files[name]
        elif isinstance(new, bytes):
            files[name] = new
        else:
            old, put = (text.encode() for text in new)
            assert old in files[name]
            files[name] = files[name].replace(old, put, 1)
    [line] = package.problems(files)
    assert finding in line


def test_links_follow_the_checkout(package, clone, tmp_path):
    folder = clone("here")
    (tmp_path / "plugins" / "geoseg_qgis").mkdir(parents=True)
    (tmp_path / "plugins" / "geoseg_qgis" / "gone.py").symlink_to("nowhere.py")
    linked = package.link(folder, tmp_path / "plugins")
    assert linked == package.link(folder, tmp_path / "plugins")
    assert (linked / "metadata.txt").read_bytes() == (folder / "metadata.txt").read_bytes()
    assert (linked / "__init__.py").resolve() == folder / "qgis_plugin" / "__init__.py"
    assert not (linked / "gone.py").is_symlink()


def test_the_engine_in_the_zip_works(unpacked):
    """Its worker finds the package beside it, with the files that are no modules."""
    worker = unpacked / "geoseg_qgis" / "engine" / "geoseg" / "worker.py"
    command = [sys.executable, "-I", "-X", "utf8", "-u", str(worker)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=unpacked,
                          text=True, encoding="utf-8") as process:
        print(json.dumps({"protocol": 1, "task": "recipes", "params": {}}), file=process.stdin,
              flush=True)
        # Closing its input would tell the worker that QGIS is gone.
        events = [json.loads(line) for line in process.stdout]
    assert events[-1]["event"] == "result", events
    assert "landcover-osm" in json.dumps(events[-1])


def scan(folder, *command):
    """Run a scanner as the hub does, in the folder of the unpacked zip; return what it printed."""
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, text=True,
                          capture_output=True)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def bandit(folder):
    """Return a line for each finding of any rule; the hub enables 74 of them."""
    report = json.loads(scan(folder, "bandit", "-r", ".", "-f", "json", "--quiet"))
    assert report["errors"] == []
    return [f"{found['filename']}:{found['line_number']} {found['test_id']}"
            for found in report["results"]]


def secrets(folder):
    """Return the files in which something looks like a password or a key."""
    report = scan(folder, "detect_secrets", "scan", "--all-files", "--exclude-files",
                  r"metadata\.txt", ".")
    return list(json.loads(report)["results"])


def flake8(folder):
    """Return flake8's findings, with the line length that the hub allows."""
    return scan(folder, "flake8", "--isolated", "--max-line-length=120", ".").splitlines()


@pytest.mark.parametrize("scanner", [bandit, secrets, flake8])
def test_the_scanners_of_the_hub_find_nothing(unpacked, scanner):
    assert scanner(unpacked) == []


def test_the_scanners_find_what_is_planted(tmp_path):
    (tmp_path / "bad.py").write_text("import pickle\n\nassert pickle.loads(b'')\nkey = "
                                     "'AKIAIOSFODNN7EXAMPLX'\nif (x := key) is 'a': pass\n")
    assert [line.split()[1] for line in bandit(tmp_path)] == ["B403", "B101", "B301"]
    assert secrets(tmp_path) == ["bad.py"]
    assert any("F632" in line for line in flake8(tmp_path))


def test_every_exception_from_bandit_has_its_reason(unpacked):
    """The hub reads `nosec` only if nothing else stands in that comment: the reason is above."""
    for path in unpacked.rglob("*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            if re.search(r"#.*\bnosec\b", line):
                place = f"{path.relative_to(unpacked)}:{number + 1}"
                assert re.search(r"  # nosec B\d{3}(, B\d{3})*$", line), place
                above = [line.strip() for line in lines[max(number - 3, 0):number]]
                assert any(line.startswith("#") for line in above), f"{place} gives no reason"
