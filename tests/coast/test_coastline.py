"""Coastlines against analytic truth, scikit-image, and real scenes."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pyproj
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.windows import Window
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from skimage.measure import find_contours

from geoseg.coast.tracing.coastline import trace_coastline
from geoseg.coast.tracing.contour import Line, trace_contour
from geoseg.coast.tracing.odds import Odds, ReadOdds, log_odds, smooth_odds, without_ties
from geoseg.errors import GeosegError, OutputError, RasterError
from geoseg.maps.classify import classify
from geoseg.maps.polygons import polygonize
from geoseg.maps.shapes import place
from geoseg.progress import silent
from tests.maps.worlds import (
    DEGREES,
    NORTH_UP,
    ROTATED,
    make_coast,
    make_legend,
    write_probabilities,
)

TWO = make_legend("land", "water")


def two_classes(land: np.ndarray) -> np.ndarray:
    return np.stack([land, 1 - land])


def noisy(land: np.ndarray, noise: float, seed: int = 0) -> np.ndarray:
    moved = land + np.random.default_rng(seed).normal(0, noise, land.shape)
    return np.clip(moved, 0, 1)


def in_memory(water: np.ndarray, valid: np.ndarray | None = None) -> ReadOdds:
    valid = np.ones(water.shape, dtype=bool) if valid is None else valid
    z = np.where(valid, log_odds(1 - water, water), 0.0)

    def read(window: Window) -> Odds:
        here = window.toslices()
        return Odds(z[here][np.newaxis], np.ones(1), valid[here], np.ones_like(valid[here]))

    return read


def log_odds_of_land(water: np.ndarray, valid: np.ndarray, smooth: float) -> np.ndarray:
    z = log_odds(1 - water, water)
    return without_ties(smooth_odds(z, valid, smooth) if smooth else z)


def to_pixels(frame: gpd.GeoDataFrame, transform: Affine) -> np.ndarray:
    """Lines in pixels from the raster's corner."""
    return shapely.transform(frame.geometry.values, lambda points: place(points, ~transform))


def distances(lines: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Mean distance from the truth to the lines, and from the lines to the truth."""
    points = shapely.get_coordinates(shapely.segmentize(lines, 0.02))
    return (float(cKDTree(points).query(truth)[0].mean()),
            float(cKDTree(truth).query(points)[0].mean()))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_noisy_coast_is_found_within_a_sixth_of_a_pixel(tmp_path: Path, seed: int) -> None:
    coast = make_coast(turn=30 + 90 * seed)
    path = write_probabilities(tmp_path / "p.tif", two_classes(noisy(coast.land_share, 0.1, seed)),
                               TWO)
    frame = gpd.read_file(trace_coastline(path, water="water", out=tmp_path / "c.gpkg"))
    missed, strayed = distances(to_pixels(frame, NORTH_UP), coast.truth)
    assert missed <= 0.16
    assert strayed <= 0.16
    assert len(frame) == 4
    assert list(frame["is_ring"]) == [False, True, True, True]
    assert frame["length_m"].is_monotonic_decreasing
    assert set(frame["kind"]) == {"observed"}
    assert frame["confidence"].between(0.8, 1).all()


@pytest.mark.parametrize("transform", [NORTH_UP, ROTATED, Affine(10, 0, 5e5, 0, 10, 0)])
def test_land_lies_on_the_left(tmp_path: Path, transform: Affine) -> None:
    coast = make_coast(128)
    path = write_probabilities(tmp_path / "p.tif", two_classes(coast.land_share), TWO,
                               transform=transform)
    frame = gpd.read_file(trace_coastline(path, water="water", out=tmp_path / "c.gpkg"))
    for line in frame.geometry:
        points = np.asarray(line.coords)
        along = np.diff(points, axis=0)
        left = np.column_stack([-along[:, 1], along[:, 0]]) / np.hypot(*along.T)[:, np.newaxis]
        reach = 1.5 * np.sqrt(abs(transform.determinant))
        beside = place((points[1:] + points[:-1]) / 2 + reach * left, ~transform)
        column, row = np.clip(beside.astype(int), 0, 127).T
        assert (coast.land_share[row, column] > 0.5).mean() > 0.97
    rings = frame[frame["is_ring"]].geometry
    # Around an island land-left is counter-clockwise, around the lake clockwise.
    assert sorted(shapely.is_ccw(rings.values)) == [False, True, True]


@pytest.mark.parametrize("smooth", [0.0, 1.0, 3.0])
def test_a_straight_edge_lies_exactly_between_the_pixels(tmp_path: Path, smooth: float) -> None:
    land = np.full((9, 40), 0.1)
    land[:, :17] = 0.9
    path = write_probabilities(tmp_path / "p.tif", two_classes(land), TWO)
    out = trace_coastline(path, water="water", out=tmp_path / "c.gpkg", smooth=smooth)
    [line] = gpd.read_file(out).geometry
    points = np.asarray(line.coords)
    np.testing.assert_allclose(points[:, 0], 500_000 + 17 * 10, atol=1e-6)
    # From the last pixel centre to the first: land, in the west, is on the left going north.
    assert points[0, 1] == pytest.approx(5_400_000 - 85)
    assert points[-1, 1] == pytest.approx(5_400_000 - 5)
    assert len(points) == 2


def canonical(lines: list[Line]) -> list[np.ndarray]:
    return sorted((line.points for line in lines), key=lambda points: tuple(points.min(axis=0)))


@pytest.mark.parametrize("rows", [1, 2, 7, 64])
@pytest.mark.parametrize("smooth", [0.0, 1.0, 2.5])
def test_strips_do_not_matter(rows: int, smooth: float) -> None:
    size = 96 if rows > 1 else 48
    water = 1 - noisy(make_coast(size, sub=4).land_share, 0.3)
    water = np.rint(water * 254) / 254  # exact ties occur
    valid = np.ones(water.shape, dtype=bool)
    valid[size // 2:size // 2 + 9, 10:30] = False
    read = in_memory(water, valid)
    whole = trace_contour(read, water.shape, smooth, silent, rows=10_000)
    cut = trace_contour(read, water.shape, smooth, silent, rows=rows)
    assert len(whole) == len(cut)
    for one, other in zip(canonical(whole), canonical(cut), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    for values in ("contrast", "variance"):
        assert sum(getattr(line, values) @ line.lengths for line in cut) == pytest.approx(
            sum(getattr(line, values) @ line.lengths for line in whole))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 14), st.integers(2, 14), st.integers(1, 9))
def test_any_field_gives_the_lines_of_scikit_image(
        seed: int, height: int, width: int, rows: int) -> None:
    water = np.random.default_rng(seed).random((height, width))
    lines = trace_contour(in_memory(water), (height, width), 0, silent, rows=rows)
    z = log_odds_of_land(water, np.ones(water.shape, dtype=bool), 0)
    # Saddles may be resolved either way; the crossings of the grid cannot.
    expected = np.concatenate([np.empty((0, 2)), *find_contours(z, 0.0)])[:, ::-1]
    found = np.concatenate([np.empty((0, 2)), *(line.points for line in lines)])
    expected, found = (np.unique(np.round(points, 6), axis=0) for points in (expected, found))
    np.testing.assert_allclose(found, expected, atol=2e-6)
    for line in lines:
        ends = line.points[[0, -1]]
        on_border = (np.isclose(ends, 0) | np.isclose(ends, [width - 1, height - 1])).any(axis=1)
        assert line.is_ring or on_border.all()


def test_smooth_field_gives_the_same_lines_as_scikit_image() -> None:
    noise = np.random.default_rng(3).standard_normal((120, 90))
    water = 1 / (1 + np.exp(-20 * gaussian_filter(noise, 4)))
    lines = trace_contour(in_memory(water), water.shape, 1.0, silent, rows=16)
    z = log_odds_of_land(water, np.ones(water.shape, dtype=bool), 1.0)
    expected = find_contours(z, 0.0)
    assert len(lines) == len(expected)
    ours = sorted(line.lengths.sum() for line in lines)
    theirs = sorted(float(np.hypot(*np.diff(line, axis=0).T).sum()) for line in expected)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize("smooth", [0.0, 1.0])
def test_edges_of_the_data_are_no_coast(tmp_path: Path, smooth: float) -> None:
    land = np.full((40, 50), 0.05)
    land[:, :20] = 0.95
    valid = np.ones(land.shape, dtype=bool)
    valid[10:30, 15:35] = False  # hides the middle of the coast
    valid[:, 45:] = False
    path = write_probabilities(tmp_path / "p.tif", two_classes(land), TWO, valid=valid)
    frame = gpd.read_file(trace_coastline(path, water="water", out=tmp_path / "c.gpkg",
                                          smooth=smooth))
    lines = to_pixels(frame, NORTH_UP)
    assert len(lines) == 2
    downward = sorted(lines, key=lambda item: item.bounds[1])
    for line, rows in zip(downward, [(0.5, 9.5), (30.5, 39.5)], strict=True):
        assert (line.bounds[1], line.bounds[3]) == pytest.approx(rows, abs=1e-6)
        assert abs(line.bounds[0] - 20) < 0.05
        assert abs(line.bounds[2] - 20) < 0.05
    assert not frame["is_ring"].any()


def test_confidence_falls_with_contrast_and_noise(tmp_path: Path) -> None:
    confidence = []
    for sure in (0.98, 0.8, 0.6):
        land = np.full((30, 30), 1 - sure)
        land[:15] = sure
        path = write_probabilities(tmp_path / f"{sure}.tif", two_classes(land), TWO)
        [row] = gpd.read_file(trace_coastline(path, water="water", out=tmp_path / f"{sure}.gpkg")
                              ).itertuples()
        confidence.append(row.confidence)
    np.testing.assert_allclose(confidence, [0.96, 0.6, 0.2], atol=0.005)


def test_lengths_are_geodesic(tmp_path: Path) -> None:
    crs, transform = DEGREES
    coast = make_coast(100)
    path = write_probabilities(tmp_path / "p.tif", two_classes(coast.land_share), TWO,
                               transform=transform, crs=crs)
    frame = gpd.read_file(trace_coastline(path, water="water", out=tmp_path / "c.gpkg"))
    geod = pyproj.Geod(ellps="WGS84")
    expected = [geod.geometry_length(line) for line in frame.geometry]
    np.testing.assert_allclose(frame["length_m"], expected, rtol=1e-9)
    longest = frame["length_m"].iloc[0]
    few = trace_coastline(path, water="water", out=tmp_path / "f.gpkg", min_length=longest)
    assert len(gpd.read_file(few)) == 1
    with pytest.raises(RasterError, match="or more"):
        trace_coastline(path, water="water", out=tmp_path / "n.gpkg", min_length=longest + 1)


def test_simplifying_moves_no_point_by_more_than_a_tenth_of_a_pixel(tmp_path: Path) -> None:
    coast = make_coast()
    path = write_probabilities(tmp_path / "p.tif", two_classes(noisy(coast.land_share, 0.1)), TWO)
    full = gpd.read_file(trace_coastline(path, water="water", out=tmp_path / "f.gpkg", simplify=0))
    less = gpd.read_file(trace_coastline(path, water="water", out=tmp_path / "l.gpkg"))
    assert less.get_coordinates().shape[0] < 0.5 * full.get_coordinates().shape[0]
    points = shapely.points(full.get_coordinates().to_numpy())
    moved = shapely.distance(points, shapely.union_all(less.geometry.values))
    assert 0 < moved.max() <= 1.0 + 1e-6  # 0.1 px of 10 m
    kept = {tuple(point) for point in less.get_coordinates().to_numpy()}
    assert kept <= {tuple(point) for point in full.get_coordinates().to_numpy()}


def test_pixel_space_and_metadata(tmp_path: Path) -> None:
    coast = make_coast(64)
    path = write_probabilities(tmp_path / "p.tif", two_classes(coast.land_share), TWO, crs=None)
    out = trace_coastline(path, water="water", out=tmp_path / "c.gpkg")
    frame = gpd.read_file(out)
    assert frame.crs is None
    assert list(frame.columns) == ["length_px", "confidence", "sigma_px", "kind", "is_ring",
                                   "coast", "source", "geometry"]
    np.testing.assert_allclose(frame["length_px"], frame.length)
    assert frame.total_bounds[3] <= 0  # y = -row
    assert frame["is_ring"].dtype == bool
    metadata = pyogrio.read_info(out, layer="coastline")["layer_metadata"]
    assert set(metadata) >= {"GEOSEG_LEGEND", "GEOSEG_SPACE"}


def test_several_water_classes_and_overlapping_ones(tmp_path: Path) -> None:
    land = make_coast(96).land_share
    sea, river = 0.7 * (1 - land), 0.3 * (1 - land)
    three = make_legend("sea", "land", "river")
    both = write_probabilities(tmp_path / "b.tif", np.stack([sea, land, river]), three)
    single = write_probabilities(tmp_path / "s.tif", two_classes(land), TWO)
    overlapping = write_probabilities(
        tmp_path / "o.tif", np.stack([1 - land, land * 0.5, 0.8 - 0.8 * land]),
        make_legend("sea", "wood", "river", overlapping=True))
    expected = gpd.read_file(trace_coastline(single, water="water", out=tmp_path / "s.gpkg"))
    for path in (both, overlapping):
        frame = gpd.read_file(trace_coastline(path, water=["sea", "river"],
                                              out=path.with_suffix(".gpkg")))
        assert len(frame) == len(expected)
        moved = shapely.hausdorff_distance(shapely.union_all(frame.geometry.values),
                                           shapely.union_all(expected.geometry.values))
        assert moved < 1.0  # storage steps of 1/254; a pixel has 10 m


def test_it_refuses_what_it_cannot_use(tmp_path: Path) -> None:
    land = make_coast(64).land_share
    path = write_probabilities(tmp_path / "p.tif", two_classes(land), TWO)
    dry = write_probabilities(tmp_path / "d.tif", two_classes(np.ones((20, 20))), TWO)
    wet = write_probabilities(tmp_path / "w.tif", two_classes(np.zeros((20, 20))), TWO)
    one = write_probabilities(tmp_path / "o.tif", two_classes(np.ones((1, 1))), TWO)
    out = tmp_path / "c.gpkg"
    for empty in (dry, wet, one):
        with pytest.raises(RasterError, match="shows no edge of water"):
            trace_coastline(empty, water="water", out=out)
    with pytest.raises(RasterError, match="is not one of"):
        trace_coastline(path, water="sea", out=out)
    with pytest.raises(RasterError, match="all of the classes"):
        trace_coastline(path, water=["water", "land"], out=out)
    for options in ({"smooth": -1}, {"smooth": 11}, {"min_length": -1}, {"simplify": np.nan}):
        with pytest.raises(GeosegError):
            trace_coastline(path, water="water", out=out, **options)
    with pytest.raises(OutputError, match="ends in"):
        trace_coastline(path, water="water", out=tmp_path / "c.shp")
    assert not out.exists()


def test_smoothing_ignores_nodata() -> None:
    water = np.full((20, 20), 0.2)
    water[:, 10:] = 0.9
    valid = np.ones(water.shape, dtype=bool)
    valid[:, 9:14] = False
    z = log_odds_of_land(water, valid, 1.0)
    # What is missing pulls nowhere: beside it the field keeps its own side's value.
    np.testing.assert_allclose(z[:, :9], np.log(0.8 / 0.2), rtol=1e-3)
    np.testing.assert_allclose(z[:, 14:], np.log(0.1 / 0.9), rtol=1e-3)


def ndwi_probabilities(source: Path, green: int, nir: int, out: Path, slope: float,
                       zero: float = 0.0) -> Path:
    """Land and water from the sign and size of the water index, as a network would give."""
    with rasterio.open(source) as dataset:
        bands = dataset.read([green, nir]).astype(float)
        valid = (bands > 0).all(axis=0)
        index = np.divide(bands[0] - bands[1], bands.sum(axis=0), where=valid,
                          out=np.zeros(valid.shape))
        land = 1 / (1 + np.exp(slope * (index - zero)))
        return write_probabilities(out, two_classes(land), TWO, valid=valid,
                                   transform=dataset.transform, crs=dataset.crs)


@pytest.mark.data
def test_aberystwyth_lies_near_the_surveyed_coast(data: Path, tmp_path: Path) -> None:
    folder = data / "landcover_aberystwyth"
    with rasterio.open(folder / "image_s2.tif") as dataset:
        names = [str(name).lower() for name in dataset.descriptions]
        green, nir = (1 + next(i for i, name in enumerate(names) if key in name)
                      for key in ("green", "nir"))
    proba = ndwi_probabilities(folder / "image_s2.tif", green, nir, tmp_path / "p.tif", 15)
    out = trace_coastline(proba, water="water", out=tmp_path / "c.gpkg", min_length=2000)
    coast = gpd.read_file(out)
    surveyed = gpd.read_file(folder / "coastline_os.geojson").to_crs(coast.crs)
    points = shapely.get_coordinates(shapely.segmentize(surveyed.geometry.values, 10))
    away = shapely.distance(shapely.points(points), shapely.union_all(coast.geometry.values))
    assert away.mean() < 40


@pytest.mark.data
def test_olinda_goes_all_the_way(data: Path, tmp_path: Path) -> None:
    source = next((data / "coast_olinda").glob("*.tif"))
    # Raw numbers of a hazy scene, not reflectances: streets lie near 0.2, the sea near 0.6.
    proba = ndwi_probabilities(source, 2, 4, tmp_path / "p.tif", 20, zero=0.35)
    classes = classify(proba, out=tmp_path / "c.tif", min_area=20_000)
    polygons = gpd.read_file(polygonize(classes, out=tmp_path / "p.gpkg", proba=proba, simplify=40))
    coast = gpd.read_file(trace_coastline(proba, water="water", out=tmp_path / "l.gpkg",
                                          min_length=1000))
    with rasterio.open(source) as dataset:
        pixel, size = abs(dataset.transform.determinant), dataset.width * dataset.height
        assert polygons.crs == coast.crs == pyproj.CRS.from_user_input(dataset.crs)
    assert polygons["area_m2"].sum() == pytest.approx(pixel * size, rel=0.01)
    assert shapely.coverage_is_valid(polygons.geometry.values)
    assert polygons["confidence"].between(0.5, 1).all()
    # The sea's polygon and the coastline are two descriptions of one edge.
    sea = polygons[polygons["class"] == "water"].sort_values("area_m2").geometry.iloc[-1]
    points = shapely.points(shapely.get_coordinates(shapely.segmentize(coast.geometry[0], 30)))
    assert np.median(shapely.distance(points, sea.boundary)) < 28.5
