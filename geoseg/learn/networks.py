"""Networks by name: those of segmentation-models-pytorch, and the classic U-Net."""

from __future__ import annotations

import logging
from typing import cast

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn
from torch.nn import functional

from geoseg.errors import RecipeError
from geoseg.learn.card import NetworkCard
from geoseg.learn.classic import ClassicUnet

_log = logging.getLogger("geoseg")
CLASSIC = "classic-unet"
"""Name of the plain U-Net, which takes no encoder and no detail branch."""
_DECODER = (256, 128, 64, 32, 16)
_STRIDE = 32


def build_network(card: NetworkCard, *, pretrained: bool = False) -> nn.Module:
    """Build a network.

    Args:
        card: Architecture, encoder, bands, classes, dropout.
        pretrained: Start the encoder from ImageNet weights. If they cannot be fetched (offline)
            or do not exist, a warning says so and the encoder starts from random weights.

    Returns:
        Module from float (n, bands, rows, columns) to logits (n, classes, rows, columns); rows and
        columns must be multiples of 32.

    Raises:
        RecipeError: Unknown architecture or encoder, or a pair that does not go together.
    """
    network = _build_core(card, pretrained)
    if card.reduce > 1:
        network = Reduced(network, card.reduce)
    if card.detail and card.architecture != CLASSIC:
        network = Detailed(network, card.bands, card.classes, card.detail)
    return network


def _build_core(card: NetworkCard, pretrained: bool) -> nn.Module:
    if card.architecture == CLASSIC:
        return ClassicUnet(card.bands, card.classes, card.width, card.depth, card.dropout)
    if card.architecture not in smp.MODEL_ARCHITECTURES_MAPPING:
        known = ", ".join([CLASSIC, *smp.MODEL_ARCHITECTURES_MAPPING])
        raise RecipeError("train.network", f"{card.architecture!r} is not known",
                          f"Use one of {known}")
    if not card.encoder.startswith("tu-") and card.encoder not in smp.encoders.encoders:
        raise RecipeError("train.encoder", f"{card.encoder!r} is not known",
                          "Use an encoder of segmentation-models-pytorch, such as resnet34 or "
                          "efficientnet-b0, or a timm model as tu-NAME")
    if pretrained:
        try:
            return _create(card, "imagenet")
        except (OSError, KeyError, ValueError) as error:
            _log.warning(
                "Pretrained weights for %s could not be fetched (%s); training starts from random "
                "weights. With an internet connection they are fetched once and kept; set "
                "pretrained = false under [train] to start without them.",
                card.encoder, type(error).__name__)
    return _create(card, None)


def _create(card: NetworkCard, weights: str | None) -> nn.Module:
    shallow = {} if card.depth == len(_DECODER) else {
        "encoder_depth": card.depth, "decoder_channels": _DECODER[-card.depth:]}
    try:
        network: nn.Module = smp.create_model(
            card.architecture, card.encoder, encoder_weights=weights, in_channels=card.bands,
            classes=card.classes, **shallow)
    except (TypeError, AttributeError, RuntimeError) as error:
        raise RecipeError(f"{card.architecture} with {card.encoder}", f"cannot be built ({error})",
                          "Choose another encoder or depth for this network") from error
    if card.dropout:
        head = network.get_submodule("segmentation_head")
        network.segmentation_head = nn.Sequential(nn.Dropout2d(card.dropout), head)
    return network


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

    def forward(self, batch: Tensor) -> Tensor:
        """Return logits (n, classes, rows, columns) for a batch of any size."""
        rows, columns = batch.shape[-2:]
        unit = self.factor * _STRIDE
        whole = functional.pad(batch, (0, -columns % unit, 0, -rows % unit), mode="replicate")
        logits = self.network(functional.avg_pool2d(whole, self.factor))
        fine = functional.interpolate(logits, scale_factor=float(self.factor), mode="bilinear")
        return fine[..., :rows, :columns]


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

    def forward(self, batch: Tensor) -> Tensor:
        """Return logits (n, classes, rows, columns)."""
        logits: Tensor = self.network(batch)
        detail = self.stem(batch)
        return logits + cast(Tensor, self.join(torch.cat([detail, logits], dim=1)))


def _convolution(bands: int, width: int) -> tuple[nn.Module, ...]:
    return (nn.Conv2d(bands, width, 3, padding=1, bias=False), nn.BatchNorm2d(width),
            nn.ReLU(inplace=True))


def parameter_groups(network: nn.Module, learning_rate: float, encoder_factor: float
                     ) -> list[dict[str, object]]:
    """Return optimiser groups: the encoder at a fraction of the rate, the rest at the full one."""
    core = network
    while isinstance(core, Detailed | Reduced):
        core = core.network
    encoder = {id(parameter) for parameter in core.get_submodule("encoder").parameters()}
    rest = [p for p in network.parameters() if id(p) not in encoder]
    return [{"params": [p for p in network.parameters() if id(p) in encoder],
             "lr": learning_rate * encoder_factor},
            {"params": rest, "lr": learning_rate}]
