"""Export chips."""

from .. import outputs, parameters
from ..algorithm import LABELS, Verb


class ExportChips(Verb):
    """Image and label tiles for training elsewhere."""

    ID, TITLE, TASK, GROUP = "exportchips", "Export chips", "export_chips", LABELS
    TAGS = ("training data", "tiles", "GeoTIFF")
    SUMMARY = "Cuts a chip plan into pairs of georeferenced image and label tiles, per split."
    NOTES = "<p>geoseg itself does not need them: it reads the scenes while it trains.</p>"

    def parameters(self):
        return [parameters.chip_plan()]

    def outputs(self):
        return [outputs.folder("OUTPUT", "Folder", "Gets train, val and test, each with images "
                               "and labels.")]
