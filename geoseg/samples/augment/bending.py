"""Smooth maps from a crop to the image that it is taken from.

A map is a sum over few nodes, one axis at a time: `weights @ nodes @ weights.T`. Whatever is done
to places, be it rotation, bending or scaling, is done to the nodes, so it costs next to nothing,
and the map of every pixel is made in one go.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

CELLS = 5
"""Cells of the grid along a side of the crop."""


def grid_nodes(size: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return the places of the nodes of a grid, moved at random.

    The nodes on the border of the crop stay, so that it keeps its outline; and with less than half
    a cell no node passes another, so that nothing is folded.

    Args:
        size: Pixels a side of the crop.
        share: Largest displacement of a node along each axis, in cells.
        rng: Generator.

    Returns:
        float64 (2, CELLS + 1, CELLS + 1): column and row from the middle of the crop, in pixels.
    """
    cell = size / CELLS
    nodes = np.stack(np.meshgrid(*[(np.arange(CELLS + 1) - CELLS / 2) * cell] * 2))
    if share:
        nodes[:, 1:-1, 1:-1] += cell * rng.uniform(-share, share, (2, CELLS - 1, CELLS - 1))
    return nodes


@lru_cache(maxsize=8)
def grid_weights(size: int) -> np.ndarray:
    """Return weights of linear interpolation between the nodes of a grid.

    Returns:
        float32 (size, CELLS + 1), each row of sum one.
    """
    place = (np.arange(size)[:, None] + 0.5) / size * CELLS
    return np.asarray(np.maximum(0, 1 - np.abs(place - np.arange(CELLS + 1))), dtype=np.float32)


@lru_cache(maxsize=8)
def elastic_weights(size: int, distance: float) -> np.ndarray:
    """Return weights that make smooth displacements of independent noise.

    Simard et al. 2003, "Best practices for convolutional neural networks applied to visual document
    analysis", smooth noise of every pixel by a Gaussian and scale the result. Here the noise stands
    at nodes that are one standard deviation of the Gaussian apart, which gives a field of the same
    smoothness, and rows of unit length keep the noise's standard deviation at every pixel.

    Args:
        size: Pixels a side of the crop.
        distance: Standard deviation of the Gaussian, in pixels.

    Returns:
        float32 (size, nodes).
    """
    nodes = np.arange(-4 * distance, size + 4 * distance, distance)
    weights = np.exp(-0.5 * ((np.arange(size)[:, None] - nodes) / distance) ** 2)
    return np.asarray(weights / np.linalg.norm(weights, axis=1, keepdims=True), dtype=np.float32)
