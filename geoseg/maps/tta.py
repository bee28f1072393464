"""Test-time augmentation: the mean of the logits over turns and scales of the image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from geoseg.learn.model import STRIDE, Model, Precision
from geoseg.recipe.names import Tta

_TURNS: dict[Tta, tuple[tuple[bool, int], ...]] = {
    "none": ((False, 0),),
    "flips": ((False, 0), (True, 0), (False, 2), (True, 2)),
    "d4": tuple((mirrored, quarters) for mirrored in (False, True) for quarters in range(4)),
}
"""Whether the tile is mirrored left to right first, and by how many quarters it is turned then."""


def mean_logits(model: Model, batch: Tensor, precision: Precision = "auto", *, tta: Tta = "none",
                scales: Sequence[float] = (1.0,)) -> Tensor:
    """Return logits of square tiles, averaged over turns and scales.

    At each scale the tiles are resampled (bilinear, with a low-pass where they shrink) to sides
    that the network takes, and the logits are brought back to the tile.

    Args:
        model: Model.
        batch: float32 (n, bands, side, side), scaled; the side is a multiple of 32.
        precision: Arithmetic.
        tta: `none`; `flips`: as it is, mirrored left to right, up to down, and both; `d4`: the
            eight symmetries of the square (Simonyan and Zisserman 2015 for one flip).
        scales: Sides of the resampled tile relative to the tile, rounded to multiples of 32.

    Returns:
        float32 (n, classes, side, side).
    """
    side = batch.shape[-1]
    sizes = [max(1, round(side * factor / STRIDE)) * STRIDE for factor in scales]
    answers = [_resampled(_over_turns(model, _resampled(batch, size), precision, tta,
                                      len(batch) * side**2), side) for size in sizes]
    return answers[0] if len(answers) == 1 else torch.stack(answers).mean(dim=0)


def _over_turns(model: Model, batch: Tensor, precision: Precision, tta: Tta, pixels: int
                ) -> Tensor:
    """Return the mean of the logits over turns, given to the network at most `pixels` at once."""
    count = max(1, pixels // batch.shape[-1] ** 2)
    parts = [batch[start:start + count] for start in range(0, len(batch), count)]
    total = torch.zeros((), device=model.device)
    for mirrored, quarters in _TURNS[tta]:
        turned = (torch.rot90(part.flip(-1) if mirrored else part, quarters, (-2, -1))
                  for part in parts)
        logits = torch.cat([model.logits(part, precision) for part in turned])
        logits = torch.rot90(logits, -quarters, (-2, -1))
        total = total + (logits.flip(-1) if mirrored else logits)
    return total / len(_TURNS[tta])


def _resampled(tiles: Tensor, side: int) -> Tensor:
    if tiles.shape[-1] == side:
        return tiles
    return interpolate(tiles, size=(side, side), mode="bilinear", antialias=True)
