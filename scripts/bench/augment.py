"""Measure how long the augmentation of a crop takes, beside the least that it could.

The yardstick is a bare cv2.remap of the same crop, band by band: one resampling is needed whatever
else is done. Processor times, the shortest of many, in one thread; reading the image is left out.

    python scripts/bench/augment.py --size 512 --bands 3
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import cv2
import numpy as np

from geoseg.recipe import AugmentRecipe
from geoseg.samples.augment import Radiometry, Sample, draw_warp, finished, shaped

STILL: dict[str, object] = {"turns": "none", "scale": (1, 1), "brightness": 0, "contrast": 0,
                            "band_shift": 0, "noise": 0}
LIGHT: dict[str, object] = {"brightness": 0.2, "contrast": 0.2, "band_shift": 0.05, "noise": 0.02}
CASES: dict[str, dict[str, object]] = {
    "nothing": {},
    "flips": {"turns": "flips"},
    "d4": {"turns": "d4"},
    "light": LIGHT,
    "gamma": {"gamma": 0.2},
    "mixed bands": {"band_mix": 0.1},
    "speckle": {"speckle_looks": 4},
    "scale 1.33": {"scale": (1.33, 1.33)},
    "scale 0.75": {"scale": (0.75, 0.75)},
    "rotation": {"rotation": 20},
    "rotation, scale 2": {"rotation": 20, "scale": (2, 2)},
    "elastic": {"elastic": 3},
    "grid distortion": {"grid_distortion": 0.3},
    "cut-out": {"cutout": 0.2},
    "mosaic (without its pieces)": {"mosaic": 1},
    "flips + rotation + light + grid distortion": {
        "turns": "flips", "rotation": 20, "grid_distortion": 0.3, **LIGHT},
    "the same with gamma": {
        "turns": "flips", "rotation": 20, "grid_distortion": 0.3, "gamma": 0.2, **LIGHT},
}


def main() -> None:
    """Print a table of milliseconds per crop, and of their ratio to the yardstick."""
    options = _arguments()
    cv2.setNumThreads(1)
    bare = _shortest(_bare(options.size, options.bands), options.repeat)
    print(f"{options.bands} bands, {options.size} px, cv2 {cv2.__version__}, one thread")
    print(f"{'':46}{'ms':>7}{'ratio':>8}")
    print(f"{'bare cv2.remap':46}{bare:7.2f}{1:8.2f}")
    for name, changes in CASES.items():
        recipe = AugmentRecipe.model_validate({**STILL, **changes})
        taken = _shortest(_augmentation(recipe, options.size, options.bands), options.repeat)
        print(f"{name:46}{taken:7.2f}{taken / bare:8.2f}")


def _augmentation(recipe: AugmentRecipe, size: int, bands: int) -> Callable[[], object]:
    """Return what makes one crop of what was read, as in training."""
    rng = np.random.default_rng(0)
    largest = _sample(math.ceil(size * recipe.scale[1] * 3), bands)
    other = _sample(size, bands)
    one = np.ones((bands, 1, 1), dtype=np.float32)
    radiometry = Radiometry("none", 0 * one, one, -2 * one, 2 * one)

    def run() -> np.ndarray:
        warp = draw_warp(recipe, size, rng)
        ground = round(size * recipe.scale[1])
        side = math.ceil(ground * (warp.reach() if warp else 1))
        image, valid, label = largest
        read = (np.ascontiguousarray(image[:, :side, :side]), valid[:side, :side].copy(),
                label[:, :side, :side].copy())
        sample = shaped(read, size, ground / size, warp, radiometry, recipe, rng)
        return finished(sample, lambda: other, radiometry, recipe, rng)[0]

    return run


def _bare(size: int, bands: int) -> Callable[[], object]:
    image = _sample(2 * size, bands)[0]
    angle = np.radians(13)
    axis = np.arange(size, dtype=np.float32) - size / 2
    columns = (np.cos(angle) * axis[None] - np.sin(angle) * axis[:, None] + size).astype(np.float32)
    rows = (np.sin(angle) * axis[None] + np.cos(angle) * axis[:, None] + size).astype(np.float32)
    return lambda: [cv2.remap(band, columns, rows, cv2.INTER_LINEAR) for band in image]


def _sample(side: int, bands: int) -> Sample:
    rng = np.random.default_rng(0)
    return (rng.standard_normal((bands, side, side), dtype=np.float32),
            np.ones((side, side), dtype=bool),
            rng.integers(0, 5, (1, side, side)).astype(np.uint8))


def _shortest(run: Callable[[], object], repeat: int) -> float:
    """Return the shortest time of many runs in milliseconds."""
    times = []
    for _ in range(repeat):
        start = time.thread_time()
        run()
        times.append(time.thread_time() - start)
    return 1000 * min(times)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=512, help="pixels a side of the crop")
    parser.add_argument("--bands", type=int, default=3, help="bands of the image")
    parser.add_argument("--repeat", type=int, default=60, help="runs of each, the shortest counts")
    return parser.parse_args()


if __name__ == "__main__":
    main()
