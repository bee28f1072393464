"""Train model."""

from .. import outputs, parameters
from ..algorithm import TRAINING, Verb
from ..recipes import device, recipe_parameters


class TrainModel(Verb):
    """A network in one file."""

    ID, TITLE, TASK, GROUP = "trainmodel", "Train model", "train", TRAINING
    TAGS = ("U-Net", "neural network", "learning", "fit")
    SUMMARY = "Trains a network on a chip plan and writes it as one file."
    NOTES = ("<p>Cancel at any time: the run folder keeps the last state, and <i>Go on with an "
             "earlier run</i> continues exactly from there.</p>")

    def parameters(self):
        return [
            parameters.chip_plan(),
            *recipe_parameters(),
            parameters.number("STEPS", "Steps", ("recipe", "settings", "train.steps"), "How long "
                              "to train; by default the recipe's. It ends earlier when the "
                              "validation no longer improves. Example: <code>600</code>", None, 1,
                              whole=True),
            parameters.string("NETWORK", "Network", ("recipe", "settings", "train.network"),
                              "By default the recipe's. Example: <code>unet</code> or "
                              "<code>classic-unet</code>").rare(),
            parameters.string("ENCODER", "Encoder", ("recipe", "settings", "train.encoder"),
                              "By default the recipe's. Example: <code>resnet18</code>").rare(),
            parameters.number("BATCH", "Chips per step", ("recipe", "settings", "train.batch"),
                              "Fewer need less memory. Example: <code>4</code>", None, 1,
                              whole=True).rare(),
            parameters.folder("RUN_FOLDER", "Run folder", "run_dir", "Gets log, curves and the "
                              "state to go on from; by default beside the model. Example: "
                              "<code>model-run</code>").rare(),
            parameters.flag("RESUME", "Go on with an earlier run", "resume", "Continues from the "
                            "state in the run folder."),
            device(),
        ]

    def outputs(self):
        return [outputs.file("OUTPUT", "Model", "One file with weights, classes, bands, scaling "
                             "and scores.", "geoseg models (*.safetensors)")]

    def results(self):
        return [outputs.number("MEAN_IOU", "Mean IoU on validation", "mean_iou"),
                outputs.number("ACCURACY", "Accuracy on validation", "accuracy"),
                outputs.other_file("CURVES", "Learning curves", "curves")]
