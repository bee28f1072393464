"""From stored pixel values to what a network sees: transform, scaling, and their statistics.

Transforms of a stored value v, for SAR an amplitude:

- `none`: v.
- `sqrt`: √v, which evens out the long tail of amplitudes; undefined below 0.
- `log`: ln(1 + v); undefined below 0.
- `sigma0`: 10 log10(v²) + calibration, the backscatter σ⁰ in dB (Shimada et al. 2009, "PALSAR
  radiometric and geometric calibration", with -83.0 dB for its products); undefined at and below
  0, which is how such products store no data.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geoseg.geo.raster import read
from geoseg.learn.card import BandCard


def read_bands(dataset: DatasetReader, window: Window, bands: Sequence[BandCard]
               ) -> tuple[np.ndarray, np.ndarray]:
    """Read a window of a model's bands, as stored.

    Args:
        dataset: Open raster.
        window: Whole-pixel window; parts outside the raster are filled by mirroring it.
        bands: Cards of the bands.

    Returns:
        values (bands, rows, columns) in the raster's dtype, and bool of the same shape: where the
        value is valid and its transform defined.

    Raises:
        RasterError: The pixels cannot be read (truncated or damaged file).
    """
    values, valid = read(dataset, window, [band.index for band in bands])
    return values, valid & defined(values, bands)


def defined(values: np.ndarray, bands: Sequence[BandCard]) -> np.ndarray:
    """Return where the transforms of the bands are defined.

    Args:
        values: (..., bands, rows, columns), as stored.
        bands: One card per band.

    Returns:
        bool of the same shape.
    """
    if all(band.transform == "none" for band in bands):
        return np.broadcast_to(True, values.shape)
    result = np.ones(values.shape, dtype=bool)
    for place, band in enumerate(bands):
        if band.transform == "sigma0":
            result[..., place, :, :] = values[..., place, :, :] > 0
        elif band.transform != "none":
            result[..., place, :, :] = values[..., place, :, :] >= 0
    return result


def transformed(values: np.ndarray, bands: Sequence[BandCard]) -> np.ndarray:
    """Apply the transforms of the bands.

    Args:
        values: (..., bands, rows, columns), as stored, any dtype.
        bands: One card per band.

    Returns:
        float32 of the same shape; finite but without meaning where the transform is undefined.
    """
    result = values.astype(np.float32)
    for place, band in enumerate(bands):
        plane = result[..., place, :, :]
        if band.transform == "sqrt":
            plane[...] = np.sqrt(np.maximum(plane, 0))
        elif band.transform == "log":
            plane[...] = np.log1p(np.maximum(plane, 0))
        elif band.transform == "sigma0":
            plane[...] = 20 * np.log10(np.maximum(plane, 1e-6)) + np.float32(band.calibration)
    return result


def scale(values: np.ndarray, valid: np.ndarray, bands: Sequence[BandCard]) -> np.ndarray:
    """Transform and scale stored values; invalid and undefined ones become 0, the centre.

    Args:
        values: (..., bands, rows, columns), any dtype.
        valid: bool of the same shape, or broadcastable to it.
        bands: One card per band.

    Returns:
        float32 of the same shape.
    """
    offset = np.array([band.offset for band in bands], dtype=np.float32)[:, None, None]
    gain = np.array([1 / band.gain for band in bands], dtype=np.float32)[:, None, None]
    scaled = transformed(values, bands)
    scaled -= offset
    scaled *= gain
    for place, band in enumerate(bands):
        if band.clip:
            np.clip(scaled[..., place, :, :], -1, 1, out=scaled[..., place, :, :])
    valid = valid & defined(values, bands)
    if not valid.all():
        scaled[~np.broadcast_to(valid, scaled.shape)] = 0
    return scaled


class Statistics:
    """Mean, standard deviation and percentiles of each band, gathered window by window.

    Sums are kept in float64 around the first value seen, which keeps the variance exact for data
    far from zero (Chan et al. 1983, shifted data). Percentiles come from an even sample.
    """

    def __init__(self, bands: int) -> None:
        self._count = np.zeros(bands, dtype=np.int64)
        self._shift = np.full(bands, np.nan)
        self._sum = np.zeros(bands)
        self._squares = np.zeros(bands)
        self._sample: list[list[np.ndarray]] = [[] for _ in range(bands)]

    def add(self, values: np.ndarray, valid: np.ndarray) -> None:
        """Add (bands, rows, columns) values where valid (same shape)."""
        for band in range(len(self._count)):
            good = values[band][valid[band]].astype(np.float64)
            if good.size == 0:
                continue
            if np.isnan(self._shift[band]):
                self._shift[band] = good[0]
            shifted = good - self._shift[band]
            self._count[band] += good.size
            self._sum[band] += shifted.sum()
            self._squares[band] += np.square(shifted).sum()
            self._sample[band].append(good[::max(1, good.size // 2000)])

    @property
    def is_empty(self) -> bool:
        """Whether some band had no valid value at all."""
        return bool((self._count == 0).any())

    @property
    def mean(self) -> np.ndarray:
        """float64 (bands,)."""
        return np.asarray(self._shift + self._sum / self._count)

    @property
    def deviation(self) -> np.ndarray:
        """float64 (bands,): population standard deviation."""
        mean = self._sum / self._count
        return np.sqrt(np.maximum(self._squares / self._count - mean**2, 0))

    def percentile(self, share: float) -> np.ndarray:
        """float64 (bands,): percentile of an even sample of the values."""
        return np.array([np.percentile(np.concatenate(parts), share) for parts in self._sample])
