"""Smooth random displacements of the pixels of a crop.

Both fields are sums over few nodes, one axis at a time: `rows @ nodes @ columns`, which costs far
less than smoothing or enlarging an image of them.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

CELLS = 5
"""Cells of the distorted grid along a side of the crop."""


def elastic(size: int, spread: float, distance: float, rng: np.random.Generator) -> np.ndarray:
    """Return displacements that are Gaussian noise, smoothed by a Gaussian.

    Simard et al. 2003, "Best practices for convolutional neural networks applied to visual document
    analysis". They smooth noise of every pixel and scale the result; here the noise stands at nodes
    `distance` apart, which gives the same field (the variance varies by 1e-4 between nodes), and
    its standard deviation is exactly the one asked for.

    Args:
        size: Pixels a side of the crop.
        spread: Standard deviation of the displacement along each axis, in pixels.
        distance: Standard deviation of the smoothing Gaussian, in pixels.
        rng: Generator.

    Returns:
        float32 (2, size, size): displacement along columns and rows, in pixels.
    """
    weights = _bells(size, distance)
    noise = rng.standard_normal((2, weights.shape[1], weights.shape[1]), dtype=np.float32)
    return np.asarray(np.float32(spread) * weights @ noise @ weights.T)


def grid_distortion(size: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return displacements that move the nodes of a grid, and linearly what lies between.

    The nodes on the border of the crop stay, so that it keeps its outline; and with less than half
    a cell no node passes another, so that nothing is folded.

    Args:
        size: Pixels a side of the crop.
        share: Largest displacement of a node along each axis, in cells.
        rng: Generator.

    Returns:
        float32 (2, size, size): displacement along columns and rows, in pixels.
    """
    nodes = np.zeros((2, CELLS + 1, CELLS + 1), dtype=np.float32)
    nodes[:, 1:-1, 1:-1] = rng.uniform(-share, share, (2, CELLS - 1, CELLS - 1)) * size / CELLS
    weights = _hats(size)
    return np.asarray(weights @ nodes @ weights.T)


@lru_cache(maxsize=8)
def _bells(size: int, distance: float) -> np.ndarray:
    """Return Gaussians around nodes, float32 (size, nodes), each row of unit length."""
    reach = 4 * distance
    nodes = np.arange(-reach, size + reach, distance)
    weights = np.exp(-0.5 * ((np.arange(size)[:, None] - nodes) / distance) ** 2)
    return np.asarray(weights / np.linalg.norm(weights, axis=1, keepdims=True), dtype=np.float32)


@lru_cache(maxsize=8)
def _hats(size: int) -> np.ndarray:
    """Return weights of linear interpolation between the nodes, float32 (size, CELLS + 1)."""
    place = (np.arange(size)[:, None] + 0.5) / size * CELLS
    return np.asarray(np.maximum(0, 1 - np.abs(place - np.arange(CELLS + 1))), dtype=np.float32)
