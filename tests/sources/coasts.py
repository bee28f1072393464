"""Small coasts whose land is known, written as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely

from geoseg.sources.sea_land import split_sea_land

EAST, NORTH = 500_000.0, 5_400_000.0
"""Corner of the coasts, in EPSG:32633, where 1 km² of the grid is 0.9992 km² on the ground."""

Points = Sequence[tuple[float, float]]


def line(*points: tuple[float, float]) -> shapely.LineString:
    """A line in metres from the corner."""
    return shapely.LineString(np.add(points, (EAST, NORTH)))


def square(x: float, y: float, size: float, *, island: bool = True) -> shapely.LineString:
    """A closed line: counter-clockwise, with land inside, or clockwise, with sea inside."""
    ring = shapely.box(x, y, x + size, y + size, ccw=island).exterior
    return line(*ring.coords)


def write(path: Path, shapes: Sequence[shapely.Geometry], crs: object = 32633) -> Path:
    """A layer of shapes."""
    gpd.GeoDataFrame({"name": [str(n) for n in range(len(shapes))]}, geometry=list(shapes),
                     crs=crs).to_file(path)
    return path


def frame(folder: Path, width: float = 1000.0, height: float = 1000.0) -> Path:
    """An area from the corner on, as a file."""
    box = shapely.box(EAST, NORTH, EAST + width, NORTH + height)
    return write(folder / "area.gpkg", [box])


def split(folder: Path, *shapes: shapely.Geometry, **options: object) -> gpd.GeoDataFrame:
    """The sea and land of shapes in an area of 1000 m by 1000 m."""
    out = split_sea_land(write(folder / "coast.gpkg", shapes), area=frame(folder),
                         out=folder / "out.gpkg", overwrite=True, **options)
    return gpd.read_file(out)


def land_of(found: gpd.GeoDataFrame) -> shapely.Geometry:
    """All that is land."""
    return shapely.union_all(found.geometry[found["side"] == "land"].array)


def hectares(found: gpd.GeoDataFrame, side: str) -> list[float]:
    """Areas in the grid of the polygons of a side in 10,000 m², the smallest first."""
    return sorted(round(area / 1e4, 4) for area in found.area[found["side"] == side])
