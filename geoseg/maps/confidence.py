"""Mean probability of a class over the pixels of a polygon."""

from __future__ import annotations

import numpy as np
import shapely
from rasterio.io import DatasetReader

from geoseg.geo.windows import row_bands
from geoseg.maps.probabilities import read_probabilities
from geoseg.maps.shapes import Patches
from geoseg.progress import Progress, track

_BAND_PIXELS = 2_000_000


def mean_confidence(patches: Patches, proba: DatasetReader, progress: Progress) -> np.ndarray:
    """Return the mean probability of each patch's own class over its pixels.

    By Green's theorem the sum over a patch is a sum over its vertical edges: of the running sum of
    the probabilities from the left border to the edge. So nothing is burned, and one pass over the
    raster serves any number of patches.

    Args:
        patches: Patches in pixel coordinates; their values number the raster's bands from 0.
        proba: Open probability raster on the same grid.
        progress: Told the fraction done.

    Returns:
        float64 (patches,), 0 to 1; NaN where the raster has no data.
    """
    edges = _vertical_edges(patches.polygons)
    owner_value = patches.values[edges[:, 3]]
    sums, pixels = np.zeros(len(patches)), np.zeros(len(patches))
    rows = max(16, _BAND_PIXELS // proba.width)
    for window in track(list(row_bands(proba.height, proba.width, rows)), progress,
                        "measuring confidence"):
        probabilities, valid = read_probabilities(proba, window)
        top, bottom = int(window.row_off), int(window.row_off + window.height)
        here = (edges[:, 1:3].min(axis=1) < bottom) & (edges[:, 1:3].max(axis=1) > top)
        pixels += _enclosed(valid, edges[here], top, len(patches))
        for value in np.unique(owner_value[here]):
            sums += _enclosed(probabilities[value], edges[here & (owner_value == value)], top,
                              len(patches))
    with np.errstate(invalid="ignore"):
        return np.where(pixels != 0, sums / pixels, np.nan)


def _vertical_edges(polygons: np.ndarray) -> np.ndarray:
    """Return int64 (edges, 4): column, row at its begin, row at its end, polygon."""
    oriented = shapely.orient_polygons(polygons)
    _, points, (rings, parts) = shapely.to_ragged_array(oriented)
    points = np.rint(points).astype(np.int64)
    ring = np.repeat(np.arange(len(rings) - 1), np.diff(rings))
    polygon = np.repeat(np.arange(len(parts) - 1), np.diff(parts))[ring]
    vertical = (ring[1:] == ring[:-1]) & (points[1:, 0] == points[:-1, 0])
    begin, end = points[:-1][vertical], points[1:][vertical]
    return np.column_stack([begin, end[:, 1], polygon[:-1][vertical]])


def _enclosed(values: np.ndarray, edges: np.ndarray, top: int, count: int) -> np.ndarray:
    """Return the sum of values (rows, columns), whose first row is `top`, inside each polygon."""
    height, width = values.shape
    integral = np.zeros((height + 1, width + 1))
    np.cumsum(values, axis=0, dtype=float, out=integral[1:, 1:])
    np.cumsum(integral[1:, 1:], axis=1, out=integral[1:, 1:])
    begin = np.clip(edges[:, 1] - top, 0, height)
    end = np.clip(edges[:, 2] - top, 0, height)
    flux = integral[end, edges[:, 0]] - integral[begin, edges[:, 0]]
    return np.bincount(edges[:, 3], weights=flux, minlength=count)
