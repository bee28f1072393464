"""Distances in one direction, summed up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geoseg.coast.accuracy.errors import Errors

_P95 = 95


@dataclass(frozen=True, slots=True)
class DirectionScores:
    """Distances in one direction, in metres, over the samples that have a counterpart."""

    samples: int
    """How many samples count."""
    mean: float
    """Mean distance."""
    median: float
    """Median distance."""
    rmse: float
    """Root of the mean squared distance."""
    p95: float
    """Distance that 95 % of the samples do not exceed."""
    max: float
    """Largest distance."""
    bias: float | None
    """Mean signed distance, above 0 where the line lies seaward of the reference; None where it is
    unknown which side is land, and from the line to the reference."""
    within: dict[str, float]
    """Shares 0 to 1 of samples no farther than each of the distances asked for, by the distance in
    metres as text."""
    coverage: float
    """Share 0 to 1 of the length (of the points) in the area that has a counterpart."""


def direction_scores(dates: Sequence[Sequence[Errors]], distances: Sequence[float]
                     ) -> DirectionScores | None:
    """Return the scores of one direction; None if no sample counts.

    Args:
        dates: The errors of each date, of which there may be several: one for each date of the
            reference that it met.
        distances: Metres, for the shares.
    """
    errors = [item for date in dates for item in date]
    values = np.concatenate([item.counted for item in errors])
    if not len(values):
        return None
    seaward = [item.seaward[item.counts] for item in errors if item.seaward is not None]
    return DirectionScores(
        len(values), float(values.mean()), float(np.median(values)),
        float(np.sqrt(np.mean(values ** 2))), float(np.percentile(values, _P95)),
        float(values.max()), float(np.concatenate(seaward).mean()) if seaward else None,
        {f"{most:g}": float(np.mean(values <= most)) for most in distances}, _coverage(dates))


def _coverage(dates: Sequence[Sequence[Errors]]) -> float:
    """Return the share of samples inside the area that count.

    A sample of a line counts if any date of the reference shows its counterpart: two surveys of
    half a beach each cover it all.
    """
    inside, counts = [], []
    for date in dates:
        if date and date[0].direction == "strayed":
            inside.append(date[0].inside)
            counts.append(np.any([item.counts for item in date], axis=0))
        else:
            inside += [item.inside for item in date]
            counts += [item.counts for item in date]
    return float(np.concatenate(counts).sum() / np.concatenate(inside).sum())


def penalised_mean(errors: Sequence[Errors], max_distance: float, penalty: float) -> float:
    """Return the mean over all samples in the area, past the ends of lines too.

    Those farther than `max_distance` from any line count as `penalty` metres.
    """
    values = np.concatenate([item.distance[item.inside] for item in errors])
    return float(np.where(values <= max_distance, values, penalty).mean())
