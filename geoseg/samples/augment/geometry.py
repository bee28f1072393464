"""Where the pixels of a crop come from: scale, rotation, shear, bending, flips and turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from geoseg.geo.legend import IGNORE
from geoseg.recipe import AugmentRecipe
from geoseg.samples.augment.bending import (
    CELLS,
    elastic_weights,
    grid_nodes,
    grid_weights,
)

Sample = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Scaled image float32 (bands, rows, columns), valid bool (rows, columns), label uint8
(label bands, rows, columns)."""


@dataclass(frozen=True)
class Warp:
    """Where the pixels of a crop come from, from the middle of the image and before scaling.

    A map is `weights @ nodes @ weights.T`; see `geoseg.samples.augment.bending`.
    """

    weights: np.ndarray
    """float32 (size, nodes)."""
    nodes: np.ndarray
    """float64 (2, nodes, nodes), for columns and rows; the first ones are those of the grid."""

    def places(self, scale: float = 1.0, middle: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Return column and row in the image of each pixel, float32 (size, size).

        Args:
            scale: Pixels of the image in one of the crop.
            middle: Column and row of the middle of the image.
        """
        nodes = self.nodes * scale
        nodes[:, :CELLS + 1, :CELLS + 1] += middle
        columns, rows = (self.weights @ plane @ self.weights.T for plane in nodes.astype("f4"))
        return columns, rows

    def reach(self) -> float:
        """Return the side of the image that holds every place, in sides of the crop."""
        size, grid = len(self.weights), CELLS + 1
        farthest = float(np.abs(self.nodes[:, :grid, :grid]).max())
        # Waves are longer than a few pixels, so that looking at every fourth finds their height.
        waves, heights = self.weights[::4, grid:], self.nodes[:, grid:, grid:].astype(np.float32)
        highest = max(float(np.abs(waves @ plane @ waves.T).max()) for plane in heights)
        return 2 * (farthest + highest) / size


def draw_warp(recipe: AugmentRecipe, size: int, rng: np.random.Generator) -> Warp | None:
    """Draw rotation, shear, elastic bending and grid distortion of a crop.

    Args:
        recipe: How much of each.
        size: Pixels a side of the crop.
        rng: Generator.

    Returns:
        None if the recipe asks for none of them.
    """
    if not (recipe.rotation or recipe.shear or recipe.elastic or recipe.grid_distortion):
        return None
    angle = np.radians(rng.uniform(-recipe.rotation, recipe.rotation))
    across, along = np.tan(np.radians(rng.uniform(-recipe.shear, recipe.shear, 2)))
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = rotation @ np.array([[1, across], [along, 1]]) / np.sqrt(1 - across * along)
    weights, nodes = grid_weights(size), grid_nodes(size, recipe.grid_distortion, rng)
    if recipe.elastic:
        waves = elastic_weights(size, recipe.elastic_scale)
        more = waves.shape[1]
        weights = np.hstack([weights, waves])
        nodes = np.pad(nodes, ((0, 0), (0, more), (0, more)))
        nodes[:, -more:, -more:] = rng.normal(0, recipe.elastic, (2, more, more))
    return Warp(weights, np.tensordot(matrix, nodes, axes=1))


def resample(sample: Sample, size: int, scale: float, warp: Warp | None = None) -> Sample:
    """Bring a square sample to `size` pixels a side in one resampling.

    The image is averaged when it shrinks and bilinear otherwise, over valid pixels alone; label and
    mask take the nearest pixel. What comes from outside is invalid and ignored.

    Args:
        sample: Image, mask and label of a square window.
        size: Pixels a side of the result.
        scale: Pixels of the sample in one of the result.
        warp: How the result is bent; without one the sample, at most `size` times `scale` pixels a
            side, is only brought to scale.

    Returns:
        The sample resampled; the same one if nothing changes.
    """
    return (pad(_resize(sample, round(sample[0].shape[-1] / scale)), size) if warp is None
            else _warped(sample, scale, warp))


def _resize(sample: Sample, size: int) -> Sample:
    side = sample[0].shape[-1]
    if side == size:
        return sample
    method = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR

    def nearest(band: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.resize(band, (size, size), interpolation=cv2.INTER_NEAREST_EXACT))

    return _each(sample, lambda band: cv2.resize(band, (size, size), interpolation=method),
                 nearest, nearest)


def _warped(sample: Sample, scale: float, warp: Warp) -> Sample:
    columns, rows = warp.places(scale, (sample[0].shape[-1] - 1) / 2)

    def smooth(band: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.remap(_averaged(band, scale), columns, rows, cv2.INTER_LINEAR,
                                    borderMode=cv2.BORDER_REPLICATE))

    def nearest(band: np.ndarray, outside: int) -> np.ndarray:
        return np.asarray(cv2.remap(band, columns, rows, cv2.INTER_NEAREST,
                                    borderMode=cv2.BORDER_CONSTANT, borderValue=(outside,)))

    return _each(sample, smooth, lambda valid: nearest(valid, 0),
                 lambda band: nearest(band, IGNORE))


_Change = Callable[[np.ndarray], np.ndarray]


def _each(sample: Sample, smooth: _Change, nearest_valid: _Change, nearest: _Change) -> Sample:
    """Change every band of a sample; next to invalid pixels average over the valid ones alone."""
    image, valid, label = (np.ascontiguousarray(part) for part in sample)
    if valid.all():
        image = np.stack([smooth(band) for band in image])
    else:
        weight = np.maximum(smooth(valid.astype(np.float32)), np.float32(1e-3))
        image = np.stack([smooth(band * valid) / weight for band in image])
    return (image, nearest_valid(valid.view(np.uint8)).astype(bool),
            np.stack([nearest(band) for band in label]))


def _averaged(band: np.ndarray, scale: float) -> np.ndarray:
    """Smooth a band so much that bilinear interpolation then averages over `scale` pixels.

    OpenCV averages only where it resizes. An average over a square of `scale` pixels has a variance
    of scale² / 12 along each axis; bilinear interpolation brings 1 / 6 of it, a box of pixels that
    ends in parts of a pixel the rest.
    """
    variance = scale**2 / 12 - 1 / 6
    if variance <= 0:
        return band
    whole = int((np.sqrt(1 + 12 * variance) - 1) / 2)
    part = ((2 * whole + 1) * (variance - whole * (whole + 1) / 3)
            / (2 * ((whole + 1) ** 2 - variance)))
    taps = np.array([part, *[1.0] * (2 * whole + 1), part], dtype=np.float32)
    taps /= taps.sum()
    return np.asarray(cv2.sepFilter2D(band, -1, taps, taps, borderType=cv2.BORDER_REPLICATE))


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
    """Flip and turn a sample at random.

    Args:
        sample: Image, mask and label of one square crop.
        turns: `none`; `flip`: left-right; `flips`: also up-down; `d4`: one of the eight flips and
            quarter turns.
        rng: Generator.

    Returns:
        The sample with exactly the same pixels.
    """
    quarters = int(rng.integers(4)) if turns == "d4" else 0
    mirrored = turns != "none" and bool(rng.integers(2))
    upended = turns == "flips" and bool(rng.integers(2))

    def apply(array: np.ndarray) -> np.ndarray:
        turned = np.rot90(array, quarters, axes=(-2, -1))
        turned = turned[..., ::-1] if mirrored else turned
        return np.ascontiguousarray(turned[..., ::-1, :] if upended else turned)

    image, valid, label = sample
    return apply(image), apply(valid), apply(label)
