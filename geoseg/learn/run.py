"""One training run in its folder: steps, validations, what is kept, and the model in the end."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from lightning_fabric import Fabric

from geoseg.errors import TrainingError
from geoseg.geo.output import write_text
from geoseg.learn.card import ModelCard
from geoseg.learn.curriculum import make_chances
from geoseg.learn.dataset import Scenes, TrainingCrops
from geoseg.learn.history import write_history
from geoseg.learn.learner import Learner
from geoseg.learn.model import Model, resolve_precision
from geoseg.learn.prefetch import prefetch
from geoseg.learn.preflight import make_card
from geoseg.learn.schedule import rate_factor
from geoseg.learn.state import Course, load_state, save_state
from geoseg.learn.validate import fit_temperature, score
from geoseg.progress import Progress, part
from geoseg.recipe import Recipe
from geoseg.samples.plan import ChipPlan

_log = logging.getLogger("geoseg")
_FABRIC_PRECISION: dict[str, Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    "32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}
_BEST, _LAST = "best.safetensors", "last.safetensors"
STATE = "state.safetensors"
"""Name of the file in the run folder that a run can be resumed from."""


@dataclass
class Run:
    """One training run.

    Args:
        plan: Chip plan.
        recipe: Recipe.
        folder: Run folder.
        device: Kind of device, such as `cpu`.
        devices: How many of them.
    """

    plan: ChipPlan
    recipe: Recipe
    folder: Path
    device: str
    devices: int

    def __post_init__(self) -> None:
        self.precision = resolve_precision(self.recipe.train.precision, self.device)

    @property
    def fingerprint(self) -> str:
        """Hash of everything that the course of the training depends on."""
        frame = self.plan.frame[["scene", "label", "col", "row", "width", "height", "split",
                                 "weight", *self.plan.frame.filter(like="share_").columns]]
        recipe = self.recipe.without("predict", "refine", "map")
        parts = [json.dumps(recipe.to_dict(), sort_keys=True), frame.to_csv(index=False),
                 self.precision, str(self.devices)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def fit(self, resume: bool, progress: Progress) -> None:
        """Train to the end or until the validation no longer improves.

        Args:
            resume: Go on from the state in the folder.
            progress: Told the step, the loss and the last validation.

        Raises:
            TrainingError: Nothing to resume, or loss, gradient or answers are not finite.
        """
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        fabric = Fabric(accelerator=self.device, devices=self.devices,
                        strategy="ddp" if self.devices > 1 else "auto",
                        precision=_FABRIC_PRECISION[self.precision])
        fabric.launch()
        card = make_card(self.plan, self.recipe, self.precision, part(progress, 0.0, 0.02))
        torch.manual_seed(self.recipe.train.seed)
        learner = Learner(fabric, self.recipe, self.plan, card, fresh=not resume)
        course = Course(rates=learner.rates)
        if resume:
            course = load_state(self.folder / STATE, self.fingerprint, learner.bare,
                                learner.average.module, learner.optimizer.optimizer)
            learner.rates = course.rates
        if fabric.is_global_zero:
            write_text(self.folder / "recipe.json", json.dumps(self.recipe.to_dict(), indent=1))
        learner.average.n_averaged.fill_(course.step)
        if course.stale >= self.recipe.train.patience:
            return
        with Scenes() as scenes:
            self._steps(fabric, learner, scenes, course, part(progress, 0.02, 1.0))

    def _crops(self, scenes: Scenes, card: ModelCard) -> TrainingCrops:
        settings, chips = self.recipe.train, self.plan.rows("train")
        chances = make_chances(chips, settings.steps, settings.curriculum,
                               overlapping=card.legend.overlapping)
        return TrainingCrops(scenes, chips, card.bands, self.recipe.augment,
                             settings.crop or self.plan.size, settings.seed, chances)

    def _steps(self, fabric: Fabric, learner: Learner, scenes: Scenes, course: Course,
               progress: Progress) -> None:
        settings = self.recipe.train
        epoch = len(self.plan.rows("train")) / (settings.batch * self.devices)
        losses: list[float] = []
        batches = prefetch(self._crops(scenes, learner.card), settings.batch,
                           range(course.step, settings.steps), fabric.global_rank,
                           threads=1 if self.device == "cpu" else 4)
        for step, images, labels in batches:
            factor = rate_factor(settings, step, step / epoch, course.scores)
            try:
                losses.append(learner.step(step, factor, images, labels))
            except FloatingPointError as error:
                raise self._diverged(course, f"step {step}", str(error)) from error
            course.step = step + 1
            if course.step % settings.validate_every == 0 or course.step == settings.steps:
                self._validate(fabric, learner, scenes, course, float(np.mean(losses)))
                losses.clear()
                if course.stale >= settings.patience:
                    _log.info("Stopped at step %d: validation has not risen in the last %d times.",
                              course.step, course.stale)
                    break
            progress(course.step / settings.steps, _message(course, settings.steps, losses))

    def _validate(self, fabric: Fabric, learner: Learner, scenes: Scenes, course: Course,
                  loss: float) -> None:
        """Score the averaged weights, keep them if they are the best, save the state.

        Every process learns the scores, since schedule and early stopping depend on them.
        """
        scores = (float("nan"), float("nan"))
        model = Model(learner.card, learner.average.module.eval())
        if fabric.is_global_zero and learner.is_finite:
            scores = self._score(model, scenes)
        value, accuracy = fabric.broadcast(scores)
        if not np.isfinite(value):
            raise self._diverged(course, f"validation at step {course.step}",
                                 "finds answers that are not finite numbers")
        is_best = course.add({"step": course.step, "loss": loss, "val_mean_iou": value,
                              "val_accuracy": accuracy, "learning_rate": learner.rate})
        if not fabric.is_global_zero:
            return
        if is_best:
            model.save(self.folder / _BEST)
        save_state(self.folder / STATE, self.fingerprint, course, learner.bare,
                   learner.average.module, learner.optimizer.optimizer)
        if course.step == self.recipe.train.steps or course.stale >= self.recipe.train.patience:
            model.save(self.folder / _LAST)
        write_history(course.history, self.folder)
        _log.info("Step %d: loss %.4f, validation mean IoU %.4f", course.step, loss, value)

    def _score(self, model: Model, scenes: Scenes) -> tuple[float, float]:
        """Return mean IoU and accuracy on the validation chips; nan if an answer is not finite."""
        try:
            scores = score(model, scenes, self.plan.rows("val"), self.recipe.train.batch,
                           self.precision, curves=False).scores()
        except FloatingPointError:
            return float("nan"), float("nan")
        return scores.mean_iou or 0.0, scores.accuracy or 0.0

    def _diverged(self, course: Course, subject: str, found: str) -> TrainingError:
        """Return the error of a training that left the finite numbers."""
        kept = (f"; the best model until then, of step {course.best_step}, is "
                f"{self.folder / _BEST}" if course.history else "")
        return TrainingError(subject, found, "Lower learning_rate under [train], or check the "
                             f"image for extreme values{kept}")

    def finish(self, path: Path, progress: Progress) -> Model:
        """Calibrate the best weights, score them and write the model file."""
        history = json.loads((self.folder / "history.json").read_text(encoding="utf-8"))
        model = Model.load(self.folder / _BEST, device=self.device)
        rows, batch = self.plan.rows("val"), self.recipe.train.batch
        with Scenes() as scenes:
            progress(0.0, "fitting the temperature")
            temperature = fit_temperature(model, scenes, rows, batch, self.precision)
            model = replace(model, card=model.card.model_copy(
                update={"temperature": temperature}))
            progress(0.5, "scoring the validation chips")
            tally = score(model, scenes, rows, batch, self.precision, curves=True)
        thresholds = tally.map_thresholds()
        best = max(reversed(history), key=lambda entry: entry["val_mean_iou"])
        card = model.card.model_copy(update={
            "thresholds": thresholds, "scores": tally.scores(thresholds).to_dict(),
            "training": {**model.card.training, "steps": history[-1]["step"],
                         "best_step": best["step"], "history": history},
        })
        model = Model(card, model.network, path)
        model.save(path)
        return model


def _message(course: Course, steps: int, losses: list[float]) -> str:
    message = f"step {course.step}/{steps}"
    if losses:
        message += f", loss {np.mean(losses[-20:]):.3f}"
    if course.history:
        message += f", validation mean IoU {course.scores[-1]:.3f}"
    return message
