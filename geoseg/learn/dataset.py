"""Reading chips and random training crops as windows straight from the scenes."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np
import shapely
from rasterio.io import DatasetReader
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from geoseg.geo.legend import IGNORE
from geoseg.geo.raster import open_raster, read, valid_pixels
from geoseg.learn.card import BandCard
from geoseg.learn.scaling import read_bands, scale
from geoseg.recipe import AugmentRecipe
from geoseg.samples.augment import Radiometry, Sample, draw_warp, finished, shaped

if TYPE_CHECKING:
    import geopandas as gpd

_TRIES = 16


class Scenes:
    """Open scenes and labels, one handle per thread and file, since GDAL handles are not shared.

    Use as a context manager; all handles are closed at the end.
    """

    def __init__(self) -> None:
        self._handles: dict[tuple[int, str], DatasetReader] = {}
        self._stack = ExitStack()
        self._lock = threading.Lock()

    def __enter__(self) -> Scenes:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def open(self, path: str) -> DatasetReader:
        """Return this thread's handle of a raster."""
        key = threading.get_ident(), path
        if key not in self._handles:
            with self._lock:
                self._handles[key] = self._stack.enter_context(open_raster(path))
        return self._handles[key]


def read_label(dataset: DatasetReader, window: Window) -> np.ndarray:
    """Read a window of a label raster: uint8 (label bands, rows, columns), 255 = ignore."""
    values, valid = read(dataset, window, dataset.indexes)
    return np.where(valid, values, IGNORE).astype(np.uint8)


def read_sample(scenes: Scenes, scene: str, label: str, window: Window,
                bands: Sequence[BandCard]) -> Sample:
    """Read image, valid mask and label of a window, the image scaled for the network.

    Label pixels without image data are ignored.
    """
    values, valid = read_bands(scenes.open(scene), window, bands)
    pixels = valid_pixels(valid, values)
    labels = read_label(scenes.open(label), window)
    labels[:, ~pixels] = IGNORE
    return scale(values, valid & pixels, bands), pixels, labels


class TrainingCrops:
    """Random crops from the training chips; a pure function of (seed, step, place in the batch).

    A chip is drawn by its weight, then a square of random size around a random point of it, large
    enough for what rotation and bending bring in from its surroundings. The square must lie wholly
    inside the union of the scene's training chips, so that no pixel of another split, nor of the
    gap around it, is ever seen.

    Args:
        scenes: Open scenes.
        chips: The training rows of a chip plan.
        bands: Cards of the bands to read.
        augment: Random changes.
        size: Side in pixels of the crops given to the network.
        seed: Seed.
        chances: From a step to the chance of each chip to be drawn at it, float (chips,) with sum
            1; by default the chips' weights at every step.
    """

    def __init__(self, scenes: Scenes, chips: gpd.GeoDataFrame, bands: Sequence[BandCard],
                 augment: AugmentRecipe, size: int, seed: int,
                 chances: Callable[[int], np.ndarray] | None = None) -> None:
        self._scenes, self._bands, self._augment = scenes, bands, augment
        self._size, self._seed = size, seed
        self._places = chips[["scene", "label"]].to_numpy()
        self._boxes = chips[["col", "row", "width", "height"]].to_numpy(dtype=int)
        weight = chips["weight"].to_numpy(dtype=float)
        weight = weight / weight.sum()
        self._chances = chances or (lambda step: weight)
        self._radiometry = radiometry(bands)
        self._areas = self._training_areas()

    def _training_areas(self) -> dict[str, BaseGeometry]:
        corners = np.c_[self._boxes[:, :2], self._boxes[:, :2] + self._boxes[:, 2:]]
        squares = shapely.box(*corners.T)
        areas: dict[str, BaseGeometry] = {}
        for scene in sorted(set(self._places[:, 0])):
            areas[scene] = shapely.union_all(squares[self._places[:, 0] == scene])
            shapely.prepare(areas[scene])
        return areas

    def batch(self, step: int, count: int, rank: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Return images float32 (count, bands, size, size) and labels uint8 (count, ...)."""
        samples = [self.crop(step, rank * count + index) for index in range(count)]
        return (np.stack([image for image, _ in samples]),
                np.stack([label for _, label in samples]))

    def crop(self, step: int, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return one augmented crop and its label."""
        rng = np.random.default_rng([self._seed, step, index])
        chances = self._chances(step)
        return finished(self._piece(chances, rng), lambda: self._piece(chances, rng),
                        self._radiometry, self._augment, rng)

    def _piece(self, chances: np.ndarray, rng: np.random.Generator) -> Sample:
        """Return one random crop, bent and turned, its light still unchanged."""
        chip = int(rng.choice(len(chances), p=chances))
        scene, label = self._places[chip]
        warp = draw_warp(self._augment, self._size, rng)
        window, factor = self.draw_window(chip, rng, warp.reach() if warp else 1.0)
        sample = read_sample(self._scenes, scene, label, window, self._bands)
        return shaped(sample, self._size, factor, warp, self._radiometry, self._augment, rng)

    def draw_window(self, chip: int, rng: np.random.Generator, reach: float = 1.0
                    ) -> tuple[Window, float]:
        """Draw a square window around a point of a chip, inside the scene's training area.

        Args:
            chip: Number of the chip.
            rng: Generator.
            reach: Side of the window that is wanted, in sides of the crop's ground.

        Returns:
            The window, and how many of its pixels one of the crop shows: a factor from the recipe's
            range, unless no square of the wanted size was found; then the window lies in the chip,
            is no larger than wanted, and keeps its scale.
        """
        column, row, width, height = self._boxes[chip]
        area = self._areas[self._places[chip, 0]]
        low, high = np.log(self._augment.scale)
        for attempt in range(_TRIES):
            # In the middle at first, so that the chip fills the window; then anywhere, since a
            # chip at the edge of the training area has no room all around.
            before = rng.uniform(0, 1, 2) if 2 * attempt >= _TRIES else (0.5, 0.5)
            ground = max(1, round(self._size * float(np.exp(rng.uniform(low, high)))))
            side = math.ceil(ground * reach)
            left = round(column + rng.uniform(0, 1) * width - before[0] * side)
            top = round(row + rng.uniform(0, 1) * height - before[1] * side)
            if area.covers(shapely.box(left, top, left + side, top + side)):
                return Window(left, top, side, side), ground / self._size
        side = min(width, height, math.ceil(self._size * reach))
        left = column + int(rng.integers(width - side + 1))
        top = row + int(rng.integers(height - side + 1))
        return Window(left, top, side, side), 1.0


def radiometry(bands: Sequence[BandCard]) -> Radiometry:
    """Return what the scaled values of some bands stand for."""
    def column(values: list[float]) -> np.ndarray:
        return np.array(values, dtype=np.float32)[:, None, None]

    return Radiometry(
        bands[0].transform, column([band.offset for band in bands]),
        column([band.gain for band in bands]),
        column([(band.low - band.offset) / band.gain for band in bands]),
        column([(band.high - band.offset) / band.gain for band in bands]))
