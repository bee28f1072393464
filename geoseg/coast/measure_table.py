"""The scores of coastlines as aligned text."""

from __future__ import annotations

from geoseg.coast.bootstrap import LEVEL
from geoseg.coast.measure_direction import DirectionScores
from geoseg.coast.measure_means import Mean
from geoseg.coast.measure_scores import CoastlineScores

_WORDS = 2
"""Columns on the left that hold words, and numbers to their right."""


def scores_table(scores: CoastlineScores) -> str:
    """Return a row per date and direction, one for all, and the means with their intervals."""
    signed = scores.missed.bias is not None
    head = ["", "", "samples", "mean", "median", "RMSE", "p95", "max", *(["bias"] * signed),
            *(f"<= {most:g} m" for most in scores.options.within), "coverage"]
    lines = [head]
    named = [(date.date or "", date.missed, date.strayed) for date in scores.dates]
    for name, missed, strayed in [*(named if len(named) > 1 else []),
                                  ("all", scores.missed, scores.strayed)]:
        lines.append([name, "missed", *_cells(missed, signed)])
        if strayed is not None:
            lines.append([name, "strayed", *_cells(strayed, signed)])
    columns = range(len(head)) if scores.strayed else [0, *range(_WORDS, len(head))]
    widths = {i: max(len(line[i]) for line in lines) for i in columns}
    rows = ["  ".join(line[i].ljust(widths[i]) if i < _WORDS else line[i].rjust(widths[i])
                      for i in columns) for line in lines]
    return "\n".join([*rows, "", *_summary(scores)])


def _cells(found: DirectionScores, signed: bool) -> list[str]:
    sizes = [found.mean, found.median, found.rmse, found.p95, found.max]
    bias = ["" if found.bias is None else f"{found.bias:+.2f}"] if signed else []
    shares = [f"{100 * share:.1f} %" for share in (*found.within.values(), found.coverage)]
    return [str(found.samples), *(f"{size:.2f}" for size in sizes), *bias, *shares]


def _summary(scores: CoastlineScores) -> list[str]:
    both = scores.strayed_mean is not None
    named = [("mean over the dates", scores.over_dates),
             ("mean, missed" if both else "mean over all samples", scores.missed_mean),
             ("mean, strayed", scores.strayed_mean)]
    lines = [f"{name}: {_mean(mean)}" for name, mean in named if mean is not None]
    if scores.symmetric is not None:
        lines.append(f"mean of both directions: {scores.symmetric:.2f} m")
    if scores.penalised is not None:
        lines.append(f"mean, missed, with {scores.options.penalty:g} m wherever no line lies "
                     f"within {scores.options.max_distance:g} m: {scores.penalised:.2f} m")
    if scores.unmatched:
        lines.append(f"without reference: {', '.join(scores.unmatched)}")
    return lines


def _mean(found: Mean) -> str:
    if found.interval is None:
        return f"{found.mean:.2f} m (too few {found.resampled} for an interval)"
    low, high = found.interval
    return (f"{found.mean:.2f} m ({100 * LEVEL:g} % interval {low:.2f} to {high:.2f} m, "
            f"by drawing {found.resampled})")
