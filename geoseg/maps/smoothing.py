"""Smoothing of the logits before they become probabilities, from top to bottom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from geoseg.maps.blending import Rows

_TRUNCATE = 4.0
"""The Gaussian ends at this many standard deviations."""


def smoothed(blocks: Iterable[Rows], sigma: float) -> Iterator[Rows]:
    """Smooth full-width rows with a Gaussian that leaves out pixels without data.

    Each pixel becomes the weighted mean of the pixels with data around it (normalised
    convolution, Knutsson and Westin 1993); beyond the raster there are none. The result is that
    of the whole raster, however its rows are cut into blocks; memory is that of a block and
    8 sigma rows.

    Args:
        blocks: The rows of a raster in order, from its first to its last.
        sigma: Standard deviation in pixels; 0 for none.

    Yields:
        The same rows in other blocks, where not valid 0.
    """
    if sigma == 0:
        yield from blocks
        return
    reach = max(1, int(_TRUNCATE * sigma + 0.5))
    held: Rows | None = None
    above = 0
    for block in blocks:
        held = _along_rows(block, sigma) if held is None else _joined(
            held, _along_rows(block, sigma))
        ready = len(held.valid) - reach
        if ready > above:
            yield _finished(held, above, ready, sigma)
            kept = max(0, ready - reach)
            held, above = _cut(held, kept, len(held.valid)), ready - kept
    if held is not None:
        yield _finished(held, above, len(held.valid), sigma)


def _along_rows(block: Rows, sigma: float) -> Rows:
    """Smooth along the rows; the weights that went in become one more class."""
    weight = block.valid.astype(np.float32)[None]
    stack = np.concatenate([np.where(block.valid, block.logits.cpu().numpy(), 0), weight])
    return Rows(torch.from_numpy(_filter(stack, sigma, axis=2)), block.valid, block.top)


def _finished(held: Rows, first: int, stop: int, sigma: float) -> Rows:
    """Smooth along the columns, and return the mean of what went in for some of the rows."""
    stack = _filter(held.logits.numpy(), sigma, axis=1)[:, first:stop]
    valid = held.valid[first:stop]
    means = np.divide(stack[:-1], stack[-1:], out=np.zeros_like(stack[:-1]),
                      where=np.broadcast_to(valid, stack[:-1].shape))
    return Rows(torch.from_numpy(means), valid, held.top + first)


def _filter(stack: np.ndarray, sigma: float, axis: int) -> np.ndarray:
    result = gaussian_filter1d(stack, sigma, axis=axis, mode="constant", truncate=_TRUNCATE)
    return np.asarray(result, dtype=np.float32)


def _joined(upper: Rows, lower: Rows) -> Rows:
    return Rows(torch.cat([upper.logits, lower.logits], dim=1),
                np.concatenate([upper.valid, lower.valid]), upper.top)


def _cut(rows: Rows, first: int, stop: int) -> Rows:
    return Rows(rows.logits[:, first:stop].clone(), rows.valid[first:stop], rows.top + first)
