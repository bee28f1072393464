"""Sub-pixel contour between land and water, traced strip by strip and joined exactly.

Coordinates are (column, row) of pixel centres, as floats: (0, 0) is the centre of the upper left
pixel. Land lies on the side of +row of a line that runs towards +column: on its right, as an image
is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from contourpy import LineType, contour_generator
from rasterio.windows import Window
from scipy.ndimage import maximum_filter1d, minimum_filter1d

from geoseg.coast.tracing.certainty import REACH, contrasts, land_shares, variances
from geoseg.coast.tracing.odds import TRUNCATE, Odds, ReadOdds, without_ties
from geoseg.geo.windows import grow
from geoseg.progress import Progress, track

_STRIP_PIXELS = 2_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A line with land on one side throughout."""

    points: np.ndarray
    """float64 (n, 2): (column, row) in pixels from the centre of the first pixel."""
    contrast: np.ndarray
    """float64 (n - 1,): contrast across each segment, 0 to 1."""
    variance: np.ndarray
    """float64 (n - 1,): variance in m² of the place of each segment, across it."""
    start: tuple[int, int] | None = None
    """Where the line enters from another strip: the seam's row, and the column left of the
    crossing."""
    end: tuple[int, int] | None = None
    """Where the line goes on in another strip."""

    @property
    def is_ring(self) -> bool:
        """Whether the line ends where it began."""
        return bool((self.points[0] == self.points[-1]).all())

    @property
    def lengths(self) -> np.ndarray:
        """float64 (n - 1,): length of each segment in pixels."""
        return np.asarray(np.hypot(*np.diff(self.points, axis=0).T))


def trace_contour(read: ReadOdds, shape: tuple[int, int], smooth: float, progress: Progress, *,
                  pixel_size: tuple[float, float] = (1.0, 1.0), rows: int | None = None
                  ) -> list[Line]:
    """Trace where smoothed land and water are equally likely.

    The log odds of land are smoothed with a Gaussian that leaves out pixels without data, and
    contoured at 0 by marching squares. No line is drawn between pixels of which one has no data
    or lies outside the area, so the edges of the data, of the area and of the image are no coast.
    Strips share one row of pixels and are read with a margin for the Gaussian: the result does
    not depend on their height, and memory does not grow with the raster's. Columns far from any
    change of sign are left out, since smoothing makes no coast where all is land or all is water.

    Args:
        read: Reads the log odds.
        shape: (rows, columns) of the raster.
        smooth: Standard deviation of the Gaussian in pixels; 0 for none.
        progress: Told the fraction done.
        pixel_size: Ground width and height of a pixel in metres.
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
        pieces += _trace_strip(read, strip, shape, smooth, pixel_size)
    return [_turned(line) for line in join(pieces)]


def _trace_strip(read: ReadOdds, strip: Window, shape: tuple[int, int], smooth: float,
                 pixel_size: tuple[float, float]) -> Iterator[Line]:
    margin = int(TRUNCATE * smooth + 0.5) + int(REACH) + 1
    grown, (inner, _) = grow(strip, margin, *shape)
    odds = read(grown)
    for first, stop in _mixed(odds, margin):
        left, right = max(0, first - margin), min(shape[1], stop + margin)
        raw = odds.columns(left, right)
        smoothed = raw.smoothed(smooth)
        land = land_shares(raw)
        here = np.s_[inner, first - left:stop - left]
        z = without_ties(smoothed.mean[here])
        generator = contour_generator(
            z=np.ma.masked_array(z, ~(raw.valid & raw.inside)[here]), name="serial",
            corner_mask=False, line_type=LineType.Separate)
        for found in generator.lines(0.0):
            points = np.asarray(found)
            local = np.add(points, (first - left, inner.start))
            points = np.add(points, (first, 0))
            yield Line(np.add(points, (0, strip.row_off)), contrasts(local, land),
                       variances(local, smoothed, smooth, pixel_size),
                       _seam(points[0], strip, shape[0]), _seam(points[-1], strip, shape[0]))


def _mixed(odds: Odds, margin: int) -> list[tuple[int, int]]:
    """Return runs of columns, first and stop, that have land and water no further than a margin.

    No line leaves a run: the pixels of its outer columns are all land or all water, and so are
    those around them as far as smoothing reaches.
    """
    z = odds.mean
    whole = bool(odds.valid.all())
    lowest = (z if whole else np.where(odds.valid, z, np.inf)).min(axis=0)
    highest = (z if whole else np.where(odds.valid, z, -np.inf)).max(axis=0)
    size = 2 * margin + 1
    mixed = ((minimum_filter1d(lowest, size) <= 0) & (maximum_filter1d(highest, size) >= 0))
    wide = np.flatnonzero(maximum_filter1d(mixed, 3))
    if not wide.size:
        return []
    breaks = np.flatnonzero(np.diff(wide) > 1)
    firsts, lasts = wide[np.r_[0, breaks + 1]], wide[np.r_[breaks, len(wide) - 1]]
    return [(int(first), int(last) + 1) for first, last in zip(firsts, lasts, strict=True)]


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
    return Line(points, np.concatenate([piece.contrast for piece in chain]),
                np.concatenate([piece.variance for piece in chain]),
                chain[0].start, chain[-1].end)


def _turned(line: Line) -> Line:
    """Let a ring begin at its smallest (column, row), wherever the strips began it."""
    if not line.is_ring:
        return line
    open_points = line.points[:-1]
    first = int(np.lexsort((open_points[:, 1], open_points[:, 0]))[0])
    points = np.roll(open_points, -first, axis=0)
    return Line(np.concatenate([points, points[:1]]), np.roll(line.contrast, -first),
                np.roll(line.variance, -first))
