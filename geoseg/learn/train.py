"""`train`: from a chip plan to a model; seeded, resumable, on one device or many."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from geoseg.errors import TrainingError
from geoseg.geo.output import check_output, making_folder, write_text
from geoseg.learn.card import ModelCard
from geoseg.learn.dataset import Scenes, TrainingCrops
from geoseg.learn.history import write_history
from geoseg.learn.losses import Loss
from geoseg.learn.model import Model, choose_device, resolve_precision
from geoseg.learn.networks import build_network, parameter_groups
from geoseg.learn.preflight import balanced_weights, check_labels, check_plan, make_card
from geoseg.learn.schedule import one_cycle
from geoseg.learn.scores import decimals
from geoseg.learn.state import Course, load_state, save_state
from geoseg.learn.validate import fit_temperature, score
from geoseg.progress import Progress, part, silent
from geoseg.recipe import Recipe
from geoseg.samples.plan import ChipPlan

_log = logging.getLogger("geoseg")
_PREFETCH = 4
_FABRIC_PRECISION: dict[str, Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    "32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}
_STATE, _BEST, _LAST = "state.safetensors", "best.safetensors", "last.safetensors"


def train(chips: ChipPlan | str | Path, recipe: Recipe | str | Path, *, out: str | Path,
          run_dir: str | Path | None = None, resume: bool = False, device: str = "auto",
          devices: int = 1, overwrite: bool = False, progress: Progress = silent) -> Model:
    """Train a network on a chip plan and write it as one model file.

    Random crops at random scales are read straight from the scenes; which ones, and how they are
    changed, depends only on the seed and the step, so a resumed run equals an uninterrupted one,
    on a CPU to the last bit. The moving average of the weights is validated every few steps; the
    best is kept, its temperature and thresholds are fitted on the validation chips.

    Args:
        chips: Chip plan, or its file.
        recipe: Recipe, its TOML file, or the name of a shipped one.
        out: Model file to write, ending in `.safetensors`.
        run_dir: Folder for the recipe as used, log, curves and resumable state; by default beside
            the model, named after it.
        resume: Go on from the state in the run folder.
        device: `auto`, `cpu`, `cuda` or `mps`.
        devices: How many of them; more than one splits each step over processes, which Fabric
            starts by running the calling script again for each.
        overwrite: Whether an existing model may be replaced.
        progress: Told the step, the loss and the last validation.

    Returns:
        The best model.

    Raises:
        OutputError: The model exists, or cannot be written.
        PlanError: The plan does not suit the recipe, or lacks training or validation chips.
        RasterError: A scene or label cannot be read.
        RecipeError: Unknown network, encoder or loss.
        TrainingError: Nothing to resume, the loss is not finite, or memory ran out.
    """
    path = check_output(out, overwrite=overwrite, suffixes=(".safetensors",))
    recipe = Recipe.of(recipe)
    plan = chips if isinstance(chips, ChipPlan) else ChipPlan.read(chips)
    check_plan(plan, recipe)
    check_labels(plan)
    folder = Path(run_dir) if run_dir else path.with_name(f"{path.stem}-run")
    run = _Run(plan, recipe, folder, _device_kind(device, devices), devices)
    with _run_folder(folder), _log_file(folder / "train.log"), _explain_memory(recipe):
        run.fit(resume, part(progress, 0.0, 0.97))
        model = run.finish(path, part(progress, 0.97, 1.0))
    progress(1.0, f"best validation mean IoU {decimals(model.card.scores['mean_iou'])} "
                  f"at step {model.card.training['best_step']}")
    return model


@dataclass
class _Run:
    """One training run in its folder."""

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
                                 "weight"]]
        recipe = self.recipe.without("predict", "map")
        parts = [json.dumps(recipe.to_dict(), sort_keys=True), frame.to_csv(index=False),
                 self.precision, str(self.devices)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def fit(self, resume: bool, progress: Progress) -> None:
        """Train to the end or until the validation no longer improves."""
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        fabric = Fabric(accelerator=self.device, devices=self.devices,
                        strategy="ddp" if self.devices > 1 else "auto",
                        precision=_FABRIC_PRECISION[self.precision])
        fabric.launch()
        card = make_card(self.plan, self.recipe, self.precision, part(progress, 0.0, 0.02))
        torch.manual_seed(self.recipe.train.seed)
        learner = _Learner(fabric, self.recipe, self.plan, card)
        state = self.folder / _STATE
        course = (load_state(state, self.fingerprint, learner.bare, learner.average.module,
                             learner.optimizer.optimizer) if resume else Course())
        if fabric.is_global_zero:
            write_text(self.folder / "recipe.json", json.dumps(self.recipe.to_dict(), indent=1))
        learner.average.n_averaged.fill_(course.step)
        if course.stale >= self.recipe.train.patience:
            return
        with Scenes() as scenes:
            crops = TrainingCrops(scenes, self.plan.rows("train"), card.bands, self.recipe.augment,
                                  self.recipe.train.crop or self.plan.size,
                                  self.recipe.train.seed)
            self._steps(fabric, learner, crops, scenes, course, part(progress, 0.02, 1.0))

    def _steps(self, fabric: Fabric, learner: _Learner, crops: TrainingCrops, scenes: Scenes,
               course: Course, progress: Progress) -> None:
        settings = self.recipe.train
        losses: list[float] = []
        batches = _prefetch(crops, settings.batch, range(course.step, settings.steps),
                            fabric.global_rank, threads=1 if self.device == "cpu" else 4)
        for step, images, labels in batches:
            losses.append(learner.step(step, images, labels))
            course.step = step + 1
            if course.step % settings.validate_every == 0 or course.step == settings.steps:
                stop = False
                if fabric.is_global_zero:
                    self._validate(learner, scenes, course, float(np.mean(losses)))
                    stop = course.stale >= settings.patience
                losses.clear()
                if fabric.broadcast(stop):
                    _log.info("Stopped at step %d: no better validation since step %d.",
                              course.step, course.best_step)
                    break
            progress(course.step / settings.steps, _message(course, settings.steps, losses))

    def _validate(self, learner: _Learner, scenes: Scenes, course: Course, loss: float) -> None:
        """Score the averaged weights, keep them if they are the best, save the state."""
        model = Model(learner.card, learner.average.module.eval())
        scores = score(model, scenes, self.plan.rows("val"), self.recipe.train.batch,
                       self.precision, curves=False).scores()
        value = scores.mean_iou if scores.mean_iou is not None else 0.0
        course.history.append({"step": course.step, "loss": loss, "val_mean_iou": value,
                               "val_accuracy": scores.accuracy or 0.0})
        course.stale += 1
        if value > course.best:
            course.best, course.best_step, course.stale = value, course.step, 0
            model.save(self.folder / _BEST)
        save_state(self.folder / _STATE, self.fingerprint, course, learner.bare,
                   learner.average.module, learner.optimizer.optimizer)
        if course.step == self.recipe.train.steps or course.stale >= self.recipe.train.patience:
            model.save(self.folder / _LAST)
        write_history(course.history, self.folder)
        _log.info("Step %d: loss %.4f, validation mean IoU %.4f", course.step, loss, value)

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
        best = max(history, key=lambda entry: entry["val_mean_iou"])
        card = model.card.model_copy(update={
            "thresholds": thresholds, "scores": tally.scores(thresholds).to_dict(),
            "training": {**model.card.training, "steps": history[-1]["step"],
                         "best_step": best["step"], "history": history},
        })
        model = Model(card, model.network, path)
        model.save(path)
        return model


class _Learner:
    """Network, moving average, loss and optimiser, and the taking of one step."""

    def __init__(self, fabric: Fabric, recipe: Recipe, plan: ChipPlan, card: ModelCard) -> None:
        settings = recipe.train
        self.card, self._fabric, self._settings = card, fabric, settings
        self.bare = build_network(card.network, pretrained=settings.pretrained)
        self.bare.to(memory_format=torch.channels_last)
        factor = settings.encoder_factor if settings.pretrained else 1.0
        optimizer = torch.optim.AdamW(
            parameter_groups(self.bare, settings.learning_rate, factor),
            weight_decay=settings.weight_decay)
        self._peaks = [group["lr"] for group in optimizer.param_groups]
        self.network, self.optimizer = fabric.setup(self.bare, optimizer)
        self.average = AveragedModel(self.bare, avg_fn=_average(settings.ema), use_buffers=True)
        weights = (torch.tensor(balanced_weights(plan.shares("train")), dtype=torch.float32)
                   if settings.class_weights == "balanced" else None)
        self._loss = fabric.to_device(Loss(
            settings.loss, overlapping=card.legend.overlapping, class_weights=weights,
            label_smoothing=settings.label_smoothing))

    def step(self, step: int, images: np.ndarray, labels: np.ndarray) -> float:
        """Take one optimiser step and return its loss.

        Raises:
            TrainingError: The loss is not a finite number.
        """
        rank = self._fabric.global_rank
        torch.manual_seed(_mix(self._settings.seed, step, rank))
        for group, peak in zip(self.optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = peak * one_cycle(step, self._settings.steps)
        batch = self._fabric.to_device(torch.from_numpy(images))
        batch = batch.contiguous(memory_format=torch.channels_last)
        self.network.train()
        loss = self._loss(self.network(batch), self._fabric.to_device(torch.from_numpy(labels)))
        value = float(loss.detach())
        if not np.isfinite(value):
            raise TrainingError(f"step {step}", f"has a loss of {value}",
                                "Lower learning_rate under [train], or check the image for "
                                "extreme values; --resume goes on from the last good state")
        self.optimizer.zero_grad(set_to_none=True)
        self._fabric.backward(loss)
        self._fabric.clip_gradients(self.network, self.optimizer, max_norm=self._settings.clip)
        self.optimizer.step()
        self.average.update_parameters(self.bare)
        return value


def _average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Return the update of a moving average of weights.

    The decay grows to its value over the first steps, so that short runs do not remember their
    random start.
    """

    def update(average: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        kept = min(decay, (1 + int(count)) / (10 + int(count)))
        return average + (current - average) * (1 - kept)

    return update


def _prefetch(crops: TrainingCrops, batch: int, steps: range, rank: int, threads: int
              ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield (step, images, labels) in order, the next ones being made in threads meanwhile."""
    with ThreadPoolExecutor(threads, thread_name_prefix="crops") as pool:
        waiting: list[Future[tuple[np.ndarray, np.ndarray]]] = []
        try:
            upcoming = iter(steps)
            for step in steps:
                while len(waiting) < _PREFETCH and (after := next(upcoming, None)) is not None:
                    waiting.append(pool.submit(crops.batch, after, batch, rank))
                images, labels = waiting.pop(0).result()
                yield step, images, labels
        finally:
            for future in waiting:
                future.cancel()


def _mix(*numbers: int) -> int:
    """Return one 63-bit seed from several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


def _message(course: Course, steps: int, losses: list[float]) -> str:
    message = f"step {course.step}/{steps}"
    if losses:
        message += f", loss {np.mean(losses[-20:]):.3f}"
    if course.history:
        message += f", validation mean IoU {course.history[-1]['val_mean_iou']:.3f}"
    return message


def _device_kind(device: str, devices: int) -> str:
    """Return the kind of device after checking that there are enough of them."""
    kind = choose_device(device).type
    most = torch.cuda.device_count() if kind == "cuda" else 1 if kind == "mps" else devices
    if not 1 <= devices <= most:
        raise TrainingError(f"device {kind}", f"cannot be used {devices} times",
                            f"Set devices to 1{f' to {most}' if most > 1 else ''}")
    return kind


@contextmanager
def _run_folder(folder: Path) -> Iterator[None]:
    """Make the run folder; take it back if nothing came of it that could be resumed."""
    is_new = not folder.exists()
    with making_folder(folder):
        try:
            yield
        finally:
            if is_new and not (folder / _STATE).exists():
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _log_file(path: Path) -> Iterator[None]:
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    _log.addHandler(handler)
    level = _log.level
    _log.setLevel(logging.INFO)
    try:
        yield
    finally:
        _log.setLevel(level)
        _log.removeHandler(handler)
        handler.close()


@contextmanager
def _explain_memory(recipe: Recipe) -> Iterator[None]:
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise TrainingError(
            "training", f"ran out of memory with {recipe.train.batch} chips per step",
            "Lower batch under [train], or plan smaller chips; --resume goes on from the last "
            "good state if only other programs were in the way") from error
