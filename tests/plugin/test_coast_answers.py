"""What the worker answers on coastlines, as the plugin takes it up: layers, titles, numbers."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import pytest
import shapely
import shapely.affinity

from geoseg.geo.vector import read_layer, split_layer
from geoseg.progress import silent
from geoseg.tasks import load

EAST = 500_000.0
CRS = "EPSG:32633"


def do(task: str, **params: object) -> dict:
    """Do a task; parameters and answer pass through JSON as they do to and from the worker."""
    answer = load(task)(json.loads(json.dumps(params, default=str)), silent)
    return json.loads(json.dumps(answer, allow_nan=False))


def write(path: Path, shapes: list[shapely.Geometry], **columns: list[object]) -> Path:
    gpd.GeoDataFrame(columns, geometry=shapes, crs=CRS).to_file(path, engine="pyogrio")
    return path


def shores(path: Path, north: float, *, years: int = 5) -> Path:
    """Write straight shores of several years that move north by so many metres per year."""
    return write(path, [shapely.LineString([(EAST, north * year), (EAST + 1000, north * year)])
                        for year in range(years)],
                 date=[f"{2015 + year}-07-01" for year in range(years)])


@pytest.fixture
def transects(tmp_path) -> Path:
    """Two transects from land, in the south, to sea."""
    return write(tmp_path / "transects.gpkg", [
        shapely.LineString([(x, -200.0), (x, 200.0)]) for x in (EAST + 300, EAST + 600)],
        name=["a", "b"])


def test_the_change_by_one_source_is_one_layer_and_one_of_crossings(tmp_path, transects):
    answer = do("measure_change", sources=[shores(tmp_path / "s2.gpkg", 4.0)],
                transects=transects, out=tmp_path / "change.gpkg")
    assert list(answer["files"]) == ["out", "transects", "crossings"]
    path, layer = split_layer(answer["files"]["transects"])
    assert list(read_layer(path, layer)["transect"]) == ["a", "b"]
    path, layer = split_layer(answer["files"]["crossings"])
    assert len(read_layer(path, layer)) == 2 * 5
    assert answer["titles"] == {}
    assert answer["numbers"] == {"transects": 2, "sources": 1, "significant": 2,
                                 "median_rate": pytest.approx(4.0, rel=2e-3)}


def test_the_change_by_several_sources_has_their_names(tmp_path, transects):
    answer = do("measure_change", transects=transects, out=tmp_path / "change.gpkg",
                sources=[shores(tmp_path / "s2.gpkg", -4.0),
                         shores(tmp_path / "crossings.gpkg", 1.0, years=3)],
                report=tmp_path / "page.html")
    assert list(answer["files"]) == ["out", "report", "transects", "transects_2", "crossings"]
    assert answer["titles"] == {"transects": "Change: s2", "transects_2": "Change: crossings"}
    for key, rate in (("transects", -4.0), ("transects_2", 1.0)):
        path, layer = split_layer(answer["files"][key])
        assert list(read_layer(path, layer)["rate_m_per_year"]) == pytest.approx([rate] * 2,
                                                                                 rel=2e-3)
    assert answer["numbers"]["median_rate"] == pytest.approx(-4.0, rel=2e-3)


def test_the_accuracy_has_numbers_both_ways_and_the_factor_of_sigma(tmp_path):
    """Every sample is 12 m off, and each sigma 4 m, so that 3 times as much would be right."""
    line = shapely.LineString([(EAST, 0), (EAST + 1000, 0)])
    lines = write(tmp_path / "lines.gpkg", [line], sigma_m=[4.0])
    truth = write(tmp_path / "truth.gpkg", [shapely.affinity.translate(line, 0, 12)])
    answer = do("measure_coastline", lines=lines, reference=truth, land="right",
                json=tmp_path / "scores.json")
    numbers = answer["numbers"]
    assert numbers["missed_mean"] == numbers["both_ways"] == pytest.approx(12.0, rel=2e-3)
    assert numbers["sigma_factor"] == pytest.approx(3.0, rel=2e-3)
    assert numbers["bias"] == pytest.approx(-12.0, rel=2e-3)
    assert list(answer["files"]) == ["json"]


def test_points_have_no_way_back(tmp_path):
    lines = write(tmp_path / "lines.gpkg", [shapely.LineString([(EAST, 0), (EAST + 1000, 0)])])
    points = write(tmp_path / "points.gpkg", [shapely.Point(EAST + 500, 7)])
    numbers = do("measure_coastline", lines=lines, reference=points)["numbers"]
    assert numbers["missed_mean"] == pytest.approx(7.0, rel=2e-3)
    assert {numbers[name] for name in ("strayed_mean", "both_ways", "bias", "sigma_factor")} == {
        None}
