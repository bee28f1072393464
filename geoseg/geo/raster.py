"""Reading rasters by window, with a mask of valid pixels."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geoseg.errors import RasterError

_DRIVERS = ["GTiff", "PNG", "JPEG", "JP2OpenJPEG"]
_DAMAGED = "The file is truncated or damaged; fetch or copy it again"
_MAX_BLOCK_BYTES = 256 * 1024 * 1024


@contextmanager
def may_lack_georeference() -> Iterator[None]:
    """Silence rasterio's warning of a missing georeference: `Grid.of` tells whether it matters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


@contextmanager
def open_raster(path: str | Path) -> Iterator[DatasetReader]:
    """Open a raster for reading.

    GeoTIFF, PNG, JPEG and JPEG 2000 are opened by content; a virtual raster (VRT), which can point
    at any other file, only when its name ends in `.vrt`.

    Args:
        path: The file; neither an address nor one of GDAL's virtual paths.

    Yields:
        The open dataset.

    Raises:
        RasterError: The file is missing, not one of these formats, damaged, or complex-valued, or
            its blocks are unreasonably large.
    """
    path = Path(path)
    if not path.is_file():
        raise RasterError(path, "does not exist", "Check the path")
    drivers = ["VRT", *_DRIVERS] if path.suffix.lower() == ".vrt" else _DRIVERS
    with ExitStack() as stack:
        try:
            with may_lack_georeference(), rasterio.Env():
                dataset = stack.enter_context(DatasetReader(str(path), driver=drivers))
        except RasterioError as error:
            raise RasterError(path, "cannot be opened as GeoTIFF, PNG, JPEG or JPEG 2000",
                              "Convert it to GeoTIFF, or fetch it again if it is damaged"
                              ) from error
        _check_raster(dataset, path)
        yield dataset


def _check_raster(dataset: DatasetReader, path: Path) -> None:
    if any(name.startswith("complex") for name in dataset.dtypes):
        raise RasterError(path, f"holds complex numbers ({dataset.dtypes[0]})",
                          "Compute the amplitude or the backscatter in dB first")
    rows, columns = max(dataset.block_shapes)
    if rows * columns * np.dtype(dataset.dtypes[0]).itemsize > _MAX_BLOCK_BYTES:
        raise RasterError(path, f"is stored in blocks of {columns} x {rows} px",
                          "Rewrite it with smaller tiles (gdal_translate -of COG)")
    if dataset.driver == "GTiff" and _is_cut_off(dataset, path):
        raise RasterError(path, "ends before its last pixels", _DAMAGED)


def _is_cut_off(dataset: DatasetReader, path: Path) -> bool:
    """Whether the last block of a GeoTIFF lies beyond the end of the file; costs no reading."""
    rows, columns = dataset.block_shapes[-1]
    last = f"{(dataset.width - 1) // columns}_{(dataset.height - 1) // rows}"
    start, size = (dataset.get_tag_item(f"BLOCK_{fact}_{last}", "TIFF", bidx=dataset.count)
                   for fact in ("OFFSET", "SIZE"))
    return bool(start and size) and int(start) + int(size) > path.stat().st_size


def image_bands(dataset: DatasetReader, bands: Sequence[int] | None) -> tuple[int, ...]:
    """Return the 1-based bands to use: those asked for, or all but an alpha band.

    Args:
        dataset: Open image.
        bands: 1-based bands, in the order wanted; None for all.

    Raises:
        RasterError: A band does not exist, or the only band is a palette index.
    """
    if bands is None:
        bands = [i for i, kind in zip(dataset.indexes, dataset.colorinterp, strict=True)
                 if kind is not ColorInterp.alpha]
    missing = [band for band in bands if band not in dataset.indexes]
    if missing:
        raise RasterError(dataset.name, f"has {dataset.count} bands, so no band {missing[0]}",
                          "Choose existing bands under [image] bands in the recipe")
    if any(dataset.colorinterp[band - 1] is ColorInterp.palette for band in bands):
        raise RasterError(dataset.name, "is a paletted image: its values are colour numbers",
                          "Expand it to RGB first (gdal_translate -expand rgb), or give it to "
                          "burn-labels if it is a land-cover map")
    return tuple(bands)


def read(dataset: DatasetReader, window: Window, bands: Sequence[int],
         *, shape: tuple[int, int] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Read a window of some bands and the mask of their valid values.

    A value is valid if it is finite, not nodata, and not masked by the file's own mask or alpha.

    Args:
        dataset: Open raster.
        window: Whole-pixel window; parts outside the raster are filled by mirroring it.
        bands: 1-based band numbers.
        shape: (rows, columns) to resample to, by averaging when smaller (from overviews where the
            file has them) and bilinearly when larger; None reads at full resolution.

    Returns:
        values (bands, rows, columns) in the raster's dtype, and valid (bands, rows, columns) bool.

    Raises:
        RasterError: The pixels cannot be read (truncated or damaged file).
    """
    inside, padding = _split_window(window, dataset.height, dataset.width)
    if shape is not None and padding is not None:
        raise ValueError("a window beyond the raster cannot be resampled while reading")
    shrinks = shape is not None and shape[0] < window.height
    options: dict[str, Any] = {"window": inside, "out_shape": shape and (len(bands), *shape)}
    try:
        values = dataset.read(list(bands), **options,
                              resampling=Resampling.average if shrinks else Resampling.bilinear)
        valid = (dataset.read_masks(list(bands), **options).astype(bool)
                 if _has_mask(dataset, bands) else np.broadcast_to(True, values.shape))
    except RasterioError as error:
        raise damaged(dataset.name, inside) from error
    if np.issubdtype(values.dtype, np.floating):
        valid = valid & np.isfinite(values)
    if padding is not None:
        values = np.pad(values, padding, mode="reflect")
        valid = np.pad(valid, padding, mode="reflect")
    return values, valid


def _has_mask(dataset: DatasetReader, bands: Sequence[int]) -> bool:
    """Whether nodata, alpha or a mask of the file can void a value of some bands."""
    return not all(MaskFlags.all_valid in dataset.mask_flag_enums[band - 1] for band in bands)


def may_lack_data(dataset: DatasetReader, bands: Sequence[int]) -> bool:
    """Whether a value of some bands (1-based) can be invalid, as `read` defines it."""
    return _has_mask(dataset, bands) or any(
        np.issubdtype(dataset.dtypes[band - 1], np.floating) for band in bands)


def damaged(path: str | Path, window: Window) -> RasterError:
    """Return the error for a file whose pixels cannot be read in a window."""
    return RasterError(path, f"cannot be read at column {window.col_off}, row {window.row_off}",
                       _DAMAGED)


def valid_pixels(valid: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return which pixels carry a measurement: some band is valid and none is NaN or infinite.

    A single band at its nodata value does not void a pixel, since many products use 0 as nodata
    and dark water has a true 0 in some band.

    Args:
        valid: bool (bands, rows, columns) from `read`.
        values: The values read with it.

    Returns:
        bool (rows, columns).
    """
    some = np.asarray(valid.any(axis=0))
    if np.issubdtype(values.dtype, np.floating):
        some = some & np.isfinite(values).all(axis=0)
    return some


def _split_window(window: Window, height: int, width: int
                  ) -> tuple[Window, tuple[tuple[int, int], ...] | None]:
    """Cut a window to the raster; return the rest and how to pad (bands, rows, columns)."""
    top, left = int(window.row_off), int(window.col_off)
    bottom, right = top + int(window.height), left + int(window.width)
    inner = max(top, 0), max(left, 0), min(bottom, height), min(right, width)
    if inner[0] >= inner[2] or inner[1] >= inner[3]:
        raise ValueError(f"window {window} lies outside a raster of {height} x {width}")
    cut = Window(inner[1], inner[0], inner[3] - inner[1], inner[2] - inner[0])
    padding = ((0, 0), (inner[0] - top, bottom - inner[2]), (inner[1] - left, right - inner[3]))
    return cut, padding if any(sum(side) for side in padding) else None
