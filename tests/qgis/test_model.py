"""The shipped model as the Model Designer sees it."""

import pytest
from qgis.core import QgsProcessingModelAlgorithm


@pytest.fixture(scope="module")
def model(provider, plugins):
    [path] = (plugins / "geoseg_qgis" / "models").glob("*.model3")
    model = QgsProcessingModelAlgorithm()
    assert model.fromFile(str(path))
    return model


def test_no_step_lacks_anything(model):
    """The Designer paints such steps red, and warns when the model is saved or exported."""
    assert model.validate() == (True, [])
    assert {item.algorithmId() for item in model.childAlgorithms().values()} == {
        f"geoseg:{name}" for name in ("fetchosm", "burnlabels", "planchips", "trainmodel",
                                      "predict", "classify", "polygonize")}


def test_its_dialog_begins_with_the_image(model):
    asked = [item.name() for item in model.parameterDefinitions() if not item.isDestination()]
    assert asked == ["IMAGE", "AREA", "RECIPE", "EXTRACT", "STEPS", "SETTINGS"]


def test_it_offers_every_shipped_recipe(model):
    """If not: run scripts/make_model.py."""
    from geoseg_qgis.paths import shipped_recipes

    assert model.parameterDefinition("RECIPE").options() == shipped_recipes()
