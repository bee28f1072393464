"""Measure how much a random split flatters: the same recipe on a random and on a block split.

Both plans have as many training, validation and test chips. In the random one, as in much published
work, neighbouring chips fall to different splits, so that the test shows places the network has
nearly seen. Scores are those of each plan's own test chips, at the last step.

    python scripts/bench/leak.py -r docs/tutorials/landcover.toml --scene image.tif labels.tif \
        --set train.steps=300
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from crossval import changed, setting

from geoseg.learn.train import train
from geoseg.maps.evaluate import evaluate
from geoseg.recipe import Recipe
from geoseg.samples.chips import plan_chips
from geoseg.samples.plan import SPLITS, ChipPlan


def main() -> None:
    """Train with every seed on both plans; print each score, then means and their difference."""
    options = _arguments()
    image, labels = options.scene
    found: dict[str, list[float]] = {"blocks": [], "random": []}
    for seed in range(options.seeds):
        recipe = changed(Recipe.read(options.recipe), {"chips.seed": seed, "train.seed": seed,
                                                       **dict(options.set)})
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            blocks = plan_chips(image, labels, recipe=recipe, out=place / "blocks.gpkg")
            every = plan_chips(image, labels, recipe=recipe, split=(100, 0, 0),
                               out=place / "all.gpkg")
            for name, plan in (("blocks", blocks), ("random", _shuffled(every, blocks, seed))):
                model = train(plan, recipe, device="cpu", out=place / f"{name}.safetensors")
                scores = evaluate(model, plan, out=place / f"{name}.html")
                found[name].append(scores.mean_iou)
                print(f"seed {seed}, {name}: test mean IoU {scores.mean_iou:.4f}", flush=True)
    for name, values in found.items():
        print(f"{name}: {np.mean(values):.4f} ± {np.std(values, ddof=min(1, len(values) - 1)):.4f}")
    print(f"random minus blocks: {np.mean(found['random']) - np.mean(found['blocks']):+.4f}")


def _shuffled(every: ChipPlan, like: ChipPlan, seed: int) -> ChipPlan:
    """Return as many chips of each split as in another plan, drawn from all of the scene."""
    order = np.random.default_rng(seed).permutation(len(every.frame))
    ends = np.cumsum([len(like.rows(split)) for split in SPLITS])
    frame = every.frame.assign(split="unused")
    for split, start, end in zip(SPLITS, [0, *ends], ends, strict=False):
        frame.iloc[order[start:end], frame.columns.get_loc("split")] = split
    return replace(every, frame=frame[frame["split"] != "unused"].reset_index(drop=True), gap=0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-r", "--recipe", required=True, help="recipe, by name or file")
    parser.add_argument("--scene", nargs=2, required=True, metavar=("IMAGE", "LABELS"))
    parser.add_argument("--seeds", type=int, default=3, help="how many splits and seeds")
    parser.add_argument("--set", type=setting, action="append", default=[],
                        metavar="KEY=VALUE", help="change the recipe, e.g. train.steps=300")
    return parser.parse_args()


if __name__ == "__main__":
    main()
