"""Refine."""

from .. import outputs, parameters
from ..algorithm import MAPPING, Verb
from ..recipes import device


class Refine(Verb):
    """Probabilities whose edges follow those of the image."""

    ID, TITLE, TASK, GROUP = "refine", "Refine", "refine", MAPPING
    TAGS = ("CRF", "conditional random field", "edges", "smoothing", "probability")
    SUMMARY = "Draws the edges of probabilities to edges of the image."
    NOTES = ("<p>A dense conditional random field: neighbours, and pixels nearby that look alike, "
             "are drawn to one class. It costs more than the prediction itself and gains little "
             "over a good network; compare the maps before you use it.</p>")

    def parameters(self):
        return [
            parameters.raster("PROBABILITIES", "Probabilities", "proba", "Made by <i>Predict</i>. "
                              "Example: <code>probabilities.tif</code>"),
            parameters.raster("IMAGE", "Image", "image", "The one that they were predicted from. "
                              "Example: <code>ortho.tif</code>"),
            parameters.number("ITERATIONS", "Iterations", "iterations", "More look further away. "
                              "Example: <code>5</code>", 5, 1, 20, whole=True),
            parameters.number("SMOOTHNESS", "Weight of neighbours", "smoothness", "How much they "
                              "want to agree; 0 for not at all. Example: <code>3</code>",
                              3.0, 0.0),
            parameters.number("SMOOTHNESS_RANGE", "Range of neighbours (px)", "smoothness_range",
                              "Standard deviation of their distance. Example: <code>1</code>",
                              1.0, 0.0, 20.0).rare(),
            parameters.number("APPEARANCE", "Weight of looks", "appearance", "How much pixels that "
                              "look alike want to agree; 0 for not at all. Example: "
                              "<code>5</code>", 5.0, 0.0),
            parameters.number("APPEARANCE_RANGE", "Range of looks (px)", "appearance_range",
                              "Standard deviation of their distance; the time grows with its "
                              "square. Example: <code>8</code>", 8.0, 0.0, 40.0).rare(),
            parameters.number("APPEARANCE_VALUES", "Range of values", "appearance_values",
                              "Standard deviation of their difference, relative to that of each "
                              "band. Example: <code>0.5</code>", 0.5, 0.0).rare(),
            device(),
        ]

    def outputs(self):
        return [outputs.raster("OUTPUT", "Refined probabilities", "One band per class, 0 to 1, "
                               "like those that came in.")]
