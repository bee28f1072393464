"""The coast models of the SAR paper on made scenes: labels, training, lines near the truth."""

from __future__ import annotations

import re
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely

import geoseg
from geoseg.class_table import assemble_recipe
from tests.maps.worlds import make_coast

# `tests.maps.worlds` puts the folder of these scripts on the path.
from coast_models import (  # isort: skip
    LINES, NARROWER, REGIONS, SMALL, Scene, column_points, column_positions, make_scene,
    traced_points, train_on)
from coasts import distances  # isort: skip

PAGE = Path(__file__).parents[2] / "docs" / "coast" / "models.md"
FASTER = {**SMALL, "train.width": 4, "train.batch": 4, "train.steps": 100,
          "train.validate_every": 100, "train.curriculum": 0.0, "predict.tta": "none"}
QUICK = {**{name: {"train.learning_rate": 5e-3} for name in REGIONS},
         LINES[2]: {"train.learning_rate": 5e-3, **NARROWER}}
"""Rates for those with Adam; the others have AdaDelta."""
MOST = 3.0
"""Pixels; a line drawn at random is some fifty from the coast."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("coast_models")


@pytest.fixture(scope="module")
def seen(folder) -> Scene:
    """A coast of one branch, which a place per column can follow."""
    return make_scene(folder, "seen", make_coast(192, 0, islands=False), seed=1, east=10,
                      looks=16, variation=0.5)


@pytest.fixture(scope="module")
def maps(folder, seen) -> dict[str, Path]:
    """Train each model on another coast; return its probabilities of the seen one."""
    learnt = make_scene(folder, "learnt", make_coast(384, -40), seed=0, looks=16, variation=0.5)
    found = {}
    for name in (*REGIONS, *LINES):
        model = train_on(name, [learnt], folder, {**FASTER, **QUICK.get(name, {})})
        found[name] = geoseg.predict(model, seen.image, out=folder / f"{name}_seen.tif",
                                     dtype="float32")
    return found


@pytest.mark.parametrize("name", REGIONS)
def test_models_of_regions_divide_at_the_coast(maps, seen, folder, name):
    points = traced_points([maps[name]], seen, folder / f"{name}.fgb")
    assert distances(points, seen.truth)[0] < MOST


@pytest.mark.parametrize("name", LINES)
def test_models_of_a_line_have_their_crest_on_the_coast(maps, seen, name):
    rows = column_positions(maps[name]) + 0.5
    truth = shapely.LineString(seen.truth)
    away = shapely.distance(shapely.points(np.arange(len(rows)) + 0.5, rows), truth)
    # The median, since single columns may jump to a speckle.
    assert np.median(away) < MOST


def test_ensembles_come_near_the_coast_both_ways(maps, seen, folder):
    ours = traced_points([maps[name] for name in REGIONS], seen, folder / "both.fgb")
    theirs = column_points([maps[name] for name in (*REGIONS, *LINES[:2])])
    assert max(distances(ours, seen.truth)) < MOST
    assert max(distances(theirs, seen.truth)) < MOST


def test_the_strip_takes_nothing_from_the_sea(folder, seen):
    """So that sea against all else is divided at the coast, as in the model without it."""
    labels = {}
    for name in REGIONS:
        recipe = assemble_recipe(name)
        assign = {seen.line: "coast"} if name == REGIONS[1] else {}
        with rasterio.open(geoseg.burn_labels(
                [seen.cover, *assign], recipe, like=seen.image, assign=assign,
                out=folder / f"labels_{name}.tif")) as dataset:
            labels[name] = dataset.read(1)
            values = {item.name: item.value for item in recipe.legend}
        sea = labels[name] == values["sea"]
        assert 0.2 < sea.mean() < 0.8
        labels[name] = sea
    np.testing.assert_array_equal(*labels.values())
    with rasterio.open(folder / f"labels_{REGIONS[1]}.tif") as dataset:
        rows, columns = np.nonzero(dataset.read(1) == 1)
    away = shapely.distance(shapely.points(columns + 0.5, rows + 0.5),
                            shapely.LineString(seen.truth))
    # The line's attribute says 12 m, which is 2 pixels on the land's side.
    assert away.max() <= 2.01
    assert len(away) == pytest.approx(2 * shapely.LineString(seen.truth).length, rel=0.1)


def code_of(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def test_the_page_s_coastline_is_the_edge_between_sea_and_land(tmp_path, monkeypatch):
    """Of polygons as split-sea-land makes them: an island and a shore, without the area's edge."""
    monkeypatch.chdir(tmp_path)
    island = shapely.Point(24.85, 60.17).buffer(0.01)
    land = gpd.GeoSeries([shapely.box(24.9, 60.0, 26.0, 61.0), island], crs="EPSG:4326")
    land.to_file("land.gpkg")
    geoseg.split_sea_land("land.gpkg", polygons_are="land", area="24.8,60.1,25.0,60.2",
                          out="sea_land.gpkg")
    exec(code_of(PAGE, "python")[0], {})  # the page's own words
    coast = gpd.read_file("coast.gpkg")
    shore = shapely.LineString([(24.9, 60.1), (24.9, 60.2)])
    expected = shapely.union_all([shore, island.exterior])
    found = coast.union_all()
    assert found.length == pytest.approx(expected.length)
    assert shapely.hausdorff_distance(found, expected) < 1e-6


def test_the_page_s_mean_of_columns(tmp_path, monkeypatch):
    """Two crests, weighed 2 to 1, in rows 2 and 5: the mean is row 3, its centre 3.5 below."""
    monkeypatch.chdir(tmp_path)
    for name, row in (("line", 2), ("amplitude", 5)):
        band = np.full((1, 8, 4), 0.1, np.float32)
        band[0, row] = 0.9
        with rasterio.open(f"{name}_map.tif", "w", driver="GTiff", width=4, height=8, count=1,
                           dtype="float32", crs="EPSG:32633", nodata=np.nan,
                           transform=rasterio.Affine(3, 0, 600, 0, -3, 900)) as dataset:
            dataset.write(band)
    exec(code_of(PAGE, "python")[1], {})
    line = gpd.read_file("by_column.gpkg").geometry[0]
    np.testing.assert_allclose(line.coords, [
        (600 + 3 * (column + 0.5), 900 - 3 * 3.5) for column in range(4)])
