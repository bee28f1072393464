"""Light, noise and speckle of crops: as large as asked for, and of the right kind."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import polygamma

from geoseg.recipe import AugmentRecipe
from geoseg.samples.augment import Radiometry, relight
from geoseg.samples.augment.light import bent_by_gamma

STILL = {"brightness": 0, "contrast": 0, "band_shift": 0, "noise": 0}


def radiometry(bands=1, transform="none", offset=0.0, gain=1.0, low=-2.0, high=2.0):
    column = np.ones((bands, 1, 1), np.float32)
    return Radiometry(transform, *(column * np.float32(v) for v in (offset, gain, low, high)))


def changed(image, seed=0, **recipe):
    return relight(image, radiometry(len(image)), AugmentRecipe(**{**STILL, **recipe}),
                   np.random.default_rng(seed))


def test_light_changes_are_as_large_as_asked_for():
    image = np.zeros((3, 8, 8), np.float32)
    shifts = [changed(image, s, brightness=0.3)[0, 0, 0] for s in range(2000)]
    assert np.std(shifts) == pytest.approx(0.3, rel=0.05)
    each = np.stack([changed(image, s, band_shift=0.3)[:, 0, 0] for s in range(2000)])
    assert np.corrcoef(each.T)[0, 1] == pytest.approx(0, abs=0.1)
    slopes = [np.ptp(changed(np.stack([image[0], image[0] + 1]), s, contrast=0.4))
              for s in range(500)]
    assert 0.6 <= min(slopes) < 0.65
    assert 1.35 < max(slopes) <= 1.4
    np.testing.assert_array_equal(changed(image + 1), image + 1)


def test_noise_is_white_and_differs_between_bands_and_crops():
    image = np.zeros((2, 200, 200), np.float32)
    first, second = changed(image, 1, noise=0.5), changed(image, 2, noise=0.5)
    assert first.std() == pytest.approx(0.5, rel=0.02)
    assert first.mean() == pytest.approx(0, abs=0.01)
    for other in (first[1], second[0], np.roll(first[0], 1, 0), np.roll(first[0], 1, 1)):
        assert np.corrcoef(first[0].ravel(), other.ravel())[0, 1] == pytest.approx(0, abs=0.03)


def test_gamma_bends_the_range_of_training_and_nothing_beyond():
    values = np.array([-3, -1, -0.5, 0, 0.5, 1, 2.5], np.float32).reshape(1, 1, -1)
    bent = bent_by_gamma(values, radiometry(low=-1, high=1), 2.0)
    np.testing.assert_allclose(bent.ravel(), [-3, -1, -0.875, -0.5, 0.125, 1, 2.5], atol=1e-4)
    root = bent_by_gamma(values, radiometry(low=-1, high=1), 0.5)
    np.testing.assert_allclose(root.ravel()[[0, 1, 3, 5, 6]],
                               [-3, -1, np.sqrt(2) - 1, 1, 2.5], atol=3e-3)


def test_gamma_is_drawn_evenly_up_and_down():
    middle = np.zeros((1, 1, 1), np.float32)
    found = np.array([changed(middle, s, gamma=0.5).item() for s in range(800)])
    exponents = np.log((found + 2) / 4) / np.log(0.5)
    assert 1 / 1.5 <= exponents.min() < 0.68
    assert 1.48 < exponents.max() <= 1.5 + 1e-4
    assert np.median(exponents) == pytest.approx(1, abs=0.04)


@given(bands=st.integers(1, 12), seed=st.integers(0, 100))
def test_mixing_bands_is_linear_and_the_same_everywhere(bands, seed):
    """What is zero stays zero; a sum of images mixes to the sum of their mixes."""
    first, second = np.random.default_rng(seed).normal(size=(2, bands, 6, 6)).astype(np.float32)

    def mix(image):
        return changed(image, seed, band_mix=0.3)

    assert not mix(np.zeros_like(first)).any()
    np.testing.assert_allclose(mix(first + second), mix(first) + mix(second), atol=1e-4)
    np.testing.assert_allclose(mix(first[:, ::-1]), mix(first)[:, ::-1], atol=1e-5)


@pytest.mark.parametrize("bands", [1, 3, 10])
def test_mixing_bands_is_as_strong_for_many_bands_as_for_few(bands):
    image = np.random.default_rng(0).normal(size=(bands, 16, 16)).astype(np.float32)
    changes = [changed(image, s, band_mix=0.3) - image for s in range(400)]
    assert np.std(changes) == pytest.approx(0.3, rel=0.1)


AMPLITUDE = 700.0
SEEN = {"none": 20 * np.log10(AMPLITUDE) - 83, "sigma0": 20 * np.log10(AMPLITUDE) - 83,
        "sqrt": np.sqrt(AMPLITUDE), "log": np.log1p(AMPLITUDE)}
POWER = {"none": lambda v: 10 ** ((v + 83) / 10), "sigma0": lambda v: 10 ** ((v + 83) / 10),
         "sqrt": lambda v: v**4, "log": lambda v: np.expm1(v) ** 2}


@pytest.mark.parametrize("transform", list(SEEN))
@pytest.mark.parametrize("looks", [1, 4, 12.5])
def test_speckle_is_gamma_noise_on_the_power_whatever_the_transform(transform, looks):
    """Power of mean 1 and variance 1 / looks; in dB its deviation is 10/ln(10) √trigamma(looks)."""
    gain, offset = 5.0, 3.0
    image = np.full((2, 300, 300), (SEEN[transform] - offset) / gain, np.float32)
    speckled = relight(image, radiometry(2, transform, offset, gain),
                       AugmentRecipe(**STILL, speckle_looks=looks), np.random.default_rng(3))
    power = POWER[transform](speckled.astype(float) * gain + offset) / AMPLITUDE**2
    assert power.mean() == pytest.approx(1, rel=0.02)
    assert power.var() == pytest.approx(1 / looks, rel=0.05)
    assert (10 * np.log10(power)).std() == pytest.approx(
        10 / np.log(10) * np.sqrt(polygamma(1, looks)), rel=0.03)


@pytest.mark.parametrize("transform", list(SEEN))
def test_power_and_back_changes_nothing(transform):
    image = np.linspace(0.05, 3, 100, dtype=np.float32).reshape(1, 10, 10)
    known = radiometry(1, transform, 2.0, 1.5)
    np.testing.assert_allclose(known.scaled(known.power(image)), image, atol=1e-4)


def test_values_that_no_power_can_hold_stay_finite():
    wild = np.array([-1e6, 1e6], np.float32).reshape(1, 1, 2)
    for transform in ("none", "log", "sigma0"):
        assert np.isfinite(radiometry(1, transform).power(wild)).all()


def test_a_crop_larger_than_the_stored_noise_is_filled():
    image = np.zeros((1, 1500, 1500), np.float32)
    assert changed(image, noise=1.0).std() == pytest.approx(1, rel=0.01)
