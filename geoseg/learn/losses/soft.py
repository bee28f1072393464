"""Targets that fade with the distance from a label, for classes as thin as a coast.

A line a few pixels wide is hardly ever labelled at the very pixel, and a pixel beside it is not as
wrong as one far out at sea. Both kinds of target are made on the processor from the labels of the
crop, and carry no gradient. What lies beyond the crop, or is ignored, neither adds to them nor
dilutes them.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch
from torch import Tensor

from geoseg.learn.losses.pair import Pair


def soft_target(pair: Pair, *, heatmap: float | None = None, blur: float | None = None) -> Tensor:
    """Return the target of the cross entropy; zeros and ones if neither option is given.

    Args:
        pair: The batch.
        heatmap: Standard deviation in pixels of a Gaussian of the distance to the class.
        blur: Standard deviation in pixels of a Gaussian that the labels are smoothed by.

    Returns:
        Float (n, classes, rows, columns) in 0..1; 0 where ignored. Blurred exclusive classes add
        up to 1.
    """
    if heatmap is not None:
        return _by_plane(pair, lambda inside, known: _heat(inside, known, heatmap))
    if blur is not None:
        return _by_plane(pair, lambda inside, known: _blurred(inside, known, blur))
    return pair.target


@torch.no_grad()
def _by_plane(pair: Pair, soften: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Tensor:
    """Soften each class of each image by a function of what it covers and of what is known."""
    shape = pair.target.shape
    inside = pair.target.bool().cpu().numpy().reshape(-1, *shape[2:])
    known = pair.known.cpu().numpy().reshape(-1, *shape[2:])
    planes = [soften(*each) for each in zip(inside, known, strict=True)]
    return torch.from_numpy(np.stack(planes).reshape(shape)).to(pair.target)


def _heat(inside: np.ndarray, known: np.ndarray, sigma: float) -> np.ndarray:
    """Return exp(-d² / 2 sigma²), float32 (rows, columns), d to the nearest pixel inside.

    Distances run between centres of pixels, so the class itself has 1; they may cross what is
    ignored. Without a pixel inside all is 0.
    """
    if not inside.any():
        return np.zeros(inside.shape, np.float32)
    away = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(np.exp(-0.5 * np.square(away / np.float32(sigma))) * known)


def _blurred(inside: np.ndarray, known: np.ndarray, sigma: float) -> np.ndarray:
    """Return the share of the class around each pixel, float32 (rows, columns).

    A normalised convolution (Knutsson and Westin 1993): what is ignored has no weight.
    """
    def gaussian(values: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(values.astype(np.float32), (0, 0), sigma,
                                borderType=cv2.BORDER_CONSTANT)

    share: np.ndarray = np.divide(gaussian(inside), gaussian(known), where=known,
                                  out=np.zeros(inside.shape, np.float32))
    return share.clip(0, 1)
