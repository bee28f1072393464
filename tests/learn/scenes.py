"""A small made scene that a network can learn in a few steps, and its chip plan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from geoseg.geo.grid import Grid
from geoseg.geo.raster import open_raster
from geoseg.geo.writing import raster_writer
from geoseg.recipe import Recipe
from geoseg.samples.chips import ChipPlan, plan_chips
from tests.worlds import write_image

CLASSES = [{"name": "land", "color": "#aa8855", "codes": [0]},
           {"name": "water", "color": "#3182bd", "codes": [1]}]


def make_recipe(task: str = "exclusive", **train) -> Recipe:
    """Return a recipe that trains a tiny network for a moment."""
    settings = {"encoder": "mobilenet_v2", "pretrained": False, "steps": 6, "batch": 2,
                "validate_every": 2, "precision": "32", "dropout": 0.2, "detail": 4, **train}
    return Recipe.model_validate({"name": "made", "task": task, "class": CLASSES,
                                  "chips": {"size": 32}, "train": settings})


def write_labels(path: Path, image: Path, water: np.ndarray) -> Path:
    """Write labels on an image's grid: 0 is land, and whatever else is water."""
    with open_raster(image) as dataset:
        grid = Grid.of(dataset)
    with raster_writer(path, grid, count=1, dtype="uint8", nodata=255,
                       legend=make_recipe().legend, is_categorical=True) as write:
        write(water[None].astype(np.uint8), grid.window)
    return path


def make_scene(folder: Path, *, side: int = 256, seed: int = 0) -> tuple[Path, Path]:
    """Write an image of blobs, a little noisy, and labels of where they are."""
    random = np.random.default_rng(seed)
    water = gaussian_filter(random.normal(size=(side, side)), 12) > 0
    image = 1000 + 400 * water + random.normal(0, 60, (3, side, side))
    image_path = write_image(folder / "image.tif", image.astype(np.uint16))
    return image_path, write_labels(folder / "labels.tif", image_path, water)


def make_plan(folder: Path) -> ChipPlan:
    """Write a scene and its chip plan into a folder."""
    image, labels = make_scene(folder)
    return plan_chips(image, labels, size=32, block=2, out=folder / "chips.gpkg")
