"""What an algorithm gives back: files and layers to write, further layers, numbers.

Each function makes one `Output` or `Result`. An `Output` is chosen by the user in the dialog; a
`Result` comes from the engine's answer.
"""

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingOutputFile,
    QgsProcessingOutputHtml,
    QgsProcessingOutputMultipleLayers,
    QgsProcessingOutputNumber,
    QgsProcessingOutputRasterLayer,
    QgsProcessingOutputString,
    QgsProcessingOutputVectorLayer,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterVectorDestination,
)

POLYGONS = QgsProcessing.SourceType.TypeVectorPolygon
LINES = QgsProcessing.SourceType.TypeVectorLine
ANY_VECTOR = QgsProcessing.SourceType.TypeVectorAnyGeometry


class Output:
    """A file, layer or folder whose place the user chooses."""

    def __init__(self, definition, argument, text, read):
        self.definition = definition
        self.argument = argument
        """Name of the verb's argument that takes the path."""
        self.text = text
        """What is written, shown as tool tip and in the help."""
        self.read = read
        """(algorithm, values, context) to the path, empty if the user does not want it."""
        self.is_page = isinstance(definition.toOutputDefinition(), QgsProcessingOutputHtml)
        """Whether it is a page for the browser."""
        definition.setHelp(text)

    @property
    def name(self):
        """The output's name in models and on the command line."""
        return self.definition.name()


class Result:
    """A value of the engine's answer that models and scripts can go on with."""

    def __init__(self, definition, section, key, layer=False, hidden=False):
        self.definition = definition
        self.section, self.key = section, key
        self.is_layer = layer
        """Whether it is a layer that is put on the map."""
        self.is_page = isinstance(definition, QgsProcessingOutputHtml)
        """Whether it is a page for the browser."""
        self.hidden = hidden
        """Whether it is switched off there."""

    @property
    def name(self):
        """The result's name in models and on the command line."""
        return self.definition.name()

    def find(self, answer):
        """Return the value in the engine's answer, or None."""
        value = answer.get(self.section) or {}
        return value.get(self.key) if self.key else value

    def layers(self, answer):
        """Return the source and the title of each layer that is put on the map."""
        title = (answer.get("titles") or {}).get(self.key, self.definition.description())
        return [(self.find(answer), title)] if self.is_layer else []


class FurtherLayers(Result):
    """Layers of which there may be any number: `key_2`, `key_3` and so on in the answer."""

    def find(self, answer):
        """Return their sources, or None if there are none."""
        return [source for source, _ in self.layers(answer)] or None

    def layers(self, answer):
        """Return the source and the title of each layer that is put on the map."""
        titles = answer.get("titles") or {}
        return [(source, titles.get(key, self.definition.description()))
                for key, source in answer[self.section].items() if key.startswith(f"{self.key}_")]


def _layer_path(algorithm, values, name, context):
    return algorithm.parameterAsOutputLayer(values, name, context)


def _file_path(algorithm, values, name, context):
    return algorithm.parameterAsFileOutput(values, name, context)


def _reading(read, name):
    return lambda algorithm, values, context: read(algorithm, values, name, context)


def raster(name, title, text, argument="out", optional=False):
    """Write a raster layer."""
    definition = QgsProcessingParameterRasterDestination(name, title, optional=optional,
                                                         createByDefault=not optional)
    return Output(definition, argument, text, _reading(_layer_path, name))


def vector(name, title, text, kind=POLYGONS, argument="out", optional=False):
    """Write a vector layer."""
    definition = QgsProcessingParameterVectorDestination(name, title, kind, optional=optional,
                                                         createByDefault=not optional)
    return Output(definition, argument, text, _reading(_layer_path, name))


def file(name, title, text, pattern, argument="out", optional=False):
    """Write a file; `pattern` is a filter such as "Models (*.safetensors)"."""
    definition = QgsProcessingParameterFileDestination(name, title, pattern, optional=optional,
                                                       createByDefault=not optional)
    return Output(definition, argument, text, _reading(_file_path, name))


def folder(name, title, text, argument="out"):
    """Write a folder."""
    definition = QgsProcessingParameterFolderDestination(name, title)
    return Output(definition, argument, text, _reading(_file_path, name))


def number(name, title, key):
    """Give a number."""
    return Result(QgsProcessingOutputNumber(name, title), "numbers", key)


def sentence(name, title):
    """Give the engine's answer as text."""
    return Result(QgsProcessingOutputString(name, title), "text", None)


def other_file(name, title, key):
    """Give a file that lies beside the chosen output."""
    make = QgsProcessingOutputHtml if key == "report" else QgsProcessingOutputFile
    return Result(make(name, title), "files", key)


def raster_layer(name, title, key, hidden=False):
    """Give a raster layer whose place the user does not choose."""
    return Result(QgsProcessingOutputRasterLayer(name, title), "files", key, True, hidden)


def vector_layer(name, title, key, hidden=False):
    """Give a vector layer whose place the user does not choose."""
    return Result(QgsProcessingOutputVectorLayer(name, title), "files", key, True, hidden)


def further_layers(name, title, key):
    """Give further vector layers like that of the key; they are switched off on the map."""
    return FurtherLayers(QgsProcessingOutputMultipleLayers(name, title), "files", key, True, True)


def unsupported(output, values):
    """Return why a chosen output cannot be written, or None.

    The base class lets any ending pass.
    """
    chosen = values.get(output.name)
    if chosen is None:
        return None
    # Not in the dialog's own context: QGIS 3.22 would note the layer there, and load it even after
    # a failure.
    fine, reason = output.definition.isSupportedOutputValue(chosen, QgsProcessingContext())
    return None if fine else reason
