"""The Inception-style U-Net of Salminen & Richter."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from geoseg.learn.card import NetworkCard
from geoseg.learn.networks.layers import convolution, double
from geoseg.learn.networks.levels import LevelUnet

_REFERENCE_WIDTH = 64


class Mixture(NamedTuple):
    """Channels of the four branches of an inception block, those of the reducers among them."""

    one: int
    reduce_three: int
    three: int
    reduce_five: int
    five: int
    pool: int

    @property
    def total(self) -> int:
        """Channels of the joined branches."""
        return self.one + self.three + self.five + self.pool

    def scaled(self, factor: float) -> Mixture:
        """Return the mixture of a narrower or wider network."""
        return Mixture(*(_scaled(channels, factor) for channels in self))


GOOGLENET = (
    (Mixture(64, 96, 128, 16, 32, 32), Mixture(128, 128, 192, 32, 96, 64)),
    (Mixture(192, 96, 208, 16, 48, 64), Mixture(160, 112, 224, 24, 64, 64),
     Mixture(128, 128, 256, 24, 64, 64), Mixture(112, 144, 288, 32, 64, 64),
     Mixture(256, 160, 320, 32, 128, 128)),
    (Mixture(256, 160, 320, 32, 128, 128), Mixture(384, 192, 384, 48, 128, 128)))
"""Inception blocks of the third, fourth and fifth level: table 1 of Szegedy et al. 2015."""


class InceptionBlock(nn.Module):
    """Looks at a level in four ways at once and joins what they see (Szegedy et al. 2015).

    A 1 x 1 convolution; a 3 x 3 and a 5 x 5 one, each after a 1 x 1 one that reduces the channels;
    and a 5 x 5 one after 3 x 3 max pooling. GoogLeNet has 1 x 1 there, and so has the figure of
    Salminen & Richter, but only with 5 x 5 does the network have their 48 million parameters.

    Args:
        before: Input channels.
        mixture: Channels of the branches.
    """

    def __init__(self, before: int, mixture: Mixture) -> None:
        super().__init__()
        self.one = nn.Sequential(*convolution(before, mixture.one, 1))
        self.three = nn.Sequential(*convolution(before, mixture.reduce_three, 1),
                                   *convolution(mixture.reduce_three, mixture.three, 3))
        self.five = nn.Sequential(*convolution(before, mixture.reduce_five, 1),
                                  *convolution(mixture.reduce_five, mixture.five, 5))
        self.pool = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1),
                                  *convolution(before, mixture.pool, 5))

    def forward(self, batch: Tensor) -> Tensor:
        """Return (n, mixture.total, rows, columns)."""
        return torch.cat([self.one(batch), self.three(batch), self.five(batch), self.pool(batch)],
                         dim=1)


def inception_unet(card: NetworkCard) -> LevelUnet:
    """Return a U-Net whose encoder is GoogLeNet's: inception blocks from the third level on.

    The first level is a 7 x 7 convolution of `width` channels, the second two 3 x 3 ones of three
    times as many. Pooling between levels is 2 x 2, so that pixels stay under their parents. With
    width 64, depth 5, 3 bands and 4 classes it has 48,141,492 parameters.
    """
    factor = card.width / _REFERENCE_WIDTH
    channels = [_scaled(64, factor), _scaled(192, factor)]
    levels: list[nn.Module] = [nn.Sequential(*convolution(card.bands, channels[0], 7)),
                               double(*channels)]
    for mixtures in GOOGLENET[:card.depth - 2]:
        blocks, width = [], channels[-1]
        for mixture in mixtures:
            scaled = mixture.scaled(factor)
            blocks.append(InceptionBlock(width, scaled))
            width = scaled.total
        levels.append(nn.Sequential(*blocks))
        channels.append(width)
    return LevelUnet(levels, channels, nn.MaxPool2d(2), card)


def _scaled(channels: int, factor: float) -> int:
    return max(1, round(channels * factor))
