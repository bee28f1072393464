"""Measure how much neighbours flatter: the same test chips, with and without others beside them.

A block plan keeps training chips away from test chips. Here half of its test chips are scored
twice: by a model trained on the plan's training chips, and by one for which the other half of the
test chips, right beside the scored ones, took the place of as many training chips, as a random
split does. Both have as many training chips, and the weights of the last step.

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
from geoseg.samples.plan import ChipPlan


def main() -> None:
    """Train with every seed on both plans; print each score, then means and their difference."""
    options = _arguments()
    image, labels = options.scene
    found: dict[str, list[float]] = {"apart": [], "beside": []}
    for seed in range(options.seeds):
        recipe = changed(Recipe.read(options.recipe), {"chips.seed": seed, "train.seed": seed,
                                                       **dict(options.set)})
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            blocks = plan_chips(image, labels, recipe=recipe, out=place / "blocks.gpkg")
            for name, plan in zip(found, _plans(blocks, seed), strict=True):
                model = train(plan, recipe, device="cpu", out=place / f"{name}.safetensors")
                scores = evaluate(model, plan, out=place / f"{name}.html")
                found[name].append(scores.mean_iou)
                print(f"seed {seed}, training chips {name}: {len(plan.rows('train'))} chips, test "
                      f"mean IoU {scores.mean_iou:.4f}", flush=True)
    gaps = np.subtract(found["beside"], found["apart"])
    for name, values in (*found.items(), ("beside minus apart", gaps)):
        spread = np.std(values, ddof=1) if len(values) > 1 else float("nan")
        print(f"{name}: {np.mean(values):.4f} ± {spread:.4f}")


def _plans(blocks: ChipPlan, seed: int) -> tuple[ChipPlan, ChipPlan]:
    """Return the plan whose training chips lie apart, and the one with some beside the test's."""
    random = np.random.default_rng(seed)
    test = random.permutation(blocks.rows("test").index)
    beside = test[len(test) // 2:]
    dropped = random.choice(blocks.rows("train").index, len(beside), replace=False)
    apart = blocks.frame.drop(index=beside)
    near = blocks.frame.drop(index=dropped)
    near.loc[beside, "split"] = "train"
    near["weight"] = near["weight"].where(near["weight"] > 0, 1.0)
    return replace(blocks, frame=apart), replace(blocks, frame=near, gap=0)


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
