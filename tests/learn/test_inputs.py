"""Transforms and scaling of stored values, from the card of a band to a map of amplitudes."""

import logging

import numpy as np
import pytest
import rasterio
import torch
from hypothesis import given
from hypothesis import strategies as st
from rasterio.windows import Window

from geoseg.errors import ModelError, RecipeError, TrainingError
from geoseg.geo.raster import open_raster
from geoseg.learn.card import BandCard
from geoseg.learn.inputs import measure_bands
from geoseg.learn.model import Model
from geoseg.learn.scaling import defined, read_bands, scale, transformed
from geoseg.learn.train import train
from geoseg.maps.predict import predict
from geoseg.progress import silent
from geoseg.recipe import Recipe
from geoseg.samples.chips import plan_chips
from tests.learn.scenes import make_recipe, write_labels
from tests.worlds import write_image


def card(transform="none", **changes):
    values = {"index": 1, "name": "", "dtype": "uint16", "offset": 0.0, "gain": 1.0, "low": 0.0,
              "high": 1.0, "transform": transform, **changes}
    return BandCard(**values)


def test_backscatter_is_calibrated_as_palsar_is():
    """By hand: σ⁰ = 10 log10(1000²) - 83 = -23 dB; a tenth of the amplitude is 20 dB less."""
    numbers = np.array([1000, 100, 1, 65535], np.uint16).reshape(1, 2, 2)
    found = transformed(numbers, [card("sigma0", calibration=-83.0)])
    np.testing.assert_allclose(found.ravel(), [-23, -43, -83, 13.3295], atol=1e-4)
    assert found.dtype == np.float32


def test_the_other_transforms():
    values = np.array([0, 1, 25, 65535], np.uint16).reshape(1, 2, 2)
    np.testing.assert_allclose(transformed(values, [card("sqrt")]).ravel(),
                               [0, 1, 5, 255.998], atol=1e-3)
    np.testing.assert_allclose(transformed(values, [card("log")]).ravel(),
                               [0, 0.693147, 3.258097, 11.090355], atol=1e-5)
    np.testing.assert_array_equal(transformed(values, [card()]), values)


def test_each_band_has_its_own_transform():
    values = np.full((2, 3, 1, 1), 100, np.uint16)
    bands = [card("sqrt"), card(), card("sigma0", calibration=-43.0)]
    np.testing.assert_allclose(transformed(values, bands)[1].ravel(), [10, 100, -3], atol=1e-5)


@pytest.mark.parametrize(("transform", "expected"), [
    ("none", [True] * 4), ("sqrt", [False, True, True, True]), ("log", [False, True, True, True]),
    ("sigma0", [False, False, True, True]),
])
def test_what_a_transform_leaves_undefined_is_invalid_and_scaled_to_the_centre(transform,
                                                                               expected):
    values = np.array([-2.0, 0.0, 0.5, 7.0], np.float32).reshape(1, 2, 2)
    bands = [card(transform, offset=3.0, gain=2.0)]
    np.testing.assert_array_equal(defined(values, bands).ravel(), expected)
    scaled = scale(values, np.ones_like(values, bool), bands).ravel()
    assert np.isfinite(scaled).all()
    assert (scaled[~np.array(expected)] == 0).all()
    assert (scaled[np.array(expected)] != 0).all()


@given(st.lists(st.floats(1, 6e4, width=32), min_size=4, max_size=4))
def test_scaling_follows_the_transform_and_clips_last(numbers):
    values = np.array(numbers, np.float32).reshape(1, 2, 2)
    bands = [card("sigma0", calibration=-83.0, offset=-20.0, gain=8.0, clip=True)]
    expected = np.clip((20 * np.log10(np.array(numbers)) - 83 + 20) / 8, -1, 1)
    found = scale(values, np.ones_like(values, bool), bands)
    np.testing.assert_allclose(found.ravel(), expected, atol=1e-5)


def amplitude_scene(folder, side=192):
    """Write uint16 amplitudes of speckled land and water, with a stripe of 0, and labels."""
    random = np.random.default_rng(0)
    water = np.add.outer(np.arange(side), np.arange(side)) // 32 % 2
    power = np.where(water, 1e4, 1e6) * random.gamma(4, 1 / 4, (side, side))
    amplitude = np.maximum(1, np.sqrt(power)).astype(np.uint16)
    amplitude[:, 50:60] = 0
    image = write_image(folder / "sar.tif", amplitude[None])
    return image, write_labels(folder / "labels.tif", image, water), amplitude


def recipe_with(image, augment=None, **train_settings):
    made = make_recipe(**{"steps": 2, **train_settings}).to_dict()
    return Recipe.from_dict({**made, "image": image, "augment": augment or {}})


@pytest.fixture(scope="module")
def radar(tmp_path_factory):
    folder = tmp_path_factory.mktemp("radar")
    image, label, amplitude = amplitude_scene(folder)
    return plan_chips(image, label, size=32, block=1, out=folder / "chips.gpkg"), image, amplitude


def training_values(plan, amplitude):
    """The non-zero amplitudes of the training chips, as float64."""
    parts = [amplitude[r.row:r.row + r.height, r.col:r.col + r.width].ravel()
             for r in plan.rows("train").itertuples()]
    values = np.concatenate(parts).astype(float)
    return values[values > 0]


def test_statistics_are_those_of_transformed_values(radar):
    plan, _, amplitude = radar
    [band] = measure_bands(plan.rows("train"), recipe_with({"transform": "sigma0"}), silent)
    decibels = 20 * np.log10(training_values(plan, amplitude)) - 83
    assert band.offset == pytest.approx(decibels.mean(), abs=1e-4)
    assert band.gain == pytest.approx(decibels.std(), rel=1e-4)
    assert (band.low, band.high) == (pytest.approx(np.percentile(decibels, 1), abs=0.5),
                                     pytest.approx(np.percentile(decibels, 99), abs=0.5))
    assert (band.calibration, band.clip) == (-83, False)


def test_percentiles_are_mapped_to_the_ends_and_the_rest_is_clipped(radar):
    plan, _, amplitude = radar
    image = {"transform": "sqrt", "scaling": "quantile", "low": 10, "high": 90}
    [band] = measure_bands(plan.rows("train"), recipe_with(image), silent)
    values = training_values(plan, amplitude)
    # The stripe of zeros has a root, so it takes part.
    everything = np.concatenate([np.sqrt(values), np.zeros(sum(
        (amplitude[r.row:r.row + 32, r.col:r.col + 32] == 0).sum()
        for r in plan.rows("train").itertuples()))])
    low, high = np.percentile(everything, [10, 90])
    ends = np.array([low**2, high**2, 65535, 0]).reshape(1, 2, 2)
    scaled = scale(ends, np.ones(ends.shape, bool), [band]).ravel()
    np.testing.assert_allclose(scaled, [-1, 1, 1, -1], atol=0.05)
    assert np.abs(scaled).max() <= 1


def test_a_fixed_range_is_mapped_to_minus_one_and_one_and_not_clipped(radar):
    image = {"transform": "sigma0", "scaling": "range", "low": -35, "high": 5}
    bands = measure_bands(radar[0].rows("train"), recipe_with(image), silent)
    numbers = 10 ** (np.array([-35, 5, -15, 10]) / 20 + 83 / 20)
    scaled = scale(numbers.reshape(1, 2, 2), np.ones((1, 2, 2), bool), bands)
    np.testing.assert_allclose(scaled.ravel(), [-1, 1, 0, 1.25], atol=1e-5)


def test_speckle_on_values_that_are_no_decibels_is_refused(radar):
    chips = radar[0].rows("train")
    with pytest.raises(TrainingError, match=r"band 1: holds values of \d+, which are no dB"):
        measure_bands(chips, recipe_with({}, {"speckle_looks": 4}), silent)
    for transform in ("sigma0", "sqrt", "log"):
        measure_bands(chips, recipe_with({"transform": transform}, {"speckle_looks": 4}), silent)


def test_a_band_that_the_transform_leaves_empty_is_refused(tmp_path, radar):
    chips = radar[0].rows("train").copy()
    chips["scene"] = str(write_image(tmp_path / "empty.tif", np.zeros((1, 192, 192), np.uint16)))
    with pytest.raises(TrainingError, match="without any valid value, once sigma0 is taken of it"):
        measure_bands(chips, recipe_with({"transform": "sigma0"}), silent)


@pytest.mark.parametrize("image", [
    {"scaling": "quantile", "low": 98, "high": 2}, {"scaling": "range", "low": 1},
    {"transform": "sigma"},
])
def test_impossible_scalings_are_refused(image):
    with pytest.raises(RecipeError, match=r"image|Did you mean 'sigma0'"):
        recipe_with(image)


@pytest.fixture(scope="module")
def trained(radar, tmp_path_factory):
    plan, image, amplitude = radar
    out = tmp_path_factory.mktemp("model") / "m.safetensors"
    recipe = recipe_with({"transform": "sigma0"}, {"speckle_looks": 4, "rotation": 10})
    train(plan, recipe, out=out, device="cpu")
    return Model.load(out, device="cpu"), image, amplitude


def test_a_map_of_amplitudes_is_that_of_values_scaled_by_hand(trained, tmp_path):
    model, image, amplitude = trained
    [band] = model.card.bands
    by_hand = (10 * np.log10(np.maximum(amplitude.astype(float), 1) ** 2) - 83 - band.offset
               ) / band.gain
    by_hand[amplitude == 0] = 0
    with torch.inference_mode():
        logits = model.network(torch.from_numpy(by_hand[None, None]).float())
        expected = (logits / model.card.temperature).softmax(1)[0].numpy()
    found = model.probabilities(amplitude[None, None], np.ones((1, 1, *amplitude.shape), bool),
                                precision="32")[0]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    out = predict(model, image, out=tmp_path / "p.tif", tile=192, overlap=0, dtype="float32",
                  precision="32")
    with rasterio.open(out) as dataset:
        predicted, valid = dataset.read(), dataset.read_masks(1) > 0
    np.testing.assert_array_equal(valid, amplitude > 0)
    np.testing.assert_allclose(predicted[:, valid], expected[:, valid], atol=1e-5)


def test_pixels_without_backscatter_are_no_data_to_a_model(trained):
    model, image, amplitude = trained
    with open_raster(image) as dataset:
        values, valid = read_bands(dataset, Window(40, 0, 64, 64), model.card.bands)
    np.testing.assert_array_equal(values[0], amplitude[:64, 40:104])
    np.testing.assert_array_equal(valid, values > 0)


def test_an_image_is_compared_with_the_training_as_the_model_sees_it(trained, tmp_path, caplog):
    """Zeros do not count; images that hold dB, or shares of the largest amplitude, stand out."""
    model, image, amplitude = trained
    with caplog.at_level(logging.WARNING, "geoseg"):
        predict(model, image, out=tmp_path / "same.tif", tile=96)
    assert "outside the range" not in caplog.text
    amplitudes = np.maximum(amplitude, 1).astype(np.float32)
    for name, values in (("decibels", 20 * np.log10(amplitudes) - 83),
                         ("shares", amplitudes / 65535)):
        other = write_image(tmp_path / f"{name}.tif", values[None])
        with pytest.raises(ModelError, match=r"has \d+% of its values in dB in band 1 outside"):
            predict(model, other, out=tmp_path / "other.tif", tile=96)
