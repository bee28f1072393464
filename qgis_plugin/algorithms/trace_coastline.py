"""Trace coastline."""

from .. import outputs, parameters
from ..algorithm import MAPPING, Verb
from ..recipes import names


class TraceCoastline(Verb):
    """The line between land and water."""

    ID, TITLE, TASK, GROUP = "tracecoastline", "Trace coastline", "trace_coastline", MAPPING
    ICON = "coast"
    TAGS = ("shoreline", "water", "contour", "waterline")
    SUMMARY = "Traces the line between water and land, finer than the pixels."
    NOTES = "<p>Land lies on the left of the line's direction, as in OpenStreetMap.</p>"

    def parameters(self):
        return [
            parameters.raster("PROBABILITIES", "Probabilities", "proba", "Made by <i>Predict</i>. "
                              "Example: <code>probabilities.tif</code>"),
            parameters.string("WATER", "Water classes", "water", "Names of the classes on the wet "
                              "side, separated by commas. Example: <code>water</code>", "water",
                              parse=names, optional=False),
            parameters.number("SMOOTH", "Smoothing (px)", "smooth", "Standard deviation of the "
                              "smoothing before tracing; more for noisy images. Example: "
                              "<code>1</code>", 1.0, 0.0, 10.0),
            parameters.number("MIN_LENGTH", "Least length (m)", "min_length", "Shorter lines are "
                              "dropped. Example: <code>500</code>", 0.0, 0.0),
            parameters.number("SIMPLIFY", "Simplify (px)", "simplify", "Largest distance by which "
                              "the line may be simplified. Example: <code>0.1</code>", 0.1,
                              0.0).rare(),
        ]

    def outputs(self):
        return [outputs.vector("OUTPUT", "Coastline", "Lines with length and confidence.",
                               outputs.LINES)]

    def results(self):
        return [outputs.number("FEATURES", "Number of lines", "features"),
                outputs.number("LENGTH", "Length in m", "length_m")]
