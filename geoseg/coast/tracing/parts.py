"""Traced lines and the bridges between them, as parts of coasts with what is known about each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely

from geoseg.coast.tracing.contour import Line
from geoseg.coast.tracing.gaps import Bridge
from geoseg.geo.grid import Grid
from geoseg.geo.ground import line_lengths
from geoseg.maps.shapes import place


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Parts of coasts, each coast from its beginning to its end, the longest coast first."""

    shapes: np.ndarray
    """shapely lines (n,) in pixels from the raster's corner, y down; land lies towards +row of a
    part that runs towards +column."""
    coast: np.ndarray
    """int (n,): number of the coast that each belongs to."""
    observed: np.ndarray
    """bool (n,): False over gaps."""
    is_ring: np.ndarray
    """bool (n,): whether the part's coast closes in on itself."""
    confidence: np.ndarray
    """float (n,): mean contrast across the part, 0 to 1; 0 over gaps."""
    sigma: np.ndarray
    """float (n,): root mean square of the standard deviation across the part in metres; NaN over
    gaps."""

    def __len__(self) -> int:
        return len(self.shapes)

    def simplified(self, tolerance: float) -> Parts:
        """Return parts whose vertices are thinned out, by at most `tolerance` pixels."""
        return self if tolerance == 0 else self._with(_simplified(self.shapes, tolerance))

    def on_map(self, grid: Grid) -> np.ndarray:
        """Return the parts in map coordinates (n,), land on their left."""
        shapes = shapely.transform(self.shapes, lambda points: place(points, grid.transform))
        # As usual y is up; else the map mirrors the image.
        return np.asarray(shapely.reverse(shapes) if grid.transform.determinant < 0 else shapes)

    def longest_first(self, grid: Grid, least: float) -> Parts:
        """Return the coasts of `least` metres (pixels in pixel space) or more, longest first."""
        lengths = line_lengths(self.on_map(grid), grid.pyproj_crs)
        totals = np.bincount(self.coast, weights=lengths)
        order = np.argsort(-totals, kind="stable")
        rank = np.empty(len(order), dtype=int)
        rank[order] = np.arange(len(order))
        # What comes first in the image comes last on a map that mirrors it.
        place = np.arange(len(self)) * (-1 if grid.transform.determinant < 0 else 1)
        chosen = np.lexsort([place, rank[self.coast]])
        chosen = chosen[totals[self.coast[chosen]] >= least]
        return Parts(self.shapes[chosen], rank[self.coast][chosen] + 1, self.observed[chosen],
                     self.is_ring[chosen], self.confidence[chosen], self.sigma[chosen])

    def _with(self, shapes: np.ndarray) -> Parts:
        return Parts(shapes, self.coast, self.observed, self.is_ring, self.confidence, self.sigma)


def parts_of(lines: Sequence[Line], bridges: Sequence[Bridge], piece: float) -> Parts:
    """Put lines and bridges together to coasts, and cut these into parts.

    Args:
        lines: Traced lines.
        bridges: Bridges between them.
        piece: Length in pixels of the pieces to cut lines into, about; 0 for none.
    """
    onward = {bridge.before: bridge for bridge in bridges}
    heads = sorted(set(range(len(lines))) - {bridge.after for bridge in bridges})
    shapes, facts, used = [], [], set()
    for number, head in enumerate([*heads, *range(len(lines))]):
        place: int | None = head
        is_ring = head not in heads or lines[head].is_ring
        while place is not None and place not in used:
            used.add(place)
            for shape, confidence, sigma in _pieces(lines[place], piece):
                shapes.append(shape)
                facts.append((number, True, is_ring, confidence, sigma))
            bridge = onward.get(place)
            if bridge is not None:
                shapes.append(shapely.LineString(bridge.points + 0.5))
                facts.append((number, False, is_ring, 0.0, np.nan))
            place = None if bridge is None else bridge.after
    coast, observed, rings, confidences, sigmas = (np.array(column) for column in zip(
        *facts, strict=True)) if facts else ([np.empty(0)] * 5)
    _, coast = np.unique(coast, return_inverse=True)
    return Parts(np.array(shapes, dtype=object), coast, observed.astype(bool),
                 rings.astype(bool), confidences.astype(float), sigmas.astype(float))


def _pieces(line: Line, piece: float) -> list[tuple[shapely.LineString, float, float]]:
    """Cut a line into pieces of about the same length, each with its confidence and sigma."""
    lengths = line.lengths
    total = float(lengths.sum())
    count = max(1, round(total / piece)) if piece > 0 else 1
    marks = np.searchsorted(np.cumsum(lengths), np.arange(1, count) * total / count) + 1
    bounds = np.unique([0, *marks, len(lengths)])
    pieces = []
    for start, stop in pairwise(bounds):
        weights = lengths[start:stop] + np.finfo(float).tiny
        pieces.append((shapely.LineString(line.points[start:stop + 1] + 0.5),
                       float(np.average(line.contrast[start:stop], weights=weights)),
                       float(np.sqrt(np.average(line.variance[start:stop], weights=weights)))))
    return pieces


def _simplified(lines: np.ndarray, tolerance: float) -> np.ndarray:
    simpler = shapely.simplify(lines, tolerance, preserve_topology=False)
    collapsed = shapely.is_closed(lines) & (shapely.get_num_coordinates(simpler) < 4)
    return np.where(collapsed, lines, simpler)
