"""`Scene`: an image with its label raster; what each of its chips holds."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geoseg.errors import PlanError, RasterError
from geoseg.geo.grid import Grid
from geoseg.geo.legend import IGNORE, Legend
from geoseg.geo.raster import image_bands, may_lack_data, open_raster, read, valid_pixels
from geoseg.geo.windows import row_bands
from geoseg.progress import Progress, silent, track

_BAND_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Scene:
    """An image and the label raster on its grid."""

    image: Path
    """Image file, absolute."""
    label: Path
    """Label raster, absolute."""
    grid: Grid
    """The grid they share."""
    legend: Legend
    """Classes of the label raster."""
    bands: tuple[int, ...]
    """1-based bands of the image that are used."""

    @classmethod
    def open(cls, image: str | Path, label: str | Path, *, bands: Sequence[int] | None = None,
             georeferenced: bool = True) -> Scene:
        """Look at an image and its label raster.

        Args:
            image: Image file.
            label: Label raster made by `burn_labels`.
            bands: 1-based bands of the image to use; None for all but alpha.
            georeferenced: False for pixel space.

        Raises:
            GridError: The image lacks a georeference, or the labels lie on another grid.
            RasterError: A file cannot be read, a band does not exist, or the label raster carries
                no legend or not the legend's bands.
        """
        with open_raster(image) as dataset:
            grid = Grid.of(dataset, georeferenced=georeferenced)
            used = image_bands(dataset, bands)
        with open_raster(label) as dataset:
            legend = Legend.of(dataset)
            grid.require_same(Grid.of(dataset, georeferenced=georeferenced), label, image)
            if dataset.count != legend.label_bands:
                raise RasterError(label, f"has {dataset.count} bands, its legend describes "
                                  f"{legend.label_bands}", "Make it again with burn-labels")
        return cls(Path(image).absolute(), Path(label).absolute(), grid, legend, used)


def open_scenes(pairs: Sequence[tuple[str | Path, str | Path]], *,
                bands: Sequence[int] | None = None, georeferenced: bool = True) -> list[Scene]:
    """Open several scenes and check that they can be used together.

    Args:
        pairs: Image and label raster of each scene.
        bands: As in `Scene.open`, for all.
        georeferenced: As in `Scene.open`, for all.

    Raises:
        PlanError: There is none, one is given twice, or they differ in classes or bands.
        GridError, RasterError: See `Scene.open`.
    """
    scenes = [Scene.open(image, label, bands=bands, georeferenced=georeferenced)
              for image, label in pairs]
    if not scenes:
        raise PlanError("plan-chips", "got no image", "Give an image and its labels")
    first = scenes[0]
    seen: set[Path] = set()
    for scene in scenes:
        if scene.image in seen:
            raise PlanError(scene.image, "is given twice", "Give each image once")
        seen.add(scene.image)
        if scene.legend != first.legend:
            raise PlanError(scene.label, f"has the classes {', '.join(scene.legend.names)} but "
                            f"{first.label.name} has {', '.join(first.legend.names)}",
                            "Burn all labels with one recipe")
        if len(scene.bands) != len(first.bands):
            raise PlanError(scene.image, f"has {len(scene.bands)} bands but {first.image.name} "
                            f"has {len(first.bands)}", "Choose common bands under [image] bands "
                            "in the recipe")
    return scenes


@dataclass(frozen=True, slots=True)
class Contents:
    """What chips hold, in pixels; one row per chip."""

    usable: np.ndarray
    """int64 (chips,): pixels that have image data and a label."""
    labelled: np.ndarray
    """int64 (chips, classes): usable pixels where it is known whether the class is there."""
    present: np.ndarray
    """int64 (chips, classes): usable pixels where the class is there."""

    @property
    def shares(self) -> np.ndarray:
        """float64 (chips, classes) in 0..1: share of each class among the labelled pixels."""
        return np.asarray(self.present / np.maximum(self.labelled, 1))

    def take(self, rows: np.ndarray) -> Contents:
        """Return the chips that a bool or integer index selects."""
        return Contents(self.usable[rows], self.labelled[rows], self.present[rows])

    @classmethod
    def join(cls, parts: Sequence[Contents]) -> Contents:
        """Return the chips of several scenes as one."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts])
                     for name in ("usable", "labelled", "present")))


def count_contents(scene: Scene, windows: np.ndarray, progress: Progress = silent) -> Contents:
    """Count image data and classes of chips, reading each pixel of the scene once.

    The scene is read from top to bottom in bands of whole blocks, so memory does not grow with
    its height, and overlapping chips cost no second reading.

    Args:
        scene: The scene.
        windows: int (chips, 4): column, row, width, height, inside the scene.
        progress: Progress of the reading.

    Raises:
        RasterError: A file cannot be read, or a label is not in the legend.
    """
    classes = len(scene.legend)
    found = Contents(np.zeros(len(windows), np.int64), np.zeros((len(windows), classes), np.int64),
                     np.zeros((len(windows), classes), np.int64))
    top, bottom = windows[:, 1], windows[:, 1] + windows[:, 3]
    with ExitStack() as stack:
        image = stack.enter_context(open_raster(scene.image))
        label = stack.enter_context(open_raster(scene.label))
        bands = list(row_bands(scene.grid.height, scene.grid.width, _band_rows(image, scene)))
        for band in track(bands, progress, f"reading {scene.label.name}"):
            touched = np.flatnonzero((top < band.row_off + band.height) & (bottom > band.row_off))
            if len(touched):
                labels = _read_labels(label, scene, band)
                labels[:, ~_has_data(image, scene, band)] = IGNORE
                _add(found, labels, windows, touched, int(band.row_off))
    return found


def _band_rows(image: DatasetReader, scene: Scene) -> int:
    """Rows to read at once: whole rows of blocks, as many as fit some memory."""
    per_row = scene.grid.width * (len(scene.bands) * np.dtype(image.dtypes[0]).itemsize
                                  + scene.legend.label_bands)
    block = int(image.block_shapes[0][0])
    return int(max(1, _BAND_BYTES // (per_row * block)) * block)


def _read_labels(label: DatasetReader, scene: Scene, window: Window) -> np.ndarray:
    values, valid = read(label, window, label.indexes)
    known = 2 if scene.legend.overlapping else len(scene.legend)
    values = np.where(valid, values, IGNORE)
    strange = (values != IGNORE) & ((values < 0) | (values >= known))
    if strange.any():
        raise RasterError(scene.label, f"holds the value {values[strange][0]}, which its legend "
                          "does not name", "Make it again with burn-labels")
    return values.astype(np.uint8)


def _has_data(image: DatasetReader, scene: Scene, window: Window) -> np.ndarray:
    """Where the image has data; an image that cannot lack any is not read."""
    if not may_lack_data(image, scene.bands):
        return np.ones((int(window.height), int(window.width)), dtype=bool)
    values, valid = read(image, window, scene.bands)
    return valid_pixels(valid, values)


def _add(found: Contents, labels: np.ndarray, windows: np.ndarray, touched: np.ndarray,
         first_row: int) -> None:
    """Add what a band of labels (label bands, rows, columns) shows of each touched chip."""
    classes = found.present.shape[1]
    for chip in touched:
        column, row, width, height = (int(value) for value in windows[chip])
        part = labels[:, max(row - first_row, 0):row - first_row + height, column:column + width]
        found.usable[chip] += np.count_nonzero((part != IGNORE).any(axis=0))
        if len(labels) == 1 and classes > 1:
            counts = np.bincount(part.reshape(-1), minlength=256)[:classes]
            found.present[chip] += counts
            found.labelled[chip] += counts.sum()
        else:
            found.present[chip] += (part == 1).sum(axis=(1, 2))
            found.labelled[chip] += (part != IGNORE).sum(axis=(1, 2))
