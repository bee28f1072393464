"""Windows over a raster, and the weights that blend overlapping tiles exactly.

Everything here is separable: a 2-D tiling is the product of a tiling of the rows and one of the
columns, and the weight of a pixel in a tile is the product of its row and column weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from rasterio.windows import Window

if TYPE_CHECKING:
    from geoseg.recipe.names import Blend


@dataclass(frozen=True, slots=True)
class Tiling:
    """Overlapping tiles along one axis, with blend weights that add up to one everywhere.

    The first tile starts before the raster and the last ends behind it, so that every pixel of
    the raster lies well inside some tile; what lies beyond the raster is read as its mirror image.
    """

    starts: tuple[int, ...]
    """First pixel of each tile; negative for the first when tiles overlap."""
    tile: int
    """Pixels per tile."""
    weights: np.ndarray
    """float32 (tiles, tile): weight of each pixel of each tile; sums to 1 over the tiles at every
    pixel of the raster, and is 0 beyond it."""

    @classmethod
    def over(cls, size: int, tile: int, overlap: float, blend: Blend = "hann") -> Tiling:
        """Tile an axis of `size` pixels.

        Args:
            size: Pixels of the raster along the axis, at least 1.
            tile: Pixels per tile.
            overlap: Fraction of a tile shared with each neighbour, 0 to 0.5.
            blend: Shape of the weights before they are divided by their sum: `hann` is flat with
                flanks like von Hann's window (cos²) over the overlap; `gauss` a bell over the
                whole tile with a standard deviation of an eighth of it, as in nnU-Net (Isensee et
                al. 2021); `box` flat; `crop` 1 up to the middle of the overlap and 0 beyond.
        """
        if not 0 <= overlap <= 0.5:
            raise ValueError(f"overlap must lie between 0 and 0.5, not {overlap}")
        shared = round(tile * overlap)
        stride = tile - shared
        margin = shared // 2
        count = max(1, -(-(size + 2 * margin - shared) // stride))
        starts = np.arange(count) * stride - margin
        weights = np.tile(_profile(tile, shared, blend), (count, 1))
        if blend == "crop":
            weights[0, :margin] = weights[-1, tile - shared + margin:] = 1
        position = starts[:, None] + np.arange(tile)
        inside = (position >= 0) & (position < size)
        weights[~inside] = 0
        total = np.zeros(size)
        np.add.at(total, position[inside], weights[inside])
        weights[inside] /= total[position[inside]]
        return cls(tuple(int(start) for start in starts), tile, weights.astype(np.float32))


def _profile(tile: int, shared: int, blend: Blend) -> np.ndarray:
    """Return the weights (tile,) of a tile that shares `shared` pixels with each neighbour."""
    if blend == "gauss":
        distance = np.arange(tile) + 0.5 - tile / 2
        return np.asarray(np.exp(-0.5 * np.square(distance / (tile / 8))))
    weight = np.ones(tile)
    if blend == "hann" and shared:
        flank = np.sin(np.pi / 2 * (np.arange(shared) + 0.5) / shared) ** 2
        weight[:shared] = flank
        weight[tile - shared:] = np.minimum(weight[tile - shared:], flank[::-1])
    if blend == "crop":
        cut = shared // 2
        weight[:cut] = weight[tile - shared + cut:] = 0
    return weight


def row_bands(height: int, width: int, rows: int = 512) -> Iterator[Window]:
    """Yield full-width windows from top to bottom, `rows` high (the last may be lower)."""
    for top in range(0, height, rows):
        yield Window(0, top, width, min(rows, height - top))


def grow(window: Window, margin: int, height: int, width: int
         ) -> tuple[Window, tuple[slice, slice]]:
    """Grow a window by a margin on each side, cut to the raster.

    Args:
        window: Whole-pixel window inside the raster.
        margin: Pixels to grow by on each side.
        height: Rows of the raster.
        width: Columns of the raster.

    Returns:
        The grown window, and the (rows, columns) slices that cut the original out of it.
    """
    top, left = max(0, int(window.row_off) - margin), max(0, int(window.col_off) - margin)
    bottom = min(height, int(window.row_off + window.height) + margin)
    right = min(width, int(window.col_off + window.width) + margin)
    inner_top, inner_left = int(window.row_off) - top, int(window.col_off) - left
    slices = (slice(inner_top, inner_top + int(window.height)),
              slice(inner_left, inner_left + int(window.width)))
    return Window(left, top, right - left, bottom - top), slices
