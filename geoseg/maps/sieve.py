"""Merging patches of a class map that are too small into their largest neighbour."""

from __future__ import annotations

import math
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.features import sieve
from rasterio.io import DatasetReader, DatasetWriter
from rasterio.windows import Window

from geoseg.errors import GeosegError, OutputError
from geoseg.geo.grid import Grid
from geoseg.geo.legend import IGNORE
from geoseg.geo.output import making_folder
from geoseg.geo.windows import row_bands


def smallest_patch(min_area: float, grid: Grid) -> int:
    """Return how many pixels a patch needs to cover an area.

    Args:
        min_area: m² on the ground, or pixels in pixel space.
        grid: Grid of the class map; the area of its central pixel counts for all.

    Raises:
        GeosegError: The area is negative or not finite.
    """
    if not (math.isfinite(min_area) and min_area >= 0):
        raise GeosegError("minimum area", f"is {min_area}",
                          "Give square metres (pixels without georeference), 0 for none")
    pixels = math.ceil(min_area / grid.pixel_area - 1e-9)
    return min(max(pixels, 1), grid.width * grid.height)


@contextmanager
def sieved(windows: Iterable[tuple[np.ndarray, Window]], grid: Grid, bands: int, size: int,
           folder: Path) -> Iterator[DatasetReader]:
    """Give a class map without patches of fewer than `size` pixels, as an open scratch raster.

    Patches are 4-connected. A smaller one takes the value of its largest neighbour (GDAL's sieve
    filter, repeated until nothing changes, since one pass can leave clusters of small patches).
    Nodata neither grows nor shrinks; a patch that touches nothing but nodata stays. Overlapping
    classes are sieved band by band.

    The map is read from a scratch file, but GDAL's filter is only reachable through an array of
    the result: beside the patches themselves, one band takes two bytes of memory per pixel.

    Args:
        windows: The class map as uint8 (bands, rows, columns) with its windows, nodata 255.
        grid: Grid of the class map.
        bands: Bands of the class map.
        size: Smallest number of pixels that may remain.
        folder: Folder for the scratch file, which is removed at the end.

    Yields:
        The raster with `bands` bands, and one more that is 1 where the map is valid; it carries no
        georeference.

    Raises:
        OutputError: The system refused to write the scratch file.
    """
    with (making_folder(folder),
          tempfile.TemporaryDirectory(prefix=".geoseg-", dir=folder) as scratch,
          _scratch_raster(Path(scratch) / "map.tif", grid, bands + 1) as work):
        with _refusals(folder):
            for values, window in windows:
                valid = (values[:1] != IGNORE).astype(np.uint8)
                work.write(np.concatenate([values, valid]), window=window)
            for band in range(1, bands + 1):
                _sieve_band(work, band, size)
        yield work


def _sieve_band(work: DatasetWriter, band: int, size: int) -> None:
    valid = rasterio.band(work, work.count)
    changed = True
    while changed:
        merged = sieve(rasterio.band(work, band), size, mask=valid, connectivity=4)
        changed = False
        for window in row_bands(work.height, work.width):
            rows = merged[window.row_off:window.row_off + window.height]
            if not np.array_equal(rows, work.read(band, window=window)):
                work.write(rows, band, window=window)
                changed = True


@contextmanager
def _scratch_raster(path: Path, grid: Grid, count: int) -> Iterator[DatasetWriter]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w+", driver="GTiff", width=grid.width, height=grid.height,
                           count=count, dtype="uint8", interleave="band",
                           bigtiff="if_safer") as dataset:
            yield dataset


@contextmanager
def _refusals(folder: Path) -> Iterator[None]:
    try:
        yield
    except RasterioError as error:
        raise OutputError(folder, "has no room for the scratch file of the minimum area",
                          "Free some space or choose another folder") from error
