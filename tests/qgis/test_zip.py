"""The plugin as users get it: QGIS loads it from the unpacked zip, and it brings its engine."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from qgis_run import PLUGIN, Qgis
from world import make_town


@pytest.fixture(scope="module")
def installed(tmp_path_factory, checkout):
    """QGIS with the plugin from the zip; GEOSEG_PLUGINS may name a folder where it is unpacked."""
    folder = tmp_path_factory.mktemp("installed")
    if "GEOSEG_PLUGINS" in os.environ:
        shutil.copytree(Path(os.environ["GEOSEG_PLUGINS"]) / PLUGIN, folder / "plugins" / PLUGIN)
    else:
        sys.path.insert(0, str(checkout / "scripts"))
        from package_plugin import build

        shutil.unpack_archive(build(checkout, folder), folder / "plugins")
    return Qgis(folder / "qgis", folder / "plugins")


def test_the_toolbox_has_every_algorithm(installed, provider):
    outcome = installed("--json", "list")
    assert outcome.code == 0
    assert "Traceback" not in outcome.stderr
    listed = outcome.json["providers"]["geoseg"]["algorithms"]
    assert set(listed) == {algorithm.id() for algorithm in provider.algorithms()}


def test_its_own_engine_runs(installed, engine_python, tmp_path):
    """The engine in the zip, made to leave a mark when it is loaded, leaves it."""
    mark = tmp_path / "loaded"
    package = installed.plugins / PLUGIN / "engine" / "geoseg" / "__init__.py"
    with package.open("a", encoding="utf-8") as file:
        file.write(f"open({str(mark)!r}, 'w').close()\n")
    outcome = installed.run("geoseg:modelinformation", FILE=make_town(tmp_path).image)
    assert outcome.code == 0, outcome.stderr
    assert mark.exists()
