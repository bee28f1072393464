"""Losses that compare regions: Dice, IoU, Tversky, exponential logarithmic, Lovász.

All are means over classes, and counts run over the whole batch. What an overlapping class brings
that the batch does not show is its mean probability over the known pixels: an index says nothing
there, since it is 0 for every answer, or through its smoothing term has a gradient that falls with
the square of the number of pixels. Exclusive classes are averaged over those that are present; a
false alarm of the others is a miss of these.
"""

from __future__ import annotations

import torch
from segmentation_models_pytorch.losses import LovaszLoss
from torch import Tensor
from torch.nn import functional

from geoseg.geo.legend import IGNORE
from geoseg.learn.losses.pair import Pair, power, ratio


def dice(pair: Pair, *, smooth: float) -> Tensor:
    """One minus soft Dice with the plain sum in the denominator; after Milletari et al. 2016."""
    return _mean_over_classes(pair, 1 - _dice_index(pair, smooth))


def iou(pair: Pair, *, smooth: float) -> Tensor:
    """One minus the soft Jaccard index; Rahman and Wang 2016."""
    overlap, predicted, present, _ = pair.counts
    return _mean_over_classes(
        pair, 1 - ratio(overlap + smooth, predicted + present - overlap + smooth))


def tversky(pair: Pair, *, alpha: float, beta: float, smooth: float) -> Tensor:
    """One minus the Tversky index, alpha on false positives; Salehi et al. 2017."""
    return _mean_over_classes(pair, 1 - _tversky_index(pair, alpha, beta, smooth))


def focal_tversky(pair: Pair, *, alpha: float, beta: float, smooth: float, gamma: float) -> Tensor:
    """Mean of (1 - Tversky index)^(1 / gamma); Abraham and Khan 2019."""
    loss = power(1 - _tversky_index(pair, alpha, beta, smooth), 1 / gamma)
    return _mean_over_classes(pair, loss)


def exponential_logarithmic(pair: Pair, *, gamma: float, dice: float, smooth: float) -> Tensor:
    """Powers of -ln Dice and of the cross entropy of pixels; Wong et al. 2018.

    Args:
        pair: The batch.
        gamma: Exponent of both.
        dice: Share of the Dice part; the rest goes to the cross entropy, with class weights.
        smooth: Added to numerator and denominator of Dice.
    """
    index = _dice_index(pair, smooth).clamp(min=1e-12)
    regions = _mean_over_classes(pair, power(-index.log(), gamma))
    pixels = pair.weighted_mean(power(-pair.log_right, gamma))
    return dice * regions + (1 - dice) * pixels


def lovasz(pair: Pair) -> Tensor:
    """Lovász-softmax over the classes present, Lovász hinge for overlapping ones; Berman 2018.

    An overlapping class that the batch does not show brings the mean of its hinge errors; the
    Lovász extension is there the largest error alone, so one pixel would learn per step.
    """
    if not pair.decided.any():
        return pair.logits.sum() * 0
    logits = pair.logits.float()  # smp's sorts and sums in single precision only.
    if not pair.overlapping:
        loss: Tensor = LovaszLoss("multiclass", ignore_index=IGNORE)(logits, pair.labels[:, 0])
        return loss
    binary = LovaszLoss("binary", ignore_index=IGNORE)
    hinge = functional.relu(1 + logits) * pair.known
    absent = ratio(hinge.sum((0, 2, 3)), pair.counts.known)
    present = torch.stack([binary(logits[:, value], pair.labels[:, value])
                           for value in range(logits.shape[1])])
    each = torch.where(pair.counts.present > 0, present, absent)
    seen = pair.counts.known > 0
    return (each * seen).sum() / seen.sum()


def _dice_index(pair: Pair, smooth: float) -> Tensor:
    """Soft Dice of each class over the batch, float (classes,)."""
    overlap, predicted, present, _ = pair.counts
    return ratio(2 * overlap + smooth, predicted + present + smooth)


def _tversky_index(pair: Pair, alpha: float, beta: float, smooth: float) -> Tensor:
    """Soft Tversky index of each class over the batch, float (classes,)."""
    overlap, predicted, present, _ = pair.counts
    errors = alpha * (predicted - overlap) + beta * (present - overlap)
    return ratio(overlap + smooth, overlap + errors + smooth)


def _mean_over_classes(pair: Pair, present: Tensor) -> Tensor:
    """Average what classes bring, as the head of this module says; 0 where nothing is known.

    Args:
        pair: The batch.
        present: float (classes,): what each class brings where the batch shows it.
    """
    counts = pair.counts
    here = counts.present > 0
    if not pair.overlapping:
        return ratio(torch.where(here, present, 0).sum(), here.sum())
    each = torch.where(here, present, ratio(counts.predicted, counts.known))
    return ratio(each.sum(), (counts.known > 0).sum())
