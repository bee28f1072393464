"""U-Net++: nested U-Nets that share an encoder."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from geoseg.learn.answers import Answers
from geoseg.learn.card import NetworkCard
from geoseg.learn.networks.layers import double, head, presence_head, up
from geoseg.learn.networks.levels import widths


class NestedUnet(nn.Module):
    """U-Net++ of Zhou et al. 2018 with plain blocks.

    Node X(i, j) stands on level i, j steps right of the encoder. It joins all nodes left of it on
    its level with the one below and left of it, brought up: X(i, j) = H([X(i, 0), ..., X(i, j-1),
    U(X(i+1, j-1))]), H being two 3 x 3 convolutions and U a 2 x 2 transposed one. The nodes of the
    top row, X(0, 1), X(0, 2), ..., end U-Nets of growing depth.

    With deep supervision each node of the top row gives an answer; all are trained, and the map is
    the mean of their logits (the "accurate mode" of the paper). Otherwise only the last one does.

    Args:
        card: Bands, classes, width, depth, dropout, deep supervision, presence head.
    """

    def __init__(self, card: NetworkCard) -> None:
        super().__init__()
        channels = widths(card)
        self.depth = card.depth
        self.encoder = nn.ModuleList(
            double(before, after) for before, after in pairwise([card.bands, *channels]))
        self.up, self.nodes = nn.ModuleDict(), nn.ModuleDict()
        for level, step in self._places():
            here = channels[level]
            self.up[f"{level}-{step}"] = up(channels[level + 1], here)
            self.nodes[f"{level}-{step}"] = double((step + 1) * here, here)
        self.heads = nn.ModuleList(head(card.width, card)
                                   for _ in range(card.depth - 1 if card.deep_supervision else 1))
        self.pool = nn.MaxPool2d(2)
        self.presence = presence_head(channels[-1], card)

    def _places(self) -> list[tuple[int, int]]:
        """Return (level, step) of all nodes right of the encoder, those needed first first."""
        return [(level, step) for step in range(1, self.depth)
                for level in range(self.depth - step)]

    def forward(self, batch: Tensor) -> Tensor | Answers:
        """Return logits (n, classes, rows, columns); sides must be multiples of 2^(depth - 1).

        With deep supervision in training the answer of the deepest U-Net is the map, those of the
        others are its sides.
        """
        rows: list[list[Tensor]] = []
        for level, block in enumerate(self.encoder):
            batch = block(self.pool(batch) if level else batch)
            rows.append([batch])
        for level, step in self._places():
            raised = self.up[f"{level}-{step}"](rows[level + 1][step - 1])
            rows[level].append(self.nodes[f"{level}-{step}"](torch.cat([*rows[level], raised], 1)))
        tops = rows[0][-len(self.heads):]
        maps: list[Tensor] = [answer(top) for answer, top in zip(self.heads, tops, strict=True)]
        presence = None if self.presence is None else self.presence(rows[-1][0])
        if not self.training:
            logits = torch.stack(maps).mean(dim=0)
            return logits if presence is None else Answers(logits, (), presence)
        if len(maps) == 1 and presence is None:
            return maps[0]
        return Answers(maps[-1], tuple(maps[:-1]), presence)
