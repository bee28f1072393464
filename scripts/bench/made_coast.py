"""A made coast whose true line is known: headlands, bays, islands, a lake."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Coast:
    """A coast with headlands steeper than 45°, overhanging bays, an island and a lake."""

    land_share: np.ndarray
    """float64 (rows, columns): share of land in each pixel."""
    truth: np.ndarray
    """float64 (n, 2): dense points of the true line, (column, row) from the raster's corner."""


def make_coast(size: int = 256, turn: float = 30.0, sub: int = 8, *, islands: bool = True
               ) -> Coast:
    """Make a coast of `size` pixels a side, its sine-shaped shore turned by some degrees.

    Args:
        size: Pixels a side.
        turn: Degrees; from 20 on, headlands hang over bays, seen along columns.
        sub: Each pixel is looked at in so many rows and columns, to tell its share of land.
        islands: Whether there are two islands and a lake besides.
    """
    centre = size / 2
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))

    def shore(along: np.ndarray) -> np.ndarray:  # slopes up to 3 before it is turned
        return (0.06 * size * np.sin(along * 2 * np.pi / (size * 0.18))
                + 0.05 * size * np.sin(along * 2 * np.pi / (size * 0.47) + 1))

    # (along, across, radius) of islands and a lake, as shares of the size
    circles = [(-0.35, -0.21, 0.06, True), (0.28, 0.24, 0.05, False), (0.07, -0.40, 0.03, True)]
    fine = (np.arange(size * sub) + 0.5) / sub
    x, y = np.meshgrid(fine - centre, fine - centre)
    land = (-x * sin + y * cos) > shore(x * cos + y * sin)
    lines = []
    u = np.arange(-size, size, 0.005)
    v = shore(u)
    lines.append(centre + np.column_stack([u * cos - v * sin, u * sin + v * cos]))
    for along, across, radius, is_land in (
            size * np.array(circles) * [1, 1, 1, 1 / size] if islands else ()):
        column, row = along * cos - across * sin, along * sin + across * cos
        land = np.where(np.hypot(x - column, y - row) < radius, bool(is_land), land)
        angle = np.arange(0, 2 * np.pi, 0.005 / radius)
        lines.append(centre + np.column_stack([column + radius * np.cos(angle),
                                               row + radius * np.sin(angle)]))
    truth = np.concatenate(lines)
    inside = np.all((truth > 0.5) & (truth < size - 0.5), axis=1)
    return Coast(land.reshape(size, sub, size, sub).mean(axis=(1, 3)), truth[inside])
