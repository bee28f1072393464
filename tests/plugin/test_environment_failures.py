"""Set-ups that must fail, for real where that can be brought about."""

from __future__ import annotations

import http.server
import shutil
import sys
import threading
from collections import namedtuple

import pytest

from qgis_plugin.environment import EngineHome, SetupFailed
from qgis_plugin.environment.home import LOCK
from tests.plugin.small_engine import DEAD_PROXY, fails, home, set_up


class _Refusing(http.server.BaseHTTPRequestHandler):
    """A proxy that wants to know who asks."""

    def do_CONNECT(self) -> None:
        self.send_error(407, "Proxy Authentication Required")

    def log_message(self, *arguments: object) -> None:
        """Keep quiet."""


@pytest.fixture
def refusing_proxy():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Refusing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def no_proxy(monkeypatch):
    """No proxy so far, and a pip that asks the index, but gives up soon."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_RETRIES", "1")


def test_a_proxy_that_is_not_there(no_proxy, tmp_path):
    found = fails(home(tmp_path, "certifi"), tmp_path, proxy=DEAD_PROXY)
    assert found.startswith("The proxy cannot be reached")


def test_a_proxy_that_wants_a_password(no_proxy, refusing_proxy, tmp_path):
    found = fails(home(tmp_path, "certifi"), tmp_path, proxy=refusing_proxy)
    assert found.startswith("The proxy wants a user name and a password")


def test_what_uv_found_is_told_when_pip_only_says_that_there_is_no_package(
        installers, tmp_path, monkeypatch):
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("HTTPS_PROXY", DEAD_PROXY)
    found = fails(home(tmp_path, "certifi"), tmp_path)
    assert found.startswith("The proxy cannot be reached")


def test_a_python_that_can_neither_install_nor_be_given_pip(tmp_path):
    """As Debian's without python3-venv and python3-pip."""
    stub = tmp_path / "python"
    stub.write_text(f"""#!/bin/sh
case "$*" in
  *guard.py*) shift 2; exec "$@";;
  *"-m venv"*) for folder; do :; done; mkdir -p "$folder/bin"; cp "$0" "$folder/bin/python";;
  *"-m "*) echo "$0: No module named pip" >&2; exit 1;;
  *) exec {sys.executable} "$@" | sed "s|{sys.executable}|$0|";;
esac
""", encoding="utf-8")
    stub.chmod(0o755)
    found = fails(home(tmp_path, "certifi"), tmp_path, base_python=stub)
    assert found.startswith(f"{stub} cannot make environments. On Debian and Ubuntu install "
                            "python3-venv")


def test_a_disk_with_too_little_space(tmp_path, monkeypatch):
    usage = namedtuple("Usage", "total used free")(10**12, 0, 3 * 10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    engine = EngineHome(tmp_path / "home", LOCK)
    assert "Only 3.0 GB are free" in fails(engine, tmp_path, backend="cu128")


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    engine = EngineHome(tmp_path / "file" / "home", home(tmp_path, "certifi").lock.path)
    with pytest.raises(SetupFailed, match="choose another folder"):
        set_up(engine, tmp_path)


def test_a_backend_that_does_not_exist(tmp_path):
    engine = home(tmp_path, "certifi")
    with pytest.raises(SetupFailed, match="no backend 'cuda'"):
        set_up(engine, tmp_path, backend="cuda")
    assert not engine.root.exists()
