"""Comparing probabilities with labels, batch by batch, in counts of a fixed size.

A `Tally` keeps a confusion matrix, histograms of the probabilities and calibration bins, so that
the scores of any number of chips cost the same memory, and tallies of parts can be merged.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from geoseg.errors import ModelError
from geoseg.geo.legend import IGNORE, Legend
from geoseg.learn.boundary import boundary_counts
from geoseg.learn.chipwise import chip_dice
from geoseg.learn.decision import decide, likeliest
from geoseg.learn.partitions import THRESHOLDS, partition_counts
from geoseg.learn.scores import ClassScores, ObjectScores, Scores
from geoseg.learn.thresholds import (
    PrecisionRecall,
    Reliability,
    best_division,
    best_threshold,
    confusion_at,
    precision_recall,
)

__all__ = ["ClassScores", "PrecisionRecall", "Reliability", "Scores", "Tally", "decide"]

BINS = 512
"""Histogram bins of the probability; bin k holds k / 512 <= p < (k + 1) / 512, the last also 1."""
CONFIDENCE_BINS = 20
"""Bins of the reliability diagram."""


class Tally:
    """Counts of agreement between probabilities and labels.

    Args:
        legend: The classes; decides between exclusive and overlapping scoring.
        thresholds: By class name, see `decide`.
        curves: Whether to count what precision-recall curves, thresholds and calibration need;
            without, only the confusion matrix is kept, in a third of the time.
        boundary: Whether to compare edges too.
        tolerance: Distance in pixels within which an edge counts as found.
        chips: Whether to compute the Dice of each chip on its own too.
        objects: Name of the class whose patches are objects to compare too.
    """

    _COUNTS = ("pixels", "confusion", "histograms", "sums", "outcomes", "confidence", "edges",
               "chip_dice", "partitions")

    def __init__(self, legend: Legend, *, thresholds: Mapping[str, float] | None = None,
                 curves: bool = True, boundary: bool = False, tolerance: float = 2.0,
                 chips: bool = False, objects: str | None = None) -> None:
        self.legend = legend
        self.thresholds = dict(thresholds or {})
        self.curves = curves
        self.boundary = boundary
        self.tolerance = tolerance
        self.chips = chips
        self.objects = objects
        matrices, size = (len(legend), 2) if legend.overlapping else (1, len(legend))
        self.pixels = 0
        self.confusion = np.zeros((matrices, size, size), np.int64)
        self.histograms = np.zeros((len(legend), 2, BINS), np.int64)
        self.sums = np.zeros((len(legend), 2))
        self.outcomes = np.zeros((CONFIDENCE_BINS, 2), np.int64)
        self.confidence = np.zeros(CONFIDENCE_BINS)
        self.edges = np.zeros((len(legend), 4), np.int64)
        self.chip_dice = np.zeros((len(legend), 2))
        self.partitions = np.zeros((1 + len(THRESHOLDS), 3))

    def add(self, probabilities: np.ndarray, labels: np.ndarray) -> None:
        """Count some chips.

        Args:
            probabilities: float32 (n, classes, rows, columns) in 0..1.
            labels: uint8 (n, rows, columns) of class values, or for overlapping classes
                (n, classes, rows, columns) of 0 and 1; 255 is ignored.

        Raises:
            ModelError: The probabilities are not finite.
            ValueError: The shapes do not fit, or a label is not in the legend.
        """
        self._check(probabilities, labels)
        decision = decide(probabilities, self.legend, self.thresholds)
        self._count_decisions(decision, labels)
        if self.curves:
            self._count_scores(probabilities, labels)
            self._count_confidence(probabilities, labels)
        if self.boundary:
            self.edges += boundary_counts(decision, labels, self.legend, self.tolerance)
        if self.chips:
            self.chip_dice += chip_dice(decision, labels, self.legend)
        if self.objects is not None:
            self.partitions += partition_counts(probabilities, decision, labels, self.legend,
                                                self.legend.value_of(self.objects))

    def _check(self, probabilities: np.ndarray, labels: np.ndarray) -> None:
        n, classes, *size = probabilities.shape
        expected = (n, classes, *size) if self.legend.overlapping else (n, *size)
        if classes != len(self.legend) or labels.shape != expected:
            raise ValueError(f"probabilities {probabilities.shape} and labels {labels.shape} do "
                             f"not fit each other and {len(self.legend)} classes")
        if not np.isfinite(probabilities.sum(dtype=float)):
            raise ModelError("the network", "returned values that are not finite",
                             "Train it again with a lower learning_rate")

    def _count_decisions(self, decision: np.ndarray, labels: np.ndarray) -> None:
        size = self.confusion.shape[1]
        known = labels != IGNORE
        if self.legend.overlapping:
            self.pixels += int(known.any(axis=1).sum())
            bands = [(labels[:, c], decision[:, c]) for c in range(len(self.legend))]
        else:
            self.pixels += int(known.sum())
            bands = [(labels, decision)]
        for matrix, (label, chosen) in zip(self.confusion, bands, strict=True):
            # A row for every uint8 value, so that ignored pixels need no mask.
            index = label.astype(np.intp) * size + chosen
            counts = np.bincount(index.ravel(), minlength=256 * size).reshape(256, size)
            if counts[size:IGNORE].any():
                raise ValueError(f"a label is neither below {size} nor {IGNORE}")
            matrix += counts[:size]

    def _count_scores(self, probabilities: np.ndarray, labels: np.ndarray) -> None:
        bins = np.minimum((probabilities * np.float32(BINS)).astype(np.int16), BINS - 1)
        for c in range(len(self.legend)):
            label = labels[:, c] if self.legend.overlapping else labels
            own, positive = bins[:, c], label == (1 if self.legend.overlapping else c)
            everywhere = np.where(label == IGNORE, BINS, own)
            every = np.bincount(everywhere.ravel(), minlength=BINS + 1)[:BINS]
            yes = np.bincount(own[positive], minlength=BINS)
            self.histograms[c, 1] += yes
            self.histograms[c, 0] += every - yes
            chance = probabilities[:, c]
            self.sums[c] += (chance[positive].sum(dtype=float),
                             chance[label != IGNORE].sum(dtype=float))

    def _count_confidence(self, probabilities: np.ndarray, labels: np.ndarray) -> None:
        if self.legend.overlapping:
            confidence, came_true = probabilities, labels == 1
        else:
            confidence, came_true = probabilities.max(axis=1), likeliest(probabilities) == labels
        known = labels != IGNORE
        confidence, came_true = confidence[known], came_true[known]
        bins = (confidence * np.float32(CONFIDENCE_BINS)).astype(np.intp)
        bins = np.minimum(bins, CONFIDENCE_BINS - 1)
        count = np.bincount(bins + CONFIDENCE_BINS * came_true, minlength=2 * CONFIDENCE_BINS)
        self.outcomes += count.reshape(2, CONFIDENCE_BINS).T
        self.confidence += np.bincount(bins, confidence, CONFIDENCE_BINS)

    @property
    def _settings(self) -> tuple[object, ...]:
        return (self.legend, self.thresholds, self.curves, self.boundary, self.tolerance,
                self.chips, self.objects)

    def merge(self, other: Tally) -> None:
        """Add the counts of another tally of the same legend and settings.

        Raises:
            ValueError: Legend or settings differ.
        """
        if self._settings != other._settings:
            raise ValueError("two tallies of different legends or settings cannot be merged")
        for name in self._COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def scores(self, thresholds: Mapping[str, float] | None = None) -> Scores:
        """Return the scores of everything counted so far.

        Args:
            thresholds: Score the decisions that these would make, see `decide`, instead of those
                counted. They are rounded to 1/512, and edges, chips and objects are not scored,
                since all comes from the histograms. Thresholds of more than two exclusive classes
                change nothing.
        """
        given = thresholds or {}
        recounted = bool(given) and (self.legend.overlapping or (
            len(self.legend) == 2 and self.legend.names[1] in given))
        confusion = self._confusion_at(given) if recounted else self.confusion
        classes = tuple(self._class_scores(c, confusion, counted=not recounted)
                        for c in range(len(self.legend)))
        seen = [item for item in classes if item.support]
        exclusive = not self.legend.overlapping
        return Scores(
            classes=classes, overlapping=self.legend.overlapping, pixels=self.pixels,
            accuracy=_ratio(int(np.einsum("mii->", confusion)), int(confusion.sum())),
            mean_iou=_mean([item.iou for item in seen]),
            mean_dice=_mean([item.dice for item in seen]), classes_scored=len(seen),
            kappa=_kappa(confusion[0]) if exclusive else None, ece=self.reliability().error,
            confusion=tuple(tuple(tuple(row) for row in matrix) for matrix in confusion.tolist()),
            balanced_accuracy=_mean([item.recall for item in seen]) if exclusive else None,
            mean_soft_iou=_mean([item.soft_iou for item in seen]),
            mean_chip_dice=None if recounted else _ratio(*self.chip_dice.sum(axis=0).tolist()),
            objects=None if recounted else self._object_scores())

    def _confusion_at(self, thresholds: Mapping[str, float]) -> np.ndarray:
        if not self.curves:
            raise ValueError("a tally without curves cannot be scored at other thresholds")
        chosen = self.legend.classes if self.legend.overlapping else self.legend.classes[1:]
        matrices = []
        for item in chosen:
            negatives, positives = self.histograms[item.value]
            matrices.append(confusion_at(positives, negatives, thresholds.get(item.name, 0.5)))
        return np.stack(matrices)

    def _class_scores(self, c: int, confusion: np.ndarray, *, counted: bool) -> ClassScores:
        matrix, place = (confusion[c], 1) if self.legend.overlapping else (confusion[0], c)
        hit, known = int(matrix[place, place]), int(matrix.sum())
        support, predicted = int(matrix[place].sum()), int(matrix[:, place].sum())
        either = support + predicted - hit
        shared, chance = self.sums[c].tolist()
        occurs = support > 0
        return ClassScores(
            name=self.legend.names[c], support=support, predicted=predicted,
            iou=_ratio(hit, either) if occurs else None,
            dice=_ratio(2 * hit, support + predicted) if occurs else None,
            precision=_ratio(hit, predicted) if occurs else None,
            recall=_ratio(hit, support),
            average_precision=self.precision_recall(self.legend.names[c]).area,
            boundary_f1=_boundary_f1(*self.edges[c].tolist()) if counted else None,
            soft_iou=_ratio(shared, chance + support - shared) if occurs and self.curves else None,
            accuracy=_ratio(known - either + hit, known),
            chip_dice=_ratio(*self.chip_dice[c].tolist()) if counted else None)

    def _object_scores(self) -> ObjectScores | None:
        chips = int(self.partitions[0, 2])
        if self.objects is None or chips == 0:
            return None
        (v_rand, v_info), *others = (self.partitions[:, :2] / chips).tolist()
        rands, infos = zip(*others, strict=True)
        return ObjectScores(
            self.objects, chips, v_rand, v_info,
            best_v_rand=max(rands), best_v_rand_at=THRESHOLDS[rands.index(max(rands))],
            best_v_info=max(infos), best_v_info_at=THRESHOLDS[infos.index(max(infos))])

    def precision_recall(self, name: str) -> PrecisionRecall:
        """Return the precision-recall curve of the named class."""
        return precision_recall(*self.histograms[self.legend.value_of(name), ::-1])

    def best_thresholds(self) -> dict[str, float]:
        """Return by class name the threshold of the highest Dice, of classes that occur.

        Of exclusive classes, it is meant for a yes or no about the one class.
        """
        found = {item.name: best_threshold(*self.histograms[item.value, ::-1])
                 for item in self.legend}
        return {name: value for name, value in found.items() if value is not None}

    def map_thresholds(self) -> dict[str, float]:
        """Return the thresholds that a map should be made with.

        For overlapping classes those of `best_thresholds`; for two exclusive classes that of the
        second, where the mean IoU of both is highest; none for more.
        """
        if self.legend.overlapping:
            return self.best_thresholds()
        found = (best_division(*self.histograms[1, ::-1]) if len(self.legend) == 2 else None)
        return {} if found is None else {self.legend.names[1]: found}

    def reliability(self) -> Reliability:
        """Return the reliability diagram.

        Of exclusive classes, the confidence is the probability of the chosen class and true
        means that it is the labelled one. Of overlapping classes, the confidence is the
        probability of each class and true means that the label shows it.
        """
        count = self.outcomes.sum(axis=1)
        used = count > 0
        return Reliability(self.confidence[used] / count[used],
                           self.outcomes[used, 1] / count[used], count[used])


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _mean(values: list[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None


def _kappa(matrix: np.ndarray) -> float | None:
    """Cohen's kappa; undefined if chance alone would agree everywhere."""
    total = matrix.sum()
    if total == 0:
        return None
    chance = float((matrix.sum(axis=0) / total) @ (matrix.sum(axis=1) / total))
    return None if chance == 1 else (float(np.trace(matrix) / total) - chance) / (1 - chance)


def _boundary_f1(made: int, right: int, labelled: int, found: int) -> float | None:
    """F1 of edge precision and recall; undefined without labelled edges."""
    if labelled == 0:
        return None
    precision, recall = right / made if made else 0.0, found / labelled
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
