"""`cast_transects`: straight lines at right angles to a baseline, from land to sea."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyproj
import shapely

from geoseg.coast.dated import DatedLayer, Side, read_dated
from geoseg.errors import GeosegError, SourceError
from geoseg.geo.ground import reproject
from geoseg.geo.output import check_output
from geoseg.geo.style.vectors import Look, range_style
from geoseg.geo.vector import VECTOR_SUFFIXES, write_layer
from geoseg.progress import Progress, silent, track

if TYPE_CHECKING:
    import geopandas as gpd

LAYER = "transects"
"""Layer name in a GeoPackage."""

_LOCAL = 0.01
"""Metres over which a direction is taken at least."""
_MOST = 100_000
_WGS84 = pyproj.Geod(ellps="WGS84")


def cast_transects(baseline: str | Path, *, spacing: float, seaward: float, landward: float,
                   out: str | Path, smooth: float = 0.0, land: Side = "left",
                   overwrite: bool = False, progress: Progress = silent) -> Path:
    """Cast transects at right angles to a baseline, at even spacing, from land to sea.

    Lines that go on from each other are joined first, and the longest comes first. Places are
    `spacing` apart along each line, with the rest of its length shared between both ends; on a
    closed line they are spread evenly, at least `spacing` apart. Lines shorter than `spacing` are
    left out. The direction of the baseline at a place is that of the chord over
    `smooth` metres around it, which is the mean of its directions there: larger values keep
    transects from crossing each other in bays and from fanning out on capes.

    Attributes: `name` (the number as text), `number` from 1, `line` (number of the joined
    line, from 1), `position_m` (metres along the baseline, running on from line to line), `azimuth`
    (degrees clockwise from true north, seaward), `length_m`.

    Args:
        baseline: Vector file of lines, such as a coastline.
        spacing: Metres from one transect to the next along the baseline.
        seaward: Metres by which transects reach to sea from the baseline.
        landward: Metres by which they reach inland; there lies the origin.
        out: File to write: .gpkg, .fgb, .geojson or .parquet; in the baseline's CRS.
        smooth: Metres over which the baseline's direction is averaged.
        land: Side of the baseline on which land lies, along its direction: left, as with
            coastlines traced by geoseg and in OpenStreetMap, or right.
        overwrite: Whether an existing file may be replaced.
        progress: Told the fraction done.

    Returns:
        The path of the transects.

    Raises:
        OutputError: The result cannot be written there.
        SourceError: The baseline cannot be read, or is shorter than the spacing.
        GeosegError: An option is out of range.
    """
    out = check_output(out, overwrite=overwrite, suffixes=VECTOR_SUFFIXES, inputs=[baseline])
    _check_options(spacing, seaward, landward, smooth, land)
    layer = read_dated(baseline, ("line",))
    crs = layer.metric_crs()
    lines = _joined(layer.shapes_in(crs))
    _check_count(baseline, np.asarray(shapely.length(lines)), spacing)
    turn = 1.0 if land == "left" else -1.0
    rows, start = [], 0.0
    for number, line in enumerate(track(list(lines), progress, "casting"), start=1):
        vertices = shapely.get_coordinates(line)
        places = places_along(line.length, spacing, ring=line.is_closed)
        along = directions_at(vertices, places, smooth)
        across = turn * np.column_stack([along[:, 1], -along[:, 0]])
        points = _interpolated(vertices, places)
        rows.append(_Cast(points - landward * across, points + seaward * across, number,
                          start + places))
        start += line.length
    frame = _frame(rows, layer, crs)
    write_layer(frame, out, layer=LAYER,
                style=range_style("number", [(0, 2 * _MOST, "transect", "#6a3d9a")],
                                  Look("line", width=0.5, casing=0.2)))
    progress(1.0, f"{len(frame)} transects written")
    return out


def _check_options(spacing: float, seaward: float, landward: float, smooth: float,
                   land: str) -> None:
    for name, value in (("spacing", spacing), ("seaward", seaward)):
        if not (math.isfinite(value) and value > 0):
            raise GeosegError(name, f"is {value}", "Give metres, more than 0")
    for name, value in (("landward", landward), ("smooth", smooth)):
        if not (math.isfinite(value) and value >= 0):
            raise GeosegError(name, f"is {value}", "Give metres, 0 or more")
    if land not in ("left", "right"):
        raise GeosegError("land", f"is {land!r}", "Choose left or right")


def _check_count(baseline: str | Path, lengths: np.ndarray, spacing: float) -> None:
    count = float((lengths / spacing).sum())
    if count > _MOST:
        raise GeosegError("spacing", f"is {spacing:g} m, which makes {count:,.0f} transects",
                          f"Choose a spacing that makes at most {_MOST:,}")
    longest = float(lengths.max(initial=0))
    if longest < spacing:
        raise SourceError(baseline, f"has no line of {spacing:g} m or more (the longest has "
                          f"{longest:.4g} m)", "Choose a smaller spacing")


def places_along(length: float, spacing: float, *, ring: bool) -> np.ndarray:
    """Return where along a line of that length transects stand, float64 (n,) in m from its start.

    What is left over of an open line is shared between both ends, so that the places do not depend
    on its direction. On a ring the distance is the least one not below `spacing` that fits.
    """
    count = math.floor(length / spacing * (1 + 1e-12))
    if count < 1:
        return np.zeros(0)
    if ring:
        return np.arange(count) * (length / count)
    places = (length - count * spacing) / 2 + spacing * np.arange(count + 1)
    return np.asarray(np.clip(places, 0, length))


def directions_at(vertices: np.ndarray, places: np.ndarray, smooth: float) -> np.ndarray:
    """Return unit vectors (n, 2): a line's mean direction over `smooth` metres around each place.

    The mean of the unit tangents over a stretch points along the chord from its start to its end.
    Open lines are not continued: near an end the stretch is shorter. On a ring it wraps around, and
    is at most half of its length.

    Args:
        vertices: x and y (m, 2) in metres; a ring ends where it begins.
        places: Metres from the line's start (n,).
        smooth: Metres; at least a centimetre, so that a vertex has the mean of both its sides.
    """
    length = float(np.hypot(*np.diff(vertices, axis=0).T).sum())
    ring = bool((vertices[0] == vertices[-1]).all())
    chords = np.zeros((len(places), 2))
    lost = np.ones(len(places), dtype=bool)
    # The mean over the whole stretch vanishes in a loop, that at a vertex on a spike, from which
    # the line returns on itself: then what is nearer decides, and at last the way that leads there.
    for before, after in ((smooth / 2, smooth / 2), (_LOCAL / 2, _LOCAL / 2), (_LOCAL, 0.0)):
        low = places - min(max(before, _LOCAL / 2), length / 4)
        high = places + min(after, length / 4)
        if ring:
            low, high = low % length, high % length
        chord = _interpolated(vertices, high) - _interpolated(vertices, low)
        chords[lost] = chord[lost]
        lost = np.hypot(*chords.T) < _LOCAL * 1e-3
    return np.asarray(chords / np.hypot(*chords.T)[:, np.newaxis])


def _interpolated(vertices: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return points (n, 2) of a line at metres (n,) from its start, not beyond its ends."""
    steps = np.hypot(*np.diff(vertices, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    return np.column_stack([np.interp(places, along, axis) for axis in vertices.T])


def _joined(shapes: np.ndarray) -> np.ndarray:
    """Return lines (n,) joined where one ends and one other begins, the longest first."""
    parts = shapely.get_parts(shapes)
    parts = parts[shapely.length(parts) > 0]
    lines = shapely.get_parts(shapely.line_merge(shapely.multilinestrings(parts), directed=True))
    return np.asarray(lines[np.argsort(-shapely.length(lines), kind="stable")])


@dataclass(frozen=True, slots=True)
class _Cast:
    """Transects of one line, in metres."""

    origins: np.ndarray
    """x and y (n, 2)."""
    ends: np.ndarray
    """x and y (n, 2)."""
    line: int
    """Place of the line, from 1."""
    positions: np.ndarray
    """Metres along the baseline (n,)."""


def _frame(cast: list[_Cast], layer: DatedLayer, crs: pyproj.CRS) -> gpd.GeoDataFrame:
    import geopandas as gpd

    pairs = np.concatenate([np.stack([item.origins, item.ends], axis=1) for item in cast])
    shapes = reproject(np.asarray(shapely.linestrings(pairs)), crs, layer.crs)
    degrees = shapely.get_coordinates(reproject(shapes, layer.crs, pyproj.CRS.from_epsg(4326)))
    azimuth, _, _ = _WGS84.inv(*degrees[::2].T, *degrees[1::2].T)
    numbers = np.arange(1, len(pairs) + 1)
    return gpd.GeoDataFrame({
        "name": [str(number) for number in numbers], "number": numbers,
        "line": np.repeat([item.line for item in cast], [len(item.positions) for item in cast]),
        "position_m": np.concatenate([item.positions for item in cast]),
        "azimuth": np.asarray(azimuth) % 360,
        "length_m": np.hypot(*(pairs[:, 1] - pairs[:, 0]).T),
    }, geometry=shapes, crs=layer.crs)
