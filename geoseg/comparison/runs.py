"""One setting with one seed: trained, scored, measured, and kept in a folder of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geoseg.comparison.space import Setting, trained_hash
from geoseg.errors import ModelError
from geoseg.geo.output import write_text
from geoseg.learn.card import read_card
from geoseg.learn.dataset import Scenes
from geoseg.learn.metrics import Tally
from geoseg.learn.model import Model
from geoseg.learn.run import STATE
from geoseg.learn.scores import Scores
from geoseg.learn.thresholds import Reliability
from geoseg.learn.train import train
from geoseg.learn.validate import score
from geoseg.progress import Progress, part, track
from geoseg.recipe import Recipe
from geoseg.samples.plan import ChipPlan

if TYPE_CHECKING:
    import geopandas as gpd

MODEL = "model.safetensors"
"""Name of a run's model in its folder."""
_TRAINING, _COST = "training", "cost.json"


@dataclass(frozen=True, eq=False)
class Run:
    """A setting and a seed, and where its files are."""

    setting: Setting
    """The setting."""
    seed: int
    """The seed of weights, crops and augmentation."""
    folder: Path
    """Its folder; made when it is trained."""

    @property
    def recipe(self) -> Recipe:
        """The recipe with the seed."""
        return self.setting.with_seed(self.seed)


@dataclass(frozen=True)
class Outcome:
    """What a run that was trained and scored came to."""

    scores: Scores
    """Scores on the chips of the split."""
    wrong: np.ndarray
    """float64 (chips,): share of each chip's labels that the map contradicts, 0..1, in the order
    of `scored_rows`; NaN where nothing is labelled."""
    reliability: Reliability
    """How often predictions come true."""
    history: list[Mapping[str, float]]
    """One entry per validation, see `Model.card.training`."""
    best_step: int
    """The step whose weights were kept."""
    parameters: int
    """Numbers that the network learnt."""
    cpu_seconds: float | None
    """Processor time of training; None if it was interrupted, since part of it was not measured."""
    wall_seconds: float | None
    """Time by the clock, None like `cpu_seconds`."""


def perform(plan: ChipPlan, recipe: Recipe, folder: Path, *, split: str, device: str,
            progress: Progress) -> None:
    """Train a run, unless that was done, and score it, unless that was done.

    Args:
        plan: The chip plan.
        recipe: The recipe, with its seed.
        folder: Folder of the run; an interrupted training in it goes on.
        split: The chips to score.
        device: `auto`, `cpu`, `cuda` or `mps`.
        progress: Told how far it is.

    Raises:
        GeosegError: As `train` raises.
    """
    if not is_trained(recipe, folder):
        _train(plan, recipe, folder, device, part(progress, 0.0, 0.9))
    if not _scores_file(folder, split).exists():
        model = Model.load(folder / MODEL, device=device)
        found = score_chips(model, plan, split, part(progress, 0.9, 1.0))
        write_text(_scores_file(folder, split), json.dumps(found, indent=1))


def is_trained(recipe: Recipe, folder: Path) -> bool:
    """Return whether a folder holds the model of a recipe, whole."""
    if not (folder / MODEL).exists():
        return False
    try:
        used = Recipe.from_dict(read_card(folder / MODEL).recipe)
    except ModelError:
        return False
    return trained_hash(used) == trained_hash(recipe)


def read_outcome(folder: Path, split: str) -> Outcome:
    """Read what a run that was performed came to."""
    found = json.loads(_scores_file(folder, split).read_text(encoding="utf-8"))
    cost = (json.loads((folder / _COST).read_text(encoding="utf-8"))
            if (folder / _COST).exists() else {})
    training = read_card(folder / MODEL).training
    bins = {name: np.array(values) for name, values in found["reliability"].items()}
    return Outcome(
        Scores.from_dict(found["scores"]), np.array(found["wrong"], float), Reliability(**bins),
        training["history"], training["best_step"], found["parameters"], cost.get("cpu_seconds"),
        cost.get("wall_seconds"))


def scored_rows(plan: ChipPlan, split: str) -> gpd.GeoDataFrame:
    """Return the chips of a split in the order in which they are scored."""
    return plan.rows(split).sort_values(["scene", "row", "col"], kind="stable")


def score_chips(model: Model, plan: ChipPlan, split: str, progress: Progress) -> dict[str, Any]:
    """Score a model, also chip by chip, with the thresholds that its validation found.

    Returns:
        JSON-ready: `scores`, `wrong` share per chip, `reliability` bins, `parameters`.
    """
    rows = scored_rows(plan, split)
    total = Tally(model.card.legend)
    wrong: list[float | None] = []
    with Scenes() as scenes:
        for place in track(range(len(rows)), progress, "scoring"):
            tally = score(model, scenes, rows.iloc[place:place + 1], 1, model.card.precision,
                          curves=True)
            right = tally.scores(model.card.thresholds).accuracy
            wrong.append(None if right is None else 1 - right)
            total.merge(tally)
    bins = total.reliability()
    return {"scores": total.scores(model.card.thresholds).to_dict(), "wrong": wrong,
            "reliability": {"confidence": bins.confidence.tolist(),
                            "accuracy": bins.accuracy.tolist(), "count": bins.count.tolist()},
            "parameters": sum(item.numel() for item in model.network.parameters())}


def _train(plan: ChipPlan, recipe: Recipe, folder: Path, device: str, progress: Progress) -> None:
    resume = (folder / _TRAINING / STATE).exists()
    for stale in (folder / _COST, *folder.glob("scores-*.json")):
        stale.unlink(missing_ok=True)
    cpu, clock = time.process_time(), time.perf_counter()
    train(plan, recipe, out=folder / MODEL, run_dir=folder / _TRAINING, resume=resume,
          device=device, overwrite=True, progress=progress)
    if not resume:
        cost = {"cpu_seconds": round(time.process_time() - cpu, 2),
                "wall_seconds": round(time.perf_counter() - clock, 2)}
        write_text(folder / _COST, json.dumps(cost))


def _scores_file(folder: Path, split: str) -> Path:
    return folder / f"scores-{split}.json"
