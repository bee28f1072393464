"""Optimisers by name: those of PyTorch, and timm's Muon, which takes convolutions."""

from __future__ import annotations

from typing import Any

import torch
from timm.optim.muon import Muon
from torch import Tensor, nn
from torch.optim import Optimizer

from geoseg.learn.networks import parameter_groups
from geoseg.recipe import TrainRecipe

_MUON_SHORTEST = 4
"""Matrices with fewer rows or columns gain nothing from being made orthogonal."""


def make_optimizer(network: nn.Module, settings: TrainRecipe, *, pretrained: bool) -> Optimizer:
    """Make the optimiser that a recipe names.

    `adamw` (Loshchilov & Hutter 2019), `adam` (Kingma & Ba 2015), `radam` (Liu et al. 2020),
    `adadelta` (Zeiler 2012), `rmsprop` (Hinton 2012), `sgd` with momentum (Polyak 1964), `muon`
    (Jordan et al. 2024). Weight decay shrinks the weights themselves in adamw and muon; in the
    others it is added to the gradient, so that it passes through whatever they do to it.

    Args:
        network: Network to train.
        settings: Names the optimiser, its rate, momentum and weight decay.
        pretrained: Whether the encoder starts from trained weights; it then learns at
            `encoder_factor` times the rate.

    Returns:
        The optimiser. Each of its groups has the peak of its learning rate in `lr`.
    """
    groups: list[dict[str, Any]] = parameter_groups(
        network, settings.learning_rate, settings.encoder_factor if pretrained else 1.0)
    decay, momentum = settings.weight_decay, settings.momentum
    match settings.optimizer:
        case "adamw":
            return torch.optim.AdamW(groups, weight_decay=decay)
        case "adam":
            return torch.optim.Adam(groups, weight_decay=decay)
        case "radam":
            return torch.optim.RAdam(groups, weight_decay=decay)
        case "adadelta":
            return torch.optim.Adadelta(groups, weight_decay=decay)
        case "rmsprop":
            return torch.optim.RMSprop(groups, weight_decay=decay, momentum=momentum)
        case "sgd":
            return torch.optim.SGD(groups, weight_decay=decay, momentum=momentum)
        case "muon":
            return _muon(groups, decay, momentum)


def _muon(groups: list[dict[str, Any]], decay: float, momentum: float) -> Optimizer:
    """Return Muon for the matrices of a network, AdamW for all else.

    A convolution is the matrix of its flattened kernels: (filters, bands x rows x columns).
    torch.optim.Muon refuses it, timm's does to it what torch's does to the flattened one. Updates
    are scaled to the size of those of AdamW (Liu et al. 2025, "Muon is scalable for LLM
    training"), so that one learning rate suits both.
    """
    parted: list[dict[str, Any]] = []
    for group in groups:
        for is_matrix in (True, False):
            chosen = [p for p in group["params"] if _is_matrix(p) is is_matrix]
            parted.append({**group, "params": chosen, "use_fallback": not is_matrix,
                           "nesterov": is_matrix})
    optimizer: Optimizer = Muon(
        [group for group in parted if group["params"]], weight_decay=decay, momentum=momentum,
        ns_coefficients="original", adjust_lr_fn="match_rms_adamw")
    return optimizer


def _is_matrix(parameter: Tensor) -> bool:
    """Whether Muon suits a weight: no bias or norm, no depthwise filter, no answer of few classes.

    The last is what Jordan advises: the layer that gives the answer is better off with AdamW.
    """
    if parameter.ndim < 2 or parameter.shape[1] == 1:
        return False
    return min(len(parameter), parameter[0].numel()) >= _MUON_SHORTEST
