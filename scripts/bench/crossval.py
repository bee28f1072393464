"""Cross-validate a recipe: train on all parts but one, score on that one, in turn.

One scene is cut into a grid of parts, with a gap around the scored one; several scenes are parted
in groups of consecutive ones. Nothing is chosen on the scored part: the weights are those of the
last step, and the class is the likeliest. Counts are pooled over the parts.

    python scripts/bench/crossval.py -r docs/tutorials/buildings.toml --grid 2x2 --gap 64 \
        --scene mosaic.tif labels.tif --set train.steps=400
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window

from geoseg.geo.legend import IGNORE
from geoseg.geo.raster import read, valid_pixels
from geoseg.learn.dataset import read_label
from geoseg.learn.model import Model
from geoseg.learn.train import train
from geoseg.recipe import Recipe
from geoseg.samples.chips import plan_chips
from geoseg.samples.plan import ChipPlan

CONTEXT = 128
"""Pixels of image around a scored part that the network sees too."""
CHIP = 64
"""Side in pixels of the chips that parts and gaps are made of."""
Part = tuple[str, Window]
"""Scene and window to score."""


def main() -> None:
    """Read the arguments, run all folds, print a line for each and the pooled scores."""
    options = _arguments()
    recipe = changed(Recipe.read(options.recipe), {"chips.size": CHIP, **dict(options.set)})
    with tempfile.TemporaryDirectory() as folder:
        plan = plan_chips(scenes=options.scene, recipe=recipe, split=(100, 0, 0),
                          out=Path(folder) / "all.gpkg")
        parts = list(_grid(plan, options.grid) if len(options.scene) == 1
                     else _groups(plan, options.groups))
        pooled = np.zeros((2, len(recipe.classes), len(recipe.classes)), np.int64)
        for number, fold in enumerate(parts):
            if options.only and number not in options.only:
                continue
            start = time.perf_counter(), time.process_time()
            model = train(_fold(plan, fold, options.gap), recipe, device="cpu", overwrite=True,
                          out=Path(folder) / f"{number}.safetensors")
            wall, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
            counts = np.stack([_confusion(model, plan, fold, tta) for tta in (False, True)])
            pooled += counts
            print(f"part {number}: {_text(counts)}, {wall:.0f} s, {cpu:.0f} CPU-s", flush=True)
    print(f"pooled: {_text(pooled)}")


def changed(recipe: Recipe, changes: dict[str, object]) -> Recipe:
    """Return a recipe with dotted keys changed that validates only once, at its last step."""
    values = recipe.to_dict()
    values["train"].setdefault("crop", recipe.chips.size)
    for key, value in changes.items():
        *path, name = key.split(".")
        section = values
        for step in path:
            section = section[step]
        section[name] = value
    values["train"]["validate_every"] = values["train"]["steps"]
    return Recipe.from_dict(values)


def _grid(plan: ChipPlan, shape: tuple[int, int]) -> Iterator[list[Part]]:
    """Yield the cells of a grid over the only scene."""
    scene = plan.frame["scene"].iloc[0]
    with rasterio.open(scene) as dataset:
        height, width = dataset.shape
    rows, columns = height // shape[0], width // shape[1]
    for row in range(shape[0]):
        for column in range(shape[1]):
            yield [(scene, Window(column * columns, row * rows, columns, rows))]


def _groups(plan: ChipPlan, count: int) -> Iterator[list[Part]]:
    """Yield groups of consecutive scenes."""
    for names in np.array_split(plan.frame["scene"].unique(), count):
        parts = []
        for name in names:
            with rasterio.open(name) as dataset:
                parts.append((name, Window(0, 0, dataset.width, dataset.height)))
        yield parts


def _fold(plan: ChipPlan, fold: list[Part], gap: int) -> ChipPlan:
    """Take the scored parts and the gap around them out of training.

    A few of the scored chips stand in for the validation that training asks for; since it comes
    only once, at the end, nothing is chosen by it.
    """
    frame = plan.frame.copy()
    inside = np.zeros(len(frame), bool)
    near = np.zeros(len(frame), bool)
    for scene, window in fold:
        for margin, touched in ((0, inside), (gap, near)):
            touched |= ((frame["scene"] == scene)
                        & (frame["row"] < window.row_off + window.height + margin)
                        & (frame["row"] + frame["height"] > window.row_off - margin)
                        & (frame["col"] < window.col_off + window.width + margin)
                        & (frame["col"] + frame["width"] > window.col_off - margin)).to_numpy()
    frame["split"] = np.where(inside, "test", np.where(near, "gap", "train"))
    frame.loc[frame.index[inside][::12], "split"] = "val"
    return replace(plan, frame=frame[frame["split"] != "gap"])


def _confusion(model: Model, plan: ChipPlan, fold: list[Part], tta: bool) -> np.ndarray:
    """Return pixel counts (true class, mapped class) over the scored parts."""
    classes = len(model.card.classes)
    counts = np.zeros(classes**2, np.int64)
    labels = dict(zip(plan.frame["scene"], plan.frame["label"], strict=True))
    for scene, window in fold:
        row, column = int(window.row_off), int(window.col_off)
        grown = Window(column - CONTEXT, row - CONTEXT, window.width + 2 * CONTEXT,
                       window.height + 2 * CONTEXT)
        with rasterio.open(scene) as dataset:
            values, valid = read(dataset, grown, [band.index for band in model.card.bands])
        with rasterio.open(labels[scene]) as dataset:
            truth = read_label(dataset, window)[0]
        probabilities = _predict(model, values, valid, tta)[:, CONTEXT:-CONTEXT, CONTEXT:-CONTEXT]
        inner = np.s_[..., CONTEXT:-CONTEXT, CONTEXT:-CONTEXT]
        known = (truth != IGNORE) & valid_pixels(valid, values)[inner]
        mapped = probabilities.argmax(0)
        counts += np.bincount(truth[known].astype(int) * classes + mapped[known],
                              minlength=classes**2)
    return counts.reshape(classes, classes)


def _predict(model: Model, values: np.ndarray, valid: np.ndarray, tta: bool) -> np.ndarray:
    """Return probabilities (classes, rows, columns), if wished the mean over the eight turns."""
    total = np.zeros(())
    for turn in range(8 if tta else 1):
        def there(array: np.ndarray, turn: int = turn) -> np.ndarray:
            turned = np.rot90(array, turn % 4, (-2, -1))
            return np.ascontiguousarray(turned[..., ::-1] if turn > 3 else turned)

        answer = model.probabilities(there(values)[None], there(valid)[None])[0]
        total = total + np.rot90(answer[..., ::-1] if turn > 3 else answer, -(turn % 4), (-2, -1))
    return total


def _text(counts: np.ndarray) -> str:
    texts = []
    for name, matrix in zip(("plain", "eight turns"), counts, strict=True):
        right = np.diag(matrix)
        iou = right / np.maximum(matrix.sum(0) + matrix.sum(1) - right, 1)
        texts.append(f"{name}: accuracy {right.sum() / matrix.sum():.4f}, "
                     f"IoU {' '.join(f'{value:.3f}' for value in iou)}, mean {iou.mean():.3f}")
    return "; ".join(texts)


def setting(text: str) -> tuple[str, object]:
    """Read a `key=value` of the command line."""
    key, _, value = text.partition("=")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-r", "--recipe", required=True, help="recipe, by name or file")
    parser.add_argument("--scene", nargs=2, action="append", required=True,
                        metavar=("IMAGE", "LABELS"), help="repeat for several")
    parser.add_argument("--grid", default="2x2", help="parts of a single scene, rows x columns",
                        type=lambda text: tuple(int(n) for n in text.split("x")))
    parser.add_argument("--groups", type=int, default=4, help="parts of several scenes")
    parser.add_argument("--gap", type=int, default=CHIP, help="pixels around the scored part")
    parser.add_argument("--only", type=int, nargs="*", help="numbers of the parts to run")
    parser.add_argument("--set", type=setting, action="append", default=[],
                        metavar="KEY=VALUE", help="change the recipe, e.g. train.steps=400")
    return parser.parse_args()


if __name__ == "__main__":
    main()
