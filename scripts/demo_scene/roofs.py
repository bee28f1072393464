"""Painting roofs and small boxes (cars, boats), each lit from the one sun."""

from __future__ import annotations

import numpy as np

from .canvas import EXTENT, Canvas
from .light import SUN
from .town import Building, Wing

TONES = np.array([
    (0.330, 0.165, 0.110, 0.36),   # red clay tiles
    (0.300, 0.190, 0.140, 0.36),   # weathered tiles
    (0.225, 0.200, 0.180, 0.27),   # concrete tiles
    (0.150, 0.155, 0.170, 0.18),   # slate
    (0.360, 0.350, 0.330, 0.38),   # gravel
    (0.560, 0.560, 0.550, 0.58),   # white membrane
], np.float32)
"""Reflectance of roofing materials: red, green, blue, near infrared."""


def raise_roofs(canvas: Canvas, image: np.ndarray, height: np.ndarray,
                houses: list[Building]) -> None:
    """Paint all roofs over the image and raise the heights, both in place."""
    stains = canvas.noise(6, 0, 0.9)
    for house in houses:
        tint = TONES[house.tone] * canvas.rng.normal(1, 0.09) * canvas.rng.normal(1, 0.025, 4)
        dirt = canvas.rng.uniform(0.03, 0.09)
        for wing in house.wings:
            _roof(canvas, image, height, house, wing, tint.astype(np.float32), dirt * stains)


def _roof(canvas: Canvas, image: np.ndarray, height: np.ndarray, house: Building, wing: Wing,
          tint: np.ndarray, dirt: np.ndarray) -> None:
    found = _local(canvas, wing)
    if found is None:
        return
    (rows, columns), along, across = found
    angle, length, depth = wing[2:]
    inside = (np.abs(along) <= length / 2) & (np.abs(across) <= depth / 2)
    rise, lit = _surface(house.roof, angle, along, across, (length, depth))
    top = house.eaves + rise
    inside &= top >= height[rows, columns] - 0.05
    height[rows, columns][inside] = top[inside]
    bright = lit * (1 + dirt[rows, columns] + _courses(house, along, across, depth))
    for band in range(4):
        image[band, rows, columns][inside] = (tint[band] * bright)[inside]


def _surface(roof: str, angle: float, along: np.ndarray, across: np.ndarray,
             sides: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return height above the eaves and brightness relative to a flat roof."""
    if roof == "flat":
        edge = np.minimum(sides[0] / 2 - np.abs(along), sides[1] / 2 - np.abs(across))
        return np.where(edge < 0.5, 0.4, 0.0), np.where(edge < 0.5, 1.22, 1.0)
    pitch = 0.62
    to_eaves, to_gable = sides[1] / 2 - np.abs(across), sides[0] / 2 - np.abs(along)
    end = (to_gable < to_eaves) if roof == "hip" else np.zeros(np.shape(to_eaves), bool)
    rise = pitch * np.where(end, to_gable, to_eaves)
    u = np.where(end, np.sign(along), 0.0) * pitch
    v = np.where(end, 0.0, np.sign(across)) * pitch
    nx, ny = u * np.cos(angle) - v * np.sin(angle), u * np.sin(angle) + v * np.cos(angle)
    lit = (nx * SUN[0] + ny * SUN[1] + SUN[2]) / np.sqrt(1 + pitch**2) / SUN[2]
    ridge = 0.10 * (np.maximum(np.abs(across), 0) < 0.3) * ~end
    return rise, 0.22 + 0.78 * np.clip(lit, 0.08, 1.7) + ridge


def _courses(house: Building, along: np.ndarray, across: np.ndarray, depth: float) -> np.ndarray:
    """Dormers, skylights and vents as small darker or lighter spots."""
    if house.roof == "flat":
        spots = (np.cos(along * 0.9 + depth) * np.cos(across * 1.1) > 0.86) * 0.22
        return spots - 0.3 * (np.cos(along * 0.55 - depth) * np.cos(across * 0.7 + 2) > 0.93)
    row = np.abs(np.abs(across) - depth * 0.26) < 0.55
    return -0.30 * (row & (np.cos(along * 1.7 + depth * 3) > 0.92))


def set_boxes(canvas: Canvas, image: np.ndarray, height: np.ndarray,
              boxes: list[tuple[Wing, np.ndarray]], tall: float, roundness: float = 0.0) -> None:
    """Paint cars or boats: small boxes of one colour, with a darker middle for the glass."""
    for wing, tint in boxes:
        found = _local(canvas, wing)
        if found is None:
            continue
        (rows, columns), along, across = found
        along, across = along / (wing[3] / 2), across / (wing[4] / 2)
        taper = 1 - roundness * np.maximum(along, 0) ** 2
        cover = np.clip((1.15 - np.maximum(np.abs(along), np.abs(across) / np.maximum(taper, 0.1)))
                        * 2.2, 0, 1)
        glass = np.where((along > 0.05) & (along < 0.45), 0.45, 1.0)
        for band in range(4):
            image[band, rows, columns] += (tint[band] * glass - image[band, rows, columns]) * cover
        lifted = height[rows, columns]
        lifted[cover > 0.5] = np.maximum(lifted[cover > 0.5], tall)


def _local(canvas: Canvas, wing: Wing
           ) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray] | None:
    """Return the window around a wing, and coordinates along and across it; None if outside."""
    x, y, angle, length, depth = wing
    reach, step = np.hypot(length, depth) / 2 + 1.0, canvas.resolution
    if not (0 < x < EXTENT and 0 < y < EXTENT):
        return None
    rows = slice(max(int((y - reach) / step), 0), min(int((y + reach) / step) + 1, canvas.size))
    columns = slice(max(int((x - reach) / step), 0), min(int((x + reach) / step) + 1, canvas.size))
    dx = ((np.arange(columns.start, columns.stop) + 0.5) * step - x)[None, :]
    dy = ((np.arange(rows.start, rows.stop) + 0.5) * step - y)[:, None]
    return ((rows, columns), dx * np.cos(angle) + dy * np.sin(angle),
            -dx * np.sin(angle) + dy * np.cos(angle))
