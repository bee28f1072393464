"""`World`: one plane in which the chips of all scenes lie, to see which are near which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyproj
import shapely
from affine import Affine
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geoseg.geo.grid import Grid, apply, apply_to_shapes

_HAIR = 0.01
"""Pixels by which grown squares stay short, so that squares at exactly the gap do not touch."""


@dataclass(frozen=True, slots=True)
class World:
    """A plane measured in pixels of the first scene: x to the right, y down from its corner.

    Georeferenced scenes lie where they are on the Earth. Scenes in pixel space have nothing to do
    with each other: they stand side by side, well apart.
    """

    crs: pyproj.CRS | None
    """CRS of the plane: that of the first scene, or WGS 84 where it cannot show all scenes."""
    transform: Affine
    """Plane (x, y) to CRS coordinates."""
    grids: tuple[Grid, ...]
    """Grids of the scenes."""
    offsets: tuple[int, ...]
    """Where each scene in pixel space begins, in columns; 0 for georeferenced scenes."""

    @classmethod
    def of(cls, grids: Sequence[Grid], gap: int) -> World:
        """Lay out scenes; those in pixel space four gaps apart.

        Args:
            grids: Grids of the scenes; all georeferenced or none.
            gap: Pixels that shall lie between chips of different splits.
        """
        first = grids[0]
        if first.crs is None:
            starts = np.cumsum([0, *(grid.width + 4 * gap for grid in grids[:-1])])
            return cls(None, first.transform, tuple(grids), tuple(int(start) for start in starts))
        crs = first.pyproj_crs
        offsets = (0,) * len(grids)
        if all(_shows(crs, grid) for grid in grids if grid.crs != first.crs):
            return cls(crs, first.transform, tuple(grids), offsets)
        return cls(pyproj.CRS("EPSG:4326"), _degrees(first), tuple(grids), offsets)

    def polygons(self, scene: np.ndarray, windows: np.ndarray, margin: float = 0) -> np.ndarray:
        """Return windows, grown by a margin in pixels of their own scene, as polygons.

        Args:
            scene: int (n,): number of the scene of each window.
            windows: int (n, 4): column, row, width, height in pixels of that scene.
            margin: Pixels to grow by on each side; negative to shrink.

        Returns:
            Polygons (n,) in plane coordinates.
        """
        left, top = windows[:, 0] - margin, windows[:, 1] - margin
        right = windows[:, 0] + windows[:, 2] + margin
        bottom = windows[:, 1] + windows[:, 3] + margin
        corners = np.empty((len(windows), 4, 2))
        for number in np.unique(scene):
            here = scene == number
            x, y = np.stack([left, left, right, right], 1), np.stack([top, bottom, bottom, top], 1)
            corners[here] = np.stack(self._place(int(number), x[here], y[here]), axis=-1)
        return np.asarray(shapely.polygons(corners))

    def to_crs(self, polygons: np.ndarray) -> np.ndarray:
        """Return polygons of the plane in CRS coordinates."""
        return apply_to_shapes(self.transform, polygons)

    def near(self, scene: np.ndarray, windows: np.ndarray, gap: int) -> np.ndarray:
        """Find the windows nearer to each other than a gap, in pixels of either's scene.

        Args:
            scene: As in `polygons`.
            windows: As in `polygons`.
            gap: Pixels along rows or columns; 0 finds windows that share a pixel.

        Returns:
            int (pairs, 2): the smaller index first, each pair once.
        """
        tree = shapely.STRtree(self.polygons(scene, windows, -_HAIR))
        grown = self.polygons(scene, windows, gap - _HAIR)
        first, second = np.sort(tree.query(grown, predicate="intersects"), axis=0)
        keys = np.unique((first * len(windows) + second)[first < second])
        return np.stack(np.divmod(keys, len(windows)), axis=1)

    def places(self, gap: int) -> np.ndarray:
        """Number the places: scenes nearer to each other than the gap are at one place.

        Args:
            gap: As in `near`.

        Returns:
            int (scenes,): 0, 1, ...
        """
        windows = np.array([(0, 0, grid.width, grid.height) for grid in self.grids])
        scene = np.arange(len(self.grids))
        pairs = self.near(scene, windows, gap)
        links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])),
                          shape=(len(scene), len(scene)))
        return np.asarray(connected_components(links, directed=False)[1])

    def _place(self, scene: int, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Take pixel coordinates of a scene into the plane."""
        grid = self.grids[scene]
        if grid.crs is None:
            return x + self.offsets[scene], y
        if grid.transform == self.transform and grid.pyproj_crs == self.crs:
            return x, y
        x, y = apply(grid.transform, x, y)
        if grid.pyproj_crs != self.crs:
            x, y = pyproj.Transformer.from_crs(grid.pyproj_crs, self.crs,
                                               always_xy=True).transform(x, y)
        return apply(~self.transform, x, y)


def smallest_distance(polygons: np.ndarray, groups: np.ndarray) -> float:
    """Return the smallest distance between polygons of different groups.

    Args:
        polygons: shapely polygons (n,) in plane coordinates.
        groups: int (n,): group of each.

    Returns:
        Pixels of the plane; -1 if some share area, 0 if they merely touch, inf if there is only
        one group.
    """
    lowest = np.inf
    for group in np.unique(groups)[:-1]:
        mine, others = polygons[groups == group], polygons[groups > group]
        tree = shapely.STRtree(others)
        first, second = tree.query(mine, predicate="intersects")
        if (shapely.area(shapely.intersection(mine[first], others[second])) > _HAIR**2).any():
            return -1.0
        lowest = min(lowest, float(tree.query_nearest(mine, return_distance=True)[1].min()))
    return lowest


def all_apart(squares: np.ndarray, groups: np.ndarray) -> bool:
    """Whether squares of different groups lie at least their own side apart.

    Measured with distances, as a check on plans made with `World.near`, which uses intersections.

    Args:
        squares: shapely polygons (n,) of four corners in plane coordinates.
        groups: int (n,): group of each.
    """
    corners = shapely.get_coordinates(squares).reshape(len(squares), 5, 2)
    side = np.linalg.norm(np.diff(corners, axis=1), axis=2).min(axis=1)
    for group in np.unique(groups):
        mine, others = groups == group, groups != group
        tree = shapely.STRtree(squares[others])
        if tree.query(squares[mine], predicate="dwithin", distance=side[mine] - 2 * _HAIR).size:
            return False
    return True


def _shows(crs: pyproj.CRS | None, grid: Grid) -> bool:
    """Whether a CRS holds a scene of another CRS to better than half its pixel."""
    there = pyproj.Transformer.from_crs(grid.pyproj_crs, crs, always_xy=True)
    corners = np.array([[0, grid.width, grid.width, 0], [0, 0, grid.height, grid.height]], float)
    x, y = apply(grid.transform, *corners)
    back = there.transform(*there.transform(x, y), direction="INVERSE")
    error = np.abs(apply(~grid.transform, *back) - corners)
    return bool(np.isfinite(error).all() and error.max() < 0.5)


def _degrees(grid: Grid) -> Affine:
    """Return the transform of a north-up plane in WGS 84 with pixels about as large as a grid's."""
    left, bottom, right, top = pyproj.Transformer.from_crs(
        grid.pyproj_crs, "EPSG:4326", always_xy=True).transform_bounds(*grid.bounds)
    return Affine((right - left) / grid.width, 0, left, 0, -(top - bottom) / grid.height, top)
