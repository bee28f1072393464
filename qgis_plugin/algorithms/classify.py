"""Classify."""

from .. import outputs, parameters
from ..algorithm import MAPPING, Verb
from ..recipes import settings


def thresholds(text):
    """Return `0.5`, or `water=0.4; road=0.3`, as a number or numbers by class."""
    try:
        if "=" not in text:
            return float(text)
        return {name: float(value) for name, value in settings(text).items()}
    except ValueError:
        raise ValueError(f"{text!r} is not a threshold. Write 0.5, or water=0.4; road=0.3."
                         ) from None


class Classify(Verb):
    """Classes from probabilities."""

    ID, TITLE, TASK, GROUP = "classify", "Classify", "classify", MAPPING
    TAGS = ("class map", "threshold", "sieve", "land cover")
    SUMMARY = "Turns probabilities into a class map with names and colours."

    def parameters(self):
        return [
            parameters.raster("PROBABILITIES", "Probabilities", "proba", "Made by <i>Predict</i>. "
                              "Example: <code>probabilities.tif</code>"),
            parameters.number("MIN_AREA", "Least area (m²)", "min_area", "Smaller patches are "
                              "merged into their largest neighbour; pixels for images without "
                              "georeference. Example: <code>20</code>", 0.0, 0.0),
            parameters.string("THRESHOLD", "Threshold", "threshold", "Probability from which a "
                              "class is mapped; by default what validation found best. Example: "
                              "<code>0.5</code> or <code>water=0.4; road=0.3</code>",
                              parse=thresholds).rare(),
        ]

    def outputs(self):
        return [outputs.raster("OUTPUT", "Class map", "Class values with names and colours.")]
