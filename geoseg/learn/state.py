"""The state of a training run: everything that a later process needs to go on exactly."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from geoseg.errors import ModelError, TrainingError
from geoseg.learn.container import read_container, write_container


@dataclass
class Course:
    """How far a training has come."""

    step: int = 0
    """Steps done."""
    best: float = float("-inf")
    """Best validation score so far."""
    best_step: int = 0
    """Steps done when it was reached, the last time if several times."""
    stale: int = 0
    """Validations since it last rose."""
    history: list[dict[str, float]] = field(default_factory=list)
    """One entry per validation."""
    rates: list[float] = field(default_factory=list)
    """Peak of the learning rate of each group of the optimiser; they depend on whether weights for
    the encoder could be fetched when the run began."""

    @property
    def scores(self) -> list[float]:
        """Mean IoU of each validation."""
        return [entry["val_mean_iou"] for entry in self.history]

    def add(self, entry: dict[str, float]) -> bool:
        """Enter a validation; return whether none was better so far.

        Of equal ones the later counts: weights that have learnt longer are kept where validation
        cannot tell, as of a thin class that is not mapped yet at all.
        """
        self.history.append(entry)
        score = entry["val_mean_iou"]
        self.stale = 0 if score > self.best else self.stale + 1
        if score < self.best:
            return False
        self.best, self.best_step = score, self.step
        return True


def save_state(path: Path, fingerprint: str, course: Course, network: nn.Module,
               average: nn.Module, optimizer: Optimizer) -> None:
    """Write the state of a run, whole or not at all.

    Args:
        path: State file; replaced.
        fingerprint: Of recipe and chip plan; must match when the state is read.
        course: How far it has come.
        network: Network being trained.
        average: Its moving average.
        optimizer: Its optimiser.

    Raises:
        OutputError: The system refused to write.
    """
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in average.state_dict().items()}
    for index, slots in optimizer.state_dict()["state"].items():
        # What is no tensor, such as the kind of update that Muon chose, follows from the groups.
        tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in slots.items()
                    if isinstance(tensor, torch.Tensor)}
    document = {"fingerprint": fingerprint, **asdict(course)}
    write_container(path, "training state", document,
                    {name: _array(tensor) for name, tensor in tensors.items()})


def load_state(path: Path, fingerprint: str, network: nn.Module, average: nn.Module,
               optimizer: Optimizer) -> Course:
    """Bring network, average and optimiser to a saved state and return how far it had come.

    Raises:
        TrainingError: There is no state, it is damaged, or recipe or chips have changed since.
    """
    if not path.exists():
        raise TrainingError(path.parent, "holds no training state to resume",
                            "Start without --resume")
    try:
        document, tensors = read_container(path, "training state")
    except ModelError as error:
        raise TrainingError(path, error.found, "Start without --resume") from error
    if document["fingerprint"] != fingerprint:
        raise TrainingError(path.parent, "was begun with another recipe or chip plan",
                            "Restore them, or start anew without --resume")
    network.load_state_dict(_prefixed(tensors, "network."))
    average.load_state_dict(_prefixed(tensors, "average."))
    slots: dict[int, dict[str, Any]] = {}
    for name, tensor in _prefixed(tensors, "optimizer.").items():
        index, _, slot = name.partition(".")
        slots.setdefault(int(index), {})[slot] = tensor
    optimizer.load_state_dict({"state": slots,
                               "param_groups": optimizer.state_dict()["param_groups"]})
    return Course(**{item.name: document[item.name] for item in fields(Course)})


def _array(tensor: torch.Tensor) -> np.ndarray:
    return np.asarray(tensor.detach().cpu().contiguous().numpy())


def _prefixed(tensors: dict[str, np.ndarray], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): torch.from_numpy(array)
            for name, array in tensors.items() if name.startswith(prefix)}
