"""Plan chips."""

from .. import outputs, parameters
from ..algorithm import LABELS, Verb
from ..recipes import recipe_parameters


def split(text):
    """Return `70/15/15` as three numbers."""
    try:
        shares = [float(share) for share in text.split("/")]
    except ValueError:
        shares = []
    if len(shares) != 3:
        raise ValueError(f"{text!r} is not three shares. Write them as 70/15/15.")
    return shares


class PlanChips(Verb):
    """Squares for training, validation and testing, as a layer."""

    ID, TITLE, TASK, GROUP = "planchips", "Plan chips", "plan_chips", LABELS
    TAGS = ("training data", "tiles", "split", "validation", "test")
    SUMMARY = ("Plans training, validation and test chips in spatial blocks, at least one chip "
               "apart.")
    NOTES = ("<p>Look at the plan over the image before you spend an hour training: neighbouring "
             "tiles in different splits would flatter the scores, so blocks are kept whole.</p>")

    def parameters(self):
        return [
            parameters.raster("IMAGE", "Image", "image", "Example: <code>ortho.tif</code>",
                              optional=True),
            parameters.raster("LABELS", "Labels", "labels", "Made by <i>Burn labels</i> for this "
                              "image. Example: <code>labels.tif</code>", optional=True),
            parameters.layers("IMAGES", "Further images", ("more", "images"), "Further scenes to "
                              "learn from. Example: <code>ortho_east.tif</code>",
                              parameters.RASTER).rare(),
            parameters.layers("IMAGES_LABELS", "Labels of the further images", ("more", "labels"),
                              "One for each further image, in the same order. Example: "
                              "<code>labels_east.tif</code>", parameters.RASTER).rare(),
            parameters.folder("FOLDER", "Folder of tiles instead", "folder", "Tiles as <i>Export "
                              "chips</i> writes them, taken in as they are. Example: "
                              "<code>tiles</code>").rare(),
            *recipe_parameters(optional=True),
            parameters.number("SIZE", "Chip size (px)", "size", "Side of a chip, a multiple of "
                              "32; by default the recipe's. Example: <code>256</code>", None, 32,
                              4096, whole=True),
            parameters.string("SPLIT", "Split (train/validation/test)", "split", "Shares of the "
                              "area; by default the recipe's. Example: <code>70/15/15</code>",
                              parse=split),
            parameters.number("BLOCK", "Block size (chips)", "block", "Side of a block that goes "
                              "to one split as a whole. Example: <code>8</code>", None, 1,
                              whole=True).rare(),
            parameters.number("SEED", "Seed", "seed", "Another number gives another split. "
                              "Example: <code>7</code>", None, 0, whole=True).rare(),
            parameters.number("OVERLAP", "Overlap of chips", "overlap", "Fraction that "
                              "neighbouring chips share. Example: <code>0.25</code>", 0.0, 0.0,
                              0.9).rare(),
            parameters.number("RANDOM", "Random chips instead", "random", "This many random chips "
                              "instead of a regular plan. Example: <code>500</code>", None, 1,
                              whole=True).rare(),
            parameters.number("MIN_VALID", "Least valid share", "min_valid", "Share of a chip that "
                              "must have data and labels. Example: <code>0.25</code>", 0.25, 0.0,
                              1.0).rare(),
        ]

    def outputs(self):
        return [outputs.vector("OUTPUT", "Chips", "A GeoPackage with a square per chip, coloured "
                               "by split.")]

    def results(self):
        return [outputs.number("TRAIN", "Training chips", "chips_train"),
                outputs.number("VALIDATION", "Validation chips", "chips_val"),
                outputs.number("TEST", "Test chips", "chips_test")]

    def contradiction(self, values, context):
        changes = any(values.get(name) for name in ("CLASSES", "SETTINGS"))
        if changes and not (values.get("RECIPE") or values.get("RECIPE_FILE")):
            return "Classes or settings change a recipe. Choose the recipe, too."
        images, labels = (len(self.parameterAsLayerList(values, name, context))
                          for name in ("IMAGES", "IMAGES_LABELS"))
        if images != labels:
            return (f"Further images: {images} images but {labels} labels. Give one label raster "
                    "for each image, in the same order.")
        return None

    def arguments(self, values, context):
        """Pair the further images with their labels."""
        found = super().arguments(values, context)
        more = found.pop("more", {})
        if more:
            found["scenes"] = [list(pair) for pair in zip(more["images"], more["labels"])]
        return found
