"""Polygons of land and water that share the coastline vertex for vertex."""

from __future__ import annotations

import numpy as np
import shapely
from rasterio.features import shapes
from rasterio.windows import Window

from geoseg.coast.tracing.odds import ReadOdds
from geoseg.geo.windows import row_bands


def divide(lines: np.ndarray, read: ReadOdds, shape: tuple[int, int]
           ) -> tuple[np.ndarray, np.ndarray]:
    """Divide the pixels with data into polygons of land and of water along traced lines.

    Lines end at the centres of the last pixels with data; from there they are led to the edge of
    these pixels on the shortest way. Takes a byte per pixel of memory.

    Args:
        lines: shapely lines (n,) in pixels from the raster's corner, y down; land lies on the
            side of +row of a line that runs towards +column.
        read: Reads the log odds.
        shape: (rows, columns) of the raster.

    Returns:
        shapely polygons (m,) in the same coordinates, which cover the pixels with data without
        gap or overlap; and bool (m,), whether each is land.
    """
    domain = _domain(read, shape)
    edge = shapely.get_parts(shapely.boundary(domain))
    parts = np.concatenate([lines, _ways_out(lines, edge), edge])
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(shapely.union_all(parts))))
    faces = shapely.orient_polygons(faces)
    inner = shapely.point_on_surface(faces)
    tree = shapely.STRtree(domain)
    held = np.unique(tree.query(inner, predicate="within")[0])
    faces, inner = faces[held], inner[held]
    votes = _votes(faces, lines)
    for number in np.flatnonzero(votes == 0):
        column, row = (int(value) for value in shapely.get_coordinates(inner[number])[0])
        votes[number] = read(Window(column, row, 1, 1)).mean[0, 0]
    return faces, votes > 0


def _domain(read: ReadOdds, shape: tuple[int, int]) -> np.ndarray:
    """Return the pixels with data in the area as polygons (n,), in pixels from the corner."""
    mask = np.empty(shape, dtype=np.uint8)
    for window in row_bands(*shape):
        odds = read(window)
        mask[window.toslices()] = odds.valid & odds.inside
    outlines = [shapely.geometry.shape(outline)
                for outline, _ in shapes(mask, mask=mask == 1, connectivity=4)]
    return np.array(outlines, dtype=object)


def _ways_out(lines: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """Return short lines from the ends of lines to the edge of the data."""
    points = np.concatenate([shapely.get_coordinates(shapely.get_point(lines, place))
                             for place in (0, -1)])
    ends, count = np.unique(points, axis=0, return_counts=True)
    ends = shapely.points(ends[count == 1])  # where two pieces meet, or a ring closes, is no end
    if not len(ends):
        return np.empty(0, dtype=object)
    segments = _segments(edge)
    nearest = shapely.STRtree(segments).nearest(ends)
    return np.asarray(shapely.shortest_line(ends, segments[nearest]))


def _segments(lines: np.ndarray) -> np.ndarray:
    """Return the straight pieces (m,) of lines."""
    begins, ends = _edges(lines)[:2]
    return np.asarray(shapely.linestrings(np.stack([begins, ends], axis=1)))


def _edges(lines: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return begin (m, 2), end (m, 2) and line of each straight piece of lines or rings."""
    points, owner = shapely.get_coordinates(lines, return_index=True)
    within = owner[1:] == owner[:-1]
    return points[:-1][within], points[1:][within], owner[:-1][within]


def _votes(faces: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """Return the length of the edges that make each face land, minus of those that make it water.

    A face lies on the left of its edges; where one runs along the coastline, in its direction or
    against it, that tells the side. 0 for faces without coast.
    """
    rings, face = shapely.get_rings(faces, return_index=True)
    begins, ends, ring = _edges(rings)
    coast_begins, coast_ends, _ = _edges(lines)
    forward = np.concatenate([coast_begins, coast_ends], axis=1)
    edges = np.concatenate([forward, forward[:, [2, 3, 0, 1]],
                            np.concatenate([begins, ends], axis=1)])
    _, names = np.unique(edges, axis=0, return_inverse=True)
    land, water, found = np.split(names, [len(forward), 2 * len(forward)])
    sign = np.isin(found, land).astype(float) - np.isin(found, water)
    lengths = np.hypot(*(ends - begins).T)
    return np.bincount(face[ring], weights=sign * lengths, minlength=len(faces))
