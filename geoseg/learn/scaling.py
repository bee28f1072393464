"""Scaling of raw pixel values to what a network sees, and the statistics that it needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from geoseg.learn.card import BandCard


def scale(values: np.ndarray, valid: np.ndarray, bands: Sequence[BandCard]) -> np.ndarray:
    """Scale raw values; invalid ones become 0, the centre of the training data.

    Args:
        values: (..., bands, rows, columns), any dtype.
        valid: bool of the same shape, or broadcastable to it.
        bands: One card per band.

    Returns:
        float32 of the same shape.
    """
    offset = np.array([band.offset for band in bands], dtype=np.float32)[:, None, None]
    gain = np.array([1 / band.gain for band in bands], dtype=np.float32)[:, None, None]
    scaled = values.astype(np.float32)
    scaled -= offset
    scaled *= gain
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
