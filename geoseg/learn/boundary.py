"""How well the edges of a class map follow those of the labels."""

from __future__ import annotations

import numpy as np

from geoseg.geo.legend import IGNORE, Legend


def boundary_counts(decision: np.ndarray, labels: np.ndarray, legend: Legend, tolerance: float
                    ) -> np.ndarray:
    """Count edge pixels per class, and those with an edge of the other map nearby.

    An edge pixel belongs to the class and touches, by a side, a pixel that does not. Edge pixels
    within the tolerance of an ignored pixel or of the chip's border are left out, since their
    counterpart may lie where nothing is known. After the boundary F1 of Csurka et al. (2013).

    Args:
        decision: uint8, the class map in the shape of the labels.
        labels: uint8 (n, rows, columns) of class values, or for overlapping classes
            (n, classes, rows, columns) of 0 and 1; 255 is ignored.
        legend: The classes.
        tolerance: Euclidean distance in pixels within which an edge counts as found.

    Returns:
        int64 (classes, 4): edge pixels of the map, those of them near an edge of the label, edge
        pixels of the label, and those of them near an edge of the map.
    """
    counts = np.zeros((len(legend), 4), np.int64)
    for c in range(len(legend)):
        value = 1 if legend.overlapping else c
        for chosen, label in zip(decision, labels, strict=True):
            if legend.overlapping:
                chosen, label = chosen[c], label[c]
            counts[c] += _compare(chosen == value, label == value, label != IGNORE, tolerance)
    return counts


def _compare(chosen: np.ndarray, true: np.ndarray, known: np.ndarray, tolerance: float
             ) -> tuple[int, int, int, int]:
    """Counts of one class of one chip; all arguments are bool (rows, columns)."""
    import cv2

    if not (chosen.any() or true.any()):
        return 0, 0, 0, 0
    disk = _disk(tolerance)
    judged = cv2.erode(known.astype(np.uint8), disk, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    made = _edges(chosen, np.ones_like(known))
    drawn = _edges(true, known)
    near_made, near_drawn = cv2.dilate(made, disk), cv2.dilate(drawn, disk)
    made, drawn = made & judged, drawn & judged
    return (int(made.sum()), int((made & near_drawn).sum()),
            int(drawn.sum()), int((drawn & near_made).sum()))


def _edges(inside: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Pixels inside that touch a known one outside, as uint8 0 and 1."""
    import cv2

    outside = (known & ~inside).astype(np.uint8)
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
    touched: np.ndarray = cv2.dilate(outside, cross)
    return touched & inside.astype(np.uint8)


def _disk(radius: float) -> np.ndarray:
    """All pixels within the radius of the central one: dilation with it is a distance test."""
    reach = int(radius)
    steps = np.arange(-reach, reach + 1)
    within: np.ndarray = steps[:, None] ** 2 + steps ** 2 <= radius ** 2
    return within.astype(np.uint8)
