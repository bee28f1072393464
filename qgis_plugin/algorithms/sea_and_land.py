"""Sea and land from OSM."""

from .. import outputs, parameters
from ..algorithm import COAST, Verb

OSM_DATA = "OpenStreetMap data (*.pbf *.osm *.gpkg)"


class SeaAndLand(Verb):
    """An area in polygons of sea and land, as labels."""

    ID, TITLE, TASK, GROUP = "seaandland", "Sea and land from OSM", "split_sea_land", COAST
    TAGS = ("coastline", "OpenStreetMap", "Overpass", "water", "labels", "land polygons")
    SUMMARY = "Splits an area into polygons of sea and of land, to train a model on the two."
    NOTES = ("<p>By default OpenStreetMap's coastline is fetched from a server; lines or polygons "
             "of your own serve as well. <i>Burn labels</i> goes on with the result. "
             "OpenStreetMap's data is © OpenStreetMap contributors, ODbL 1.0; what you make of it "
             "must say so.</p>")

    def parameters(self):
        return [
            *parameters.area("area", "What is split; let it reach a little beyond the image."),
            parameters.file("FILE", "OpenStreetMap data at hand", "coastline", "Read this file "
                            "instead of asking a server. Example: "
                            "<code>finland-latest.osm.pbf</code>", OSM_DATA, optional=True),
            parameters.features("COASTLINE", "Coastline of your own", "coastline", "Lines or "
                                "polygons instead of OpenStreetMap's coastline. Example: a "
                                "surveyed coastline."),
            parameters.choice("POLYGONS_ARE", "Polygons are", "polygons_are", "Needed if the "
                              "coastline of your own is polygons.", ["sea", "land"], None,
                              optional=True),
            parameters.choice("LAND", "Land lies on the", "land", "Side of the lines, along their "
                              "direction; <code>left</code> in OpenStreetMap.", ["left", "right"],
                              "left").rare(),
            parameters.number("MAX_GAP", "Longest gap to bridge (m)", "max_gap", "Gaps up to this "
                              "length, to the next line or to the area's edge, are bridged by a "
                              "straight line. Example: <code>2</code>", 0.0, 0.0).rare(),
            parameters.string("SEA_CLASS", "Class of the sea", "sea_class", "As the recipe calls "
                              "it. Example: <code>water</code>", "sea", optional=False).rare(),
            parameters.string("LAND_CLASS", "Class of the land", "land_class", "As the recipe "
                              "calls it. Example: <code>land</code>", "land",
                              optional=False).rare(),
            *parameters.overpass(),
        ]

    def outputs(self):
        return [outputs.vector("OUTPUT", "Sea and land", "Polygons with side, class and area that "
                               "cover the area without gap or overlap.")]

    def results(self):
        return [outputs.number("FEATURES", "Number of polygons", "features")]

    def contradiction(self, values, context):
        """Refuse what the engine cannot tell apart: no area, and two coastlines."""
        if not values.get("EXTENT") and not values.get("AREA"):
            return "Give the area, as an extent or as polygons."
        if values.get("FILE") and values.get("COASTLINE"):
            return "Give OpenStreetMap data or a coastline of your own, not both."
        return None
