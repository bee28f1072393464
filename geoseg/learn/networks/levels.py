"""The plain U-Net: the way down and up the levels that others share with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from geoseg.learn.answers import Answers
from geoseg.learn.card import NetworkCard
from geoseg.learn.networks.layers import double, head, presence_head, up


class LevelUnet(nn.Module):
    """A U-Net (Ronneberger et al. 2015) with padded convolutions and batch normalisation.

    The decoder is the same for all: a 2 x 2 transposed convolution leads up, its answer is joined
    with what the encoder saw on that level, and two 3 x 3 convolutions follow, all with batch
    normalisation and ReLU. Weights start from PyTorch's uniform distribution: after batch
    normalisation their size only sets how fast they learn, and from He's, 2.4 times as large, they
    learn too slowly for short schedules (docs/results.md). Unlike encoders made for photographs it
    works at full resolution from the start, which suits structures a few pixels wide.

    Args:
        levels: Blocks of the encoder from the full resolution down.
        channels: Channels that each of them gives.
        down: Leads from one level to the next, where the blocks do not do that themselves.
        card: Classes, dropout, presence head.
    """

    def __init__(self, levels: Iterable[nn.Module], channels: Sequence[int], down: nn.Module,
                 card: NetworkCard) -> None:
        super().__init__()
        steps = list(pairwise(reversed(channels)))
        self.encoder = nn.ModuleList(levels)
        self.up = nn.ModuleList(up(below, above) for below, above in steps)
        self.decoder = nn.ModuleList(double(2 * above, above) for _, above in steps)
        self.down = down
        self.head = head(channels[0], card)
        self.presence = presence_head(channels[-1], card)

    def forward(self, batch: Tensor) -> Tensor | Answers:
        """Return logits (n, classes, rows, columns); sides must be multiples of 2^(levels - 1)."""
        skips: list[Tensor] = []
        for level, block in enumerate(self.encoder):
            batch = block(self.down(batch) if level else batch)
            skips.append(batch)
        deepest = skips.pop()
        for lead, block in zip(self.up, self.decoder, strict=True):
            batch = block(torch.cat([skips.pop(), lead(batch)], dim=1))
        logits: Tensor = self.head(batch)
        return logits if self.presence is None else Answers(logits, (), self.presence(deepest))


def classic_unet(card: NetworkCard) -> LevelUnet:
    """Return the classic U-Net: two 3 x 3 convolutions on each level, max pooling between.

    With width 64, depth 5, 3 bands and 4 classes it has the 31,045,636 parameters of table A.1 of
    Salminen & Richter, where two transposed convolutions say stride 1 and must have 2.
    """
    channels = widths(card)
    levels = (double(before, after) for before, after in pairwise([card.bands, *channels]))
    return LevelUnet(levels, channels, nn.MaxPool2d(2), card)


def widths(card: NetworkCard) -> list[int]:
    """Return the channels of each level, which double from one to the next."""
    return [card.width * 2**level for level in range(card.depth)]
