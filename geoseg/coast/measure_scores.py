"""The numbers of `measure_coastline`: of each date, and of all together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from geoseg.coast.measure_direction import DirectionScores
from geoseg.coast.measure_means import Mean
from geoseg.coast.measure_options import Options


@dataclass(frozen=True, slots=True)
class DateScores:
    """How well the lines of one date, or of a layer without dates, fit."""

    date: str | None
    """Date of the lines, as 2024-05-31; None if the layer has none."""
    reference_dates: tuple[str, ...]
    """Dates of the reference that they met; empty where dates are not matched."""
    missed: DirectionScores
    """From the reference to the lines."""
    strayed: DirectionScores | None
    """From the lines to the reference; None if that is points."""


@dataclass(frozen=True, slots=True)
class CoastlineScores:
    """How far coastlines are from a reference, in metres."""

    lines: str
    """What was measured."""
    reference: str
    """What it was measured against."""
    reference_kind: str
    """`line` or `point`."""
    crs: str
    """CRS in metres that distances were measured in."""
    options: Options
    """How it was measured."""
    dates: tuple[DateScores, ...]
    """Each date, in order; a single one without a date for a layer that has none."""
    missed: DirectionScores
    """From the reference to the lines, all samples of all dates together."""
    strayed: DirectionScores | None
    """From the lines to the reference, likewise; None if that is points."""
    symmetric: float | None
    """Mean of the means of both directions; None if the reference is points."""
    missed_mean: Mean
    """Mean over all samples from the reference to the lines, with its interval."""
    strayed_mean: Mean | None
    """The same from the lines to the reference."""
    over_dates: Mean | None
    """Mean over the dates of their means from the reference to the lines: every date counts alike,
    however many samples it has. None with fewer than two dates."""
    penalised: float | None
    """Mean over all samples of the reference, of which those without a line within `max_distance`
    count as `penalty`; None without a penalty."""
    unmatched: tuple[str, ...]
    """Dates of lines that met no reference."""

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as JSON has them; missing ones are null."""
        return asdict(self)

    def table(self) -> str:
        """Return the numbers as aligned text, with the intervals below."""
        from geoseg.coast.measure_table import scores_table

        return scores_table(self)
