"""Rows of tiles, read ahead and scaled for each model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rasterio.windows import Window
from torch import Tensor

from geoseg.geo.raster import open_raster, read, valid_pixels
from geoseg.geo.windows import Tiling
from geoseg.learn.scaling import defined, scale
from geoseg.maps.ensemble import Bands


@dataclass(frozen=True)
class TileRow:
    """One row of tiles, read and scaled; tiles without data are left out."""

    index: int
    """Which row of tiles it is."""
    columns: list[int]
    """Which column of tiles each tile is."""
    tiles: Mapping[Bands, list[Tensor]]
    """The tiles as each model sees them: float32 (bands, tile, tile)."""
    valid: np.ndarray
    """bool (rows, columns of the image): valid pixels of the image's rows under the tiles."""

    def batches(self, count: int) -> Iterator[tuple[list[int], dict[Bands, Tensor]]]:
        """Yield the columns of at most `count` tiles, and the tiles stacked."""
        for start in range(0, len(self.columns), count):
            part = slice(start, start + count)
            yield self.columns[part], {bands: torch.stack(tiles[part])
                                       for bands, tiles in self.tiles.items()}


def tile_rows(image: str | Path, inputs: Sequence[Bands], rows: Tiling, columns: Tiling,
              shape: tuple[int, int]) -> Iterator[TileRow]:
    """Yield the rows of tiles from top to bottom, reading one ahead in a thread.

    Beyond the image's borders the tiles show it mirrored (overlap-tile strategy, Ronneberger et
    al. 2015). A pixel is valid if it is for every model.

    Args:
        image: Image.
        inputs: What the models see.
        rows: Tiling of the rows.
        columns: Tiling of the columns.
        shape: Rows and columns of the image.
    """
    with ThreadPoolExecutor(1) as pool, open_raster(image) as dataset:
        wanted = sorted({band.index for bands in inputs for band in bands})

        def fetch(index: int) -> TileRow:
            left = columns.starts[0]
            window = Window(left, rows.starts[index],
                            columns.starts[-1] + columns.tile - left, rows.tile)
            stored = read(dataset, window, wanted)
            views = {bands: _View.of(*stored, bands, wanted) for bands in inputs}
            pixels = np.logical_and.reduce([view.pixels for view in views.values()])
            parts = {column: slice(start - left, start - left + columns.tile)
                     for column, start in enumerate(columns.starts)}
            parts = {column: part for column, part in parts.items() if pixels[:, part].any()}
            tiles = {bands: [view.scaled(part) for part in parts.values()]
                     for bands, view in views.items()}
            top = rows.starts[index]
            inside = slice(max(0, top) - top, min(shape[0], top + rows.tile) - top)
            return TileRow(index, list(parts), tiles, pixels[inside, -left:shape[1] - left])

        future = pool.submit(fetch, 0)
        for index in range(len(rows.starts)):
            row = future.result()
            if index + 1 < len(rows.starts):
                future = pool.submit(fetch, index + 1)
            yield row


@dataclass(frozen=True)
class _View:
    """What was read, as one model sees it."""

    bands: Bands
    values: np.ndarray
    valid: np.ndarray
    pixels: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, valid: np.ndarray, bands: Bands, read_bands: Sequence[int]
           ) -> _View:
        places = [read_bands.index(band.index) for band in bands]
        if places != list(range(len(read_bands))):
            values, valid = values[places], valid[places]
        valid = valid & defined(values, bands)
        return cls(bands, values, valid, valid_pixels(valid, values))

    def scaled(self, part: slice) -> Tensor:
        """Return some columns as the network takes them."""
        valid = self.valid[..., part] & self.pixels[:, part]
        return torch.from_numpy(scale(self.values[..., part], valid, self.bands))
