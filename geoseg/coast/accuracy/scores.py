"""The numbers of `measure_coastline`: of each date, and of all together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from geoseg.coast.accuracy.bootstrap import LEVEL
from geoseg.coast.accuracy.calibration import Calibration
from geoseg.coast.accuracy.direction import DirectionScores
from geoseg.coast.accuracy.means import Mean
from geoseg.coast.accuracy.options import Options
from geoseg.tables import aligned

_WORDS = 2
"""Columns on the left that hold words, and numbers to their right."""


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
    calibration: Calibration | None
    """Whether the lines' standard deviations are true; None if they have none."""
    unmatched: tuple[str, ...]
    """Dates of lines that met no reference."""

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as JSON has them; missing ones are null."""
        return asdict(self)

    def table(self) -> str:
        """Return the numbers as aligned text, with the intervals below."""
        signed = self.missed.bias is not None
        head = ["metres", "", "samples", "mean", "median", "RMSE", "p95", "max",
                *(["bias"] if signed else []),
                *(f"<= {most:g} m" for most in self.options.within), "coverage"]
        lines = [head]
        named = [(date.date or "", date.missed, date.strayed) for date in self.dates]
        for name, missed, strayed in [*(named if len(named) > 1 else []),
                                      ("all", self.missed, self.strayed)]:
            lines.append([name, "missed", *_cells(missed, signed)])
            if strayed is not None:
                lines.append([name, "strayed", *_cells(strayed, signed)])
        if self.strayed is None:
            rows = aligned([[line[0], *line[_WORDS:]] for line in lines])
        else:
            rows = aligned(lines, _WORDS)
        return "\n".join([rows, "", *self._summary()])

    def _summary(self) -> list[str]:
        both = self.strayed_mean is not None
        named = [("mean over the dates", self.over_dates),
                 ("mean, missed" if both else "mean over all samples", self.missed_mean),
                 ("mean, strayed", self.strayed_mean)]
        lines = [f"{name}: {_mean(mean)}" for name, mean in named if mean is not None]
        if self.symmetric is not None:
            lines.append(f"mean of both directions: {self.symmetric:.2f} m")
        if self.penalised is not None:
            lines.append(f"mean, missed, with {self.options.penalty:g} m wherever no line lies "
                         f"within {self.options.max_distance:g} m: {self.penalised:.2f} m")
        if self.calibration is not None:
            lines.append(f"within one sigma of the lines: {self.calibration.within:.1%} of "
                         f"{self.calibration.samples} samples; times {self.calibration.factor:.3g} "
                         "it would be 68 %")
        if self.unmatched:
            lines.append(f"without reference: {', '.join(self.unmatched)}")
        return lines


def _cells(found: DirectionScores, signed: bool) -> list[str]:
    sizes = [found.mean, found.median, found.rmse, found.p95, found.max]
    bias = ["" if found.bias is None else f"{found.bias:+.2f}"] if signed else []
    shares = [f"{100 * share:.1f} %" for share in (*found.within.values(), found.coverage)]
    return [str(found.samples), *(f"{size:.2f}" for size in sizes), *bias, *shares]


def _mean(found: Mean) -> str:
    if found.interval is None:
        return f"{found.mean:.2f} m (too few {found.resampled} for an interval)"
    low, high = found.interval
    return (f"{found.mean:.2f} m ({100 * LEVEL:g} % interval {low:.2f} to {high:.2f} m, "
            f"by drawing {found.resampled})")
