"""`measure_change`: how fast a coast moves along transects, by one source or several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from geoseg.coast.change.crossings import CHOICES, Choice, Crossings, check_met, find_crossings
from geoseg.coast.change.found import Change, SourceChange
from geoseg.coast.change.layers import write_change
from geoseg.coast.change.page import render_page
from geoseg.coast.change.rates import Rate, decimal_years, find_outliers, measure_rate
from geoseg.coast.change.tides import WaterLevels, check_correction, levels_of, read_water_levels
from geoseg.coast.change.transect_layer import Transects, read_transects
from geoseg.coast.dated import DatedLayer, read_dated
from geoseg.errors import GeosegError, SourceError
from geoseg.geo.output import check_output, write_text
from geoseg.geo.vector import split_layer
from geoseg.progress import Progress, part, silent, track

SIGMA_FIELD = "sigma_m"
"""Attribute that is taken for the standard deviation of a position, where it is there."""
OUTLIERS = 3.5
"""Robust standard deviations beyond which a position of a line does not count by default."""


@dataclass(frozen=True, eq=False)
class _Plan:
    """What applies to every source."""

    transects: Transects
    """The transects."""
    start: np.datetime64 | None
    """First date that counts."""
    end: np.datetime64 | None
    """Last date that counts."""
    sigma_field: str | None
    """Attribute with standard deviations, if one was named."""
    sigma: float | None
    """Standard deviation in m of positions without one."""
    reach: float
    """Metres by which a point may lie off its transect."""
    choice: Choice
    """Which of several crossings counts."""
    outliers: float | None
    """Robust standard deviations that count, or None for what suits the source."""
    confidence: float
    """Of the intervals, 0..1."""
    independent: bool
    """Whether positions are taken for independent."""
    levels: WaterLevels | None
    """Heights of the water by date."""
    level_field: str | None
    """Attribute with heights of the water."""
    slopes: np.ndarray
    """float64: slope of the beach face by transect, NaN without a correction."""
    reference: float
    """Height in m that waterlines are brought to."""


def measure_change(sources: str | Path | Sequence[str | Path], transects: str | Path, *,
                   out: str | Path, report: str | Path | None = None,
                   date_field: str | None = None, name_field: str | None = None,
                   start: str | date | None = None, end: str | date | None = None,
                   sigma_field: str | None = None, sigma: float | None = None,
                   crossing: Choice = "seaward", reach: float = 10.0,
                   outliers: float | None = None,
                   confidence: float = 0.95, independent: bool = False,
                   water_level: str | Path | None = None, level_field: str | None = None,
                   slope: float | None = None, reference: float = 0.0,
                   overwrite: bool = False, progress: Progress = silent) -> Change:
    """Measure how fast a coast moves along transects, by dated coastlines, by surveys, or by both.

    On each transect, each source has one position per date: metres from the transect's landward
    end, growing seaward. The rate is the slope of the least-squares line through them, weighted by
    1/sigma² where sigmas are known, with a t interval that allows for positions close in time
    resembling each other (`rates.fit_line`). Odd positions are flagged and do not count
    (`rates.find_outliers`). Also: net movement, rate from end to end, envelope.

    Layers: `transects`, coloured by rate, red landward, blue seaward, grey where it cannot be told
    from none (of several sources `transects_NAME`, one each); `crossings`, coloured by date, or by
    source if there are several.

    Args:
        sources: Vector files of dated lines or points, each measured on its own;
            `file.gpkg|layername=x` for one layer of several.
        transects: Straight lines from land to sea, see `read_transects` and `cast_transects`.
        out: GeoPackage to write.
        report: HTML page to write too.
        date_field: Attribute with the dates; found by its name by default.
        name_field: Attribute with the transects' names; found by its name by default.
        start: First date that counts, such as 2016-01-01; all if not given.
        end: Last date that counts.
        sigma_field: Attribute with the standard deviation of each position in m; by default
            `sigma_m` where a source has it.
        sigma: Standard deviation in m of positions that have none of their own.
        crossing: Which crossing counts where a coastline meets a transect several times on one
            date: the most seaward, the most landward, or their median.
        reach: Metres by which a point may lie off its transect.
        outliers: Robust standard deviations from the robust line beyond which a position does not
            count; 0 lets all count. By default 3.5 for lines, where a cloud or a ship can pass for
            a coast, and 0 for points: what lies oddly in a survey is mostly a storm.
        confidence: Of the intervals, and what counts as significant; between 0 and 1.
        independent: Take positions for independent of each other, as DSAS does: narrower intervals.
        water_level: CSV table with `date` and `height` of the water in metres at each line's time:
            lines are brought to the reference height with the slope of the beach. Points stay.
        level_field: Attribute with that height, in place of a table.
        slope: Slope of the beach face (tan β) of transects that have no attribute `slope`.
        reference: Height in m that waterlines are brought to.
        overwrite: Whether existing files may be replaced.
        progress: Told the fraction done.

    Returns:
        Everything that was found.

    Raises:
        OutputError: A result cannot be written there.
        SourceError: A file cannot be read, has no dates or one only, meets no transect, or lacks
            a sigma or a water level.
        GeosegError: An option is out of range.
    """
    given = [sources] if isinstance(sources, str | Path) else list(sources)
    inputs = [*given, transects, *([water_level] if water_level is not None else [])]
    out = check_output(out, overwrite=overwrite, suffixes=(".gpkg",), inputs=inputs)
    page = None if report is None else check_output(
        report, overwrite=overwrite, suffixes=(".html",), inputs=inputs)
    _check_options(given, crossing, reach, outliers, confidence, sigma, reference)
    if water_level is not None and level_field is not None:
        raise GeosegError("water level", "is given as a table and as an attribute", "Give one")
    cast = read_transects(transects, name_field)
    levels = None if water_level is None else read_water_levels(water_level)
    slopes = check_correction(levels or level_field, slope, cast.slopes, cast.names)
    plan = _Plan(cast, _day("start", start), _day("end", end), sigma_field, sigma, reach, crossing,
                 outliers, confidence, independent, levels, level_field, slopes, reference)
    layers = [read_dated(source, date_field=date_field) for source in given]
    for name, what in ((sigma_field, "sigma"), (level_field, "water level")):
        if name is not None and not any(name in layer.frame.columns for layer in layers):
            raise SourceError(layers[0].path, f"has no attribute {name!r}",
                              f"Name the one that holds the {what} in metres")
    found = tuple(_measure(layer, name, plan) for layer, name in track(
        list(zip(layers, _labels(given), strict=True)), part(progress, 0, 0.8), "measuring"))
    change = Change(out, page, cast, found, confidence, independent)
    progress(0.8, "writing")
    text = None if page is None else render_page(change)
    write_change(change)
    if page is not None and text is not None:
        write_text(page, text)
    progress(1.0, "change measured")
    return change


def _check_options(sources: Sequence[object], crossing: str, reach: float, outliers: float | None,
                   confidence: float, sigma: float | None, reference: float) -> None:
    if not sources:
        raise GeosegError("sources", "are none", "Give at least one layer of dated coastlines")
    if crossing not in CHOICES:
        raise GeosegError("crossing", f"is {crossing!r}", f"Choose {' or '.join(CHOICES)}")
    if not 0 < confidence < 1:
        raise GeosegError("confidence", f"is {confidence}", "Give a share such as 0.95")
    for name, value in (("reach", reach), ("outliers", outliers or 0.0)):
        if not (math.isfinite(value) and value >= 0):
            raise GeosegError(name, f"is {value}", "Give a number, 0 or more")
    if sigma is not None and not (math.isfinite(sigma) and sigma > 0):
        raise GeosegError("sigma", f"is {sigma}", "Give metres, more than 0")
    if not math.isfinite(reference):
        raise GeosegError("reference", f"is {reference}", "Give a height in metres")


def _day(name: str, value: str | date | None) -> np.datetime64 | None:
    if value is None:
        return None
    try:
        return np.datetime64(date.fromisoformat(str(value)[:10]), "D")
    except ValueError as error:
        raise GeosegError(name, f"is {value!r}, which is not a date",
                          "Write it as 2024-05-31") from error


def _labels(sources: Sequence[str | Path]) -> list[str]:
    """Return a name for each source: the stem of its file, with the layer or a number if needed."""
    stems = [split_layer(source)[0].stem for source in sources]
    named = [stem if stems.count(stem) == 1 else f"{stem} {split_layer(source)[1] or ''}".strip()
             for stem, source in zip(stems, sources, strict=True)]
    return [name if named.count(name) == 1 else f"{name} {named[:place + 1].count(name)}"
            for place, name in enumerate(named)]


def _measure(layer: DatedLayer, name: str, plan: _Plan) -> SourceChange:
    """Return what one source tells."""
    dates = layer.require_dates()
    dated = ~np.isnat(dates)
    used = dated.copy()
    if plan.start is not None:
        used &= dates >= plan.start
    if plan.end is not None:
        used &= dates <= plan.end
    if not used.any():
        raise SourceError(layer.path, "has no date in the period (its dates are "
                          f"{dates[dated].min()} to {dates[dated].max()})",
                          "Choose another start or end")
    sigmas = _sigmas(layer, plan, used)
    levels = levels_of(layer, plan.levels, plan.level_field, used)
    found = find_crossings(layer, plan.transects, used, choice=plan.choice, reach=plan.reach,
                           sigmas=sigmas, levels=levels, slopes=plan.slopes,
                           reference=plan.reference)
    check_met(layer, plan.transects, found, plan.reach)
    if len(np.unique(found.date)) < 2:
        raise SourceError(layer.path, f"meets the transects on one date only ({found.date[0]})",
                          "Change needs two dates or more")
    weighted = not np.isnan(found.sigma).any()
    limit = plan.outliers
    if limit is None:
        limit = OUTLIERS if layer.kind == "line" else 0.0
    rates, outlier = _rates(found, plan, limit, weighted=weighted)
    return SourceChange(name, layer.path, layer.kind, found, outlier, rates, weighted,
                        levels is not None, int((~dated).sum()))


def _rates(found: Crossings, plan: _Plan, limit: float, *, weighted: bool
           ) -> tuple[tuple[Rate, ...], np.ndarray]:
    outlier = np.zeros(len(found.transect), dtype=bool)
    rates = []
    for place in range(len(plan.transects)):
        rows = np.flatnonzero(found.transect == place)
        dates, positions = found.date[rows], found.position[rows]
        outlier[rows] = find_outliers(decimal_years(dates), positions, limit)
        rates.append(measure_rate(
            dates, positions, found.sigma[rows] if weighted else None, outlier[rows],
            confidence=plan.confidence, independent=plan.independent))
    return tuple(rates), outlier


def _sigmas(layer: DatedLayer, plan: _Plan, used: np.ndarray) -> np.ndarray:
    """Return each feature's standard deviation, float64 (n,) in m; all NaN if none is known."""
    import pandas as pd

    field = SIGMA_FIELD if plan.sigma_field is None else plan.sigma_field
    sigmas = np.full(len(layer.shapes), np.nan)
    if field in layer.frame.columns:
        sigmas = pd.to_numeric(layer.frame[field], errors="coerce").to_numpy(float, copy=True)
    if (sigmas[used] <= 0).any():
        raise SourceError(layer.path, f"has a {field} of {np.nanmin(sigmas[used]):g}",
                          "Give standard deviations in metres, more than 0")
    if plan.sigma is not None:
        sigmas[np.isnan(sigmas)] = plan.sigma
    missing = int(np.isnan(sigmas[used]).sum())
    if 0 < missing < used.sum():
        raise SourceError(layer.path, f"has no {field} in {missing} of {used.sum()} features",
                          "Give a sigma for those that have none of their own")
    return sigmas
