"""From probabilities to classes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from geoseg.geo.legend import Legend


def decide(probabilities: np.ndarray, legend: Legend,
           thresholds: Mapping[str, float] | None = None) -> np.ndarray:
    """Return the class map of probabilities.

    Args:
        probabilities: float (n, classes, rows, columns) in 0..1.
        legend: The classes.
        thresholds: By class name: the probability from which on an overlapping class is mapped
            (0.5 by default), or the second of two exclusive classes.

    Returns:
        uint8 (n, rows, columns) of the likeliest class (the first of equals); for overlapping
        classes uint8 (n, classes, rows, columns) of 0 and 1.
    """
    given = dict(thresholds or {})
    if legend.overlapping:
        limits = np.array([given.get(name, 0.5) for name in legend.names], np.float32)
        return (probabilities >= limits[:, None, None]).astype(np.uint8)
    if len(legend) == 2 and legend.names[1] in given:
        return (probabilities[:, 1] >= np.float32(given[legend.names[1]])).astype(np.uint8)
    return likeliest(probabilities)


def likeliest(probabilities: np.ndarray) -> np.ndarray:
    """Return the argmax over axis 1, faster than numpy's along an axis that is not the last."""
    best, top = np.zeros(probabilities[:, 0].shape, np.uint8), probabilities[:, 0].copy()
    for c in range(1, probabilities.shape[1]):
        best[probabilities[:, c] > top] = c
        np.maximum(top, probabilities[:, c], out=top)
    return best
