"""The cards of the input bands: statistics of the training chips, and the scaling made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from rasterio.windows import Window

from geoseg.errors import TrainingError
from geoseg.geo.raster import image_bands, open_raster, valid_pixels
from geoseg.learn.card import BandCard
from geoseg.learn.scaling import Statistics, read_bands, transformed
from geoseg.progress import Progress, track
from geoseg.recipe import ImageRecipe, Recipe

if TYPE_CHECKING:
    import geopandas as gpd

_STATISTICS_CHIPS = 400
_LOUDEST = 100.0
"""dB, either way, that no backscatter reaches."""


def measure_bands(chips: gpd.GeoDataFrame, recipe: Recipe, progress: Progress) -> list[BandCard]:
    """Read the statistics of training chips and return the cards of the bands.

    Args:
        chips: The training rows of a chip plan.
        recipe: Says which bands, and how they are transformed and scaled.
        progress: Told the share of the chips read.

    Raises:
        RasterError: A band is missing in the first scene, or a scene cannot be read.
        TrainingError: Scenes differ in bands, a band holds no valid value, or speckle is asked
            for on values that are no dB.
    """
    image = recipe.image
    with open_raster(chips.iloc[0]["scene"]) as scene:
        bands = [BandCard(index=index, name=scene.descriptions[index - 1] or "",
                          dtype=scene.dtypes[index - 1], transform=image.transform,
                          calibration=image.calibration if image.transform == "sigma0" else 0.0,
                          offset=0.0, gain=1.0, low=0.0, high=0.0)
                 for index in image_bands(scene, image.bands)]
    statistics = _gather(chips, bands, progress)
    offset, gain = _scaling(statistics, image)
    low, high = statistics.percentile(1), statistics.percentile(99)
    measured = [band.model_copy(update={
        "offset": float(offset[i]), "gain": float(gain[i]), "clip": image.scaling == "quantile",
        "low": float(low[i]), "high": float(high[i])}) for i, band in enumerate(bands)]
    if recipe.augment.speckle_looks:
        _check_decibels(measured)
    return measured


def _gather(chips: gpd.GeoDataFrame, bands: Sequence[BandCard], progress: Progress) -> Statistics:
    """Gather statistics of transformed values over an even selection of the chips."""
    statistics = Statistics(len(bands))
    chosen = chips.iloc[:: max(1, len(chips) // _STATISTICS_CHIPS)]
    for scene, rows in track(list(chosen.groupby("scene")), progress, "reading band statistics"):
        with open_raster(scene) as dataset:
            if max(band.index for band in bands) > dataset.count:
                raise TrainingError(scene, f"has {dataset.count} bands, other scenes have more",
                                    "Train on scenes with the same bands")
            for row in rows.itertuples():
                window = Window(row.col, row.row, row.width, row.height)
                values, valid = read_bands(dataset, window, bands)
                statistics.add(transformed(values, bands), valid & valid_pixels(valid, values))
    if statistics.is_empty:
        how = bands[0].transform
        raise TrainingError("training chips", "hold a band without any valid value"
                            + ("" if how == "none" else f", once {how} is taken of it"),
                            "Leave that band out under [image] bands in the recipe")
    return statistics


def _scaling(statistics: Statistics, image: ImageRecipe) -> tuple[np.ndarray, np.ndarray]:
    """Return offset and gain of each band."""
    if image.scaling == "statistics":
        offset, gain = statistics.mean, statistics.deviation
    else:
        low, high = (np.full(len(statistics.mean), end) if image.scaling == "range"
                     else statistics.percentile(end) for end in image.ends)
        offset, gain = (low + high) / 2, (high - low) / 2
    return offset, np.where(gain > 0, gain, 1.0)


def _check_decibels(bands: Sequence[BandCard]) -> None:
    """Refuse speckle on values that cannot be dB: noise on their power would be nonsense."""
    for band in bands:
        largest = max(band.low, band.high, key=abs)
        if band.transform == "none" and abs(largest) > _LOUDEST:
            raise TrainingError(
                f"band {band.index}", f"holds values of {largest:.4g}, which are no dB, so "
                "augment.speckle_looks cannot be applied", "Set image.transform to sigma0, sqrt "
                "or log for stored amplitudes, or augment.speckle_looks to 0")
