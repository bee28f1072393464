"""How well objects, such as cells, are kept apart and whole: V_rand and V_info.

After Arganda-Carreras et al. (2015), "Crowdsourcing the creation of image segmentation algorithms
for connectomics": two maps of objects are two partitions of the same pixels, and an error is a
pair of pixels that one of them joins and the other parts. Few wrong pixels can merge two cells,
and many at their edges need not; no count of pixels tells these apart.
"""

from __future__ import annotations

import numpy as np

from geoseg.geo.legend import IGNORE, Legend

THRESHOLDS = tuple(step / 10 for step in range(1, 10))
"""Probabilities from which on a pixel is taken for an object's, one after the other."""


def partition_scores(made: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Compare two partitions of the pixels that the second knows.

    With p_ij the share of pixels in object i of one and j of the other, s_i and t_j its sums:
    V_rand = 2 sum(p_ij^2) / (sum(s_i^2) + sum(t_j^2)), V_info = 2 I / (H(s) + H(t)) with their
    mutual information and entropies. Each is the harmonic mean of a score that falls with splits
    and one that falls with merges.

    Args:
        made: int (rows, columns): number of the object of each pixel.
        true: int (rows, columns): the same of the labels; pixels with 0 are not judged.

    Returns:
        V_rand and V_info, both 0..1; 1 for equal partitions.

    Raises:
        ValueError: No pixel is judged.
    """
    judged = true > 0
    if not judged.any():
        raise ValueError("no pixel belongs to a labelled object")
    rows, columns = true[judged].astype(np.int64), made[judged].astype(np.int64)
    width = int(columns.max()) + 1
    pairs, count = np.unique(rows * width + columns, return_counts=True)
    joint = count / count.sum()
    in_true = np.bincount(pairs // width, joint)
    in_made = np.bincount(pairs % width, joint)
    v_rand = 2 * (joint @ joint) / (in_true @ in_true + in_made @ in_made)
    apart = _entropy(in_true) + _entropy(in_made)
    # Of one object that was found whole nothing is uncertain, and nothing wrong.
    v_info = 2 * (apart - _entropy(joint)) / apart if apart else 1.0
    return float(v_rand), float(v_info)


def _entropy(shares: np.ndarray) -> float:
    positive = shares[shares > 0]
    return float(-(positive @ np.log(positive)))


def object_scores(mapped: np.ndarray, labelled: np.ndarray, known: np.ndarray
                  ) -> tuple[float, float] | None:
    """Return V_rand and V_info of the objects of a chip.

    Objects are patches that hang together by sides of pixels. Only pixels of labelled objects are
    judged ("foreground-restricted"), and each counts for the nearest mapped object, so that the
    width of the borders between objects does not matter, only whether they are closed. The
    challenge thins mapped borders to the same end; nearness needs the class map alone and has no
    setting.

    Args:
        mapped: bool (rows, columns): where the map shows the class of the objects.
        labelled: bool (rows, columns): where the label does.
        known: bool (rows, columns): where there is a label; nothing else matters.

    Returns:
        See `partition_scores`; None if no object is labelled.
    """
    true = _patches(labelled & known)
    if not true.any():
        return None
    return partition_scores(_grown(_patches(mapped & known)), true)


def _patches(inside: np.ndarray) -> np.ndarray:
    """Number the patches that hang together by sides, from 1; 0 elsewhere."""
    import cv2

    _, patches = cv2.connectedComponents(inside.astype(np.uint8), connectivity=4)
    return np.asarray(patches)


def _grown(patches: np.ndarray) -> np.ndarray:
    """Give each pixel outside the number of the nearest patch; all stay 0 if there is none."""
    import cv2

    inside = patches > 0
    if not inside.any():
        return patches
    _, nearest = cv2.distanceTransformWithLabels(
        (~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL)
    number = np.zeros(int(nearest.max()) + 1, patches.dtype)
    number[nearest[inside]] = patches[inside]
    return np.asarray(number[nearest])


def partition_counts(probabilities: np.ndarray, decision: np.ndarray, labels: np.ndarray,
                     legend: Legend, value: int) -> np.ndarray:
    """Sum the scores of the objects of some chips.

    Args:
        probabilities: float32 (n, classes, rows, columns) in 0..1.
        decision: uint8, the class map in the shape of the labels.
        labels: uint8 (n, rows, columns) of class values, or for overlapping classes
            (n, classes, rows, columns) of 0 and 1; 255 is ignored.
        legend: The classes.
        value: The class whose patches are objects.

    Returns:
        float64 (1 + thresholds, 3): of the class map, then of the map that each of `THRESHOLDS`
        would give, the sums of V_rand and V_info and the number of chips that show objects.
    """
    sums = np.zeros((1 + len(THRESHOLDS), 3))
    shown = 1 if legend.overlapping else value
    for chance, chosen, label in zip(probabilities[:, value], decision, labels, strict=True):
        if legend.overlapping:
            chosen, label = chosen[value], label[value]
        maps = [chosen == shown, *(chance >= np.float32(limit) for limit in THRESHOLDS)]
        for place, mapped in enumerate(maps):
            found = object_scores(mapped, label == shown, label != IGNORE)
            if found is not None:
                sums[place] += *found, 1
    return sums
