"""Land-cover rasters as label sources: onto the image's grid by coordinates, never by index.

Values are categories, so the nearest pixel is taken. The class codes of the recipe may be any whole
numbers; the file may have any number type.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from geoseg.errors import RasterError, SourceError
from geoseg.geo.grid import Grid
from geoseg.geo.raster import open_raster, read
from geoseg.recipe import Recipe
from geoseg.sources.extent import require_overlap

LANDCOVER_SUFFIXES = (".tif", ".tiff", ".vrt", ".png", ".jpg", ".jpeg", ".jp2")
"""File name endings by which a source is taken for a raster."""

_MOST_LISTED = 12

_log = logging.getLogger("geoseg")


@dataclass(slots=True)
class LandCover:
    """An open land-cover raster as it appears on the image's grid."""

    path: Path
    """The file."""
    dataset: DatasetReader
    """The file itself, or a virtual raster on the image's grid."""
    codes: Sequence[tuple[int, ...]]
    """Codes of each class."""
    unknown: dict[float, int] = field(default_factory=dict)
    """Pixels met so far per value that no class names."""

    def classes_in(self, window: Window, *, inner: tuple[slice, slice] | None = None) -> np.ndarray:
        """Return which classes the map shows in a window of the image's grid.

        Args:
            window: Whole-pixel window.
            inner: The (rows, columns) of it in which unknown values are counted; None for all.

        Returns:
            bool (classes, rows, columns); all False where the map has no data, does not reach,
            or holds a value that no class names.

        Raises:
            RasterError: The file cannot be read.
        """
        try:
            values, valid = read(self.dataset, window, [1])
        except RasterError as error:
            raise RasterError(self.path, error.found, error.cure) from error
        member = np.array([np.isin(values[0], codes) & valid[0] for codes in self.codes])
        left_over = valid[0] & ~member.any(axis=0)
        seen = values[0][inner or ...][left_over[inner or ...]]
        for value, count in zip(*np.unique(seen, return_counts=True), strict=True):
            self.unknown[value.item()] = self.unknown.get(value.item(), 0) + int(count)
        return member

    def report(self) -> None:
        """Log the values that no class named."""
        if self.unknown:
            often = sorted(self.unknown, key=lambda value: -self.unknown[value])
            more = ", ..." if len(often) > _MOST_LISTED else ""
            listed = ", ".join(f"{value:g}" for value in sorted(often[:_MOST_LISTED])) + more
            _log.warning("%s: %d pixels hold codes that no class names and stay uncovered (%s)",
                         self.path.name, sum(self.unknown.values()), listed)


def is_raster_source(path: Path) -> bool:
    """Return whether a source is a raster, by its file name."""
    return path.suffix.lower() in LANDCOVER_SUFFIXES


@contextmanager
def open_landcover(path: Path, grid: Grid, recipe: Recipe, image: Path) -> Iterator[LandCover]:
    """Open a land-cover raster on the grid of an image.

    Args:
        path: The raster; one band, besides alpha.
        grid: Grid of the image; in pixel space the raster must have the image's size.
        recipe: The classes and their codes.
        image: The image, for messages.

    Raises:
        RasterError: It cannot be opened or holds several bands.
        GridError: It has no georeference.
        SourceError: No class has codes, it lies elsewhere, or has another size in pixel space.
    """
    codes = [tuple(item.codes) for item in recipe.classes]
    if not any(codes):
        raise SourceError(path, f"is a raster, but no class of {recipe.name!r} has codes",
                          "Add codes = [...] to the classes, with the raster's values")
    with open_raster(path) as dataset:
        _check_band(dataset, path, recipe)
        if not grid.is_georeferenced:
            _check_size(dataset, path, grid, image)
            yield LandCover(path, dataset, codes)
            return
        _check_overlap(Grid.of(dataset), path, grid, image)
        # Without a nodata value, alpha tells where the map does not reach.
        try:
            warped = WarpedVRT(dataset, crs=grid.crs, transform=grid.transform, width=grid.width,
                               height=grid.height, resampling=Resampling.nearest,
                               add_alpha=dataset.nodata is None and not _has_alpha(dataset))
        except RasterioError as error:
            raise RasterError(path, "cannot be brought into the image's CRS",
                              "Reproject it first (QGIS: Warp)") from error
        with warped:
            yield LandCover(path, warped, codes)


def _has_alpha(dataset: DatasetReader) -> bool:
    return ColorInterp.alpha in dataset.colorinterp


def _check_band(dataset: DatasetReader, path: Path, recipe: Recipe) -> None:
    bands = dataset.count - _has_alpha(dataset)
    if bands != 1:
        raise RasterError(path, f"has {bands} bands, but a land-cover map has one",
                          "Give a raster of class codes")
    for item in recipe.classes:
        if dataset.nodata in item.codes:
            _log.warning("%s: code %g of class %r is the file's nodata value; such pixels stay "
                         "uncovered", path.name, dataset.nodata, item.name)


def _check_size(dataset: DatasetReader, path: Path, grid: Grid, image: Path) -> None:
    if dataset.shape != grid.shape:
        raise SourceError(path, f"has {dataset.width} x {dataset.height} px but {image.name} has "
                          f"{grid.width} x {grid.height} px",
                          "Without georeference, labels must have the image's size")


def _check_overlap(own: Grid, path: Path, grid: Grid, image: Path) -> None:
    try:
        bounds = transform_bounds(own.crs, grid.crs, *own.bounds)
    except RasterioError as error:
        raise RasterError(path, "cannot be brought into the image's CRS",
                          "Check its CRS") from error
    require_overlap(path, bounds, grid, image)
