"""Trace coastline."""

from .. import outputs, parameters
from ..algorithm import COAST, Verb
from ..recipes import names, numbers


class TraceCoastline(Verb):
    """The line between land and water."""

    ID, TITLE, TASK, GROUP = "tracecoastline", "Trace coastline", "trace_coastline", COAST
    TAGS = ("shoreline", "water", "contour", "waterline", "ensemble")
    SUMMARY = "Traces the line between water and land, finer than the pixels."
    NOTES = "<p>Land lies on the left of the line's direction, as in OpenStreetMap.</p>"

    def parameters(self):
        box, shapes = parameters.area("area", "Trace only inside; by default the whole raster.")
        return [
            parameters.raster("PROBABILITIES", "Probabilities", "proba", "Made by <i>Predict</i>. "
                              "Example: <code>probabilities.tif</code>"),
            parameters.string("WATER", "Water classes", "water", "Names of the classes on the wet "
                              "side, separated by commas. Example: <code>water</code>", "water",
                              parse=names, optional=False),
            parameters.number("SMOOTH", "Smoothing (px)", "smooth", "Standard deviation of the "
                              "smoothing before tracing; more for noisy images. Example: "
                              "<code>1</code>", 1.0, 0.0, 10.0),
            parameters.number("MIN_LENGTH", "Least length (m)", "min_length", "Shorter coasts are "
                              "dropped. Example: <code>500</code>", 0.0, 0.0),
            parameters.string("DATE", "Date", "date", "Day on which the image was taken, kept as "
                              "the attribute <code>date</code>; <i>Coastline change</i> needs it. "
                              "Example: <code>2024-05-31</code>"),
            parameters.layers("FURTHER", "Further probabilities", "further", "Of the same place "
                              "and pixels, such as by other models: the mean of all is traced. "
                              "Example: <code>probabilities_b.tif</code>",
                              parameters.RASTER).rare(),
            parameters.string("WEIGHTS", "Weights of the probabilities", "weights", "One for each "
                              "raster, the first one first; by default all count the same. "
                              "Example: <code>2, 1, 1</code>", parse=numbers).rare(),
            box.rare(), shapes.rare(),
            parameters.number("MAX_GAP", "Longest gap to bridge (m)", "max_gap", "Where data are "
                              "missing, such as under clouds, two ends this near are joined by a "
                              "line of the kind <code>interpolated</code>; 0 for none. Example: "
                              "<code>300</code>", 0.0, 0.0).rare(),
            parameters.number("PIECE_LENGTH", "Length of pieces (m)", "piece_length", "Cut lines "
                              "into pieces of about this length, each with its own confidence and "
                              "error; 0 for whole lines. Example: <code>100</code>", 0.0,
                              0.0).rare(),
            parameters.number("SIMPLIFY", "Simplify (px)", "simplify", "Largest distance by which "
                              "the line may be simplified. Example: <code>0.1</code>", 0.1,
                              0.0).rare(),
            parameters.number("SIGMA_FACTOR", "Factor of the errors", "sigma_factor", "What the "
                              "standard deviations <code>sigma_m</code> are multiplied by; "
                              "<i>Coastline accuracy</i> finds it. Example: <code>1.3</code>", 1.0,
                              0.0).rare(),
        ]

    def outputs(self):
        return [outputs.vector("OUTPUT", "Coastline", "Lines with length, confidence and standard "
                               "deviation.", outputs.LINES),
                outputs.vector("POLYGONS", "Land and water", "Polygons of land and of water whose "
                               "common edges are the lines.", argument="polygons", optional=True)]

    def results(self):
        return [outputs.number("FEATURES", "Number of lines", "features"),
                outputs.number("LENGTH", "Length in m", "length_m")]

    def arguments(self, values, context):
        """Make one list of the raster and the further ones."""
        found = super().arguments(values, context)
        further = found.pop("further", [])
        if further:
            found["proba"] = [found["proba"], *further]
        return found
