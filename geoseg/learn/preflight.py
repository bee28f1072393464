"""What training must know before its first step: statistics, class weights, the model's card."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from rasterio.windows import Window

import geoseg
from geoseg.errors import PlanError, TrainingError
from geoseg.geo.grid import Grid
from geoseg.geo.legend import IGNORE
from geoseg.geo.raster import image_bands, open_raster, read, valid_pixels
from geoseg.learn.card import BandCard, ClassCard, ModelCard, NetworkCard
from geoseg.learn.dataset import Scenes, read_label
from geoseg.learn.scaling import Statistics
from geoseg.progress import Progress, track
from geoseg.recipe import Recipe

if TYPE_CHECKING:
    import geopandas as gpd

    from geoseg.samples.plan import ChipPlan

_log = logging.getLogger("geoseg")
_STATISTICS_CHIPS = 400
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
                       reduce=recipe.train.reduce)


def make_card(plan: ChipPlan, recipe: Recipe, precision: Literal["32", "bf16", "16"],
              progress: Progress) -> ModelCard:
    """Read the statistics of the training chips and write the card, scores still empty.

    Raises:
        RasterError: Scenes differ in bands, or cannot be read.
        TrainingError: A band holds no valid value.
    """
    chips = plan.rows("train")
    with open_raster(chips.iloc[0]["scene"]) as scene:
        indexes = image_bands(scene, recipe.image.bands)
        names = [scene.descriptions[index - 1] or "" for index in indexes]
        dtypes = [scene.dtypes[index - 1] for index in indexes]
        resolution = Grid.of(scene, georeferenced=recipe.georeferenced).resolution
    statistics = _gather(chips, indexes, progress)
    offset, gain = _scaling(statistics, recipe)
    low, high = statistics.percentile(1), statistics.percentile(99)
    bands = [BandCard(index=index, name=names[i], dtype=dtypes[i], offset=offset[i], gain=gain[i],
                      low=low[i], high=high[i]) for i, index in enumerate(indexes)]
    return ModelCard(
        name=recipe.name, created=datetime.now(UTC).isoformat(timespec="seconds"),
        geoseg=geoseg.__version__, task=recipe.task, georeferenced=recipe.georeferenced,
        classes=[ClassCard(name=c.name, color=c.color) for c in recipe.legend], bands=bands,
        resolution=resolution, chip_size=plan.size, precision=precision,
        network=network_card(recipe, len(bands)),
        training=_training_data(plan), recipe=recipe.to_dict(), licence=recipe.licence)


def _gather(chips: gpd.GeoDataFrame, indexes: Sequence[int], progress: Progress) -> Statistics:
    """Gather statistics over an even selection of the training chips."""
    statistics = Statistics(len(indexes))
    chosen = chips.iloc[:: max(1, len(chips) // _STATISTICS_CHIPS)]
    for scene, rows in track(list(chosen.groupby("scene")), progress, "reading band statistics"):
        with open_raster(scene) as dataset:
            if max(indexes) > dataset.count:
                raise TrainingError(scene, f"has {dataset.count} bands, other scenes have more",
                                    "Train on scenes with the same bands")
            for row in rows.itertuples():
                values, valid = read(dataset, Window(row.col, row.row, row.width, row.height),
                                     indexes)
                statistics.add(values, valid & valid_pixels(valid, values))
    if statistics.is_empty:
        raise TrainingError("training chips", "hold a band without any valid value",
                            "Leave that band out under [image] bands in the recipe")
    return statistics


def _scaling(statistics: Statistics, recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    if recipe.image.scaling == "range" and None not in (recipe.image.low, recipe.image.high):
        low, high = float(recipe.image.low or 0), float(recipe.image.high or 0)
        bands = len(statistics.mean)
        return np.full(bands, (low + high) / 2), np.full(bands, (high - low) / 2)
    deviation = statistics.deviation
    return statistics.mean, np.where(deviation > 0, deviation, 1.0)


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
