"""Trees: where they stand, and their crowns as heights and colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from .canvas import EXTENT, Canvas
from .light import SUN
from .materials import tone


@dataclass(frozen=True, slots=True)
class Trees:
    """Many trees; arrays of equal length."""

    x: np.ndarray
    """Scene metres."""
    y: np.ndarray
    """Scene metres, down."""
    radius: np.ndarray
    """Radius of the crown in metres."""
    species: np.ndarray
    """Index into `SPECIES`."""


SPECIES = ("broadleaf", "pine", "olive", "hedge")
"""Materials of crowns."""


def scatter(canvas: Canvas, spacing: float, density: np.ndarray, radius: tuple[float, float],
            shares: tuple[float, ...]) -> Trees:
    """Set trees on a shaken hexagonal grid.

    Args:
        canvas: The scene's grid.
        spacing: Metres between trees where they stand closest.
        density: 0..1 or bool (size, size): probability that a place of the grid has its tree.
        radius: Mean and deviation of crown radii in metres.
        shares: Share of each species.
    """
    rng, step = canvas.rng, spacing * 0.87
    columns, rows = int(EXTENT / spacing) + 1, int(EXTENT / step) + 1
    y, x = np.mgrid[:rows, :columns].astype(float)
    x = (x + 0.5 * (y % 2)) * spacing + rng.normal(0, 0.24 * spacing, x.shape)
    y = y * step + rng.normal(0, 0.24 * spacing, y.shape)
    inside = (x > 0) & (x < EXTENT) & (y > 0) & (y < EXTENT)
    x, y = x[inside], y[inside]
    pixel = (y / canvas.resolution).astype(int), (x / canvas.resolution).astype(int)
    stands = rng.random(len(x)) < density[pixel]
    x, y = x[stands], y[stands]
    radii = np.clip(rng.normal(*radius, len(x)), 0.6 * radius[0], 1.7 * radius[0])
    return Trees(x, y, radii, rng.choice(len(SPECIES), len(x), p=shares))


def grow_trees(canvas: Canvas, image: np.ndarray, height: np.ndarray, groups: list[Trees]
               ) -> np.ndarray:
    """Paint the crowns over the image and raise the heights, both in place.

    Returns:
        bool (size, size): pixels under a crown.
    """
    crowns = np.zeros_like(height)
    owner = np.zeros(height.shape, np.int32)
    number = 1
    bend = canvas.noise(5, 0.8, 1.0) * 0.38, canvas.noise(5, 0.8, 1.0) * 0.38
    for trees in groups:
        for x, y, radius in zip(trees.x, trees.y, trees.radius, strict=True):
            _stamp(canvas, crowns, owner, bend, (x, y, radius), number)
            number += 1
    under = owner > 0
    species = np.concatenate([[0], *(trees.species for trees in groups)])
    own = canvas.rng.normal(1, 0.15, number).astype(np.float32)
    leaves = np.clip(own[owner] * (1 + 0.13 * canvas.noise(2.5, 0, 0.4)), 0.4, 1.8)
    palette = np.stack([tone(name) for name in SPECIES])
    warmth = canvas.rng.normal(1, 0.12, number).astype(np.float32)[owner]
    for band in range(4):
        colour = palette[species[owner], band] * leaves * (warmth if band == 0 else 1)
        image[band][under] = colour[under]
    shade_crowns(image, crowns, under, canvas.resolution)
    np.maximum(height, crowns, out=height)
    return under


def _stamp(canvas: Canvas, crowns: np.ndarray, owner: np.ndarray,
           bend: tuple[np.ndarray, np.ndarray], tree: tuple[float, float, float],
           number: int) -> None:
    """Raise one dome; `bend` shifts pixels about so that no crown is a circle."""
    x, y, radius = tree
    step, size = canvas.resolution, canvas.size
    reach = radius + 1.2
    rows = slice(max(int((y - reach) / step), 0), min(int((y + reach) / step) + 1, size))
    columns = slice(max(int((x - reach) / step), 0), min(int((x + reach) / step) + 1, size))
    across = (np.arange(columns.start, columns.stop) + 0.5) * step - x + bend[0][rows, columns]
    down = ((np.arange(rows.start, rows.stop) + 0.5) * step - y)[:, None] + bend[1][rows, columns]
    inside = 1 - (across**2 + down**2) / radius**2
    dome = np.where(inside > 0, radius * (1.1 + 1.3 * np.sqrt(np.maximum(inside, 0))), 0)
    higher = dome > crowns[rows, columns]
    crowns[rows, columns][higher] = dome[higher]
    owner[rows, columns][higher] = number


def shade_crowns(image: np.ndarray, crowns: np.ndarray, under: np.ndarray,
                 resolution: float) -> None:
    """Darken the sides that face away from the sun and the gaps between crowns, in place."""
    smooth = gaussian_filter(crowns, 0.45 / resolution)
    down, across = np.gradient(smooth, resolution)
    slope = np.sqrt(1 + (0.55 * across) ** 2 + (0.55 * down) ** 2)
    facing = (-0.55 * across * SUN[0] - 0.55 * down * SUN[1] + SUN[2]) / slope / SUN[2]
    hollow = np.clip(1 + (crowns - gaussian_filter(crowns, 2.2 / resolution)) * 0.11, 0.55, 1.25)
    light = (0.25 + 0.75 * np.clip(facing, 0, 1.6)) * hollow
    image[:, under] *= light[under]
