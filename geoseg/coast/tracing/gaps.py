"""Gaps in a traced line where data are missing, bridged by least-cost paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rasterio.windows import Window
from scipy.ndimage import map_coordinates
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree
from scipy.special import expit

from geoseg.coast.tracing.contour import Line
from geoseg.coast.tracing.odds import ReadOdds

_LEAST_COST = 0.01
"""Of a pixel that is the coast for sure, so that its path still prefers the shorter way."""
_TURN = 0.5
"""Cosine of what is left of half a turn after the sharpest bend allowed, 120 degrees."""
_TANGENT = 3.0
"""Pixels over which the direction of a line is taken."""
_STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))


@dataclass(frozen=True, slots=True, eq=False)
class Bridge:
    """A guess at how the coast goes on from one line to another, or closes one to a ring."""

    before: int
    """Index of the line that ends at the gap."""
    after: int
    """Index of the line that begins behind it."""
    points: np.ndarray
    """float64 (n, 2): (column, row) from the end of the one to the start of the other."""


def bridge_gaps(lines: Sequence[Line], read: ReadOdds, shape: tuple[int, int], most: float
                ) -> list[Bridge]:
    """Bridge the gaps between lines that end where data are missing.

    An end and a start that are nearest to each other belong together, unless the coast would have
    to turn back by more than 120 degrees; land stays on its side. Ends at the border of the image
    or of the area are no gaps. The
    path is the cheapest over the pixels, each of which costs 1 - p, p = 4 w (1 - w) being highest
    where water has a probability w of a half, and 0 where there are no data: there the path is as
    straight as it can be.

    Args:
        lines: Traced lines.
        read: Reads the log odds.
        shape: (rows, columns) of the raster.
        most: Largest distance in pixels between the two ends of a gap; 0 for no bridges.

    Returns:
        The bridges, the shortest first; each end and each start is in one at most.
    """
    if most == 0:
        return []
    tails = [number for number, line in enumerate(lines)
             if not line.is_ring and _at_hole(line.points[-1], read, shape)]
    heads = [number for number, line in enumerate(lines)
             if not line.is_ring and _at_hole(line.points[0], read, shape)]
    if not tails or not heads:
        return []
    ends = np.array([lines[number].points[-1] for number in tails])
    starts = np.array([lines[number].points[0] for number in heads])
    near = cKDTree(ends).sparse_distance_matrix(cKDTree(starts), most, output_type="ndarray")
    left, right = set(tails), set(heads)
    bridges = []
    for row, column, _ in np.sort(near, order=["v", "i", "j"])[["i", "j", "v"]]:
        before, after = tails[row], heads[column]
        if before in left and after in right and _goes_on(lines[before].points,
                                                          lines[after].points):
            left.remove(before)
            right.remove(after)
            bridges.append(Bridge(before, after, _path(ends[row], starts[column], read, shape)))
    return bridges


def _goes_on(before: np.ndarray, after: np.ndarray) -> bool:
    """Return whether the way from one line to another turns back neither at its end nor after."""
    way = after[0] - before[-1]
    way = way / max(float(np.hypot(*way)), np.finfo(float).tiny)
    return bool(way @ _direction(before[::-1]) <= _TURN and way @ _direction(after) >= -_TURN)


def _direction(points: np.ndarray) -> np.ndarray:
    """Return the unit vector in which a line sets out."""
    away = np.hypot(*(points - points[0]).T)
    step = points[int(np.argmax(away >= min(_TANGENT, float(away.max()))))] - points[0]
    return np.asarray(step / max(float(np.hypot(*step)), np.finfo(float).tiny))


def _at_hole(point: np.ndarray, read: ReadOdds, shape: tuple[int, int]) -> bool:
    """Return whether data are missing in the area, right where a line ends."""
    odds = read(_window(np.stack([point, point]), 1, shape))
    return bool((~odds.valid & odds.inside).any())


def _window(points: np.ndarray, margin: int, shape: tuple[int, int]) -> Window:
    """Return the window of the pixels around points and of a margin around these."""
    first = np.maximum(np.floor(points.min(axis=0)).astype(int) - margin, 0)
    stop = np.minimum(np.floor(points.max(axis=0)).astype(int) + 2 + margin, shape[::-1])
    return Window(*(int(value) for value in (*first, *(stop - first))))


def _path(begin: np.ndarray, end: np.ndarray, read: ReadOdds, shape: tuple[int, int]
          ) -> np.ndarray:
    window = _window(np.stack([begin, end]), 2 + int(np.hypot(*(end - begin)) / 2), shape)
    corner = (window.col_off, window.row_off)
    odds = read(window)
    water = expit(-odds.mean)
    cost = np.where(odds.valid, 1 - 4 * water * (1 - water), 1.0) + _LEAST_COST
    places = np.subtract(np.stack([begin, end]), corner)
    (start_column, stop_column), (start_row, stop_row) = np.rint(places).astype(int).T
    width = cost.shape[1]
    pixels = _cheapest(cost, start_row * width + start_column, stop_row * width + stop_column)
    path = np.column_stack([pixels % width, pixels // width]).astype(float)
    path[0], path[-1] = places[0], places[-1]
    return np.asarray(np.add(_straightened(path, cost), corner))


def _cheapest(cost: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Return the pixels, int64 (n,) as places in the flat array, of the cheapest path."""
    numbers = np.arange(cost.size).reshape(cost.shape)
    height, width = cost.shape
    rows, columns, weights = [], [], []
    for down, right in _STEPS:
        here = np.s_[:height - down, max(0, -right):width - max(0, right)]
        there = np.s_[down:, max(0, right):width + min(0, right)]
        rows.append(numbers[here].ravel())
        columns.append(numbers[there].ravel())
        weights.append((cost[here] + cost[there]).ravel() / 2 * np.hypot(down, right))
    graph = coo_array((np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))),
                      shape=(cost.size, cost.size)).tocsr()
    _, before = dijkstra(graph, directed=False, indices=start, return_predecessors=True)
    path = [stop]
    while path[-1] != start:
        path.append(int(before[path[-1]]))
    if len(path) == 1:
        path.append(start)
    return np.array(path[::-1])


def _straightened(path: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """Replace parts of a path by straight lines that cost no more.

    Steps go in eight directions only; in between, many zigzags are as short as each other.
    """
    steps = np.hypot(*np.diff(path, axis=0).T) * _along(cost, (path[1:] + path[:-1]) / 2)
    total = np.concatenate([[0.0], np.cumsum(steps)])
    kept, place = [0], 0
    while place < len(path) - 1:
        reach = len(path) - 1
        while reach > place + 1 and _straight_cost(path[place], path[reach], cost) > (
                total[reach] - total[place]) * (1 + 1e-9):
            reach = place + max(1, (reach - place) // 2)
        kept.append(reach)
        place = reach
    return np.asarray(path[kept])


def _straight_cost(begin: np.ndarray, end: np.ndarray, cost: np.ndarray) -> float:
    length = float(np.hypot(*(end - begin)))
    shares = (np.arange(max(1, int(np.ceil(2 * length)))) + 0.5)[:, np.newaxis]
    places = begin + (end - begin) * shares / len(shares)
    return length * float(_along(cost, places).mean())


def _along(cost: np.ndarray, places: np.ndarray) -> np.ndarray:
    return np.asarray(map_coordinates(cost, [places[:, 1], places[:, 0]], order=1,
                                      mode="nearest"))
