"""What histograms of a probability tell: precision and recall at every threshold, the best one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """The precision-recall curve of one class, from the strictest threshold to the loosest."""

    threshold: np.ndarray
    """float64 (bins,): thresholds t of p >= t, falling to 0."""
    precision: np.ndarray
    """float64 (bins,) in 0..1; NaN where nothing reaches the threshold."""
    recall: np.ndarray
    """float64 (bins,) in 0..1, never falling; NaN if no label shows the class."""

    @property
    def area(self) -> float | None:
        """Area under the curve, in steps, 0..1; None if no label shows the class."""
        if np.isnan(self.recall[-1]):
            return None
        return float(np.diff(self.recall, prepend=0) @ np.nan_to_num(self.precision))


@dataclass(frozen=True, slots=True)
class Reliability:
    """How often predictions of a given confidence come true; bins without any are left out."""

    confidence: np.ndarray
    """float64 (bins,): mean confidence, 0..1."""
    accuracy: np.ndarray
    """float64 (bins,): share that came true, 0..1."""
    count: np.ndarray
    """int64 (bins,): number of predictions."""

    @property
    def shares(self) -> np.ndarray:
        """float64 (bins,): share of all predictions."""
        return np.asarray(self.count / max(self.count.sum(), 1))

    @property
    def error(self) -> float | None:
        """Expected calibration error, 0..1 (Naeini 2015); None without predictions.

        Mean gap between confidence and outcome, weighted by the number of predictions.
        """
        gaps = np.abs(self.confidence - self.accuracy)
        return float(np.average(gaps, weights=self.count)) if len(gaps) else None


def precision_recall(positives: np.ndarray, negatives: np.ndarray) -> PrecisionRecall:
    """Return the precision-recall curve of two histograms of a probability.

    Args:
        positives: int64 (bins,): histogram over 0..1 where the label shows the class.
        negatives: int64 (bins,): the same where it does not.
    """
    hits, alarms = np.cumsum(positives[::-1]), np.cumsum(negatives[::-1])
    thresholds = np.arange(len(positives) - 1, -1, -1) / len(positives)
    with np.errstate(invalid="ignore"):
        return PrecisionRecall(thresholds, hits / (hits + alarms), hits / np.float64(hits[-1]))


def best_threshold(positives: np.ndarray, negatives: np.ndarray) -> float | None:
    """Return the threshold t, for p >= t, of the highest Dice; the middle one of equals.

    Args:
        positives: See `precision_recall`.
        negatives: See `precision_recall`.

    Returns:
        A bin edge strictly between 0 and 1, or None if there are no positives.
    """
    hits, alarms = np.cumsum(positives[::-1])[::-1], np.cumsum(negatives[::-1])[::-1]
    if hits[0] == 0:
        return None
    dice = 2 * hits[1:] / (hits[0] + hits[1:] + alarms[1:])
    return _middle_of_best(dice)


def best_division(positives: np.ndarray, negatives: np.ndarray) -> float | None:
    """Return the threshold of the second of two classes with the highest mean IoU of both.

    Args:
        positives: See `precision_recall`.
        negatives: See `precision_recall`.

    Returns:
        A bin edge strictly between 0 and 1, or None if one of the classes does not occur.
    """
    hits, alarms = np.cumsum(positives[::-1])[::-1], np.cumsum(negatives[::-1])[::-1]
    if hits[0] == 0 or alarms[0] == 0:
        return None
    missed, rejected = hits[0] - hits[1:], alarms[0] - alarms[1:]
    wrong = missed + alarms[1:]
    both = hits[1:] / (hits[1:] + wrong).clip(1) + rejected / (rejected + wrong).clip(1)
    return _middle_of_best(both)


def _middle_of_best(scores: np.ndarray) -> float:
    """Return the threshold in the middle of the first run of equal best scores.

    Args:
        scores: float (bins - 1,): score of the threshold at the upper edge of each bin.
    """
    best = np.flatnonzero(scores == scores.max()) + 1
    first_run = best[: np.argmax(np.diff(best, append=-1) != 1) + 1]
    return float(first_run[len(first_run) // 2] / (len(scores) + 1))


def confusion_at(positives: np.ndarray, negatives: np.ndarray, threshold: float) -> np.ndarray:
    """Return the counts that a threshold, rounded to a bin edge, would give.

    Args:
        positives: See `precision_recall`.
        negatives: See `precision_recall`.
        threshold: 0..1, of p >= threshold.

    Returns:
        int64 (2, 2): [true][predicted] over (no, yes).
    """
    edge = round(threshold * len(positives))
    return np.array([[counts[:edge].sum(), counts[edge:].sum()]
                     for counts in (negatives, positives)])
