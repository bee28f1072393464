"""The faces into which a coastline cuts an area, each on the side that the line tells.

The lines and the edge of the area are noded together, and the faces of that network (GEOS'
polygonizer) cover the area without gap or overlap. Which side a face lies on is told by every
piece of coastline on its rim: the face is on the left of the piece, or on its right.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import pyproj
import shapely
from shapely.geometry.base import BaseGeometry

from geoseg.errors import SourceError
from geoseg.geo.ground import line_lengths
from geoseg.sources.coast_ends import (
    SAME_PLACE,
    Nodes,
    as_lines,
    bridges,
    metres_per_unit,
    near,
    open_ends,
)

_SLIP = 10.0
"""Metres of coastline around one face that may contradict the rest of it with no more than a
warning: where a line crosses itself, it makes a little loop that is turned round."""
_FARTHEST = 50_000.0
"""Metres from the area beyond which a coastline tells nothing about it."""
_ROUNDING = 1e-11
"""Share of the largest coordinate by which noding may move a line."""
_TURN = "Turn one of the lines round (QGIS: Reverse line direction), or correct it in OpenStreetMap"
_ALONG = (0.5, 0.1, 0.9)

_log = logging.getLogger("geoseg")


@dataclass(frozen=True, eq=False)
class Coast:
    """A coastline as directed segments, land on one side of all of them."""

    subject: str
    """Where it comes from, for messages."""
    segments: np.ndarray
    """float64 (n, 2, 2) in `crs`: from and to; none has length 0."""
    crs: pyproj.CRS
    """The CRS."""
    land_on_left: bool
    """Whether land lies on the left of the segments' direction, as in OpenStreetMap."""
    max_gap: float
    """Longest gap in metres that is bridged."""

    @property
    def _reach(self) -> float:
        """Metres within which two ends are joined."""
        return max(self.max_gap, SAME_PLACE)

    def place(self, point: np.ndarray) -> str:
        """Return a place in words: longitude and latitude."""
        change = pyproj.Transformer.from_crs(self.crs, "EPSG:4326", always_xy=True)
        longitude, latitude = change.transform(*point)
        return f"longitude {longitude:.6f}, latitude {latitude:.6f}"

    def split(self, area: BaseGeometry) -> tuple[np.ndarray, np.ndarray]:
        """Cut an area along the coastline.

        Args:
            area: Valid polygon in `crs`.

        Returns:
            Polygons (m,) that cover the area, and bool (m,): which of them are land.

        Raises:
            SourceError: The coastline ends inside the area, contradicts itself, or is too far away
                to tell which side the area lies on.
        """
        scale = metres_per_unit(self.crs, area.bounds)
        segments = near(self.segments, area, 3 * self._reach / float(scale.min()))
        shapely.prepare(area)
        made, gaps = bridges(segments, area, scale, self._reach)
        self._tell_gaps(gaps)
        segments = np.concatenate([segments, made])
        self._refuse_clashes(segments, area)
        network = shapely.union_all(np.append(as_lines(segments), shapely.get_rings(area)))
        rims = _Rims(segments)
        self._refuse_open_ends(network, rims, area)
        faces = faces_of(network, area)
        return faces, self._sides(faces, rims)

    def _tell_gaps(self, gaps: np.ndarray) -> None:
        wide = gaps[gaps > SAME_PLACE]
        if len(wide):
            _log.warning("%s: %d gaps of up to %.1f m were bridged by straight lines",
                         self.subject, len(wide), wide.max())

    def _refuse_clashes(self, segments: np.ndarray, area: BaseGeometry) -> None:
        nodes = Nodes.of(segments)
        places = nodes.places[nodes.clashes]
        places = places[shapely.intersects(area, shapely.points(places))]
        if len(places):
            raise SourceError(self.subject, f"has lines of opposite directions that meet at "
                              f"{self.place(places[0])}{_more(len(places) - 1)}, so that land "
                              "changes its side", _TURN)

    def _refuse_open_ends(self, network: BaseGeometry, rims: _Rims, area: BaseGeometry) -> None:
        """Refuse lines that end inside the area; what runs out and back is no end."""
        edges = np.asarray(shapely.get_parts(network))
        tips = shapely.get_coordinates(
            [shapely.get_point(edges, place) for place in (0, -1)]).reshape(2, -1, 2)
        places, index, count = np.unique(tips.reshape(-1, 2), axis=0, return_inverse=True,
                                         return_counts=True)
        single = (count == 1) & shapely.intersects(area, shapely.points(places))
        found = []
        for number in np.flatnonzero(single):
            edge = edges[np.flatnonzero(index.reshape(2, -1) == number)[0] % len(edges)]
            points = shapely.get_coordinates(edge)
            at_start = (points[0] == places[number]).all()
            last = points[:2] if at_start else points[-2:]
            if rims.signs(last[np.newaxis]).sum() != 0:
                found.append(places[number])
        if found:
            raise SourceError(
                self.subject, f"ends inside the area, at {self.place(found[0])}"
                f"{_more(len(found) - 1)}", "Give a coastline that crosses the area or closes "
                "(a larger extract), a smaller area, or allow a gap to be bridged (command line: "
                "--max-gap)")

    def _sides(self, faces: np.ndarray, rims: _Rims) -> np.ndarray:
        pieces, owner = rim_segments(faces)
        left, right = rims.sides(pieces)
        told = left | right
        pieces, owner, left, right = pieces[told], owner[told], left[told], right[told]
        lengths = line_lengths(as_lines(pieces), self.crs)
        by_land, by_sea = (left, right) if self.land_on_left else (right, left)
        land, sea = (np.bincount(owner, weights=lengths * side, minlength=len(faces))
                     for side in (by_land, by_sea))
        for number in np.flatnonzero((land > 0) & (sea > 0)):
            mine = owner == number
            places = [pieces[mine & side][np.argmax(lengths[mine & side])].mean(axis=0)
                      for side in (by_land, by_sea)]
            self._judge(places, min(float(land[number]), float(sea[number])))
        sides: np.ndarray = land > sea
        for number in np.flatnonzero((land == 0) & (sea == 0)):
            sides[number] = self._by_nearest(faces[number])
        return sides

    def _judge(self, places: list[np.ndarray], doubtful: float) -> None:
        """Refuse a face of which its rim says both, or warn if that is a slip."""
        one, other = map(self.place, places)
        found = (f"contradicts itself: what lies between is land by the line at {one}, and sea by "
                 f"the line at {other}")
        if doubtful > _SLIP:
            raise SourceError(self.subject, found, _TURN)
        _log.warning("%s: %s; %.1f m of line were overruled", self.subject, found, doubtful)

    def _by_nearest(self, face: BaseGeometry) -> bool:
        """Return whether a face that no coastline touches is land, by the nearest coastline."""
        lines = as_lines(self.segments)
        tree = shapely.STRtree(lines)
        way = shapely.shortest_line(face, lines[tree.nearest(face)])
        metres = float(line_lengths(np.array([way], dtype=object), self.crs)[0])
        if metres > _FARTHEST:
            raise SourceError(self.subject, f"lies {metres / 1000:,.0f} km from the area, too far "
                              "to tell whether that is sea or land",
                              "Give the coastline of the area, and check its CRS")
        eye, (*_, foot) = shapely.point_on_surface(face), shapely.get_coordinates(way)
        ends = open_ends(self.segments, metres_per_unit(self.crs, face.bounds), self._reach)
        seen = {self._seen_from(eye, self.segments, tree, share,
                                int(tree.nearest(shapely.Point(foot)))) for share in _ALONG}
        if (ends == foot).all(axis=1).any() or len(seen - {None}) != 1:
            raise SourceError(self.subject, "does not cross the area and does not tell which side "
                              f"of it that lies on; the nearest place is {self.place(foot)}",
                              "Give a longer coastline, or an area that the coast crosses")
        is_land = bool((seen - {None}).pop())
        _log.warning("%s: a part of the area is crossed by no coastline; taken for %s, by the "
                     "nearest, at %s", self.subject, "land" if is_land else "sea",
                     self.place(foot))
        return is_land

    def _seen_from(self, eye: BaseGeometry, segments: np.ndarray, tree: shapely.STRtree,
                   share: float, target: int) -> bool | None:
        """Return whether the first coast on the way to a segment shows land to the viewer.

        None if the way meets two segments at the same place, or runs along one.
        """
        start = shapely.get_coordinates(eye)[0]
        goal = segments[target][0] + share * (segments[target][1] - segments[target][0])
        ray = shapely.LineString([start, start + (goal - start) * (1 + 1e-9)])
        crossed = np.unique(np.append(tree.query(ray, predicate="intersects"), target))
        along = segments[crossed, 1] - segments[crossed, 0]
        sight = start - segments[crossed, 0]
        left = along[:, 0] * sight[:, 1] - along[:, 1] * sight[:, 0]
        cut = along[:, 0] * (goal - start)[1] - along[:, 1] * (goal - start)[0]
        if (cut == 0).any():
            return None
        shares = -left / cut  # of the way, at which each segment is met
        first = shares <= shares.min() + 1e-9
        sides = set((left[first] > 0).tolist())
        return None if len(sides) > 1 else sides.pop() == self.land_on_left


class _Rims:
    """Finds the directed segments that run along pieces of the noded network."""

    def __init__(self, segments: np.ndarray) -> None:
        self._along = segments[:, 1] - segments[:, 0]
        self._tree = shapely.STRtree(as_lines(segments))
        self._reach = _ROUNDING * float(np.abs(segments).max(initial=1.0))

    def _matches(self, pieces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return piece and cosine to the segment (-1 or 1, nearly) of all that run along it."""
        middles = shapely.points(pieces.mean(axis=1))
        piece, segment = self._tree.query(middles, predicate="dwithin", distance=self._reach)
        ahead, along = pieces[piece, 1] - pieces[piece, 0], self._along[segment]
        cosine = (ahead * along).sum(axis=1) / (np.hypot(*ahead.T) * np.hypot(*along.T))
        keep = np.abs(cosine) > 0.9
        return piece[keep], cosine[keep]

    def sides(self, pieces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return of pieces with the face on their left whether it is on a segment's left, right.

        Args:
            pieces: float64 (n, 2, 2).

        Returns:
            Two bool (n,); both False for pieces of the area's edge.
        """
        piece, cosine = self._matches(pieces)
        return (np.bincount(piece, weights=cosine > 0, minlength=len(pieces)) > 0,
                np.bincount(piece, weights=cosine < 0, minlength=len(pieces)) > 0)

    def signs(self, pieces: np.ndarray) -> np.ndarray:
        """Return 1, -1 or 0 for pieces along which segments run ahead, back, or neither or both."""
        ahead, back = self.sides(pieces)
        return np.asarray(ahead.astype(int) - back.astype(int))


def faces_of(network: BaseGeometry, area: BaseGeometry) -> np.ndarray:
    """Return the faces of a noded network that lie in an area.

    Args:
        network: Noded lines, the area's boundary among them.
        area: Valid polygon.

    Returns:
        Polygons (n,) that cover the area without gap or overlap, the largest first.
    """
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(network)))
    faces = faces[shapely.intersects(area, shapely.point_on_surface(faces))]
    ordered: np.ndarray = faces[np.argsort(-shapely.area(faces), kind="stable")]
    return ordered


def rim_segments(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the segments around polygons, each with its polygon on the left.

    Returns:
        float64 (n, 2, 2), and int (n,): place of the polygon.
    """
    rings, polygon = shapely.get_rings(shapely.orient_polygons(faces), return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    within = ring[:-1] == ring[1:]
    return np.stack([points[:-1], points[1:]], axis=1)[within], polygon[ring[:-1][within]]


def _more(count: int) -> str:
    return f" and {count} other places" if count > 1 else " and one other place" if count else ""
