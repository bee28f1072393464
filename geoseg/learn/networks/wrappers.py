"""What is put around a network: a coarser image, a branch of detail, a damping."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from geoseg.learn.answers import Answers, damped, redrawn

STRIDE = 32
"""Every network takes rows and columns in multiples of this."""


class Reduced(nn.Module):
    """A network that works on a coarser image than it is given.

    The image is averaged over squares of pixels, the network's logits are brought back to the
    image's grid bilinearly. On images much finer than the objects in them it sees farther and
    takes a fraction of the time.

    Args:
        network: Network for the coarse image, whose sides must be multiples of 32.
        factor: Side of the squares in pixels.
    """

    def __init__(self, network: nn.Module, factor: int) -> None:
        super().__init__()
        self.network = network
        self.factor = factor

    def forward(self, batch: Tensor) -> Tensor | Answers:
        """Return logits (n, classes, rows, columns) for a batch of any size."""
        rows, columns = batch.shape[-2:]
        unit = self.factor * STRIDE
        whole = functional.pad(batch, (0, -columns % unit, 0, -rows % unit), mode="replicate")

        def fine(logits: Tensor) -> Tensor:
            logits = functional.interpolate(logits, scale_factor=float(self.factor),
                                            mode="bilinear")
            return logits[..., :rows, :columns]

        return redrawn(self.network(functional.avg_pool2d(whole, self.factor)), fine)


class Detailed(nn.Module):
    """A network whose answer is sharpened by a shallow branch at full resolution.

    Encoders made for photographs begin by halving the image, and the decoders of
    segmentation-models-pytorch take no features from above that step. Two convolutions on the full
    image, joined with the network's logits, bring back edges and features a pixel or two wide.
    """

    def __init__(self, network: nn.Module, bands: int, classes: int, width: int) -> None:
        super().__init__()
        self.network = network
        self.stem = nn.Sequential(*_convolution(bands, width), *_convolution(width, width))
        self.join = nn.Sequential(*_convolution(width + classes, width),
                                  nn.Conv2d(width, classes, 1))

    def forward(self, batch: Tensor) -> Tensor | Answers:
        """Return logits (n, classes, rows, columns)."""
        detail = self.stem(batch)

        def sharp(logits: Tensor) -> Tensor:
            return logits + cast(Tensor, self.join(torch.cat([detail, logits], dim=1)))

        return redrawn(self.network(batch), sharp)


class Damped(nn.Module):
    """A network with a presence head, whose map is damped where a class is doubted as a whole.

    It stands outside all else, so that the map that is damped is the one that was trained.

    Args:
        network: Network that returns `Answers` with a presence.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Tensor) -> Tensor | Answers:
        """Return `Answers` in training, else logits of pixel times image probability."""
        answers: Answers = self.network(batch)
        if self.training or answers.presence is None:
            return answers
        return damped(answers.logits, answers.presence)


class TwoAnswers(nn.Module):
    """A network of segmentation-models-pytorch with its classification head, as `Answers`."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Tensor) -> Answers:
        """Return logits and presence."""
        logits, presence = self.network(batch)
        return Answers(logits, (), presence)


def core(network: nn.Module) -> nn.Module:
    """Return the network inside all wrappers."""
    while isinstance(network, Reduced | Detailed | Damped | TwoAnswers):
        network = network.network
    return network


def _convolution(bands: int, width: int) -> tuple[nn.Module, ...]:
    return (nn.Conv2d(bands, width, 3, padding=1, bias=False), nn.BatchNorm2d(width),
            nn.ReLU(inplace=True))
