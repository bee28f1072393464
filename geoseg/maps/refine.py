"""`refine`: probabilities whose edges follow those of the image, by a dense random field."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geoseg.errors import GridError
from geoseg.geo.grid import Grid
from geoseg.geo.output import check_output
from geoseg.geo.raster import image_bands, open_raster, read, valid_pixels
from geoseg.geo.windows import grow, row_bands
from geoseg.geo.writing import RASTER_SUFFIXES, raster_writer
from geoseg.learn.model import choose_device
from geoseg.maps.crf import Kernels, mean_field
from geoseg.maps.options import chosen
from geoseg.maps.probabilities import (
    STEPS,
    encode,
    probability_legend,
    probability_style,
    read_probabilities,
    storage,
    stored_thresholds,
    threshold_tags,
)
from geoseg.progress import Progress, part, silent, track
from geoseg.recipe.sections import RefineRecipe

_SIDE = 1024
"""Least side of a window; it grows with its halo, so that the halo stays a part of the work."""
_SPREAD = (15.865525393145708, 84.1344746068543)
"""Percentiles one standard deviation below and above the mean of a normal distribution."""


def refine(proba: str | Path, image: str | Path, *, out: str | Path,
           iterations: int | None = None, smoothness: float | None = None,
           smoothness_range: float | None = None, appearance: float | None = None,
           appearance_range: float | None = None, appearance_values: float | None = None,
           device: str = "auto", overwrite: bool = False, progress: Progress = silent) -> Path:
    """Refine probabilities with a dense conditional random field.

    Neighbours, and pixels nearby that look alike in the image, are drawn to one class (Kraehenbuehl
    and Koltun 2011). Exclusive classes compete; of overlapping ones each is a field of its own.
    The raster is worked on in windows that are large enough for the result to be that of the
    whole. On the data that was tried it gained nothing over a good network, see the manual: it
    may help with a weak one, on objects with sharp edges.

    Args:
        proba: Probability raster made by `predict`.
        image: The image that it was predicted from; all bands but alpha are compared.
        out: Probability raster to write, of the same kind as `proba`.
        iterations: Mean-field updates, 1 to 20; 5 by default. Each looks further away.
        smoothness: Weight of the kernel of distance; 3 by default, 0 for none.
        smoothness_range: Its standard deviation in pixels; 1 by default.
        appearance: Weight of the kernel of distance and looks; 5 by default, 0 for none.
        appearance_range: Its standard deviation in pixels; 8 by default. The time grows with its
            square.
        appearance_values: Its standard deviation in image values, relative to that of each band
            in the whole image, as told by its percentiles; 0.5 by default.
        device: `auto`, `cpu`, `cuda` or `mps`.
        overwrite: Whether an existing file may be replaced.
        progress: Told the fraction done.

    Returns:
        Path of the refined raster.

    Raises:
        OutputError: The result cannot be written there.
        RasterError: Not a probability raster, or not an image.
        GridError: The two do not lie on one grid.
        ModelError: The machine has no such device.
        GeosegError: A setting is out of range.
    """
    path = check_output(out, overwrite=overwrite, suffixes=RASTER_SUFFIXES, inputs=[proba, image])
    settings = chosen(RefineRecipe, {}, {
        "iterations": iterations, "smoothness": smoothness, "smoothness_range": smoothness_range,
        "appearance": appearance, "appearance_range": appearance_range,
        "appearance_values": appearance_values})
    kernels = Kernels(settings.smoothness, settings.smoothness_range, settings.appearance,
                      settings.appearance_range, settings.appearance_values)
    home = choose_device(device)
    with ExitStack() as stack:
        chances, pixels = (stack.enter_context(open_raster(name)) for name in (proba, image))
        legend, grid = probability_legend(chances), Grid.of(chances)
        _check_grid(pixels, grid, proba)
        look = _Look.of(pixels, part(progress, 0, 0.05))
        dtype = chances.dtypes[0]
        write = stack.enter_context(raster_writer(
            path, grid, count=len(legend), legend=legend, band_names=legend.names,
            tags=threshold_tags(stored_thresholds(chances)), style=probability_style(legend),
            **storage(dtype)))
        halo = kernels.halo(settings.iterations)
        windows = list(_windows(grid, max(_SIDE, halo)))
        for window in track(windows, part(progress, 0.05, 1), "refining"):
            grown, inner = grow(window, halo, grid.height, grid.width)
            probabilities, valid = read_probabilities(chances, grown)
            values, seen = look.read(pixels, grown)
            unary = _unary(probabilities, dtype, overlapping=legend.overlapping)
            fields = (torch.from_numpy(array).to(home) for array in (unary, valid, values, seen))
            result = mean_field(*fields, kernels=kernels, iterations=settings.iterations,
                                overlapping=legend.overlapping)
            write(encode(result.cpu().numpy()[:, *inner], valid[inner], dtype), window)
    return path


def _check_grid(image: DatasetReader, grid: Grid, proba: str | Path) -> None:
    try:
        grid.require_same(Grid.of(image, georeferenced=grid.is_georeferenced), image.name, proba)
    except GridError as error:
        raise GridError(error.subject, error.found, "Give the image that the probabilities were "
                        "predicted from") from error


def _windows(grid: Grid, side: int) -> Iterator[Window]:
    """Yield squares that cover the raster (those at its far borders may be smaller)."""
    for band in row_bands(grid.height, grid.width, side):
        for left in range(0, grid.width, side):
            yield Window(left, band.row_off, min(side, grid.width - left), band.height)


def _unary(probabilities: np.ndarray, dtype: str, *, overlapping: bool) -> np.ndarray:
    """Return log probabilities, or log odds; clipped, since no stored value is that sure."""
    least = 0.5 / STEPS if dtype == "uint8" else 1e-6
    clipped = np.clip(probabilities, least, 1 - least)
    return np.asarray(np.log(clipped / (1 - clipped)) if overlapping else np.log(clipped))


@dataclass(frozen=True)
class _Look:
    """Image values in standard deviations of each band over the whole image."""

    bands: tuple[int, ...]
    deviations: np.ndarray

    @classmethod
    def of(cls, dataset: DatasetReader, progress: Progress) -> _Look:
        """Gather the spread of each band between two percentiles, from an even sample."""
        bands = image_bands(dataset, None)
        sample: list[np.ndarray] = []
        windows = list(row_bands(dataset.height, dataset.width))
        step = max(1, round((dataset.height * dataset.width / 500_000) ** 0.5))
        for window in track(windows, progress, "looking at the image"):
            values, valid = read(dataset, window, bands)
            thin = (slice(None), slice(None, None, step), slice(None, None, step))
            good = valid_pixels(valid, values)[thin[1:]]
            sample.append(values[thin][:, good].astype(np.float32))
        joined = np.concatenate(sample, axis=1)
        if joined.shape[1] == 0:
            return cls(bands, np.ones(len(bands), np.float32))
        low, high = np.percentile(joined, _SPREAD, axis=1)
        deviations = (high - low) / 2
        return cls(bands, np.where(deviations > 0, deviations, 1).astype(np.float32))

    def read(self, dataset: DatasetReader, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Return values float32 (bands, rows, columns), 0 where not seen, and seen (bool)."""
        values, valid = read(dataset, window, self.bands)
        seen = valid_pixels(valid, values)
        scaled = values.astype(np.float32) / self.deviations[:, None, None]
        return np.where(seen, scaled, np.float32(0)), seen
