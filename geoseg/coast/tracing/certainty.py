"""How sure a traced line is: contrast across it, and the standard deviation of its place."""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.special import expit

from geoseg.coast.tracing.odds import Odds

REACH = 1.0
"""Pixels to either side of the line at which it is measured."""
MOST_SIGMA = 20.0
"""Largest standard deviation in pixels; where the odds hardly change across the line, it would be
endless."""
_LOGISTIC = math.pi**2 / 3
"""Variance of the standard logistic distribution."""


def land_shares(odds: Odds) -> np.ndarray:
    """Return the probability of land, float (rows, columns); even odds where there are no data."""
    return np.asarray(np.where(odds.valid, expit(odds.mean), 0.5))


def contrasts(points: np.ndarray, land: np.ndarray) -> np.ndarray:
    """Return the contrast across each segment of a line.

    Args:
        points: float64 (n, 2): (column, row) in pixels from the centre of the window's first.
        land: Probability of land (rows, columns), not smoothed.

    Returns:
        float64 (n - 1,): the probability of land one pixel to the land side of the segment's
        middle, minus that one pixel to the water side, interpolated bilinearly; 0 to 1.
    """
    inner, outer = _beside(land, points)
    return np.asarray(np.clip(inner - outer, 0, 1))


def variances(points: np.ndarray, odds: Odds, smooth: float, pixel_size: tuple[float, float]
              ) -> np.ndarray:
    """Return the variance of the place of each segment of a line, across it.

    Where the log odds of land rise by g per metre across the line, the probability that the coast
    lies beyond a distance d is the logistic function of g d, whose variance is pi² / (3 g²).
    Members of an ensemble that disagree about the log odds by a variance v put their lines apart
    by a variance of v / g²; by the law of total variance the two add up. Smoothing moves a line of
    curvature k by k sigma² / 2 towards its inside, as Gaussian smoothing is a flow by curvature
    (Mokhtarian and Mackworth 1992); the square of this is added too.

    Args:
        points: As above.
        odds: Smoothed log odds in which the line was traced.
        smooth: Standard deviation in pixels of that smoothing.
        pixel_size: Ground width and height of a pixel in metres.

    Returns:
        float64 (n - 1,) in m², at most that of `MOST_SIGMA` pixels.
    """
    mean = odds.mean
    land, water = _beside(mean, points)
    rise = np.maximum(land - water, 0) / (2 * REACH)
    variance = np.full(len(rise), _LOGISTIC)
    if len(odds.members) > 1:
        middles = (points[:-1] + points[1:]) / 2
        each = np.stack([_at(z, middles) for z in odds.members])
        apart = np.square(each - np.tensordot(odds.weights, each, axes=1))
        # Unbiased for weights that say how much a member is worth, not how often it was seen.
        variance += np.tensordot(odds.weights, apart, axes=1) / (1 - np.square(odds.weights).sum())
    floor = np.sqrt(variance) / MOST_SIGMA
    place = variance / np.square(np.maximum(rise, floor))
    if smooth > 0:
        moved = _curvatures(mean, points) * smooth**2 / 2
        place = np.minimum(place + np.square(moved), MOST_SIGMA**2)
    across = np.hypot(*(_across(points) * pixel_size).T)
    return np.asarray(place * np.square(across))


def _curvatures(field: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the curvature per pixel of a field's contour at the middle of each segment."""
    middle = (points[:-1] + points[1:]) / 2
    z = {(x, y): _at(field, np.add(middle, (x, y))) for x in (-1, 0, 1) for y in (-1, 0, 1)}
    x, y = (z[1, 0] - z[-1, 0]) / 2, (z[0, 1] - z[0, -1]) / 2
    xx, yy = z[1, 0] - 2 * z[0, 0] + z[-1, 0], z[0, 1] - 2 * z[0, 0] + z[0, -1]
    xy = (z[1, 1] - z[1, -1] - z[-1, 1] + z[-1, -1]) / 4
    rise = np.maximum(x * x + y * y, np.finfo(float).tiny)
    return np.asarray((xx * y * y - 2 * xy * x * y + yy * x * x) / rise**1.5)


def _beside(field: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a field beside the middle of each segment: on its land side, on its water side."""
    middle, across = (points[:-1] + points[1:]) / 2, REACH * _across(points)
    return _at(field, middle + across), _at(field, middle - across)


def _across(points: np.ndarray) -> np.ndarray:
    """Return unit vectors (n - 1, 2) across each segment, towards land."""
    along = np.diff(points, axis=0)
    lengths = np.maximum(np.hypot(along[:, 0], along[:, 1]), np.finfo(float).tiny)
    return np.column_stack([-along[:, 1], along[:, 0]]) / lengths[:, np.newaxis]


def _at(field: np.ndarray, places: np.ndarray) -> np.ndarray:
    return np.asarray(map_coordinates(field, [places[:, 1], places[:, 0]], order=1,
                                      mode="nearest"))
