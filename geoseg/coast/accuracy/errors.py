"""The errors of one pair of coastlines, sample by sample, and which of them count."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import shapely

from geoseg.coast.accuracy.distances import Nearest, Segments, even_positions, nearest_on
from geoseg.coast.accuracy.options import Options
from geoseg.coast.accuracy.pairs import Pair
from geoseg.errors import GeosegError

Direction = Literal["missed", "strayed"]
"""missed: from the reference to the line; strayed: from the line to the reference."""

_MOST_SAMPLES = 5_000_000


@dataclass(frozen=True, eq=False)
class Errors:
    """Distances from n samples of one side of a pair to the other side."""

    pair: Pair
    """The pair."""
    direction: Direction
    """Which side was sampled."""
    points: np.ndarray
    """float64 (n, 2): the samples, in metres."""
    position: np.ndarray
    """float64 (n,): metres along the shore, along the line that the samples are of; of points,
    along the measured line."""
    spacing: float
    """Metres from one sample to the next, on average."""
    distance: np.ndarray
    """float64 (n,): metres to the nearest point of the other side."""
    seaward: np.ndarray | None
    """float64 (n,): metres by which the line lies seaward of the reference, negative where it lies
    landward; None where it is unknown which side is land."""
    counts: np.ndarray
    """bool (n,): whether the sample has a counterpart on the other side."""
    inside: np.ndarray
    """bool (n,): whether the sample lies in the area."""
    sigma: np.ndarray | None = None
    """float64 (n,): standard deviation in m of the line nearest to the sample, NaN where it has
    none; None if no line has one."""

    @property
    def counted(self) -> np.ndarray:
        """float64: the distances that count, in the order of the samples."""
        return np.asarray(self.distance[self.counts])

    @property
    def segments(self) -> Segments | np.ndarray:
        """The side that was sampled."""
        return self.pair.reference if self.direction == "missed" else self.pair.lines


def missed(pair: Pair, options: Options, area: shapely.Geometry | None) -> Errors:
    """Measure from the reference to the lines: how far the truth is from what was drawn.

    Raises:
        GeosegError: The step makes too many samples.
    """
    if isinstance(pair.reference, Segments):
        position, spacing = _positions(pair.reference, options.step)
        points = pair.reference.at(position)
        nearest = nearest_on(pair.lines, points)
    else:
        points = pair.reference
        nearest = nearest_on(pair.lines, points)
        position = nearest.position
        spacing = float(np.ptp(position)) / max(1, len(position) - 1)
    side = {"left": 1.0, "right": -1.0, None: 0.0}[options.land]
    seaward = side * nearest.left * nearest.distance if options.land else None
    errors = _errors(pair, "missed", points, position, spacing, nearest, seaward, options, area)
    if pair.sigma is None:
        return errors
    return replace(errors, sigma=pair.sigma[pair.lines.parts_at(nearest.position)])


def strayed(pair: Pair, options: Options, area: shapely.Geometry | None) -> Errors | None:
    """Measure from the lines to the reference: how far what was drawn is from the truth.

    Returns:
        None if the reference is points: between them there is coast that they do not show.

    Raises:
        GeosegError: The step makes too many samples.
    """
    if not isinstance(pair.reference, Segments):
        return None
    position, spacing = _positions(pair.lines, options.step)
    points = pair.lines.at(position)
    nearest = nearest_on(pair.reference, points)
    return _errors(pair, "strayed", points, position, spacing, nearest, None, options, area)


def _positions(segments: Segments, step: float) -> tuple[np.ndarray, float]:
    if segments.length / step > _MOST_SAMPLES:
        raise GeosegError("step", f"of {step:g} m makes more than {_MOST_SAMPLES:,} samples of "
                          f"{segments.length / 1000:,.0f} km of coast",
                          "Give a larger step, or clip the layers")
    positions = even_positions(segments.length, step)
    return positions, segments.length / len(positions)


def _errors(pair: Pair, direction: Direction, points: np.ndarray, position: np.ndarray,
            spacing: float, nearest: Nearest, seaward: np.ndarray | None, options: Options,
            area: shapely.Geometry | None) -> Errors:
    inside = np.ones(len(points), dtype=bool)
    if area is not None:
        shapely.prepare(area)
        inside = np.asarray(shapely.intersects_xy(area, points))
    counts = inside & ~nearest.past_end
    if options.max_distance is not None:
        counts &= nearest.distance <= options.max_distance
    return Errors(pair, direction, points, position, spacing, nearest.distance, seaward, counts,
                  inside)
