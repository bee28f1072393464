"""How well a class map agrees with what was painted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geoseg.geo.grid import Grid
from geoseg.geo.legend import Legend
from geoseg.geo.raster import open_raster
from geoseg.geo.windows import row_bands


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of a class map with the truth, over all pixels that have both."""

    accuracy: float
    """Share of pixels that agree, 0..1."""
    iou: dict[str, float]
    """Intersection over union by class; NaN where neither has the class."""

    @property
    def mean_iou(self) -> float:
        """Mean over the classes that occur."""
        return float(np.nanmean(list(self.iou.values())))


def score(classes: Path, truth: Path) -> Agreement:
    """Compare two class maps on the same grid.

    Raises:
        GridError: The grids differ.
    """
    with open_raster(classes) as found, open_raster(truth) as true:
        Grid.of(true).require_same(Grid.of(found), classes, truth)
        legend = Legend.of(true)
        size = len(legend)
        counts = np.zeros((size, size), np.int64)
        for window in row_bands(true.height, true.width):
            here, there = found.read(1, window=window), true.read(1, window=window)
            both = (here < size) & (there < size)
            pairs = there[both].astype(np.int64) * size + here[both]
            counts += np.bincount(pairs, minlength=size * size).reshape(size, size)
    agreed = np.diag(counts)
    union = counts.sum(0) + counts.sum(1) - agreed
    iou = np.divide(agreed, union, out=np.full(size, np.nan), where=union > 0)
    return Agreement(float(agreed.sum() / max(counts.sum(), 1)),
                     dict(zip(legend.names, map(float, iou), strict=True)))
