"""Class maps against NumPy and per-pixel oracles, and what must hold after sieving."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasterio.features import sieve
from scipy.ndimage import gaussian_filter, label

from geoseg.errors import Cancelled, GeosegError, OutputError, RasterError
from geoseg.geo.grid import PIXEL_SPACE, Grid
from geoseg.geo.legend import IGNORE, Legend
from geoseg.geo.raster import open_raster
from geoseg.maps.classify import classify, threshold_rule
from geoseg.maps.probabilities import STEPS
from tests.maps.worlds import DEGREES, make_legend, write_probabilities

THREE = make_legend("field", "water", "road")
TWO = make_legend("land", "water")
OVERLAPPING = make_legend("fish", "flower", "sugar", overlapping=True)
STEPPED = st.integers(0, STEPS).map(lambda step: np.float32(step) * np.float32(1 / STEPS))


def read_map(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read()


def random_probabilities(classes: int, shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    raw = np.random.default_rng(seed).random((classes, *shape)) ** 3
    return raw / raw.sum(axis=0)


def stored(probabilities: np.ndarray) -> np.ndarray:
    return np.rint(probabilities * STEPS) / STEPS


@pytest.fixture
def three(tmp_path: Path) -> Path:
    return write_probabilities(tmp_path / "p.tif", random_probabilities(3, (40, 50)), THREE)


def test_the_most_probable_class_wins_and_the_first_of_equals(tmp_path: Path) -> None:
    probabilities = random_probabilities(3, (1100, 7))  # three row bands
    probabilities[:, 5, :] = 1 / 3
    path = write_probabilities(tmp_path / "p.tif", probabilities, THREE)
    result = read_map(classify(path, out=tmp_path / "c.tif"))
    np.testing.assert_array_equal(result[0], np.argmax(stored(probabilities), axis=0))
    assert (result[0, 5] == 0).all()


def test_the_file_keeps_grid_names_colours_and_nodata(tmp_path: Path) -> None:
    valid = np.ones((30, 20), dtype=bool)
    valid[3:9, 4:] = False
    path = write_probabilities(tmp_path / "p.tif", random_probabilities(3, (30, 20)), THREE,
                               valid=valid)
    out = classify(path, out=tmp_path / "c.tif")
    with open_raster(out) as dataset, open_raster(path) as source:
        assert Grid.of(dataset) == Grid.of(source)
        assert Legend.of(dataset) == THREE
        assert dataset.nodata == IGNORE
        assert dataset.dtypes == ("uint8",)
        assert dataset.colormap(1)[1] == (*THREE.classes[1].rgb, 255)
        np.testing.assert_array_equal(dataset.read(1) == IGNORE, ~valid)
        np.testing.assert_array_equal(dataset.read_masks(1) > 0, valid)


def test_one_threshold_leaves_uncertain_pixels_unclassified(three: Path, tmp_path: Path) -> None:
    result = read_map(classify(three, out=tmp_path / "c.tif", threshold=0.6))[0]
    probabilities = stored(random_probabilities(3, (40, 50)))
    expected = np.where(probabilities.max(axis=0) >= 0.6, probabilities.argmax(axis=0), IGNORE)
    np.testing.assert_array_equal(result, expected)
    assert 0.1 < (result == IGNORE).mean() < 0.9


@given(probabilities=arrays(np.float32, (4, 3, 5), elements=STEPPED),
       thresholds=st.dictionaries(st.sampled_from("abcd"), st.floats(0, 1)))
def test_named_thresholds_pick_the_best_class_that_reaches_its_own(
        probabilities: np.ndarray, thresholds: dict[str, float]) -> None:
    legend = make_legend(*"abcd")
    result = threshold_rule(thresholds, legend, {})(probabilities)
    for row, column in np.ndindex(3, 5):
        allowed = [(-float(p), value) for value, p in enumerate(probabilities[:, row, column])
                   if p >= thresholds.get("abcd"[value], 0) - 1e-6]
        assert result[0, row, column] == (min(allowed)[1] if allowed else IGNORE)


@pytest.mark.parametrize(("threshold", "carried", "expected"), [
    (0.25, {"water": 0.9}, lambda land, water: water >= 0.25),
    ({"water": 0.25}, {}, lambda land, water: water >= 0.25),
    ({"land": 0.25}, {}, lambda land, water: land < 0.25),
    (None, {"water": 0.8}, lambda land, water: water >= 0.8),
    (None, {"land": 0.3, "water": 0.7}, lambda land, water: water >= 0.7),
    (None, {}, lambda land, water: water > land),
])
def test_a_threshold_of_two_classes_belongs_to_the_second_or_the_named(
        tmp_path: Path, threshold, carried, expected) -> None:
    steps = np.arange(STEPS + 1) / STEPS
    probabilities = np.stack([1 - steps, steps])[:, np.newaxis]
    path = write_probabilities(tmp_path / "p.tif", probabilities, TWO, thresholds=carried)
    result = read_map(classify(path, out=tmp_path / "c.tif", threshold=threshold))[0]
    np.testing.assert_array_equal(result, expected(*np.round(probabilities, 9)))


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_overlapping_classes_take_the_given_then_the_carried_then_half(
        tmp_path: Path, dtype: str) -> None:
    probabilities = np.random.default_rng(1).random((3, 20, 30))
    valid = np.ones((20, 30), dtype=bool)
    valid[:4] = False
    path = write_probabilities(tmp_path / "p.tif", probabilities, OVERLAPPING, valid=valid,
                               dtype=dtype, thresholds={"fish": 0.9, "flower": 0.2})
    result = read_map(classify(path, out=tmp_path / "c.tif", threshold={"fish": 0.7}))
    seen = stored(probabilities) if dtype == "uint8" else probabilities
    for band, least in enumerate([0.7, 0.2, 0.5]):
        expected = np.where(valid, seen[band] >= least, IGNORE)
        np.testing.assert_array_equal(result[band], expected)
    with open_raster(tmp_path / "c.tif") as dataset:
        assert dataset.descriptions == OVERLAPPING.names


def test_every_stored_step_reaches_its_own_threshold() -> None:
    steps = (np.arange(STEPS + 1, dtype=np.float32) * np.float32(1 / STEPS))[np.newaxis]
    for step in range(STEPS + 1):
        rule = threshold_rule(step / STEPS, make_legend("a", overlapping=True), {})
        assert rule(steps[np.newaxis])[0, 0].tolist() == [int(k >= step) for k in range(STEPS + 1)]


def patches(values: np.ndarray) -> list[np.ndarray]:
    """All 4-connected patches as masks."""
    found = []
    for value in np.unique(values[values != IGNORE]):
        labels, count = label(values == value)
        found += [labels == index for index in range(1, count + 1)]
    return found


@settings(max_examples=25, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=arrays(np.uint8, (12, 14), elements=st.sampled_from([0, 0, 1, 2, IGNORE])),
       least=st.integers(2, 9))
def test_no_patch_stays_too_small_unless_nodata_surrounds_it(
        tmp_path: Path, values: np.ndarray, least: int) -> None:
    one_hot = np.stack([values == k for k in range(3)]).astype(float)
    path = tmp_path / "p.tif"
    path.unlink(missing_ok=True)
    write_probabilities(path, one_hot, THREE, valid=values != IGNORE)
    out = classify(path, out=tmp_path / "c.tif", min_area=least * 100.0, overwrite=True)
    result = read_map(out)[0]
    np.testing.assert_array_equal(result == IGNORE, values == IGNORE)
    for patch in patches(result):
        around = np.zeros_like(patch)
        around[1:] |= patch[:-1]
        around[:-1] |= patch[1:]
        around[:, 1:] |= patch[:, :-1]
        around[:, :-1] |= patch[:, 1:]
        lonely = not ((result != IGNORE) & around & ~patch).any()
        assert patch.sum() >= least or lonely or _stuck(result, patch, around, least)
    assert not list(tmp_path.glob(".geoseg-*"))


def _stuck(result: np.ndarray, patch: np.ndarray, around: np.ndarray, least: int) -> bool:
    """Whether a region within nodata holds no patch that is large enough to merge into."""
    region, _ = label(result != IGNORE)
    mine = region == region[patch][0]
    return all(p.sum() < least for p in patches(np.where(mine, result, IGNORE)))


def test_clusters_of_small_patches_go_too_where_one_pass_leaves_them(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).standard_normal((4, 150, 150))
    values = np.argmax(gaussian_filter(noise, (0, 1.5, 1.5)), axis=0).astype(np.uint8)
    once = sieve(values, 200, connectivity=4)
    assert min(patch.sum() for patch in patches(once)) < 200
    legend = make_legend(*"abcd")
    one_hot = np.stack([values == k for k in range(4)]).astype(float)
    path = write_probabilities(tmp_path / "p.tif", one_hot, legend)
    result = read_map(classify(path, out=tmp_path / "c.tif", min_area=200 * 100.0))[0]
    assert min(patch.sum() for patch in patches(result)) >= 200


def test_a_patch_goes_to_its_largest_neighbour_and_area_counts_on_the_ground(
        tmp_path: Path) -> None:
    values = np.zeros((20, 20), dtype=np.uint8)
    values[:, 14:] = 1
    values[5:7, 13:15] = 2  # 4 px between the two
    one_hot = np.stack([values == k for k in range(3)]).astype(float)
    crs, transform = DEGREES
    path = write_probabilities(tmp_path / "p.tif", one_hot, THREE, transform=transform, crs=crs)
    with open_raster(path) as dataset:
        area = Grid.of(dataset).pixel_area
    assert area == pytest.approx(57.3, rel=0.01)  # 7.36 m x 7.78 m at 48.75° N
    kept = classify(path, out=tmp_path / "kept.tif", min_area=4 * area)
    np.testing.assert_array_equal(read_map(kept)[0], values)
    merged = read_map(classify(path, out=tmp_path / "merged.tif", min_area=4.01 * area))[0]
    assert (merged[5:7, 13:15] == 0).all()
    assert (merged[values != 2] == values[values != 2]).all()


def test_pixel_space_stays_pixel_space(tmp_path: Path) -> None:
    path = write_probabilities(tmp_path / "p.tif", random_probabilities(2, (9, 8)), TWO, crs=None)
    with open_raster(classify(path, out=tmp_path / "c.tif", min_area=3)) as dataset:
        grid = Grid.of(dataset)
    assert grid == Grid(None, PIXEL_SPACE, 8, 9)


@pytest.mark.parametrize("options", [
    {"threshold": 1.5}, {"threshold": float("nan")}, {"threshold": {"wtaer": 0.5}},
    {"threshold": {"water": -0.1}}, {"min_area": -1}, {"min_area": float("inf")}])
def test_bad_options_are_refused_and_leave_nothing(three: Path, tmp_path: Path, options) -> None:
    with pytest.raises(GeosegError):
        classify(three, out=tmp_path / "c.tif", **options)
    assert [path.name for path in tmp_path.iterdir()] == ["p.tif"]


def test_it_refuses_other_rasters_and_existing_files(three: Path, tmp_path: Path) -> None:
    out = classify(three, out=tmp_path / "c.tif")
    with pytest.raises(OutputError, match="exists already"):
        classify(three, out=out)
    with pytest.raises(RasterError, match="not a probability raster"):
        classify(out, out=tmp_path / "again.tif")
    assert classify(str(three), out=str(out), overwrite=True, threshold=0.5) == out


@pytest.mark.parametrize("min_area", [0, 500])
def test_cancelling_leaves_nothing(three: Path, tmp_path: Path, min_area: float) -> None:
    def stop(fraction: float, message: str) -> None:
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        classify(three, out=tmp_path / "c.tif", min_area=min_area, progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["p.tif"]


def test_progress_rises_to_one(three: Path, tmp_path: Path) -> None:
    seen: list[float] = []
    classify(three, out=tmp_path / "c.tif", min_area=500, progress=lambda f, _: seen.append(f))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
