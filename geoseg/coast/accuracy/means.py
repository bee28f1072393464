"""Mean distances with the interval in which the true mean lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geoseg.coast.accuracy.bootstrap import FEWEST, block_length, correlation_length, mean_interval
from geoseg.coast.accuracy.errors import Errors

_SHORTEST = 1.0
"""Metres below which no block is chosen."""


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean distance and how sure it is."""

    mean: float
    """Metres."""
    interval: tuple[float, float] | None
    """Metres between which the true mean lies in about 95 of 100 cases; None if there is too
    little to tell."""
    resampled: str
    """What was drawn to find it: `dates`, or `blocks of 120 m`."""


def mean_of_samples(errors: Sequence[Errors], block: float | None, seed: int) -> Mean:
    """Return the mean over all samples that count.

    With five dates or more, whole dates are drawn: what an image has wrong, it has wrong along the
    whole shore. With fewer, blocks of shore are.

    Args:
        errors: In one direction; some sample of them counts.
        block: Length of blocks in metres, which are then drawn whatever the dates; None to draw
            dates or blocks of the length that `block_length` finds.
        seed: Of the random numbers.
    """
    values = np.concatenate([item.counted for item in errors])
    pairs = np.repeat(np.arange(len(errors)), [len(item.counted) for item in errors])
    dates = np.unique([item.pair.date or "" for item in errors], return_inverse=True)[1][pairs]
    drawn, resampled = dates, "dates"
    if block is not None or len(np.unique(dates)) < FEWEST:
        size = block or _chosen_block(errors)
        places = np.concatenate([item.position[item.counts] for item in errors]) // size
        drawn = np.unique(np.column_stack([pairs, places]), axis=0, return_inverse=True)[1]
        resampled = f"blocks of {size:.3g} m"
    drawn = np.unique(drawn, return_inverse=True)[1]
    interval = mean_interval(np.bincount(drawn, values), np.bincount(drawn), seed)
    return Mean(float(values.mean()), interval, resampled)


def mean_of_dates(means: Sequence[float], seed: int) -> Mean | None:
    """Return the mean over the means of dates; None for fewer than two."""
    if len(means) < 2:
        return None
    values = np.asarray(means)
    return Mean(float(values.mean()), mean_interval(values, np.ones(len(values)), seed), "dates")


def _chosen_block(errors: Sequence[Errors]) -> float:
    """Return the length of blocks by the correlation of the errors along the shore.

    Points are taken to be spaced evenly, as they are on average.
    """
    series = [item for item in errors if len(item.counted) > 1]
    if not series:
        return _SHORTEST
    mean = np.concatenate([item.counted for item in series]).mean()
    lengths = [correlation_length(item.counted[np.argsort(item.position[item.counts])] - mean,
                                  item.spacing) for item in series]
    extents = [len(item.counted) * item.spacing for item in series]
    if not sum(extents):
        return _SHORTEST
    correlation = float(np.average(lengths, weights=extents))
    return max(_SHORTEST, block_length(correlation, sum(extents)))
