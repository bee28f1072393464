"""Where PyTorch comes from, and a Python where the computer has none that fits."""

from __future__ import annotations

import hashlib
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from qgis_plugin.environment import interpreters, managed
from tests.plugin.processes import Listener
from tests.plugin.small_engine import DEAD_PROXY, fails, home, names, set_up


def wheel(folder: Path, name: str) -> str:
    """Make a package with one empty module, and an index; return its entry in a lock."""
    path, info = folder / f"{name}-1.0-py3-none-any.whl", f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{name}.py", "")
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        file.writestr(f"{info}/WHEEL",
                      "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    index = folder / "simple" / name
    index.mkdir(parents=True, exist_ok=True)
    (index / "index.html").write_text(f'<a href="../../{path.name}">{path.name}</a>')
    return f"{name}==1.0 \\\n    --hash=sha256:{digest}\n"


@pytest.fixture
def pytorch(installers, tmp_path, monkeypatch):
    """A home whose lock holds a PyTorch of our own, and a worker that needs it."""
    links = tmp_path / "links"
    links.mkdir()
    engine = home(tmp_path, text=wheel(links, "another") + wheel(links, "torch"))
    monkeypatch.setenv("UV_DEFAULT_INDEX", (links / "simple").as_uri())
    monkeypatch.setenv("UV_FIND_LINKS", str(links))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    # PyTorch's index is asked all the same, but cannot be reached.
    monkeypatch.setenv("HTTPS_PROXY", DEAD_PROXY)
    return engine, {"imports": "import torch, another"}


def test_without_pytorchs_index_the_default_takes_its_place_and_that_is_said(pytorch, tmp_path):
    engine, further = pytorch
    listener = Listener()
    python = set_up(engine, tmp_path, listener, backend="cpu", **further)
    assert engine.facts(python)["installed"] == "default"
    warning, = (text for level, text in listener.logs if level == "warning")
    assert "(cpu): The proxy cannot be reached" in warning
    assert engine.python("cpu") == python
    assert engine.python("auto") is None


def test_a_kind_of_accelerator_that_was_asked_for_is_not_replaced(pytorch, tmp_path):
    engine, further = pytorch
    assert fails(engine, tmp_path, backend="cu126", **further).startswith(
        "PyTorch for cu126 could not be installed (The proxy cannot be reached or refuses)")


def test_pytorch_for_an_accelerator_is_installed_without_hashes(pytorch, tmp_path, monkeypatch):
    """Its own index has other files than those of the lock."""
    engine, further = pytorch
    monkeypatch.setenv("UV_OFFLINE", "1")
    with zipfile.ZipFile(tmp_path / "links" / "torch-1.0-py3-none-any.whl", "a") as file:
        file.writestr("torch_for_cpu.py", "")
    python = set_up(engine, tmp_path, backend="cpu", **further)
    assert engine.facts(python)["installed"] == "cpu"
    assert list(python.parents[1].glob("lib/python3.*/site-packages/torch_for_cpu.py"))


@pytest.fixture
def only_helper(monkeypatch):
    """A computer whose only Python is too old for the engine, but can fetch another one."""
    helper = interpreters.Interpreter(Path(sys.executable), (3, 9, 2), "is too old")
    monkeypatch.setattr("qgis_plugin.environment.making.find", lambda note: (None, [helper]))
    monkeypatch.setattr(managed, "VERSION", f"3.{sys.version_info.minor}")


def test_a_python_is_fetched_where_there_is_none(installers, only_helper, tmp_path):
    """uv takes one that it has fetched before; this one is a copy of that of the tests."""
    engine = home(tmp_path, "certifi")
    copy_python(engine.root / "python")
    python = set_up(engine, tmp_path, base_python=None)
    base = Path(engine.facts(python)["base"])
    assert base.is_relative_to(engine.root / "python")
    assert names(engine) == sorted([python.parents[1].name, "python", "set-up.busy", "set-up.log"])


def test_a_python_that_cannot_be_fetched(installers, only_helper, tmp_path, monkeypatch):
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("HTTPS_PROXY", DEAD_PROXY)
    found = fails(home(tmp_path, "certifi"), tmp_path, base_python=None)
    assert "could not be fetched: The proxy cannot be reached" in found


def copy_python(folder: Path) -> None:
    """Copy the Python of the tests to where uv would have put it."""
    prefix, minor = Path(sys.base_prefix), f"python3.{sys.version_info.minor}"
    version = ".".join(map(str, sys.version_info[:3]))
    target = folder / f"cpython-{version}-linux-x86_64-gnu"
    shutil.copytree(prefix / "lib" / minor, target / "lib" / minor, ignore=shutil.ignore_patterns(
        "site-packages", "dist-packages", "test", "__pycache__", "idlelib", "*.a"))
    for path in (prefix / "lib").glob("libpython*"):
        shutil.copy(path, target / "lib", follow_symlinks=False)
    (target / "bin").mkdir()
    shutil.copy(prefix / "bin" / minor, target / "bin")
    (target / "bin" / "python3").symlink_to(minor)
