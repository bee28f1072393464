"""Masks as text, in the run-length encoding of Kaggle's contests.

`5 3` says that the fifth to seventh pixel belong to the mask, counted from 1, down the first
column, then down the second, and so on; more runs follow in their order. For scripts that send
maps to such a contest or read its labels, one text per image and class.
"""

from __future__ import annotations

import numpy as np

from geoseg.errors import RasterError

_CURE = "Give pairs of a start, counted from 1 down the columns, and a length, as Kaggle does"


def encode_rle(mask: np.ndarray) -> str:
    """Return a mask as `start length` pairs; empty for an empty mask.

    Args:
        mask: bool, or 0 and another number, (rows, columns).

    Raises:
        ValueError: The mask has not two dimensions.
    """
    if mask.ndim != 2:
        raise ValueError(f"a mask has rows and columns, not {mask.ndim} dimensions")
    inside = np.concatenate([[False], mask.ravel(order="F") != 0, [False]])
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    starts, stops = edges[::2], edges[1::2]
    return " ".join(f"{start + 1} {stop - start}" for start, stop in
                    zip(starts.tolist(), stops.tolist(), strict=True))


def decode_rle(text: str, shape: tuple[int, int]) -> np.ndarray:
    """Return the mask that `start length` pairs describe.

    Args:
        text: Pairs in rising order, parted by spaces; runs may touch, not overlap. Empty for an
            empty mask.
        shape: (rows, columns); the text does not tell.

    Returns:
        bool (rows, columns).

    Raises:
        RasterError: Not pairs of numbers, out of order, overlapping, or beyond the mask.
    """
    rows, columns = shape
    mask = np.zeros(rows * columns, bool)
    end = 0
    for start, length in _pairs(text):
        run = f"the run {start} {length}"
        if length < 1:
            raise RasterError(run, "has no pixels", _CURE)
        if not 1 <= start <= mask.size + 1 - length:
            raise RasterError(run, f"leaves the mask of {mask.size:,} pixels ({rows} rows, "
                              f"{columns} columns)", "Give the shape that the text was made for")
        if start <= end:
            raise RasterError(run, f"starts before the one before it ends, at {end}", _CURE)
        end = start - 1 + length
        mask[start - 1:end] = True
    return mask.reshape(shape, order="F")


def _pairs(text: str) -> list[tuple[int, int]]:
    words = text.split()
    strange = [word for word in words if not (word.isascii() and word.isdigit())]
    if strange:
        raise RasterError("the run-length text", f"holds {strange[0]!r}, which is not a whole "
                          "number", _CURE)
    if len(words) % 2:
        raise RasterError("the run-length text", f"holds an odd count of numbers, {len(words)}",
                          _CURE)
    numbers = [int(word) for word in words]
    return list(zip(numbers[::2], numbers[1::2], strict=True))
