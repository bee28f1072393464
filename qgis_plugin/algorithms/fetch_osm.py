"""Fetch OSM."""

from .. import outputs, parameters
from ..algorithm import LABELS, Verb
from ..recipes import recipe_parameters

EXTRACT = "OpenStreetMap extracts (*.pbf *.osm)"


class FetchOsm(Verb):
    """OpenStreetMap features of an area, each with its class."""

    ID, TITLE, TASK, GROUP = "fetchosm", "Fetch OSM", "fetch_osm", LABELS
    TAGS = ("OpenStreetMap", "Overpass", "download", "vector")
    SUMMARY = "Fetches the OpenStreetMap features that the recipe names, each with its class."
    NOTES = ("<p>Give the area as an extent or as polygons. Data is © OpenStreetMap contributors, "
             "ODbL 1.0; what you make of it must say so.</p>")

    def parameters(self):
        return [
            parameters.extent("EXTENT", "Area", "aoi", "Draw it, or take that of a layer or of "
                              "the map. Example: <code>8.40,8.45,49.90,49.93 [EPSG:4326]</code>"),
            parameters.features("AREA", "Area as polygons", "aoi", "Polygons instead of an "
                                "extent, in any CRS. Example: a district.", parameters.POLYGONS),
            *recipe_parameters(),
            parameters.file("FILE", "Local extract", "file", "Read this file instead of asking "
                            "a server. Example: <code>hessen-latest.osm.pbf</code>", EXTRACT,
                            optional=True),
            *parameters.overpass(),
        ]

    def outputs(self):
        return [outputs.file("OUTPUT", "OSM features", "A GeoPackage with the layers polygons, "
                             "lines and points.", "GeoPackage (*.gpkg)")]

    def results(self):
        return [outputs.vector_layer("POINTS", "OSM points", "points"),
                outputs.vector_layer("LINES", "OSM lines", "lines"),
                outputs.vector_layer("POLYGONS", "OSM polygons", "polygons"),
                outputs.number("FEATURES", "Number of features", "features")]
