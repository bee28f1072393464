"""The button that fills the table of classes with those of a recipe."""

import pytest
from qgis.core import QgsProcessingContext
from qgis.PyQt.QtWidgets import QPushButton


@pytest.fixture
def opened(provider, whole_iface):
    """Open a dialog as the toolbox does; give its button, and its widgets by parameter."""
    import processing
    from geoseg_qgis.dialog import BUTTON

    dialogs = []

    def opened(name):
        dialog = processing.createAlgorithmDialog(f"geoseg:{name}", {})
        dialogs.append(dialog)
        [button] = [item for item in dialog.findChildren(QPushButton) if item.text() == BUTTON]
        return button, dialog.mainWidget().wrappers

    yield opened
    for dialog in dialogs:
        dialog.close()
        dialog.deleteLater()


def choose(widget, value):
    widget.setParameterValue(value, QgsProcessingContext())


@pytest.mark.parametrize("name", ["maparea", "fetchosm", "burnlabels", "planchips", "trainmodel"])
def test_it_fills_in_the_classes_of_the_chosen_recipe(opened, name):
    button, widgets = opened(name)
    choose(widgets["RECIPE"], "buildings")
    button.click()
    assert widgets["CLASSES"].parameterValue() == [
        "other", "#d9d9d9", "", "", "building", "#c8553d", "building=*; codes=1", ""]


def test_every_shipped_recipe_can_be_filled_in(opened, plugin_package):
    from geoseg_qgis.paths import shipped_recipes

    button, widgets = opened("maparea")
    for recipe in shipped_recipes():
        choose(widgets["RECIPE"], recipe)
        choose(widgets["CLASSES"], [])
        button.click()
        cells = widgets["CLASSES"].parameterValue()
        assert len(cells) >= 4
        assert all(colour.startswith("#") for colour in cells[1::4])


def test_without_a_shipped_recipe_there_is_nothing_to_fill_in(opened):
    button, widgets = opened("maparea")
    assert button.isEnabled()
    choose(widgets["RECIPE_FILE"], "/data/mine.toml")
    assert not button.isEnabled()
    choose(widgets["RECIPE_FILE"], None)
    assert button.isEnabled()
    button, _ = opened("planchips")
    assert not button.isEnabled()


def test_other_dialogs_are_the_usual_ones(provider):
    from test_provider import algorithm

    assert algorithm("classify").createCustomParametersWidget() is None
