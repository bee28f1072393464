"""Metres on the ground: where a CRS measures truly, and what to measure in where it does not.

Buffers in metres and areas in square metres are computed in the CRS of the data when it measures
truly there (scale within 0.2 per cent, as in UTM zones and most national grids). Degrees, Web
Mercator (even at the equator, where its scale is 0.7 per cent off) and the like are taken through
a Lambert azimuthal equal-area projection centred on the data, whose areas are exact and whose
lengths are true to 1e-4 within 100 km. Lines are measured on the ellipsoid itself.
"""

from __future__ import annotations

import numpy as np
import pyproj
import shapely

Bounds = tuple[float, float, float, float]
"""(left, bottom, right, top) in CRS units."""

_TRUE_SCALE = 0.002
_STEP = 100.0
_WGS84 = pyproj.Geod(ellps="WGS84")


def metric_crs(crs: pyproj.CRS, bounds: Bounds) -> pyproj.CRS:
    """Return the CRS to measure metres in around the given bounds.

    Args:
        crs: CRS of the data.
        bounds: (left, bottom, right, top) of the data in `crs`.

    Returns:
        `crs` itself if its unit is the metre and its scale at the centre of the bounds is within
        0.2 per cent of true, else a local equal-area CRS in metres.
    """
    x, y = (bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2
    to_degrees = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    longitude, latitude = to_degrees.transform(x, y)
    if crs.is_projected and crs.axis_info[0].unit_conversion_factor == 1.0:
        # Not by PROJ's own scale factors: it takes Web Mercator for true at the equator, since
        # it compares with the sphere which that projection pretends the Earth to be.
        longitudes, latitudes = to_degrees.transform([x, x + _STEP], [y + _STEP, y])
        *_, lengths = _WGS84.inv([longitude] * 2, [latitude] * 2, longitudes, latitudes)
        if np.all(np.abs(np.array(lengths) / _STEP - 1) <= _TRUE_SCALE):
            return crs
    return pyproj.CRS.from_dict({
        "proj": "laea", "lat_0": round(latitude, 6), "lon_0": round(longitude, 6),
        "datum": "WGS84", "units": "m",
    })


def reproject(shapes: np.ndarray, source: pyproj.CRS, target: pyproj.CRS) -> np.ndarray:
    """Return shapes taken from one CRS to another, vertex by vertex.

    Args:
        shapes: shapely geometries (n,) in `source`: x = easting or longitude, y = northing or
            latitude, whatever the axis order of the CRS.
        source: Their CRS.
        target: The CRS wanted.

    Returns:
        Geometries (n,) in `target`; points outside its domain have infinite coordinates.
    """
    if source == target:
        return shapes
    change = pyproj.Transformer.from_crs(source, target, always_xy=True)
    return np.asarray(shapely.transform(
        shapes, lambda points: np.column_stack(change.transform(points[:, 0], points[:, 1]))))


def ground_areas(polygons: np.ndarray, crs: pyproj.CRS | None) -> np.ndarray:
    """Return the ground area of each polygon.

    Args:
        polygons: shapely polygons (n,) in `crs`, as an array or GeoSeries.
        crs: Their CRS, or None for pixel space.

    Returns:
        float64 (n,): square metres, or pixels in pixel space.
    """
    shapes = np.asarray(polygons)
    if crs is not None and len(shapes):
        left, bottom, right, top = shapely.total_bounds(shapes)
        shapes = reproject(shapes, crs, metric_crs(crs, (left, bottom, right, top)))
    return np.asarray(shapely.area(shapes), dtype=float)


def line_lengths(lines: np.ndarray, crs: pyproj.CRS | None) -> np.ndarray:
    """Return the length of each line.

    Args:
        lines: shapely lines (n,) in `crs`.
        crs: Their CRS, or None for pixel space.

    Returns:
        float64 (n,): geodesic metres on WGS 84, or pixels in pixel space.
    """
    if crs is None or len(lines) == 0:
        return np.asarray(shapely.length(lines), dtype=float)
    points, owner = shapely.get_coordinates(lines, return_index=True)
    to_degrees = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    longitude, latitude = to_degrees.transform(points[:, 0], points[:, 1])
    *_, steps = _WGS84.inv(longitude[:-1], latitude[:-1], longitude[1:], latitude[1:])
    within = owner[1:] == owner[:-1]
    return np.bincount(owner[:-1][within], weights=steps[within], minlength=len(lines))
