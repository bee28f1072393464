"""The Dice of each chip on its own, as the Kaggle contest on cloud patterns scores."""

from __future__ import annotations

import numpy as np

from geoseg.geo.legend import IGNORE, Legend


def chip_dice(decision: np.ndarray, labels: np.ndarray, legend: Legend) -> np.ndarray:
    """Sum the Dice of each chip and class: 1 where neither label nor map shows the class.

    Args:
        decision: uint8, the class map in the shape of the labels.
        labels: uint8 (n, rows, columns) of class values, or for overlapping classes
            (n, classes, rows, columns) of 0 and 1; 255 is ignored.
        legend: The classes.

    Returns:
        float64 (classes, 2): sum of the Dice, and the number of chips with a label to compare.
    """
    sums = np.zeros((len(legend), 2))
    for c in range(len(legend)):
        chosen, label = (decision[:, c], labels[:, c]) if legend.overlapping else (decision, labels)
        value = 1 if legend.overlapping else c
        known = label != IGNORE
        mapped, labelled = known & (chosen == value), label == value
        hits, both = _count(mapped & labelled), _count(mapped) + _count(labelled)
        dice = np.where(both > 0, 2 * hits / np.maximum(both, 1), 1.0)
        judged = _count(known) > 0
        sums[c] = dice[judged].sum(), judged.sum()
    return sums


def _count(pixels: np.ndarray) -> np.ndarray:
    """Count the pixels of each chip."""
    return np.asarray(pixels.sum(axis=(1, 2)))
