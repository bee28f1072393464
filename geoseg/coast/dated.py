"""Layers of lines or points with dates: satellite coastlines, surveys, baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyproj
import shapely

from geoseg.errors import SourceError
from geoseg.geo.ground import Bounds, metric_crs, reproject
from geoseg.geo.vector import layers, read_layer, split_layer

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

Kind = Literal["line", "point", "polygon"]
Side = Literal["left", "right"]
"""Of a line, seen along it."""
DATE_FIELDS = ("date", "datetime", "dates", "acquired", "timestamp", "time", "day")
"""Attributes that are taken for dates, whatever their case, the first that is there."""

_TYPES = {"point": ("Point", "MultiPoint"), "polygon": ("Polygon", "MultiPolygon"),
          "line": ("LineString", "MultiLineString", "LinearRing")}


@dataclass(frozen=True, eq=False)
class DatedLayer:
    """Shapes of one kind with their attributes and, where the layer has them, dates."""

    path: str
    """What was read, as it was named."""
    kind: Kind
    """`line`, `point` or `polygon`."""
    shapes: np.ndarray
    """shapely geometries (n,) in `crs`, none of them empty; x = easting or longitude."""
    dates: np.ndarray | None
    """datetime64[D] (n,), NaT where a feature has none; None if the layer has no dates."""
    frame: gpd.GeoDataFrame
    """The features with all their attributes, in the same order."""
    crs: pyproj.CRS
    """CRS of the shapes."""

    @property
    def bounds(self) -> Bounds:
        """(left, bottom, right, top) in `crs`."""
        left, bottom, right, top = shapely.total_bounds(self.shapes)
        return float(left), float(bottom), float(right), float(top)

    def metric_crs(self) -> pyproj.CRS:
        """Return the CRS in metres to measure around these shapes in, see `geo.ground`."""
        return metric_crs(self.crs, self.bounds)

    def shapes_in(self, crs: pyproj.CRS) -> np.ndarray:
        """Return the shapes in another CRS."""
        return reproject(self.shapes, self.crs, crs)

    def require_dates(self) -> np.ndarray:
        """Return the dates, of which at least one is there.

        Raises:
            SourceError: The layer has no dates.
        """
        if self.dates is None or np.isnat(self.dates).all():
            raise SourceError(self.path, "has no dates", "Name the attribute that holds them "
                              f"{DATE_FIELDS[0]!r}, as 2024-05-31 or 20240531, or say which it is")
        return self.dates


def read_dated(source: str | Path, kinds: Sequence[Kind] = ("line", "point"), *,
               date_field: str | None = None) -> DatedLayer:
    """Read a layer of lines or of points with its dates.

    Args:
        source: Vector file; `file.gpkg|layername=x` for one layer of several.
        kinds: Which geometries are welcome; the first kind of which there are any is read.
        date_field: Attribute with the dates; by default one that is called so, see `DATE_FIELDS`.
            Dates are days: 2024-05-31, 20240531 as text or number, or a date with a time.

    Raises:
        SourceError: The file cannot be read, has no CRS, holds no such geometry or coordinates
            that its CRS does not know, or a date is not a date.
    """
    path, layer = split_layer(source)
    frame = read_layer(path, layer or layers(path)[0])
    frame = frame[~(frame.geometry.isna() | frame.geometry.is_empty)].reset_index(drop=True)
    if frame.crs is None:
        raise SourceError(source, "has no coordinate reference system",
                          "Assign one (QGIS: Assign projection)")
    found = next((kind for kind in kinds if frame.geom_type.isin(_TYPES[kind]).any()), None)
    if found is None:
        wanted = " or ".join(f"{kind}s" for kind in kinds)
        raise SourceError(source, f"holds no {wanted}", f"Give a layer of {wanted}")
    frame = frame[frame.geom_type.isin(_TYPES[found])].reset_index(drop=True)
    shapes = np.asarray(shapely.force_2d(frame.geometry.to_numpy()))
    crs = pyproj.CRS.from_user_input(frame.crs)
    _check_places(source, shapes, crs)
    return DatedLayer(str(source), found, shapes, _dates(source, frame, date_field), frame, crs)


def _check_places(source: str | Path, shapes: np.ndarray, crs: pyproj.CRS) -> None:
    left, bottom, right, top = shapely.total_bounds(shapes)
    corners = np.array([shapely.Point(left, bottom), shapely.Point(right, top)])
    degrees = shapely.get_coordinates(reproject(corners, crs, pyproj.CRS.from_epsg(4326)))
    if not (np.isfinite(degrees).all() and (np.abs(degrees) <= (180.001, 90.001)).all()):
        raise SourceError(source, f"has coordinates ({left:.8g}, {bottom:.8g}) that lie outside "
                          f"{crs.name}", "Assign the coordinate reference system that they are in")


def _dates(source: str | Path, frame: gpd.GeoDataFrame, field: str | None) -> np.ndarray | None:
    if field is None:
        lower = {str(name).lower(): str(name) for name in reversed(list(frame.columns))}
        field = next((lower[name] for name in DATE_FIELDS if name in lower), None)
        if field is None:
            return None
    elif field not in frame.columns:
        names = [str(name) for name in frame.columns if name != frame.geometry.name]
        raise SourceError(source, f"has no attribute {field!r}",
                          f"It has {', '.join(names) or 'none'}")
    return _days(source, field, frame[field])


def _days(source: str | Path, field: str, values: pd.Series) -> np.ndarray:
    """Return days, datetime64[D], of dates in any of the usual forms; NaT for empty ones."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(values):
        texts = values.astype("Int64").astype("string")
    elif pd.api.types.is_datetime64_any_dtype(values):
        naive = values.dt.tz_convert("UTC").dt.tz_localize(None) if values.dt.tz else values
        return naive.to_numpy().astype("datetime64[D]")
    else:
        texts = values.astype("string").str.strip()
    texts = texts.mask(texts == "", pd.NA)
    compact = texts.str.replace(r"^(\d{4})(\d{2})(\d{2})(\D.*)?$", r"\1-\2-\3", regex=True)
    days = pd.to_datetime(compact.str.slice(0, 10), format="%Y-%m-%d", errors="coerce")
    wrong = texts[days.isna() & texts.notna()]
    if len(wrong):
        raise SourceError(source, f"has {wrong.iloc[0]!r} as {field}, which is not a date",
                          "Write dates as 2024-05-31 or 20240531")
    return np.asarray(days.to_numpy(), dtype="datetime64[D]")
