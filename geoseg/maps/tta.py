"""Test-time augmentation: the mean of the logits over flips and quarter turns."""

from __future__ import annotations

import torch
from torch import Tensor

from geoseg.learn.model import Model, Precision


def d4_logits(model: Model, batch: Tensor, precision: Precision) -> Tensor:
    """Return logits of square tiles, averaged over the eight symmetries of the square.

    Args:
        model: Model.
        batch: float32 (n, bands, side, side), scaled.
        precision: Arithmetic.

    Returns:
        float32 (n, classes, side, side).
    """
    total = torch.zeros(())
    for mirrored in (False, True):
        for quarter in range(4):
            turned = torch.rot90(batch.flip(-1) if mirrored else batch, quarter, (-2, -1))
            logits = torch.rot90(model.logits(turned, precision), -quarter, (-2, -1))
            logits = logits.flip(-1) if mirrored else logits
            total = total.to(logits.device) + logits
    return total / 8
