"""Losses by name, written as a weighted sum: `0.7*ce + 0.3*dice`.

Every term takes logits and labels, leaves out ignored pixels, and is a mean, so that the weights
of a sum mean what they say.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from geoseg.errors import RecipeError
from geoseg.geo.legend import IGNORE

_TERM = re.compile(r"^(?:([0-9]*\.?[0-9]+)\s*\*\s*)?([a-z_]+)$")
_SMOOTH = 1.0


class Loss(nn.Module):
    """A weighted sum of loss terms.

    Args:
        formula: For example `ce + dice` or `0.7*ce + 0.3*dice`. `bce` is another name for `ce`.
        overlapping: Whether each class is a yes or no of its own.
        class_weights: float (classes,) weights of the classes in ce, or None.
        label_smoothing: Share of certainty taken from the labels in ce.

    Raises:
        RecipeError: The formula cannot be read or names an unknown loss.
    """

    def __init__(self, formula: str, *, overlapping: bool, class_weights: Tensor | None = None,
                 label_smoothing: float = 0.0) -> None:
        super().__init__()
        self._overlapping = overlapping
        self._label_smoothing = label_smoothing
        self._class_weights: Tensor | None
        self.register_buffer("_class_weights", class_weights, persistent=False)
        terms: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
            "ce": self._cross_entropy, "bce": self._cross_entropy, "dice": self._dice}
        self._terms = [(weight, terms[name]) for weight, name in parse_loss(formula, tuple(terms))]

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss, a scalar; 0 when every pixel is ignored.

        Args:
            logits: float (n, classes, rows, columns).
            labels: uint8, exclusive classes (n, 1, rows, columns) of values 0..classes-1,
                overlapping ones (n, classes, rows, columns) of 0 and 1; 255 is ignored.
        """
        logits = logits.float()
        total = logits.new_zeros(())
        for weight, term in self._terms:
            total = total + weight * term(logits, labels)
        return total

    def _cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Mean cross entropy; binary per class for overlapping classes."""
        known = labels != IGNORE
        if not known.any():
            return logits.sum() * 0
        if not self._overlapping:
            return functional.cross_entropy(
                logits, labels[:, 0].long(), weight=self._class_weights, ignore_index=IGNORE,
                label_smoothing=self._label_smoothing)
        target = (labels == 1).float()
        target = target * (1 - self._label_smoothing) + self._label_smoothing / 2
        each = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        return each[known].mean()

    def _dice(self, logits: Tensor, labels: Tensor) -> Tensor:
        """One minus soft Dice over the batch, mean over the classes present in it.

        Milletari et al. 2016 (V-Net), with the plain sum in the denominator. Classes absent from
        the batch are left to the cross entropy, whose gradient on them is useful.
        """
        known = labels != IGNORE
        if self._overlapping:
            probabilities = logits.sigmoid() * known
            target = (labels == 1).float()
        else:
            probabilities = logits.softmax(dim=1) * known
            classes = torch.arange(logits.shape[1], device=logits.device)
            target = (labels == classes[None, :, None, None]).float()
        axes = (0, 2, 3)
        overlap = (probabilities * target).sum(axes)
        present = target.sum(axes)
        dice = (2 * overlap + _SMOOTH) / (probabilities.sum(axes) + present + _SMOOTH)
        here = present > 0
        if not here.any():
            return logits.sum() * 0
        return 1 - dice[here].mean()


def parse_loss(formula: str, known: tuple[str, ...]) -> list[tuple[float, str]]:
    """Split a loss formula into (weight, name) pairs.

    Raises:
        RecipeError: The formula cannot be read or names an unknown loss.
    """
    pairs = []
    for part in formula.split("+"):
        match = _TERM.match(part.strip())
        if match is None or match[2] not in known:
            raise RecipeError("train.loss", f"{part.strip()!r} in {formula!r} is not a known loss",
                              f"Write a sum such as 0.7*ce + 0.3*dice, of {', '.join(known)}")
        pairs.append((float(match[1] or 1), match[2]))
    return pairs
