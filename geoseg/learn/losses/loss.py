"""`Loss`: a weighted sum of losses by their names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from geoseg.errors import RecipeError
from geoseg.learn.losses import distances, pixelwise, regions
from geoseg.learn.losses.pair import Pair
from geoseg.recipe.formula import check_loss, parse_loss

_LOSSES: dict[str, Callable[..., Tensor]] = {
    "ce": pixelwise.cross_entropy, "focal": pixelwise.focal,
    "gce": pixelwise.generalised_cross_entropy,
    "dice": regions.dice, "iou": regions.iou, "tversky": regions.tversky,
    "focal-tversky": regions.focal_tversky, "exp-log": regions.exponential_logarithmic,
    "lovasz": regions.lovasz,
    "boundary": distances.boundary, "hausdorff": distances.hausdorff}


class Loss(nn.Module):
    """A weighted sum of losses.

    Args:
        formula: For example `ce + dice` or `0.7*ce + 0.3*tversky(alpha=0.3, beta=0.7)`; see
            `geoseg.recipe.formula` for all names and options.
        overlapping: Whether each class is a yes or no of its own.
        class_weights: float (classes,) weights of the classes in the losses that are means over
            pixels (ce, focal, gce and half of exp-log), or None.
        label_smoothing: Share of certainty taken from the labels in ce.

    Raises:
        RecipeError: The formula cannot be read, names an unknown loss or option, or has a number
            out of bounds.
    """

    def __init__(self, formula: str, *, overlapping: bool, class_weights: Tensor | None = None,
                 label_smoothing: float = 0.0) -> None:
        super().__init__()
        self._formula, self._overlapping = formula, overlapping
        self._class_weights: Tensor | None
        self.register_buffer("_class_weights", class_weights, persistent=False)
        try:
            terms = parse_loss(formula)
        except ValueError as error:
            raise _refusal(error) from error
        smoothing = {"ce": {"label_smoothing": label_smoothing}}
        self._terms = [(term.weight, partial(_LOSSES[term.name], **term.options,
                                             **smoothing.get(term.name, {}))) for term in terms]

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss, a scalar of float32; 0 when every pixel is ignored.

        Args:
            logits: float (n, classes, rows, columns).
            labels: uint8, exclusive classes (n, 1, rows, columns) of values 0..classes-1,
                overlapping ones (n, classes, rows, columns) of 0 and 1; 255 is ignored.

        Raises:
            RecipeError: The formula does not suit the number of classes.
        """
        try:
            check_loss(self._formula, logits.shape[1], overlapping=self._overlapping)
        except ValueError as error:
            raise _refusal(error) from error
        pair = Pair(logits, labels, overlapping=self._overlapping,
                    class_weights=self._class_weights)
        total = pair.logits.new_zeros(())
        for weight, term in self._terms:
            total = total + weight * term(pair)
        return total


def _refusal(error: ValueError) -> RecipeError:
    return RecipeError("train.loss", str(error), "Correct it in the recipe")
