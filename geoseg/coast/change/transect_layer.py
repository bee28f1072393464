"""Transects: straight lines from land to sea, along which the coastline's position is measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyproj
import shapely

from geoseg.coast.dated import DatedLayer, read_dated
from geoseg.errors import SourceError
from geoseg.geo.ground import reproject

if TYPE_CHECKING:
    import geopandas as gpd

NAME_FIELDS = ("name", "transect", "transect_id", "profile", "profile_id", "number", "id")
"""Attributes that are taken for names of transects, whatever their case."""
SLOPE_FIELD = "slope"
"""Attribute with the slope of the beach face."""

_STRAIGHT = 1.0
"""Metres by which the vertices between may lie off the straight line."""


@dataclass(frozen=True, eq=False)
class Transects:
    """Straight lines from land to sea in a CRS in metres."""

    path: str
    """What was read, as it was named."""
    names: tuple[str, ...]
    """Their names (n), each once."""
    origins: np.ndarray
    """float64 (n, 2): x and y of the landward ends in `crs`, in m."""
    ends: np.ndarray
    """float64 (n, 2): the seaward ends."""
    positions: np.ndarray
    """float64 (n,): metres along the shore, from the first transect."""
    slopes: np.ndarray
    """float64 (n,): slope of the beach face (tan β), NaN where not known."""
    crs: pyproj.CRS
    """CRS in metres, true on the ground here, see `geo.ground.metric_crs`."""
    layer_crs: pyproj.CRS
    """CRS of the layer that was read."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def lines(self) -> np.ndarray:
        """The lines (n,) as shapely has them, in `crs`."""
        return np.asarray(shapely.linestrings(np.stack([self.origins, self.ends], axis=1)))

    @property
    def lengths(self) -> np.ndarray:
        """float64 (n,): lengths in m."""
        return np.asarray(np.hypot(*(self.ends - self.origins).T))

    @property
    def directions(self) -> np.ndarray:
        """float64 (n, 2): unit vectors seaward."""
        return np.asarray((self.ends - self.origins) / self.lengths[:, np.newaxis])

    def chainages(self, points: np.ndarray, index: np.ndarray) -> np.ndarray:
        """Return how far along its transect each point lies, projected at a right angle.

        Args:
            points: x and y (m, 2) in `crs`.
            index: Place of the transect of each point (m,).

        Returns:
            float64 (m,): metres from the transect's origin, below 0 landward of it.
        """
        return np.asarray(((points - self.origins[index]) * self.directions[index]).sum(axis=1))

    def places(self, chainages: np.ndarray, index: np.ndarray) -> np.ndarray:
        """Return points (m,) in `layer_crs`, at metres (m,) from their transects' origins."""
        points = self.origins[index] + chainages[:, np.newaxis] * self.directions[index]
        return reproject(np.asarray(shapely.points(points)), self.crs, self.layer_crs)

    def layer_lines(self) -> np.ndarray:
        """Return the lines (n,) in `layer_crs`."""
        return reproject(self.lines, self.crs, self.layer_crs)


def read_transects(source: str | Path, name_field: str | None = None) -> Transects:
    """Read transects: each feature is one, its first vertex the landward end.

    Args:
        source: Vector file of lines; `file.gpkg|layername=x` for one layer of several.
        name_field: Attribute with their names; by default one that is called so, see
            `NAME_FIELDS`, or else numbers from 1.

    Raises:
        SourceError: The file cannot be read, a line is bent, has no length or several parts, or a
            name stands twice.
    """
    layer = read_dated(source, ("line",))
    crs = layer.metric_crs()
    shapes = layer.shapes_in(crs)
    names = _names(layer, name_field)
    for name, shape in zip(names, shapes, strict=True):
        if shapely.get_num_geometries(shape) != 1:
            raise SourceError(source, f"has a transect {name!r} of several parts",
                              "Draw each transect as one line from land to sea")
    shapes = shapely.get_parts(shapes)
    origins = shapely.get_coordinates(shapely.get_point(shapes, 0))
    ends = shapely.get_coordinates(shapely.get_point(shapes, -1))
    _check_straight(source, names, shapes, origins, ends)
    middles = (origins + ends) / 2
    steps = np.hypot(*np.diff(middles, axis=0).T)
    return Transects(str(source), names, origins, ends, np.concatenate([[0.0], np.cumsum(steps)]),
                     _slopes(source, layer.frame), crs, layer.crs)


def _names(layer: DatedLayer, field: str | None) -> tuple[str, ...]:
    column = _column(layer.frame, NAME_FIELDS if field is None else (field,))
    if column is None:
        if field is not None:
            raise SourceError(layer.path, f"has no attribute {field!r}",
                              "Name the one that holds the transects' names")
        return tuple(str(number) for number in range(1, len(layer.shapes) + 1))
    names = tuple(as_name(value) for value in layer.frame[column])
    seen: set[str] = set()
    for name in names:
        if not name or name.casefold() in seen:
            raise SourceError(layer.path, f"has several transects called {name!r} in {column}"
                              if name else f"has a transect without a name in {column}",
                              "Give each transect a name of its own")
        seen.add(name.casefold())
    return names


def as_name(value: object) -> str:
    """Return an attribute's value as a name; 3.0 is "3", and what is empty is ""."""
    if value is None or value != value:  # NaN and NaT differ from themselves
        return ""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def _column(frame: gpd.GeoDataFrame, wanted: tuple[str, ...]) -> str | None:
    lower = {str(name).lower(): str(name) for name in reversed(list(frame.columns))}
    return next((lower[name.lower()] for name in wanted if name.lower() in lower), None)


def _slopes(source: str | Path, frame: gpd.GeoDataFrame) -> np.ndarray:
    import pandas as pd

    column = _column(frame, (SLOPE_FIELD,))
    if column is None:
        return np.full(len(frame), np.nan)
    slopes = pd.to_numeric(frame[column], errors="coerce").to_numpy(float)
    if (slopes <= 0).any():
        raise SourceError(source, f"has a {column} of {np.nanmin(slopes):g}",
                          "Give the slope of the beach face as a number above 0, such as 0.08")
    return np.asarray(slopes)


def _check_straight(source: str | Path, names: tuple[str, ...], shapes: np.ndarray,
                    origins: np.ndarray, ends: np.ndarray) -> None:
    straight = np.asarray(shapely.linestrings(np.stack([origins, ends], axis=1)))
    for name, shape, line in zip(names, shapes, straight, strict=True):
        if not line.length > 0:
            raise SourceError(source, f"has a transect {name!r} that ends where it begins",
                              "Draw it from land to sea")
        if shapely.hausdorff_distance(shape, line) > _STRAIGHT:
            raise SourceError(source, f"has a transect {name!r} that is not straight",
                              "Draw each transect as a straight line from land to sea")
