"""Which settings are tried, in which order: optuna's samplers, remembered in its storage."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from geoseg.comparison.axes import Choices, Range
from geoseg.comparison.space import Point, Space
from geoseg.errors import GeosegError, RecipeError

if TYPE_CHECKING:
    import optuna

Sampler = Literal["grid", "random", "tpe"]
SAMPLERS = ("grid", "random", "tpe")
"""`grid`: all; `random`: some; `tpe`: each where the former ones make the best likely (Bergstra et
al. 2011, "Algorithms for hyper-parameter optimization")."""

_STARTS = 10


def check_search(space: Space, sampler: str, trials: int | None) -> int:
    """Return how many settings will be tried.

    Raises:
        GeosegError: optuna is not installed.
        RecipeError: Sampler and space do not go together, or the number of trials is missing.
    """
    if sampler not in SAMPLERS:
        raise RecipeError(f"sampler {sampler!r}", "is not known", f"Use {', '.join(SAMPLERS)}")
    if trials is not None and trials < 1:
        raise RecipeError("trials", f"is {trials}", "Try at least one setting")
    if sampler != "grid" and trials is None:
        raise RecipeError(f"sampler {sampler}", "needs to know how many settings to try",
                          "Give a number of trials")
    if sampler == "grid" and not space.is_grid:
        raise RecipeError("sampler grid", "cannot try a range, which holds countless values",
                          "Give single values, or use sampler random or tpe")
    _optuna()
    points = sum(1 for _ in space.points())
    return points if trials is None else min(trials, points) if space.is_grid else trials


class Search:
    """Proposes points of a space, those of a grid each once; made with `open_search`.

    Samplers are seeded by the number of the proposal, so that a search that was stopped goes on
    as if it had not been.
    """

    def __init__(self, study: optuna.Study, space: Space, sampler: str, count: int) -> None:
        self._study, self._space, self._sampler, self._count = study, space, sampler, count
        self._asked: list[Point] = []
        self._begun = list(self._left_over())

    def ask(self) -> tuple[int, Point] | None:
        """Return the next proposal, with its number; None if there is nothing left to try."""
        if self._begun:
            number, point = self._begun.pop(0)
        elif len(self._asked) >= self._count:
            return None
        else:
            self._study.sampler = self._make_sampler(len(self._asked))
            self._mend_grid()
            trial = self._study.ask()
            number, point = trial.number, {axis.key: _suggest(trial, axis)
                                           for axis in self._space.axes}
        self._asked.append(point)
        return number, point

    def tell(self, number: int, value: float | None) -> None:
        """Tell how good a proposal was; None if it could not be trained."""
        from optuna.trial import TrialState

        known = self._study.get_trials(deepcopy=False)[number]
        if known.state.is_finished():
            return
        if value is None:
            self._study.tell(number, state=TrialState.FAIL)
        else:
            self._study.tell(number, value)

    def _left_over(self) -> Iterator[tuple[int, Point]]:
        """Yield what was proposed before: done, begun or failed; the runs themselves know which.

        A proposal that the end of the process cut short has no point; it is given up.
        """
        from optuna.trial import TrialState

        keys = {axis.key for axis in self._space.axes}
        for trial in self._study.get_trials(deepcopy=False):
            if set(trial.params) == keys:
                yield trial.number, trial.params
            elif trial.state == TrialState.RUNNING:
                self._study.tell(trial.number, state=TrialState.FAIL)

    def _mend_grid(self) -> None:
        """Ask for the point of a grid whose proposal was cut short, which counts as visited."""
        if self._sampler == "grid":
            missing = [point for point in self._space.points() if point not in self._asked]
            if len(self._study.get_trials(deepcopy=False)) >= len(missing) + len(self._asked):
                self._study.enqueue_trial(missing[0])

    def _make_sampler(self, seed: int) -> Any:  # noqa: ANN401
        samplers = _optuna().samplers
        if self._sampler == "random":
            return samplers.RandomSampler(seed=seed)
        if self._sampler == "tpe":
            return samplers.TPESampler(seed=seed,
                                       n_startup_trials=max(1, min(_STARTS, self._count // 3)))
        return _grid_sampler({axis.key: list(axis.corners) for axis in self._space.axes})


@contextmanager
def open_search(file: Path, space: Space, *, sampler: str, count: int, purpose: str,
                maximise: bool) -> Iterator[Search]:
    """Open a search in a storage, or begin it.

    Args:
        file: SQLite file of optuna's studies; made if it is not there.
        space: What may be tried.
        sampler: One of `SAMPLERS`.
        count: How many settings are tried.
        purpose: What else the values depend on, such as seeds and metric; a search with another
            purpose or space is another one in the same file.
        maximise: Whether larger values are better.

    Yields:
        The search.
    """
    optuna = _optuna()
    logging.getLogger("optuna").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    storage = optuna.storages.RDBStorage(f"sqlite:///{file.absolute().as_posix()}")
    try:
        study = optuna.create_study(
            storage=storage, study_name=_name(space, sampler, purpose), load_if_exists=True,
            direction="maximize" if maximise else "minimize")
        yield Search(study, space, sampler, count)
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _grid_sampler(space: dict[str, Any]) -> Any:  # noqa: ANN401
    """Return optuna's grid sampler, which would stop a loop of optuna's that is not run here."""
    samplers = _optuna().samplers

    class Grid(samplers.GridSampler):  # type: ignore[misc, name-defined]
        def after_trial(self, *_: object) -> None:
            """Do not stop anything."""

    return Grid(space, seed=0)


def _suggest(trial: optuna.Trial, axis: Choices | Range) -> object:
    if isinstance(axis, Choices):
        return trial.suggest_categorical(axis.key, list(axis.corners))
    if axis.whole:
        return trial.suggest_int(axis.key, int(axis.low), int(axis.high), log=axis.logarithmic)
    return trial.suggest_float(axis.key, axis.low, axis.high, log=axis.logarithmic)


def _name(space: Space, sampler: str, purpose: str) -> str:
    axes = [(axis.key, list(axis.corners), isinstance(axis, Choices)) for axis in space.axes]
    values = [{label: dict(axis.at(label)) for label in axis.corners}
              for axis in space.axes if isinstance(axis, Choices)]
    facts = [axes, values, space.base.to_dict(), sampler, purpose]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _optuna() -> Any:  # noqa: ANN401
    try:
        import optuna
        import optuna.storages
    except ImportError as error:
        raise GeosegError("compare", "needs the package optuna, which is not installed",
                          'Install it with: pip install "geoseg[sweep]", or pip install optuna'
                          ) from error
    return optuna
