"""Results come onto the map styled and grouped; none do after a cancel or an error."""

import re
import time

import pytest
from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProject,
)
from qgis.PyQt.QtCore import QCoreApplication
from qgis.PyQt.QtWidgets import QTextEdit
from test_provider import algorithm
from world import SETTINGS


class Patient(QgsProcessingFeedback):
    """Feedback that may cancel at the first sign of progress."""

    def __init__(self, cancel=False):
        super().__init__(False)
        if cancel:
            self.progressChanged.connect(lambda _: self.cancel())


def run(algorithm, parameters, feedback=None):
    """Run an algorithm as the toolbox does, with its results loaded."""
    import processing

    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    return processing.runAndLoadResults(f"geoseg:{algorithm}", parameters,
                                        feedback=feedback or Patient(), context=context)


@pytest.fixture
def mapped(town, made, provider, qgis_new_project):
    """The map of the town in the project; since it is finished, it is only loaded."""
    return run("maparea", {"IMAGE": str(town.image), "OSM": str(town.extract),
                           "RECIPE": "buildings", "SETTINGS": SETTINGS, "OUTPUT": made["OUTPUT"]})


def layer(name):
    [found] = QgsProject.instance().mapLayersByName(name)
    return found


def test_the_layers_of_a_run_are_one_group(mapped):
    root = QgsProject.instance().layerTreeRoot()
    [group] = root.children()
    assert group.name() == "geoseg: Kartenblatt 7"
    assert [child.name() for child in group.children()] == [
        "Polygons", "Chips", "Class map", "Probabilities", "Labels"]
    assert [child.name() for child in group.children() if child.itemVisibilityChecked()] == [
        "Polygons", "Class map"]


def test_classes_have_their_names_and_colours(mapped):
    renderer = layer("Class map").renderer()
    assert renderer.type() == "paletted"
    assert [(item.value, item.label, item.color.name()) for item in renderer.classes()] == [
        (0, "other", "#d9d9d9"), (1, "building", "#c8553d")]
    renderer = layer("Polygons").renderer()
    assert renderer.type() == "categorizedSymbol"
    assert renderer.classAttribute() == "class"
    colours = {item.value(): item.symbol().color().name() for item in renderer.categories()}
    assert colours["building"] == "#c8553d"
    assert layer("Chips").renderer().classAttribute() == "split"
    assert layer("Probabilities").renderer().type() == "singlebandpseudocolor"


def test_only_files_that_the_user_has_named_are_called_so(mapped, town, tmp_path, monkeypatch):
    """QGIS does not call layers by their files in its folder for temporary files: take another."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    QgsProject.instance().clear()
    run("maparea", {"IMAGE": str(town.image), "OSM": str(town.extract), "RECIPE": "buildings",
                    "SETTINGS": SETTINGS, "OUTPUT": mapped["OUTPUT"]})
    run("classify", {"PROBABILITIES": mapped["PROBABILITIES"], "OUTPUT": str(tmp_path / "c.tif")})
    assert {layer.name() for layer in QgsProject.instance().mapLayers().values()} == {
        "Polygons", "Chips", "Class map", "Probabilities", "Labels", "c"}


def test_results_can_stay_off_the_map(town, mapped):
    QgsProject.instance().clear()
    run("maparea", {"IMAGE": str(town.image), "OSM": str(town.extract), "RECIPE": "buildings",
                    "SETTINGS": SETTINGS, "OUTPUT": mapped["OUTPUT"], "SHOW": False})
    assert QgsProject.instance().mapLayers() == {}


def test_a_single_layer_needs_no_group(mapped, tmp_path):
    QgsProject.instance().clear()
    run("classify", {"PROBABILITIES": mapped["PROBABILITIES"], "OUTPUT": str(tmp_path / "c.tif")})
    [node] = QgsProject.instance().layerTreeRoot().children()
    assert node.name() == "Class map"
    assert node.layer().renderer().type() == "paletted"


def test_nothing_comes_onto_the_map_after_a_cancel(mapped, town, tmp_path):
    QgsProject.instance().clear()
    feedback = Patient(cancel=True)
    assert run("predict", {"MODEL": mapped["MODEL"], "IMAGE": str(town.image), "TILE": 32,
                           "OVERLAP": 0.5, "OUTPUT": str(tmp_path / "p.tif")}, feedback) == {}
    assert feedback.isCanceled()
    assert QgsProject.instance().mapLayers() == {}
    assert list(tmp_path.iterdir()) == []


def test_nothing_comes_onto_the_map_after_an_error(mapped, town, tmp_path):
    QgsProject.instance().clear()
    with pytest.raises(QgsProcessingException):
        run("predict", {"MODEL": str(town.image), "IMAGE": str(town.image),
                        "OUTPUT": str(tmp_path / "p.tif")})
    assert QgsProject.instance().mapLayers() == {}
    assert list(tmp_path.iterdir()) == []


def press_run(verb, parameters):
    """Run an algorithm by its dialog's button; return its log at the end."""
    from processing.gui.AlgorithmDialog import AlgorithmDialog

    dialog = AlgorithmDialog(verb, False, None)
    dialog.setParameters(parameters)
    dialog.runButton().click()
    text, limit = "", time.monotonic() + 120
    # A failure is told in the log alone: no signal is sent then.
    while not re.search("Execution (completed|failed)", text):
        assert time.monotonic() < limit, text
        QCoreApplication.processEvents()
        text = dialog.findChild(QTextEdit, "txtLog").toPlainText()
    dialog.close()
    dialog.deleteLater()
    return text


def test_a_dialog_runs_with_what_it_shows_at_first(whole_iface, town, mapped, tmp_path):
    """Every widget hands over something, also those that the user leaves alone."""
    QgsProject.instance().clear()
    log = press_run(algorithm("burnlabels"), {
        "IMAGE": str(town.image), "OSM": str(town.extract), "RECIPE": "buildings",
        "OUTPUT": str(tmp_path / "labels.tif")})
    assert "Execution completed" in log, log
    assert [node.name() for node in QgsProject.instance().layerTreeRoot().children()] == ["Labels"]
    assert (tmp_path / "labels.tif").is_file()


def test_a_dialog_shows_one_sentence_and_loads_nothing(whole_iface, town, mapped, tmp_path):
    QgsProject.instance().clear()
    log = press_run(algorithm("burnlabels"), {
        "IMAGE": str(town.image), "OSM": str(town.extract), "RECIPE": "water",
        "OUTPUT": str(tmp_path / "labels.tif")})
    assert "would hold no label" in log
    assert "Traceback" not in log
    assert "not correctly generated" not in log
    assert QgsProject.instance().mapLayers() == {}
