"""Polygonize."""

from .. import outputs, parameters
from ..algorithm import MAPPING, Verb
from ..recipes import names


class Polygonize(Verb):
    """Polygons from a class map."""

    ID, TITLE, TASK, GROUP = "polygonize", "Polygonize", "polygonize", MAPPING
    TAGS = ("vectorize", "polygons", "simplify", "topology")
    SUMMARY = "Turns a class map into polygons that share their edges, without gaps or overlaps."

    def parameters(self):
        return [
            parameters.raster("CLASSES", "Class map", "classes", "Made by <i>Classify</i>. "
                              "Example: <code>classes.tif</code>"),
            parameters.number("SIMPLIFY", "Simplify (m)", "simplify", "Tolerance; neighbours keep "
                              "their common edges. Example: <code>0.5</code>", 0.0, 0.0),
            parameters.number("MIN_AREA", "Least area (m²)", "min_area", "Smaller patches are "
                              "merged into their largest neighbour. Example: <code>20</code>",
                              0.0, 0.0),
            parameters.string("ONLY", "Only these classes", "only", "Names, separated by commas; "
                              "by default all. Example: <code>building, road</code>", parse=names),
            parameters.raster("PROBABILITIES", "Probabilities", "proba", "For the mean confidence "
                              "of each polygon. Example: <code>probabilities.tif</code>",
                              optional=True),
        ]

    def outputs(self):
        return [outputs.vector("OUTPUT", "Polygons", "With class, area in m² and confidence.")]

    def results(self):
        return [outputs.number("FEATURES", "Number of polygons", "features"),
                outputs.number("AREA", "Area in m²", "area_m2")]
