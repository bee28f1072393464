"""`compare`: settings over the same split and budget with several seeds; resumable."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from geoseg.comparison.check import (
    SMALLER_IS_BETTER,
    check_folder,
    check_metric,
    check_settings,
    check_split,
)
from geoseg.comparison.pool import Here, Pool, SideBySide
from geoseg.comparison.report import write_results
from geoseg.comparison.runs import Outcome, Run, read_outcome
from geoseg.comparison.search import Search, check_search, open_search
from geoseg.comparison.space import Setting, Space
from geoseg.comparison.table import Comparison, failure, rank
from geoseg.errors import RecipeError, TrainingError
from geoseg.geo.output import making_folder
from geoseg.progress import Progress, part, silent
from geoseg.recipe import Recipe
from geoseg.samples.plan import ChipPlan

_log = logging.getLogger("geoseg")
_RUNS, _STUDY, _PLAN = "runs", "study.db", "chips.gpkg"
_OURS = (_STUDY, "plan.json", "results.csv", "results.json", "comparison.html")


def compare(chips: ChipPlan | str | Path, recipe: Recipe | str | Path, *, out: str | Path,
            vary: Mapping[str, Sequence[object] | str] | Sequence[str] | None = None,
            settings: Sequence[Mapping[str, object]] | str | Path | None = None,
            seeds: int | Sequence[int] = 3, sampler: str = "grid", trials: int | None = None,
            split: str = "val", metric: str = "mean_iou", jobs: int = 1, device: str = "auto",
            chips_shown: int = 4, overwrite: bool = False, progress: Progress = silent
            ) -> Comparison:
    """Train settings with several seeds on one chip plan, and compare their scores.

    All settings share the split, the number of steps unless that is varied, and the seeds. All are
    checked before the first is trained. A comparison that was stopped at any time goes on when it
    is started again, and keeps whatever is finished, also after settings or seeds were added.

    Args:
        chips: Chip plan, or its file.
        recipe: Recipe, its TOML file, or the name of a shipped one.
        out: Folder for runs, tables and the report `comparison.html`.
        vary: By dotted recipe key, the values to try, as in `{"train.loss": ["ce", "dice"]}`, or
            for a search a range such as `"1e-4..1e-2"`; or texts `train.loss=ce|dice`.
        settings: Named settings, each a mapping of a `name` and recipe values by dotted key; or
            a TOML file of `[[setting]]` tables. Each is combined with all that varies.
        seeds: How many seeds each setting is trained with, or which.
        sampler: `grid` tries all; `random` and `tpe` try as many as `trials` says, `tpe` near the
            best of those before (by the mean over seeds).
        trials: How many settings to try.
        split: The chips that are scored: `val`, `train`, or `test`, which only reports.
        metric: The score to rank by: `mean_iou`, `mean_dice`, `accuracy`, `kappa`, `ece`, or of
            one class `iou:CLASS` or `dice:CLASS`.
        jobs: How many runs at a time, each in a process with its share of the cores, and on the
            GPUs in turn. Other numbers of cores may change the last digits of scores.
        device: `auto`, `cpu`, `cuda` or `mps`.
        chips_shown: How many of the chips that settings disagree about most the report shows.
        overwrite: Train everything anew.
        progress: Told the run and how far it is.

    Returns:
        The settings, best first.

    Raises:
        GeosegError: optuna is not installed.
        OutputError: The folder cannot be written.
        PlanError: The plan does not suit the recipe, lacks chips, or is not the one in the folder.
        RecipeError: A setting is unknown or out of range, or nothing varies.
        TrainingError: No setting could be trained.
    """
    plan = chips if isinstance(chips, ChipPlan) else ChipPlan.read(chips)
    space = Space.of(Recipe.of(recipe), vary, settings)
    count = check_search(space, sampler, trials)
    numbers = _seeds(seeds)
    if jobs < 1:
        raise RecipeError("jobs", f"is {jobs}", "Do at least one run at a time")
    check_metric(metric, space.base.legend)
    check_split(plan, split, sampler)
    check_settings(space.settings(), plan, part(progress, 0.0, 0.01))
    folder = Path(out)
    with making_folder(folder):
        if overwrite:
            _clear(folder)
        check_folder(folder, plan)
        pool: Pool = (Here(plan, split, device) if jobs == 1
                      else SideBySide(_plan_file(plan, folder), split, device, jobs))
        purpose = f"{numbers} {split} {metric}"
        with open_search(folder / _STUDY, space, sampler=sampler, count=count, purpose=purpose,
                         maximise=metric not in SMALLER_IS_BETTER) as search, pool:
            work = _Work(folder, space, numbers, split, metric, search, pool)
            work.do(count, part(progress, 0.01, 0.97))
        found = Comparison(rank(work.settings, work.runs, metric), metric, split,
                           folder / "comparison.html")
        if found.best.mean is None:
            raise work.first_error(folder)
        write_results(found, plan, space.base, chips_shown, device, part(progress, 0.97, 1.0))
    return found


@dataclass
class _Work:
    """The runs of a comparison: asked for by the search, done by the pool."""

    folder: Path
    space: Space
    seeds: Sequence[int]
    split: str
    metric: str
    search: Search
    pool: Pool
    settings: list[Setting] = field(default_factory=list)
    runs: dict[Run, tuple[Outcome | None, str]] = field(default_factory=dict)
    _errors: list[TrainingError] = field(default_factory=list)
    _trials: dict[str, list[int]] = field(default_factory=dict)
    _begun: int = 0

    def do(self, count: int, progress: Progress) -> None:
        """Do all runs of so many settings."""
        total = count * len(self.seeds)
        more = True
        while True:
            while more and self.pool.wants_more:
                more = self._propose()
            if self._begun == len(self.runs):
                return
            self._note(*self.pool.wait(partial(self._report, progress, total)))

    def _report(self, progress: Progress, total: int, done: float, said: str) -> None:
        progress((len(self.runs) + done) / total, said)

    def _propose(self) -> bool:
        """Begin the runs of the next setting, unless they are already known."""
        proposal = self.search.ask()
        if proposal is None:
            return False
        number, point = proposal
        setting = self.space.setting(point)
        known = setting.folder in self._trials
        self._trials.setdefault(setting.folder, []).append(number)
        if known:
            self._tell(setting)
            return True
        self.settings.append(setting)
        for seed in self.seeds:
            self._begun += 1
            self.pool.submit(Run(setting, seed,
                                 self.folder / _RUNS / setting.folder / f"seed-{seed}"))
        return True

    def _note(self, run: Run, error: TrainingError | None) -> None:
        """Keep what a run came to."""
        if error is None:
            self.runs[run] = read_outcome(run.folder, self.split), ""
        else:
            _log.warning("%s, seed %d: %s", run.setting.name, run.seed, error)
            self._errors.append(error)
            self.runs[run] = None, failure(error)
        self._tell(run.setting)

    def _tell(self, setting: Setting) -> None:
        """Tell the search of a setting all of whose seeds are done."""
        mine = [run for run in self.runs if run.setting.folder == setting.folder]
        if len(mine) == len(self.seeds):
            row = rank([setting], {run: self.runs[run] for run in mine}, self.metric)[0]
            for number in self._trials[setting.folder]:
                self.search.tell(number, row.mean if row.is_complete else None)

    def first_error(self, folder: Path) -> TrainingError:
        """Return what to raise if nothing could be trained."""
        if self._errors:
            return self._errors[0]
        return TrainingError(folder, "holds no run with a score", "Check the labels of the chips")


def _seeds(seeds: int | Sequence[int]) -> tuple[int, ...]:
    numbers = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    if not numbers or len(set(numbers)) < len(numbers) or min(numbers) < 0:
        raise RecipeError("seeds", f"are {seeds}", "Give how many, at least 1, or different "
                          "numbers from 0 on")
    return numbers


def _plan_file(plan: ChipPlan, folder: Path) -> Path:
    """Return a file that processes can read the plan from."""
    if plan.path is not None:
        return plan.path
    return Path(plan.write(folder / _PLAN).path or folder / _PLAN)


def _clear(folder: Path) -> None:
    """Remove what an earlier comparison left in the folder, and nothing else."""
    if (folder / "plan.json").exists():
        shutil.rmtree(folder / _RUNS, ignore_errors=True)
        for name in _OURS:
            (folder / name).unlink(missing_ok=True)
