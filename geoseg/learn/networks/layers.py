"""The layers that our own networks are made of."""

from __future__ import annotations

import segmentation_models_pytorch as smp
from torch import nn

from geoseg.learn.card import NetworkCard


def convolution(before: int, after: int, size: int = 3, stride: int = 1) -> tuple[nn.Module, ...]:
    """Return a convolution of odd size that keeps rows and columns, batch normalisation, ReLU."""
    return (nn.Conv2d(before, after, size, stride, padding=size // 2), nn.BatchNorm2d(after),
            nn.ReLU(inplace=True))


def double(before: int, after: int) -> nn.Sequential:
    """Return two 3 x 3 convolutions, the block of a plain U-Net."""
    return nn.Sequential(*convolution(before, after), *convolution(after, after))


def up(below: int, above: int) -> nn.Sequential:
    """Return a 2 x 2 transposed convolution that doubles rows and columns."""
    return nn.Sequential(nn.ConvTranspose2d(below, above, 2, stride=2), nn.BatchNorm2d(above),
                         nn.ReLU(inplace=True))


def head(channels: int, card: NetworkCard) -> nn.Sequential:
    """Return dropout and the 1 x 1 convolution that gives the logits."""
    return nn.Sequential(nn.Dropout2d(card.dropout), nn.Conv2d(channels, card.classes, 1))


def presence_head(channels: int, card: NetworkCard) -> nn.Module | None:
    """Return the head that tells from the deepest features which classes the image shows."""
    if not card.presence:
        return None
    head: nn.Module = smp.base.ClassificationHead(channels, card.classes, dropout=card.dropout)
    return head
