"""Directed segments of a coastline: where they end, and how open ends are joined.

Segments are float64 (n, 2, 2): from and to, each x and y. A coastline goes on where one segment
ends and the next begins at the same place, whichever line they come from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyproj
import shapely
from scipy.spatial import KDTree
from shapely.geometry.base import BaseGeometry

from geoseg.geo.ground import Bounds

SAME_PLACE = 0.01
"""Metres within which two ends are one place: the resolution of OpenStreetMap's coordinates."""


def segments_of(lines: np.ndarray) -> np.ndarray:
    """Return the directed segments of lines, each once and none of length 0.

    Args:
        lines: shapely LineStrings (n,).

    Returns:
        float64 (segments, 2, 2).
    """
    points, owner = shapely.get_coordinates(lines, return_index=True)
    pairs = np.stack([points[:-1], points[1:]], axis=1)[owner[:-1] == owner[1:]]
    pairs = pairs[(pairs[:, 0] != pairs[:, 1]).any(axis=1)]
    return np.asarray(np.unique(pairs.reshape(-1, 4), axis=0).reshape(-1, 2, 2))


def as_lines(segments: np.ndarray) -> np.ndarray:
    """Return segments as shapely LineStrings (n,)."""
    return np.asarray(shapely.linestrings(segments))


def near(segments: np.ndarray, area: BaseGeometry, margin: float) -> np.ndarray:
    """Return the segments whose boxes meet the area's box, grown by a margin in CRS units."""
    left, bottom, right, top = area.bounds
    low, high = segments.min(axis=1), segments.max(axis=1)
    meets = ((high >= (left - margin, bottom - margin)) & (low <= (right + margin, top + margin)))
    return np.asarray(segments[meets.all(axis=1)])


@dataclass(frozen=True, eq=False)
class Nodes:
    """The places where segments begin and end."""

    places: np.ndarray
    """float64 (n, 2): x and y."""
    leaving: np.ndarray
    """int (n,): how many segments begin there."""
    arriving: np.ndarray
    """int (n,): how many segments end there."""

    @classmethod
    def of(cls, segments: np.ndarray) -> Nodes:
        """Count the segments at each place."""
        places, index = np.unique(segments.reshape(-1, 2), axis=0, return_inverse=True)
        index = index.reshape(-1, 2)
        return cls(places, *(np.bincount(index[:, end], minlength=len(places)) for end in (0, 1)))

    @property
    def starts(self) -> np.ndarray:
        """Where a line begins and none ends: bool (n,)."""
        return np.asarray((self.leaving == 1) & (self.arriving == 0))

    @property
    def stops(self) -> np.ndarray:
        """Where a line ends and none begins: bool (n,)."""
        return np.asarray((self.leaving == 0) & (self.arriving == 1))

    @property
    def clashes(self) -> np.ndarray:
        """Where two lines meet head to head or tail to tail, so that one is reversed: bool (n,)."""
        alike = np.minimum(self.leaving, self.arriving) == 0
        return np.asarray(alike & (self.leaving + self.arriving == 2))


def metres_per_unit(crs: pyproj.CRS, bounds: Bounds) -> np.ndarray:
    """Return how many metres one unit of x and one of y are at the centre of bounds.

    Gaps are measured by these two numbers alone, in which straight lines stay straight.

    Args:
        crs: The CRS of the bounds.
        bounds: (left, bottom, right, top).

    Returns:
        float64 (2,): metres on WGS 84 per unit of x, and per unit of y.
    """
    x, y = (bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2
    step = max(bounds[2] - bounds[0], bounds[3] - bounds[1]) / 1000
    to_degrees = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    longitudes, latitudes = to_degrees.transform([x, x + step, x], [y, y, y + step])
    *_, lengths = pyproj.Geod(ellps="WGS84").inv(
        [longitudes[0]] * 2, [latitudes[0]] * 2, longitudes[1:], latitudes[1:])
    return np.array(lengths) / step


def open_ends(segments: np.ndarray, scale: np.ndarray, reach: float) -> np.ndarray:
    """Return where lines stop or start and no other goes on within reach.

    Args:
        segments: float64 (n, 2, 2).
        scale: Metres per unit of x and of y.
        reach: Longest gap in metres.

    Returns:
        float64 (m, 2): x and y.
    """
    nodes = Nodes.of(segments)
    stops, starts = nodes.places[nodes.stops], nodes.places[nodes.starts]
    pairs = _pairs(stops * scale, starts * scale, reach)
    return np.concatenate([np.delete(stops, [stop for _, stop, _ in pairs], axis=0),
                           np.delete(starts, [start for *_, start in pairs], axis=0)])


def bridges(segments: np.ndarray, area: BaseGeometry, scale: np.ndarray, reach: float
            ) -> tuple[np.ndarray, np.ndarray]:
    """Return segments that join open ends with each other, or with the edge of the area.

    The shortest gaps are closed first. A stop is joined to a start only, so that the land stays on
    its side; an end inside the area is joined to its edge where that is nearer than another end.

    Args:
        segments: float64 (n, 2, 2).
        area: Valid polygon.
        scale: Metres per unit of x and of y, see `metres_per_unit`.
        reach: Longest gap in metres.

    Returns:
        float64 (m, 2, 2) segments, and the lengths in metres of the gaps that they close.
    """
    nodes = Nodes.of(segments)
    ends = nodes.places[nodes.stops] * scale, nodes.places[nodes.starts] * scale
    polygon = shapely.orient_polygons(shapely.transform(area, lambda points: points * scale))
    found, lengths = [np.empty((0, 2, 2))], []
    used: set[tuple[int, int]] = set()
    for gap, is_edge, pair in sorted(_options(ends, polygon, reach)):
        joined = {(side, number) for side, number in enumerate(pair) if number >= 0}
        if used & joined:
            continue
        used |= joined
        chain = [ends[side][number] for side, number in enumerate(pair) if number >= 0]
        if is_edge:
            chain += _beyond(polygon, chain[0])
        chain = chain[::-1] if is_edge and pair[0] < 0 else chain
        found.append(np.stack([chain[:-1], chain[1:]], axis=1) / scale)
        lengths.append(gap)
    return _anchored(np.concatenate(found), nodes.places, scale), np.array(lengths)


def _options(ends: tuple[np.ndarray, np.ndarray], polygon: BaseGeometry, reach: float
             ) -> list[tuple[float, bool, tuple[int, int]]]:
    """Return what could be joined: the gap, whether to the edge, and stop and start or -1."""
    options = [(gap, False, (stop, start)) for gap, stop, start in _pairs(*ends, reach)]
    for is_start, places in enumerate(ends):
        points = shapely.points(places)
        gaps = np.asarray(shapely.distance(polygon.boundary, points))
        # An end on the edge may count as outside of it by rounding.
        inside = shapely.covers(polygon, points) | (gaps <= SAME_PLACE)
        options += [(float(gaps[n]), True, (-1, int(n)) if is_start else (int(n), -1))
                    for n in np.flatnonzero(inside & (gaps <= reach))]
    return options


def _pairs(stops: np.ndarray, starts: np.ndarray, reach: float) -> list[tuple[float, int, int]]:
    """Return distance, stop and start of all pairs within reach."""
    if not len(stops) or not len(starts):
        return []
    close = KDTree(stops).sparse_distance_matrix(KDTree(starts), reach, output_type="coo_matrix")
    return [(float(gap), int(stop), int(start))
            for gap, stop, start in zip(close.data, close.row, close.col, strict=True)]


def _beyond(polygon: BaseGeometry, end: np.ndarray) -> list[np.ndarray]:
    """Return the nearest place on the edge, and one a little outside of it.

    The second makes the two lines cross for certain: rounding may leave a line that ends on
    another just short of it.
    """
    rings = [shapely.get_coordinates(ring) for ring in shapely.get_rings(polygon)]
    edges = np.concatenate([np.stack([ring[:-1], ring[1:]], axis=1) for ring in rings])
    start, stop = edges[np.argmin(shapely.distance(as_lines(edges), shapely.Point(end)))]
    along = stop - start
    foot = start + np.clip(np.dot(end - start, along) / np.dot(along, along), 0, 1) * along
    outwards = np.array([along[1], -along[0]]) / np.hypot(*along)  # the area is on the left
    return [foot, foot + SAME_PLACE * outwards]


def _anchored(made: np.ndarray, places: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return segments whose ends that are nodes have exactly the coordinates of these."""
    if not len(made):
        return made
    points = made.reshape(-1, 2).copy()
    gaps, index = KDTree(places * scale).query(points * scale)
    same = gaps < SAME_PLACE / 1000
    points[same] = places[index[same]]
    made = points.reshape(-1, 2, 2)
    kept: np.ndarray = made[(made[:, 0] != made[:, 1]).any(axis=1)]
    return kept
