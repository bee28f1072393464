"""Outlines of the patches of a class map, as polygons that meet vertex to vertex."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import rasterio
import shapely
from affine import Affine
from rasterio.features import shapes
from rasterio.io import DatasetReader


@dataclass(frozen=True, slots=True)
class Patches:
    """The 4-connected patches of a class map, along the edges of its pixels.

    Coordinates are pixels: (column, row) of pixel corners, whole numbers, y down. Where three or
    more patches meet, all of them have a vertex, so that the polygons are a valid coverage.
    """

    polygons: np.ndarray
    """shapely polygons (n,)."""
    values: np.ndarray
    """int64 (n,): pixel value of each patch."""

    def __len__(self) -> int:
        return len(self.values)


def trace_patches(dataset: DatasetReader, band: int, *, keep: np.ndarray) -> Patches:
    """Trace the patches of one band, row by row from the file.

    Args:
        dataset: Open class map.
        band: 1-based band.
        keep: bool (256,): which pixel values to trace.

    Returns:
        The patches; none if no pixel has such a value.
    """
    rings: list[np.ndarray] = []
    per_polygon: list[int] = []
    values: list[int] = []
    for shape, value in shapes(rasterio.band(dataset, band), connectivity=4):
        if keep[int(value)]:
            outline = [np.array(ring) for ring in shape["coordinates"]]
            rings += outline
            per_polygon.append(len(outline))
            values.append(int(value))
    if not values:
        return Patches(np.empty(0, dtype=object), np.empty(0, dtype=np.int64))
    points, starts = node(_pixel_corners(np.concatenate(rings), dataset), _offsets(
        [len(ring) for ring in rings]))
    polygons = shapely.from_ragged_array(shapely.GeometryType.POLYGON, points.astype(float),
                                         (starts, _offsets(per_polygon)))
    return Patches(polygons, np.array(values, dtype=np.int64))


def _offsets(lengths: list[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _pixel_corners(coordinates: np.ndarray, dataset: DatasetReader) -> np.ndarray:
    """Undo the raster's transform, which GDAL applies to the outlines of a band."""
    corners: np.ndarray = np.rint(place(coordinates, ~dataset.transform)).astype(np.int64)
    return corners


def place(points: np.ndarray, transform: Affine) -> np.ndarray:
    """Apply a transform to points (n, 2); equal points stay equal to the last bit."""
    x, y = points[:, 0], points[:, 1]
    return np.column_stack([transform.a * x + transform.b * y + transform.c,
                            transform.d * x + transform.e * y + transform.f])


def node(points: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Add to every ring the corners of other rings that lie on its edges.

    GDAL gives a ring vertices only where it turns. Where two neighbours of a straight edge meet,
    they turn and the edge does not, so the missing vertices are exactly the known corners on it.

    Args:
        points: int64 (n, 2) corners (column, row) of closed rings with edges along the grid, one
            ring after the other, first corner repeated at the end.
        starts: int64 (rings + 1,) index of the first corner of each ring, and n.

    Returns:
        Points and starts with the vertices added.
    """
    begin, end = points, np.roll(points, -1, axis=0)
    last = np.zeros(len(points), dtype=bool)
    last[starts[1:] - 1] = True
    along = (begin[:, 0] == end[:, 0]).astype(np.int64)  # 0: edge along columns, 1: along rows
    counts = np.zeros(len(points), dtype=np.int64)
    inserted = np.empty((0, 2), dtype=np.int64)
    owner = np.empty(0, dtype=np.int64)
    for axis in (0, 1):
        edges = np.flatnonzero((along == axis) & ~last)
        between, count = _corners_on(points, begin[edges], end[edges], axis)
        counts[edges] = count
        inserted = np.concatenate([inserted, between])
        owner = np.concatenate([owner, np.repeat(edges, count)])
    order = np.argsort(owner, kind="stable")
    shifted = np.concatenate([[0], np.cumsum(counts)])
    result = np.insert(points, owner[order] + 1, inserted[order], axis=0)
    return result, starts + shifted[starts]


def _corners_on(points: np.ndarray, begin: np.ndarray, end: np.ndarray, axis: int
                ) -> tuple[np.ndarray, np.ndarray]:
    """Return the corners strictly inside each edge in its direction, and how many it has."""
    stride = int(points.max()) + 1
    other = 1 - axis
    corners = np.unique(points[:, other] * stride + points[:, axis])
    line = begin[:, other] * stride
    low = np.minimum(begin[:, axis], end[:, axis])
    high = np.maximum(begin[:, axis], end[:, axis])
    first = np.searchsorted(corners, line + low, side="right")
    count = np.searchsorted(corners, line + high, side="left") - first
    step = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    forward = np.repeat(end[:, axis] > begin[:, axis], count)
    place = np.where(forward, np.repeat(first, count) + step,
                     np.repeat(first + count - 1, count) - step)
    between = np.empty((len(place), 2), dtype=np.int64)
    between[:, axis], between[:, other] = corners[place] % stride, corners[place] // stride
    return between, count
