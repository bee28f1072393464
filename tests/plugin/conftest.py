"""What the tests of the plugin's environments share."""

from __future__ import annotations

import subprocess
import sys

import pytest

from qgis_plugin.environment.installer import INSTALLER_LOCK


@pytest.fixture(scope="session")
def downloads(tmp_path_factory):
    """A folder with the installer of the engine's packages, fetched once."""
    folder = tmp_path_factory.mktemp("downloads")
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                    "--require-hashes", "-r", INSTALLER_LOCK, "-d", folder], check=True)
    return folder


@pytest.fixture(scope="module")
def installers(downloads):
    """Let set-ups take the installer from there, and keep what they download themselves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UV_CACHE_DIR", str(downloads / "uv"))
        patch.setenv("PIP_FIND_LINKS", str(downloads))
        patch.setenv("PIP_NO_INDEX", "1")
        yield
