"""`predict`: class probabilities over an image of any size, blended exactly, memory bounded.

Rows of tiles run from top to bottom. A reader thread fetches the next row of tiles while the
network works on this one; each result is added, times its blend weight, into a ring of rows that
is one tile high; finished rows go to a writer thread. Memory is width x tile, whatever the height.
Everything is averaged before it becomes a probability: overlapping tiles, turns and scales of the
image, the models of an ensemble, and neighbouring pixels where smoothing is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rasterio.windows import Window
from torch import Tensor

from geoseg.errors import ModelError, OutputError
from geoseg.geo.grid import Grid
from geoseg.geo.output import check_output
from geoseg.geo.raster import open_raster
from geoseg.geo.windows import Tiling
from geoseg.geo.writing import RASTER_SUFFIXES, WriteWindow, raster_writer
from geoseg.learn.model import Precision
from geoseg.maps.blending import Ring, Rows
from geoseg.maps.ensemble import Bands, Ensemble, Models
from geoseg.maps.options import chosen
from geoseg.maps.probabilities import (
    encode,
    probability_style,
    storage,
    threshold_tags,
    uncertainty_style,
)
from geoseg.maps.smoothing import smoothed
from geoseg.maps.suitability import check_image
from geoseg.maps.tiles import tile_rows
from geoseg.maps.tta import mean_logits
from geoseg.progress import Progress, silent
from geoseg.recipe.names import Blend, Tta
from geoseg.recipe.sections import PredictRecipe

_PIXELS_PER_BATCH = 4 * 512 * 512


def predict(model: Models, image: str | Path, *, out: str | Path,
            weights: Sequence[float] | None = None, tile: int | None = None,
            overlap: float | None = None, blend: Blend | None = None, tta: Tta | None = None,
            scales: Sequence[float] | None = None, smooth: float | None = None,
            uncertainty: str | Path | None = None, dtype: str = "uint8", device: str = "auto",
            precision: Precision = "auto", force: bool = False, overwrite: bool = False,
            progress: Progress = silent) -> Path:
    """Predict class probabilities over an image and write them on exactly its grid.

    Overlapping tiles are blended with weights that add up to one at every pixel; at the image's
    borders the network sees the image mirrored. Pixels without data stay without data, and tiles
    without any are skipped.

    Args:
        model: Model, or its file; or several that map the same classes at the same pixel size and
            may differ in all else. Several make an ensemble: the weighted mean of their logits,
            each divided by its own temperature; its thresholds are their weighted means.
        image: Image with the bands that the model was trained on.
        out: Probability raster to write: a GeoTIFF with one band per class, see
            `geoseg.maps.probabilities`.
        weights: One per model; by default all count the same.
        tile: Side of a tile in pixels, a multiple of 32; by default as in the recipe of the
            (first) model.
        overlap: Fraction of a tile shared with each neighbour, 0 to 0.5; default as `tile`.
        blend: How overlapping tiles are joined: `hann`, `gauss`, `box` or `crop`, see
            `geoseg.geo.windows.Tiling`; default as `tile`.
        tta: Average the logits over turns of the image: `none`, `flips` (4) or `d4` (8); default
            as `tile`.
        scales: Average the logits over the image at these scales, 0.25 to 4; default as `tile`.
        smooth: Standard deviation in pixels of a Gaussian over the logits, 0 to 10; default as
            `tile`.
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
        ModelError: Not a model, the models do not go together, or the image does not suit them.
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
    ensemble = Ensemble.load(model, weights, device)
    settings = chosen(PredictRecipe, ensemble.card.recipe.get("predict", {}), {
        "tile": tile, "overlap": overlap, "blend": blend, "tta": tta, "scales": scales,
        "smooth": smooth}, ModelError)
    with ExitStack() as stack:
        dataset = stack.enter_context(open_raster(image))
        grid = Grid.of(dataset, georeferenced=ensemble.card.georeferenced)
        for member in ensemble.models:
            check_image(dataset, grid, member.card, force=force)
        legend = ensemble.card.legend
        write = stack.enter_context(raster_writer(
            path, grid, count=len(legend), legend=legend, band_names=legend.names,
            tags=threshold_tags(ensemble.thresholds), style=probability_style(legend),
            **storage(dtype)))
        write_entropy = None if entropy_path is None else stack.enter_context(raster_writer(
            entropy_path, grid, count=1, band_names=["entropy"], style=uncertainty_style(),
            **storage("uint8")))
        sink = _Sink(write, write_entropy, dtype, overlapping=legend.overlapping)
        rows = _predicted(ensemble, image, grid, settings, precision, progress)
        _write_behind(smoothed(rows, settings.smooth), sink)
    return path


def _predicted(ensemble: Ensemble, image: str | Path, grid: Grid, settings: PredictRecipe,
               precision: Precision, progress: Progress) -> Iterator[Rows]:
    """Yield the blended logits of the whole image, some rows at a time."""
    rows, columns = (Tiling.over(size, settings.tile, settings.overlap, settings.blend)
                     for size in grid.shape)
    ring = Ring(len(ensemble.card.classes), rows, columns, grid.shape, ensemble.models[0].device)
    for row in tile_rows(image, ensemble.inputs, rows, columns, grid.shape):
        for places, batch in row.batches(max(1, _PIXELS_PER_BATCH // settings.tile**2)):
            for logits in _weighted(ensemble, batch, settings, precision):
                ring.add(row.index, places, logits)
        finished = ring.finish(row.index, row.valid)
        if finished is not None:
            yield finished
        progress((row.index + 1) / len(rows.starts), f"row {row.index + 1} of {len(rows.starts)}")


def _weighted(ensemble: Ensemble, batch: dict[Bands, Tensor], settings: PredictRecipe,
              precision: Precision) -> Iterator[Tensor]:
    """Yield each model's share of the logits; they add up to those of the ensemble."""
    home = ensemble.models[0].device
    for model, weight in zip(ensemble.models, ensemble.weights, strict=True):
        logits = mean_logits(model, batch[tuple(model.card.bands)], precision, tta=settings.tta,
                             scales=settings.scales)
        yield logits.to(home) * (weight / model.card.temperature)


def _write_behind(blocks: Iterator[Rows], sink: _Sink) -> None:
    """Write each block in a thread while the next one is made."""
    with ThreadPoolExecutor(1) as writer:
        written: Future[None] | None = None
        for block in blocks:
            probabilities = sink.probabilities(block.logits)
            if written is not None:
                written.result()
            written = writer.submit(sink.put, probabilities, block.valid, block.top)
        if written is not None:
            written.result()


@dataclass(frozen=True)
class _Sink:
    """Turns finished rows into stored values and writes them."""

    write: WriteWindow
    write_entropy: WriteWindow | None
    dtype: str
    overlapping: bool

    def probabilities(self, logits: Tensor) -> np.ndarray:
        """Return the probabilities (classes, rows, columns) of calibrated logits."""
        result = logits.sigmoid() if self.overlapping else logits.softmax(dim=0)
        return np.asarray(result.cpu().numpy())

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
