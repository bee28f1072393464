"""Predict."""

from .. import outputs, parameters, paths
from ..algorithm import MAPPING, Verb
from ..recipes import device, numbers

MODELS = "geoseg models (*.safetensors)"


class Predict(Verb):
    """Class probabilities of an image of any size."""

    ID, TITLE, TASK, GROUP = "predict", "Predict", "predict", MAPPING
    TAGS = ("inference", "probability", "segmentation", "uncertainty", "ensemble")
    SUMMARY = "Predicts class probabilities over an image of any size, on exactly its grid."

    def parameters(self):
        known = paths.names()
        return [
            parameters.file("MODEL", "Model", "model", "Made by <i>Train model</i>. Example: "
                            "<code>model.safetensors</code>", MODELS),
            parameters.raster("IMAGE", "Image", "image", "Same bands and a similar pixel size as "
                              "in training. Example: <code>ortho.tif</code>"),
            parameters.files("FURTHER_MODELS", "Further models", "further", "Of the same classes "
                             "and pixel size: the answers are averaged. Example: "
                             "<code>model_b.safetensors</code>").rare(),
            parameters.string("WEIGHTS", "Weights of the models", "weights", "One for each model, "
                              "the first one first; by default all count the same. Example: "
                              "<code>2, 1, 1</code>", parse=numbers).rare(),
            parameters.number("TILE", "Tile size (px)", "tile", "By default the recipe's; larger "
                              "tiles need more memory. Example: <code>512</code>", None, 32, 8192,
                              whole=True).rare(),
            parameters.number("OVERLAP", "Overlap of tiles", "overlap", "Fraction that tiles share "
                              "and blend; by default the recipe's. Example: <code>0.25</code>",
                              None, 0.0, 0.5).rare(),
            parameters.choice("BLEND", "Blending of tiles", "blend", "By default the recipe's. "
                              "<code>hann</code> tapers tiles over their overlap, "
                              "<code>gauss</code> weighs them by a bell, <code>box</code> takes "
                              "means, <code>crop</code> only the middle of each.",
                              known.BLENDS, None, optional=True).rare(),
            parameters.choice("TTA", "Average over turns", "tta", "By default the recipe's. "
                              "<code>flips</code> is four times slower, <code>d4</code>, with the "
                              "quarter turns, eight times; slightly better.",
                              known.TTA, None, optional=True).rare(),
            parameters.string("SCALES", "Average over scales", "scales", "Sizes of the image "
                              "relative to itself; by default the recipe's. Example: <code>0.75, "
                              "1, 1.25</code>", parse=numbers).rare(),
            parameters.number("SMOOTH", "Smoothing (px)", "smooth", "Standard deviation of a "
                              "Gaussian before probabilities are taken; by default the recipe's. "
                              "Example: <code>1</code>", None, 0.0, 10.0).rare(),
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

    def arguments(self, values, context):
        """Make one list of the model and the further ones."""
        found = super().arguments(values, context)
        further = found.pop("further", [])
        if further:
            found["model"] = [found["model"], *further]
        return found
