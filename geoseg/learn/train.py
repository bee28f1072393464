"""`train`: from a chip plan to a model; seeded, resumable, on one device or many."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from geoseg.errors import TrainingError
from geoseg.geo.output import check_output, making_folder
from geoseg.learn.model import Model, choose_device
from geoseg.learn.preflight import check_labels, check_plan
from geoseg.learn.run import STATE, Run
from geoseg.learn.scores import decimals
from geoseg.progress import Progress, part, silent
from geoseg.recipe import Recipe
from geoseg.samples.plan import ChipPlan

_log = logging.getLogger("geoseg")


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
        TrainingError: Nothing to resume, memory ran out, or loss, gradient or answers are not
            finite; what validation found best before then stays in the run folder.
    """
    path = check_output(out, overwrite=overwrite, suffixes=(".safetensors",))
    recipe = Recipe.of(recipe)
    plan = chips if isinstance(chips, ChipPlan) else ChipPlan.read(chips)
    check_plan(plan, recipe)
    check_labels(plan)
    folder = Path(run_dir) if run_dir else path.with_name(f"{path.stem}-run")
    run = Run(plan, recipe, folder, _device_kind(device, devices), devices)
    with _run_folder(folder), _log_file(folder / "train.log"), _explain_memory(recipe):
        run.fit(resume, part(progress, 0.0, 0.97))
        model = run.finish(path, part(progress, 0.97, 1.0))
    progress(1.0, f"best validation mean IoU {decimals(model.card.scores['mean_iou'])} "
                  f"at step {model.card.training['best_step']}")
    return model


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
            if is_new and not (folder / STATE).exists():
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
