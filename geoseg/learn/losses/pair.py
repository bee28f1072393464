"""Logits and labels side by side: what every loss looks at."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from geoseg.geo.legend import IGNORE


class Counts(NamedTuple):
    """Soft counts of a batch, each float (classes,), over known pixels."""

    overlap: Tensor
    """Sum of the probabilities where the class is: soft true positives."""
    predicted: Tensor
    """Sum of the probabilities."""
    present: Tensor
    """Pixels of the class."""
    known: Tensor
    """Known pixels."""


class Pair:
    """The logits and labels of one batch, in the shapes that losses need.

    Logits of ignored pixels are replaced by zeros at once, so that nothing they hold, not even a
    NaN, reaches a value or comes back as a gradient. Half precision is left for float32.

    Args:
        logits: float (n, classes, rows, columns).
        labels: uint8, exclusive classes (n, 1, rows, columns), overlapping ones (n, classes, rows,
            columns) of 0 and 1; 255 is ignored.
        overlapping: Whether each class is a yes or no of its own.
        class_weights: float (classes,) for the losses that are means over pixels, or None.
    """

    def __init__(self, logits: Tensor, labels: Tensor, *, overlapping: bool,
                 class_weights: Tensor | None = None) -> None:
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        self.overlapping = overlapping
        self.labels = labels
        self.decided = labels != IGNORE
        """bool, the shape of the labels: pixels with a label. An overlapping class has its own."""
        self.known = self.decided.expand_as(logits)
        """bool (n, classes, rows, columns): the same for each class."""
        self.logits = torch.where(self.known, logits, 0)
        """float32 or float64 (n, classes, rows, columns), zero where ignored."""
        self.class_weights = None if class_weights is None else class_weights.to(logits.dtype)

    @cached_property
    def index(self) -> Tensor:
        """Class of each pixel if exclusive, int64 (n, 1, rows, columns); 0 where ignored."""
        return torch.where(self.decided, self.labels, 0).long()

    @cached_property
    def target(self) -> Tensor:
        """Zeros and ones, float (n, classes, rows, columns); zero where ignored."""
        if self.overlapping:
            return (self.labels == 1).to(self.logits.dtype)
        classes = torch.arange(self.logits.shape[1], device=self.logits.device)
        return (self.labels == classes[None, :, None, None]).to(self.logits.dtype)

    @cached_property
    def probabilities(self) -> Tensor:
        """Sigmoid or softmax, float (n, classes, rows, columns) in 0..1; zero where ignored."""
        each = self.logits.sigmoid() if self.overlapping else self.logits.softmax(dim=1)
        return each * self.known

    @cached_property
    def answer(self) -> Tensor:
        """Where the map would show a class, bool (n, classes, rows, columns)."""
        if self.overlapping:
            return self.logits > 0
        best = self.logits.argmax(dim=1, keepdim=True)
        return torch.zeros_like(self.known).scatter_(1, best, True)

    @cached_property
    def log_right(self) -> Tensor:
        """Log of the probability given to what is true; float, the shape of the labels."""
        if self.overlapping:
            return functional.logsigmoid(self.logits * (2 * self.target - 1))
        return self.logits.log_softmax(dim=1).gather(1, self.index)

    @cached_property
    def counts(self) -> Counts:
        """Soft counts over the whole batch, from which region losses are made."""
        axes = (0, 2, 3)
        return Counts((self.probabilities * self.target).sum(axes), self.probabilities.sum(axes),
                      self.target.sum(axes), self.known.sum(axes).to(self.logits.dtype))

    @cached_property
    def weights(self) -> Tensor:
        """Class weight of each pixel, float, the shape of the labels; zero where ignored."""
        if self.class_weights is None:
            return self.decided.to(self.logits.dtype)
        if self.overlapping:
            return self.class_weights[None, :, None, None] * self.decided
        return self.class_weights[self.index] * self.decided

    def weighted_mean(self, each: Tensor) -> Tensor:
        """Return the mean over known pixels by class weights; 0 where there are none.

        Args:
            each: float, the shape of the labels.
        """
        return ratio((each * self.weights).sum(), self.weights.sum())


def ratio(part: Tensor, whole: Tensor) -> Tensor:
    """Divide, where a whole of zero gives zero and no NaN in the gradient."""
    return part / whole.clamp(min=1e-12)


def power(base: Tensor, exponent: float) -> Tensor:
    """Raise numbers of 0 or more; the gradient of a root at zero is zero instead of infinite."""
    return base.clamp(min=1e-20) ** exponent
