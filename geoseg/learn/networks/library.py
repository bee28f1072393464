"""The networks of segmentation-models-pytorch, with encoders of its own or of timm."""

from __future__ import annotations

import difflib
import warnings
from typing import Any

import segmentation_models_pytorch as smp
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from geoseg.errors import RecipeError
from geoseg.learn.card import NetworkCard

_DEEPEST = 5
_DECODER = (256, 128, 64, 32, 16)
_WITH_DECODER_CHANNELS = ("unet", "unetplusplus", "manet")
_TIMM = "tu-"
_LEAST_FOR_PAN = 128
_TRIED = (64, 96)


class Pan(smp.PAN):  # type: ignore[misc]
    """PAN, which halves the deepest features three more times and therefore needs 128 pixels.

    Smaller images are continued by their border and the answer is cut.
    """

    def forward(self, batch: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return logits, and those of the classification head if there is one."""
        rows, columns = batch.shape[-2:]
        padding = (0, max(0, _LEAST_FOR_PAN - columns), 0, max(0, _LEAST_FOR_PAN - rows))
        answer: Tensor | tuple[Tensor, Tensor] = super().forward(
            functional.pad(batch, padding, mode="replicate"))
        if isinstance(answer, tuple):
            return answer[0][..., :rows, :columns], answer[1]
        return answer[..., :rows, :columns]


def library_network(card: NetworkCard) -> nn.Module:
    """Build a network with random weights, and try it on a small image.

    Raises:
        RecipeError: The encoder is not known, or does not go with the network, the depth, or
            images of any size.
    """
    _check_encoder(card)
    subject = f"{card.architecture} with encoder {card.encoder}"
    try:
        network = create(card, weights=False)
    except (TypeError, ValueError, AttributeError, RuntimeError, KeyError) as error:
        raise RecipeError(subject, f"cannot be built ({_first_line(error)})",
                          _cure(card)) from error
    try:
        _try(network, card)
    except (AssertionError, RuntimeError, ValueError, IndexError) as error:
        raise RecipeError(subject, f"does not take images of any multiple of 32 pixels "
                          f"({_first_line(error)})", _cure(card)) from error
    return network


def create(card: NetworkCard, *, weights: bool) -> nn.Module:
    """Build a network with or without pretrained weights; errors are those of the libraries."""
    is_timm = card.encoder.startswith(_TIMM)
    build = Pan if card.architecture == "pan" else smp.MODEL_ARCHITECTURES_MAPPING[
        card.architecture]
    with warnings.catch_warnings():
        # DPT says that an encoder lacks a class token, which its decoder then does without.
        warnings.filterwarnings("ignore", "Encoder does not have prefix tokens", UserWarning)
        network: nn.Module = build(
            encoder_name=card.encoder,
            encoder_weights=(True if is_timm else "imagenet") if weights else None,
            in_channels=card.bands, classes=card.classes, **_options(card))
    if card.dropout:
        head = network.get_submodule("segmentation_head")
        network.segmentation_head = nn.Sequential(nn.Dropout2d(card.dropout), head)
    return network


def _options(card: NetworkCard) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if card.presence:
        options["aux_params"] = {"classes": card.classes, "dropout": card.dropout}
    if card.depth != _DEEPEST:
        options["encoder_depth"] = card.depth
        if card.architecture in _WITH_DECODER_CHANNELS:
            options["decoder_channels"] = _DECODER[-card.depth:]
        elif card.architecture == "fpn":
            # Its answer has the resolution of the finest of its four levels.
            options["upsampling"] = 2 ** (card.depth - 3)
    if card.architecture == "dpt" or card.encoder.startswith(f"{_TIMM}swin"):
        options["dynamic_img_size"] = True
    return options


def _try(network: nn.Module, card: NetworkCard) -> None:
    """Check that a small image is answered at its size, and freeze weights that have no part in it.

    Encoders cut short and heads of classifiers leave some; where a step is shared by several
    devices, PyTorch refuses a weight that waits for a gradient in vain.
    """
    network.eval()
    weights = list(network.parameters())
    with torch.enable_grad():
        answer = network(torch.zeros(1, card.bands, *_TRIED))
        parts = answer if isinstance(answer, tuple) else (answer,)
        gradients = torch.autograd.grad([part.sum() for part in parts], weights, allow_unused=True)
    network.train()
    if parts[0].shape != (1, card.classes, *_TRIED):
        raise ValueError(f"{_TRIED[0]} x {_TRIED[1]} pixels are answered with "
                         f"{parts[0].shape[2]} x {parts[0].shape[3]}")
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.requires_grad_(gradient is not None)


def _check_encoder(card: NetworkCard) -> None:
    name = card.encoder.removeprefix(_TIMM)
    if card.encoder.startswith(_TIMM):
        if timm.is_model(name):
            return
        known = [f"{_TIMM}{model}" for model in timm.list_models()]
        choices = f"timm has {len(known)} models, listed by timm.list_models()"
    else:
        known = list(smp.encoders.encoders)
        if name in known:
            return
        if timm.is_model(name):
            raise RecipeError("train.encoder", f"{name!r} is not known",
                              f"As a timm model it is written {_TIMM}{name}")
        choices = f"Known are {', '.join(known)}; and timm models as {_TIMM}NAME"
    nearest = difflib.get_close_matches(card.encoder.lower(), known, n=1, cutoff=0.5)
    hint = f"Did you mean {nearest[0]!r}? " if nearest else ""
    raise RecipeError("train.encoder", f"{card.encoder!r} is not known", f"{hint}{choices}")


def _cure(card: NetworkCard) -> str:
    """Return which encoders a network takes."""
    depth = "" if card.depth == _DEEPEST else ", or leave depth out"
    match card.architecture:
        case "dpt":
            return ("dpt takes vision transformers of timm whose patches are 8, 16 or 32 pixels, "
                    "such as tu-vit_small_patch16_224")
        case "deeplabv3" | "deeplabv3plus" | "pan":
            return (f"{card.architecture} dilates its encoder, which resnet, efficientnet and "
                    f"mobilenet encoders allow and vgg, densenet and transformers do not{depth}")
        case _:
            return ("Choose a convolutional encoder, such as resnet34 or efficientnet-b0; plain "
                    f"vision transformers go with dpt only{depth}")


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0].rstrip(".")
