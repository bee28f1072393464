"""Geometry of crops: image, mask and label move together; nodata and ignore are respected."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from geoseg.geo.legend import IGNORE
from geoseg.recipe import AugmentRecipe
from geoseg.samples.augment import Warp, draw_warp, pad, resample, turn
from geoseg.samples.augment.bending import grid_nodes, grid_weights

STILL = {"rotation": 0, "shear": 0, "elastic": 0, "grid_distortion": 0}


def coordinates(side):
    """A sample whose image and label both hold column and row; a corner of the label is ignored."""
    rows, columns = np.mgrid[:side, :side]
    places = np.stack([columns, rows])
    label = places.astype(np.uint8)
    label[:, :side // 3, :side // 4] = IGNORE
    return places.astype(np.float32), np.ones((side, side), bool), label


def warp_of(matrix, size, shift=0.0):
    """The warp that takes the pixel at p, from the middle, from matrix times (p + shift)."""
    nodes = grid_nodes(size, 0, np.random.default_rng(0)) + shift
    return Warp(grid_weights(size), np.tensordot(np.array(matrix), nodes, axes=1))


def turned(degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return [[c, -s], [s, c]]


def shifts(size, seed, **recipe):
    """Displacements along columns and rows that a recipe draws, (2, size, size)."""
    warp = draw_warp(AugmentRecipe(**{**STILL, **recipe}), size, np.random.default_rng(seed))
    rows, columns = np.mgrid[:size, :size] - (size - 1) / 2
    return np.stack(warp.places()) - np.stack([columns, rows])


warps = st.builds(
    lambda seed, **recipe: (recipe, seed), seed=st.integers(0, 10**6),
    rotation=st.sampled_from([0, 20, 45]), shear=st.sampled_from([0, 15, 30]),
    elastic=st.sampled_from([0, 2]), grid_distortion=st.sampled_from([0, 0.3]))


@settings(deadline=None, max_examples=60)
@given(warp=warps, size=st.sampled_from([32, 64]), factor=st.floats(0.6, 1.5))
def test_image_and_label_come_from_the_same_place(warp, size, factor):
    recipe, seed = warp
    bent = draw_warp(AugmentRecipe(elastic_scale=16, **recipe), size, np.random.default_rng(seed))
    ground = round(size * factor)
    side = math.ceil(ground * (bent.reach() if bent else 1))
    image, valid, label = coordinates(side)
    shown, mask, labels = resample((image, valid, label), size, ground / size, bent)
    assert shown.shape == labels.shape == (2, size, size)
    assert mask.all(), "the window holds all that the crop shows"
    ignored = labels[0] == IGNORE
    np.testing.assert_array_equal(ignored, labels[1] == IGNORE)
    inner = ~ignored & (np.minimum(shown, side - 1 - shown) > 2).all(0)
    assert np.abs(shown - labels)[:, inner].max(initial=0) < 0.56
    deep = (shown[0] < side // 4 - 1.5) & (shown[1] < side // 3 - 1.5)
    assert ignored[deep].all()
    assert not ignored[(shown[0] > side // 4 + 0.5) | (shown[1] > side // 3 + 0.5)].any()


@settings(deadline=None, max_examples=30)
@given(warp=warps, factor=st.floats(0.6, 2.2), seed=st.integers(0, 1000))
def test_nodata_touches_nothing_beside_it(warp, factor, seed):
    """Valid pixels are all 7; an average that took in a single invalid 0 would be less."""
    recipe, _ = warp
    bent = draw_warp(AugmentRecipe(**recipe), 32, np.random.default_rng(seed))
    side = 70 if bent else round(32 * factor)
    valid = np.random.default_rng(seed).random((side, side)) < 0.6
    label = np.where(valid, 1, IGNORE).astype(np.uint8)[None]
    image, mask, labels = resample((valid[None] * np.float32(7), valid, label), 32,
                                   factor if bent else side / 32, bent)
    np.testing.assert_allclose(image[:, mask], 7, rtol=1e-5)
    np.testing.assert_array_equal(labels[0] != IGNORE, mask)
    assert 0.2 < mask.mean() < 0.95


def test_a_warp_is_what_scipy_makes_of_it():
    random = np.random.default_rng(0)
    image = random.normal(size=(1, 90, 90)).astype(np.float32)
    label = random.integers(0, 5, (1, 90, 90)).astype(np.uint8)
    matrix = np.array(turned(20))
    moved = random.uniform(-3, 3, (2, 6, 6))
    found, mask, labels = resample((image, np.ones((90, 90), bool), label), 48, 0.9,
                                   warp_of(matrix, 48, moved))
    assert mask.all()
    rows, columns = np.mgrid[:48, :48]
    between = [(rows + 0.5) * 5 / 48, (columns + 0.5) * 5 / 48]
    columns, rows = (place - 23.5 + map_coordinates(shift, between, order=1)
                     for place, shift in zip((columns, rows), moved, strict=True))
    places = np.stack([matrix[1, 0] * columns + matrix[1, 1] * rows,
                       matrix[0, 0] * columns + matrix[0, 1] * rows]) * 0.9 + 44.5
    np.testing.assert_allclose(found[0], map_coordinates(image[0], places, order=1), atol=0.05)
    nearest = label[0][tuple(np.rint(places).astype(int))]
    assert (labels[0] == nearest).mean() > 0.99


def test_a_quarter_turn_and_a_shift_are_exact():
    sample = coordinates(40)
    quarter = warp_of([[0.0, -1.0], [1.0, 0.0]], 40)
    for found, given_ in zip(resample(sample, 40, 1.0, quarter), sample, strict=True):
        np.testing.assert_allclose(found, np.rot90(given_, 1, (-2, -1)), atol=1e-4)
    aside = warp_of(np.eye(2), 40, np.array([3.0, 0.0])[:, None, None])
    image, mask, labels = resample(sample, 40, 1.0, aside)
    np.testing.assert_array_equal(image[..., :37], sample[0][..., 3:])
    np.testing.assert_array_equal(labels[..., :37], sample[2][..., 3:])
    assert not mask[:, 37:].any()
    assert (labels[..., 37:] == IGNORE).all()


def test_what_comes_from_outside_is_ignored():
    still = warp_of(turned(45), 64)
    image, valid = np.ones((1, 64, 64), np.float32), np.ones((64, 64), bool)
    _, mask, labels = resample((image, valid, np.zeros((1, 64, 64), np.uint8)), 64, 1.0, still)
    assert mask.mean() == pytest.approx(2 * (np.sqrt(2) - 1), abs=0.02), "a regular octagon"
    np.testing.assert_array_equal(labels[0] == IGNORE, ~mask)


@pytest.mark.parametrize("degrees", [17, 31])
@pytest.mark.parametrize("factor", [1.5, 2, 3.4])
def test_shrinking_averages_the_image(factor, degrees):
    """Of white noise an average over factor² pixels has a standard deviation of 1 / factor."""
    side = math.ceil(128 * factor * 1.4)
    image = np.random.default_rng(0).normal(5, 1, size=(1, side, side)).astype(np.float32)
    sample = image, np.ones((side, side), bool), np.zeros((1, side, side), np.uint8)
    small, _, _ = resample(sample, 128, factor, warp_of(turned(degrees), 128))
    assert small.std() == pytest.approx(1 / factor, rel=0.1)
    assert small.mean() == pytest.approx(5, abs=0.02)


def test_shrinking_without_a_warp_is_the_mean():
    image = np.random.default_rng(0).random((1, 64, 64)).astype(np.float32)
    sample = image, np.ones((64, 64), bool), np.zeros((1, 64, 64), np.uint8)
    small, _, _ = resample(sample, 32, 2.0)
    np.testing.assert_allclose(small[0], image[0].reshape(32, 2, 32, 2).mean((1, 3)), atol=1e-6)


@given(seed=st.integers(0, 10**6))
def test_rotation_and_shear_keep_areas_and_their_limits(seed):
    def matrix(**recipe):
        columns, rows = draw_warp(AugmentRecipe(**recipe), 32, np.random.default_rng(seed)).places()
        return (columns[0, 1] - columns[0, 0], columns[1, 0] - columns[0, 0],
                rows[0, 1] - rows[0, 0], rows[1, 0] - rows[0, 0])

    a, b, c, d = matrix(rotation=20)
    assert (a, b) == (pytest.approx(d, abs=1e-4), pytest.approx(-c, abs=1e-4))
    assert abs(np.degrees(np.arctan2(c, a))) <= 20.01
    a, b, c, d = matrix(rotation=20, shear=30)
    assert a * d - b * c == pytest.approx(1, abs=1e-4)
    a, b, c, d = matrix(shear=30)
    assert a == pytest.approx(d, abs=1e-4)
    assert max(abs(b / a), abs(c / d)) <= np.tan(np.radians(30)) + 1e-4


def test_nothing_is_drawn_where_nothing_is_asked_for():
    assert draw_warp(AugmentRecipe(**STILL), 32, np.random.default_rng(0)) is None
    sample = coordinates(32)
    assert resample(sample, 32, 1.0) is sample


def test_elastic_displacements_have_the_spread_and_smoothness_asked_for():
    """Noise smoothed by a Gaussian of σ has the correlation exp(-d² / 4σ²) at the distance d."""
    fields = np.stack([shifts(64, s, elastic=3, elastic_scale=8) for s in range(500)])
    assert fields.shape == (500, 2, 64, 64)
    spread = fields.std(axis=(0, 1))
    assert spread.mean() == pytest.approx(3.0, rel=0.03)
    assert spread.max() / spread.min() < 1.35
    for distance in (4, 8, 16):
        found = (fields[..., distance:] * fields[..., :-distance]).mean() / 9
        assert found == pytest.approx(np.exp(-distance**2 / 256), abs=0.04)
    assert np.abs((fields[:, 0] * fields[:, 1]).mean()) < 0.3, "the axes know nothing of each other"


@given(seed=st.integers(0, 10**6), share=st.floats(0.01, 0.49), size=st.sampled_from([32, 75]))
def test_grid_distortion_folds_nothing_and_keeps_the_outline(seed, share, size):
    shift = shifts(size, seed, grid_distortion=share)
    assert np.abs(shift).max() <= share * size / 5 + 1e-3
    rows, columns = np.mgrid[:size, :size] + 0.5
    places = columns + shift[0], rows + shift[1]
    assert (np.diff(places[0], axis=1) > 0).all()
    assert (np.diff(places[1], axis=0) > 0).all()
    assert all(0 < place.min() < place.max() < size for place in places)
    bend = np.diff(shift[0][:, : size // 5], n=2, axis=1)
    assert np.abs(bend).max() < 1e-3, "linear within a cell"


@given(seed=st.integers(0, 1000))
def test_turns_move_everything_alike_and_change_no_value(seed):
    random = np.random.default_rng(seed)
    label = random.integers(0, 4, (1, 24, 24)).astype(np.uint8)
    valid = random.random((24, 24)) < 0.7
    image = np.where(valid, label * np.float32(10), 0)
    for turns in ("flip", "flips", "d4"):
        turned, mask, labels = turn((image, valid, label), turns, np.random.default_rng(seed))
        np.testing.assert_array_equal(turned, np.where(mask, labels * 10.0, 0))
        assert sorted(turned.ravel()) == sorted(image.ravel())
        np.testing.assert_array_equal(np.bincount(labels.ravel()), np.bincount(label.ravel()))
        assert mask.sum() == valid.sum()


@pytest.mark.parametrize(("turns", "count"), [("none", 1), ("flip", 2), ("flips", 4), ("d4", 8)])
def test_all_turns_occur(turns, count):
    marker = np.arange(9, dtype=np.float32).reshape(1, 3, 3)
    sample = marker, np.ones((3, 3), bool), marker.astype(np.uint8)
    seen = {turn(sample, turns, np.random.default_rng(seed))[0].tobytes() for seed in range(200)}
    assert len(seen) == count
    if turns == "flips":
        assert seen == {np.ascontiguousarray(marker[:, ::rows, ::columns]).tobytes()
                        for rows in (1, -1) for columns in (1, -1)}


def test_padding_is_invalid_and_ignored():
    image, mask, labels = pad(coordinates(20), 32)
    assert image.shape == (2, 32, 32)
    assert mask.sum() == 400
    assert (labels[:, ~mask] == IGNORE).all()
    assert (image[:, ~mask] == 0).all()
