"""Writing rasters: whole under their name, checked, or not there at all."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.errors import RasterioError
from rasterio.windows import Window

from geoseg.geo.grid import PIXEL_SPACE_TAG, Grid
from geoseg.geo.legend import Legend
from geoseg.geo.output import not_written, replacing
from geoseg.geo.raster import may_lack_georeference
from geoseg.geo.style.document import Style, write_style
from geoseg.geo.style.rasters import class_style

if TYPE_CHECKING:
    from rasterio.io import DatasetWriter

RASTER_SUFFIXES = (".tif", ".tiff")
"""File name endings of the rasters that geoseg writes."""

WriteWindow = Callable[[np.ndarray, Window], None]
"""Writes (bands, rows, columns) into a window."""

_BLOCK = 512


@contextmanager
def raster_writer(path: Path, grid: Grid, *, count: int, dtype: str, nodata: float | None = None,
                  legend: Legend | None = None, band_names: Sequence[str] = (), scale: float = 1.0,
                  tags: Mapping[str, str] | None = None, is_categorical: bool = False,
                  style: Style | None = None) -> Iterator[WriteWindow]:
    """Give a function that writes windows; at the end the raster is finished, checked and named.

    The result is a cloud-optimised GeoTIFF with overviews. Before the final rename the finished
    file is opened again and compared, window by window, with what was written: on a full disk
    GDAL itself reports success. The caller has checked the name with `check_output`.

    Args:
        path: Final file name, ending in .tif or .tiff.
        grid: Grid of the output.
        count: Number of bands.
        dtype: Pixel type, e.g. `uint8`.
        nodata: Value of pixels without data; also what unwritten pixels hold.
        legend: Stored in the file's tags; a single-band uint8 raster also gets its colour table.
        band_names: Band descriptions.
        scale: Band scale: stored value x scale = true value.
        tags: Further tags for the file.
        is_categorical: Whether values are categories; overviews then pick the nearest pixel
            instead of averaging.
        style: QGIS style to lay beside the file; by default that of the legend if the values are
            categories.

    Yields:
        `write(array, window)`; windows must not overlap and may come in any order.

    Raises:
        OutputError: The system refused to write, or the file on disk differs from what was
            written.
    """
    if style is None and legend is not None and is_categorical:
        style = class_style(legend)
    written: list[tuple[Window, int]] = []
    with replacing(path) as part, may_lack_georeference():
        draft = part.with_name(f"{part.name}.draft.tif")
        with _refusals(path), _create(draft, grid, count, dtype, nodata) as dataset:
            _describe(dataset, legend, band_names, scale,
                      {**(tags or {}), **({} if grid.is_georeferenced else PIXEL_SPACE_TAG)})

            def write(array: np.ndarray, window: Window) -> None:
                array = np.ascontiguousarray(array, dtype=dtype)
                dataset.write(array, window=window)
                written.append((window, zlib.crc32(array.tobytes())))

            yield write
        with _refusals(path):
            rasterio.shutil.copy(
                draft, part, driver="COG", compress="DEFLATE", predictor="YES", blocksize=_BLOCK,
                overview_resampling="NEAREST" if is_categorical else "AVERAGE",
                num_threads="ALL_CPUS", bigtiff="IF_SAFER")
            _compare(part, written, path)
    if style is not None:
        write_style(path, style)


def _create(draft: Path, grid: Grid, count: int, dtype: str, nodata: float | None
            ) -> DatasetWriter:
    place = {"crs": grid.crs, "transform": grid.transform} if grid.is_georeferenced else {}
    # Three or four bytes per pixel would be taken for red, green, blue and alpha.
    kind = {"photometric": "minisblack", "alpha": "unspecified"} if count > 1 else {}
    return rasterio.open(
        draft, "w", driver="GTiff", width=grid.width, height=grid.height, count=count, dtype=dtype,
        nodata=nodata, tiled=True, blockxsize=_BLOCK, blockysize=_BLOCK, compress="zstd",
        zstd_level=1, bigtiff="if_safer", sparse_ok=True, interleave="band", **place, **kind)


def _describe(dataset: DatasetWriter, legend: Legend | None, band_names: Sequence[str],
              scale: float, tags: Mapping[str, str]) -> None:
    dataset.update_tags(**tags)
    if legend is not None:
        dataset.update_tags(**legend.tags())
        if dataset.count == 1 and dataset.dtypes[0] == "uint8" and not legend.overlapping:
            dataset.write_colormap(1, legend.colormap())
    for index, name in enumerate(band_names, start=1):
        dataset.set_band_description(index, name)
    if scale != 1.0:
        dataset.scales = (scale,) * dataset.count


def _compare(part: Path, written: Sequence[tuple[Window, int]], path: Path) -> None:
    with rasterio.open(part) as dataset:
        for window, checksum in written:
            if zlib.crc32(dataset.read(window=window).tobytes()) != checksum:
                raise not_written(path, "was damaged while it was written")


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    try:
        yield
    except RasterioError as error:
        raise not_written(path) from error
