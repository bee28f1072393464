"""`classify`: from probabilities to a class map."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geoseg.errors import GeosegError
from geoseg.geo.grid import Grid
from geoseg.geo.legend import IGNORE, Legend
from geoseg.geo.output import check_output
from geoseg.geo.raster import open_raster
from geoseg.geo.windows import row_bands
from geoseg.geo.writing import RASTER_SUFFIXES, raster_writer
from geoseg.maps.probabilities import probability_legend, read_probabilities, stored_thresholds
from geoseg.maps.sieve import sieved, smallest_patch
from geoseg.progress import Progress, part, silent, track

Threshold = float | Mapping[str, float] | None
"""One threshold for all classes, thresholds by class name, or what the raster itself carries."""

Rule = Callable[[np.ndarray], np.ndarray]
"""Probabilities (classes, rows, columns) to class values uint8 (bands, rows, columns)."""

_ROUNDING = 1e-6
"""A stored step times the float32 band scale may miss the true probability by this much."""


def classify(proba: str | Path, *, out: str | Path, threshold: Threshold = None,
             min_area: float = 0.0, overwrite: bool = False, progress: Progress = silent) -> Path:
    """Turn probabilities into a class map: a uint8 COG with names and colours, nodata 255.

    How a pixel gets its class:

    - *Exclusive classes*: the most probable class wins, the first of equals.
    - *Exactly two classes*: a threshold t belongs to the second class, or to the one that is
      named: that class where its probability is at least t, else the other. Without one, the
      threshold that the raster carries for the second class is used, if it does.
    - *More classes with one threshold*: pixels whose best probability is below it become nodata
      ("unclassified").
    - *Thresholds by name*: a class wins only where its probability reaches its threshold; else the
      next best does, or none (nodata). Classes not named may always win.
    - *Overlapping classes*: each has its own band, 1 where its probability is at least its
      threshold: the one given, else the one that the raster carries, else 0.5.

    Args:
        proba: Probability raster made by `predict`.
        out: Class map to write, ending in .tif or .tiff.
        threshold: See above; 0 to 1.
        min_area: Patches smaller than this many m² (pixels in pixel space) are merged into their
            largest neighbour; patches are 4-connected. Needs two bytes of memory per pixel.
        overwrite: Whether an existing file may be replaced.
        progress: Told the fraction done.

    Returns:
        The path of the class map.

    Raises:
        OutputError: The result cannot be written there.
        RasterError: Not a probability raster, or a threshold names an unknown class.
        GeosegError: A threshold or the minimum area is out of range.
    """
    out = check_output(out, overwrite=overwrite, suffixes=RASTER_SUFFIXES, inputs=[proba])
    with open_raster(proba) as dataset, ExitStack() as stack:
        legend, grid = probability_legend(dataset), Grid.of(dataset)
        rule = threshold_rule(threshold, legend, stored_thresholds(dataset))
        size = smallest_patch(min_area, grid)
        bands = legend.label_bands
        share = 0.5 if size > 1 else 0.95
        windows = _classified(dataset, rule, part(progress, 0, share))
        if size > 1:
            scratch = stack.enter_context(sieved(windows, grid, bands, size, out.parent))
            windows = _read_back(scratch, bands, part(progress, share, 0.95))
        with raster_writer(out, grid, count=bands, dtype="uint8", nodata=IGNORE, legend=legend,
                           band_names=legend.names if legend.overlapping else ("class",),
                           is_categorical=True) as write:
            for values, window in windows:
                write(values, window)
    progress(1.0, "class map written")
    return out


def _classified(dataset: DatasetReader, rule: Rule, progress: Progress
                ) -> Iterator[tuple[np.ndarray, Window]]:
    windows = list(row_bands(dataset.height, dataset.width))
    for window in track(windows, progress, "classifying"):
        probabilities, valid = read_probabilities(dataset, window)
        yield np.where(valid, rule(probabilities), np.uint8(IGNORE)), window


def _read_back(scratch: DatasetReader, bands: int, progress: Progress
               ) -> Iterator[tuple[np.ndarray, Window]]:
    windows = list(row_bands(scratch.height, scratch.width))
    for window in track(windows, progress, "merging small patches"):
        yield scratch.read(list(range(1, bands + 1)), window=window), window


def threshold_rule(threshold: Threshold, legend: Legend, stored: Mapping[str, float]) -> Rule:
    """Return how probabilities become classes; `classify` says how.

    Args:
        threshold: What the user asked for.
        legend: Legend of the probabilities.
        stored: Thresholds by class name that the raster carries.

    Raises:
        RasterError: A threshold names an unknown class.
        GeosegError: A threshold is not between 0 and 1.
    """
    given = _by_class(threshold, legend)
    if legend.overlapping:
        thresholds = [given.get(name, stored.get(name, 0.5)) for name in legend.names]
        return partial(each_class, thresholds=np.array(thresholds))
    if len(legend) == 2:
        second = legend.names[1]
        if threshold is None and second in stored:
            given = {second: stored[second]}
        elif not isinstance(threshold, Mapping) and threshold is not None:
            given = {second: given[second]}
        if len(given) == 1:
            [(name, value)] = given.items()
            return partial(one_or_other, chosen=legend.value_of(name), threshold=value)
    return partial(best_class, floors=np.array([given.get(name, 0.0) for name in legend.names]))


def _by_class(threshold: Threshold, legend: Legend) -> dict[str, float]:
    if threshold is None:
        return {}
    if not isinstance(threshold, Mapping):
        threshold = dict.fromkeys(legend.names, threshold)
    for name, value in threshold.items():
        legend.value_of(name)
        if not 0 <= value <= 1:
            raise GeosegError(f"threshold of class {name!r}", f"is {value}",
                              "Give a probability between 0 and 1")
    return {name: float(value) for name, value in threshold.items()}


def best_class(probabilities: np.ndarray, floors: np.ndarray) -> np.ndarray:
    """Return the most probable class that reaches its floor, the first of equals.

    Args:
        probabilities: float32 (classes, rows, columns).
        floors: (classes,); least probability with which a class may win.

    Returns:
        uint8 (1, rows, columns) class values, 255 where no class reaches its floor.
    """
    best = np.full(probabilities.shape[1:], -1, np.float32)
    values = np.full(probabilities.shape[1:], IGNORE, np.uint8)
    for value, (band, floor) in enumerate(zip(probabilities, floors, strict=True)):
        wins = (band > best) & (band >= floor - _ROUNDING)
        best[wins] = band[wins]
        values[wins] = value
    return values[np.newaxis]


def one_or_other(probabilities: np.ndarray, chosen: int, threshold: float) -> np.ndarray:
    """Return the chosen of two classes where it reaches its threshold, else the other.

    Args:
        probabilities: float32 (2, rows, columns).
        chosen: Value of the class that the threshold belongs to.
        threshold: Least probability of that class.

    Returns:
        uint8 (1, rows, columns) class values.
    """
    reached = probabilities[chosen] >= threshold - _ROUNDING
    return np.where(reached, np.uint8(chosen), np.uint8(1 - chosen))[np.newaxis]


def each_class(probabilities: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Return 1 where a class reaches its threshold, else 0.

    Args:
        probabilities: float32 (classes, rows, columns).
        thresholds: (classes,).

    Returns:
        uint8 (classes, rows, columns).
    """
    return (probabilities >= thresholds[:, np.newaxis, np.newaxis] - _ROUNDING).astype(np.uint8)
