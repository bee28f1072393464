"""The classic U-Net: plain convolutions from the full resolution down and back."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn


class ClassicUnet(nn.Module):
    """U-Net of Ronneberger et al. 2015 with padded convolutions and batch normalisation.

    Each level holds two 3 x 3 convolutions; max pooling leads down and a 2 x 2 transposed
    convolution leads up, both with batch normalisation and ReLU. With width 64, depth 5, 3 bands
    and 4 classes it has 31,045,636 parameters. Weights start from PyTorch's uniform distribution:
    after batch normalisation their size only sets how fast they learn, and from He's, 2.4 times
    as large, they learn too slowly for short schedules (docs/results.md).
    Unlike encoders made for photographs it works at full resolution from the start, which suits
    structures a few pixels wide.

    Args:
        bands: Input bands.
        classes: Output classes.
        width: Channels of the first level; each level below has twice as many.
        depth: Levels.
        dropout: Dropout of whole feature maps before the last layer.
    """

    def __init__(self, bands: int, classes: int, width: int = 64, depth: int = 5,
                 dropout: float = 0.0) -> None:
        super().__init__()
        channels = [width * 2**level for level in range(depth)]
        self.encoder = nn.ModuleList(
            nn.Sequential(*_convolution(before, after), *_convolution(after, after))
            for before, after in pairwise([bands, *channels]))
        self.up = nn.ModuleList(_up(below, above) for below, above in pairwise(channels[::-1]))
        self.decoder = nn.ModuleList(
            nn.Sequential(*_convolution(below, above), *_convolution(above, above))
            for below, above in pairwise(channels[::-1]))
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Sequential(nn.Dropout2d(dropout), nn.Conv2d(width, classes, 1))

    def forward(self, batch: Tensor) -> Tensor:
        """Return logits (n, classes, rows, columns); sides must be multiples of 2^(depth - 1)."""
        skips: list[Tensor] = []
        for level, block in enumerate(self.encoder):
            batch = block(self.pool(batch) if level else batch)
            skips.append(batch)
        skips.pop()
        for up, block in zip(self.up, self.decoder, strict=True):
            batch = block(torch.cat([skips.pop(), up(batch)], dim=1))
        logits: Tensor = self.head(batch)
        return logits


def _convolution(before: int, after: int) -> tuple[nn.Module, ...]:
    return (nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(inplace=True))


def _up(below: int, above: int) -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose2d(below, above, 2, stride=2), nn.BatchNorm2d(above),
                         nn.ReLU(inplace=True))
