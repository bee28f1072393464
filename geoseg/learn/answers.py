"""What a network answers in training, and how an answer with several parts is scored."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from geoseg.geo.legend import IGNORE


class Answers(NamedTuple):
    """All that a network says of a batch while it is trained."""

    logits: Tensor
    """(n, classes, rows, columns), the map."""
    sides: tuple[Tensor, ...] = ()
    """Further maps of the same shape, of nested-unet with deep supervision."""
    presence: Tensor | None = None
    """(n, classes) logits of whether the image shows the class at all, or None."""


def redrawn(output: Tensor | Answers, change: Callable[[Tensor], Tensor]) -> Tensor | Answers:
    """Return the same answer with every map in it changed."""
    if isinstance(output, Tensor):
        return change(output)
    return output._replace(logits=change(output.logits),
                           sides=tuple(change(side) for side in output.sides))


def damped(logits: Tensor, presence: Tensor) -> Tensor:
    """Return the logits of the product of two probabilities.

    The odds of sigmoid(a) sigmoid(b) are 1 / (exp(-a) + exp(-b) + exp(-a-b)), which stays exact
    where the product of the probabilities itself would round to 0 or 1.

    Args:
        logits: float (n, classes, rows, columns), that a pixel shows the class.
        presence: float (n, classes), that the image shows it anywhere.
    """
    pixel = -logits.float()
    image = -presence.float()[:, :, None, None].expand_as(pixel)
    return -torch.stack([pixel, image, pixel + image]).logsumexp(dim=0)


def supervised_loss(loss: Callable[[Tensor, Tensor], Tensor], output: Tensor | Answers,
                    labels: Tensor, presence_weight: float = 0.0) -> Tensor:
    """Return the loss of all parts of an answer.

    Args:
        loss: From (logits, labels) to a scalar, such as `geoseg.learn.losses.Loss`.
        output: What the network returned in training mode.
        labels: uint8 (n, 1, rows, columns) of exclusive classes or (n, classes, rows, columns) of
            overlapping ones; 255 is ignored.
        presence_weight: Weight of the cross entropy of the presence.

    Returns:
        Mean of `loss` over the map and the side maps (deep supervision, Lee et al. 2015), plus the
        weighted loss of the presence if the network has one.
    """
    if isinstance(output, Tensor):
        return loss(output, labels)
    maps = (output.logits, *output.sides)
    total = torch.stack([loss(logits, labels) for logits in maps]).mean()
    if output.presence is not None:
        total = total + presence_weight * presence_loss(output.presence, labels)
    return total


def presence_loss(presence: Tensor, labels: Tensor) -> Tensor:
    """Return the binary cross entropy of whether a class occurs among the known pixels of a crop.

    Pairs of a crop and a class of which no pixel is known are left out; 0 if none is left.

    Args:
        presence: float (n, classes) logits.
        labels: As in `supervised_loss`.
    """
    classes = presence.shape[1]
    known = (labels != IGNORE).flatten(2).any(dim=2).expand(-1, classes)
    if labels.shape[1] == classes:
        occurs = (labels == 1).flatten(2).any(dim=2)
    else:
        occurs = torch.stack([(labels == value).flatten(1).any(dim=1)
                              for value in range(classes)], dim=1)
    each = functional.binary_cross_entropy_with_logits(
        presence.float(), occurs.float(), reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1)
