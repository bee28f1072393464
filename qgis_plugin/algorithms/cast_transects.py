"""Cast transects."""

from .. import outputs, parameters
from ..algorithm import COAST, Verb


class CastTransects(Verb):
    """Straight lines from land to sea."""

    ID, TITLE, TASK, GROUP = "casttransects", "Cast transects", "cast_transects", COAST
    TAGS = ("shoreline", "profile", "baseline", "DSAS", "change")
    SUMMARY = "Casts transects at right angles to a baseline, from land to sea."
    NOTES = ("<p>Their names are numbers along the shore. <i>Coastline change</i> measures along "
             "them.</p>")

    def parameters(self):
        return [
            parameters.features("BASELINE", "Baseline", "baseline", "Lines along the shore. "
                                "Example: a coastline made by <i>Trace coastline</i>.",
                                parameters.LINES, optional=False),
            parameters.number("SPACING", "Spacing (m)", "spacing", "From one transect to the next "
                              "along the baseline. Example: <code>100</code>", 100.0, 0.0),
            parameters.number("SEAWARD", "Seaward (m)", "seaward", "How far they reach to sea. "
                              "Example: <code>200</code>", 200.0, 0.0),
            parameters.number("LANDWARD", "Landward (m)", "landward", "How far they reach inland. "
                              "Example: <code>200</code>", 200.0, 0.0),
            parameters.number("SMOOTH", "Smoothing (m)", "smooth", "Length over which the "
                              "baseline's direction is averaged; more where transects cross each "
                              "other. Example: <code>500</code>", 0.0, 0.0),
            parameters.choice("LAND", "Land lies on the", "land", "Side of the baseline, along its "
                              "direction; <code>left</code> of coastlines traced by geoseg and of "
                              "OpenStreetMap's.", ["left", "right"], "left"),
        ]

    def outputs(self):
        return [outputs.vector("OUTPUT", "Transects", "Lines from land to sea with a name each.",
                               outputs.LINES)]

    def results(self):
        return [outputs.number("COUNT", "Number of transects", "transects")]
