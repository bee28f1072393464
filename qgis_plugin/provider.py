"""The provider: the algorithms as one entry of the Processing toolbox."""

from qgis.core import QgsProcessingModelAlgorithm, QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from .algorithm import PROVIDER
from .algorithms import ALGORITHMS
from .paths import icon, models, version


class GeosegProvider(QgsProcessingProvider):
    """All algorithms of geoseg."""

    def id(self):
        """Return the name in front of every algorithm's; never changed."""
        return PROVIDER

    def name(self):
        """Return the title in the toolbox."""
        return "geoseg"

    def longName(self):
        """Return the title with the version."""
        return f"geoseg {version()}"

    def versionInfo(self):
        """Return the version."""
        return version()

    def icon(self):
        """Return the icon."""
        return QIcon(self.svgIconPath())

    def svgIconPath(self):
        """Return the path of the icon."""
        return icon("geoseg")

    def loadAlgorithms(self):
        """Register the algorithms, and the models made of them."""
        for algorithm in ALGORITHMS:
            self.addAlgorithm(algorithm())
        for path in models():
            model = QgsProcessingModelAlgorithm()
            if model.fromFile(str(path)):
                self.addAlgorithm(model)

    def supportsNonFileBasedOutput(self):
        """Return False: the engine is another process, so results go through files."""
        return False

    def defaultVectorFileExtension(self, hasGeometry=True):
        """Return the ending of temporary vector layers."""
        return "gpkg"

    def defaultRasterFileExtension(self):
        """Return the ending of temporary rasters."""
        return "tif"

    def supportedOutputRasterLayerExtensions(self):
        """Return the endings of rasters that can be written."""
        return ["tif"]

    def supportedOutputVectorLayerExtensions(self):
        """Return the endings of vector files that can be written."""
        return ["gpkg", "fgb", "geojson"]
