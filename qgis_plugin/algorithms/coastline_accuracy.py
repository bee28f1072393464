"""Coastline accuracy."""

from .. import outputs, parameters
from ..algorithm import COAST, Verb
from ..recipes import numbers


class CoastlineAccuracy(Verb):
    """How far coastlines are from a reference."""

    ID, TITLE, TASK = "coastlineaccuracy", "Coastline accuracy", "measure_coastline"
    GROUP = COAST
    TAGS = ("shoreline", "GPS", "survey", "distance", "error", "validation")
    SUMMARY = "Measures how far coastlines are from surveyed lines or GPS points, in metres."
    NOTES = ("<p>Distances go both ways: from the reference to the lines (missed) and from the "
             "lines to the reference (strayed). Only stretches that both layers show count; "
             "coverage says how much that is.</p>")

    def parameters(self):
        return [
            parameters.features("LINES", "Coastlines", "lines", "Lines, with or without dates. "
                                "Example: made by <i>Trace coastline</i>.", parameters.LINES,
                                optional=False),
            parameters.features("REFERENCE", "Reference", "reference", "Lines or points that are "
                                "known to be right. Example: GPS positions of the water's edge.",
                                optional=False),
            parameters.number("DAYS", "Days between the dates", "days", "Lines meet only the "
                              "reference of at most so many days before or after; by default all "
                              "of it. Example: <code>10</code>", None, 0, whole=True),
            parameters.field("DATE_FIELD", "Dates of the coastlines", "date_field", "Attribute; by "
                             "default found by its name, such as <code>date</code>.", "LINES"),
            parameters.field("REFERENCE_DATE_FIELD", "Dates of the reference",
                             "reference_date_field", "Attribute; by default found by its name, "
                             "such as <code>date</code>.", "REFERENCE"),
            parameters.string("WITHIN", "Distances to report (m)", "within", "For each the share "
                              "no farther is told, and the map's colours change there. Example: "
                              "<code>5, 10, 20</code>", "5, 10, 20", parse=numbers),
            parameters.choice("LAND", "Land lies on the", "land", "Side of the coastlines, along "
                              "their direction, for the bias seaward or landward; known to be "
                              "<code>left</code> of lines made by <i>Trace coastline</i>.",
                              ["left", "right"], None, optional=True),
            parameters.features("AREA", "Area as polygons", "area", "Nothing outside counts. "
                                "Example: the extent of the image.", parameters.POLYGONS).rare(),
            parameters.number("MAX_DISTANCE", "Largest distance (m)", "max_distance", "What is "
                              "farther has no counterpart on the other coast and does not count. "
                              "Example: <code>200</code>", None, 0.0).rare(),
            parameters.number("PENALTY", "Penalty (m)", "penalty", "In a second score, what the "
                              "reference counts where no line lies within the largest distance. "
                              "Example: <code>1000</code>", None, 0.0).rare(),
            parameters.number("STEP", "Between samples (m)", "step", "Largest distance between "
                              "samples along lines. Example: <code>1</code>", 1.0, 0.0).rare(),
            parameters.number("BLOCK", "Length of blocks (m)", "block", "Blocks of shore that are "
                              "drawn for the intervals; by default found from the errors. Example: "
                              "<code>500</code>", None, 0.0).rare(),
            parameters.number("SEED", "Seed", "seed", "Of the random numbers for the intervals. "
                              "Example: <code>0</code>", 0, 0, whole=True).rare(),
        ]

    def outputs(self):
        return [outputs.vector("OUTPUT", "Coastline errors", "The reference's points, or pieces of "
                               "both layers' lines, coloured by distance.", outputs.ANY_VECTOR),
                outputs.file("JSON", "All numbers", "Scores of every date with their intervals.",
                             "JSON (*.json)", "json", optional=True)]

    def results(self):
        return [outputs.number("MEAN", "Mean distance from the reference in m", "missed_mean"),
                outputs.number("OVER_DATES", "Mean over the dates in m", "over_dates"),
                outputs.number("MEDIAN", "Median in m", "missed_median"),
                outputs.number("RMSE", "Root mean square in m", "missed_rmse"),
                outputs.number("P95", "95th percentile in m", "missed_p95"),
                outputs.number("BIAS", "Bias in m, seaward above 0", "bias"),
                outputs.number("COVERAGE", "Share of the reference that counts",
                               "missed_coverage"),
                outputs.number("STRAYED_MEAN", "Mean distance of the lines in m", "strayed_mean"),
                outputs.number("BOTH_WAYS", "Mean of both directions in m", "both_ways"),
                outputs.number("SIGMA_FACTOR", "Factor of the errors, for Trace coastline",
                               "sigma_factor")]
