"""Training crops as a whole: what they show, whence, and that they can be made again."""

import json

import geopandas as gpd
import numpy as np
import pytest
import shapely

from geoseg.geo.legend import IGNORE
from geoseg.learn.card import BandCard
from geoseg.learn.dataset import Scenes, TrainingCrops
from geoseg.recipe import AugmentRecipe
from tests.worlds import write_image

SIDE, FIRST, LAST = 200, 40, 168
"""The training area is the square of rows and columns FIRST..LAST of a scene of SIDE."""
BENT = {"rotation": 20, "shear": 10, "elastic": 1.5, "elastic_scale": 12, "grid_distortion": 0.2}
LIGHT = {"brightness": 0, "contrast": 0, "band_shift": 0, "noise": 0}


def cards(count, dtype, **changes):
    values = {"name": "", "dtype": dtype, "offset": 0, "gain": 1, "low": 0, "high": 200, **changes}
    return [BandCard(index=i + 1, **values) for i in range(count)]


def chips_of(image, label, size=32):
    starts = [(column, row) for row in range(FIRST, LAST, size)
              for column in range(FIRST, LAST, size)]
    boxes = [shapely.box(c, -r - size, c + size, -r) for c, r in starts]
    return gpd.GeoDataFrame({
        "scene": str(image), "label": str(label), "col": [c for c, _ in starts],
        "row": [r for _, r in starts], "width": size, "height": size, "weight": 1.0},
        geometry=boxes)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Image and label hold column and row; the image has a hole, the label an unknown patch."""
    folder = tmp_path_factory.mktemp("world")
    rows, columns = np.mgrid[:SIDE, :SIDE]
    places = np.stack([columns, rows]).astype(np.uint8)
    image = places.copy()
    image[:, 90:110, 60:80] = 250
    label = places.copy()
    label[:, 60:80, 120:150] = IGNORE
    return (write_image(folder / "image.tif", image, nodata=250),
            write_image(folder / "label.tif", label, nodata=IGNORE))


def crops(world, scenes, **augment):
    return TrainingCrops(scenes, chips_of(*world), cards(2, "uint8"),
                         AugmentRecipe(**{**LIGHT, **augment}), 32, seed=1)


@pytest.mark.parametrize("augment", [
    {}, {"scale": (0.5, 2.0)}, BENT, {**BENT, "mosaic": 1.0}, {**BENT, "cutout": 0.3},
    {"turns": "flips", "mosaic": 0.5, "cutout": 0.2},
], ids=json.dumps)
def test_labels_belong_to_what_the_image_shows(world, augment):
    ignored = []
    with Scenes() as scenes:
        made = crops(world, scenes, **augment)
        for step in range(40):
            image, labels = made.crop(step, 0)
            known, seen = labels[0] != IGNORE, image.any(axis=0)
            ignored.append(1 - known.mean())
            assert np.abs(image - labels)[:, known & seen].max(initial=0) < 1.1
            shown = labels[:, known]
            assert shown.min(initial=FIRST) >= FIRST
            assert shown.max(initial=LAST - 1) < LAST, "no pixel of elsewhere is ever seen"
            column, row = labels.astype(int)
            assert not (known & (row >= 90) & (row < 110) & (column >= 60) & (column < 80)).any()
            assert not (known & (row >= 60) & (row < 80) & (column >= 120) & (column < 150)).any()
            blank = known & ~seen
            if "cutout" not in augment:
                assert not blank.any()
            elif blank.any():
                rows, columns = np.nonzero(blank)
                assert (image[:, rows.min():rows.max() + 1, columns.min():columns.max() + 1]
                        == 0).all()
    assert np.mean(ignored) < 0.25, "corners show what lies around, not nothing"


def test_without_data_the_image_is_zero_under_any_light(world):
    light = {"brightness": 1, "noise": 1, "gamma": 0.5, "band_mix": 0.3}
    with Scenes() as scenes:
        dull, bright = (crops(world, scenes, **BENT, **{**LIGHT, **extra})
                        for extra in ({}, light))
        emptied = 0
        for step in range(30):
            image, _ = dull.crop(step, 0)
            other, _ = bright.crop(step, 0)
            empty = ~image.any(axis=0)
            assert not other[:, empty].any()
            assert other[:, ~empty].any(axis=0).all()
            emptied += empty.sum()
        assert emptied > 100


def test_everything_is_a_function_of_seed_and_step(world):
    everything = {**BENT, "mosaic": 0.5, "cutout": 0.2, "brightness": 0.2, "contrast": 0.2,
                  "gamma": 0.3, "band_shift": 0.1, "band_mix": 0.1, "noise": 0.1}
    with Scenes() as scenes:
        first, again = crops(world, scenes, **everything), crops(world, scenes, **everything)
        backwards = {step: again.batch(step, 2) for step in reversed(range(6))}
        for step in range(6):
            for one, other in zip(first.batch(step, 2), backwards[step], strict=True):
                np.testing.assert_array_equal(one, other)
        assert not np.array_equal(backwards[0][0], backwards[1][0])


def test_a_chip_at_the_edge_is_shown_at_the_scale_asked_for_too(world):
    """Around the corner chip there is room for a window of twice its size on one side only."""
    with Scenes() as scenes:
        made = crops(world, scenes, scale=(2, 2))
        factors = [made.draw_window(0, np.random.default_rng(seed))[1] for seed in range(200)]
        assert set(factors) == {1.0, 2.0}
        assert np.mean(np.array(factors) == 2) > 0.25
        inner = [made.draw_window(5, np.random.default_rng(seed))[1] for seed in range(50)]
        assert set(inner) == {2.0}


def test_a_lonely_chip_is_turned_in_place_and_its_corners_ignored(world):
    """No larger window fits, and the scale is the one asked for."""
    with Scenes() as scenes:
        still = AugmentRecipe(**LIGHT, rotation=45, scale=(1, 1), turns="none")
        made = TrainingCrops(scenes, chips_of(*world).iloc[[0]], cards(2, "uint8"), still, 32, 0)
        steepest = 0.0
        for step in range(20):
            image, labels = made.crop(step, 0)
            known = labels[0] != IGNORE
            assert np.abs(image - labels)[:, known].max() < 1.1
            column = image[0][16]
            steepest = max(steepest, 1 - known.mean())
            steps = np.hypot(*np.diff(image[:, 16, 8:24], axis=1))
            np.testing.assert_allclose(steps, 1, atol=0.05)
            assert column[16] == pytest.approx(FIRST + 16, abs=1)
        assert 0.1 < steepest < 0.2


def test_speckled_pixels_are_averaged_in_power(tmp_path):
    """Of amplitudes 100 and 1000 the mean power is 505000, the mean of their dB is not that."""
    amplitudes = np.indices((SIDE, SIDE)).sum(axis=0) % 2 * 900 + 100
    image = write_image(tmp_path / "image.tif", amplitudes[None].astype(np.uint16))
    label = write_image(tmp_path / "label.tif", np.zeros((1, SIDE, SIDE), np.uint8))
    bands = cards(1, "uint16", transform="sigma0", calibration=-83.0, offset=-30.0, gain=4.0)
    with Scenes() as scenes:
        made = TrainingCrops(scenes, chips_of(image, label), bands,
                             AugmentRecipe(**LIGHT, scale=(2, 2)), 32, seed=0)
        shown, _ = made.crop(0, 0)
    expected = 10 * np.log10((100**2 + 1000**2) / 2) - 83
    np.testing.assert_allclose(shown * 4 - 30, expected, atol=1e-3)
