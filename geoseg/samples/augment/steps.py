"""The steps from what was read to what the network sees, in their order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from geoseg.recipe import AugmentRecipe
from geoseg.samples.augment.geometry import Sample, Warp, resample, turn
from geoseg.samples.augment.light import Radiometry, relight
from geoseg.samples.augment.mosaic import cut_out, mosaic


def shaped(sample: Sample, size: int, factor: float, warp: Warp | None, radiometry: Radiometry,
           recipe: AugmentRecipe, rng: np.random.Generator) -> Sample:
    """Give a sample that was read its shape: resampled, bent and turned.

    Args:
        sample: Image, mask and label of one square window.
        size: Pixels a side of the crop.
        factor: How many pixels of the window one of the crop shows.
        warp: See `draw_warp`.
        radiometry: What the scaled values stand for.
        recipe: How to turn it, and whether there is speckle.
        rng: Generator.

    Returns:
        The crop, its light still unchanged.
    """
    # Speckled pixels are averaged in power, whose mean is that of the ground.
    is_radar = radiometry.transform == "sigma0" or recipe.speckle_looks > 0
    image, valid, labels = sample
    if is_radar:
        image = radiometry.power(image)
    image, valid, labels = resample((image, valid, labels), size, factor, warp)
    if is_radar:
        image = radiometry.scaled(image)
    return turn((image, valid, labels), recipe.turns, rng)


def finished(sample: Sample, other: Callable[[], Sample], radiometry: Radiometry,
             recipe: AugmentRecipe, rng: np.random.Generator
             ) -> tuple[np.ndarray, np.ndarray]:
    """Finish a shaped crop: pieces of others, light, no data where there is none, a hole.

    Args:
        sample: Image, mask and label of the crop.
        other: Makes another shaped crop, for mosaics.
        radiometry: What the scaled values stand for.
        recipe: How much of each.
        rng: Generator.

    Returns:
        The image, 0 where there is no data, and the labels.
    """
    if rng.random() < recipe.mosaic:
        sample = mosaic(sample, other, rng)
    image, valid, labels = sample
    image = relight(image, radiometry, recipe, rng)
    image[:, ~valid] = 0
    if recipe.cutout:
        cut_out(image, recipe.cutout, rng)
    return image, labels
