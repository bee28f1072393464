"""`Scores`: how well a class map agrees with labels, as plain values that travel as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ClassScores:
    """Scores of one class; None where a score is undefined, never a made-up 0 or 1."""

    name: str
    """Class name."""
    support: int
    """Pixels that are labelled with the class."""
    predicted: int
    """Pixels that were given the class (of those with a label)."""
    iou: float | None
    """Intersection over union, 0..1. None, as all that follow, if no label shows the class."""
    dice: float | None
    """Dice coefficient (F1), 0..1."""
    precision: float | None
    """Share of the pixels given the class that are labelled so, 0..1; None if none was given."""
    recall: float | None
    """Share of the labelled pixels that were found, 0..1."""
    average_precision: float | None
    """Area under the precision-recall curve, 0..1; None if no curves were counted."""
    boundary_f1: float | None
    """F1 of the class's edges within the tolerance, 0..1; None if no edges were counted."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of all classes and of the whole; None where a score is undefined."""

    classes: tuple[ClassScores, ...]
    """Per class, in the order of the legend."""
    overlapping: bool
    """Whether a pixel may belong to several classes."""
    pixels: int
    """Pixels with a label."""
    accuracy: float | None
    """Share of right pixels (exclusive classes) or of right yes-or-no answers (overlapping)."""
    mean_iou: float | None
    """Mean IoU of the classes that the labels show."""
    mean_dice: float | None
    """Mean Dice of the classes that the labels show."""
    classes_scored: int
    """How many classes these means are over."""
    kappa: float | None
    """Cohen's kappa, -1..1: accuracy beyond chance; of exclusive classes only."""
    ece: float | None
    """Expected calibration error, 0..1: mean gap between confidence and outcome (Naeini 2015)."""
    confusion: tuple[tuple[tuple[int, ...], ...], ...]
    """Pixel counts [.][true][predicted]: one matrix over the classes, or for overlapping classes
    one per class over (no, yes)."""

    def __getitem__(self, name: str) -> ClassScores:
        for item in self.classes:
            if item.name == name:
                return item
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Return the scores as JSON-ready values; undefined scores are None."""
        data = asdict(self)
        data["classes"] = list(data["classes"])
        data["confusion"] = [[list(row) for row in matrix] for matrix in self.confusion]
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Scores:
        """Return the scores that `to_dict` described."""
        confusion = tuple(tuple(tuple(int(n) for n in row) for row in matrix)
                          for matrix in data["confusion"])
        classes = tuple(ClassScores(**item) for item in data["classes"])
        return cls(**{**data, "classes": classes, "confusion": confusion})

    def table(self) -> str:
        """Return the scores as an aligned text table for the console."""
        head = ["class", "IoU", "Dice", "precision", "recall", "AP", "edge F1", "labelled px"]
        body = [[item.name, *map(decimals, (item.iou, item.dice, item.precision, item.recall,
                                            item.average_precision, item.boundary_f1)),
                 f"{item.support:,}"] for item in self.classes]
        mean = [f"mean of {self.classes_scored}", decimals(self.mean_iou),
                decimals(self.mean_dice), "", "", "", "", f"{self.pixels:,}"]
        overall = [f"accuracy {decimals(self.accuracy)}", f"calibration error {decimals(self.ece)}"]
        if not self.overlapping:
            overall.insert(1, f"kappa {decimals(self.kappa)}")
        return "\n".join([*_align([head, *body, mean]), "   ".join(overall)])


def decimals(value: float | None) -> str:
    """Return a score with three decimals, or `n/a` where it is undefined."""
    return "n/a" if value is None else f"{value:.3f}"


def _align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Pad columns: the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join([row[0].ljust(widths[0]),
                       *(cell.rjust(width) for cell, width in
                         zip(row[1:], widths[1:], strict=True))]).rstrip() for row in rows]
