"""An evaluation as one HTML page that opens offline: everything it shows is inside the file."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import geoseg
from geoseg.geo.legend import Legend
from geoseg.geo.output import replacing
from geoseg.learn.card import ModelCard
from geoseg.learn.metrics import Tally
from geoseg.learn.scores import Scores
from geoseg.maps.charts import learning_chart, precision_recall_chart, reliability_chart
from geoseg.maps.further import further_scores
from geoseg.maps.html import render
from geoseg.maps.split_map import SceneChips, split_chart
from geoseg.maps.wording import caveats, summary
from geoseg.samples.plan import SPLIT_COLORS, SPLIT_NAMES, ChipPlan

if TYPE_CHECKING:
    import geopandas as gpd


@dataclass(frozen=True, slots=True)
class ChipPictures:
    """One chip as pictures."""

    scene: str
    """Name of the scene."""
    place: str
    """Where the chip lies, in words."""
    wrong: float
    """Share of its labelled pixels that are wrong, 0..1."""
    mistake: str
    """Its most frequent mistake, in words; may be empty."""
    image: str
    """The image, as all that follow a `data:` address."""
    label: str
    """The labels."""
    prediction: str
    """The class map."""
    difference: str
    """Where the two differ."""


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found, for the report."""

    card: ModelCard
    """Card of the model."""
    model_name: str
    """File name of the model."""
    plan: ChipPlan
    """The chip plan."""
    split: str
    """The split that was scored."""
    tally: Tally
    """All counts."""
    worst: Sequence[ChipPictures]
    """The worst chips, worst first."""
    scenes: Sequence[SceneChips]
    """The scenes to draw with their chips."""

    @property
    def legend(self) -> Legend:
        """The classes."""
        return self.card.legend

    @property
    def scored(self) -> gpd.GeoDataFrame:
        """The scored chips."""
        return self.plan.rows(self.split)

    @property
    def plan_name(self) -> str:
        """File name of the chip plan."""
        return Path(self.plan.path).name if self.plan.path else "a chip plan"


def write_report(evaluation: Evaluation, out: Path) -> None:
    """Write the report, and the scores as JSON beside it; both or neither, replacing what is there.

    Args:
        evaluation: What was found.
        out: HTML file; it and the .json of the same name were checked before with `check_output`.

    Raises:
        OutputError: The system refused to write.
    """
    page = render_report(evaluation)
    scores = json.dumps(evaluation.tally.scores().to_dict(), indent=1, ensure_ascii=False)
    with replacing(out) as html, replacing(out.with_suffix(".json")) as data:
        html.write_text(page, encoding="utf-8")
        data.write_text(scores + "\n", encoding="utf-8")


def render_report(evaluation: Evaluation) -> str:
    """Return the report as HTML."""
    return render("geoseg.maps", "report.html.j2", _content(evaluation))


def _content(found: Evaluation) -> dict[str, Any]:
    scores = found.tally.scores()
    return {
        "title": f"Evaluation of {found.card.name}", "found": found, "card": found.card,
        "scores": scores, "date": datetime.now(UTC).strftime("%d %B %Y"),
        "split": SPLIT_NAMES[found.split], "split_names": SPLIT_NAMES,
        "split_colors": SPLIT_COLORS, "summary": summary(scores),
        "caveats": list(caveats(scores, found.card, found.plan, found.split)),
        "classes": list(zip(found.legend, scores.classes, strict=True)),
        "confusion": confusion_table(scores), "shares": class_shares(found.plan),
        "further": list(further_scores(scores)),
        "charts": _charts(found, scores), "provenance": _provenance(found),
        "recipe": json.dumps(found.card.recipe, indent=1, ensure_ascii=False),
    }


def _charts(found: Evaluation, scores: Scores) -> dict[str, str]:
    """Return the charts that there is something to draw for, by name."""
    charts = {}
    if any(item.average_precision is not None for item in scores.classes):
        charts["precision_recall"] = precision_recall_chart(
            {name: found.tally.precision_recall(name) for name in found.legend.names},
            colors={item.name: item.color for item in found.legend})
    if scores.ece is not None:
        charts["reliability"] = reliability_chart({found.card.name: found.tally.reliability()})
    if found.scenes:
        charts["split"] = split_chart(found.scenes)
    history = found.card.training.get("history") or []
    if len(history) > 1:
        charts["learning"] = learning_chart(history, found.card.training.get("best_step"))
    return charts


def confusion_table(scores: Scores) -> list[dict[str, Any]]:
    """Return the rows of the confusion table: of what is labelled so, which share became what.

    Returns:
        Per class that the labels show: `name`, `support`, and `cells` of (share, darkness 0..1):
        one per predicted class; for overlapping classes found, missed, and wrongly mapped (as a
        share of all pixels that lack the class).
    """
    rows = []
    for place, item in enumerate(scores.classes):
        if item.support == 0:
            continue
        if scores.overlapping:
            (right, alarms), (missed, hits) = scores.confusion[place]
            shares = [hits / item.support, missed / item.support,
                      alarms / (right + alarms) if right + alarms else None]
        else:
            shares = [count / item.support for count in scores.confusion[0][place]]
        # The square root lets rare but telling confusions be seen.
        cells = [(share, float(np.sqrt(share or 0))) for share in shares]
        rows.append({"name": item.name, "support": item.support, "place": place, "cells": cells})
    return rows


def class_shares(plan: ChipPlan) -> list[dict[str, Any]]:
    """Return per split the number of chips, their labelled pixels and the share of each class."""
    rows = []
    for split in SPLIT_NAMES:
        chips = plan.rows(split)
        if not chips.empty:
            pixels = round(float((chips["valid"] * chips["width"] * chips["height"]).sum()))
            rows.append({"split": split, "chips": len(chips), "pixels": pixels,
                         "shares": plan.shares(split).tolist()})
    return rows


def _provenance(found: Evaluation) -> Mapping[str, str]:
    """Return what the numbers depend on, by what it is; unknown facts are left out."""
    card, plan = found.card, found.plan
    unit = "m" if card.georeferenced else "px (no georeference)"
    facts = {
        "Model": f"{found.model_name}, trained {card.created[:10]} with geoseg {card.geoseg}",
        "Network": f"{card.network.title}, {card.network.bands} bands, "
                   f"pixels of {card.resolution:.4g} {unit}",
        "Training": _training(card),
        "Recipe": card.name,
        "Temperature": f"{card.temperature:.3f}",
        "Thresholds": ", ".join(f"{name} {value:.3f}" for name, value
                                in found.tally.thresholds.items()) or "likeliest class",
        "Chip plan": f"{found.plan_name}: {len(plan.frame):,} chips, seed {plan.seed}",
        "Scenes": ", ".join(sorted({Path(path).name for path in found.scored["scene"]})),
        "Licence and attribution": card.licence,
        "Scored with": f"geoseg {geoseg.__version__}, torch {version('torch')}, "
                       f"numpy {version('numpy')}, Python {platform.python_version()}",
    }
    return {name: value for name, value in facts.items() if value}


def _training(card: ModelCard) -> str:
    facts = {"{} steps": card.training.get("steps"),
             "weights of step {} kept": card.training.get("best_step"),
             "seed {}": card.recipe.get("train", {}).get("seed")}
    return ", ".join(text.format(value) for text, value in facts.items() if value is not None)
