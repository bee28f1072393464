"""What the tests of the plugin's environments share."""

from __future__ import annotations

import subprocess
import sys

import pytest

from qgis_plugin.environment.installer import INSTALLER_LOCK


@pytest.fixture(scope="session")
def installers(tmp_path_factory):
    """Fetch the installer once, and keep what is downloaded from test to test."""
    folder = tmp_path_factory.mktemp("downloads")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("UV_CACHE_DIR", str(folder / "uv"))
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                        "--require-hashes", "-r", INSTALLER_LOCK, "-d", folder], check=True)
        monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        yield
