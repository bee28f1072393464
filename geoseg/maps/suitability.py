"""Does an image suit a model? Asked, and answered in words, before any work starts."""

from __future__ import annotations

import logging

import numpy as np
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geoseg.errors import ModelError
from geoseg.geo.grid import Grid
from geoseg.geo.raster import read
from geoseg.learn.card import ModelCard
from geoseg.learn.scaling import defined, transformed

_log = logging.getLogger("geoseg")
_SAMPLES = 16
_SAMPLE_SIDE = 128


def check_image(dataset: DatasetReader, grid: Grid, card: ModelCard, *, force: bool) -> None:
    """Compare bands, pixel size and values of an image with what a model was trained on.

    Small differences are logged as warnings, gross ones are refused.

    Args:
        dataset: Open image.
        grid: Its grid.
        card: Card of the model.
        force: Only warn of gross differences in pixel size and values.

    Raises:
        ModelError: Bands are missing; or, unless `force`, the pixels differ in size by more than
            a factor of two, or most values lie outside the range seen in training.
    """
    _check_bands(dataset, card)
    for found, cure, is_gross in (_resolution(grid, card), _range(dataset, card)):
        if is_gross and not force:
            raise ModelError(dataset.name, found, f"{cure}, or force the prediction "
                             "(command line: --force)")
        if found:
            _log.warning("%s %s. %s.", dataset.name, found, cure)


def _check_bands(dataset: DatasetReader, card: ModelCard) -> None:
    wanted = [band.index for band in card.bands]
    if max(wanted) > dataset.count:
        held = "1 band" if dataset.count == 1 else f"{dataset.count} bands"
        raise ModelError(dataset.name, f"has {held}, the model was trained with bands "
                         f"{', '.join(map(str, wanted))}",
                         "Give an image with the same bands in the same order")
    for band in card.bands:
        name = dataset.descriptions[band.index - 1] or ""
        if name and band.name and name != band.name:
            _log.warning("Band %d of %s is called %r; the model was trained with %r there.",
                         band.index, dataset.name, name, band.name)
        if dataset.dtypes[band.index - 1] != band.dtype:
            _log.warning("Band %d of %s is %s; the model was trained with %s.", band.index,
                         dataset.name, dataset.dtypes[band.index - 1], band.dtype)


def _resolution(grid: Grid, card: ModelCard) -> tuple[str, str, bool]:
    if not (card.georeferenced and grid.is_georeferenced):
        return "", "", False
    ratio = grid.resolution / card.resolution
    if 0.8 <= ratio <= 1.25:
        return "", "", False
    return (f"has pixels of {grid.resolution:.4g} m, the model was trained with "
            f"{card.resolution:.4g} m", "Resample the image to that size (gdalwarp -tr)",
            not 0.5 <= ratio <= 2)


def _range(dataset: DatasetReader, card: ModelCard) -> tuple[str, str, bool]:
    """Compare the values of some windows, spread over the image, with those of the training.

    Values are compared as the card holds them, transformed. Those without data do not count, nor
    zeros that have no backscatter; but negative amplitudes are surely strange.
    """
    outside, count = np.zeros(len(card.bands)), np.zeros(len(card.bands))
    side = int(np.ceil(np.sqrt(_SAMPLES)))
    low = np.array([band.low for band in card.bands])[:, None, None]
    high = np.array([band.high for band in card.bands])[:, None, None]
    room = (high - low) * 0.25
    for place in range(side * side):
        row, column = divmod(place, side)
        top = int((row + 0.5) / side * dataset.height)
        left = int((column + 0.5) / side * dataset.width)
        window = Window(left, top, min(_SAMPLE_SIDE, dataset.width - left),
                        min(_SAMPLE_SIDE, dataset.height - top))
        values, valid = read(dataset, window, [band.index for band in card.bands])
        known = defined(values, card.bands)
        seen = transformed(values, card.bands)
        strange = np.where(known, (seen < low - room) | (seen > high + room), values < 0)
        outside += (strange & valid).sum(axis=(1, 2))
        count += ((known | strange) & valid).sum(axis=(1, 2))
    shares = outside / np.maximum(count, 1)
    worst = int(shares.argmax())
    if shares[worst] <= 0.05:
        return "", "", False
    band = card.bands[worst]
    kind = {"none": "values", "sigma0": "values in dB"}.get(
        band.transform, f"values ({band.transform})")
    return (f"has {shares[worst]:.0%} of its {kind} in band {band.index} outside the range seen "
            f"in training ({band.low:.4g} to {band.high:.4g})",
            "Check that it is scaled like the training images", bool(shares[worst] > 0.5))
