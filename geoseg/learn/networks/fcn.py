"""Fully convolutional networks on VGG16, with skips from pool4 and pool3."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn
from torch.nn import functional

from geoseg.learn.answers import Answers
from geoseg.learn.card import NetworkCard
from geoseg.learn.networks.layers import convolution, head, presence_head

BACKBONE = "vgg16_bn"
"""Its name in segmentation-models-pytorch."""
_CHANNELS = (64, 128, 256, 512, 512)
_CONVOLUTIONS = (2, 2, 3, 3, 3)
_FULLY_CONNECTED = 64


class Fcn(nn.Module):
    """FCN-32s, FCN-16s or FCN-8s of Long et al. 2015.

    VGG16 ends in pool5 at 1/32 of the resolution; fc6 (7 x 7) and fc7 (1 x 1) are its fully
    connected layers as convolutions, `score` gives their logits. FCN-16s doubles these and adds
    logits from pool4 (1/16), FCN-8s doubles once more and adds logits from pool3 (1/8); those of
    the pools start from zero weights, so that a network begins where the coarser one is. The
    doublings are learnt and start bilinear; the last step to the full resolution is bilinear.

    Unlike the paper: batch normalisation, without which the network hardly learns from a random
    start; `same` padding in place of 100 pixels around the image, which keeps all maps aligned
    with the image from border to border; 64 x width channels in fc6 and fc7, which is the paper's
    4096 at width 64, from random weights.

    Args:
        card: Bands, classes, width, dropout (after fc6 and fc7), presence head.
        stride: Of the finest pool that gives logits: 32, 16 or 8.
    """

    def __init__(self, card: NetworkCard, stride: Literal[8, 16, 32]) -> None:
        super().__init__()
        wide = _FULLY_CONNECTED * card.width
        self.encoder = nn.ModuleList(_pool(before, after, count) for (before, after), count in zip(
            pairwise([card.bands, *_CHANNELS]), _CONVOLUTIONS, strict=True))
        self.fc6 = nn.Sequential(*convolution(_CHANNELS[-1], wide, 7), nn.Dropout2d(card.dropout))
        self.fc7 = nn.Sequential(*convolution(wide, wide, 1))
        self.score = head(wide, card)
        self.skips = nn.ModuleList(_skip(channels, card.classes) for channels in
                                   {32: (), 16: (512,), 8: (512, 256)}[stride])
        self.doublings = nn.ModuleList(Doubling(card.classes) for _ in self.skips)
        self.presence = presence_head(_CHANNELS[-1], card)

    def forward(self, batch: Tensor) -> Tensor | Answers:
        """Return logits (n, classes, rows, columns); sides must be multiples of 32."""
        size, pools = batch.shape[-2:], []
        for block in self.encoder:
            batch = block(batch)
            pools.append(batch)
        deepest = pools.pop()
        logits: Tensor = self.score(self.fc7(self.fc6(deepest)))
        for doubling, skip in zip(self.doublings, self.skips, strict=True):
            logits = doubling(logits) + skip(pools.pop())
        logits = functional.interpolate(logits, size=size, mode="bilinear")
        return logits if self.presence is None else Answers(logits, (), self.presence(deepest))

    def load_imagenet(self) -> None:
        """Start VGG16 from ImageNet weights.

        Raises:
            OSError: They cannot be fetched.
        """
        bands = next(self.encoder.parameters()).shape[1]
        donor = smp.encoders.get_encoder(BACKBONE, in_channels=bands, weights="imagenet")
        given = donor.features.state_dict().values()
        self.encoder.load_state_dict(dict(zip(self.encoder.state_dict(), given, strict=True)))


class Doubling(nn.Module):
    """A learnt doubling of rows and columns that starts as bilinear interpolation.

    The map is continued by a pixel beyond its border, as interpolation does; a transposed
    convolution alone would let it fade to zero there.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.kernel = nn.ConvTranspose2d(channels, channels, 4, stride=2, padding=1, bias=False)
        side = torch.tensor([0.25, 0.75, 0.75, 0.25])
        with torch.no_grad():
            self.kernel.weight.copy_(
                torch.eye(channels)[:, :, None, None] * torch.outer(side, side))

    def forward(self, batch: Tensor) -> Tensor:
        """Return (n, channels, 2 rows, 2 columns)."""
        doubled: Tensor = self.kernel(functional.pad(batch, (1, 1, 1, 1), mode="replicate"))
        return doubled[..., 2:-2, 2:-2]


def _pool(before: int, after: int, count: int) -> nn.Sequential:
    """Return the convolutions of a stage of VGG and its pooling."""
    channels = [before, *[after] * count]
    layers = [layer for one, two in pairwise(channels) for layer in convolution(one, two)]
    return nn.Sequential(*layers, nn.MaxPool2d(2))


def _skip(channels: int, classes: int) -> nn.Conv2d:
    """Return the convolution that gives the logits of a pool, nothing at first."""
    skip = nn.Conv2d(channels, classes, 1)
    nn.init.zeros_(skip.weight)
    nn.init.zeros_(skip.bias)  # type: ignore[arg-type]
    return skip
