"""Random changes of what the pixels of a crop measure: light, colour, noise, speckle."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from geoseg.recipe import AugmentRecipe
from geoseg.recipe.names import Transform

_RIBBON = 1 << 21
_DECIBEL = np.float32(np.log(10) / 10)
_LOUDEST = np.float32(300)
"""dB, either way, that float32 holds as a power."""


@dataclass(frozen=True)
class Radiometry:
    """What the scaled values of an image stand for; all arrays are float32 (bands, 1, 1)."""

    transform: Transform
    """Of stored values before scaling."""
    offset: np.ndarray
    """Transformed value that is scaled to 0."""
    gain: np.ndarray
    """Transformed units in one scaled unit."""
    low: np.ndarray
    """First percentile of the training values, scaled."""
    high: np.ndarray
    """99th percentile of the training values, scaled."""

    def power(self, image: np.ndarray) -> np.ndarray:
        """Return the power of a SAR image.

        Stored values are amplitudes, whose square is the power, in any unit: transformed by `sqrt`
        to the fourth root of it, by `log` to ln(1 + amplitude), by `sigma0` to dB. Without a
        transform they are dB already.
        """
        values = image * self.gain
        values += self.offset
        if self.transform == "sqrt":
            return np.asarray(np.square(np.square(values)))
        if self.transform == "log":
            return np.asarray(np.square(np.expm1(np.minimum(values, 40))))
        np.clip(values, -_LOUDEST, _LOUDEST, out=values)
        values *= _DECIBEL
        return np.asarray(np.exp(values, out=values))

    def scaled(self, power: np.ndarray) -> np.ndarray:
        """Return the scaled values of a power: the inverse of `power`."""
        values = np.maximum(power, np.float32(1e-30))
        if self.transform == "sqrt":
            values = np.sqrt(np.sqrt(values))
        elif self.transform == "log":
            values = np.log1p(np.sqrt(values))
        else:
            np.log(values, out=values)
            values /= _DECIBEL
        values -= self.offset
        values /= self.gain
        return np.asarray(values)


def relight(image: np.ndarray, radiometry: Radiometry, recipe: AugmentRecipe,
            rng: np.random.Generator) -> np.ndarray:
    """Change speckle, gamma, contrast, brightness, band balance and mix, and noise of an image.

    Args:
        image: float32 (bands, rows, columns), scaled.
        radiometry: What its values stand for.
        recipe: How much of each.
        rng: Generator.

    Returns:
        A new float32 array.
    """
    bands = len(image)
    if recipe.speckle_looks:
        image = radiometry.scaled(radiometry.power(image)
                                  * _speckle(image.shape, recipe.speckle_looks, rng))
    if recipe.gamma:
        image = bent_by_gamma(image, radiometry, _drawn_gamma(recipe.gamma, rng))
    contrast = 1 + rng.uniform(-recipe.contrast, recipe.contrast)
    shift = rng.normal(0, recipe.brightness) + rng.normal(0, recipe.band_shift, bands)
    changed = image * np.float32(contrast)
    changed += shift.astype(np.float32)[:, None, None]
    if recipe.band_mix:
        mix = rng.normal(0, recipe.band_mix / np.sqrt(bands), (bands, bands))
        changed += np.tensordot(mix.astype(np.float32), image, axes=1)
    if recipe.noise:
        changed += _noise(image.shape, recipe.noise, rng)
    return np.asarray(changed, dtype=np.float32)


def bent_by_gamma(image: np.ndarray, radiometry: Radiometry, gamma: float) -> np.ndarray:
    """Bend the values of each band: v becomes v to the power of gamma over the range of training.

    The range from the first to the 99th percentile is 0 to 1; what lies beyond stays as it is, so
    that the curve has no step.
    """
    span = np.maximum(radiometry.high - radiometry.low, np.float32(1e-6))
    share = image - radiometry.low
    share /= span
    np.clip(share, np.float32(1e-6), 1, out=share)
    # cv2 takes logarithm and exponential in half the time of one numpy power.
    bent = np.stack([cv2.exp(cv2.log(band) * np.float32(gamma)) for band in share])
    bent -= share
    bent *= span
    bent += image
    return bent


def _drawn_gamma(largest: float, rng: np.random.Generator) -> float:
    """Return an exponent that is up to 1 + largest times as large, or as small, as 1."""
    limit = np.log1p(largest)
    return float(np.exp(rng.uniform(-limit, limit)))


def _noise(shape: tuple[int, ...], spread: float, rng: np.random.Generator) -> np.ndarray:
    """Return Gaussian noise: for each band another stretch of a long ribbon of it."""
    return np.stack([_stretch(_ribbon(0), shape[1:], rng) for _ in range(shape[0])]
                    ) * np.float32(spread)


def _speckle(shape: tuple[int, ...], looks: float, rng: np.random.Generator) -> np.ndarray:
    """Return the factors on power of fully developed speckle: gamma noise of mean 1.

    Its variance is 1 / looks (Goodman 1976, "Some fundamental properties of speckle").
    """
    return np.stack([_stretch(_ribbon(looks), shape[1:], rng) for _ in range(shape[0])])


def _stretch(ribbon: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    count = int(np.prod(shape))
    while len(ribbon) < 2 * count:
        ribbon = np.concatenate([ribbon, ribbon])
    start = int(rng.integers(len(ribbon) - count))
    return ribbon[start:start + count].reshape(shape)


@lru_cache(maxsize=4)
def _ribbon(looks: float) -> np.ndarray:
    """Return noise that is drawn once per process: Gaussian, or gamma noise of some looks.

    Drawing it anew for every crop would cost more time than all other changes together.
    """
    rng = np.random.default_rng(0)
    if looks == 0:
        return rng.standard_normal(_RIBBON, dtype=np.float32)
    return rng.standard_gamma(looks, _RIBBON, dtype=np.float32) / np.float32(looks)
