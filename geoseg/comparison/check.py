"""What is checked of all settings before the first is trained, so that a slip is told at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from geoseg.comparison.space import Setting
from geoseg.errors import GeosegError, OutputError, PlanError, RecipeError
from geoseg.geo.legend import Legend
from geoseg.geo.output import write_text
from geoseg.geo.raster import image_bands, open_raster
from geoseg.learn.losses import Loss
from geoseg.learn.networks import build_network
from geoseg.learn.preflight import check_labels, check_plan, network_card
from geoseg.learn.scores import Scores
from geoseg.progress import Progress, track
from geoseg.recipe import Recipe
from geoseg.samples.plan import SPLIT_NAMES, ChipPlan

METRICS = {"mean_iou": "mean IoU", "mean_dice": "mean Dice", "accuracy": "accuracy",
           "kappa": "kappa", "ece": "calibration error"}
"""Scores by which settings can be ranked, in words; see `Scores`."""
PER_CLASS = ("iou", "dice")
"""Scores of one class by which settings can be ranked, as in `iou:water`."""
SMALLER_IS_BETTER = ("ece",)

_RECORD = "plan.json"


def check_settings(settings: Sequence[Setting], plan: ChipPlan, progress: Progress) -> None:
    """Check that every setting can be trained: plan, bands, loss and network.

    Raises:
        GeosegError: One cannot; its name is in the message.
    """
    check_labels(plan)
    built: set[str] = set()
    for setting in track(settings, progress, "checking the settings"):
        try:
            _check(setting.recipe, plan, built)
        except PlanError:
            raise
        except GeosegError as error:
            raise type(error)(f"setting {setting.name}",
                              f"cannot be trained: {error.subject} {error.found}",
                              error.cure) from error


def check_metric(metric: str, legend: Legend) -> None:
    """Check that settings can be ranked by a score.

    Raises:
        RecipeError: There is no such score.
    """
    kind, colon, name = metric.partition(":")
    if metric in METRICS or (colon and kind in PER_CLASS and name in legend.names):
        return
    raise RecipeError(f"metric {metric!r}", "is not known",
                      f"Use {', '.join(METRICS)}, or iou:CLASS or dice:CLASS with one of "
                      f"{', '.join(legend.names)}")


def metric_value(metric: str, scores: Scores) -> float | None:
    """Return the score by which settings are ranked; None where it is undefined."""
    kind, colon, name = metric.partition(":")
    found: float | None = getattr(scores[name], kind) if colon else getattr(scores, metric)
    return found


def metric_name(metric: str) -> str:
    """Return a metric in words."""
    kind, colon, name = metric.partition(":")
    return f"{ {'iou': 'IoU', 'dice': 'Dice'}[kind]} of {name}" if colon else METRICS[metric]


def check_split(plan: ChipPlan, split: str, sampler: str) -> None:
    """Check that there are chips to score, and that no search looks at the test chips.

    Raises:
        PlanError: There are none.
        RecipeError: A search would choose its settings by the test chips.
    """
    if plan.rows(split).empty:
        raise PlanError(plan.path or "chip plan", f"has no {SPLIT_NAMES[split]} chips",
                        "Choose another split, or plan again with a share for it")
    if split == "test" and sampler == "tpe":
        raise RecipeError("split test", "cannot guide a search, since settings that were chosen by "
                          "the test chips cannot be tested by them",
                          "Search on val, and score the best once on test")


def check_folder(folder: Path, plan: ChipPlan) -> None:
    """Check that a folder holds no comparison over another plan, and note the plan in it.

    Raises:
        OutputError: The folder is a file.
        PlanError: It does.
    """
    if folder.is_file():
        raise OutputError(folder, "is a file", "Name a folder")
    record, known = folder / _RECORD, plan_hash(plan)
    if record.exists():
        before = json.loads(record.read_text(encoding="utf-8"))
        if before["sha256"] != known:
            raise PlanError(plan.path or "chip plan", f"is not the plan that {folder} compares "
                            "over", "Compare in another folder, or overwrite this one: scores over "
                            "different chips cannot be compared")
        return
    name = Path(plan.path).name if plan.path else "a chip plan"
    write_text(record, json.dumps({"plan": name, "sha256": known}, indent=1))


def plan_hash(plan: ChipPlan) -> str:
    """Return a hash of what a plan says: chips, splits, weights and what their labels show.

    Files are named without their folders, so that a project can be moved.
    """
    frame = plan.frame.drop(columns="geometry").assign(
        **{key: plan.frame[key].map(lambda path: Path(path).name) for key in ("scene", "label")})
    names = sorted(map(str, frame.columns))
    text = frame[names].to_csv(index=False, float_format="%.9g")
    return hashlib.sha256(f"{json.dumps(plan.legend.to_dict())}\n{text}".encode()).hexdigest()


def _check(recipe: Recipe, plan: ChipPlan, built: set[str]) -> None:
    check_plan(plan, recipe)
    Loss(recipe.train.loss, overlapping=recipe.legend.overlapping,
         label_smoothing=recipe.train.label_smoothing)
    with open_raster(plan.rows("train").iloc[0]["scene"]) as scene:
        card = network_card(recipe, len(image_bands(scene, recipe.image.bands)))
    key = card.model_dump_json()
    if key not in built:
        build_network(card)
        built.add(key)
