"""The area of interest: a vector file or "west,south,east,north", as one polygon in degrees."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyproj
import shapely
from shapely.geometry.base import BaseGeometry

from geoseg.errors import SourceError
from geoseg.geo.ground import Bounds
from geoseg.geo.vector import layers, read_layer, split_layer

_NUMBER = r"\s*([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)\s*"
_BOUNDS = re.compile(",".join([_NUMBER] * 4))


def read_area(area: str | Path) -> BaseGeometry:
    """Return the area of interest as a polygon or multipolygon in EPSG:4326 (x = longitude).

    Args:
        area: "west,south,east,north" in degrees (west > east crosses the antimeridian), or a
            vector file of polygons in any CRS, whose union counts.

    Raises:
        SourceError: The bounds are out of range, or the file cannot be read, has no CRS, or holds
            no polygon.
    """
    found = _BOUNDS.fullmatch(str(area))
    if found:
        west, south, east, north = (float(number) for number in found.groups())
        return _box(str(area), (west, south, east, north))
    path, layer = split_layer(area)
    parts = [_read_polygons(path, name) for name in ([layer] if layer else layers(path))]
    union = shapely.union_all(np.concatenate(parts)) if parts else shapely.MultiPolygon()
    if union.is_empty:
        raise SourceError(area, "holds no polygon", "Give an area as polygons, or as "
                          '"west,south,east,north" in degrees')
    return union


def _box(subject: str, bounds: Bounds) -> BaseGeometry:
    west, south, east, north = bounds
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south < north <= 90
            and west != east):
        raise SourceError(subject, "is not west,south,east,north in degrees",
                          "Longitudes lie in -180..180, latitudes in -90..90, south < north")
    if west < east:
        return shapely.box(west, south, east, north)
    return shapely.union(shapely.box(west, south, 180, north),
                         shapely.box(-180, south, east, north))


def _read_polygons(path: Path, layer: str) -> np.ndarray:
    table = read_layer(path, layer)
    if table.crs is None:
        raise SourceError(path, "has no coordinate reference system",
                          "Assign one (QGIS: Assign projection)")
    degrees = table.geometry.dropna().to_crs("EPSG:4326")
    shapes: np.ndarray = shapely.make_valid(np.asarray(degrees.array))
    areas: np.ndarray = shapes[shapely.get_dimensions(shapes) == 2]
    return areas


def area_km2(area: BaseGeometry) -> float:
    """Return the area in km² on the WGS 84 ellipsoid of a polygon or multipolygon in degrees."""
    # Unoriented, the parts of a multipolygon could cancel, and holes could add.
    oriented = shapely.orient_polygons(area)
    return float(pyproj.Geod(ellps="WGS84").geometry_area_perimeter(oriented)[0]) / 1e6


def request_boxes(area: BaseGeometry, largest_km2: float) -> list[Bounds]:
    """Return bounds that together cover an area, none larger than a limit.

    The area's bounds are quartered as often as needed; quarters that miss the area fall away, and
    each is cut to what it holds of the area.

    Args:
        area: Polygon or multipolygon in degrees.
        largest_km2: The limit.

    Returns:
        (left, bottom, right, top) in degrees of each.
    """
    bounds = area.bounds
    if area_km2(shapely.box(*bounds)) <= largest_km2:
        return [bounds]
    inside = (shapely.intersection(area, shapely.box(*quarter))
              for quarter in quarter_bounds(bounds))
    return [box for part in inside if part.area > 0
            for box in request_boxes(part, largest_km2)]


def quarter_bounds(bounds: Bounds) -> tuple[Bounds, ...]:
    """Return the four quarters of bounds: lower left, lower right, upper left, upper right."""
    left, bottom, right, top = bounds
    x, y = (left + right) / 2, (bottom + top) / 2
    return (left, bottom, x, y), (x, bottom, right, y), (left, y, x, top), (x, y, right, top)
