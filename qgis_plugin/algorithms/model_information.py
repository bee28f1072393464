"""Model information."""

from .. import outputs, parameters
from ..algorithm import TRAINING, Verb


class ModelInformation(Verb):
    """What a file of geoseg is."""

    ID, TITLE, TASK, GROUP = "modelinformation", "Model information", "info", TRAINING
    TAGS = ("info", "describe", "card", "metadata")
    SUMMARY = "Tells what a model, a raster or a chip plan is."

    def parameters(self):
        return [parameters.file("FILE", "File", "file", "A model, a raster or a chip plan. "
                                "Example: <code>model.safetensors</code>",
                                "geoseg files (*.safetensors *.gpkg *.tif);;All files (*)")]

    def results(self):
        return [outputs.sentence("TEXT", "Facts"),
                outputs.number("MEAN_IOU", "Mean IoU on validation", "mean_iou"),
                outputs.number("ACCURACY", "Accuracy on validation", "accuracy")]
