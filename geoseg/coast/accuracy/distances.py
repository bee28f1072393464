"""Distances between lines in metres: evenly sampled, to the nearest point, and to which side.

All coordinates are metres in one plane CRS. Lines are taken apart into straight segments, so that
the nearest point is exact and everything else is arithmetic on arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely

_TOUCH = 0.01
"""Metres within which the end of a line touches another line, so that it is no end."""
_ABEAM = 1e-6
"""Metres by which a point may lie past the end of a line and still lie beside it."""


@dataclass(frozen=True, eq=False)
class Segments:
    """Lines as straight segments, all of them longer than nothing, in the order of the lines.

    A position is the length along all the lines, one after the other, in metres.
    """

    start: np.ndarray
    """float64 (m, 2): x and y in metres."""
    end: np.ndarray
    """float64 (m, 2): x and y in metres."""
    part: np.ndarray
    """int (m,): number of the line, of its part if it has several, that the segment is of."""
    before: np.ndarray
    """int (m,): the segment before it in its line; itself where there is none."""
    after: np.ndarray
    """int (m,): the segment after it in its line; itself where there is none."""
    opens: np.ndarray
    """bool (m,): whether a line begins here that touches no other there, nor itself."""
    closes: np.ndarray
    """bool (m,): whether such a line ends here."""

    def __len__(self) -> int:
        return len(self.part)

    @cached_property
    def lengths(self) -> np.ndarray:
        """float64 (m,): metres."""
        return np.asarray(np.hypot(*(self.end - self.start).T))

    @cached_property
    def reached(self) -> np.ndarray:
        """float64 (m,): position of each segment's end."""
        return np.cumsum(self.lengths)

    @cached_property
    def begins(self) -> np.ndarray:
        """float64 (m,): position of each segment's start."""
        return np.append(0.0, self.reached[:-1])

    @property
    def length(self) -> float:
        """Length of all lines in metres."""
        return float(self.reached[-1]) if len(self) else 0.0

    def at(self, positions: np.ndarray, *, ending: bool = False) -> np.ndarray:
        """Return the points (n, 2) at positions; where two lines meet, of the one that begins.

        Args:
            positions: Metres (n,) along the lines.
            ending: Whether the line that ends is meant instead.
        """
        index = np.searchsorted(self.reached, positions, side="left" if ending else "right")
        index = np.minimum(index, len(self) - 1)
        share = np.clip((positions - self.begins[index]) / self.lengths[index], 0, 1)
        share = share[:, np.newaxis]
        return np.asarray((1 - share) * self.start[index] + share * self.end[index])

    def parts_at(self, positions: np.ndarray) -> np.ndarray:
        """Return the number of the line, or of the part of one, at each position."""
        index = np.searchsorted(self.reached, positions, side="right")
        return np.asarray(self.part[np.minimum(index, len(self) - 1)])


@dataclass(frozen=True, eq=False)
class Nearest:
    """What lies nearest to each of n points on a set of lines."""

    distance: np.ndarray
    """float64 (n,): metres to the nearest point of the lines."""
    position: np.ndarray
    """float64 (n,): position of that point along the lines."""
    left: np.ndarray
    """float64 (n,): 1 where the point lies on the left of the line, -1 on the right, 0 on it."""
    past_end: np.ndarray
    """bool (n,): whether the nearest point is the end of an open line and the point lies past it,
    so that it has no counterpart."""


def segments_of(lines: np.ndarray) -> Segments:
    """Return the segments of lines.

    Ends count as open unless they come within 1 cm of another line or of the line's own other end:
    a coast cut into pieces, as OpenStreetMap's are, has no ends inside it.

    Args:
        lines: shapely lines (n,), also of several parts, in metres.
    """
    parts = shapely.get_parts(lines)
    points, owner = shapely.get_coordinates(parts, return_index=True)
    real = (owner[1:] == owner[:-1]) & (points[1:] != points[:-1]).any(axis=1)
    start, end, part = points[:-1][real], points[1:][real], owner[:-1][real]
    change = part[1:] != part[:-1]
    first, last = np.append(True, change)[:len(part)], np.append(change, True)[:len(part)]
    index = np.arange(len(part))
    heads, tails = index[first], index[last]
    ring = np.hypot(*(start[heads] - end[tails]).T) <= _TOUCH
    before, after = np.where(first, index, index - 1), np.where(last, index, index + 1)
    before[heads[ring]], after[tails[ring]] = tails[ring], heads[ring]
    opens, closes = np.zeros((2, len(part)), dtype=bool)
    opens[heads] = ~ring & _is_apart(start[heads], part[heads], parts)
    closes[tails] = ~ring & _is_apart(end[tails], part[tails], parts)
    return Segments(start, end, part, before, after, opens, closes)


def _is_apart(points: np.ndarray, own: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Return whether each point touches none of the lines but its own."""
    found, touched = shapely.STRtree(parts).query(shapely.points(points), predicate="dwithin",
                                                  distance=_TOUCH)
    apart = np.ones(len(points), dtype=bool)
    apart[found[touched != own[found]]] = False
    return apart


def even_positions(length: float, step: float) -> np.ndarray:
    """Return positions along a length, the middles of equal pieces of at most `step` metres.

    Every sample stands for the same length. Since a distance changes by at most as much as the
    place it is measured from, a mean over the samples is within step / 4 of that over all points.
    """
    count = max(1, int(np.ceil(length / step - 1e-9)))
    return (np.arange(count) + 0.5) * (length / count)


def nearest_on(segments: Segments, points: np.ndarray) -> Nearest:
    """Return the nearest point of the lines to each point, exact to the rounding of floats.

    At a corner, the side is that of the mean direction of the two segments that meet there, which
    is right even where the sides of the two disagree (Bærentzen and Aanæs 2005).

    Args:
        segments: At least one segment.
        points: Metres (n, 2).
    """
    pairs = np.stack([segments.start, segments.end], axis=1)
    tree = shapely.STRtree(np.asarray(shapely.linestrings(pairs)))
    asked, found = tree.query_nearest(shapely.points(points), all_matches=False)
    index = np.zeros(len(points), dtype=int)
    index[asked] = found
    lengths = segments.lengths
    directions = (segments.end - segments.start) / lengths[:, np.newaxis]
    along = np.einsum("ij,ij->i", points - segments.start[index], directions[index])
    foot = np.clip(along, 0, lengths[index])
    away = points - (segments.start[index] + foot[:, np.newaxis] * directions[index])
    over_start, over_end = along < -_ABEAM, along > lengths[index] + _ABEAM
    neighbour = np.where(foot <= 0, segments.before[index],
                         np.where(foot >= lengths[index], segments.after[index], index))
    ahead = directions[index] + directions[neighbour]
    left = np.sign(ahead[:, 0] * away[:, 1] - ahead[:, 1] * away[:, 0])
    past = (over_start & segments.opens[index]) | (over_end & segments.closes[index])
    position = segments.begins[index] + foot
    return Nearest(np.hypot(*away.T), position, left, past)
