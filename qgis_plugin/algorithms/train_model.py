"""Train model."""

from .. import outputs, parameters, paths
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
        known = paths.names()
        return [
            parameters.chip_plan(),
            *recipe_parameters(),
            parameters.number("STEPS", "Steps", ("recipe", "settings", "train.steps"), "How long "
                              "to train; by default the recipe's. It ends earlier when the "
                              "validation no longer improves. Example: <code>600</code>", None, 1,
                              whole=True),
            parameters.choice("NETWORK", "Network", ("recipe", "settings", "train.network"),
                              "By default the recipe's. <code>unet</code> to <code>dpt</code> take "
                              "an encoder.", known.NETWORKS, None, optional=True).rare(),
            parameters.string("ENCODER", "Encoder", ("recipe", "settings", "train.encoder"),
                              "By default the recipe's. Example: <code>resnet18</code>, "
                              "<code>efficientnet-b0</code> or, of timm, "
                              "<code>tu-mobilenetv4_conv_small</code>").rare(),
            parameters.string("LOSS", "Loss", ("recipe", "settings", "train.loss"), "By default "
                              "the recipe's; a weighted sum. Example: <code>0.7*ce + 0.3*dice"
                              "</code> or <code>tversky(alpha=0.3, beta=0.7)</code>").rare(),
            parameters.choice("OPTIMIZER", "Optimiser", ("recipe", "settings", "train.optimizer"),
                              "By default the recipe's.", known.OPTIMIZERS, None,
                              optional=True).rare(),
            parameters.number("LEARNING_RATE", "Learning rate",
                              ("recipe", "settings", "train.learning_rate"), "Peak of the "
                              "schedule; by default the recipe's. Example: <code>0.001</code>",
                              None, 0.0).rare(),
            parameters.choice("SCHEDULE", "Schedule of the rate",
                              ("recipe", "settings", "train.schedule"), "By default the recipe's.",
                              known.SCHEDULES, None, optional=True).rare(),
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
