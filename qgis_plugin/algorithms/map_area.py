"""Map an area: the whole chain in one dialog."""

from pathlib import Path

from qgis.core import QgsProcessingException

from .. import inputs, outputs, parameters
from ..algorithm import Verb
from ..basemap import BaseMapExport
from ..recipes import device, recipe_parameters

BASE_MAP_FILE = "basemap.tif"
_NEEDS_EXTENT = ("{name} is a base map. To export it, give the area as an extent beside the "
                 "resolution for base maps.")


class MapArea(Verb):
    """From an image to a scored map."""

    ID, TITLE, TASK, ICON = "maparea", "Map an area", "run", "whole"
    TAGS = ("workflow", "chain", "land cover", "buildings", "water", "OpenStreetMap")
    SUMMARY = "Makes a scored map of an image: labels, training, prediction, polygons, report."
    NOTES = ("<p>Started again with the same folder, it keeps what is finished and goes on with "
             "the rest, also after a cancel.</p>")

    def parameters(self):
        return [
            parameters.Parameter(
                parameters.raster("IMAGE", "Image", None, "").definition, "image", self._image,
                "The scene to learn from and to map. Example: <code>ortho.tif</code>",
                self._why_not_image),
            parameters.extent("EXTENT", "Area", "aoi", "Learn only inside; by default the whole "
                              "image. Draw it, or take that of a layer or of the map. Example: "
                              "<code>8.40,8.45,49.90,49.93 [EPSG:4326]</code>"),
            parameters.features("AREA", "Area as polygons", "aoi", "Polygons instead of an "
                                "extent. Example: the districts where OpenStreetMap is complete.",
                                parameters.POLYGONS),
            *recipe_parameters(),
            parameters.file("OSM", "OpenStreetMap data at hand", "osm", "By default it is fetched "
                            "from a server. Example: <code>hessen-latest.osm.pbf</code> or "
                            "<code>osm.gpkg</code>",
                            "OpenStreetMap data (*.pbf *.osm *.gpkg)", optional=True),
            parameters.layers("LABELS", "Labels instead", "labels", "Vector layers or land-cover "
                              "rasters to learn from instead of OpenStreetMap. Example: an older "
                              "land-cover map."),
            parameters.number("STEPS", "Training steps", ("recipe", "settings", "train.steps"),
                              "By default the recipe's. Example: <code>600</code>", None, 1,
                              whole=True),
            parameters.number("BASE_MAP_RESOLUTION", "Resolution for base maps", None,
                              "If the image is a base map from a server, it is drawn over the area "
                              "into a file, with this many map units per pixel. In Web Mercator, "
                              "zoom 18 is <code>0.597</code>, zoom 20 <code>0.149</code>. Check "
                              "that the map's terms allow it.", None, 0.0).rare(),
            parameters.flag("SHOW", "Add the results to the map", None, "Put class map, polygons, "
                            "coastline and chips onto the map.", True).rare(),
            device(),
        ]

    def outputs(self):
        return [outputs.folder("OUTPUT", "Folder", "Gets all products and what is needed to go "
                               "on.")]

    def results(self):
        return [outputs.vector_layer("COASTLINE", "Coastline", "coastline"),
                outputs.vector_layer("POLYGONS", "Polygons", "polygons"),
                outputs.vector_layer("CHIPS", "Chips", "chips", hidden=True),
                outputs.raster_layer("CLASSES", "Class map", "classes"),
                outputs.raster_layer("PROBABILITIES", "Probabilities", "probabilities",
                                     hidden=True),
                outputs.raster_layer("LABELS_BURNT", "Labels", "labels", hidden=True),
                outputs.other_file("MODEL", "Model", "model"),
                outputs.other_file("REPORT", "Report", "report"),
                outputs.other_file("OVERVIEW", "Overview", "overview"),
                outputs.number("MEAN_IOU", "Mean IoU", "mean_iou"),
                outputs.number("ACCURACY", "Accuracy", "accuracy")]

    def shows(self, values, context):
        """Return whether the user wants the results on the map."""
        return self.parameterAsBool(values, "SHOW", context)

    def run_name(self, values, context):
        """Name the group after the folder."""
        return f"geoseg: {Path(self.parameterAsFileOutput(values, 'OUTPUT', context)).name}"

    def prepareAlgorithm(self, values, context, feedback):
        """Hand a base map over to the drawing, too."""
        layer, self._export = self.parameterAsRasterLayer(values, "IMAGE", context), None
        if inputs.is_base_map(layer):
            extent = self.parameterAsExtent(values, "EXTENT", context, layer.crs())
            resolution = self.parameterAsDouble(values, "BASE_MAP_RESOLUTION", context)
            self._export = BaseMapExport(layer, extent, resolution)
            self._export.prepare(feedback)
        return super().prepareAlgorithm(values, context, feedback)

    def work(self, arguments, context, feedback):
        """Draw a base map into a file first."""
        if self._export is not None:
            path = Path(arguments["out"]) / BASE_MAP_FILE
            if not path.exists() or arguments.get("overwrite"):
                self._export.run(path, feedback)
            if feedback.isCanceled():
                return None
            arguments = {**arguments, "image": str(path)}
        return super().work(arguments, context, feedback)

    def _image(self, algorithm, values, context):
        layer = self.parameterAsRasterLayer(values, "IMAGE", context)
        if layer is None:
            raise QgsProcessingException("The image could not be read.")
        return None if inputs.is_base_map(layer) else inputs.raster_path(layer)

    def _why_not_image(self, algorithm, values, context):
        layer = self.parameterAsRasterLayer(values, "IMAGE", context)
        if values.get("BASE_MAP_RESOLUTION") is None:
            return inputs.why_not_raster(layer)
        if inputs.is_base_map(layer) and not values.get("EXTENT"):
            return _NEEDS_EXTENT.format(name=layer.name())
        return None
