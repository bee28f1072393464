"""Parameters of the algorithms: a Processing definition, and how its value becomes an argument.

Each function makes one kind of parameter. A `Parameter` knows the name of the verb's argument that
it fills, so an algorithm is little more than a list of them.
"""

from qgis.core import (
    NULL,
    QgsCoordinateReferenceSystem,
    QgsProcessing,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFile,
    QgsProcessingParameterMatrix,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsProcessingParameterVectorLayer,
)

from . import inputs

RASTER = QgsProcessing.SourceType.TypeRaster
LINES = QgsProcessing.SourceType.TypeVectorLine
POLYGONS = QgsProcessing.SourceType.TypeVectorPolygon
ANY_VECTOR = QgsProcessing.SourceType.TypeVectorAnyGeometry
ANY_MAP = QgsProcessing.SourceType.TypeMapLayer
_DEGREES = QgsCoordinateReferenceSystem("EPSG:4326")


class Parameter:
    """A parameter in the dialog, and the argument of the verb that it fills."""

    def __init__(self, definition, argument, read, text, check=None):
        self.definition = definition
        self.argument = argument
        """Name of the argument; None if the algorithm itself reads the parameter."""
        self.read = read
        """(algorithm, values, context) to the argument's value; None leaves the argument out."""
        self.check = check
        """(algorithm, values, context) to a sentence if the value cannot be used, else None."""
        self.text = text
        """What the parameter means, with an example; shown as its tool tip and in the help."""
        definition.setHelp(text)

    @property
    def name(self):
        """The parameter's name in models and on the command line."""
        return self.definition.name()

    def rare(self):
        """Put the parameter among the advanced ones and return it."""
        advanced = QgsProcessingParameterDefinition.Flag.FlagAdvanced
        self.definition.setFlags(self.definition.flags() | advanced)
        return self


def raster(name, title, argument, text, optional=False):
    """Ask for one raster that lies in a file."""
    def read(algorithm, values, context):
        layer = algorithm.parameterAsRasterLayer(values, name, context)
        return None if layer is None else inputs.raster_path(layer)

    def check(algorithm, values, context):
        return inputs.why_not_raster(algorithm.parameterAsRasterLayer(values, name, context))

    definition = QgsProcessingParameterRasterLayer(name, title, optional=optional)
    return Parameter(definition, argument, read, text, check)


def layers(name, title, argument, text, kind=ANY_MAP, optional=True):
    """Ask for any number of layers; filters and layers in memory count as they are shown."""
    def read(algorithm, values, context):
        chosen = algorithm.parameterAsLayerList(values, name, context)
        return [inputs.layer_source(layer, context) for layer in chosen] or None

    def check(algorithm, values, context):
        chosen = algorithm.parameterAsLayerList(values, name, context)
        return next(filter(None, map(inputs.why_not_layer, chosen)), None)

    definition = QgsProcessingParameterMultipleLayers(name, title, kind, optional=optional)
    return Parameter(definition, argument, read, text, check)


def features(name, title, argument, text, kind=ANY_VECTOR, optional=True):
    """Ask for one vector layer, or its selected features."""
    def read(algorithm, values, context):
        return inputs.feature_source(algorithm, values, name, context)

    definition = QgsProcessingParameterFeatureSource(name, title, [kind], optional=optional)
    return Parameter(definition, argument, read, text)


def field(name, title, argument, text, layer):
    """Ask for an attribute of the layer that the parameter of this name asks for."""
    def read(algorithm, values, context):
        return algorithm.parameterAsString(values, name, context) or None

    definition = QgsProcessingParameterField(name, title, parentLayerParameterName=layer,
                                             optional=True)
    return Parameter(definition, argument, read, text)


def chip_plan(name="CHIPS", title="Chip plan", argument="chips"):
    """Ask for a chip plan, which must be the file itself, since its paths are relative to it."""
    def read(algorithm, values, context):
        return inputs.vector_file(algorithm.parameterAsVectorLayer(values, name, context))

    def check(algorithm, values, context):
        return inputs.why_not_file(algorithm.parameterAsVectorLayer(values, name, context))

    return Parameter(QgsProcessingParameterVectorLayer(name, title, [POLYGONS]), argument, read,
                     "The layer made by <i>Plan chips</i>. Example: <code>chips.gpkg</code>", check)


def extent(name, title, argument, text):
    """Ask for an extent, drawn on the map or that of a layer; it becomes degrees."""
    def read(algorithm, values, context):
        if not values.get(name):
            return None
        box = algorithm.parameterAsExtent(values, name, context, _DEGREES)
        if box.isNull():
            return None
        sides = (box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum())
        return ",".join(f"{side:.8f}" for side in sides)

    return Parameter(QgsProcessingParameterExtent(name, title, optional=True), argument, read, text)


def area(argument, text):
    """Ask for an area: by an extent, or by polygons, not by both."""
    box = extent("EXTENT", "Area", argument, f"{text} Draw it, or take that of a layer or of the "
                 "map. Example: <code>8.40,8.45,49.90,49.93 [EPSG:4326]</code>")
    shapes = features("AREA", "Area as polygons", argument, "Polygons instead of an extent, in "
                      "any CRS. Example: a district.", POLYGONS)

    def check(algorithm, values, context):
        both = values.get("EXTENT") and values.get("AREA")
        return "Give the area as an extent or as polygons, not both." if both else None

    shapes.check = check
    return [box, shapes]


def overpass():
    """Ask how OpenStreetMap's server is used."""
    return [
        string("ENDPOINT", "Overpass server", "endpoint", "Address of the server. Example: "
               "<code>https://overpass-api.de/api</code>", "https://overpass-api.de/api").rare(),
        folder("CACHE", "Folder for replies", "cache", "Replies of the server are kept here and "
               "looked up. Example: <code>~/osm-cache</code>").rare(),
        number("MAX_AREA", "Largest area to download (km²)", "max_area_km2", "A larger area is "
               "refused before anything is downloaded. Example: <code>2500</code>", 2500.0,
               0.0).rare(),
    ]


def file(name, title, argument, text, pattern, optional=False):
    """Ask for a file that exists; `pattern` is a filter such as "Models (*.safetensors)"."""
    def read(algorithm, values, context):
        return algorithm.parameterAsFile(values, name, context) or None

    definition = QgsProcessingParameterFile(name, title, optional=optional, fileFilter=pattern)
    return Parameter(definition, argument, read, text)


def files(name, title, argument, text):
    """Ask for any number of files."""
    def read(algorithm, values, context):
        # None chosen comes as one empty name.
        return [*filter(None, algorithm.parameterAsFileList(values, name, context))] or None

    kind = QgsProcessing.SourceType.TypeFile
    definition = QgsProcessingParameterMultipleLayers(name, title, kind, optional=True)
    return Parameter(definition, argument, read, text)


def folder(name, title, argument, text):
    """Ask for a folder."""
    def read(algorithm, values, context):
        return algorithm.parameterAsFile(values, name, context) or None

    behavior = QgsProcessingParameterFile.Behavior.Folder
    definition = QgsProcessingParameterFile(name, title, behavior, optional=True)
    return Parameter(definition, argument, read, text)


def number(name, title, argument, text, default=None, low=None, high=None, whole=False):
    """Ask for a number; without a default it may be left empty."""
    def read(algorithm, values, context):
        if values.get(name) is None and default is None:
            return None
        as_number = algorithm.parameterAsInt if whole else algorithm.parameterAsDouble
        return as_number(values, name, context)

    kind = QgsProcessingParameterNumber.Type
    definition = QgsProcessingParameterNumber(name, title, kind.Integer if whole else kind.Double,
                                              default, optional=default is None)
    if low is not None:
        definition.setMinimum(low)
    if high is not None:
        definition.setMaximum(high)
    return Parameter(definition, argument, read, text)


def flag(name, title, argument, text, default=False):
    """Ask for a yes or no; a no leaves the argument out, and with it the verb's own default."""
    def read(algorithm, values, context):
        return algorithm.parameterAsBool(values, name, context) or None

    return Parameter(QgsProcessingParameterBoolean(name, title, default), argument, read, text)


def choice(name, title, argument, text, options, default, optional=False):
    """Ask for one of several words, which models and scripts use as they are."""
    def read(algorithm, values, context):
        return algorithm.parameterAsEnumString(values, name, context) or None

    definition = QgsProcessingParameterEnum(name, title, options, defaultValue=default,
                                            optional=optional, usesStaticStrings=True)
    return Parameter(definition, argument, read, text)


def string(name, title, argument, text, default=None, parse=str, optional=True):
    """Ask for a line of text; `parse` turns it into the argument and may raise ValueError."""
    def read(algorithm, values, context):
        text = algorithm.parameterAsString(values, name, context).strip()
        return parse(text) if text else None

    def check(algorithm, values, context):
        try:
            read(algorithm, values, context)
        except ValueError as error:
            return f"{title}: {error}"
        return None

    definition = QgsProcessingParameterString(name, title, default, optional=optional)
    return Parameter(definition, argument, read, text, check)


def table(name, title, argument, text, headers):
    """Ask for a table of texts; it becomes a list of rows."""
    def read(algorithm, values, context):
        if not values.get(name):
            return None
        # An empty table comes as one cell with nothing, an empty text or QGIS' own NULL in it.
        cells = ["" if cell is None or cell == NULL else str(cell)
                 for cell in algorithm.parameterAsMatrix(values, name, context)]
        rows = [cells[at:at + len(headers)] for at in range(0, len(cells), len(headers))]
        return [row for row in rows if any(cell.strip() for cell in row)] or None

    definition = QgsProcessingParameterMatrix(name, title, 0, False, headers, optional=True)
    return Parameter(definition, argument, read, text)
