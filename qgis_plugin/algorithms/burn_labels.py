"""Burn labels."""

from .. import outputs, parameters
from ..algorithm import LABELS, Verb
from ..recipes import recipe_parameters


class BurnLabels(Verb):
    """Labels on exactly the image's grid."""

    ID, TITLE, TASK, GROUP = "burnlabels", "Burn labels", "burn_labels", LABELS
    TAGS = ("rasterize", "land cover", "training data", "OpenStreetMap")
    SUMMARY = ("Burns vector layers and land-cover rasters into a label raster on an image's grid.")
    NOTES = ("<p>Where sources overlap, the later class of the recipe wins. Lines become as wide "
             "as their tags or the recipe say, in metres.</p>")

    def parameters(self):
        return [
            parameters.raster("IMAGE", "Image", "like", "The labels get exactly its grid. Example: "
                              "<code>ortho.tif</code>"),
            parameters.file("OSM", "OSM features", ("sources", "osm"), "The file made by <i>Fetch "
                            "OSM</i>. Example: <code>osm.gpkg</code>",
                            "Vector files (*.gpkg *.osm *.pbf)", optional=True),
            parameters.layers("SOURCES", "Further sources", ("sources", "layers"), "Vector layers "
                              "with a column <code>class</code> or OpenStreetMap tags, and "
                              "land-cover rasters whose codes the recipe names. Example: an "
                              "older land-cover map."),
            *recipe_parameters(),
            parameters.features("FEATURES", "Features of one class", ("assign", "file"), "A layer, "
                                "or its selected features, that all belong to one class. Example: "
                                "building outlines without tags."),
            parameters.string("FEATURES_CLASS", "Class of these features", ("assign", "class"),
                              "Its name in the recipe. Example: <code>building</code>"),
            parameters.extent("EXTENT", "Only inside", "within", "What lies outside is left out of "
                              "training. Draw it, or take that of a layer. Example: "
                              "<code>8.40,8.45,49.90,49.93 [EPSG:4326]</code>").rare(),
            parameters.features("AREA", "Only inside polygons", "within", "The same as polygons. "
                                "Example: the districts that mappers have finished.",
                                parameters.POLYGONS).rare(),
        ]

    def outputs(self):
        return [outputs.raster("OUTPUT", "Labels", "Class values 0, 1, 2, … in the order of the "
                               "recipe; 255 is left out of training.")]

    def contradiction(self, values, context):
        if bool(values.get("FEATURES")) != bool(values.get("FEATURES_CLASS")):
            return ("Features of one class: the layer and the name of its class are needed "
                    "together. Give both or neither.")
        if not any(values.get(name) for name in ("OSM", "SOURCES", "FEATURES")):
            return "There is nothing to burn. Give OSM features, further sources or both."
        return None

    def arguments(self, values, context):
        """Join the sources, and pair the features of one class with its name."""
        found = super().arguments(values, context)
        sources, assign = found.pop("sources", {}), found.pop("assign", {})
        found["sources"] = [*([sources["osm"]] if "osm" in sources else []),
                            *sources.get("layers", []), *([assign["file"]] if assign else [])]
        if assign:
            found["assign"] = {assign["file"]: assign["class"]}
        return found
