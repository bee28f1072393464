"""A coast that moves at known rates, for tests of coastline change."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely

X, Y = 500_000.0, 5_400_000.0
RATES = {"A": -2.5, "B": 0.0, "C": 1.5}
"""Metres per year by transect."""
DATES = [f"{year}-0{month}-01" for year in range(2000, 2010) for month in (3, 9)]


def save(path: Path, shapes: list[object], crs: object = 32633, **columns: list) -> Path:
    """Write shapes, given in metres from (X, Y), with attributes."""
    gpd.GeoDataFrame(columns, geometry=[shapely.transform(shape, lambda xy: np.add(xy, (X, Y)))
                                        for shape in shapes], crs=crs).to_file(path)
    return path


def position(place: int, date: str) -> float:
    """Metres from the origin: exactly so many a year, and half a metre to and fro."""
    days = (np.datetime64(date) - np.datetime64("2000-01-01")).astype(int)
    return 100 + list(RATES.values())[place] * days / 365.2425 + 0.5 * (-1) ** (days // 180)


def coastline(date: str, shift: float = 0.0) -> shapely.LineString:
    return shapely.LineString([(position(0, date) + shift, -50), *(
        (position(place, date) + shift, 100 * place) for place in range(3)),
        (position(2, date) + shift, 250)])


def known_transects(folder: Path) -> Path:
    return save(folder / "transects.gpkg", [shapely.LineString([(0, y), (200, y)])
                                            for y in (0, 100, 200)], name=list(RATES))


def known_lines(folder: Path) -> Path:
    return save(folder / "satellite.gpkg", [coastline(date) for date in DATES], date=DATES)


def known_points(folder: Path) -> Path:
    """Write every second date as points three metres off their transects, named in lower case."""
    spots = [(place, date) for place in range(3) for date in DATES[::2]]
    return save(folder / "survey.gpkg", [
        shapely.Point(position(place, date), 100 * place + 3) for place, date in spots],
        date=[date for _, date in spots], profile=["abc"[place] for place, _ in spots])
