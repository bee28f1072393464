"""Losses that weigh errors by their distance from an outline: boundary and Hausdorff.

Distances run in pixels from the centre of a pixel to the outline of a class, which lies half a
pixel before the nearest known pixel of the other side. They are made on the processor, from labels
(and for Hausdorff from answers), and carry no gradient. Where an image shows a class nowhere or
everywhere there is no outline to measure from; every pixel then counts as 1 pixel from it, and
the loss is the mean probability that is wrong.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from geoseg.learn.losses.pair import Pair, ratio


def boundary(pair: Pair, *, reach: float) -> Tensor:
    """Mean of signed distance times (probability - label); Kervadec et al. 2019.

    The distance is negative inside the class, so no pixel is below zero. Kervadec leaves out the
    label, which takes a constant away and no gradient.
    """
    signed = _distances(pair.target, pair.known, reach) * (1 - 2 * pair.target)
    return _mean(pair, signed * (pair.probabilities - pair.target))


def hausdorff(pair: Pair, *, alpha: float, reach: float) -> Tensor:
    """Mean of (probability - label)^2 times distances^alpha; Karimi and Salcudean 2019.

    The distances are those from the outline of the label plus those from the outline of the answer.
    """
    to_label = _distances(pair.target, pair.known, reach)
    to_answer = _distances(pair.answer, pair.known, reach)
    errors = (pair.probabilities - pair.target) ** 2
    return _mean(pair, errors * (to_label ** alpha + to_answer ** alpha))


def _mean(pair: Pair, each: Tensor) -> Tensor:
    """Mean over all known pixels of all classes; what is ignored must hold zeros."""
    return ratio(each.sum(), pair.known.sum())


@torch.no_grad()
def _distances(inside: Tensor, known: Tensor, reach: float) -> Tensor:
    """Return the distance of each pixel to the outline of its class, at most `reach`.

    Args:
        inside: (n, classes, rows, columns), bool or zeros and ones.
        known: bool (n, classes, rows, columns): pixels that belong to a side at all.
        reach: Pixels.

    Returns:
        float32 (n, classes, rows, columns); of no meaning where not known.
    """
    shape = inside.shape
    sides = inside.bool().cpu().numpy().reshape(-1, *shape[2:])
    decided = known.cpu().numpy().reshape(-1, *shape[2:])
    planes = [_to_outline(side & here, ~side & here)
              for side, here in zip(sides, decided, strict=True)]
    distances = np.stack(planes).reshape(shape)
    return torch.from_numpy(distances).to(inside.device).clamp(max=reach)


def _to_outline(inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Return float32 (rows, columns) distances to the outline between two sides of a plane."""
    if not inside.any() or not outside.any():
        return np.ones(inside.shape, np.float32)
    to_inside, to_outside = (
        cv2.distanceTransform((~side).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        for side in (inside, outside))
    return np.maximum(to_inside, to_outside) - np.float32(0.5)
