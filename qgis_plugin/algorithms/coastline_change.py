"""Coastline change."""

from pathlib import Path

from .. import outputs, parameters
from ..algorithm import COAST, Verb


class CoastlineChange(Verb):
    """How fast a coast moves along transects."""

    ID, TITLE, TASK, GROUP = "coastlinechange", "Coastline change", "measure_change", COAST
    TAGS = ("shoreline", "erosion", "accretion", "rate", "DSAS", "transects", "trend")
    SUMMARY = "Measures how fast a coast moves along transects, by dated lines or survey points."
    NOTES = ("<p>Transects are coloured by their rate: red landward, blue seaward, grey where it "
             "cannot be told from standing still. Several layers are measured each on its own, "
             "side by side.</p>")

    def parameters(self):
        return [
            parameters.layers("SOURCES", "Dated coastlines or surveys", "sources", "Lines or "
                              "points with dates. Example: <code>coastlines.gpkg</code>",
                              parameters.ANY_VECTOR, optional=False),
            parameters.features("TRANSECTS", "Transects", "transects", "Straight lines from land "
                                "to sea. Example: made by <i>Cast transects</i>.",
                                parameters.LINES, optional=False),
            parameters.string("START", "First date", "start", "By default all dates count. "
                              "Example: <code>2016-01-01</code>"),
            parameters.string("END", "Last date", "end", "By default all dates count. Example: "
                              "<code>2024-12-31</code>"),
            parameters.string("DATE_FIELD", "Attribute with the dates", "date_field", "The same "
                              "for all layers; by default found by its name in each, such as "
                              "<code>date</code>.").rare(),
            parameters.field("NAME_FIELD", "Names of the transects", "name_field", "Attribute; by "
                             "default found by its name, such as <code>name</code>.",
                             "TRANSECTS").rare(),
            *_errors(), *_positions(), *_water(),
        ]

    def outputs(self):
        return [outputs.file("OUTPUT", "Rates and positions", "A GeoPackage with transects for "
                             "each layer of coastlines, and where these cross them.",
                             "GeoPackage (*.gpkg)"),
                outputs.file("REPORT", "Report", "One page with plots and rates that opens in any "
                             "browser.", "Reports (*.html)", "report", optional=True)]

    def results(self):
        return [outputs.vector_layer("CROSSINGS", "Crossings", "crossings"),
                outputs.vector_layer("CHANGE", "Change", "transects"),
                outputs.further_layers("FURTHER", "Change by further layers", "transects"),
                outputs.number("COUNT", "Number of transects", "transects"),
                outputs.number("SIGNIFICANT", "Number of rates that are no chance", "significant"),
                outputs.number("MEDIAN_RATE", "Median rate of the first layer in m per year",
                               "median_rate")]

    def contradiction(self, values, context):
        """Refuse two kinds of water levels."""
        if values.get("WATER_LEVEL") and values.get("LEVEL_FIELD"):
            return "Give water levels as a table or as an attribute, not both."
        return None

    def run_name(self, values, context):
        """Name the group after the file, so that two runs are told apart."""
        name = Path(self.parameterAsFileOutput(values, "OUTPUT", context)).stem
        # QGIS calls temporary files after the parameter.
        return super().run_name(values, context) + ("" if name == "OUTPUT" else f" ({name})")


def _errors():
    """Ask how sure single positions and the rates are."""
    return [
        parameters.string("SIGMA_FIELD", "Attribute with errors (m)", "sigma_field", "Standard "
                          "deviations of positions; by default <code>sigma_m</code>, where it is "
                          "there. Example: <code>sigma_m</code>").rare(),
        parameters.number("SIGMA", "Error of the others (m)", "sigma", "Standard deviation of "
                          "positions that have none of their own. Example: <code>7</code>", None,
                          0.0).rare(),
        parameters.number("CONFIDENCE", "Confidence", "confidence", "Of the intervals, and of what "
                          "counts as moving. Example: <code>0.95</code>", 0.95, 0.0, 1.0).rare(),
        parameters.flag("INDEPENDENT", "Take positions for independent", "independent",
                        "As DSAS does: narrower intervals, often too narrow.").rare(),
    ]


def _positions():
    """Ask which positions count."""
    return [
        parameters.choice("CROSSING", "Of several crossings", "crossing", "Which one counts where "
                          "a line crosses a transect several times on one date.",
                          ["seaward", "landward", "median"], "seaward").rare(),
        parameters.number("REACH", "Reach of points (m)", "reach", "How far a point may lie off "
                          "its transect. Example: <code>10</code>", 10.0, 0.0).rare(),
        parameters.number("OUTLIERS", "Outliers beyond", "outliers", "Robust standard deviations "
                          "beyond which a position does not count; 0 lets all count. By default "
                          "3.5 for lines and 0 for points. Example: <code>3.5</code>", None,
                          0.0).rare(),
    ]


def _water():
    """Ask how lines are brought to one height of the water."""
    return [
        parameters.file("WATER_LEVEL", "Water levels", "water_level", "Table with the columns "
                        "<code>date</code> and <code>height</code> in m, to bring lines to one "
                        "height. Example: <code>tide.csv</code>", "Tables (*.csv)",
                        optional=True).rare(),
        parameters.string("LEVEL_FIELD", "Attribute with water levels (m)", "level_field",
                          "Instead of a table. Example: <code>tide_m</code>").rare(),
        parameters.number("SLOPE", "Slope of the beach", "slope", "Height over distance, of "
                          "transects without an attribute <code>slope</code>. Example: "
                          "<code>0.1</code>", None, 0.0).rare(),
        parameters.number("REFERENCE", "Reference height (m)", "reference", "Height that lines are "
                          "brought to. Example: <code>0</code>", 0.0).rare(),
    ]
