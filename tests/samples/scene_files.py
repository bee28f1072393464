"""Small made scenes with labels, for the tests of chip plans."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning

from geoseg.geo.grid import Grid
from geoseg.geo.legend import IGNORE, Legend, LegendClass
from geoseg.geo.writing import raster_writer

UTM = CRS.from_epsg(32630)
LEGEND = Legend((LegendClass(0, "land", "#d9d3b8"), LegendClass(1, "water", "#3182bd"),
                 LegendClass(2, "town", "#aa0000")))


def utm_grid(width, height, left=500_000.0, top=5_000_000.0, pixel=10.0, crs=UTM):
    return Grid(crs, Affine(pixel, 0, left, 0, -pixel, top), width, height)


def stripes(grid, classes=3, period=40):
    """Diagonal stripes, so that every class occurs everywhere."""
    rows, columns = np.indices(grid.shape)
    return ((rows + columns) // period % classes).astype(np.uint8)


def write_image(path: Path, grid, values=None, *, dtype="uint16", nodata=None, count=2, **options):
    if values is None:
        values = np.random.default_rng(0).integers(1, 200, size=(count, *grid.shape))
    place = {"crs": grid.crs, "transform": grid.transform} if grid.crs else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", driver="GTiff", width=grid.width, height=grid.height,
                           count=len(values), dtype=dtype, nodata=nodata, **place,
                           **options) as image:
            image.write(values.astype(dtype))
    return path


def write_labels(path: Path, grid, values=None, legend=LEGEND):
    values = stripes(grid, len(legend)) if values is None else values
    values = values if values.ndim == 3 else values[None]
    with raster_writer(path, grid, count=len(values), dtype="uint8", nodata=IGNORE, legend=legend,
                       is_categorical=True) as write:
        write(values, grid.window)
    return path


def make_scene(folder: Path, name="scene", grid=None, labels=None, legend=LEGEND, **image):
    """Write an image and its labels; return their paths."""
    grid = grid or utm_grid(930, 632)
    return (write_image(folder / f"{name}.tif", grid, **image),
            write_labels(folder / f"{name}_labels.tif", grid, labels, legend))
