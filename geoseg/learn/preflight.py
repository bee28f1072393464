"""What training must know before its first step: statistics, class weights, the model's card."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from rasterio.windows import Window

import geoseg
from geoseg.errors import PlanError
from geoseg.geo.grid import Grid
from geoseg.geo.legend import IGNORE
from geoseg.geo.raster import open_raster
from geoseg.learn.card import ClassCard, ModelCard, NetworkCard
from geoseg.learn.dataset import Scenes, read_label
from geoseg.learn.inputs import measure_bands
from geoseg.progress import Progress
from geoseg.recipe import Recipe

if TYPE_CHECKING:
    from geoseg.samples.plan import ChipPlan

_log = logging.getLogger("geoseg")
_NEEDED = {"train": "training", "val": "validation"}


def check_plan(plan: ChipPlan, recipe: Recipe) -> None:
    """Check that a chip plan and a recipe belong together and can be trained on.

    Raises:
        PlanError: Other classes than the recipe's, no training or no validation chips, or a class
            that no training chip shows, unless the recipe says that it is optional.
    """
    subject = plan.path or "chip plan"
    if plan.legend.names != recipe.legend.names or (plan.legend.overlapping
                                                    != recipe.legend.overlapping):
        raise PlanError(subject, f"holds the classes {', '.join(plan.legend.names)}, but recipe "
                        f"{recipe.name} has {', '.join(recipe.legend.names)}",
                        "Burn labels and plan chips again with this recipe")
    for split, meaning in _NEEDED.items():
        if plan.rows(split).empty:
            raise PlanError(subject, f"has no {meaning} chips",
                            "Plan again with a share for it, smaller chips or more scenes")
    shares = plan.shares("train")
    for item, share in zip(recipe.classes, shares, strict=True):
        found = f"no training chip shows class {item.name!r}, so the model cannot learn it"
        if share == 0 and not item.optional:
            raise PlanError(subject, found, "Plan over a larger area, take the class out of the "
                            "recipe, or say optional = true there")
        if share == 0:
            _log.warning("%s: %s.", subject, found)
    if (shares > 0).sum() < (1 if recipe.task == "overlapping" else 2):
        raise PlanError(subject, "holds a single class in its training chips",
                        "Check the labels, or plan over a larger area")


def check_labels(plan: ChipPlan) -> None:
    """Check that training and validation chips still hold labels; usually reads one chip of each.

    Raises:
        PlanError: Every label pixel of a split is ignored.
        RasterError: A label raster cannot be read.
    """
    with Scenes() as scenes:
        for split, meaning in _NEEDED.items():
            labels = (read_label(scenes.open(row.label),
                                 Window(row.col, row.row, row.width, row.height))
                      for row in plan.rows(split).itertuples())
            if not any((label != IGNORE).any() for label in labels):
                raise PlanError(plan.path or "chip plan", "has no labelled pixel left in its "
                                f"{meaning} chips", "The labels have changed; plan chips again")


def balanced_weights(shares: np.ndarray) -> np.ndarray:
    """Return class weights that fall with the square root of the share; mean 1 over pixels."""
    weights = 1 / np.sqrt(np.maximum(shares, 1e-3))
    return np.asarray(weights / (weights * shares).sum())


def network_card(recipe: Recipe, bands: int) -> NetworkCard:
    """Return what builds the network of a recipe for images of so many bands."""
    return NetworkCard(architecture=recipe.train.network, encoder=recipe.train.encoder,
                       bands=bands, classes=len(recipe.classes),
                       dropout=recipe.train.dropout, detail=recipe.train.detail,
                       depth=recipe.train.depth, width=recipe.train.width,
                       reduce=recipe.train.reduce,
                       deep_supervision=recipe.train.deep_supervision,
                       presence=recipe.train.presence > 0)


def make_card(plan: ChipPlan, recipe: Recipe, precision: Literal["32", "bf16", "16"],
              progress: Progress) -> ModelCard:
    """Read the statistics of the training chips and write the card, scores still empty.

    Raises:
        RasterError: Scenes differ in bands, or cannot be read.
        TrainingError: A band holds no valid value, or none that speckle can be made of.
    """
    chips = plan.rows("train")
    with open_raster(chips.iloc[0]["scene"]) as scene:
        resolution = Grid.of(scene, georeferenced=recipe.georeferenced).resolution
    bands = measure_bands(chips, recipe, progress)
    return ModelCard(
        name=recipe.name, created=datetime.now(UTC).isoformat(timespec="seconds"),
        geoseg=geoseg.__version__, task=recipe.task, georeferenced=recipe.georeferenced,
        classes=[ClassCard(name=c.name, color=c.color) for c in recipe.legend], bands=bands,
        resolution=resolution, chip_size=plan.size, precision=precision,
        network=network_card(recipe, len(bands)),
        training=_training_data(plan), recipe=recipe.to_dict(), licence=recipe.licence)


def _training_data(plan: ChipPlan) -> dict[str, Any]:
    """Describe where the model was trained: counts, scenes, footprint in WGS 84."""
    counts = plan.frame["split"].value_counts()
    chips = plan.rows("train")
    data: dict[str, Any] = {
        "chips": {split: int(counts.get(split, 0)) for split in ("train", "val", "test")},
        "scenes": sorted({str(path).rsplit("/", 1)[-1] for path in chips["scene"]}),
        "gap": plan.gap,
    }
    if chips.crs is not None:
        hull = chips.geometry.to_crs("EPSG:4326").union_all().convex_hull
        data["footprint"] = hull.__geo_interface__
    return data
