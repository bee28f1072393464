"""Log odds of land against water, read from probability rasters window by window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from rasterio.features import geometry_mask
from rasterio.io import DatasetReader
from rasterio.windows import Window
from scipy.ndimage import gaussian_filter
from shapely.geometry.base import BaseGeometry

from geoseg.geo.grid import Grid
from geoseg.geo.legend import Legend
from geoseg.maps.probabilities import STEPS, read_probabilities

TRUNCATE = 4.0
"""The Gaussian ends at this many standard deviations."""
_TINY = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Odds:
    """Log odds in a window: positive on land, negative on water."""

    members: np.ndarray
    """float (members, rows, columns): log odds of each raster; 0 where not valid."""
    weights: np.ndarray
    """float (members,): how much each counts; their sum is 1."""
    valid: np.ndarray
    """bool (rows, columns): where all rasters have data."""
    inside: np.ndarray
    """bool (rows, columns): which pixels lie in the area to be traced."""

    @property
    def mean(self) -> np.ndarray:
        """Weighted mean of the members, float (rows, columns)."""
        if len(self.members) == 1:
            return np.asarray(self.members[0])
        return np.asarray(np.tensordot(self.weights, self.members, axes=1))

    def columns(self, start: int, stop: int) -> Odds:
        """Return some of the columns."""
        here = np.s_[..., start:stop]
        return Odds(self.members[here], self.weights, self.valid[here], self.inside[here])

    def smoothed(self, sigma: float) -> Odds:
        """Return each member smoothed by a Gaussian that leaves out pixels without data."""
        if sigma == 0:
            return self
        return Odds(np.stack([smooth_odds(z, self.valid, sigma) for z in self.members]),
                    self.weights, self.valid, self.inside)


ReadOdds = Callable[[Window], Odds]
"""Reads a window, which lies in the raster."""


def log_odds(water: np.ndarray) -> np.ndarray:
    """Return the log odds of land against water.

    Probabilities are clipped to half a storage step from 0 and 1, so that uint8 and float32
    rasters weigh the same.

    Args:
        water: Probability of water, 0 to 1.

    Returns:
        float64 of the same shape.
    """
    half = 0.5 / STEPS
    water = np.clip(water, half, 1 - half, dtype=np.float64)
    return np.asarray(np.log((1 - water) / water))


def smooth_odds(z: np.ndarray, valid: np.ndarray, sigma: float) -> np.ndarray:
    """Smooth a field with a Gaussian that leaves out pixels without data.

    This is a normalised convolution (Knutsson and Westin 1993): pixels without data, and beyond
    the array, have no weight.

    Args:
        z: float (rows, columns).
        valid: bool (rows, columns).
        sigma: Standard deviation of the Gaussian in pixels, above 0.

    Returns:
        float64 (rows, columns); 0 where not valid.
    """
    weight = gaussian_filter(valid.astype(np.float64), sigma, mode="constant", truncate=TRUNCATE)
    total = gaussian_filter(np.where(valid, z, 0.0), sigma, mode="constant", truncate=TRUNCATE)
    return np.asarray(np.divide(total, weight, out=np.zeros_like(total), where=valid))


def without_ties(z: np.ndarray) -> np.ndarray:
    """Return a field that is never 0: an exact tie counts as water.

    Crossings then lie clearly between two pixels, never on one.
    """
    return np.where(np.abs(z) < _TINY, -_TINY, z)


def odds_reader(datasets: Sequence[DatasetReader], legends: Sequence[Legend],
                water: Sequence[str], weights: Sequence[float] | None = None,
                area: BaseGeometry | None = None) -> ReadOdds:
    """Return a reader of the log odds of one or several probability rasters.

    Args:
        datasets: Open probability rasters on one grid.
        legends: Their legends.
        water: Names of the classes that are water, those of them that a legend has.
        weights: How much each raster counts; by default the same.
        area: Polygon in the rasters' CRS outside which nothing is to be traced; a pixel lies
            inside if its centre does.
    """
    shares = np.ones(len(datasets)) if weights is None else np.array(weights, dtype=float)
    values = [[legend.value_of(name) for name in water if name in legend.names]
              for legend in legends]
    grid = Grid.of(datasets[0])

    def read(window: Window) -> Odds:
        members, valid = [], np.ones((window.height, window.width), dtype=bool)
        for dataset, legend, classes in zip(datasets, legends, values, strict=True):
            share, here = _water_share(dataset, window, classes, overlapping=legend.overlapping)
            members.append(log_odds(share))
            valid &= here
        return Odds(np.where(valid, np.stack(members), 0.0), shares / shares.sum(), valid,
                    _inside(area, grid.crop(window)))

    return read


def _inside(area: BaseGeometry | None, grid: Grid) -> np.ndarray:
    if area is None:
        return np.ones(grid.shape, dtype=bool)
    return np.asarray(geometry_mask([area], grid.shape, grid.transform, invert=True), dtype=bool)


def _water_share(dataset: DatasetReader, window: Window, values: list[int], *, overlapping: bool
                 ) -> tuple[np.ndarray, np.ndarray]:
    """Return the probability that a pixel is water, and whether it has data.

    Of exclusive classes it is their sum, over the sum of all, which rounding may have left beside
    1; of overlapping classes, it is the likeliest of them.
    """
    probabilities, valid = read_probabilities(dataset, window)
    if overlapping:
        return probabilities[values].max(axis=0), valid
    total = probabilities.sum(axis=0, dtype=np.float64)
    some = probabilities[values].sum(axis=0, dtype=np.float64)
    return np.divide(some, total, out=np.full_like(total, 0.5), where=total > 0), valid
