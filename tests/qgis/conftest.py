"""What the tests inside QGIS share: the plugin, its provider, and QGIS as a process."""

import importlib
import os
import sys
from pathlib import Path

import pytest
from qgis.core import QgsApplication, QgsLayerTreeModel, QgsProject
from qgis.gui import QgsBrowserGuiModel, QgsLayerTreeView
from qgis_run import PLUGIN, Qgis
from world import SETTINGS, make_town

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def checkout():
    """The folder of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def plugins(tmp_path_factory):
    """The folder that holds the plugin's folder: links into the checkout, or what the caller says.

    GEOSEG_PLUGINS names a folder with the unpacked zip, to test just that.
    """
    given = os.environ.get("GEOSEG_PLUGINS")
    if given:
        return Path(given)
    sys.path.insert(0, str(ROOT / "scripts"))
    from package_plugin import link

    folder = tmp_path_factory.mktemp("plugins")
    link(ROOT, folder)
    return folder


@pytest.fixture(scope="session")
def plugin_package(plugins):
    """Give the plugin's package, imported as QGIS imports it."""
    sys.path.insert(0, str(plugins))
    return importlib.import_module(PLUGIN)


@pytest.fixture(scope="session", autouse=True)
def whole_iface(qgis_iface):
    """Give pytest-qgis' stand-in for the desktop what dialogs and later releases insist on."""
    qgis_iface.browserModel = QgsBrowserGuiModel
    view = QgsLayerTreeView()
    view.setModel(QgsLayerTreeModel(QgsProject.instance().layerTreeRoot()))
    qgis_iface.layerTreeView = lambda: view
    yield qgis_iface
    view.setModel(None)


@pytest.fixture(scope="session")
def provider(plugin_package, qgis_iface, qgis_processing):
    """Our provider, registered with the QGIS that runs the tests."""
    plugin = plugin_package.classFactory(qgis_iface)
    plugin.initProcessing()
    yield QgsApplication.processingRegistry().providerById("geoseg")
    plugin.unload()


@pytest.fixture(scope="session")
def engine_python():
    """The interpreter of the engine, which the plugin finds in the same variable."""
    python = os.environ.get("GEOSEG_ENGINE_PYTHON", "")
    if not Path(python).is_file():
        pytest.fail("GEOSEG_ENGINE_PYTHON names no interpreter. Start scripts/test.py, which sets "
                    "it, or set it to .venv/bin/python")
    return python


@pytest.fixture(scope="session")
def town(tmp_path_factory):
    """A small town: image, OpenStreetMap extract, extent; in a folder whose name is a trial."""
    return make_town(tmp_path_factory.mktemp("Stadt am Fluß, 'n' \"mehr\""))


@pytest.fixture(scope="session")
def made(town, plugins, engine_python, tmp_path_factory):
    """The outputs of Map an area on the town, made once by `qgis_process`."""
    folder = tmp_path_factory.mktemp("made")
    outcome = Qgis(folder / "qgis", plugins).run(
        "geoseg:maparea", IMAGE=town.image, OSM=town.extract, RECIPE="buildings",
        SETTINGS=SETTINGS, OUTPUT=folder / "Kartenblatt 7")
    assert outcome.code == 0, outcome.stdout + outcome.stderr
    return outcome.results


@pytest.fixture
def qgis_process(tmp_path_factory, plugins):
    """QGIS as a process: call it with arguments, or its `run` with an algorithm's name.

    Use `Qgis` of `qgis_run` itself for another profile, other plugins or other variables.
    """
    return Qgis(tmp_path_factory.mktemp("qgis"), plugins)
