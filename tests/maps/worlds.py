"""Made worlds: small probability rasters and class maps, and a coast whose true line is known."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from affine import Affine
from rasterio.crs import CRS

from geoseg.geo.grid import PIXEL_SPACE, Grid
from geoseg.geo.legend import IGNORE, Legend, LegendClass
from geoseg.geo.writing import raster_writer
from geoseg.maps.probabilities import encode, storage, threshold_tags

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts" / "bench"))
from made_coast import Coast, make_coast

UTM = CRS.from_epsg(32633)
NORTH_UP = Affine(10, 0, 500_000, 0, -10, 5_400_000)
ROTATED = Affine.translation(500_000, 5_400_000) @ Affine.rotation(30) @ Affine.scale(4, -7)
DEGREES = CRS.from_epsg(4326), Affine(1e-4, 0, 14.0, 0, -7e-5, 48.75)
__all__ = ["Coast", "make_coast"]
COLORS = ("#d9d9d9", "#3182bd", "#e6550d", "#31a354", "#756bb1")


def make_legend(*names: str, overlapping: bool = False) -> Legend:
    return Legend(tuple(LegendClass(i, name, COLORS[i]) for i, name in enumerate(names)),
                  overlapping)


def make_grid(shape: tuple[int, int], transform: Affine = NORTH_UP, crs: CRS | None = UTM) -> Grid:
    return Grid(crs, transform if crs is not None else PIXEL_SPACE, shape[1], shape[0])


def write_probabilities(path: Path, probabilities: np.ndarray, legend: Legend, *,
                        valid: np.ndarray | None = None, dtype: str = "uint8",
                        transform: Affine = NORTH_UP, crs: CRS | None = UTM,
                        thresholds: Mapping[str, float] | None = None) -> Path:
    """Write probabilities (classes, rows, columns) as predict does."""
    shape = probabilities.shape[1:]
    valid = np.ones(shape, dtype=bool) if valid is None else valid
    grid = make_grid(shape, transform, crs)
    with raster_writer(path, grid, count=len(legend), legend=legend, band_names=legend.names,
                       tags=threshold_tags(dict(thresholds or {})), **storage(dtype)) as write:
        write(encode(probabilities.astype(np.float32), valid, dtype), grid.window)
    return path


def write_classes(path: Path, values: np.ndarray, legend: Legend, *,
                  transform: Affine = NORTH_UP, crs: CRS | None = UTM) -> Path:
    """Write class values (bands, rows, columns) as classify does."""
    grid = make_grid(values.shape[1:], transform, crs)
    with raster_writer(path, grid, count=len(values), dtype="uint8", nodata=IGNORE, legend=legend,
                       is_categorical=True) as write:
        write(values, grid.window)
    return path
