"""Whether a source of labels reaches the image at all."""

from __future__ import annotations

from pathlib import Path

from geoseg.errors import SourceError
from geoseg.geo.grid import Grid
from geoseg.geo.ground import Bounds

_DEGREES_ROUND = 360


def require_overlap(source: str | Path, bounds: Bounds, grid: Grid, image: Path) -> None:
    """Check that the extent of a source meets the image.

    Args:
        source: The source, for the message.
        bounds: (left, bottom, right, top) of the source in the image's CRS.
        grid: Grid of the image.
        image: The image, for the message.

    Raises:
        SourceError: They do not meet; both extents are named.
    """
    left, bottom, right, top = bounds
    own = grid.bounds
    if left < own[2] and right > own[0] and bottom < own[3] and top > own[1]:
        return
    raise SourceError(source, f"does not overlap {image.name}: it covers {_text(bounds)}, the "
                      f"image {_text(own)}", "Check that both have the right CRS and show the "
                      "same place")


def _text(bounds: Bounds) -> str:
    """Return bounds to about a metre: with five decimals if they may be degrees."""
    left, bottom, right, top = bounds
    digits = 5 if max(abs(value) for value in bounds) <= _DEGREES_ROUND else 0
    return f"{left:.{digits}f}..{right:.{digits}f}, {bottom:.{digits}f}..{top:.{digits}f}"
