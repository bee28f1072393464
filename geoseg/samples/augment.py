"""Random changes to training crops, applied identically to image, mask and label.

Geometry is one resampling per crop: scale, rotation and resizing in a single OpenCV warp, then
exact flips and quarter turns. Radiometry works on scaled values, where one unit is one standard
deviation of the band.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from geoseg.geo.legend import IGNORE
from geoseg.recipe import AugmentRecipe

Sample = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Scaled image float32 (bands, rows, columns), valid bool (rows, columns), label uint8
(label bands, rows, columns)."""


def resample(sample: Sample, size: int, degrees: float = 0.0) -> Sample:
    """Bring a square sample to `size` pixels a side, rotated about its centre.

    The image is averaged when it shrinks and bilinear otherwise, label and mask take the nearest
    pixel; what rotation brings in from outside is invalid and ignored.

    Args:
        sample: Image, mask and label of one square crop.
        size: Pixels a side of the result.
        degrees: Rotation, counter-clockwise.

    Returns:
        The sample resampled; the same one if nothing changes.
    """
    image, valid, label = sample
    side = image.shape[-1]
    if side == size and degrees == 0:
        return sample
    if degrees == 0:
        method = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
        return (_each(image, lambda band: cv2.resize(band, (size, size), interpolation=method)),
                _nearest(valid, size).astype(bool),
                _each(label, lambda band: _nearest(band, size)))
    turn = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), degrees, size / side)
    turn[:, 2] += (size - side) / 2

    def warp(band: np.ndarray, flags: int, border: int, value: int) -> np.ndarray:
        return np.asarray(cv2.warpAffine(band, turn, (size, size), flags=flags, borderMode=border,
                                         borderValue=(value,)))

    return (
        _each(image, lambda band: warp(band, cv2.INTER_LINEAR, cv2.BORDER_REFLECT_101, 0)),
        warp(valid.astype(np.uint8), cv2.INTER_NEAREST, cv2.BORDER_CONSTANT, 0).astype(bool),
        _each(label, lambda band: warp(band, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT, IGNORE)),
    )


def pad(sample: Sample, size: int) -> Sample:
    """Bring a sample that is smaller than `size` to it, with invalid and ignored pixels."""
    image, valid, label = sample
    missing = size - image.shape[-1]
    if missing == 0:
        return sample
    after = ((0, missing), (0, missing))
    return (np.pad(image, ((0, 0), *after)), np.pad(valid, after),
            np.pad(label, ((0, 0), *after), constant_values=IGNORE))


def turn(sample: Sample, turns: str, rng: np.random.Generator) -> Sample:
    """Flip left-right at random (`flip`), or take one of the eight flips and quarter turns.

    Args:
        sample: Image, mask and label of one square crop.
        turns: `none`, `flip` or `d4`.
        rng: Generator.

    Returns:
        The sample with exactly the same pixels, as views.
    """
    quarter = int(rng.integers(4)) if turns == "d4" else 0
    mirrored = turns != "none" and bool(rng.integers(2))

    def apply(array: np.ndarray) -> np.ndarray:
        turned = np.rot90(array, quarter, axes=(-2, -1))
        return turned[..., ::-1] if mirrored else turned

    image, valid, label = sample
    return apply(image), apply(valid), apply(label)


def relight(image: np.ndarray, gains: np.ndarray, recipe: AugmentRecipe,
            rng: np.random.Generator) -> np.ndarray:
    """Change brightness, contrast, band balance and mix, noise and speckle of a scaled image.

    Args:
        image: float32 (bands, rows, columns), scaled.
        gains: float (bands,): stored units per scaled unit, to bring speckle in dB to scale.
        recipe: How much of each.
        rng: Generator.

    Returns:
        A new float32 array.
    """
    bands = len(image)
    contrast = 1 + rng.uniform(-recipe.contrast, recipe.contrast)
    shift = rng.normal(0, recipe.brightness) + rng.normal(0, recipe.band_shift, bands)
    changed = image * np.float32(contrast) + shift.astype(np.float32)[:, None, None]
    if recipe.band_mix:
        mix = rng.normal(0, recipe.band_mix / np.sqrt(bands), (bands, bands))
        changed += np.tensordot(mix.astype(np.float32), image, axes=1)
    if recipe.noise:
        changed += rng.normal(0, recipe.noise, image.shape).astype(np.float32)
    if recipe.speckle_looks:
        looks = recipe.speckle_looks
        power = rng.gamma(looks, 1 / looks, image.shape)
        decibels = 10 * np.log10(np.maximum(power, 1e-6))
        changed += (decibels / gains[:, None, None]).astype(np.float32)
    return np.asarray(changed, dtype=np.float32)


def _each(array: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    return np.stack([change(np.ascontiguousarray(band)) for band in array])


def _nearest(band: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(cv2.resize(np.ascontiguousarray(band).view(np.uint8), (size, size),
                                 interpolation=cv2.INTER_NEAREST_EXACT))
