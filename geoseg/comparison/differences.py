"""The chips about which settings disagree most, and what each makes of them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.windows import Window

from geoseg.comparison.charts import SHOWN
from geoseg.comparison.runs import scored_rows
from geoseg.comparison.table import Row
from geoseg.geo.legend import IGNORE, Legend
from geoseg.geo.raster import read, valid_pixels
from geoseg.learn.dataset import Scenes, read_label
from geoseg.learn.metrics import decide
from geoseg.learn.model import Model
from geoseg.maps.pictures import class_picture, image_picture, outcome_picture, png_uri, shrink
from geoseg.samples.plan import ChipPlan

_SIDE = 220


@dataclass(frozen=True)
class Answer:
    """What one setting makes of a chip."""

    setting: str
    """Its name."""
    wrong: float
    """Share of the labelled pixels that are wrong, mean over the seeds, 0..1."""
    picture: str
    """Where it found, missed and wrongly mapped the class, as a `data:` address; of one seed."""


@dataclass(frozen=True)
class Dispute:
    """A chip about which settings disagree."""

    place: str
    """Scene and place in words."""
    shows: str
    """The class whose finding is shown: the one about which they disagree most."""
    image: str
    """The image, as a `data:` address."""
    label: str
    """The labels."""
    answers: tuple[Answer, ...]
    """By rank of the setting."""


@dataclass(frozen=True)
class _Chip:
    """A chip as it was read, and the class maps that were made of it."""

    row: Any
    values: np.ndarray
    valid: np.ndarray
    label: np.ndarray
    maps: list[np.ndarray]


def disputes(rows: Sequence[Row], plan: ChipPlan, split: str, count: int, device: str
             ) -> list[Dispute]:
    """Return the chips whose share of wrong pixels differs most between settings.

    Args:
        rows: The settings; the best few are shown.
        plan: The chip plan.
        split: The split that was scored.
        count: How many chips to return.
        device: Where the networks run.
    """
    shown = [row for row in rows[:SHOWN] if row.done]
    wrong = np.array([_mean_wrong(row) for row in shown])
    places = most_disputed(wrong, count)
    chips: list[_Chip] = []
    chosen = scored_rows(plan, split).iloc[places]
    models = [Model.load(row.done[0][0].model, device=device) for row in shown]
    with Scenes() as scenes:
        for item in chosen.itertuples():
            chips.append(_map_chip(item, models, scenes))
    return [_draw(chip, shown, wrong[:, place], models[0], plan.legend)
            for chip, place in zip(chips, places, strict=True)]


def most_disputed(wrong: np.ndarray, count: int) -> list[int]:
    """Return the places of the chips with the largest standard deviation over the settings.

    Args:
        wrong: float (settings, chips): share of wrong pixels; NaN where nothing is labelled.
        count: How many chips to return; those on which all agree are left out.
    """
    spread = np.nan_to_num(wrong.std(axis=0))
    order = np.argsort(-spread, kind="stable")[:count]
    return [int(place) for place in order if spread[place] > 0]


def _mean_wrong(row: Row) -> np.ndarray:
    """Return the share of wrong pixels of each chip, mean over the seeds."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice")
        return np.asarray(np.nanmean([outcome.wrong for _, outcome in row.done], axis=0))


def _map_chip(row: Any, models: Sequence[Model], scenes: Scenes) -> _Chip:  # noqa: ANN401
    """Read a chip as each model needs it, and map it with each."""
    window = Window(row.col, row.row, row.width, row.height)
    label = read_label(scenes.open(row.label), window)
    maps = []
    for model in models:
        values, valid = read(scenes.open(row.scene), window,
                             [band.index for band in model.card.bands])
        pixels = valid_pixels(valid, values)
        chances = model.probabilities(values[None], (valid & pixels)[None])
        decision = decide(chances, model.card.legend, model.card.thresholds)[0]
        maps.append(decision if model.card.legend.overlapping else decision[None])
        if model is models[0]:
            first = values, pixels
    label[:, ~first[1]] = IGNORE
    return _Chip(row, *first, label, maps)


def _draw(chip: _Chip, shown: Sequence[Row], wrong: np.ndarray, model: Model, legend: Legend
          ) -> Dispute:
    place = disputed_class(chip.maps, chip.label, legend)
    image = shrink(image_picture(chip.values, chip.valid, model.card.bands), _SIDE)
    known, labelled = (_small(layer) for layer in class_layers(chip.label, place, legend))
    answers = []
    for row, share, made in zip(shown, wrong, chip.maps, strict=True):
        mapped = _small(class_layers(made, place, legend)[1])
        answers.append(Answer(row.name, float(share), png_uri(
            outcome_picture(image, mapped & known, labelled, known))))
    label = shrink(class_picture(chip.label, legend), _SIDE, categories=True)
    return Dispute(f"{Path(chip.row.scene).name}, column {chip.row.col:,}, row {chip.row.row:,}",
                   legend.names[place], png_uri(image), png_uri(label), tuple(answers))


def disputed_class(maps: Sequence[np.ndarray], label: np.ndarray, legend: Legend) -> int:
    """Return the class whose errors differ most between maps; of two exclusive ones the second.

    Args:
        maps: uint8 (label bands, rows, columns) each.
        label: The same of the labels; 255 is ignored.
        legend: The classes.
    """
    if len(legend) == 2 and not legend.overlapping:
        return 1
    errors = np.zeros((len(maps), len(legend)))
    for value in range(len(legend)):
        known, labelled = class_layers(label, value, legend)
        for number, made in enumerate(maps):
            errors[number, value] = ((class_layers(made, value, legend)[1] != labelled)
                                     & known).sum()
    return int(np.argmax(errors.std(axis=0)))


def class_layers(values: np.ndarray, place: int, legend: Legend) -> tuple[np.ndarray, np.ndarray]:
    """Return where a class is known, and where it is: both bool (rows, columns)."""
    layer = values[place] if legend.overlapping else values[0]
    return layer != IGNORE, layer == (1 if legend.overlapping else place)


def _small(layer: np.ndarray) -> np.ndarray:
    return np.asarray(shrink(layer.astype(np.uint8), _SIDE, categories=True) == 1)
