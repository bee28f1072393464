"""burn_labels: placement, priority, widths on the ground, and what it refuses."""

from __future__ import annotations

import json
import logging
import warnings

import cv2
import geopandas as gpd
import numpy as np
import pyproj
import pytest
import rasterio
import rasterio.warp
import shapely
from affine import Affine
from rasterio.features import rasterize
from rasterio.warp import Resampling

from geoseg.errors import Cancelled, GridError, OutputError, RasterError, SourceError
from geoseg.geo.raster import open_raster
from geoseg.recipe import Recipe
from geoseg.samples import labels as module
from geoseg.samples.labels import burn_labels

UTM = "EPSG:32633"
METRE = Affine(1, 0, 5e5, 0, -1, 5e6)


def make_recipe(*classes, **extra):
    colors = [f"#{40 * place:02x}8080" for place in range(len(classes))]
    return Recipe.model_validate({"name": "test", "class": [
        {"color": color, **item} for color, item in zip(colors, classes, strict=True)], **extra})


THREE = make_recipe({"name": "open", "codes": [0]}, {"name": "wood", "codes": [1]},
                    {"name": "lake", "codes": [2]})


def make_image(path, shape=(40, 60), *, crs=UTM, transform=METRE, array=None, nodata=None):
    array = np.ones(shape, np.uint8) if array is None else array
    with rasterio.open(path, "w", driver="GTiff", height=array.shape[0], width=array.shape[1],
                       count=1, dtype=array.dtype, crs=crs, transform=transform,
                       nodata=nodata) as dataset:
        dataset.write(array, 1)
    return path


def make_layer(path, geometries, crs=UTM, **columns):
    frame = gpd.GeoDataFrame(columns, geometry=list(geometries), crs=crs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # no CRS, on purpose
        frame.to_file(path)
    return path


def box(left, top, right, bottom, transform=METRE):
    """A rectangle given in pixels."""
    return shapely.Polygon([transform @ xy for xy in
                            [(left, top), (right, top), (right, bottom), (left, bottom)]])


def read(path):
    with open_raster(path) as dataset:
        return dataset.read().squeeze()


@pytest.fixture
def image(tmp_path):
    return make_image(tmp_path / "image.tif")


def test_polygons_follow_rasterio_and_the_later_class_wins(tmp_path, image):
    rng = np.random.default_rng(3)
    shapes = [shapely.Point(METRE @ (rng.uniform(0, 60), rng.uniform(0, 40))).buffer(
        rng.uniform(2, 12)) for _ in range(30)]
    codes = rng.integers(0, 3, 30)
    source = make_layer(tmp_path / "s.gpkg", shapes, code=codes)
    out = burn_labels(source, THREE, like=image, out=tmp_path / "l.tif")
    expected = np.zeros((40, 60), np.uint8)
    for code in (0, 1, 2):  # an independent way: one call per class on the whole raster
        chosen = [(shape, code) for shape, own in zip(shapes, codes, strict=True) if own == code]
        rasterize(chosen, out=expected, transform=METRE)
    assert len(np.unique(expected)) == 3
    assert np.array_equal(read(out), expected)


def test_the_file_lies_on_the_images_grid_and_explains_itself(tmp_path, image):
    source = make_layer(tmp_path / "s.gpkg", [box(1, 1, 9, 9)], code=[2])
    out = burn_labels(str(source), THREE, like=str(image), out=str(tmp_path / "l.tif"))
    with rasterio.open(out) as labels, rasterio.open(image) as scene:
        assert (labels.crs, labels.transform, labels.shape) == (
            scene.crs, scene.transform, scene.shape)
        assert (labels.count, labels.dtypes[0], labels.nodata) == (1, "uint8", 255)
        assert labels.colormap(1)[2] == (0x50, 0x80, 0x80, 255)
        legend = json.loads(labels.tags()["GEOSEG_LEGEND"])
    assert [item["name"] for item in legend["classes"]] == ["open", "wood", "lake"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "image.tif", "l.qml", "l.tif", "s.gpkg"]


@pytest.mark.parametrize("rows", [1, 7, 16])
@pytest.mark.parametrize("edge", [0.0, 2.5])
def test_the_result_does_not_depend_on_the_strips(tmp_path, monkeypatch, rows, edge):
    turned = METRE @ Affine.rotation(20) @ Affine.scale(1, 1.7)
    image = make_image(tmp_path / "image.tif", transform=turned)
    rng = np.random.default_rng(5)
    shapes = [shapely.Point(turned @ (rng.uniform(0, 60), rng.uniform(0, 40))).buffer(
        rng.uniform(2, 12)) for _ in range(20)]
    shapes.append(box(10.5, 10.5, 30.5, 30.5, turned))  # edges run through pixel centres
    codes = np.append(rng.integers(0, 3, 20), 2)
    source = make_layer(tmp_path / "s.gpkg", shapes, code=codes)
    cover = make_image(tmp_path / "c.tif", transform=METRE @ Affine.translation(5, 5),
                       array=rng.integers(0, 4, (30, 30)).astype(np.uint8))
    recipe = THREE.model_copy(update={
        "labels": THREE.labels.model_copy(update={"edge_ignore": edge})})
    whole = burn_labels([source, cover], recipe, like=image, out=tmp_path / "whole.tif")
    monkeypatch.setattr(module._Burner, "rows", rows)
    strips = burn_labels([source, cover], recipe, like=image, out=tmp_path / "strips.tif")
    assert np.array_equal(read(whole), read(strips))
    assert (read(whole) == 255).any() == (edge > 0)


def test_rasters_and_vectors_obey_one_order_of_classes(tmp_path, image):
    # the raster shows class 2 everywhere on the left; the vector's class 1 must not cover it
    left = make_image(tmp_path / "left.tif", array=np.full((40, 30), 2, np.uint8))
    wood = make_layer(tmp_path / "wood.gpkg", [box(20, 0, 60, 20)], code=[1])
    for order in ([left, wood], [wood, left]):
        labels = read(burn_labels(order, THREE, like=image, out=tmp_path / "l.tif",
                                  overwrite=True))
        assert (labels[:, :30] == 2).all()
        assert (labels[:20, 30:] == 1).all()
        assert (labels[20:, 30:] == 0).all()


@pytest.mark.parametrize("dtype", ["int16", "int32", "float32"])
def test_codes_may_be_negative_or_large_and_unknown_ones_stay_uncovered(tmp_path, image, caplog,
                                                                        dtype):
    recipe = make_recipe({"name": "a", "codes": [-1]}, {"name": "b", "codes": [300, 22531]},
                         labels={"uncovered": "ignore"})
    array = np.full((40, 60), -9999, dtype)
    array[:10], array[10:20, :30], array[10:20, 30:], array[20:30] = -1, 300, 22531, 77
    cover = make_image(tmp_path / "c.tif", array=array, nodata=-9999)
    with caplog.at_level(logging.WARNING, "geoseg"):
        labels = read(burn_labels(cover, recipe, like=image, out=tmp_path / "l.tif"))
    assert (labels[:10] == 0).all()
    assert (labels[10:20] == 1).all()
    assert (labels[20:] == 255).all()
    assert "600 pixels hold codes that no class names and stay uncovered (77)" in caplog.text


def test_code_zero_is_a_class_where_the_raster_reaches(tmp_path, image):
    recipe = make_recipe({"name": "a", "codes": [5]}, {"name": "zero", "codes": [0]},
                         labels={"uncovered": "ignore"})
    cover = make_image(tmp_path / "c.tif", array=np.zeros((10, 10), np.uint8),
                       transform=METRE @ Affine.translation(4, 6))
    labels = read(burn_labels(cover, recipe, like=image, out=tmp_path / "l.tif"))
    assert (labels[6:16, 4:14] == 1).all()
    assert (labels == 1).sum() == 100


@pytest.mark.data
def test_aberystwyth_is_placed_by_coordinates(data, tmp_path):
    folder = data / "landcover_aberystwyth"
    recipe = make_recipe(*({"name": f"c{code}", "codes": [code]} for code in (1, 2, 3, 4)),
                         labels={"uncovered": "ignore"})
    labels = read(burn_labels(folder / "landcover.tif", recipe, like=folder / "image_s2.tif",
                              out=tmp_path / "l.tif"))
    with rasterio.open(folder / "landcover.tif") as cover, rasterio.open(
            folder / "image_s2.tif") as scene:
        codes, moved = cover.read(1), np.zeros(scene.shape, np.uint8)
        rasterio.warp.reproject(codes, moved, src_transform=cover.transform, src_crs=cover.crs,
                                dst_transform=scene.transform, dst_crs=scene.crs,
                                resampling=Resampling.nearest, src_nodata=0, dst_nodata=0)
    assert np.array_equal(labels, np.where(moved == 0, 255, moved - 1))
    assert np.array_equal(moved, codes[:, 1:931])
    assert np.mean(labels != codes[:, :930] - 1) > 0.1  # by index it would be another map


@pytest.mark.data
def test_a_land_cover_map_in_another_crs_follows_the_warper(data, tmp_path):
    source = data / "landcover_rasters" / "outer_banks_ccap.tif"
    with rasterio.open(source) as cover:
        codes = cover.read(1)
        x, y = rasterio.warp.transform(cover.crs, "EPSG:32618", *[[v] for v in cover.xy(3600, 700)])
        place = Affine(20, 0, x[0], 0, -20, y[0])
        expected = np.zeros((300, 400), np.uint8)
        rasterio.warp.reproject(codes, expected, src_transform=cover.transform, src_crs=cover.crs,
                                dst_transform=place, dst_crs="EPSG:32618",
                                resampling=Resampling.nearest, src_nodata=255, dst_nodata=255)
    image = make_image(tmp_path / "i.tif", (300, 400), crs="EPSG:32618", transform=place)
    recipe = make_recipe({"name": "land", "codes": list(range(2, 21))},
                         {"name": "water", "codes": [21, 22]})
    labels = read(burn_labels(source, recipe, like=image, out=tmp_path / "l.tif"))
    water = (expected == 21) | (expected == 22)
    assert 0.01 < water.mean() < 0.99
    assert np.mean((labels == 1) != water) < 1e-3  # ties between pixels may fall either way


@pytest.mark.data
def test_swellendams_roads_have_their_width_on_the_ground(data, tmp_path):
    folder = data / "osm_swellendam"
    out = burn_labels(folder / "osm.gpkg|layername=roads", "roads", like=folder / "ortho.tif",
                      out=tmp_path / "l.tif")
    burnt = read(out) == 1
    roads = gpd.read_file(folder / "osm.gpkg", layer="roads")
    geod = pyproj.Geod(ellps="WGS84")
    widths = {"trunk": 14.0, "residential": 6.5, "unclassified": 6.5, "track": 3.5, "service": 3.5}
    with rasterio.open(folder / "ortho.tif") as scene:
        rows, columns = np.mgrid[:scene.height, :scene.width]
        x, y = scene.transform @ (columns + 0.5, rows + 0.5)
        inside = shapely.box(*scene.bounds)
        height, width = scene.shape
        transform = scene.transform
    # scales degrees so that one is as long both ways, to find the nearest point on the ground
    squeeze = np.cos(np.radians(34.02))
    # Every pixel near a road, at its geodesic distance in metres from the nearest point of it.
    wanted, checked = np.zeros((height, width), bool), np.zeros((height, width), bool)
    for road in roads[roads.intersects(inside)].itertuples():
        if road.highway not in widths:
            continue
        near = rasterize([road.geometry.buffer(3e-4)], out_shape=(height, width),
                         transform=transform).astype(bool)
        points = shapely.points(x[near], y[near])
        line = shapely.transform(road.geometry, lambda p: p * [squeeze, 1])
        flat = shapely.transform(points, lambda p: p * [squeeze, 1])
        foot = shapely.get_coordinates(
            shapely.line_interpolate_point(line, shapely.line_locate_point(line, flat)))
        away = geod.inv(x[near], y[near], foot[:, 0] / squeeze, foot[:, 1])[2]
        half = (3.25 * float(road.lanes) + {"trunk": 3.0}.get(road.highway, 0)
                if road.lanes else widths[road.highway]) / 2
        wanted[near] |= away <= half
        checked |= near
    assert burnt.sum() > 10_000
    assert not burnt[~checked].any()
    # The buffer's arcs have 32 sides and Lambert's lengths are true to 1e-4.
    assert np.mean(burnt[checked] != wanted[checked]) < 0.002
    assert burnt.sum() == pytest.approx(wanted.sum(), rel=0.005)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857", "EPSG:32633"])
def test_a_line_is_as_wide_as_its_tag_says_in_any_crs(tmp_path, crs):
    line = gpd.GeoSeries([shapely.LineString([(5e5, 6.6e6), (5e5 + 300, 6.6e6)])], crs=UTM)
    left, bottom, right, top = line.buffer(50).to_crs(crs).total_bounds
    image = make_image(tmp_path / "i.tif", (800, 800), crs=crs, transform=Affine(
        (right - left) / 800, 0, left, 0, (bottom - top) / 800, top))
    source = make_layer(tmp_path / "s.gpkg", line, highway=["track"], width=["20 m"])
    out = burn_labels(source, "roads", like=image, out=tmp_path / "l.tif")
    with rasterio.open(out) as labels:
        burnt = labels.read(1) == 1
        cell = gpd.GeoSeries([box(400, 400, 401, 401, labels.transform)], crs=crs)
    area = abs(pyproj.Geod(ellps="WGS84").geometry_area_perimeter(
        cell.to_crs(4326).iloc[0])[0]) * burnt.sum()
    # UTM shrinks lengths by 0.9996 on its central meridian; the ends are half discs
    length = 300 / 0.9996
    assert area == pytest.approx(length * 20 + np.pi * 10**2, rel=0.01)


@pytest.mark.data
def test_kampalas_buildings_are_assigned_and_cover_what_the_survey_says(data, tmp_path, caplog):
    folder = data / "osm_kampala"
    source = folder / "buildings_osm.geojson"
    with caplog.at_level(logging.WARNING, "geoseg"):
        labels = read(burn_labels(source, "buildings", like=folder / "oam_z20.tif",
                                  assign={source: "building"}, out=tmp_path / "l.tif"))
    assert labels.mean() == pytest.approx(0.242, abs=5e-4)
    assert "1 invalid polygons were repaired" in caplog.text


@pytest.mark.data
def test_helsinki_burns_straight_from_the_extract(data, tmp_path):
    source = data / "osm_extracts" / "helsinki.osm.pbf"
    place = Affine(2, 0, 385300, 0, -2, 6672900)
    image = make_image(tmp_path / "i.tif", (400, 400), crs="EPSG:3067", transform=place)
    labels = read(burn_labels(source, "landcover-osm", like=image, out=tmp_path / "l.tif"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        raw = gpd.read_file(source, layer="multipolygons", on_invalid="ignore", engine="pyogrio",
                            where="building IS NOT NULL AND building <> 'no'").to_crs(3067)
    expected = rasterize(raw.geometry[raw.geometry.notna()].make_valid(), out_shape=(400, 400),
                         transform=place)
    assert expected.mean() > 0.1
    assert np.array_equal(labels == 6, expected == 1)
    assert (labels == 5).mean() > 0.05


def test_a_class_edge_is_left_out_on_both_sides(tmp_path, image):
    recipe = make_recipe({"name": "a", "codes": [0]}, {"name": "b", "codes": [1]},
                         labels={"edge_ignore": 2.0})
    source = make_layer(tmp_path / "s.gpkg", [box(20, -5, 70, 45)], code=[1])
    labels = read(burn_labels(source, recipe, like=image, out=tmp_path / "l.tif"))
    assert (labels == np.repeat([0, 255, 1], [18, 4, 38])).all()


def test_the_border_of_the_labelled_area_is_no_class_edge(tmp_path, image):
    recipe = make_recipe({"name": "a", "codes": [0]}, {"name": "b", "codes": [1]},
                         labels={"edge_ignore": 2.0, "uncovered": "ignore"})
    source = make_layer(tmp_path / "s.gpkg", [box(20, -5, 70, 45)], code=[1])
    labels = read(burn_labels(source, recipe, like=image, out=tmp_path / "l.tif"))
    assert (labels == np.repeat([255, 1], [20, 40])).all()


@pytest.mark.parametrize("uncovered", ["background", "ignore"])
def test_overlapping_classes_have_a_band_each(tmp_path, image, uncovered):
    recipe = make_recipe({"name": "cloud", "codes": [1]}, {"name": "snow", "codes": [2]},
                         task="overlapping", labels={"uncovered": uncovered})
    source = make_layer(tmp_path / "s.gpkg", [box(0, 0, 30, 40), box(20, 0, 50, 40)], code=[1, 2])
    out = burn_labels(source, recipe, like=image, out=tmp_path / "l.tif")
    with rasterio.open(out) as labels:
        assert labels.descriptions == ("cloud", "snow")
        cloud, snow = labels.read()
    rest = 0 if uncovered == "background" else 255
    assert (cloud == np.repeat([1, 0, rest], [30, 20, 10])).all()
    assert (snow == np.repeat([0, 1, rest], [20, 30, 10])).all()


def test_outside_the_area_of_interest_nothing_counts(tmp_path, image):
    source = make_layer(tmp_path / "s.gpkg", [box(0, 0, 30, 40)], code=[1])
    area = make_layer(tmp_path / "aoi.gpkg", gpd.GeoSeries([box(10, 10, 50, 30)], crs=UTM
                                                           ).to_crs(4326), crs=4326)
    labels = read(burn_labels(source, THREE, like=image, out=tmp_path / "l.tif", within=area))
    expected = np.full((40, 60), 255)
    expected[10:30, 10:30], expected[10:30, 30:50] = 1, 0
    assert np.array_equal(labels, expected)


def test_pixel_space_takes_columns_and_negative_rows(tmp_path):
    image = tmp_path / "plain.png"
    cv2.imwrite(str(image), np.ones((40, 60), np.uint8))
    recipe = make_recipe({"name": "cell", "codes": [255]},
                         {"name": "wall", "codes": [0], "width": {"default": 4}},
                         georeferenced=False)
    wall = make_layer(tmp_path / "s.geojson", [shapely.LineString([(10, -20), (50, -20)])],
                      crs=None)
    labels = read(burn_labels(wall, recipe, like=image, out=tmp_path / "l.tif",
                              assign={wall: "wall"}))
    assert (labels[18:22, 10:50] == 1).all()
    assert labels.sum() == pytest.approx(4 * 40 + np.pi * 4, abs=4)
    small = make_image(tmp_path / "small.tif", (39, 60))
    with pytest.raises(SourceError, match=r"60 x 39 px but plain\.png has 60 x 40 px"):
        burn_labels(small, recipe, like=image, out=tmp_path / "m.tif")
    with pytest.raises(GridError, match="no coordinate reference system"):
        burn_labels(wall, THREE, like=image, out=tmp_path / "m.tif")


def refused(tmp_path, image, source, message, recipe=THREE, error=SourceError, **options):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(error, match=message):
        burn_labels(source, recipe, like=image, out=tmp_path / "l.tif", **options)
    assert sorted(tmp_path.iterdir()) == before


def test_sources_that_cannot_serve_are_named(tmp_path, image):
    square = [box(1, 1, 9, 9)]
    far = make_layer(tmp_path / "far.gpkg", [box(900, 1, 909, 9)], code=[1])
    refused(tmp_path, image, far, r"does not overlap image\.tif: it covers 500900\.\.500909")
    far_map = make_image(tmp_path / "far.tif", transform=METRE @ Affine.translation(900, 0))
    refused(tmp_path, image, far_map, "does not overlap")
    nowhere = make_layer(tmp_path / "nocrs.gpkg", square, crs=None, code=[1])
    refused(tmp_path, image, nowhere, "no coordinate reference system")
    empty = make_layer(tmp_path / "empty.gpkg", square, code=[1])
    gpd.read_file(empty).iloc[:0].to_file(empty)
    refused(tmp_path, image, empty, "holds no features")
    bare = make_layer(tmp_path / "bare.gpkg", square, colour=["red"])
    refused(tmp_path, image, bare, r"no column that tells the class \(columns: colour\)")
    refused(tmp_path, image, tmp_path / "none.gpkg", "does not exist")
    refused(tmp_path, image, bare, "'sea', which is not a class", assign={bare: "sea"})
    refused(tmp_path, image, bare, "not among the sources", assign={far: "wood"})
    refused(tmp_path, image, far_map, "cannot be assigned", assign={far_map: "wood"})
    unknown = make_layer(tmp_path / "unknown.gpkg", square, code=[9])
    refused(tmp_path, image, unknown, "would hold no label")
    line = make_layer(tmp_path / "line.gpkg", [shapely.LineString(square[0].exterior)], code=[1])
    refused(tmp_path, image, line, "1 lines or points of class 'wood' have no known width")
    broken = make_layer(tmp_path / "infinite.gpkg", [shapely.transform(
        square[0], lambda xy: np.where(xy == xy.max(), np.inf, xy))], code=[1])
    refused(tmp_path, image, broken, "coordinates that are no numbers")


def test_rasters_that_cannot_serve_are_named(tmp_path, image):
    cover = make_image(tmp_path / "c.tif")
    without_codes = make_recipe({"name": "a"}, {"name": "b", "osm": {"building": True}})
    refused(tmp_path, image, cover, "no class of 'test' has codes", recipe=without_codes)
    with rasterio.open(tmp_path / "rgb.tif", "w", driver="GTiff", width=60, height=40, count=3,
                       dtype="uint8", crs=UTM, transform=METRE) as dataset:
        dataset.write(np.ones((3, 40, 60), np.uint8))
    refused(tmp_path, image, tmp_path / "rgb.tif", "has 3 bands", error=RasterError)
    cut = tmp_path / "cut.tif"
    make_image(cut, array=np.random.default_rng(0).integers(0, 3, (400, 600)).astype(np.uint8))
    cut.write_bytes(cut.read_bytes()[:150_000])
    big = make_image(tmp_path / "big.tif", (400, 600))
    refused(tmp_path, big, cut, r"cut\.tif.*(truncated|cannot be opened)", error=RasterError)


def test_output_is_never_an_input_nor_overwritten_unasked(tmp_path, image):
    source = make_layer(tmp_path / "s.gpkg", [box(1, 1, 9, 9)], code=[1])
    (tmp_path / "old.tif").touch()
    with pytest.raises(OutputError, match="exists already"):
        burn_labels(source, THREE, like=image, out=tmp_path / "old.tif")
    for overwrite in (False, True):
        with pytest.raises(OutputError, match="also an input"):
            burn_labels(source, THREE, like=image, out=image, overwrite=overwrite)


def test_cancelling_leaves_nothing_behind(tmp_path, image):
    def cancel(fraction, message):
        if message == "finishing the file":
            raise Cancelled

    source = make_layer(tmp_path / "s.gpkg", [box(1, 1, 9, 9)], code=[1])
    refused(tmp_path, image, source, "cancelled", error=Cancelled, progress=cancel)


def test_points_without_width_do_not_stop_the_rest_and_absent_classes_are_told(tmp_path, image,
                                                                              caplog):
    source = make_layer(tmp_path / "s.gpkg", [box(1, 1, 9, 9), shapely.Point(METRE @ (30, 30))],
                        code=[1, 1])
    with caplog.at_level(logging.WARNING, "geoseg"):
        labels = read(burn_labels(source, THREE, like=image, out=tmp_path / "l.tif"))
    assert labels.sum() == 64
    assert "1 lines or points of class 'wood' have no known width and were left out" in caplog.text
    assert "no pixel shows class 'lake'" in caplog.text


def test_self_crossing_polygons_are_repaired_and_counted(tmp_path, image, caplog):
    bow_tie = shapely.Polygon([METRE @ xy for xy in [(10, 10), (30, 30), (30, 10), (10, 30)]])
    source = make_layer(tmp_path / "s.gpkg", [bow_tie], code=[1])
    with caplog.at_level(logging.WARNING, "geoseg"):
        labels = read(burn_labels(source, THREE, like=image, out=tmp_path / "l.tif"))
    assert labels.sum() == pytest.approx(200, abs=20)
    assert "1 invalid polygons were repaired" in caplog.text
