"""The map of errors: pieces of the lines, or points, coloured by how far off they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyproj
import shapely

from geoseg.coast.accuracy.distances import Segments
from geoseg.coast.accuracy.errors import Errors
from geoseg.geo.ground import reproject
from geoseg.geo.style.document import Style
from geoseg.geo.style.vectors import Look, range_style

if TYPE_CHECKING:
    import geopandas as gpd

LAYER = "coastline_errors"
"""Layer name in a GeoPackage."""

_PIECE = 10
"""Samples in one piece of a line."""
_COLORS = np.array([(8, 48, 107), (47, 134, 200), (242, 142, 43), (215, 25, 28)], dtype=float)
"""From dark blue for near to red for far, told apart with any colour vision."""


def error_frame(errors: Sequence[Errors], crs: pyproj.CRS, target: pyproj.CRS) -> gpd.GeoDataFrame:
    """Return errors as features.

    Args:
        errors: At least one.
        crs: CRS in metres that they are in.
        target: CRS wanted.

    Returns:
        Points, or pieces of lines of ten samples, with `error_m` (mean over the piece; missing
        where nothing counts), `seaward_m` (missing where it is unknown), `direction`, `date` and
        `reference_date` (text, missing where there is none).
    """
    import geopandas as gpd
    import pandas as pd

    frame = pd.concat([pd.DataFrame(_features(item)) for item in errors], ignore_index=True)
    shapes = reproject(frame.pop("shape").to_numpy(), crs, target)
    return gpd.GeoDataFrame(frame, geometry=shapes, crs=target)


def error_style(distances: Sequence[float], is_line: bool) -> Style:
    """Return a style with the given distances in metres as limits of the colours."""
    limits = [0.0, *distances]
    places = np.linspace(0, len(_COLORS) - 1, len(limits))
    colors = [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in np.column_stack(
        [np.interp(places, range(len(_COLORS)), band) for band in _COLORS.T]).round().astype(int)]
    labels = [f"up to {limit:g} m" for limit in distances] + [f"over {limits[-1]:g} m"]
    look = Look("line", width=1.2, casing=0.25) if is_line else Look("point")
    return range_style("error_m", list(zip(limits, [*distances, 1e9], labels, colors, strict=True)),
                       look)


def _features(errors: Errors) -> dict[str, object]:
    """Return columns of attributes, and of shapes in metres."""
    if isinstance(errors.segments, Segments):
        piece, shapes = _pieces(errors, errors.segments)
    else:
        piece = np.arange(len(errors.points))
        shapes = np.asarray(shapely.points(errors.points))
    counts = np.bincount(piece, errors.counts, len(shapes))

    def mean(values: np.ndarray | None) -> np.ndarray:
        if values is None:
            return np.full(len(shapes), np.nan)
        totals = np.bincount(piece, np.where(errors.counts, values, 0.0), len(shapes))
        return np.asarray(np.divide(totals, counts, where=counts > 0,
                                    out=np.full(len(shapes), np.nan)))

    return {"error_m": mean(errors.distance), "seaward_m": mean(errors.seaward),
            "direction": errors.direction, "date": errors.pair.date,
            "reference_date": errors.pair.reference_date, "shape": shapes}


def _pieces(errors: Errors, segments: Segments) -> tuple[np.ndarray, np.ndarray]:
    """Return the piece that each sample is in, and the pieces with all corners of the lines."""
    part = segments.parts_at(errors.position)
    breaks = np.flatnonzero((part[1:] != part[:-1]) | (np.arange(1, len(part)) % _PIECE == 0))
    first, last = np.append(0, breaks + 1), np.append(breaks, len(part) - 1)
    piece = np.repeat(np.arange(len(first)), last - first + 1)
    # Samples stand for half a step to both sides, which may reach beyond the end of their line.
    half, begins = errors.spacing / 2, segments.begins
    heads = np.searchsorted(segments.part, part[first], side="left")
    tails = np.searchsorted(segments.part, part[first], side="right") - 1
    starts = np.maximum(errors.position[first] - half, begins[heads])
    ends = np.minimum(errors.position[last] + half, segments.reached[tails])
    owner = np.searchsorted(starts, begins, side="right") - 1
    inner = (owner >= 0) & (begins > starts[owner]) & (begins < ends[owner])
    places = np.concatenate([starts, ends, begins[inner]])
    points = np.concatenate([segments.at(starts), segments.at(ends, ending=True),
                             segments.start[inner]])
    owners = np.concatenate([np.arange(len(starts)), np.arange(len(ends)), owner[inner]])
    order = np.lexsort((places, owners))
    return piece, np.asarray(shapely.linestrings(points[order], indices=owners[order]))
