"""`Model`: a trained network with its card, in one safe file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from geoseg.errors import ModelError, RecipeError
from geoseg.learn.card import ModelCard, parse_card
from geoseg.learn.container import read_container, write_container
from geoseg.learn.networks import build_network
from geoseg.learn.scaling import scale

Precision = Literal["auto", "32", "bf16", "16"]
STRIDE = 32
"""Networks take rows and columns in multiples of this."""


@dataclass(frozen=True)
class Model:
    """A network ready to use, and its card."""

    card: ModelCard
    """What the model says about itself."""
    network: nn.Module
    """The network, in evaluation mode."""
    path: Path | None = None
    """The file it came from."""

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> Model:
        """Load a model file; no code in it is ever run.

        Args:
            path: A `.safetensors` file made by `train`.
            device: `auto`, `cpu`, `cuda`, `mps`.

        Raises:
            ModelError: Not a geoseg model, damaged, or made by a newer version.
        """
        document, tensors = read_container(path, "model")
        card = parse_card(document, path)
        try:
            network = build_network(card.network)
            network.load_state_dict({name: torch.from_numpy(array)
                                     for name, array in tensors.items()}, strict=True)
        except (RuntimeError, RecipeError) as error:
            raise ModelError(path, "holds weights that do not fit its network",
                             "Fetch or copy it again, or train again") from error
        network = network.to(memory_format=torch.channels_last).to(choose_device(device))
        return cls(card, network.eval().requires_grad_(False), Path(path))

    def save(self, path: Path) -> None:
        """Write the model file, whole or not at all; replaces `path`.

        Raises:
            OutputError: The system refused to write.
        """
        tensors = {name: tensor.detach().cpu().contiguous().numpy()
                   for name, tensor in self.network.state_dict().items()}
        write_container(path, "model", self.card.model_dump(mode="json"), tensors)

    @property
    def device(self) -> torch.device:
        """Where the network runs."""
        return next(self.network.parameters()).device

    def probabilities(self, values: np.ndarray, valid: np.ndarray, *,
                      precision: Precision = "auto") -> np.ndarray:
        """Return the probabilities of a batch of windows of any size.

        Args:
            values: (n, bands, rows, columns) raw pixel values of the card's bands, in its order.
            valid: bool of the same shape.
            precision: Arithmetic; `auto` takes bf16 where the processor has it.

        Returns:
            float32 (n, classes, rows, columns), calibrated by the card's temperature.
        """
        batch = torch.from_numpy(scale(values, valid, self.card.bands))
        rows, columns = batch.shape[-2:]
        padding = (0, -columns % STRIDE, 0, -rows % STRIDE)
        if any(padding):
            mirror = np.pad(batch.numpy(), ((0, 0), (0, 0), (0, padding[3]), (0, padding[1])),
                            mode="reflect")
            batch = torch.from_numpy(mirror)
        result = activate(self.logits(batch, precision), self.card)
        return np.asarray(result[..., :rows, :columns].cpu().numpy())

    def logits(self, batch: Tensor, precision: Precision = "auto") -> Tensor:
        """Return float32 logits of a scaled batch whose sides are multiples of 32."""
        kind = _AUTOCAST[resolve_precision(precision, self.device.type)]
        batch = batch.to(self.device, memory_format=torch.channels_last, non_blocking=True)
        with torch.inference_mode(), torch.autocast(
                self.device.type, dtype=kind or torch.bfloat16, enabled=kind is not None):
            result: Tensor = self.network(batch)
        return result.float()


def activate(logits: Tensor, card: ModelCard) -> Tensor:
    """Turn logits (n, classes, rows, columns) into calibrated probabilities."""
    logits = logits / card.temperature
    return logits.sigmoid() if card.task == "overlapping" else logits.softmax(dim=1)


def choose_device(device: str) -> torch.device:
    """Return the named device, or for `auto` the best there is.

    Raises:
        ModelError: The machine has no such device.
    """
    if device == "auto":
        device = ("cuda" if torch.cuda.is_available()
                  else "mps" if torch.backends.mps.is_available() else "cpu")
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"device {device}", "is not available on this machine",
                         "Use --device auto or --device cpu") from error
    return torch.device(device)


def device_count(kind: str) -> int:
    """Return how many devices of a kind the machine has."""
    return torch.cuda.device_count() if kind == "cuda" else 1


def resolve_precision(precision: Precision, device: str) -> Literal["32", "bf16", "16"]:
    """Return the arithmetic that `auto` means on a device: bf16 where it has it in hardware."""
    if precision == "auto":
        return "bf16" if _has_bf16(device) else "32"
    return precision


_AUTOCAST = {"32": None, "bf16": torch.bfloat16, "16": torch.float16}


@lru_cache
def _has_bf16(device: str) -> bool:
    """Whether bf16 is fast: in hardware, not emulated."""
    if device == "cuda":
        return torch.cuda.get_device_capability()[0] >= 8
    if device == "cpu":
        abilities = torch.cpu.get_capabilities()
        return bool(abilities.get("avx512_bf16") or abilities.get("amx_bf16"))
    return False
