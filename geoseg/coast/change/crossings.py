"""Where dated coastlines and surveys meet transects: one position per transect and date."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyproj
import shapely

from geoseg.coast.change.tides import moved_to_level
from geoseg.coast.change.transect_layer import NAME_FIELDS, Transects, as_name
from geoseg.coast.dated import DatedLayer
from geoseg.errors import SourceError
from geoseg.geo.ground import reproject

Choice = Literal["seaward", "landward", "median"]
CHOICES: tuple[Choice, ...] = ("seaward", "landward", "median")
"""Which crossing counts where a coastline of one date meets a transect several times."""

_AS_NEAR = 0.5
"""Metres by which points may lie further from a transect than the nearest and count as well."""
_FAR = 100_000.0
_WGS84 = pyproj.Geod(ellps="WGS84")


@dataclass(frozen=True, eq=False)
class Crossings:
    """Positions of one source along the transects, sorted by transect and date."""

    transect: np.ndarray
    """int (n,): place of the transect."""
    date: np.ndarray
    """datetime64[D] (n,), each once per transect."""
    measured: np.ndarray
    """float64 (n,): metres from the transect's origin as seen, positive seaward."""
    position: np.ndarray
    """float64 (n,): the same at the reference water level; as seen where nothing was corrected."""
    sigma: np.ndarray
    """float64 (n,): standard deviation in m, NaN where not known."""
    level: np.ndarray
    """float64 (n,): height of the water in m, NaN where not known."""
    meetings: np.ndarray
    """int (n,): crossings or points of that date there were to choose from."""
    too_far: int
    """Points that lie further from their transect than `reach`."""


@dataclass(frozen=True, eq=False)
class _Meetings:
    """Every place where a feature meets a transect."""

    transect: np.ndarray
    """int (m,)."""
    feature: np.ndarray
    """int (m,)."""
    position: np.ndarray
    """float64 (m,) in m."""
    offset: np.ndarray
    """float64 (m,): metres from the transect; 0 for lines."""


def find_crossings(layer: DatedLayer, transects: Transects, used: np.ndarray, *, choice: Choice,
                   reach: float, sigmas: np.ndarray, levels: np.ndarray | None,
                   slopes: np.ndarray, reference: float) -> Crossings:
    """Return where a layer's features meet transects.

    Features of one date are one coastline, whatever its pieces. Lines meet a transect where they
    cross it. A point belongs to the transect that it names, if the layer has such an attribute, or
    else to the nearest; it must lie within `reach` of it, and is projected onto it at a right
    angle. Of several points of a date those count that lie nearest to the transect, to half a
    metre. If several meetings remain, `choice` decides.

    Args:
        layer: Lines or points with dates.
        transects: The transects.
        used: bool (n,): features to use.
        choice: Which of several meetings counts.
        reach: Metres.
        sigmas: Standard deviations of the features (n,) in m, NaN where not known.
        levels: Heights of the water (n,) in m, or None for no correction.
        slopes: Slopes of the beach face by transect; for a correction only.
        reference: Height in m that positions are brought to.
    """
    shapes = layer.shapes_in(transects.crs)
    bounds = shapely.bounds(shapes)
    index = np.flatnonzero(used & np.isfinite(bounds).all(axis=1))
    met, too_far = (_of_lines(shapes, index, transects), 0) if layer.kind == "line" else \
        _of_points(layer, shapes, index, transects, reach)
    measured = met.position
    if levels is None:
        level, position = np.full(len(measured), np.nan), measured
    else:
        level = levels[met.feature]
        position = moved_to_level(measured, level, slopes[met.transect], reference)
    date = layer.require_dates()[met.feature]
    order = np.lexsort((position, date, met.transect))
    breaks = np.flatnonzero((np.diff(met.transect[order]) != 0)
                            | (np.diff(date[order]) != np.timedelta64(0, "D"))) + 1
    values = np.column_stack([measured, position, sigmas[met.feature], level])
    rows, firsts, counts = [], [], []
    for group in np.split(order, breaks) if len(order) else ():
        near = group[met.offset[group] <= met.offset[group].min() + _AS_NEAR]
        rows.append(values[near[{"landward": 0, "seaward": -1}[choice]]] if choice != "median"
                    else np.array([*np.median(values[near, :2], axis=0),
                                   *values[near, 2:].mean(axis=0)]))
        firsts.append(group[0])
        counts.append(len(near))
    chosen = np.array(rows).reshape(-1, 4)
    first = np.array(firsts, dtype=int)
    return Crossings(met.transect[first], date[first], chosen[:, 0], chosen[:, 1], chosen[:, 2],
                     chosen[:, 3], np.array(counts, dtype=int), too_far)


def _of_lines(shapes: np.ndarray, index: np.ndarray, transects: Transects) -> _Meetings:
    lines = transects.lines
    transect, place = shapely.STRtree(shapes[index]).query(lines, predicate="intersects")
    feature = index[place]
    # Where a line runs along a transect, both ends of that stretch are crossings.
    met = shapely.intersection(lines[transect], shapes[feature])
    points, owner = shapely.get_coordinates(met, return_index=True)
    return _Meetings(transect[owner], feature[owner],
                     transects.chainages(points, transect[owner]), np.zeros(len(points)))


def _of_points(layer: DatedLayer, shapes: np.ndarray, index: np.ndarray, transects: Transects,
               reach: float) -> tuple[_Meetings, int]:
    parts, owner = shapely.get_parts(shapes[index], return_index=True)
    feature = index[owner]
    lines = transects.lines
    named = named_transects(layer, transects)
    if named is None:
        place, transect = shapely.STRtree(lines).query_nearest(parts, all_matches=False)
    else:
        place = np.flatnonzero(named[feature] >= 0)
        transect = named[feature][place]
    points, feature = parts[place], feature[place]
    offset = shapely.distance(points, lines[transect])
    near = offset <= reach
    points, feature, transect = points[near], feature[near], transect[near]
    position = transects.chainages(shapely.get_coordinates(points), transect)
    return _Meetings(transect, feature, position, offset[near]), int((~near).sum())


def named_transects(layer: DatedLayer, transects: Transects) -> np.ndarray | None:
    """Return the place of the transect that each feature names, -1 for one that is not there.

    The attribute is the first of `NAME_FIELDS` of which some value is the name of a transect,
    whatever its case; None if there is none.
    """
    known = {name.casefold(): place for place, name in enumerate(transects.names)}
    lower = {str(name).lower(): name for name in reversed(list(layer.frame.columns))}
    for field in (lower[name] for name in NAME_FIELDS if name in lower):
        places = np.array([known.get(as_name(value).casefold(), -1)
                           for value in layer.frame[field]])
        if (places >= 0).any():
            return places
    return None


def check_met(layer: DatedLayer, transects: Transects, found: Crossings, reach: float) -> None:
    """Check that a source meets some transect.

    Raises:
        SourceError: It meets none; tells how far away it is.
    """
    if len(found.transect):
        return
    away = _distance(layer, transects)
    within = f"comes within {reach:g} m of" if layer.kind == "point" else "crosses"
    apart = "" if away == 0 else " (it lies " + (
        f"{away / 1000:,.0f} km" if away >= 10_000 else f"{away:,.0f} m") + " away)"
    raise SourceError(layer.path, f"{within} none of the transects in {transects.path}{apart}",
                      "Check both coordinate reference systems, or give longer transects")


def _distance(layer: DatedLayer, transects: Transects) -> float:
    """Return metres from a layer to the nearest transect; far away, from centre to centre."""
    shapes = layer.shapes_in(transects.crs)
    shapes = shapes[np.isfinite(shapely.bounds(shapes)).all(axis=1)]
    if len(shapes):
        _, distances = shapely.STRtree(shapes).query_nearest(
            transects.lines, return_distance=True, all_matches=False)
        if distances.min() < _FAR:
            return float(distances.min())
    degrees = pyproj.CRS.from_epsg(4326)
    ends = []
    for given, crs in ((layer.shapes, layer.crs), (transects.lines, transects.crs)):
        left, bottom, right, top = shapely.total_bounds(reproject(given, crs, degrees))
        ends.append(((left + right) / 2, (bottom + top) / 2))
    return float(_WGS84.inv(*ends[0], *ends[1])[2])
