"""`measure_coastline`: how far coastlines are from lines or points known to be right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from json import dumps
from pathlib import Path

import shapely

from geoseg.coast.accuracy.calibration import calibrate
from geoseg.coast.accuracy.direction import direction_scores, penalised_mean
from geoseg.coast.accuracy.errors import Errors, missed, strayed
from geoseg.coast.accuracy.layer import LAYER, error_frame, error_style
from geoseg.coast.accuracy.means import mean_of_dates, mean_of_samples
from geoseg.coast.accuracy.options import Options
from geoseg.coast.accuracy.pairs import NO_DATE, Pair, Sources, read_sources
from geoseg.coast.accuracy.scores import CoastlineScores, DateScores
from geoseg.coast.dated import Side
from geoseg.errors import SourceError
from geoseg.geo.output import check_output, write_text
from geoseg.geo.vector import VECTOR_SUFFIXES, write_layer
from geoseg.progress import Progress, part, silent, track

ByDate = list[list[Errors]]
"""The errors of each date of the lines, of which there may be several: one for each date of the
reference."""

_TRACED = {"confidence", "kind", "is_ring"}
"""Attributes of a line made by `trace_coastline`, which has land on its left."""


def measure_coastline(lines: str | Path, reference: str | Path, *, days: int | None = None,
                      within: Sequence[float] = (5, 10, 20), max_distance: float | None = None,
                      penalty: float | None = None, area: str | Path | None = None,
                      land: Side | None = None, step: float = 1.0, block: float | None = None,
                      date_field: str | None = None, reference_date_field: str | None = None,
                      seed: int = 0, json: str | Path | None = None,
                      out: str | Path | None = None, overwrite: bool = False,
                      progress: Progress = silent) -> CoastlineScores:
    """Measure how far coastlines are from a reference: lines, or points as of a GPS survey.

    Distances are metres in a CRS that is true where both layers lie, and go both ways: from the
    reference to the lines ("missed"), which tells how far the truth is from what was drawn, and
    from the lines to the reference ("strayed"), which tells of lines where there is no coast. Lines
    are sampled evenly. Points are measured one way only: between them is coast they do not show.

    A sample counts only where both coasts are: not where its nearest point is an open end of the
    other coast and the sample lies past that end, so that a line may be longer than the other.
    Rings have no ends; pieces that touch are one line. `coverage` is the share that counts.

    Lines of one date are one coastline. Intervals come from a block bootstrap: of dates where there
    are five or more, else of blocks of shore.

    Args:
        lines: Layer of coastlines, with or without dates.
        reference: Layer of lines or points, in any CRS.
        days: Lines meet only the reference of at most this many days before or after; by default
            all of it.
        within: Distances in metres for which to tell the share of samples no farther.
        max_distance: Metres beyond which a sample has no counterpart on the other coast.
        penalty: Metres that a sample of the reference counts, in a second score, if no line lies
            within `max_distance` of it.
        area: Layer of polygons outside which nothing counts, such as the extent of the image.
        land: Side of the lines on which the land lies, seen along them; on the left by default if
            they were made by `trace_coastline`, else unknown. Needed for the bias.
        step: Largest distance of samples along lines in metres. Means over samples are within a
            quarter of it of those over all points; mostly they are far nearer.
        block: Length in metres of the blocks that are drawn for the intervals; by default it is
            found from how far errors are alike along the shore.
        date_field: Attribute of the lines with their dates; by default one that is called so.
        reference_date_field: The same of the reference.
        seed: Of the random numbers for the intervals.
        json: File to write all numbers to, ending in .json.
        out: Layer to write, coloured by error: .gpkg, .fgb, .geojson or .parquet.
        overwrite: Whether existing files may be replaced.
        progress: Told the fraction done.

    Returns:
        The scores; `table()` is their text.

    Raises:
        OutputError: A result cannot be written there.
        SourceError: A layer cannot be read, holds nothing to measure, has no dates though `days`
            is given, or lies elsewhere; or no dates are near enough.
        GeosegError: An option is out of range.
    """
    inputs = [item for item in (lines, reference, area) if item is not None]
    json = None if json is None else check_output(
        json, overwrite=overwrite, suffixes=(".json",), inputs=inputs)
    out = None if out is None else check_output(
        out, overwrite=overwrite, suffixes=VECTOR_SUFFIXES, inputs=inputs)
    options = Options(days, tuple(sorted({float(value) for value in within})), max_distance,
                      penalty, land, step, block, seed)
    options.check()
    sources = read_sources(lines, reference, area, date_field=date_field,
                           reference_date_field=reference_date_field)
    if land is None and _TRACED.issubset(sources.lines.frame.columns):
        options = replace(options, land="left")
    pairs, alone = sources.pairs(days)
    there, back = _measured(pairs, options, sources.area, part(progress, 0, 0.8))
    scores = _scores(sources, options, there, back, alone)
    progress(0.9, "writing scores")
    if json is not None:
        write_text(json, dumps(scores.to_dict(), indent=1, allow_nan=False) + "\n")
    if out is not None:
        frame = error_frame([error for date in (*there, *back) for error in date], sources.crs,
                            sources.reference.crs)
        write_layer(frame, out, layer=LAYER, style=error_style(
            options.within, is_line=sources.reference.kind == "line"))
    progress(1.0, "coastlines measured")
    return scores


def _measured(pairs: Sequence[Pair], options: Options, area: shapely.Geometry | None,
              progress: Progress) -> tuple[ByDate, ByDate]:
    """Return the errors of each date, there (missed) and back (strayed; empty for points)."""
    there: ByDate = []
    back: ByDate = []
    dates = [list(found) for _, found in groupby(pairs, lambda pair: pair.date)]
    for date in track(dates, progress, "measuring"):
        there.append([missed(pair, options, area) for pair in date])
        back.append([error for error in (strayed(pair, options, area) for pair in date)
                     if error is not None])
    return there, back


def _scores(sources: Sources, options: Options, there: ByDate, back: ByDate,
            alone: Sequence[str]) -> CoastlineScores:
    dates, beyond = _date_scores(there, back, options.within)
    far = [error for date in there for error in date]
    near = [error for date in back for error in date]
    all_missed = direction_scores(there, options.within)
    if all_missed is None:
        raise _nothing_counts(sources, far)
    all_strayed = direction_scores(back, options.within) if near else None
    return CoastlineScores(
        lines=sources.lines.path, reference=sources.reference.path,
        reference_kind=sources.reference.kind, crs=sources.crs_name, options=options,
        dates=dates, missed=all_missed, strayed=all_strayed,
        symmetric=(all_missed.mean + all_strayed.mean) / 2 if all_strayed else None,
        missed_mean=mean_of_samples(far, options.block, options.seed),
        strayed_mean=mean_of_samples(near, options.block, options.seed) if all_strayed else None,
        over_dates=mean_of_dates([date.missed.mean for date in dates], options.seed),
        penalised=penalised_mean(far, options.max_distance, options.penalty)
        if options.penalty is not None and options.max_distance is not None else None,
        calibration=calibrate(far), unmatched=tuple(sorted([*alone, *beyond])))


def _date_scores(there: ByDate, back: ByDate, within: Sequence[float]
                 ) -> tuple[tuple[DateScores, ...], list[str]]:
    """Return the scores of each date, and the dates of which no sample counts."""
    scores, beyond = [], []
    for to_lines, to_reference in zip(there, back, strict=True):
        date = to_lines[0].pair.date
        found = direction_scores([to_lines], within)
        if found is None:
            beyond.append(date or NO_DATE)
            continue
        others = tuple(error.pair.reference_date for error in to_lines
                       if error.pair.reference_date is not None)
        scores.append(DateScores(date, others, found, direction_scores([to_reference], within)
                                 if to_reference else None))
    return tuple(scores), beyond


def _nothing_counts(sources: Sources, errors: Sequence[Errors]) -> SourceError:
    if not any(error.inside.any() for error in errors):
        return SourceError(sources.reference.path, "lies outside the area", "Check the area")
    nearest = min(float(error.distance[error.inside].min()) for error in errors
                  if error.inside.any())
    return SourceError(sources.lines.path, f"has no part beside {sources.reference.path}: the "
                       f"nearest places are {nearest:,.3g} m apart, past the ends of the lines or "
                       "too far", "Check that both show the same coast, or allow a larger distance")
