"""Losses that are means over pixels: cross entropy, focal, generalised cross entropy."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from geoseg.geo.legend import IGNORE
from geoseg.learn.losses.pair import Pair, power, ratio


def cross_entropy(pair: Pair, *, label_smoothing: float = 0.0) -> Tensor:
    """Mean cross entropy; binary per class for overlapping classes."""
    if pair.overlapping:
        target = pair.target * (1 - label_smoothing) + label_smoothing / 2
        return pair.weighted_mean(functional.binary_cross_entropy_with_logits(
            pair.logits, target, reduction="none"))
    # torch's own mean is NaN where every pixel is ignored.
    total = functional.cross_entropy(
        pair.logits, pair.labels[:, 0].long(), weight=pair.class_weights, ignore_index=IGNORE,
        label_smoothing=label_smoothing, reduction="sum")
    return ratio(total, pair.weights.sum())


def focal(pair: Pair, *, gamma: float, alpha: float | None = None) -> Tensor:
    """Mean of -(1 - p)^gamma log p, p being the probability given to what is true.

    Lin et al. 2017; on softmax for exclusive classes, where many libraries put one sigmoid per
    class. `alpha` weighs the second of two exclusive classes, or the presence of an overlapping
    one; the other side has 1 - alpha. `geoseg.recipe.formula.check_loss` refuses it elsewhere.
    """
    each = -power(-torch.expm1(pair.log_right), gamma) * pair.log_right
    if alpha is not None:
        each = each * torch.where(pair.labels == 1, alpha, 1 - alpha)
    return pair.weighted_mean(each)


def generalised_cross_entropy(pair: Pair, *, q: float) -> Tensor:
    """Mean of (1 - p^q) / q, which forgives wrong labels; Zhang and Sabuncu 2018."""
    return pair.weighted_mean(-torch.expm1(q * pair.log_right) / q)
