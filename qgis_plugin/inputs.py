"""From what the user chose in QGIS to what the engine can open: files.

Called in the main thread, before the work starts, since layers belong to it.
"""

from pathlib import Path

from qgis.core import (
    QgsMapLayerType,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingUtils,
    QgsProviderRegistry,
)

FORMATS = ["gpkg", "shp", "geojson", "json", "fgb", "parquet", "kml", "gml", "osm", "pbf"]
"""Vector files that the engine reads as they are; anything else is handed over as a GeoPackage."""

BASE_MAP = ("{name} is a base map from a server, not a file with the image's own values. Export "
            "the part that you need to a GeoTIFF first: with \"Convert map to raster\" in the "
            "toolbox, or let \"Map an area\" do it by giving a resolution for base maps.")


_SILENT = QgsProcessingFeedback(False)
"""QGIS 3.22 crashes where it is given no feedback to report to."""


def raster_path(layer):
    """Return the file of a raster layer."""
    parts = QgsProviderRegistry.instance().decodeUri("gdal", layer.source())
    return parts.get("path") or layer.source()


def is_base_map(layer):
    """Return whether a layer is drawn by a server: WMS, WMTS, XYZ tiles and the like."""
    return layer is not None and layer.providerType() != "gdal"


def why_not_raster(layer):
    """Return why a raster layer cannot be given to the engine, or None; no layer is no reason."""
    if layer is None:
        return None
    if layer.type() == QgsMapLayerType.RasterLayer and is_base_map(layer):
        return BASE_MAP.format(name=layer.name())
    return None


def why_not_layer(layer):
    """Return why a layer of either kind cannot be given to the engine, or None."""
    if layer.type() == QgsMapLayerType.RasterLayer:
        return why_not_raster(layer)
    if layer.type() != QgsMapLayerType.VectorLayer:
        return f"{layer.name()} is neither a vector nor a raster layer. Remove it from the list."
    return None


def layer_source(layer, context):
    """Return the file of a vector or raster layer, with QGIS' `|layername=` where needed."""
    if layer.type() == QgsMapLayerType.RasterLayer:
        return raster_path(layer)
    return _joined(*QgsProcessingUtils.convertToCompatibleFormatAndLayerName(
        layer, False, layer.name() or "source", FORMATS, "gpkg", context, _SILENT))


def feature_source(algorithm, values, name, context):
    """Return the file of a chosen vector layer; filter and selection are applied first."""
    if not values.get(name):
        return None
    return _joined(*algorithm.parameterAsCompatibleSourceLayerPathAndLayerName(
        values, name, context, FORMATS, "gpkg", _SILENT))


def vector_file(layer):
    """Return the file of a vector layer as it is on disk."""
    return QgsProviderRegistry.instance().decodeUri("ogr", layer.source()).get("path", "")


def why_not_file(layer):
    """Return why a layer is not simply a file, or None; no layer is no reason."""
    if layer is None or (layer.providerType() == "ogr" and Path(vector_file(layer)).is_file()):
        return None
    return (f"{layer.name()} is not a file on disk. Choose the GeoPackage that \"Plan chips\" "
            "made.")


def _joined(path, layer_name):
    if not path:
        raise QgsProcessingException("A chosen layer could not be read. Check that its file "
                                     "exists.")
    return f"{path}|layername={layer_name}" if layer_name else path
