"""Scoring a network on chips, and fitting the temperature that makes its probabilities honest."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from rasterio.windows import Window
from scipy.optimize import minimize_scalar
from torch.nn import functional

from geoseg.geo.legend import IGNORE
from geoseg.learn.dataset import Scenes, read_sample
from geoseg.learn.metrics import Tally
from geoseg.learn.model import STRIDE, Model, Precision, activate

if TYPE_CHECKING:
    import geopandas as gpd

_PIXELS_PER_CHIP = 1000


def score(model: Model, scenes: Scenes, chips: gpd.GeoDataFrame, batch: int,
          precision: Precision, *, curves: bool) -> Tally:
    """Tally the predictions of a model on chips, with or without curves (see `Tally`).

    Raises:
        FloatingPointError: An answer is not a finite number.
    """
    tally = Tally(model.card.legend, curves=curves)
    for logits, labels in _outputs(model, scenes, chips, batch, precision):
        probabilities = activate(logits, model.card).cpu().numpy()
        tally.add(probabilities, labels if model.card.legend.overlapping else labels[:, 0])
    return tally


def fit_temperature(model: Model, scenes: Scenes, chips: gpd.GeoDataFrame, batch: int,
                    precision: Precision) -> float:
    """Return the temperature that minimises the negative log-likelihood on chips.

    Guo et al. 2017, "On calibration of modern neural networks": one scalar that divides the
    logits; it changes confidences, never classes. Fitted on up to a thousand pixels a chip.

    Returns:
        Temperature between 0.2 and 10; 1 if no pixel is labelled.
    """
    logits, labels = [], []
    rng = np.random.default_rng(0)
    for output, truth in _outputs(model, scenes, chips, batch, precision):
        flat = output.cpu().permute(0, 2, 3, 1).reshape(-1, output.shape[1])
        known = np.moveaxis(truth, 1, -1).reshape(-1, truth.shape[1])
        places = np.flatnonzero((known != IGNORE).all(axis=1))
        if len(places) == 0:
            continue
        chosen = rng.choice(places, min(len(places), _PIXELS_PER_CHIP * len(truth)), replace=False)
        logits.append(flat[torch.from_numpy(chosen)].double())
        labels.append(torch.from_numpy(known[chosen].astype(np.int64)))
    if not logits:
        return 1.0
    return _best_temperature(torch.cat(logits), torch.cat(labels),
                             overlapping=model.card.legend.overlapping)


def _best_temperature(logits: torch.Tensor, labels: torch.Tensor, *, overlapping: bool) -> float:
    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        if overlapping:
            return float(functional.binary_cross_entropy_with_logits(scaled, labels.double()))
        return float(functional.cross_entropy(scaled, labels[:, 0]))

    found = minimize_scalar(loss, bounds=(np.log(0.2), np.log(10)), method="bounded",
                            options={"xatol": 1e-3})
    return float(np.exp(found.x))


def _outputs(model: Model, scenes: Scenes, chips: gpd.GeoDataFrame, batch: int,
             precision: Precision) -> Iterator[tuple[torch.Tensor, np.ndarray]]:
    """Yield logits (n, classes, ...) and labels (n, label bands, ...) for batches of chips.

    Chips of one plan have one size, but a plan read from a folder of tiles may mix sizes; then a
    batch ends where the size changes.
    """
    sizes = chips[["height", "width"]].to_numpy()
    starts = [0, *(np.flatnonzero((np.diff(sizes, axis=0) != 0).any(axis=1)) + 1), len(chips)]
    for start, stop in pairwise(starts):
        for first in range(start, stop, batch):
            rows = chips.iloc[first:min(first + batch, stop)]
            samples = [read_sample(scenes, row.scene, row.label,
                                   Window(row.col, row.row, row.width, row.height),
                                   model.card.bands) for row in rows.itertuples()]
            images = np.stack([image for image, _, _ in samples])
            height, width = images.shape[-2:]
            pad = ((0, 0), (0, 0), (0, -height % STRIDE), (0, -width % STRIDE))
            images = np.pad(images, pad, mode="reflect")
            logits = model.logits(torch.from_numpy(images), precision)
            if not bool(torch.isfinite(logits).all()):
                raise FloatingPointError("logits are not finite")
            yield logits[..., :height, :width], np.stack([label for _, _, label in samples])
