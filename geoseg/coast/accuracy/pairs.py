"""What is measured against what: both layers in metres, and the dates that meet."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyproj
import shapely

from geoseg.coast.accuracy.distances import Segments, segments_of
from geoseg.coast.dated import DatedLayer, Kind, read_dated
from geoseg.errors import SourceError
from geoseg.geo.ground import metric_crs, reproject

SIGMA_FIELD = "sigma_m"
"""Attribute of lines with the standard deviation of their place in metres."""
NO_DATE = "no date"
"""What stands for the date of lines without one in a layer that has dates."""

_APART = 1000.0
"""Metres between two coasts from which they are not taken for the same one."""
_DEGREES = pyproj.CRS.from_epsg(4326)


@dataclass(frozen=True, eq=False)
class Pair:
    """Lines of one date and the part of the reference, of one date or of all, they meet."""

    date: str | None
    """Date of the lines, 2024-05-31; `NO_DATE`; None if the layer has no dates."""
    reference_date: str | None
    """Date of the reference; None where dates are not matched."""
    lines: Segments
    """The lines in metres."""
    reference: Segments | np.ndarray
    """Reference lines in metres, or points (n, 2)."""
    sigma: np.ndarray | None = None
    """float64: standard deviation in m of each part of the lines, NaN where it has none; None if
    no line has one."""


@dataclass(frozen=True, eq=False)
class Sources:
    """Two layers that lie in the same place, in the CRS that they are measured in."""

    lines: DatedLayer
    """The coastlines."""
    reference: DatedLayer
    """Lines or points."""
    area: shapely.Geometry | None
    """Area outside which nothing counts, in `crs`."""
    crs: pyproj.CRS
    """CRS in metres around what both show."""

    @property
    def crs_name(self) -> str:
        """Name of `crs`; its definition where it has no name."""
        return self.crs.to_string() if self.crs.name == "unknown" else self.crs.name

    def pairs(self, days: int | None) -> tuple[list[Pair], list[str]]:
        """Return what meets, in the order of dates, and the dates of lines that meet nothing.

        Args:
            days: Largest difference of dates; None to let all lines meet all of the reference.

        Raises:
            SourceError: A layer has no dates, or no two dates are that near.
        """
        shapes, truth = (layer.shapes_in(self.crs) for layer in (self.lines, self.reference))
        dated: list[tuple[str | None, np.ndarray]] = [(None, np.arange(len(truth)))]
        if days is not None:
            self.lines.require_dates()
            dated = list(_by_date(self.reference.require_dates(), len(truth)))
        references = [(date, self._part(truth[which])) for date, which in dated]
        pairs, alone = [], []
        for date, which in _by_date(self.lines.dates, len(shapes)):
            segments = segments_of(shapes[which])
            sigma = self._sigma(which, shapes)
            met = [Pair(date, other, segments, reference, sigma) for other, reference in references
                   if len(reference) and len(segments)
                   and (days is None or _days_between(date, other) <= days)]
            pairs += met
            alone += [] if met else [date or NO_DATE]
        if not pairs:
            raise self._too_late(days)
        return pairs, alone

    def _sigma(self, which: np.ndarray, shapes: np.ndarray) -> np.ndarray | None:
        """Return the standard deviation of each part of some of the lines, if they have any."""
        import pandas as pd

        if SIGMA_FIELD not in self.lines.frame:
            return None
        values = pd.to_numeric(self.lines.frame[SIGMA_FIELD], errors="coerce").to_numpy(float)
        return np.repeat(values[which], shapely.get_num_geometries(shapes[which]))

    def _part(self, shapes: np.ndarray) -> Segments | np.ndarray:
        if self.reference.kind == "line":
            return segments_of(shapes)
        return np.asarray(shapely.get_coordinates(shapes))

    def _too_late(self, days: int | None) -> SourceError:
        own, others = (np.unique(layer.require_dates()) for layer in (self.lines, self.reference))
        own, others = own[~np.isnat(own)], others[~np.isnat(others)]
        gaps = np.abs((own[:, np.newaxis] - others).astype(int))
        first, second = np.unravel_index(int(gaps.argmin()), gaps.shape)
        return SourceError(self.lines.path, f"has no date within {days} days of one of "
                           f"{self.reference.path}; the nearest two, {own[first]} and "
                           f"{others[second]}, are {gaps.min()} days apart", "Allow more days")


def read_sources(lines: str | Path, reference: str | Path, area: str | Path | None, *,
                 date_field: str | None, reference_date_field: str | None) -> Sources:
    """Read what is to be measured.

    Args:
        lines: Layer of coastlines.
        reference: Layer of lines or points.
        area: Layer of polygons outside which nothing counts.
        date_field: Attribute of the lines with their dates, see `read_dated`.
        reference_date_field: The same of the reference.

    Raises:
        SourceError: A layer cannot be read, holds the wrong geometries, or lies elsewhere.
    """
    measured = _read(lines, ("line",), date_field)
    truth = _read(reference, ("line", "point"), reference_date_field)
    _check_apart(measured, truth)
    crs = _common_crs(measured, truth)
    for layer in (measured, truth):
        if not np.isfinite(shapely.total_bounds(layer.shapes_in(crs))).all():
            raise SourceError(layer.path, "reaches too far to be measured in one plane",
                              "Clip it to the surroundings of the other layer")
        if layer.kind == "line" and not shapely.length(layer.shapes).any():
            raise SourceError(layer.path, "holds lines without any length", "Check the layer")
    if area is None:
        return Sources(measured, truth, None, crs)
    polygons = read_dated(area, ("polygon",))
    _check_apart(polygons, truth)
    return Sources(measured, truth, shapely.union_all(polygons.shapes_in(crs)), crs)


def _read(source: str | Path, kinds: Sequence[Kind], date_field: str | None) -> DatedLayer:
    try:
        found = read_dated(source, (*kinds, "polygon"), date_field=date_field)
    except SourceError:  # say what is wanted without naming polygons
        found = read_dated(source, kinds, date_field=date_field)
    if found.kind == "polygon":
        raise SourceError(source, "holds polygons, not lines",
                          "Turn them into lines (QGIS: Polygons to lines)")
    return found


def _common_crs(layer: DatedLayer, reference: DatedLayer) -> pyproj.CRS:
    """Return the CRS in metres around what both layers show."""
    west, south, east, north = shapely.total_bounds(layer.shapes_in(reference.crs))
    left, bottom, right, top = reference.bounds
    common = max(west, left), max(south, bottom), min(east, right), min(north, top)
    if common[0] > common[2] or common[1] > common[3] or not np.isfinite(common).all():
        common = reference.bounds
    return metric_crs(reference.crs, common)


def _check_apart(layer: DatedLayer, reference: DatedLayer) -> None:
    """Check, before anything is projected, that two layers lie in the same place."""
    (west, south, east, north), (left, bottom, right, top) = (
        shapely.total_bounds(reproject(item.shapes, item.crs, _DEGREES))
        for item in (layer, reference))
    # From the one box to the nearest place of the other, also across the date line.
    shifts = np.array([-360.0, 0.0, 360.0])
    gap = np.maximum(np.maximum(left - (east + shifts), (west + shifts) - right), 0)
    shift = float(shifts[int(gap.argmin())])
    x, y = np.clip(left, west + shift, east + shift), np.clip(bottom, south, north)
    to_x, to_y = np.clip(x, left, right), np.clip(y, bottom, top)
    away = float(pyproj.Geod(ellps="WGS84").inv(x, y, to_x, to_y)[2])
    if away > _APART:
        raise SourceError(
            layer.path, f"lies {away / 1000:,.0f} km from {reference.path}",
            f"Check the coordinate reference systems, {layer.crs.name} and {reference.crs.name}; "
            "a UTM zone of the wrong hemisphere is off by up to 10,000 km")


def _by_date(dates: np.ndarray | None, count: int) -> Iterator[tuple[str | None, np.ndarray]]:
    """Yield each date, in order, with the places of its features; those without one come last."""
    if dates is None:
        yield None, np.arange(count)
        return
    for date in np.unique(dates[~np.isnat(dates)]):
        yield str(date), np.flatnonzero(dates == date)
    if np.isnat(dates).any():
        yield NO_DATE, np.flatnonzero(np.isnat(dates))


def _days_between(date: str | None, other: str | None) -> float:
    if date in (None, NO_DATE) or other in (None, NO_DATE):
        return math.inf
    return abs(int((np.datetime64(date, "D") - np.datetime64(other, "D")).astype(int)))
