"""Blending of overlapping tiles into full rows, with memory for one row of tiles only."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from geoseg.geo.windows import Tiling


class Rows(NamedTuple):
    """Some full-width rows of a raster."""

    logits: Tensor
    """float32 (classes, rows, columns)."""
    valid: np.ndarray
    """bool (rows, columns): which pixels carry data."""
    top: int
    """Row of the raster that comes first."""


class Ring:
    """Rows under construction: weighted sums of overlapping tiles, one tile high.

    Since the blend weights add up to one, a row is finished, without any division, once the next
    row of tiles begins below it.

    Args:
        classes: Number of classes.
        rows: Tiling of the rows.
        columns: Tiling of the columns.
        shape: Rows and columns of the raster.
        device: Where the sums are kept.
    """

    def __init__(self, classes: int, rows: Tiling, columns: Tiling, shape: tuple[int, int],
                 device: torch.device) -> None:
        self._rows, self._columns = rows, columns
        self._height, self._width = shape
        self._sums = torch.zeros(classes, rows.tile, self._width, device=device)
        self._row_weights = torch.from_numpy(rows.weights).to(device)
        self._column_weights = torch.from_numpy(columns.weights).to(device)

    def add(self, row: int, columns: list[int], logits: Tensor) -> None:
        """Add the logits (n, classes, tile, tile) of tiles in a row, given by their columns."""
        tall = self._row_weights[row][:, None]
        for column, tile in zip(columns, logits, strict=True):
            left = self._columns.starts[column]
            first, last = max(0, left), min(self._width, left + self._columns.tile)
            part = slice(first - left, last - left)
            weights = tall * self._column_weights[column][None, part]
            self._sums[:, :, first:last].addcmul_(tile[:, :, part], weights[None])

    def finish(self, row: int, valid: np.ndarray) -> Rows | None:
        """Return the rows that no later tile touches; none where the tiles end above the raster.

        Args:
            row: Index of the row of tiles that is complete.
            valid: bool (rows, columns): valid pixels of the raster's rows under it.
        """
        top = self._rows.starts[row]
        last = row + 1 == len(self._rows.starts)
        done = self._rows.tile if last else self._rows.starts[row + 1] - top
        first, stop = max(0, -top), min(done, self._height - top)
        finished = None
        if stop > first:
            finished = Rows(self._sums[:, first:stop].clone(), valid[:stop - first], top + first)
        kept = self._rows.tile - done
        self._sums[:, :kept] = self._sums[:, done:].clone()
        self._sums[:, kept:] = 0
        return finished
