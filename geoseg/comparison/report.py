"""A comparison as tables and as one HTML page that opens offline."""

from __future__ import annotations

import csv
import io
import json
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import geoseg
from geoseg.comparison import charts
from geoseg.comparison.check import METRICS, SMALLER_IS_BETTER, metric_name, plan_hash
from geoseg.comparison.differences import disputes
from geoseg.comparison.table import (
    Comparison,
    Row,
    as_json,
    plus_minus,
    records,
    score_names,
    within_spread,
)
from geoseg.geo.output import replacing
from geoseg.maps.html import render
from geoseg.maps.pictures import FALSE, MISSED, RIGHT
from geoseg.progress import Progress
from geoseg.recipe import Recipe
from geoseg.samples.plan import SPLIT_NAMES, ChipPlan

_COSTS = ("best_step", "parameters", "cpu_seconds", "wall_seconds")


def write_results(found: Comparison, plan: ChipPlan, base: Recipe, chips_shown: int, device: str,
                  progress: Progress) -> None:
    """Write comparison.html, results.csv and results.json; all or none, replacing what is there.

    Args:
        found: What the comparison found; says where the page goes.
        plan: The chip plan.
        base: The recipe that was varied.
        chips_shown: How many disputed chips to show.
        device: Where networks run that map those.
        progress: Told what is being made.

    Raises:
        OutputError: The system refused to write.
    """
    progress(0.0, "mapping the chips that settings disagree about")
    shown = disputes(found.rows, plan, found.split, chips_shown, device)
    progress(0.6, "writing the report")
    page = render("geoseg.comparison", "comparison.html.j2", {
        **_content(found, plan, base), "disputes": shown})
    folder = found.report.parent
    with (replacing(found.report) as html, replacing(folder / "results.csv") as table,
          replacing(folder / "results.json") as data):
        html.write_text(page, encoding="utf-8")
        table.write_text(_csv(found), encoding="utf-8")
        data.write_text(json.dumps(as_json(found), indent=1, ensure_ascii=False) + "\n",
                        encoding="utf-8")
    progress(1.0, f"{found.best.name} comes first")


def _csv(found: Comparison) -> str:
    columns = ["rank", "setting", "seed", *score_names(found), *_COSTS, "note"]
    with io.StringIO(newline="") as text:
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: "" if value is None else value for key, value in row.items()}
                         for row in records(found))
        return text.getvalue()


def _content(found: Comparison, plan: ChipPlan, base: Recipe) -> dict[str, Any]:
    rows = found.rows
    drawn = {"seeds": charts.seed_chart(rows), "time": charts.time_chart(rows),
             "learning": charts.learning_curves(rows), "losses": charts.loss_curves(rows),
             "calibration": charts.calibration_chart(rows)}
    return {
        "title": f"Comparison of {len(rows)} setting{'' if len(rows) == 1 else 's'}",
        "found": found, "metric": metric_name(found.metric), "split": SPLIT_NAMES[found.split],
        "plan_name": Path(plan.path).name if plan.path else "a chip plan",
        "chips": len(plan.rows(found.split)), "date": datetime.now(UTC).strftime("%d %B %Y"),
        "seed_count": len(found.best.seeds), "sentences": found.sentences,
        "ranked": [_ranked(place, row, found.best) for place, row in enumerate(rows)],
        "tables": {"All classes together": _table(found, list(METRICS)),
                   "IoU by class": _table(found, score_names(found)[len(METRICS):])},
        "charts": drawn,
        "shown": min(len(rows), charts.SHOWN), "facts": _facts(found, plan, base),
        "outcomes": [("found", _css(RIGHT)), ("missed", _css(MISSED)), ("false", _css(FALSE))],
        "recipe": json.dumps(base.to_dict(), indent=1, ensure_ascii=False),
    }


def _ranked(place: int, row: Row, best: Row) -> dict[str, Any]:
    """Return a line of the table of ranks."""
    close = row is not best and within_spread(best, row)
    return {
        "name": row.name, "color": charts.color(place) if place < charts.SHOWN else None,
        "close": close, "done": len(row.done), "seeds": len(row.seeds),
        "score": plus_minus(row.mean, row.spread),
        "parameters": row.parameters, "cpu": row.seconds(), "wall": row.seconds("wall_seconds")}


def _table(found: Comparison, names: list[str]) -> dict[str, Any]:
    """Return a table of scores: names, and per setting the cells and whether each is the best."""
    best = {}
    for name in names:
        means = [mean for row in found.rows if (mean := row.mean_of(name)) is not None]
        pick = min if name in SMALLER_IS_BETTER else max
        best[name] = pick(means) if len(means) > 1 else None
    return {"names": [METRICS.get(name) or name.partition(":")[2] for name in names], "rows": [
        {"name": row.name, "cells": [
            (plus_minus(row.mean_of(name), row.spread_of(name)),
             best[name] is not None and row.mean_of(name) == best[name]) for name in names]}
        for row in found.rows]}


def _facts(found: Comparison, plan: ChipPlan, base: Recipe) -> dict[str, str]:
    counts = plan.frame["split"].value_counts()
    trained = [row.setting.recipe.train for row in found.rows]
    steps = " or ".join(f"{step:,}" for step in sorted({item.steps for item in trained}))
    batch = " or ".join(map(str, sorted({item.batch for item in trained})))
    return {
        "Chip plan": f"{plan_hash(plan)[:16]} (hash), " + ", ".join(
            f"{counts.get(split, 0):,} {word} chips" for split, word in SPLIT_NAMES.items()),
        "Budget": f"{steps} steps of {batch} crops, fewer where validation stopped improving",
        "Seeds": ", ".join(str(seed.seed) for seed in found.best.seeds),
        "Recipe": base.name,
        "Made with": f"geoseg {geoseg.__version__}, torch {version('torch')}, optuna "
                     f"{version('optuna')}, Python {platform.python_version()}",
    }


def _css(color: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)
