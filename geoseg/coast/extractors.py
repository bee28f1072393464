"""The extractors of the source paper on coastlines from radar, kept for comparison.

One takes the pixels around which a class map jumps from sea to land; the other one position per
column or row of a coast's probability, which can be averaged over models. Neither can be finer than
a pixel where it matters, and one position per column can show no bay, no island and no slope beyond
45 degrees: `trace_coastline` does all of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

SEA, NO_DATA, LAND = 0, 1, 2
"""Values of the class map of `minmax_pixels`, whose order the rule needs."""

Along = Literal["columns", "rows"]
"""Whether there is one position per column, as for a coast across a landscape image, or per row."""


def minmax_pixels(classes: np.ndarray) -> np.ndarray:
    """Return the pixels whose 3 x 3 neighbourhood holds both sea and land.

    Args:
        classes: int (rows, columns) of `SEA`, `NO_DATA` and `LAND`.

    Returns:
        float64 (n, 2): (column, row) of the centres of these pixels, in pixels from the centre of
        the first; a band about two pixels wide.
    """
    extent = (maximum_filter(classes, 3, mode="nearest").astype(int)
              - minimum_filter(classes, 3, mode="nearest"))
    rows, columns = np.nonzero(extent == LAND - SEA)
    return np.column_stack([columns, rows]).astype(float)


def argmax_positions(coast: np.ndarray, valid: np.ndarray, along: Along, least: float = 0.0
                     ) -> np.ndarray:
    """Return the likeliest place of the coast in each column or row.

    Args:
        coast: Probability (rows, columns) that a pixel is coast, 0 to 1.
        valid: bool (rows, columns).
        along: Whether to look in each column or in each row.
        least: Columns without a probability above this have no position.

    Returns:
        float64 (columns,) of rows, or (rows,) of columns, in pixels from the centre of the first;
        NaN where there is none. Of equals the first counts.
    """
    likely = np.where(valid, coast, -1.0)
    if along == "rows":
        likely = likely.T
    found = likely.max(axis=0)
    place = likely.argmax(axis=0).astype(float)
    return np.asarray(np.where((found > least) & (found >= 0), place, np.nan))


def ensemble_positions(members: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """Return the weighted mean position per column or row; members without one do not count.

    Args:
        members: Positions float64 (n,) of each member.
        weights: How much each member counts, above 0.

    Returns:
        float64 (n,), NaN where no member has a position.
    """
    stack, weight = np.stack(members), np.asarray(weights, dtype=float)[:, np.newaxis]
    there = ~np.isnan(stack)
    total = (weight * there).sum(axis=0)
    sums = (weight * np.where(there, stack, 0.0)).sum(axis=0)
    return np.asarray(np.divide(sums, total, out=np.full(len(sums), np.nan), where=total > 0))


def fill_positions(positions: np.ndarray) -> np.ndarray:
    """Fill gaps linearly between the positions beside them; at the ends the nearest one goes on.

    Args:
        positions: float64 (n,), NaN in gaps, at least one position.
    """
    place = np.arange(len(positions))
    there = ~np.isnan(positions)
    return np.asarray(np.interp(place, place[there], positions[there]))


def positions_line(positions: np.ndarray, along: Along) -> np.ndarray:
    """Return the points (n, 2), (column, row), of a coast with a position per column or row."""
    points = np.column_stack([np.arange(len(positions)), positions])
    return points if along == "columns" else points[:, ::-1]
