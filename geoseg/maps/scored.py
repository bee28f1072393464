"""A scored chip, and the few worst of many."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from geoseg.geo.legend import IGNORE, Legend
from geoseg.learn.card import ModelCard
from geoseg.learn.metrics import decide
from geoseg.maps.pictures import (
    class_picture,
    difference_picture,
    image_picture,
    png_uri,
    shrink,
)
from geoseg.maps.report import ChipPictures
from geoseg.samples.plan import ChipPlan

_ENOUGH = 0.25
_PICTURE_SIDE = 320


@dataclass
class ScoredChip:
    """A chip with its labels and what the model made of it."""

    row: Any
    """Its row in the plan, as a named tuple."""
    values: np.ndarray
    """(bands, rows, columns) raw pixel values of the model's bands."""
    valid: np.ndarray
    """bool (rows, columns): where there is image data."""
    label: np.ndarray
    """uint8 (label bands, rows, columns); 255 is ignored."""
    decision: np.ndarray = field(init=False)
    """uint8 (label bands, rows, columns): the class map."""
    wrong: float = 0.0
    """Share of the labelled pixels that are wrong, 0..1."""

    @property
    def labelled(self) -> float:
        """Share of the pixels that have a label, 0..1."""
        return float((self.label != IGNORE).mean())

    def decide(self, probabilities: np.ndarray, legend: Legend,
               thresholds: Mapping[str, float]) -> None:
        """Set the class map and the share of wrong pixels.

        Args:
            probabilities: float32 (classes, rows, columns).
            legend: The classes.
            thresholds: See `geoseg.learn.metrics.decide`.
        """
        decision = decide(probabilities[None], legend, thresholds)
        self.decision = decision[0] if legend.overlapping else decision
        known = int((self.label != IGNORE).any(axis=0).sum())
        self.wrong = float(self._differs().sum() / known) if known else 0.0

    def _differs(self) -> np.ndarray:
        """Return where a class is wrong, bool (rows, columns)."""
        differs = (self.decision != self.label) & (self.label != IGNORE)
        return np.asarray(differs.any(axis=0))

    def freeze(self) -> ScoredChip:
        """Copy the pixels, so that the batch they were cut from can go."""
        self.values, self.valid, self.decision = (
            self.values.copy(), self.valid.copy(), self.decision.copy())
        return self

    def pictures(self, plan: ChipPlan, card: ModelCard) -> ChipPictures:
        """Return the chip as pictures for the report."""
        image = shrink(image_picture(self.values, self.valid, card.bands), _PICTURE_SIDE)
        differs = shrink(self._differs().astype(np.uint8), _PICTURE_SIDE, categories=True) == 1
        drawn = [png_uri(shrink(class_picture(values, card.legend), _PICTURE_SIDE,
                                categories=True))
                 for values in (self.label, np.where(self.valid, self.decision, IGNORE))]
        return ChipPictures(
            scene=Path(self.row.scene).name, place=self._place(plan), wrong=self.wrong,
            mistake=self._mistake(card.legend), image=png_uri(image), label=drawn[0],
            prediction=drawn[1], difference=png_uri(difference_picture(image, differs)))

    def _place(self, plan: ChipPlan) -> str:
        place = f"column {self.row.col:,}, row {self.row.row:,}"
        crs = plan.frame.crs
        if crs is None or not plan.georeferenced:
            return place
        centre = self.row.geometry.centroid
        digits = 4 if crs.is_geographic else 0
        return f"{place} (centre {centre.x:.{digits}f}, {centre.y:.{digits}f} in {crs.to_string()})"

    def _mistake(self, legend: Legend) -> str:
        """Return the most frequent mistake in words."""
        if legend.overlapping:
            missed = ((self.label == 1) & (self.decision == 0)).sum(axis=(1, 2))
            alarms = ((self.label == 0) & (self.decision == 1)).sum(axis=(1, 2))
            kind, counts = (("missing", missed) if missed.max() >= alarms.max()
                            else ("false", alarms))
            return f"{kind} {legend.names[int(counts.argmax())]}"
        pairs = self.label.astype(int) * len(legend) + self.decision
        counts = np.bincount(pairs[(self.label != IGNORE) & (self.label != self.decision)])
        true, made = divmod(int(counts.argmax()), len(legend))
        return f"{legend.names[true]} taken for {legend.names[made]}"


class WorstChips:
    """Keeps the chips with the largest share of wrong pixels.

    Chips with labels on less than a quarter of their pixels are left out, since a few odd pixels
    would put them on top.

    Args:
        count: How many to keep.
    """

    def __init__(self, count: int = 6) -> None:
        self._count = count
        self._heap: list[tuple[float, int, ScoredChip]] = []
        self._seen = 0

    def add(self, chip: ScoredChip) -> None:
        """Consider a chip that was decided."""
        # The running number breaks ties in favour of the earlier chip.
        self._seen -= 1
        entry = (chip.wrong, self._seen, chip)
        if chip.labelled < _ENOUGH or chip.wrong == 0:
            return
        if len(self._heap) < self._count:
            heapq.heappush(self._heap, (*entry[:2], chip.freeze()))
        elif entry[:2] > self._heap[0][:2]:
            heapq.heapreplace(self._heap, (*entry[:2], chip.freeze()))

    def ranked(self) -> list[ScoredChip]:
        """Return the kept chips, worst first."""
        return [chip for _, _, chip in sorted(self._heap, key=lambda entry: entry[:2],
                                              reverse=True)]
