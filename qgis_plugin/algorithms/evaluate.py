"""Evaluate."""

from .. import outputs, parameters
from ..algorithm import SCORING, Verb
from ..recipes import device
from .predict import MODELS


class Evaluate(Verb):
    """Scores of a model on ground that it has never seen."""

    ID, TITLE, TASK, GROUP = "evaluate", "Evaluate", "evaluate", SCORING
    TAGS = ("accuracy", "IoU", "Dice", "confusion matrix", "report")
    SUMMARY = "Scores a model on chips that it was not trained on, and writes a report."

    def parameters(self):
        return [
            parameters.file("MODEL", "Model", "model", "Made by <i>Train model</i>. Example: "
                            "<code>model.safetensors</code>", MODELS),
            parameters.chip_plan(),
            parameters.choice("SPLIT", "Chips to score", "split", "<code>test</code> chips took no "
                              "part in training at all.", ["test", "val", "train"], "test"),
            device(),
        ]

    def outputs(self):
        return [outputs.file("OUTPUT", "Report", "One page that opens in any browser; all scores "
                             "lie beside it as JSON.", "Reports (*.html)")]

    def results(self):
        return [outputs.number("MEAN_IOU", "Mean IoU", "mean_iou"),
                outputs.number("ACCURACY", "Accuracy", "accuracy"),
                outputs.number("MEAN_DICE", "Mean Dice", "mean_dice"),
                outputs.number("ECE", "Calibration error", "ece")]
