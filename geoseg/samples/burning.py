"""Burning on arrays: which pixels a set of polygons covers, and which lie near a class edge."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import shapely
from rasterio.features import rasterize
from rasterio.transform import Affine
from rasterio.windows import Window
from scipy import ndimage

from geoseg.geo.legend import IGNORE


class PixelPolygons:
    """Valid shapely polygons (n,) in pixel coordinates, found by window through a spatial index.

    Coordinates are those of the whole raster, so that a pixel's answer does not depend on the
    window it is asked in: windows are a shift by whole pixels, which is exact.
    """

    def __init__(self, polygons: np.ndarray) -> None:
        self._polygons = polygons
        self._tree = shapely.STRtree(polygons)

    def __len__(self) -> int:
        return len(self._polygons)

    def cover(self, window: Window) -> np.ndarray:
        """Return which pixels of a window have their centre in a polygon: bool (rows, columns)."""
        left, top = int(window.col_off), int(window.row_off)
        shape = int(window.height), int(window.width)
        near = self._tree.query(shapely.box(left, top, left + shape[1], top + shape[0]))
        if not len(near):
            return np.zeros(shape, dtype=bool)
        burnt: np.ndarray = rasterize(self._polygons[np.sort(near)], out_shape=shape, dtype="uint8",
                                      transform=Affine.translation(left, top))
        return burnt.astype(bool)


def stack_exclusive(covers: Sequence[np.ndarray], uncovered: int) -> np.ndarray:
    """Lay classes over one another; the later wins.

    Args:
        covers: bool (rows, columns) for each class.
        uncovered: Value of pixels that no class covers.

    Returns:
        uint8 (1, rows, columns) of class values.
    """
    labels = np.full((1, *covers[0].shape), uncovered, dtype=np.uint8)
    for value, cover in enumerate(covers):
        labels[0][cover] = value
    return labels


def stack_overlapping(covers: Sequence[np.ndarray], uncovered: int) -> np.ndarray:
    """Return one band of 0 and 1 per class.

    Args:
        covers: bool (rows, columns) for each class.
        uncovered: Value, in all bands, of pixels that no class covers.

    Returns:
        uint8 (classes, rows, columns).
    """
    labels = np.array(covers, dtype=np.uint8)
    labels[:, ~np.logical_or.reduce(covers)] = uncovered
    return labels


def edge_halo(reach: float, pixel_height: float) -> int:
    """Return the rows needed on each side of a window to find all edges within reach.

    Args:
        reach: Distance in ground units, as for `near_edge`; 0 for no edges.
        pixel_height: Height of a pixel in the same units.
    """
    return math.ceil(reach / pixel_height) + 1 if reach > 0 else 0


def near_edge(labels: np.ndarray, reach: float, pixel_size: tuple[float, float]) -> np.ndarray:
    """Return which pixels lie near a class edge.

    An edge runs between two pixels, side by side, of different class; ignored pixels make none. A
    pixel is near if its centre is at most `reach` from an edge, counted across the edge (half a
    pixel for those that touch it). Within a window this is exact for all pixels that are
    `edge_halo` rows from its upper and lower border, or at the raster's own border.

    Args:
        labels: uint8 (rows, columns).
        reach: Distance in ground units.
        pixel_size: (width, height) of a pixel in ground units.

    Returns:
        bool (rows, columns).
    """
    width, height = pixel_size
    near: np.ndarray = _within(_edges(labels, axis=1), reach - width / 2, pixel_size)
    near |= _within(_edges(labels, axis=0), reach - height / 2, pixel_size)
    return near


def _edges(labels: np.ndarray, axis: int) -> np.ndarray:
    """Mark both pixels at each edge between neighbours along an axis."""
    first = np.take(labels, range(labels.shape[axis] - 1), axis)
    second = np.take(labels, range(1, labels.shape[axis]), axis)
    differ = (first != second) & (first != IGNORE) & (second != IGNORE)
    before = [(0, 0), (0, 0)]
    after = [(0, 0), (0, 0)]
    before[axis], after[axis] = (1, 0), (0, 1)
    marked: np.ndarray = np.pad(differ, before) | np.pad(differ, after)
    return marked


def _within(marked: np.ndarray, distance: float, pixel_size: tuple[float, float]) -> np.ndarray:
    """Return which pixel centres are at most a distance from the centre of a marked pixel."""
    if distance < 0 or not marked.any():
        return np.zeros_like(marked)
    width, height = pixel_size
    away = ndimage.distance_transform_edt(~marked, sampling=(height, width))
    # The margin takes in pixels at exactly that distance whatever the rounding.
    near: np.ndarray = away <= distance + 1e-6 * width
    return near
