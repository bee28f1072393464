"""The learner: network, moving average, loss and optimiser, and the taking of one step."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from geoseg.errors import TrainingError
from geoseg.learn.card import ModelCard
from geoseg.learn.losses import Loss
from geoseg.learn.networks import build_network
from geoseg.learn.optimizers import make_optimizer
from geoseg.learn.preflight import balanced_weights
from geoseg.recipe import Recipe
from geoseg.samples.plan import ChipPlan

_MOST_SKIPPED = 20


class Learner:
    """Network, moving average, loss and optimiser of one run.

    Args:
        fabric: Devices and precision.
        recipe: Names network, loss and optimiser.
        plan: Its class shares weigh the classes.
        card: Card of the model to train.
    """

    def __init__(self, fabric: Fabric, recipe: Recipe, plan: ChipPlan, card: ModelCard) -> None:
        settings = recipe.train
        self.card, self._fabric, self._settings = card, fabric, settings
        self.bare = build_network(card.network, pretrained=settings.pretrained)
        self.bare.to(memory_format=torch.channels_last)
        optimizer = make_optimizer(self.bare, settings, pretrained=settings.pretrained)
        self._peaks = [group["lr"] for group in optimizer.param_groups]
        self.network, self.optimizer = fabric.setup(self.bare, optimizer)
        self.average = AveragedModel(self.bare, avg_fn=_average(settings.ema), use_buffers=True)
        weights = (torch.tensor(balanced_weights(plan.shares("train")), dtype=torch.float32)
                   if settings.class_weights == "balanced" else None)
        self._loss = fabric.to_device(Loss(
            settings.loss, overlapping=card.legend.overlapping, class_weights=weights,
            label_smoothing=settings.label_smoothing))
        self._skipped = 0

    def step(self, step: int, factor: float, images: np.ndarray, labels: np.ndarray) -> float:
        """Take one optimiser step.

        Args:
            step: Its number, which seeds dropout.
            factor: On the peak learning rate.
            images: float32 (n, bands, rows, columns), scaled.
            labels: uint8 (n, label bands, rows, columns), 255 = ignore.

        Returns:
            The loss before the step, mean over all devices.

        Raises:
            TrainingError: Loss or gradient is not finite; the weights are then as they were.
        """
        torch.manual_seed(_mix(self._settings.seed, step, self._fabric.global_rank))
        for group, peak in zip(self.optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = peak * factor
        batch = self._fabric.to_device(torch.from_numpy(images))
        batch = batch.contiguous(memory_format=torch.channels_last)
        self.network.train()
        loss = self._loss(self.network(batch), self._fabric.to_device(torch.from_numpy(labels)))
        # All devices must agree on whether to go on, or some wait for ever for the rest.
        value = float(cast(Tensor, self._fabric.all_reduce(loss.detach())))
        if not np.isfinite(value):
            raise not_finite(f"step {step}", f"has a loss of {value}")
        self.optimizer.zero_grad(set_to_none=True)
        self._fabric.backward(loss)
        self._check_gradient(step, self._fabric.clip_gradients(
            self.network, self.optimizer, max_norm=self._settings.clip, error_if_nonfinite=False))
        self.optimizer.step()
        self.average.update_parameters(self.bare)
        return value

    def _check_gradient(self, step: int, norm: Tensor | None) -> None:
        """Refuse a gradient that is not finite.

        With 16 bits the gradient is scaled up and may overflow; such a step is skipped and the
        scale lowered, which is an error only when it goes on and on.
        """
        is_finite = norm is None or bool(torch.isfinite(norm))
        self._skipped = 0 if is_finite else self._skipped + 1
        if self._skipped > (_MOST_SKIPPED if self._settings.precision == "16" else 0):
            raise not_finite(f"step {step}", "has a gradient that is not finite")

    @property
    def is_finite(self) -> bool:
        """Whether all weights are finite numbers, of the network and of its average."""
        return all(bool(torch.isfinite(tensor).all())
                   for module in (self.bare, self.average.module)
                   for tensor in module.state_dict().values())


def not_finite(subject: str, found: str) -> TrainingError:
    """Return the error of a training that left the finite numbers."""
    return TrainingError(subject, found, "Lower learning_rate under [train], or check the image "
                         "for extreme values; the best model of the validations before lies in "
                         "the run folder")


def _average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Return the update of a moving average of weights.

    The decay grows to its value over the first steps, so that short runs do not remember their
    random start.
    """

    def update(average: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        kept = min(decay, (1 + int(count)) / (10 + int(count)))
        return average + (current - average) * (1 - kept)

    return update


def _mix(*numbers: int) -> int:
    """Return one 63-bit seed from several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)
