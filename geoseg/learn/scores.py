"""`Scores`: how well a class map agrees with labels, as plain values that travel as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from geoseg.tables import aligned


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
    """Intersection over union, 0..1, of what was mapped. None, as those that follow, if no label
    shows the class."""
    dice: float | None
    """Dice coefficient (F1), 0..1."""
    precision: float | None
    """Share of the pixels given the class that are labelled so, 0..1; None if none was given."""
    recall: float | None
    """Share of the labelled pixels that were found, 0..1; some call it the class's accuracy."""
    average_precision: float | None
    """Area under the precision-recall curve, 0..1; None if no curves were counted."""
    boundary_f1: float | None
    """F1 of the class's edges within the tolerance, 0..1; None if no edges were counted."""
    soft_iou: float | None = None
    """IoU counted with probabilities in place of a map, 0..1: falls with every doubt, right or
    wrong; None if no curves were counted."""
    accuracy: float | None = None
    """Share of right answers to whether a pixel shows the class, 0..1: (TP + TN) / all, high for
    any rare class; None only if nothing is labelled."""
    chip_dice: float | None = None
    """Mean of the Dice of each chip, 0..1, where 1 stands for a chip with the class neither in
    label nor map; also of a class that no label shows. None if chips were not counted."""


@dataclass(frozen=True, slots=True)
class ObjectScores:
    """How well the patches of a class are kept apart and whole (Arganda-Carreras et al. 2015)."""

    name: str
    """Class whose patches are objects."""
    chips: int
    """Chips whose labels show some; all scores are means over these."""
    v_rand: float
    """Of the class map, 0..1: pairs of pixels that are rightly in one object or in two, as the
    harmonic mean of a share that falls with splits and one that falls with merges."""
    v_info: float
    """Of the class map, 0..1: the same of the information that map and label share."""
    best_v_rand: float
    """Highest V_rand of the maps that thresholds of 0.1, 0.2, ... 0.9 would give: the number that
    papers name, but nobody knows that threshold beforehand."""
    best_v_rand_at: float
    """The threshold of `best_v_rand`."""
    best_v_info: float
    """Highest V_info of these maps."""
    best_v_info_at: float
    """The threshold of `best_v_info`."""


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
    balanced_accuracy: float | None = None
    """Mean recall of the classes that the labels show, 0..1; of exclusive classes only."""
    mean_soft_iou: float | None = None
    """Mean soft IoU of the classes that the labels show."""
    mean_chip_dice: float | None = None
    """Mean Dice of each chip and class, 1 where neither label nor map shows it (the score of the
    Kaggle contest on cloud patterns)."""
    objects: ObjectScores | None = None
    """Scores of objects; None if none were counted or labelled."""

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
        objects = data.get("objects")
        return cls(**{**data, "classes": classes, "confusion": confusion,
                      "objects": ObjectScores(**objects) if objects else None})

    def table(self) -> str:
        """Return the scores as an aligned text table for the console."""
        head = ["class", "IoU", "Dice", "precision", "recall", "AP", "edge F1", "labelled px"]
        body = [[item.name, *map(decimals, (item.iou, item.dice, item.precision, item.recall,
                                            item.average_precision, item.boundary_f1)),
                 f"{item.support:,}"] for item in self.classes]
        mean = [f"mean of {self.classes_scored}", decimals(self.mean_iou),
                decimals(self.mean_dice), "", "", "", "", f"{self.pixels:,}"]
        return "\n".join([aligned([head, *body, mean]), *self._overall()])

    def _overall(self) -> Iterator[str]:
        """Yield the lines under the table: one for all pixels, one for chips and objects."""
        line = {"accuracy": self.accuracy, "balanced accuracy": self.balanced_accuracy,
                "kappa": self.kappa, "calibration error": self.ece}
        if self.overlapping:
            line = {name: line[name] for name in ("accuracy", "calibration error")}
        yield _in_words(line)
        further = {} if self.mean_chip_dice is None else {"Dice per chip": self.mean_chip_dice}
        if self.objects:
            further |= {f"V_rand of {self.objects.name}": self.objects.v_rand,
                        "V_info": self.objects.v_info}
        if further:
            yield _in_words(further)


def _in_words(values: Mapping[str, float | None]) -> str:
    return "   ".join(f"{name} {decimals(value)}" for name, value in values.items())


def decimals(value: float | None) -> str:
    """Return a score with three decimals, or `n/a` where it is undefined."""
    return "n/a" if value is None else f"{value:.3f}"
