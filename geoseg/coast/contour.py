"""Sub-pixel contour between land and water, traced strip by strip and joined exactly.

Coordinates are (column, row) of pixel centres, as floats: (0, 0) is the centre of the upper left
pixel. Land lies on the side of +row of a line that runs towards +column: on its right, as an image
is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from contourpy import LineType, contour_generator
from rasterio.windows import Window
from scipy.ndimage import gaussian_filter, map_coordinates

from geoseg.geo.windows import grow
from geoseg.maps.probabilities import STEPS
from geoseg.progress import Progress, track

ReadWater = Callable[[Window], tuple[np.ndarray, np.ndarray]]
"""Reads a window: probability of water float (rows, columns), and valid bool (rows, columns)."""

_TRUNCATE = 4.0
_REACH = 1.0
"""Pixels to either side of the line at which its confidence is measured."""
_TINY = 1e-6
_STRIP_PIXELS = 2_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """A line with land on one side throughout."""

    points: np.ndarray
    """float64 (n, 2): (column, row) in pixels from the centre of the first pixel."""
    length: float
    """Length in pixels."""
    contrast: float
    """Integral along the line of the contrast across it; over the length it is a mean, 0..1."""
    start: tuple[int, int] | None
    """Where the line enters from another strip: the seam's row, and the column left of the
    crossing."""
    end: tuple[int, int] | None
    """Where the line goes on in another strip."""

    @property
    def is_ring(self) -> bool:
        """Whether the line ends where it began."""
        return bool((self.points[0] == self.points[-1]).all())


def trace_contour(read: ReadWater, shape: tuple[int, int], smooth: float, progress: Progress, *,
                  rows: int | None = None) -> list[Line]:
    """Trace where smoothed land and water are equally likely.

    The log odds of land are smoothed with a Gaussian that leaves out pixels without data, and
    contoured at 0 by marching squares. No line is drawn between pixels of which one has no data,
    so the edges of the data and of the image are no coast. Strips share one row of pixels and are
    read with a margin for the Gaussian: the result does not depend on their height, and memory
    does not grow with the raster's.

    Args:
        read: Reads the probability of water.
        shape: (rows, columns) of the raster.
        smooth: Standard deviation of the Gaussian in pixels; 0 for none.
        progress: Told the fraction done.
        rows: Rows per strip; chosen by the width if not given.

    Returns:
        Lines joined over the seams; rings begin at their smallest (column, row).
    """
    height, width = shape
    rows = rows or max(64, _STRIP_PIXELS // width)
    strips = [Window(0, top, width, min(rows + 1, height - top))
              for top in range(0, height - 1, rows)]
    pieces: list[Line] = []
    for strip in track(strips, progress, "tracing"):
        pieces += _trace_strip(read, strip, shape, smooth)
    return [_turned(line) for line in join(pieces)]


def _trace_strip(read: ReadWater, strip: Window, shape: tuple[int, int], smooth: float
                 ) -> Iterator[Line]:
    margin = int(_TRUNCATE * smooth + 0.5) + int(_REACH) + 1
    grown, inner = grow(strip, margin, *shape)
    water, valid = read(grown)
    z = log_odds_of_land(water, valid, smooth)[inner]
    seen = z[valid[inner]]
    if not seen.size or seen.min() > 0 or seen.max() < 0:
        return
    land = np.where(valid, 1 - water, 0.5)  # no evidence where there is no data
    generator = contour_generator(z=np.ma.masked_array(z, ~valid[inner]), name="serial",
                                  corner_mask=False, line_type=LineType.Separate)
    for found in generator.lines(0.0):
        points = np.asarray(found)
        lengths, contrast = _contrast(np.add(points, (0, inner[0].start)), land)
        yield Line(np.add(points, (0, strip.row_off)), float(lengths.sum()),
                   float((lengths * contrast).sum()),
                   _seam(points[0], strip, shape[0]), _seam(points[-1], strip, shape[0]))


def log_odds_of_land(water: np.ndarray, valid: np.ndarray, smooth: float) -> np.ndarray:
    """Return the smoothed log odds of land against water.

    Probabilities are clipped to half a storage step from 0 and 1, so that uint8 and float32
    rasters weigh the same. Smoothing is a normalised convolution (Knutsson and Westin 1993):
    pixels without data, and beyond the array, have no weight.

    Args:
        water: Probability of water (rows, columns).
        valid: bool (rows, columns).
        smooth: Standard deviation of the Gaussian in pixels; 0 for none.

    Returns:
        float64 (rows, columns), never 0: an exact tie counts as water. Meaningless where not
        valid.
    """
    half = 0.5 / STEPS
    water = np.clip(water.astype(np.float64), half, 1 - half)
    z = np.where(valid, np.log((1 - water) / water), 0.0)
    if smooth > 0:
        weight = gaussian_filter(valid.astype(np.float64), smooth, mode="constant",
                                 truncate=_TRUNCATE)
        total = gaussian_filter(z, smooth, mode="constant", truncate=_TRUNCATE)
        z = np.divide(total, weight, out=np.zeros_like(z), where=valid)
    z[np.abs(z) < _TINY] = -_TINY
    return z


def _contrast(points: np.ndarray, land: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return length of, and contrast across, each segment of a line.

    The contrast is the probability of land one pixel to the land side of the segment's middle,
    minus that one pixel to the water side, interpolated bilinearly and not below 0.
    """
    along = np.diff(points, axis=0)
    lengths = np.hypot(along[:, 0], along[:, 1])
    across = _REACH * np.column_stack([-along[:, 1], along[:, 0]])
    across /= np.maximum(lengths, np.finfo(float).tiny)[:, np.newaxis]
    middle = (points[:-1] + points[1:]) / 2
    sides = [map_coordinates(land, [side[:, 1], side[:, 0]], order=1, mode="nearest")
             for side in (middle + across, middle - across)]
    return lengths, np.clip(sides[0] - sides[1], 0, 1)


def _seam(point: np.ndarray, strip: Window, height: int) -> tuple[int, int] | None:
    """Return the seam crossing that an end of a line lies on.

    The log odds are never 0, so that crossings lie clearly inside the edge between two pixels.
    """
    for row in (0, strip.height - 1):
        place = int(strip.row_off + row)
        if abs(point[1] - row) < 1e-9 and 0 < place < height - 1:
            return place, int(point[0])
    return None


def join(pieces: Sequence[Line]) -> list[Line]:
    """Join lines whose end crosses a seam where another begins; closed ones become rings."""
    starting = {piece.start: index for index, piece in enumerate(pieces) if piece.start}
    ends = {piece.end for piece in pieces if piece.end}
    heads = [index for index, piece in enumerate(pieces) if piece.start not in ends]
    used: set[int] = set()
    lines = []
    for head in [*heads, *range(len(pieces))]:
        chain: list[int] = []
        follow: int | None = head
        while follow is not None and follow not in used:
            used.add(follow)
            chain.append(follow)
            end = pieces[follow].end
            follow = starting.get(end) if end else None
        if chain:
            lines.append(_merged([pieces[index] for index in chain], is_ring=follow == head))
    return lines


def _merged(chain: list[Line], *, is_ring: bool) -> Line:
    if len(chain) == 1 and not is_ring:
        return chain[0]
    points = np.concatenate([chain[0].points, *(piece.points[1:] for piece in chain[1:])])
    if is_ring:
        points[-1] = points[0]
    return Line(points, sum(piece.length for piece in chain),
                sum(piece.contrast for piece in chain), chain[0].start, chain[-1].end)


def _turned(line: Line) -> Line:
    """Let a ring begin at its smallest (column, row), wherever the strips began it."""
    if not line.is_ring:
        return line
    open_points = line.points[:-1]
    first = int(np.lexsort((open_points[:, 1], open_points[:, 0]))[0])
    points = np.roll(open_points, -first, axis=0)
    return Line(np.concatenate([points, points[:1]]), line.length, line.contrast, None, None)
