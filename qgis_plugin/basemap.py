"""Exporting a part of a base map to a file, drawn by QGIS itself."""

from pathlib import Path

from qgis.core import (
    QgsApplication,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProject,
)


class BaseMapExport:
    """One export: `prepare` belongs to the main thread, `run` to the algorithm's own."""

    def __init__(self, layer, extent, resolution):
        """Draw `extent`, in the layer's CRS, with `resolution` map units per pixel."""
        self._name = layer.name()
        self._algorithm = QgsApplication.processingRegistry().createAlgorithmById(
            "native:rasterize")
        self._project = QgsProject()
        self._project.setCrs(layer.crs())
        self._context = QgsProcessingContext()
        self._context.setProject(self._project)
        self._values = {
            "EXTENT": extent, "EXTENT_BUFFER": 0, "TILE_SIZE": 1024,
            "MAP_UNITS_PER_PIXEL": resolution, "MAKE_BACKGROUND_TRANSPARENT": False,
            "LAYERS": [layer],
        }

    def prepare(self, feedback):
        """Hand the layer over to the drawing."""
        if not self._algorithm.prepare(self._values, self._context, feedback):
            raise QgsProcessingException(f"{self._name}: QGIS cannot draw this layer into a file.")

    def run(self, path, feedback):
        """Draw into a GeoTIFF; return its path."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        feedback.pushInfo(f"Drawing {self._name} into {path}")
        values = {**self._values, "OUTPUT": str(path)}
        found = self._algorithm.runPrepared(values, self._context, feedback)
        return found["OUTPUT"]
