"""The learner: network, moving average, loss and optimiser, and the taking of one step."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from geoseg.learn.answers import supervised_loss
from geoseg.learn.card import ModelCard
from geoseg.learn.losses import Loss
from geoseg.learn.networks import build_network, check_batch, is_pretrained
from geoseg.learn.optimizers import make_optimizer
from geoseg.learn.preflight import balanced_weights
from geoseg.recipe import Recipe
from geoseg.samples.plan import ChipPlan

_MOST_SKIPPED = 20


class Learner:
    """Network, moving average, loss and optimiser of one run.

    Attributes:
        card: Card of the model.
        bare: The network itself.
        network: The network as Fabric wraps it.
        average: Moving average of its weights.
        optimizer: The optimiser as Fabric wraps it.
        rates: Peak of the learning rate of each of the optimiser's groups.

    Args:
        fabric: Devices and precision.
        recipe: Names network, loss and optimiser.
        plan: Its class shares weigh the classes.
        card: Card of the model to train.
        fresh: Whether it starts from new weights, pretrained if the recipe says so, rather than
            from a state that is loaded into it.

    Raises:
        RecipeError: The network cannot be trained on batches of this size.
    """

    def __init__(self, fabric: Fabric, recipe: Recipe, plan: ChipPlan, card: ModelCard, *,
                 fresh: bool = True) -> None:
        settings = recipe.train
        self.card, self._fabric, self._settings = card, fabric, settings
        self.bare = build_network(card.network, pretrained=settings.pretrained and fresh)
        check_batch(self.bare, card.network, settings.batch, settings.crop or plan.size)
        self.bare.to(memory_format=torch.channels_last)
        optimizer = make_optimizer(self.bare, settings, pretrained=is_pretrained(self.bare))
        self.rates: list[float] = [group["lr"] for group in optimizer.param_groups]
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
            FloatingPointError: Loss or gradient is not finite; the weights are as they were.
        """
        torch.manual_seed(_mix(self._settings.seed, step, self._fabric.global_rank))
        for group, peak in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = peak * factor
        batch = self._fabric.to_device(torch.from_numpy(images))
        batch = batch.contiguous(memory_format=torch.channels_last)
        self.network.train()
        loss = supervised_loss(self._loss, self.network(batch),
                               self._fabric.to_device(torch.from_numpy(labels)),
                               self._settings.presence)
        # All devices must agree on whether to go on, or some wait for ever for the rest.
        value = float(cast(Tensor, self._fabric.all_reduce(loss.detach())))
        if not np.isfinite(value):
            raise FloatingPointError(f"has a loss of {value}")
        self.optimizer.zero_grad(set_to_none=True)
        self._fabric.backward(loss)
        self._check_gradient(self._fabric.clip_gradients(
            self.network, self.optimizer, max_norm=self._settings.clip, error_if_nonfinite=False))
        self.optimizer.step()
        self.average.update_parameters(self.bare)
        return value

    def _check_gradient(self, norm: Tensor | None) -> None:
        """Refuse a gradient that is not finite.

        With 16 bits the gradient is scaled up and may overflow; the scaler then skips the step and
        lowers the scale, which is an error only when it goes on and on.
        """
        is_finite = norm is None or bool(torch.isfinite(norm))
        self._skipped = 0 if is_finite else self._skipped + 1
        is_scaled = getattr(self._fabric.strategy.precision, "scaler", None) is not None
        if self._skipped > (_MOST_SKIPPED if is_scaled else 0):
            raise FloatingPointError("has a gradient that is not finite")

    @property
    def rate(self) -> float:
        """The learning rate of the last step, that of a pretrained encoder aside."""
        return float(max(group["lr"] for group in self.optimizer.param_groups))

    @property
    def is_finite(self) -> bool:
        """Whether all weights are finite numbers, of the network and of its average."""
        return all(bool(torch.isfinite(tensor).all())
                   for module in (self.bare, self.average.module)
                   for tensor in module.state_dict().values())


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
