"""Losses that are means over pixels: cross entropy, focal, generalised cross entropy."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from geoseg.geo.legend import IGNORE
from geoseg.learn.losses.pair import Pair, power, ratio
from geoseg.learn.losses.soft import soft_target


def cross_entropy(pair: Pair, *, label_smoothing: float = 0.0, heatmap: float | None = None,
                  blur: float | None = None) -> Tensor:
    """Mean cross entropy; binary per class for overlapping classes.

    Args:
        pair: The batch.
        label_smoothing: Share of certainty taken from the target.
        heatmap: Makes the target fade with the distance from the class, see
            `geoseg.learn.losses.soft`; for overlapping classes.
        blur: Makes the target the labels smoothed by a Gaussian, see there.
    """
    if heatmap is None and blur is None and not pair.overlapping:
        # torch's own mean is NaN where every pixel is ignored.
        total = functional.cross_entropy(
            pair.logits, pair.labels[:, 0].long(), weight=pair.class_weights, ignore_index=IGNORE,
            label_smoothing=label_smoothing, reduction="sum")
        return ratio(total, pair.weights.sum())
    target = soft_target(pair, heatmap=heatmap, blur=blur)
    classes = 2 if pair.overlapping else target.shape[1]
    smoothed = target * (1 - label_smoothing) + label_smoothing / classes
    if pair.overlapping:
        return pair.weighted_mean(functional.binary_cross_entropy_with_logits(
            pair.logits, smoothed, reduction="none"))
    # A pixel that is shared by classes has the weight of each by its share.
    weight = pair.known.to(target.dtype)
    if pair.class_weights is not None:
        weight = weight * pair.class_weights[None, :, None, None]
    total = -(weight * smoothed * pair.logits.log_softmax(dim=1)).sum()
    return ratio(total, (weight * target).sum())


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
