"""Where coastlines and surveys meet transects, by hand and on a real beach."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from geoseg.coast.change.crossings import Crossings, find_crossings
from geoseg.coast.change.transect_layer import read_transects
from geoseg.coast.dated import read_dated

X, Y = 500_000.0, 5_400_000.0
DAY = "2020-05-01"


def save(path: Path, shapes: list[object], **columns: list) -> Path:
    frame = gpd.GeoDataFrame(columns, geometry=shapes, crs=32633)
    frame.geometry = shapely.transform(frame.geometry.to_numpy(), lambda xy: np.add(xy, (X, Y)))
    frame.to_file(path)
    return path


def find(folder: Path, shapes: list[object], *, choice: str = "seaward", reach: float = 10.0,
         **columns: list) -> Crossings:
    """Cross three transects to the east, at y = 0, 100 and 200, of 100 m from x = 0."""
    transects = read_transects(save(folder / "transects.gpkg", [
        shapely.LineString([(0, y), (100, y)]) for y in (0, 100, 200)], name=["A", "B", "C"]))
    columns.setdefault("date", [DAY] * len(shapes))
    layer = read_dated(save(folder / "source.gpkg", shapes, **columns))
    sigmas = np.arange(len(shapes), dtype=float) + 1
    return find_crossings(layer, transects, ~np.isnat(layer.require_dates()), choice=choice,
                          reach=reach, sigmas=sigmas, levels=None, slopes=np.full(3, np.nan),
                          reference=0.0)


def test_lines_are_met_where_they_cross(tmp_path: Path) -> None:
    # One line slants from x = 40 at y = 0 to 60 at 200; the other meets B alone.
    found = find(tmp_path, [shapely.LineString([(39, -10), (61, 210)]),
                            shapely.LineString([(70, 90), (70, 110)])],
                 date=["2020-05-01", "2019-01-01"])
    assert found.transect.tolist() == [0, 1, 1, 2]
    assert found.date.astype(str).tolist() == ["2020-05-01", "2019-01-01", "2020-05-01",
                                               "2020-05-01"]
    np.testing.assert_allclose(found.position, [40, 70, 50, 60], atol=1e-6)
    assert found.sigma.tolist() == [1, 2, 1, 1]
    assert found.meetings.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(("choice", "position", "sigma"), [
    ("seaward", 80, 2), ("landward", 20, 1), ("median", 30, 4 / 3)])
def test_several_crossings_of_one_date(tmp_path: Path, choice: str, position: float,
                                       sigma: float) -> None:
    hook = shapely.LineString([(20, -10), (20, 10), (30, 10), (30, -10)])
    found = find(tmp_path, [hook, shapely.LineString([(80, -10), (80, 10)])], choice=choice)
    assert found.position.tolist() == [pytest.approx(position)]
    assert found.sigma.tolist() == [pytest.approx(sigma)]
    assert found.meetings.tolist() == [3]


def test_a_line_along_a_transect(tmp_path: Path) -> None:
    along = shapely.LineString([(30, -10), (30, 0), (55, 0), (55, 10)])
    assert find(tmp_path, [along]).position.tolist() == [pytest.approx(55)]
    assert find(tmp_path, [along], choice="landward").position.tolist() == [pytest.approx(30)]


def test_a_line_that_ends_on_a_transect(tmp_path: Path) -> None:
    assert find(tmp_path, [shapely.LineString([(42, -10), (42, 0)])]).position.tolist() == [
        pytest.approx(42)]


def test_points_go_to_the_nearest_transect_in_reach(tmp_path: Path) -> None:
    points = [shapely.Point(30, 4), shapely.Point(55, 91), shapely.Point(60, 50)]
    found = find(tmp_path, points)
    assert found.transect.tolist() == [0, 1]
    np.testing.assert_allclose(found.position, [30, 55], atol=1e-6)
    assert found.too_far == 1


def test_points_by_the_name_of_their_transect(tmp_path: Path) -> None:
    # The first names C from afar, the second is that of a transect that is not there.
    points = [shapely.Point(30, 195), shapely.Point(31, 100), shapely.Point(50, 104)]
    found = find(tmp_path, points, Profile=["c", "z", " b "])
    assert found.transect.tolist() == [1, 2]
    np.testing.assert_allclose(found.position, [50, 30], atol=1e-6)
    assert found.too_far == 0
    assert find(tmp_path, points, Profile=["a", "z", "b"]).too_far == 1


def test_of_a_walk_the_nearest_point_counts(tmp_path: Path) -> None:
    walk = [shapely.Point(50 + 2 * y, y) for y in (-8, -4, 0.1, 4, 8)]
    found = find(tmp_path, walk)
    assert found.position.tolist() == [pytest.approx(50.2)]
    assert found.meetings.tolist() == [1]


@pytest.mark.parametrize(("choice", "position"), [("seaward", 46), ("landward", 40),
                                                  ("median", 41)])
def test_of_points_on_the_transect_the_choice_counts(tmp_path: Path, choice: str,
                                                     position: float) -> None:
    points = [shapely.Point(41, 0.2), shapely.Point(46, 0.1), shapely.Point(40, 0),
              shapely.Point(90, 3)]
    found = find(tmp_path, points, choice=choice)
    assert found.position.tolist() == [pytest.approx(position)]
    assert found.meetings.tolist() == [3]


def test_features_without_date_are_left_out(tmp_path: Path) -> None:
    points = [shapely.Point(30, 0), shapely.Point(60, 0)]
    assert find(tmp_path, points, date=[DAY, ""]).position.tolist() == [pytest.approx(30)]


def test_surveys_of_narrabeen(data: Path) -> None:
    """The distance along the transect that the surveyors noted is what projecting finds."""
    folder = data / "coast_narrabeen"
    transects = read_transects(folder / "transects.geojson")
    layer = read_dated(folder / "gps_survey_points.gpkg")
    found = find_crossings(layer, transects, np.full(len(layer.shapes), True), choice="seaward",
                           reach=1.0, sigmas=np.full(len(layer.shapes), np.nan), levels=None,
                           slopes=np.full(5, np.nan), reference=0.0)
    frame = layer.frame.assign(day=layer.dates.astype(str))
    noted = frame.set_index([frame["profile"].str.upper(), "day"])["dist_m"]
    keys = [(transects.names[place], str(day)) for place, day in
            zip(found.transect, found.date, strict=True)]
    assert len(keys) == len(layer.shapes) == 2669
    assert found.too_far == 0
    # Transects are in degrees, so lengths are measured in an equal-area CRS, points in a zone
    # whose scale here is 0.9999.
    np.testing.assert_allclose(found.position, noted.loc[keys].to_numpy(), atol=0.03)


def test_lines_of_narrabeen(data: Path) -> None:
    """All 24 lines meet all five transects, where intersecting in their own zone says."""
    folder = data / "coast_narrabeen"
    transects = read_transects(folder / "transects.geojson")
    layer = read_dated(folder / "s2_shorelines_shorex.gpkg")
    found = find_crossings(layer, transects, np.full(24, True), choice="seaward", reach=0.0,
                           sigmas=np.full(24, np.nan), levels=None, slopes=np.full(5, np.nan),
                           reference=0.0)
    assert np.bincount(found.transect).tolist() == [24] * 5
    zone = gpd.read_file(folder / "transects.geojson").to_crs(layer.crs).geometry
    for place, day, position in zip(found.transect, found.date, found.position, strict=True):
        met = zone[place].intersection(layer.shapes[layer.dates == day][0])
        assert zone[place].project(met) == pytest.approx(position, abs=0.05)
