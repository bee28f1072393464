"""Made worlds: small probability rasters and class maps, and a coast whose true line is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affine import Affine
from rasterio.crs import CRS

from geoseg.geo.grid import PIXEL_SPACE, Grid
from geoseg.geo.legend import IGNORE, Legend, LegendClass
from geoseg.geo.writing import raster_writer
from geoseg.maps.probabilities import encode, storage, threshold_tags

UTM = CRS.from_epsg(32633)
NORTH_UP = Affine(10, 0, 500_000, 0, -10, 5_400_000)
ROTATED = Affine.translation(500_000, 5_400_000) @ Affine.rotation(30) @ Affine.scale(4, -7)
DEGREES = CRS.from_epsg(4326), Affine(1e-4, 0, 14.0, 0, -7e-5, 48.75)
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


@dataclass(frozen=True)
class Coast:
    """A coast with headlands steeper than 45°, overhanging bays, an island and a lake."""

    land_share: np.ndarray
    """float64 (rows, columns): share of land in each pixel."""
    truth: np.ndarray
    """float64 (n, 2): dense points of the true line, (column, row) from the raster's corner."""


def make_coast(size: int = 256, turn: float = 30.0, sub: int = 8) -> Coast:
    """Make a coast of `size` pixels a side; the sine-shaped shore is turned by some degrees."""
    centre = size / 2
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))

    def shore(along: np.ndarray) -> np.ndarray:  # slopes up to 3 before it is turned
        return (0.06 * size * np.sin(along * 2 * np.pi / (size * 0.18))
                + 0.05 * size * np.sin(along * 2 * np.pi / (size * 0.47) + 1))

    # (along, across, radius) of islands and a lake, as shares of the size
    circles = [(-0.35, -0.21, 0.06, True), (0.28, 0.24, 0.05, False), (0.07, -0.40, 0.03, True)]
    fine = (np.arange(size * sub) + 0.5) / sub
    x, y = np.meshgrid(fine - centre, fine - centre)
    land = (-x * sin + y * cos) > shore(x * cos + y * sin)
    lines = []
    u = np.arange(-size, size, 0.005)
    v = shore(u)
    lines.append(centre + np.column_stack([u * cos - v * sin, u * sin + v * cos]))
    for along, across, radius, is_land in size * np.array(circles) * [1, 1, 1, 1 / size]:
        column, row = along * cos - across * sin, along * sin + across * cos
        land = np.where(np.hypot(x - column, y - row) < radius, bool(is_land), land)
        angle = np.arange(0, 2 * np.pi, 0.005 / radius)
        lines.append(centre + np.column_stack([column + radius * np.cos(angle),
                                               row + radius * np.sin(angle)]))
    truth = np.concatenate(lines)
    inside = np.all((truth > 0.5) & (truth < size - 0.5), axis=1)
    return Coast(land.reshape(size, sub, size, sub).mean(axis=(1, 3)), truth[inside])
