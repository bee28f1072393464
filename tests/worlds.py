"""Small made worlds that several tests share: images, models, cards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
import torch
from affine import Affine
from torch import nn

from geoseg.learn.card import BandCard, ClassCard, ModelCard, NetworkCard
from geoseg.learn.model import Model
from geoseg.learn.networks import build_network

UTM = "EPSG:32633"
TWO_METRES = Affine(2, 0, 5e5, 0, -2, 5e6)


def write_image(path: Path, array: np.ndarray, *, crs=UTM, transform=TWO_METRES, **profile) -> Path:
    """Write (bands, rows, columns) as a GeoTIFF with plain rasterio."""
    with rasterio.open(path, "w", driver="GTiff", count=len(array), height=array.shape[1],
                       width=array.shape[2], dtype=array.dtype, crs=crs, transform=transform,
                       **profile) as dataset:
        dataset.write(array)
    return path


def make_card(*, bands: int = 3, classes: tuple[str, ...] = ("land", "water"),
              task: str = "exclusive", dtype: str = "uint8", offset: float = 0.0,
              gain: float = 1.0, high: float = 255.0, **changes) -> ModelCard:
    """Return a card; values pass unscaled unless told otherwise."""
    values = {
        "name": "test", "created": "2026-01-01T00:00:00+00:00", "geoseg": "0", "task": task,
        "georeferenced": True,
        "classes": [ClassCard(name=name, color=f"#{40 * i + 20:02x}8080")
                    for i, name in enumerate(classes)],
        "bands": [BandCard(index=i + 1, name="", dtype=dtype, offset=offset, gain=gain, low=0.0,
                           high=high) for i in range(bands)],
        "resolution": 2.0, "chip_size": 64, "precision": "32",
        "network": NetworkCard(architecture="unet", encoder="mobilenet_v2", bands=bands,
                               classes=len(classes)),
    }
    return ModelCard(**{**values, **changes})


def make_model(network: nn.Module | None = None, **card) -> Model:
    """Return a model around the given network, or around a small seeded U-Net."""
    made = make_card(**card)
    if network is None:
        torch.manual_seed(0)
        network = build_network(made.network)
    return Model(made, network.eval().requires_grad_(False))


def pointwise(bands: int, classes: int, seed: int = 0) -> nn.Module:
    """Return a seeded network that looks at one pixel at a time."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(bands, 8, 1), nn.Tanh(), nn.Conv2d(8, classes, 1))


class Constant(nn.Module):
    """A network that answers the same everywhere."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the logits at every pixel."""
        return self.logits[None, :, None, None].expand(
            len(batch), -1, *batch.shape[-2:]).contiguous()
