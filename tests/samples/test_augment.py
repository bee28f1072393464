"""Augmentation: image, mask and label move together; nodata and ignore are respected."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geoseg.geo.legend import IGNORE
from geoseg.recipe import AugmentRecipe
from geoseg.samples.augment import pad, relight, resample, turn


def blocks(side, cell, seed):
    """A sample whose image band 0 shows its label, in cells large enough to resample."""
    random = np.random.default_rng(seed)
    cells = random.integers(0, 4, (side // cell + 1,) * 2)
    label = np.kron(cells, np.ones((cell, cell), int))[:side, :side].astype(np.uint8)
    image = np.stack([label * 10.0, np.ones((side, side))]).astype(np.float32)
    return image, np.ones((side, side), bool), label[None]


@given(seed=st.integers(0, 1000))
def test_turns_move_everything_alike_and_change_no_value(seed):
    image, valid, label = blocks(24, 3, seed)
    valid[:5] = False
    turned, mask, labels = turn((image, valid, label), "d4", np.random.default_rng(seed))
    np.testing.assert_array_equal(turned[0], labels[0] * 10.0)
    assert sorted(turned[0].ravel()) == sorted(image[0].ravel())
    assert mask.sum() == valid.sum()


def test_all_eight_turns_occur():
    marker = np.arange(9, dtype=np.float32).reshape(1, 3, 3)
    sample = marker, np.ones((3, 3), bool), marker.astype(np.uint8)
    seen = {turn(sample, "d4", np.random.default_rng(seed))[0].tobytes() for seed in range(200)}
    assert len(seen) == 8
    assert len({turn(sample, "flip", np.random.default_rng(seed))[0].tobytes()
                for seed in range(50)}) == 2


@settings(deadline=None)
@given(side=st.integers(40, 120), size=st.sampled_from([32, 64, 96]), seed=st.integers(0, 100),
       degrees=st.sampled_from([0.0, 0.0, 13.0, -20.0]))
def test_resampling_keeps_image_and_label_together(side, size, seed, degrees):
    image, valid, label = blocks(side, 20, seed)
    changed, mask, labels = resample((image, valid, label), size, degrees)
    assert changed.shape == (2, size, size)
    assert labels.shape == (1, size, size)
    inner = mask & (labels[0] != IGNORE)
    agree = np.abs(changed[0] - labels[0] * 10.0)[inner] < 5.1
    assert agree.mean() > 0.85
    assert set(np.unique(labels)) <= {*np.unique(label), IGNORE}


def test_shrinking_averages_the_image():
    image = np.random.default_rng(0).random((1, 64, 64)).astype(np.float32)
    small, _, _ = resample((image, np.ones((64, 64), bool), np.zeros((1, 64, 64), np.uint8)), 32)
    np.testing.assert_allclose(small[0], image[0].reshape(32, 2, 32, 2).mean((1, 3)), atol=1e-6)


def test_rotation_ignores_what_comes_from_outside():
    image, label = np.ones((1, 64, 64), np.float32), np.zeros((1, 64, 64), np.uint8)
    sample = image, np.ones((64, 64), bool), label
    _, mask, labels = resample(sample, 64, 20.0)
    assert not mask[0, 0]
    assert labels[0, 0, 0] == IGNORE
    assert mask[32, 32]


def test_light_changes_are_as_large_as_asked_for():
    recipe = AugmentRecipe(brightness=0.3, contrast=0.0, band_shift=0.0, noise=0.0)
    image = np.zeros((3, 8, 8), np.float32)
    shifts = [relight(image, np.ones(3), recipe, np.random.default_rng(s))[0, 0, 0]
              for s in range(2000)]
    assert np.std(shifts) == pytest.approx(0.3, rel=0.05)
    still = AugmentRecipe(brightness=0, contrast=0, band_shift=0, noise=0)
    np.testing.assert_array_equal(relight(image + 1, np.ones(3), still, np.random.default_rng(0)),
                                  image + 1)


@given(bands=st.integers(1, 12), seed=st.integers(0, 100))
def test_mixing_bands_is_linear_and_the_same_everywhere(bands, seed):
    """What is zero stays zero; a sum of images mixes to the sum of their mixes."""
    recipe = AugmentRecipe(brightness=0, contrast=0, band_shift=0, noise=0, band_mix=0.3)

    def mix(image):
        return relight(image, np.ones(bands), recipe, np.random.default_rng(seed))

    first, second = np.random.default_rng(seed).normal(size=(2, bands, 6, 6)).astype(np.float32)
    assert not mix(np.zeros_like(first)).any()
    np.testing.assert_allclose(mix(first + second), mix(first) + mix(second), atol=1e-4)
    np.testing.assert_allclose(mix(first[:, ::-1]), mix(first)[:, ::-1], atol=1e-5)


@pytest.mark.parametrize("bands", [1, 3, 10])
def test_mixing_bands_is_as_strong_for_many_bands_as_for_few(bands):
    recipe = AugmentRecipe(brightness=0, contrast=0, band_shift=0, noise=0, band_mix=0.3)
    image = np.random.default_rng(0).normal(size=(bands, 16, 16)).astype(np.float32)
    changes = [relight(image, np.ones(bands), recipe, np.random.default_rng(s)) - image
               for s in range(400)]
    assert np.std(changes) == pytest.approx(0.3, rel=0.1)


def test_speckle_in_decibels_has_the_spread_of_its_looks():
    """The standard deviation of L-look speckle in dB is 10/ln(10) * sqrt(trigamma(L))."""
    from scipy.special import polygamma

    recipe = AugmentRecipe(brightness=0, contrast=0, band_shift=0, noise=0, speckle_looks=4)
    image = np.zeros((1, 300, 300), np.float32)
    speckle = relight(image, np.array([5.0]), recipe, np.random.default_rng(0)) * 5.0
    assert speckle.std() == pytest.approx(10 / np.log(10) * np.sqrt(polygamma(1, 4)), rel=0.02)


def test_padding_is_invalid_and_ignored():
    image, mask, labels = pad(blocks(20, 5, 0), 32)
    assert image.shape == (2, 32, 32)
    assert mask.sum() == 400
    assert (labels[0][~mask] == IGNORE).all()
    assert (image[:, ~mask] == 0).all()
