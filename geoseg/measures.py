"""What products hold, in a few flat numbers: for logs, for models in QGIS, for scripts.

Names are the same wherever a number appears; a score that is undefined is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geoseg.geo.legend import Legend
from geoseg.geo.raster import open_raster
from geoseg.geo.vector import layers, read_layer, summarize_layer
from geoseg.maps.shares import class_shares
from geoseg.samples.plan import SPLITS, ChipPlan

if TYPE_CHECKING:
    from geoseg.coast.accuracy.scores import CoastlineScores

Numbers = dict[str, float | None]

_SCORES = ("mean_iou", "accuracy", "mean_dice", "kappa", "ece")


def score_numbers(scores: Mapping[str, Any]) -> Numbers:
    """Return the overall scores out of what `Scores.to_dict` describes."""
    return {name: scores.get(name) for name in _SCORES}


def direction_numbers(scores: CoastlineScores) -> Numbers:
    """Return the distances of a coastline from its reference and back, in metres."""
    numbers: Numbers = {}
    for name, found in (("missed", scores.missed), ("strayed", scores.strayed)):
        for key in ("mean", "median", "rmse", "p95", "coverage"):
            numbers[f"{name}_{key}"] = None if found is None else getattr(found, key)
    numbers["over_dates"] = None if scores.over_dates is None else scores.over_dates.mean
    return numbers


def chip_numbers(plan: ChipPlan) -> Numbers:
    """Return the number of chips of each split, as `chips_train`, `chips_val`, `chips_test`."""
    return {f"chips_{split}": len(plan.rows(split)) for split in SPLITS}


def share_numbers(path: str | Path) -> Numbers:
    """Return the share of the valid area of each class value, 0..1, as `share_0`, `share_1`, ...

    Args:
        path: Class map or label raster.

    Raises:
        RasterError: It cannot be read, or carries no legend.
    """
    with open_raster(path) as dataset:
        shares = class_shares(dataset, Legend.of(dataset))
    return {f"share_{value}": float(share) for value, share in enumerate(shares)}


def feature_numbers(path: str | Path) -> Numbers:
    """Return the number of features of each layer by its name, and of all as `features`.

    Raises:
        SourceError: The file cannot be read.
    """
    path = Path(path)
    counts = {layer: summarize_layer(path, layer).features for layer in layers(path)}
    return {"features": sum(counts.values()), **counts}


def column_numbers(path: str | Path, *columns: str) -> Numbers:
    """Return the number of features in a file's first layer, and the sums of those columns it has.

    Args:
        path: A vector file made by geoseg.
        columns: Columns of which it may lack some; in pixel space the names are others.

    Raises:
        SourceError: The file cannot be read.
    """
    frame = read_layer(Path(path))
    return {"features": len(frame), **{name: float(frame[name].sum()) for name in columns
                                       if name in frame.columns}}
