"""Predict."""

from .. import outputs, parameters
from ..algorithm import MAPPING, Verb
from ..recipes import device

MODELS = "geoseg models (*.safetensors)"


class Predict(Verb):
    """Class probabilities of an image of any size."""

    ID, TITLE, TASK, GROUP = "predict", "Predict", "predict", MAPPING
    TAGS = ("inference", "probability", "segmentation", "uncertainty")
    SUMMARY = "Predicts class probabilities over an image of any size, on exactly its grid."

    def parameters(self):
        return [
            parameters.file("MODEL", "Model", "model", "Made by <i>Train model</i>. Example: "
                            "<code>model.safetensors</code>", MODELS),
            parameters.raster("IMAGE", "Image", "image", "Same bands and a similar pixel size as "
                              "in training. Example: <code>ortho.tif</code>"),
            parameters.number("TILE", "Tile size (px)", "tile", "By default the recipe's; larger "
                              "tiles need more memory. Example: <code>512</code>", None, 32, 8192,
                              whole=True).rare(),
            parameters.number("OVERLAP", "Overlap of tiles", "overlap", "Fraction that tiles share "
                              "and blend; by default the recipe's. Example: <code>0.25</code>",
                              None, 0.0, 0.5).rare(),
            parameters.flag("TTA", "Average over flips and turns", "tta", "Eight times slower, "
                            "slightly better.").rare(),
            parameters.choice("DTYPE", "Stored as", "dtype", "<code>uint8</code> is small and "
                              "exact to 0.4 %; <code>float32</code> keeps the values as they are.",
                              ["uint8", "float32"], "uint8").rare(),
            parameters.choice("PRECISION", "Arithmetic", "precision", "<code>auto</code> takes "
                              "bf16 where the processor has it.", ["auto", "32", "bf16", "16"],
                              "auto").rare(),
            parameters.flag("FORCE", "Go on although the image does not fit", "force", "If pixel "
                            "size or values differ grossly from the training.").rare(),
            device(),
        ]

    def outputs(self):
        return [outputs.raster("OUTPUT", "Probabilities", "One band per class, 0 to 1."),
                outputs.raster("UNCERTAINTY", "Uncertainty", "Entropy, 0 (sure) to 1 (no idea).",
                               "uncertainty", optional=True)]
