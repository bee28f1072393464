"""Networks by name, with what is put around them, and which part of them is the encoder."""

from __future__ import annotations

import copy
import difflib
import logging
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from geoseg.errors import RecipeError
from geoseg.learn.card import NetworkCard
from geoseg.learn.networks.fcn import BACKBONE, Fcn
from geoseg.learn.networks.inception import inception_unet
from geoseg.learn.networks.levels import classic_unet
from geoseg.learn.networks.library import create, library_network
from geoseg.learn.networks.nested import NestedUnet
from geoseg.learn.networks.residual import resnet_unet
from geoseg.learn.networks.wrappers import Damped, Detailed, Reduced, TwoAnswers, core
from geoseg.recipe.names import NETWORKS

_log = logging.getLogger("geoseg")
_DEPTH = 5
_OF_FIXED_DEPTH = ("pspnet", "dpt", "fcn-")
_OURS: dict[str, Callable[[NetworkCard], nn.Module]] = {
    "classic-unet": classic_unet, "resnet-unet": resnet_unet, "inception-unet": inception_unet,
    "nested-unet": NestedUnet, "fcn-32s": partial(Fcn, stride=32),
    "fcn-16s": partial(Fcn, stride=16), "fcn-8s": partial(Fcn, stride=8)}


def build_network(card: NetworkCard, *, pretrained: bool = False) -> nn.Module:
    """Build a network.

    Args:
        card: Architecture, encoder, bands, classes, dropout and what else it is made of. Our own
            networks (hyphenated names) ignore `encoder` and `detail`.
        pretrained: Start the encoder from ImageNet weights; more or fewer than three bands repeat
            those of the three colours, scaled to the same sum. If they cannot be fetched (offline)
            or do not exist, a warning says so and the encoder starts from random weights; our own
            networks other than fcn have none.

    Returns:
        Module from float (n, bands, rows, columns) to logits (n, classes, rows, columns); rows and
        columns must be multiples of 32. In training mode one with deep supervision or a presence
        head returns `geoseg.learn.answers.Answers`.

    Raises:
        RecipeError: Unknown architecture or encoder, or a combination that does not go together.
    """
    _check(card)
    network = _build_core(card, pretrained)
    if card.presence and card.has_encoder:
        network = TwoAnswers(network)
    if card.reduce > 1:
        network = Reduced(network, card.reduce)
    if card.detail and card.has_encoder:
        network = Detailed(network, card.bands, card.classes, card.detail)
    return Damped(network) if card.presence else network


def _check(card: NetworkCard) -> None:
    if card.architecture not in NETWORKS:
        nearest = difflib.get_close_matches(card.architecture.lower(), NETWORKS, n=1, cutoff=0.5)
        hint = f"Did you mean {nearest[0]!r}? " if nearest else ""
        raise RecipeError("train.network", f"{card.architecture!r} is not known",
                          f"{hint}Known are {', '.join(NETWORKS)}")
    if card.deep_supervision and card.architecture != "nested-unet":
        raise RecipeError("train.deep_supervision", f"is not for {card.architecture}",
                          'Leave it out, or set network = "nested-unet"')
    if card.depth != _DEPTH and card.architecture.startswith(_OF_FIXED_DEPTH):
        raise RecipeError("train.depth", f"cannot be chosen for {card.architecture}",
                          "Leave it out")


def _build_core(card: NetworkCard, pretrained: bool) -> nn.Module:
    if not card.has_encoder:
        network = _OURS[card.architecture](card)
        if isinstance(network, Fcn) and pretrained:
            try:
                network.load_imagenet()
            except (OSError, KeyError, ValueError, RuntimeError) as error:
                _warn(BACKBONE, error)
            else:
                network.is_pretrained = True  # type: ignore[assignment]
        return network
    # What cannot be built is found before weights are fetched; fetching draws the same numbers.
    with torch.random.fork_rng(devices=[], enabled=pretrained):
        network = library_network(card)
    if not pretrained:
        return network
    try:
        started = create(card, weights=True)
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        _warn(card.encoder, error)
        return network
    for weight, tried in zip(started.parameters(), network.parameters(), strict=True):
        weight.requires_grad_(tried.requires_grad)
    started.is_pretrained = True  # type: ignore[assignment]
    return started


def _warn(encoder: str, error: Exception) -> None:
    _log.warning(
        "Pretrained weights for %s could not be fetched (%s); training starts from random weights. "
        "With an internet connection they are fetched once and kept; set pretrained = false under "
        "[train] to start without them.", encoder, type(error).__name__)


def is_pretrained(network: nn.Module) -> bool:
    """Whether the encoder of a network that was just built started from trained weights."""
    return bool(getattr(core(network), "is_pretrained", False))


def parameter_groups(network: nn.Module, learning_rate: float, encoder_factor: float
                     ) -> list[dict[str, object]]:
    """Return optimiser groups: the encoder at a fraction of the rate, the rest at the full one."""
    encoder = {id(parameter) for parameter in core(network).get_submodule("encoder").parameters()}
    rest = [p for p in network.parameters() if id(p) not in encoder]
    return [{"params": [p for p in network.parameters() if id(p) in encoder],
             "lr": learning_rate * encoder_factor},
            {"params": rest, "lr": learning_rate}]


def check_batch(network: nn.Module, card: NetworkCard, batch: int, crop: int) -> None:
    """Check that a network can be trained on batches of this size, by a step in small.

    Batch normalisation needs more than one value of a channel. A single crop has only one where a
    network averages over the whole image, or where its features have become a single pixel.

    Args:
        network: As built, on the CPU; it is left as it is.
        card: What it was built from.
        batch: Crops of a step.
        crop: Their side in pixels.

    Raises:
        RecipeError: It cannot.
    """
    if batch > 1:
        return
    side = min(crop, 64 * card.reduce)
    trial = copy.deepcopy(network).train()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        try:
            trial(torch.zeros(batch, card.bands, side, side))
        except ValueError as error:
            raise RecipeError("train.batch", f"is too small for {card.architecture}, whose batch "
                              "normalisation would see a single value of a feature",
                              "Set it to 2 or more") from error
