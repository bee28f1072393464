"""The rows of a comparison: runs, means and spreads over seeds, ranks, and what they mean."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoseg.comparison.check import METRICS, SMALLER_IS_BETTER, metric_name, metric_value
from geoseg.comparison.runs import MODEL, Outcome, Run
from geoseg.comparison.space import Setting
from geoseg.errors import TrainingError
from geoseg.maps.wording import listing
from geoseg.samples.plan import SPLIT_NAMES
from geoseg.tables import aligned

_ENOUGH_SEEDS = 5


@dataclass(frozen=True)
class SeedRow:
    """One run."""

    seed: int
    """Its seed."""
    model: Path
    """Its model; not there if it could not be trained."""
    outcome: Outcome | None
    """What it came to; None if it could not be trained."""
    failure: str = ""
    """Why it could not be trained."""


@dataclass(frozen=True)
class Row:
    """One setting with all its seeds."""

    setting: Setting
    """The setting."""
    seeds: tuple[SeedRow, ...]
    """Its runs, by seed."""
    metric: str
    """The score by which settings are ranked."""

    @property
    def name(self) -> str:
        """Name of the setting."""
        return self.setting.name

    @property
    def done(self) -> tuple[tuple[SeedRow, Outcome], ...]:
        """The runs that were trained."""
        return tuple((row, row.outcome) for row in self.seeds if row.outcome is not None)

    @property
    def is_complete(self) -> bool:
        """Whether every seed was trained."""
        return len(self.done) == len(self.seeds)

    @property
    def mean(self) -> float | None:
        """Mean over the seeds of the score by which settings are ranked."""
        return self.mean_of(self.metric)

    @property
    def spread(self) -> float | None:
        """Its standard deviation over the seeds; None of a single one."""
        return self.spread_of(self.metric)

    def values(self, metric: str) -> list[float]:
        """Return a score of each run, where it is defined."""
        found = (metric_value(metric, outcome.scores) for _, outcome in self.done)
        return [value for value in found if value is not None]

    def mean_of(self, metric: str) -> float | None:
        """Return the mean of a score over the seeds."""
        values = self.values(metric)
        return statistics.fmean(values) if values else None

    def spread_of(self, metric: str) -> float | None:
        """Return the sample standard deviation of a score over the seeds; None of a single one."""
        values = self.values(metric)
        return statistics.stdev(values) if len(values) > 1 else None

    @property
    def parameters(self) -> int | None:
        """Numbers that the network learnt."""
        return self.done[0][1].parameters if self.done else None

    def seconds(self, kind: str = "cpu_seconds") -> float | None:
        """Return the mean training time, over the seeds of which it is known."""
        times = [getattr(outcome, kind) for _, outcome in self.done]
        known = [value for value in times if value is not None]
        return statistics.fmean(known) if known else None


@dataclass(frozen=True)
class Comparison:
    """What a comparison found."""

    rows: tuple[Row, ...]
    """The settings, best first; those that could not be trained with every seed come last."""
    metric: str
    """The score by which they are ranked."""
    split: str
    """The split that was scored."""
    report: Path
    """The page; results.csv and results.json lie beside it."""

    @property
    def best(self) -> Row:
        """The setting with the best mean."""
        return self.rows[0]

    @property
    def sentences(self) -> list[str]:
        """What the ranks mean, and what they do not."""
        return [*_verdict(self.rows, self.metric), _about_split(self.split)]

    def table(self) -> str:
        """Return the ranks as an aligned text table for the console."""
        head = ["setting", f"{metric_name(self.metric)}, {SPLIT_NAMES[self.split]}", "seeds",
                "parameters", "CPU s"]
        body = [[row.name, plus_minus(row.mean, row.spread), f"{len(row.done)}/{len(row.seeds)}",
                 "n/a" if row.parameters is None else f"{row.parameters:,}",
                 "n/a" if row.seconds() is None else f"{row.seconds():.0f}"] for row in self.rows]
        return aligned([head, *body])


def rank(settings: Sequence[Setting], runs: Mapping[Run, tuple[Outcome | None, str]],
         metric: str) -> tuple[Row, ...]:
    """Return the settings as rows, best first.

    Args:
        settings: The settings.
        runs: What every run came to, or why it could not be trained.
        metric: The score to rank by.
    """
    rows = []
    for setting in settings:
        mine = sorted(((run, *found) for run, found in runs.items()
                       if run.setting.folder == setting.folder), key=lambda item: item[0].seed)
        rows.append(Row(setting, tuple(
            SeedRow(run.seed, run.folder / MODEL, outcome, failure)
            for run, outcome, failure in mine), metric))
    sign = 1 if metric in SMALLER_IS_BETTER else -1
    return tuple(sorted(rows, key=lambda row: (
        row.mean is None, not row.is_complete, sign * (row.mean or 0.0), row.name)))


def failure(error: TrainingError) -> str:
    """Return why a run could not be trained, in words."""
    return f"{error.subject}: {error.found}"


def plus_minus(mean: float | None, spread: float | None) -> str:
    """Return `0.812 ± 0.010`, or what there is of it."""
    if mean is None:
        return "n/a"
    return f"{mean:.3f}" if spread is None else f"{mean:.3f} ± {spread:.3f}"


def within_spread(one: Row, other: Row) -> bool | None:
    """Return whether two means lie so close that their standard deviations touch.

    None if a spread is not known.
    """
    if None in (one.mean, other.mean, one.spread, other.spread):
        return None
    gap = abs((one.mean or 0.0) - (other.mean or 0.0))
    return gap <= (one.spread or 0.0) + (other.spread or 0.0)


def records(found: Comparison) -> Iterator[dict[str, Any]]:
    """Yield the rows of results.csv: each run, then mean and standard deviation of its setting."""
    for place, row in enumerate(found.rows, start=1):
        base = {"rank": place, "setting": row.name}
        for seed in row.seeds:
            yield {**base, "seed": seed.seed, **_scores(row, seed), "note": seed.failure}
        for word, values in (("mean", _means(row)), ("sd", _spreads(row))):
            yield {**base, "seed": word, **values, "note": ""}


def score_names(found: Comparison) -> list[str]:
    """Return the scores of a comparison's table: those of the whole, then IoU by class."""
    classes = next((outcome.scores.classes for row in found.rows for _, outcome in row.done), ())
    return [*METRICS, *(f"iou:{item.name}" for item in classes)]


def as_json(found: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON-ready values."""
    settings = []
    for place, row in enumerate(found.rows, start=1):
        runs = [{"seed": seed.seed, "model": _relative(seed.model, found.report.parent),
                 **_scores(row, seed), "note": seed.failure} for seed in row.seeds]
        settings.append({"rank": place, "name": row.name, "values": dict(row.setting.values),
                         "mean": _means(row), "sd": _spreads(row), "runs": runs})
    return {"metric": found.metric, "split": found.split, "settings": settings,
            "sentences": found.sentences}


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _scores(row: Row, seed: SeedRow) -> dict[str, Any]:
    outcome = seed.outcome
    if outcome is None:
        return {}
    names = [*METRICS, *(f"iou:{item.name}" for item in outcome.scores.classes)]
    return {**{name: metric_value(name, outcome.scores) for name in names},
            "best_step": outcome.best_step, "parameters": outcome.parameters,
            "cpu_seconds": outcome.cpu_seconds, "wall_seconds": outcome.wall_seconds}


def _means(row: Row) -> dict[str, Any]:
    classes = row.done[0][1].scores.classes if row.done else ()
    names = [*METRICS, *(f"iou:{item.name}" for item in classes)]
    return {**{name: row.mean_of(name) for name in names}, "parameters": row.parameters,
            "cpu_seconds": row.seconds(), "wall_seconds": row.seconds("wall_seconds")}


def _spreads(row: Row) -> dict[str, Any]:
    classes = row.done[0][1].scores.classes if row.done else ()
    return {name: row.spread_of(name)
            for name in [*METRICS, *(f"iou:{item.name}" for item in classes)]}


def _verdict(rows: Sequence[Row], metric: str) -> Iterator[str]:
    best, *others = rows
    if best.mean is None:
        yield "No setting could be trained."
        return
    first = (f"{best.name} comes first by {metric_name(metric)}: "
             f"{plus_minus(best.mean, best.spread)}")
    close = [row.name for row in others if within_spread(best, row)]
    if close:
        yield (f"{first}. It cannot be told apart from {listing(close)}: within one standard "
               f"deviation over {len(best.seeds)} seeds they overlap.")
    else:
        yield f"{first}."
    yield from _about_spread(best, [row for row in others if row.mean is not None], close)
    failed = [f"{row.name} with seed {seed.seed} ({seed.failure})"
              for row in rows for seed in row.seeds if seed.outcome is None]
    if failed:
        yield f"Could not be trained: {listing(failed)}."


def _about_spread(best: Row, rivals: Sequence[Row], close: Sequence[str]) -> Iterator[str]:
    if len(best.seeds) == 1:
        yield ("One seed: no spread known. Another seed could turn the order round; train with "
               "three or more before you choose.")
        return
    unknown = [row.name for row in rivals if within_spread(best, row) is None]
    apart = [row.name for row in rivals if row.name not in (*close, *unknown)]
    if apart:
        yield (f"Its lead over {listing(apart)} is larger than the spread: the means, each with "
               "one standard deviation on both sides, do not touch.")
    if unknown:
        yield f"No spread is known of {listing(unknown)}, nor whether the lead is chance."
    if len(best.seeds) < _ENOUGH_SEEDS:
        yield f"{len(best.seeds)} seeds tell a spread only roughly."


def _about_split(split: str) -> str:
    if split == "test":
        return ("These are scores on the test chips. Whoever chooses a setting by this table has "
                "no test any more: the score of the chosen one is then a little too good.")
    if split == "train":
        return ("These are scores on the training chips: how well each setting remembers them, "
                "nothing about how well it maps a new area.")
    return ("The validation chips also chose each run's best step and thresholds, and now a "
            "setting; the score of the best is therefore a little too good. Score the setting you "
            "choose once on the test chips, and report that.")
