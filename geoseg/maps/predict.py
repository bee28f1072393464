"""`predict`: class probabilities over an image of any size, blended exactly, memory bounded.

Rows of tiles run from top to bottom. A reader thread fetches the next row of tiles while the
network works on this one; each result is added, times its blend weight, into a ring of rows that
is one tile high; finished rows go to a writer thread. Memory is width x tile, whatever the height.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rasterio.windows import Window
from torch import Tensor

from geoseg.errors import ModelError, OutputError
from geoseg.geo.grid import Grid
from geoseg.geo.output import check_output
from geoseg.geo.raster import open_raster, read, valid_pixels
from geoseg.geo.windows import Tiling
from geoseg.geo.writing import RASTER_SUFFIXES, WriteWindow, raster_writer
from geoseg.learn.model import STRIDE, Model, Precision, activate
from geoseg.learn.scaling import scale
from geoseg.maps.probabilities import (
    encode,
    probability_style,
    storage,
    threshold_tags,
    uncertainty_style,
)
from geoseg.maps.suitability import check_image
from geoseg.maps.tta import d4_logits
from geoseg.progress import Progress, silent

_PIXELS_PER_BATCH = 4 * 512 * 512


def predict(model: Model | str | Path, image: str | Path, *, out: str | Path,
            tile: int | None = None, overlap: float | None = None, tta: bool | None = None,
            uncertainty: str | Path | None = None, dtype: str = "uint8", device: str = "auto",
            precision: Precision = "auto", force: bool = False, overwrite: bool = False,
            progress: Progress = silent) -> Path:
    """Predict class probabilities over an image and write them on exactly its grid.

    Overlapping tiles are blended with weights that add up to one at every pixel; at the image's
    borders the network sees the image mirrored. Pixels without data stay without data, and tiles
    without any are skipped.

    Args:
        model: Model, or its file.
        image: Image with the bands that the model was trained on.
        out: Probability raster to write: a GeoTIFF with one band per class, see
            `geoseg.maps.probabilities`.
        tile: Side of a tile in pixels, a multiple of 32; by default as in the model's recipe.
        overlap: Fraction of a tile shared with each neighbour, 0 to 0.5; default as `tile`.
        tta: Average the logits over the eight flips and quarter turns; default as `tile`.
        uncertainty: Also write the entropy of the probabilities, 0 (sure) to 1 (no idea), here.
        dtype: `uint8` (254 steps, small files) or `float32`.
        device: `auto`, `cpu`, `cuda` or `mps`.
        precision: `auto` (bf16 where the processor has it), `32`, `bf16` or `16`.
        force: Predict even if pixel size or values differ grossly from the training data.
        overwrite: Whether existing outputs may be replaced.
        progress: Told the rows done.

    Returns:
        Path of the probability raster.

    Raises:
        OutputError: An output exists or cannot be written.
        ModelError: Not a model, or the image does not suit it.
        GridError: The image has no georeference but the model needs one.
        RasterError: The image cannot be read.
    """
    path = check_output(out, overwrite=overwrite, suffixes=RASTER_SUFFIXES,
                        inputs=[image])
    entropy_path = None if uncertainty is None else check_output(
        uncertainty, overwrite=overwrite, suffixes=RASTER_SUFFIXES, inputs=[image])
    if entropy_path == path:
        raise OutputError(path, "cannot hold both probabilities and their uncertainty",
                          "Choose another name for one of them")
    model = model if isinstance(model, Model) else Model.load(model, device=device)
    plan = _settings(model, tile, overlap, tta)
    with ExitStack() as stack:
        dataset = stack.enter_context(open_raster(image))
        grid = Grid.of(dataset, georeferenced=model.card.georeferenced)
        check_image(dataset, grid, model.card, force=force)
        legend = model.card.legend
        write = stack.enter_context(raster_writer(
            path, grid, count=len(legend), legend=legend, band_names=legend.names,
            tags=threshold_tags(model.card.thresholds), style=probability_style(legend),
            **storage(dtype)))
        write_entropy = None if entropy_path is None else stack.enter_context(raster_writer(
            entropy_path, grid, count=1, band_names=["entropy"], style=uncertainty_style(),
            **storage("uint8")))
        sink = _Sink(write, write_entropy, dtype, overlapping=legend.overlapping)
        _predict_rows(model, image, grid, plan, precision, sink, progress)
    return path


@dataclass(frozen=True)
class _Settings:
    tile: int
    overlap: float
    tta: bool


def _settings(model: Model, tile: int | None, overlap: float | None, tta: bool | None
              ) -> _Settings:
    recipe = model.card.recipe.get("predict", {})
    settings = _Settings(
        recipe.get("tile", 512) if tile is None else tile,
        recipe.get("overlap", 0.25) if overlap is None else overlap,
        recipe.get("tta", False) if tta is None else tta)
    if settings.tile < STRIDE or settings.tile % STRIDE:
        raise ModelError("tile", f"is {settings.tile}", f"Use a multiple of {STRIDE}, such as 512")
    if not 0 <= settings.overlap <= 0.5:
        raise ModelError("overlap", f"is {settings.overlap}", "Use a fraction from 0 to 0.5")
    return settings


@dataclass(frozen=True)
class _Sink:
    """Turns finished rows into stored values and writes them."""

    write: WriteWindow
    write_entropy: WriteWindow | None
    dtype: str
    overlapping: bool

    def put(self, probabilities: np.ndarray, valid: np.ndarray, top: int) -> None:
        """Write probabilities (classes, rows, columns) of full-width rows from `top` on."""
        window = Window(0, top, valid.shape[1], valid.shape[0])
        self.write(encode(probabilities, valid, self.dtype), window)
        if self.write_entropy is not None:
            disorder = entropy(probabilities, overlapping=self.overlapping)
            self.write_entropy(encode(disorder[None], valid, "uint8"), window)


def entropy(probabilities: np.ndarray, *, overlapping: bool) -> np.ndarray:
    """Return the Shannon entropy of each pixel relative to the largest possible, 0 to 1.

    For overlapping classes it is the mean of the binary entropies.

    Args:
        probabilities: float (classes, rows, columns).
        overlapping: Whether each class is a yes or no of its own.
    """
    def information(p: np.ndarray) -> np.ndarray:
        return np.asarray(-p * np.log2(np.maximum(p, 1e-12)))

    if overlapping:
        result = (information(probabilities) + information(1 - probabilities)).mean(axis=0)
    else:
        result = information(probabilities).sum(axis=0) / np.log2(len(probabilities))
    return np.asarray(np.clip(result, 0, 1), dtype=np.float32)


@dataclass(frozen=True)
class _TileRow:
    """One row of tiles, read and scaled; tiles without data are left out."""

    index: int
    images: list[Tensor]
    columns: list[int]
    valid: np.ndarray
    """bool (rows, columns of the image): valid pixels of the image rows under this tile row."""


def _predict_rows(model: Model, image: str | Path, grid: Grid, settings: _Settings,
                  precision: Precision, sink: _Sink, progress: Progress) -> None:
    rows = Tiling.over(grid.height, settings.tile, settings.overlap)
    columns = Tiling.over(grid.width, settings.tile, settings.overlap)
    ring = _Ring(len(model.card.legend), rows, columns, grid, model.device)
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        written: Future[None] | None = None
        for row in _read_ahead(reader, image, model, rows, columns, grid):
            for start, batch in _batches(row, settings.tile):
                logits = (d4_logits(model, batch, precision) if settings.tta
                          else model.logits(batch, precision))
                ring.add(row, start, activate(logits, model.card))
            finished = ring.finish(row)
            if written is not None:
                written.result()
            written = writer.submit(sink.put, *finished) if finished else None
            progress((row.index + 1) / len(rows.starts), f"row {row.index + 1} of "
                     f"{len(rows.starts)}")
        if written is not None:
            written.result()


def _read_ahead(pool: ThreadPoolExecutor, image: str | Path, model: Model, rows: Tiling,
                columns: Tiling, grid: Grid) -> Iterator[_TileRow]:
    """Yield the rows of tiles in order, reading one ahead on a handle of the pool's own."""
    with open_raster(image) as dataset:
        bands = model.card.bands

        def fetch(index: int) -> _TileRow:
            window = Window(columns.starts[0], rows.starts[index],
                            columns.starts[-1] + columns.tile - columns.starts[0], rows.tile)
            values, valid = read(dataset, window, [band.index for band in bands])
            pixels = valid_pixels(valid, values)
            images, kept = [], []
            for column, start in enumerate(columns.starts):
                part = slice(start - columns.starts[0], start - columns.starts[0] + columns.tile)
                if pixels[:, part].any():
                    images.append(torch.from_numpy(scale(
                        values[..., part], valid[..., part] & pixels[:, part], bands)))
                    kept.append(column)
            top, left = max(0, rows.starts[index]), -columns.starts[0]
            inside = slice(top - rows.starts[index],
                           min(grid.height, rows.starts[index] + rows.tile) - rows.starts[index])
            return _TileRow(index, images, kept, pixels[inside, left:left + grid.width])

        future = pool.submit(fetch, 0)
        for index in range(len(rows.starts)):
            row = future.result()
            if index + 1 < len(rows.starts):
                future = pool.submit(fetch, index + 1)
            yield row


def _batches(row: _TileRow, tile: int) -> Iterator[tuple[int, Tensor]]:
    """Yield (place of the first tile in the row's list, batch of tiles)."""
    count = max(1, _PIXELS_PER_BATCH // tile**2)
    for start in range(0, len(row.images), count):
        yield start, torch.stack(row.images[start:start + count])


class _Ring:
    """Rows under construction: weighted sums of overlapping tiles, one tile high.

    Since the blend weights add up to one, a row is finished, without any division, once the next
    row of tiles begins below it.
    """

    def __init__(self, classes: int, rows: Tiling, columns: Tiling, grid: Grid,
                 device: torch.device) -> None:
        self._rows, self._columns, self._grid = rows, columns, grid
        self._sums = torch.zeros(classes, rows.tile, grid.width, device=device)
        self._valid = np.zeros((rows.tile, grid.width), dtype=bool)
        self._row_weights = torch.from_numpy(rows.weights).to(device)
        self._column_weights = torch.from_numpy(columns.weights).to(device)

    def add(self, row: _TileRow, start: int, probabilities: Tensor) -> None:
        """Add a batch of tile results (n, classes, tile, tile)."""
        tall = self._row_weights[row.index][:, None]
        for offset, tile in enumerate(probabilities):
            column = row.columns[start + offset]
            left = self._columns.starts[column]
            first, last = max(0, left), min(self._grid.width, left + self._columns.tile)
            part = slice(first - left, last - left)
            weights = tall * self._column_weights[column][None, part]
            self._sums[:, :, first:last].addcmul_(tile[:, :, part], weights[None])

    def finish(self, row: _TileRow) -> tuple[np.ndarray, np.ndarray, int] | None:
        """Return (probabilities, valid, top) of the rows that no later tile touches."""
        top = self._rows.starts[row.index]
        last = row.index + 1 == len(self._rows.starts)
        done = self._rows.tile if last else self._rows.starts[row.index + 1] - top
        first = max(0, -top)
        self._valid[first:first + len(row.valid)] = row.valid
        stop = min(done, self._grid.height - top)
        result = None
        if stop > first:
            result = (self._sums[:, first:stop].clamp(0, 1).cpu().numpy().copy(),
                      self._valid[first:stop].copy(), top + first)
        kept = self._rows.tile - done
        self._sums[:, :kept] = self._sums[:, done:].clone()
        self._sums[:, kept:] = 0
        return result
