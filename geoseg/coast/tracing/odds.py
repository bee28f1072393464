"""Log odds of land against water, read from probability rasters window by window."""

from __future__ import annotations

import math
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
from geoseg.geo.raster import read as read_bands
from geoseg.maps.probabilities import STEPS

TRUNCATE = 4.0
"""The Gaussian ends at this many standard deviations."""
_TINY = 1e-6
_MOST = math.log(2 * STEPS - 1)
"""Log odds of a probability half a storage step below 1."""


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


def log_odds(land: np.ndarray, water: np.ndarray) -> np.ndarray:
    """Return the log odds of land against water.

    Probabilities count as at least half a storage step away from 0 and 1, so that uint8 and
    float32 rasters weigh the same.

    Args:
        land: Evidence for land, float (any shape), 0 or more, in any unit.
        water: Evidence for water in the same unit.

    Returns:
        Float of the same shape and type; 0 where there is no evidence at all.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.log(land / water)
    np.clip(z, -_MOST, _MOST, out=z)
    z[np.isnan(z)] = 0
    return np.asarray(z)


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
    def blurred(values: np.ndarray) -> np.ndarray:
        return np.asarray(gaussian_filter(values, sigma, mode="constant", truncate=TRUNCATE,
                                          output=np.float64))

    if valid.all():  # the weights then are those of the rows times those of the columns
        rows, columns = (blurred(np.ones(size)) for size in valid.shape)
        return np.asarray(blurred(z) / rows[:, np.newaxis] / columns)
    total, weight = blurred(np.where(valid, z, 0.0)), blurred(valid)
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
            z, here = _read_member(dataset, window, classes, overlapping=legend.overlapping)
            members.append(z)
            valid &= here
        stack = np.stack(members) if len(members) > 1 else members[0][np.newaxis]
        if not valid.all():
            stack[:, ~valid] = 0
        return Odds(stack, shares / shares.sum(), valid, _inside(area, grid.crop(window)))

    return read


def _inside(area: BaseGeometry | None, grid: Grid) -> np.ndarray:
    if area is None:
        return np.ones(grid.shape, dtype=bool)
    return np.asarray(geometry_mask([area], grid.shape, grid.transform, invert=True), dtype=bool)


def _read_member(dataset: DatasetReader, window: Window, values: list[int], *, overlapping: bool
                 ) -> tuple[np.ndarray, np.ndarray]:
    """Return the log odds of one raster, float32, and whether a pixel has data.

    Exclusive classes are added up on either side; since only the ratio matters, stored values
    need no scale, and need not add up to 1 after rounding. Of overlapping classes, water is the
    likeliest of them, and land all else.
    """
    stored, masks = read_bands(dataset, window, dataset.indexes)
    valid: np.ndarray = masks[0] if len(masks) == 1 else np.logical_and.reduce(masks)
    if overlapping:
        water = stored[values].max(axis=0) * np.float32(dataset.scales[0])
        return log_odds(1 - water, water), valid
    others = [value for value in range(len(stored)) if value not in values]
    return log_odds(_sum(stored, others), _sum(stored, values)), valid


def _sum(bands: np.ndarray, chosen: list[int]) -> np.ndarray:
    total = bands[chosen[0]].astype(np.float32)
    for value in chosen[1:]:
        total += bands[value]
    return np.asarray(total)
