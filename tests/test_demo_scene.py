"""The demo scene: its files, its determinism, and whether map and picture tell of one place."""

from __future__ import annotations

import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from rasterio.features import rasterize

from geoseg.geo.legend import IGNORE, Legend
from geoseg.recipe import Recipe

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from demo_scene import DemoScene, make_demo_scene
from demo_scene.score import score

SIZE = 512
RECIPE = Recipe.read(Path(__file__).parents[1] / "scripts" / "demo.toml")
LAND, FIELD, FOREST, BEACH, WATER, ROAD, BUILDING = range(7)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> DemoScene:
    return make_demo_scene(tmp_path_factory.mktemp("scene"), size=SIZE)


@pytest.fixture(scope="module")
def pixels(scene: DemoScene) -> tuple[np.ndarray, np.ndarray]:
    with rasterio.open(scene.image) as image, rasterio.open(scene.truth) as truth:
        return image.read().astype(float), truth.read(1)


def _osm(scene: DemoScene, layer: str) -> gpd.GeoDataFrame:
    return gpd.read_file(scene.osm, layer=layer).to_crs("EPSG:32630")


def test_image_and_truth_lie_on_one_grid(scene):
    with rasterio.open(scene.image) as image, rasterio.open(scene.truth) as truth:
        assert (image.crs, image.transform, image.shape) == (
            truth.crs, truth.transform, truth.shape)
        assert image.dtypes == ("uint16",) * 4
        assert image.descriptions == ("red", "green", "blue", "nir")
        assert image.res[0] == pytest.approx(1228.8 / SIZE)
        assert Legend.of(truth) == RECIPE.legend


def test_nodata_is_one_corner_in_image_and_truth(pixels):
    picture, truth = pixels
    missing = (picture == 0).all(axis=0)
    assert (missing == (picture == 0).any(axis=0)).all()
    assert (missing == (truth == IGNORE)).all()
    assert missing[0, -1]
    assert 0.005 < missing.mean() < 0.05
    assert missing.sum() == missing[: SIZE // 3, -SIZE // 3:].sum()


def test_every_class_occurs_and_none_rules(pixels):
    _, truth = pixels
    shares = np.bincount(truth[truth != IGNORE], minlength=7) / (truth != IGNORE).sum()
    assert len(shares) == 7
    assert shares.min() > 0.02
    assert shares.max() < 0.45


def test_spectra_are_those_of_the_surfaces(pixels):
    picture, truth = pixels
    red, green, _, nir = (np.array([np.median(band[truth == value]) for value in range(7)])
                          for band in picture)
    vegetation, wetness = (nir - red) / (nir + red), (green - nir) / (green + nir)
    assert vegetation[FOREST] > 0.6
    assert vegetation[FIELD] > vegetation[ROAD]
    assert wetness[WATER] > 0.3 > wetness[[LAND, FIELD, FOREST, BEACH, ROAD, BUILDING]].max()
    assert red[BEACH] == red.max()
    assert np.percentile(picture[picture > 0], 99.9) <= 10000


def test_same_seed_same_scene(scene, tmp_path, pixels):
    again = make_demo_scene(tmp_path, size=SIZE)
    with rasterio.open(again.image) as image:
        assert (image.read() == pixels[0]).all()
    assert _osm(again, "multipolygons").equals(_osm(scene, "multipolygons"))


def test_other_seed_other_scene(tmp_path, pixels):
    other = make_demo_scene(tmp_path, seed=8, size=SIZE)
    with rasterio.open(other.truth) as truth:
        assert 0.02 < (truth.read(1) != pixels[1]).mean() < 0.4


def test_osm_is_close_to_the_truth_but_not_perfect(scene, pixels):
    _, truth = pixels
    areas = _osm(scene, "multipolygons")
    with rasterio.open(scene.truth) as dataset:
        place = {"out_shape": dataset.shape, "transform": dataset.transform}
    mapped = rasterize(areas[areas.building.notna()].geometry, **place) == 1
    built = truth == BUILDING
    iou = (mapped & built).sum() / (mapped | built).sum()
    assert 0.5 < iou < 0.9
    bay = rasterize(areas[areas.natural == "bay"].geometry, **place) == 1
    seen = truth != IGNORE
    agreed = bay & (truth == WATER)
    assert agreed.sum() / (bay & seen).sum() > 0.98


def test_osm_carries_the_tags_of_the_recipe(scene):
    lines, areas = _osm(scene, "lines"), _osm(scene, "multipolygons")
    assert {"trunk", "primary", "secondary", "residential", "service", "track"} <= set(
        lines.highway.dropna())
    assert (lines.bridge == "yes").any()
    assert lines.width.dropna().astype(float).between(2, 14).all()
    assert {"farmland", "meadow", "forest", "residential"} <= set(areas.landuse.dropna())
    assert {"bay", "water", "wood", "beach"} <= set(areas.natural.dropna())
    assert lines.is_valid.all()
    assert areas.is_valid.all()


def test_coastline_has_land_on_its_left(scene):
    lines = _osm(scene, "lines")
    with rasterio.open(scene.truth) as dataset:
        left, bottom, right, top = dataset.bounds
        for line in lines[lines.natural == "coastline"].geometry:
            at = np.linspace(0.02, 0.98, 60) * line.length
            here = shapely.get_coordinates(line.interpolate(at))
            ahead = shapely.get_coordinates(line.interpolate(at + 1))
            step = ahead - here
            port = here + 12 * np.column_stack([-step[:, 1], step[:, 0]])
            inside = ((port > [left, bottom]) & (port < [right, top])).all(axis=1)
            values = np.array([value[0] for value in dataset.sample(port[inside])])
            assert (values != WATER).mean() > 0.9


def test_score_against_itself_and_against_a_shift(scene, tmp_path):
    perfect = score(scene.truth, scene.truth)
    assert perfect.accuracy == perfect.mean_iou == 1
    moved = tmp_path / "moved.tif"
    with rasterio.open(scene.truth) as truth:
        profile, values = truth.profile, truth.read(1)
    shifted = np.roll(values, 3, axis=1)
    with rasterio.open(moved, "w", **profile) as dataset:
        dataset.write(shifted, 1)
    found, both = score(moved, scene.truth), (shifted != IGNORE) & (values != IGNORE)
    assert found.accuracy == pytest.approx((shifted == values)[both].mean())
    hit, either = ((values == ROAD) & (shifted == ROAD) & both).sum(), (
        ((values == ROAD) | (shifted == ROAD)) & both).sum()
    assert found.iou["road"] == pytest.approx(hit / either)
