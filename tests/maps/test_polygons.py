"""Polygons against rasterization, areas, topology and SciPy's means."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pyproj
import pytest
import shapely
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from rasterio.crs import CRS
from rasterio.features import rasterize
from scipy import ndimage

from geoseg.errors import GeosegError, GridError, OutputError, RasterError
from geoseg.geo.legend import IGNORE, Legend
from geoseg.geo.raster import open_raster
from geoseg.maps.polygons import polygonize
from geoseg.maps.shapes import place, trace_patches
from tests.maps.worlds import (
    DEGREES,
    NORTH_UP,
    ROTATED,
    UTM,
    make_legend,
    write_classes,
    write_probabilities,
)

FOUR = make_legend("field", "water", "road", "wood")
ANY_VALID = np.arange(256) != IGNORE
quick = settings(max_examples=40, deadline=None,
                 suppress_health_check=[HealthCheck.function_scoped_fixture])
class_maps = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=14),
                    elements=st.sampled_from([0, 0, 0, 1, 2, 3, IGNORE]))


def blobs(shape: tuple[int, int], classes: int = 4, seed: int = 0) -> np.ndarray:
    """Random class values in blobs a few pixels wide."""
    noise = np.random.default_rng(seed).standard_normal((classes, *shape))
    smooth = ndimage.gaussian_filter(noise, (0, 2, 2))
    return np.argmax(smooth, axis=0).astype(np.uint8)


def read_vectors(path: Path) -> gpd.GeoDataFrame:
    return gpd.read_parquet(path) if path.suffix == ".parquet" else gpd.read_file(path)


def assert_sound(polygons: np.ndarray) -> None:
    assert shapely.is_valid(polygons).all()
    assert shapely.coverage_is_valid(polygons)


@quick
@given(values=class_maps)
def test_patches_are_a_valid_coverage_and_burn_back_to_the_map(
        tmp_path: Path, values: np.ndarray) -> None:
    path = tmp_path / "c.tif"
    path.unlink(missing_ok=True)
    write_classes(path, values[np.newaxis], FOUR)
    with open_raster(path) as dataset:
        patches = trace_patches(dataset, 1, keep=ANY_VALID)
    expected = sum(ndimage.label(values == value)[1] for value in range(4))
    assert len(patches) == expected
    if expected:
        assert_sound(patches.polygons)
        burned = rasterize(zip(patches.polygons, patches.values, strict=True), values.shape,
                           fill=IGNORE, dtype=np.uint8)
        np.testing.assert_array_equal(burned, values)
        assert shapely.area(patches.polygons).sum() == (values != IGNORE).sum()


@quick
@given(values=class_maps.filter(lambda values: (values != IGNORE).any()),
       transform=st.sampled_from([NORTH_UP, ROTATED, Affine(3, 0, 5e5, 0, 8, 0)]))
def test_burning_polygons_gives_the_map_back_on_any_grid(
        tmp_path: Path, values: np.ndarray, transform: Affine) -> None:
    path = tmp_path / "c.tif"
    path.unlink(missing_ok=True)
    write_classes(path, values[np.newaxis], FOUR, transform=transform)
    frame = read_vectors(polygonize(path, out=tmp_path / "p.fgb", overwrite=True))
    burned = rasterize(zip(frame.geometry, frame["value"], strict=True), values.shape,
                       fill=IGNORE, dtype=np.uint8, transform=transform)
    np.testing.assert_array_equal(burned, values)
    for value, area in frame.groupby("value")["area_m2"].sum().items():
        pixels = (values == value).sum() * abs(transform.determinant)
        assert area == pytest.approx(pixels, rel=1e-9)


def test_attributes_metadata_and_crs(tmp_path: Path) -> None:
    values = blobs((60, 50))
    path = write_classes(tmp_path / "c.tif", values[np.newaxis], FOUR)
    out = polygonize(path, out=tmp_path / "p.gpkg")
    frame = read_vectors(out)
    assert frame.crs == pyproj.CRS.from_epsg(32633)
    assert list(frame.columns) == ["class", "value", "area_m2", "geometry"]
    assert [FOUR.names[value] for value in frame["value"]] == list(frame["class"])
    assert (frame.geom_type == "Polygon").all()
    assert all(ring.is_ccw for ring in frame.geometry.exterior)
    metadata = pyogrio.read_info(out, layer="polygons")["layer_metadata"]
    assert Legend.from_dict(json.loads(metadata["GEOSEG_LEGEND"])) == FOUR


def test_areas_on_a_degree_grid_are_geodesic(tmp_path: Path) -> None:
    crs, transform = DEGREES
    path = write_classes(tmp_path / "c.tif", blobs((90, 120))[np.newaxis], FOUR,
                         transform=transform, crs=crs)
    frame = read_vectors(polygonize(path, out=tmp_path / "p.gpkg"))
    geod = pyproj.Geod(ellps="WGS84")
    geodesic = [abs(geod.geometry_area_perimeter(polygon)[0]) for polygon in frame.geometry]
    np.testing.assert_allclose(frame["area_m2"], geodesic, rtol=1e-6)


@pytest.mark.parametrize("tolerance", [0.75, 2.0, 6.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_simplified_neighbours_leave_no_gap_and_no_overlap(
        tmp_path: Path, tolerance: float, seed: int) -> None:
    values = blobs((80, 90), seed=seed)
    values[30:44, 50:70] = IGNORE
    path = write_classes(tmp_path / "c.tif", values[np.newaxis], FOUR)
    exact = read_vectors(polygonize(path, out=tmp_path / "exact.gpkg"))
    simple = read_vectors(polygonize(path, out=tmp_path / "simple.gpkg", simplify=10 * tolerance))
    polygons = simple.geometry.values
    assert len(simple) == len(exact)
    assert list(simple["value"]) == list(exact["value"])
    assert_sound(np.asarray(polygons))
    union = shapely.union_all(polygons)
    assert union.area == pytest.approx(shapely.area(polygons).sum(), rel=1e-9)  # no overlap
    assert len(shapely.get_rings(union)) <= 2  # outside and nodata, no gap beside them
    before, after = exact.get_coordinates().shape[0], simple.get_coordinates().shape[0]
    assert after < 0.75 * before


def test_simplify_means_the_same_metres_in_degrees(tmp_path: Path) -> None:
    values = blobs((70, 70))[np.newaxis]
    crs, transform = DEGREES  # pixels of 7.36 m x 7.78 m
    side = float(np.sqrt(7.359 * 7.784))
    degrees = write_classes(tmp_path / "d.tif", values, FOUR, transform=transform, crs=crs)
    metres = write_classes(tmp_path / "m.tif", values, FOUR,
                           transform=Affine(side, 0, 5e5, 0, -side, 5.4e6))
    in_degrees, in_metres = (
        read_vectors(polygonize(path, out=path.with_suffix(".fgb"), simplify=20))
        for path in (degrees, metres))
    np.testing.assert_allclose(
        place(in_degrees.get_coordinates().to_numpy(), ~transform),
        place(in_metres.get_coordinates().to_numpy(), ~Affine(side, 0, 5e5, 0, -side, 5.4e6)),
        atol=1e-6)


def test_a_diagonal_staircase_becomes_straight(tmp_path: Path) -> None:
    values = np.tril(np.ones((40, 40), dtype=np.uint8))[np.newaxis]
    path = write_classes(tmp_path / "c.tif", values, make_legend("sea", "land"))
    frame = read_vectors(polygonize(path, out=tmp_path / "p.gpkg", simplify=7.5))
    assert max(shapely.get_num_coordinates(frame.geometry.values)) <= 7  # 78 steps before


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_confidence_is_the_mean_over_the_patch(tmp_path: Path, dtype: str) -> None:
    values = blobs((70, 61))
    probabilities = np.random.default_rng(0).random((4, 70, 61))
    probabilities[values, *np.indices(values.shape)] += 1
    probabilities /= probabilities.sum(axis=0)
    valid = np.ones(values.shape, dtype=bool)
    valid[20:30, 10:40] = False
    classes = write_classes(tmp_path / "c.tif", np.where(valid, values, IGNORE)[np.newaxis], FOUR)
    proba = write_probabilities(tmp_path / "p.tif", probabilities, FOUR, valid=valid, dtype=dtype)
    frame = read_vectors(polygonize(classes, out=tmp_path / "p.gpkg", proba=proba, simplify=30))
    exact = read_vectors(polygonize(classes, out=tmp_path / "e.gpkg"))
    numbers = rasterize(zip(exact.geometry, range(len(exact)), strict=True), values.shape,
                        fill=-1, dtype=np.int32, transform=NORTH_UP)
    seen = np.rint(probabilities * 254) / 254 if dtype == "uint8" else probabilities
    own = seen[values, *np.indices(values.shape)]
    expected = ndimage.mean(own, numbers, np.arange(len(exact)))
    np.testing.assert_allclose(frame["confidence"], expected, rtol=1e-5)


def test_confidence_leaves_out_pixels_without_probabilities(tmp_path: Path) -> None:
    values = np.zeros((20, 30), dtype=np.uint8)
    values[:, 20:] = 1
    values[3:6, 3:6] = 2
    valid = np.ones(values.shape, dtype=bool)
    valid[:, 10:20] = False
    valid[3:6, 3:6] = False
    chances = np.zeros((4, 20, 30))
    chances[0], chances[1] = 0.5, 0.5
    classes = write_classes(tmp_path / "c.tif", values[np.newaxis], FOUR)
    proba = write_probabilities(tmp_path / "p.tif", chances, FOUR, valid=valid, dtype="float32")
    frame = read_vectors(polygonize(classes, out=tmp_path / "p.gpkg", proba=proba))
    confidence = dict(zip(frame["class"], frame["confidence"], strict=True))
    assert confidence["field"] == confidence["water"] == 0.5
    assert np.isnan(confidence["road"])


def test_confidence_does_not_depend_on_row_bands(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = blobs((100, 30))
    classes = write_classes(tmp_path / "c.tif", values[np.newaxis], FOUR)
    raw = np.random.default_rng(0).random((4, 100, 30))
    proba = write_probabilities(tmp_path / "p.tif", raw / raw.sum(axis=0), FOUR)
    whole = read_vectors(polygonize(classes, out=tmp_path / "a.gpkg", proba=proba))
    monkeypatch.setattr("geoseg.maps.confidence._BAND_PIXELS", 1)  # the least: 16 rows
    banded = read_vectors(polygonize(classes, out=tmp_path / "b.gpkg", proba=proba))
    np.testing.assert_allclose(whole["confidence"], banded["confidence"], rtol=1e-9)


def test_overlapping_classes_each_have_their_polygons(tmp_path: Path) -> None:
    legend = make_legend("fish", "flower", "sugar", overlapping=True)
    values = np.stack([blobs((40, 40), 2, seed) for seed in range(3)])
    values[2] = 0
    values[:, :5] = IGNORE
    raw = np.random.default_rng(0).random((3, 40, 40))
    classes = write_classes(tmp_path / "c.tif", values, legend)
    proba = write_probabilities(tmp_path / "p.tif", raw, legend, valid=values[0] != IGNORE)
    frame = read_vectors(polygonize(classes, out=tmp_path / "p.gpkg", proba=proba))
    assert set(frame["class"]) == {"fish", "flower"}
    for value in (0, 1):
        mine = frame[frame["value"] == value]
        burned = rasterize(mine.geometry, values.shape[1:], transform=NORTH_UP)
        np.testing.assert_array_equal(burned == 1, values[value] == 1)
        weighted = np.average(mine["confidence"], weights=mine["area_m2"])
        assert weighted == pytest.approx(raw[value][values[value] == 1].mean(), abs=2e-3)


def test_only_some_classes_are_the_same_polygons(tmp_path: Path) -> None:
    path = write_classes(tmp_path / "c.tif", blobs((60, 50))[np.newaxis], FOUR)
    everything = read_vectors(polygonize(path, out=tmp_path / "a.gpkg", simplify=15))
    some = read_vectors(polygonize(path, out=tmp_path / "s.gpkg", simplify=15,
                                   only=["road", "water"]))
    expected = everything[everything["class"].isin(["road", "water"])]
    assert [g.wkb for g in some.geometry] == [g.wkb for g in expected.geometry]


def test_small_patches_are_merged_without_holes(tmp_path: Path) -> None:
    values = blobs((60, 50))
    values[:6] = IGNORE
    path = write_classes(tmp_path / "c.tif", values[np.newaxis], FOUR)
    frame = read_vectors(polygonize(path, out=tmp_path / "p.gpkg", min_area=2000))
    assert frame["area_m2"].min() >= 2000
    assert frame["area_m2"].sum() == pytest.approx((values != IGNORE).sum() * 100)
    assert_sound(np.asarray(frame.geometry.values))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.qml", "c.tif", "p.gpkg", "p.qml"]


@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".geojson", ".parquet"])
def test_formats_and_pixel_space(tmp_path: Path, suffix: str) -> None:
    values = blobs((20, 30))
    path = write_classes(tmp_path / "c.tif", values[np.newaxis], FOUR, crs=None)
    frame = read_vectors(polygonize(path, out=tmp_path / f"p{suffix}"))
    assert list(frame.columns) == ["class", "value", "area_px", "geometry"]
    assert frame["area_px"].sum() == values.size
    assert tuple(frame.total_bounds) == (0, -20, 30, 0)
    if suffix != ".geojson":  # which cannot say that it has none
        assert frame.crs is None


@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".geojson", ".parquet"])
def test_one_pixel_in_every_format(tmp_path: Path, suffix: str) -> None:
    path = write_classes(tmp_path / "c.tif", np.ones((1, 1, 1), dtype=np.uint8), FOUR)
    frame = read_vectors(polygonize(path, out=tmp_path / f"p{suffix}", simplify=100,
                                    min_area=1e9)).to_crs(32633)
    assert list(frame["class"]) == ["water"]
    np.testing.assert_allclose(frame.total_bounds, (500_000, 5_399_990, 500_010, 5_400_000))


def test_it_refuses_what_it_cannot_use(tmp_path: Path) -> None:
    path = write_classes(tmp_path / "c.tif", blobs((20, 20), 2)[np.newaxis], FOUR)
    empty = write_classes(tmp_path / "e.tif", np.full((1, 9, 9), IGNORE, np.uint8), FOUR)
    odd = write_classes(tmp_path / "o.tif", np.full((1, 9, 9), 7, np.uint8), FOUR)
    raw = np.full((4, 20, 20), 0.25)
    proba = write_probabilities(tmp_path / "p.tif", raw, FOUR)
    shifted = write_probabilities(tmp_path / "s.tif", raw, FOUR, crs=UTM,
                                  transform=NORTH_UP @ Affine.translation(1, 0))
    others = write_probabilities(tmp_path / "x.tif", raw, make_legend("a", "b", "c", "d"))
    out = tmp_path / "p.gpkg"
    with pytest.raises(RasterError, match="holds no pixel"):
        polygonize(empty, out=out)
    with pytest.raises(RasterError, match="holds no pixel of road"):
        polygonize(path, out=out, only=["road"])
    with pytest.raises(RasterError, match="is not one of"):
        polygonize(path, out=out, only=["raod"])
    with pytest.raises(RasterError, match="value 7"):
        polygonize(odd, out=out)
    with pytest.raises(RasterError, match="not a class map"):
        polygonize(proba, out=out)
    with pytest.raises(RasterError, match="other classes"):
        polygonize(path, out=out, proba=others)
    with pytest.raises(GridError, match="line up"):
        polygonize(path, out=out, proba=shifted)
    with pytest.raises(GeosegError, match="simplify"):
        polygonize(path, out=out, simplify=-1)
    with pytest.raises(OutputError, match="ends in"):
        polygonize(path, out=tmp_path / "p.shp")
    assert not out.exists()


def test_web_mercator_areas_are_true(tmp_path: Path) -> None:
    path = write_classes(tmp_path / "c.tif", blobs((40, 40))[np.newaxis], FOUR,
                         transform=Affine(10, 0, 1_000_000, 0, -10, 7_000_000),
                         crs=CRS.from_epsg(3857))
    frame = read_vectors(polygonize(path, out=tmp_path / "p.gpkg"))
    planar = frame.area.sum()
    geod = pyproj.Geod(ellps="WGS84")
    geodesic = sum(abs(geod.geometry_area_perimeter(p)[0]) for p in frame.to_crs(4326).geometry)
    assert frame["area_m2"].sum() == pytest.approx(geodesic, rel=1e-6)
    assert frame["area_m2"].sum() < 0.5 * planar
