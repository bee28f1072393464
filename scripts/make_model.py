"""Write the example model of the QGIS plugin: from an area to polygons, one box per step.

Run with the Python that has QGIS, after `package_plugin.py link`; on Debian
`QT_QPA_PLATFORM=offscreen /usr/bin/python3 scripts/make_model.py build/plugins`.
"""

import sys
from pathlib import Path

from qgis.core import (
    QgsApplication,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterEnum,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFile,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)
from qgis.PyQt.QtCore import QPointF

ROOT = Path(__file__).resolve().parents[1]
MODEL = ROOT / "qgis_plugin" / "models" / "image_to_polygons.model3"

STEPS = (
    ("fetch", "fetchosm", "Fetch OSM", {"EXTENT": "AREA", "RECIPE": "RECIPE", "FILE": "EXTRACT"},
     {}, None),
    ("burn", "burnlabels", "Burn labels",
     {"IMAGE": "IMAGE", "RECIPE": "RECIPE", "EXTENT": "AREA", "SETTINGS": "SETTINGS"},
     {"OSM": ("fetch", "OUTPUT")}, ("LABELS", "Labels")),
    ("plan", "planchips", "Plan chips",
     {"IMAGE": "IMAGE", "RECIPE": "RECIPE", "SETTINGS": "SETTINGS"},
     {"LABELS": ("burn", "OUTPUT")}, ("CHIPS", "Chips")),
    ("train", "trainmodel", "Train model",
     {"RECIPE": "RECIPE", "STEPS": "STEPS", "SETTINGS": "SETTINGS"},
     {"CHIPS": ("plan", "OUTPUT")}, ("MODEL", "Model")),
    ("predict", "predict", "Predict", {"IMAGE": "IMAGE"},
     {"MODEL": ("train", "OUTPUT")}, ("PROBABILITIES", "Probabilities")),
    ("classify", "classify", "Classify", {}, {"PROBABILITIES": ("predict", "OUTPUT")},
     ("CLASSES", "Class map")),
    ("polygonize", "polygonize", "Polygonize", {},
     {"CLASSES": ("classify", "OUTPUT"), "PROBABILITIES": ("predict", "OUTPUT")},
     ("POLYGONS", "Polygons")),
)
"""Name, algorithm, title, parameters from the model's inputs, from other steps, and
(name, title) of what the model gives of it."""


def inputs(recipes):
    """Return the model's own parameters."""
    integer = QgsProcessingParameterNumber.Type.Integer
    return [
        QgsProcessingParameterRasterLayer("IMAGE", "Image"),
        QgsProcessingParameterExtent("AREA", "Area"),
        QgsProcessingParameterEnum("RECIPE", "Recipe", recipes, defaultValue="landcover-osm",
                                   usesStaticStrings=True),
        QgsProcessingParameterFile("EXTRACT", "Local OpenStreetMap extract", optional=True,
                                   fileFilter="OpenStreetMap extracts (*.pbf *.osm)"),
        QgsProcessingParameterNumber("STEPS", "Training steps", integer, None, optional=True,
                                     minValue=1),
        QgsProcessingParameterString("SETTINGS", "Further settings", optional=True),
    ]


def build(recipes):
    """Return the model."""
    model = QgsProcessingModelAlgorithm("Image to polygons", "All at once", "whole")
    model.setHelpContent({
        "ALG_DESC": "Labels from OpenStreetMap, chips, training, prediction and polygons, each as "
                    "a box of its own. Open it in the Model Designer and make it yours."})
    for row, definition in enumerate(inputs(recipes)):
        place = QgsProcessingModelParameter(definition.name())
        place.setPosition(QPointF(120.0, 100.0 + 110.0 * row))
        model.addModelParameter(definition, place)
    model.setParameterOrder([definition.name() for definition in inputs(recipes)])
    for row, step in enumerate(STEPS):
        model.addChildAlgorithm(_child(row, *step))
    return model


def _child(row, name, algorithm, title, own, others, written):
    child = QgsProcessingModelChildAlgorithm(f"geoseg:{algorithm}")
    child.setChildId(name)
    child.setDescription(title)
    child.setPosition(QPointF(430.0 + 20.0 * row, 100.0 + 110.0 * row))
    source = QgsProcessingModelChildParameterSource
    # Without a value of its own, the Designer takes a parameter with a default for forgotten.
    for definition in child.algorithm().parameterDefinitions():
        if not definition.isDestination() and definition.defaultValue() is not None:
            value = source.fromStaticValue(definition.defaultValue())
            child.addParameterSources(definition.name(), [value])
    for parameter, value in own.items():
        child.addParameterSources(parameter, [source.fromModelParameter(value)])
    for parameter, (step, output) in others.items():
        child.addParameterSources(parameter, [source.fromChildOutput(step, output)])
    if written:
        child.setModelOutputs({written[0]: _output(row, name, *written)})
    return child


def _output(row, child, name, title):
    made = QgsProcessingModelOutput(name, title)
    made.setChildId(child)
    made.setChildOutputName("OUTPUT")
    made.setPosition(QPointF(720.0 + 20.0 * row, 130.0 + 110.0 * row))
    return made


def main():
    """Write the model into the plugin's folder."""
    recipes = sorted(path.stem for path in (ROOT / "geoseg" / "recipes").glob("*.toml"))
    QgsApplication.setPrefixPath("/usr", True)
    application = QgsApplication([], False)
    application.initQgis()
    sys.path[:0] = ["/usr/share/qgis/python", "/usr/share/qgis/python/plugins",
                    *sys.argv[1:]]
    from geoseg_qgis.provider import GeosegProvider

    provider = GeosegProvider()
    QgsApplication.processingRegistry().addProvider(provider)
    MODEL.parent.mkdir(exist_ok=True)
    if not build(recipes).toFile(str(MODEL)):
        sys.exit(f"{MODEL} could not be written")
    print(MODEL)
    application.exitQgis()


if __name__ == "__main__":
    main()
