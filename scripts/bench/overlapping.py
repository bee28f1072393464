"""Train and score the clouds recipe on made scenes of classes that lie over each other.

Four textures (stripes, blobs, grain and rings) are added to a background wherever their own smooth
mask says so; a pixel may have none, one or all of them. The report has their precision and recall.

    python scripts/bench/overlapping.py -o overlapping
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import rasterio
from crossval import setting
from scipy.ndimage import gaussian_filter

from geoseg.geo.grid import PIXEL_SPACE, Grid
from geoseg.geo.writing import raster_writer
from geoseg.learn.train import train
from geoseg.maps.evaluate import evaluate
from geoseg.recipe import Recipe
from geoseg.samples.chips import plan_chips

NAMES = ("stripes", "blobs", "grain", "rings")
COLORS = ("#4477aa", "#ee6677", "#228833", "#ccbb44")


def main() -> None:
    """Make scenes, train on them, and score the last ones."""
    options = _arguments()
    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    recipe = _recipe(dict(options.set))
    scenes = [_scene(folder, number, options.size, recipe) for number in range(options.scenes)]
    plan = plan_chips(scenes=scenes, recipe=recipe, out=folder / "chips.gpkg", overwrite=True)
    print(plan.table())
    model = train(plan, recipe, out=folder / "model.safetensors", device="cpu", overwrite=True)
    scores = evaluate(model, plan, out=folder / "report.html", overwrite=True)
    print(scores.table())


def _recipe(changes: dict[str, object]) -> Recipe:
    base = Recipe.read("clouds").to_dict()
    base |= {"name": "overlapping", "georeferenced": False, "image": {}, "class": [
        {"name": name, "color": color, "codes": [number]}
        for number, (name, color) in enumerate(zip(NAMES, COLORS, strict=True))]}
    base["chips"]["size"] = 64
    base["augment"] = {"brightness": 0.1, "contrast": 0.1}
    base["train"] = {"network": "classic-unet", "width": 16, "depth": 3, "pretrained": False,
                     "loss": "0.7*ce + 0.3*dice", "batch": 8, "steps": 300,
                     "learning_rate": 2e-3, "validate_every": 100}
    for key, value in changes.items():
        *path, name = key.split(".")
        section = base
        for step in path:
            section = section[step]
        section[name] = value
    return Recipe.from_dict(base)


def _scene(folder: Path, number: int, size: int, recipe: Recipe) -> tuple[Path, Path]:
    """Write an image of three bands and labels with a band per class."""
    random = np.random.default_rng(number)
    masks = np.stack([gaussian_filter(random.normal(size=(size, size)), size / 16) > 0
                      for _ in NAMES])
    ground = 0.6 * gaussian_filter(random.normal(size=(size, size)), size / 12) * size / 12
    textures = _textures(random, size)
    tint = random.dirichlet(np.ones(3), len(NAMES)) + 0.4
    image = ground + np.einsum("ck,cij->kij", tint, masks * textures)
    image = 120 + 28 * image + random.normal(0, 6, image.shape)
    paths = folder / f"{number}-image.tif", folder / f"{number}-labels.tif"
    with rasterio.open(paths[0], "w", driver="GTiff", width=size, height=size, count=3,
                       dtype="uint8") as target:
        target.write(np.clip(image, 1, 255).astype(np.uint8))
    grid = Grid(None, PIXEL_SPACE, size, size)
    with raster_writer(paths[1], grid, count=len(NAMES), dtype="uint8", nodata=255,
                       legend=recipe.legend, band_names=NAMES, is_categorical=True) as write:
        write(masks.astype(np.uint8), grid.window)
    return paths


def _textures(random: np.random.Generator, size: int) -> np.ndarray:
    """Return one field (rows, columns) per class, each of mean 0 and deviation 1."""
    row, column = np.mgrid[:size, :size]
    angle, radius = random.uniform(0, np.pi), np.hypot(row % 24 - 12, column % 24 - 12)
    noise = [random.normal(size=(size, size)) for _ in range(2)]
    fields = [np.sin((row * np.cos(angle) + column * np.sin(angle)) * 2 * np.pi / 9),
              np.maximum(gaussian_filter(noise[0], 3), 0) ** 2,
              gaussian_filter(noise[1], 0.7),
              np.exp(-np.square((radius - 8) / 1.5))]
    return np.stack([(field - field.mean()) / field.std() for field in fields])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", default="work/overlapping", help="folder to write")
    parser.add_argument("--scenes", type=int, default=3)
    parser.add_argument("--size", type=int, default=512, help="pixels a side")
    parser.add_argument("--set", type=setting, action="append", default=[], metavar="KEY=VALUE")
    return parser.parse_args()


if __name__ == "__main__":
    main()
