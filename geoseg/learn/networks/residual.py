"""The ResNet-style U-Net of Salminen & Richter."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from geoseg.learn.card import NetworkCard
from geoseg.learn.networks.layers import convolution
from geoseg.learn.networks.levels import LevelUnet, widths


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut: the basic block of He et al. 2016.

    Where it leads down a level, its first convolution and the 1 x 1 convolution of the shortcut
    have stride 2; elsewhere the shortcut is the input itself.

    Args:
        before: Input channels.
        after: Output channels.
        stride: 2 to lead down a level.
    """

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__()
        *second, _ = convolution(after, after)
        self.body = nn.Sequential(*convolution(before, after, stride=stride), *second)
        *projection, _ = convolution(before, after, 1, stride)
        self.shortcut = nn.Sequential(*(projection if stride > 1 or before != after else ()))

    def forward(self, batch: Tensor) -> Tensor:
        """Return (n, after, rows / stride, columns / stride)."""
        return functional.relu(self.body(batch) + self.shortcut(batch))


def resnet_unet(card: NetworkCard) -> LevelUnet:
    """Return a U-Net whose encoder has two residual blocks on each level, after a 7 x 7 stem.

    With width 64, depth 5, 3 bands and 4 classes it has 56,945,604 parameters.
    """
    channels = widths(card)
    first = nn.Sequential(*convolution(card.bands, card.width, 7),
                          ResidualBlock(card.width, card.width),
                          ResidualBlock(card.width, card.width))
    deeper = (nn.Sequential(ResidualBlock(above, below, stride=2), ResidualBlock(below, below))
              for above, below in pairwise(channels))
    return LevelUnet([first, *deeper], channels, nn.Identity(), card)
