"""Cars on the streets, boats in the bay, sunshades on the beach."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .canvas import Canvas
from .roads import BAY, Road
from .town import Building, Wing, place

Box = tuple[Wing, np.ndarray]
"""A small box and its reflectance in four bands."""

_PAINTS = np.array([
    (0.62, 0.62, 0.62, 0.60), (0.35, 0.36, 0.37, 0.36), (0.05, 0.05, 0.055, 0.06),
    (0.26, 0.07, 0.06, 0.30), (0.08, 0.11, 0.20, 0.20), (0.18, 0.18, 0.19, 0.20),
], np.float32)


def cars(roads: list[Road], houses: list[Building], rng: np.random.Generator) -> list[Box]:
    """Cars parked along the streets and driving on the larger roads."""
    found: list[Box] = []
    for road in roads:
        if road.kind in ("residential", "secondary", "tertiary"):
            found += _along(road, road.width / 2 - 1.1, 26, rng)
        if road.kind in ("trunk", "primary", "secondary"):
            found += _along(road, road.width / 4, 70, rng)
    halls = [house.wings[0] for house in houses if house.kind == "industrial"]
    for x, y, angle, length, depth in halls:
        for shift in np.arange(-length / 2 + 2, length / 2 - 2, 2.6):
            if rng.random() < 0.45:
                away = depth / 2 + 3.2
                found.append(((x + np.cos(angle) * shift - np.sin(angle) * away,
                               y + np.sin(angle) * shift + np.cos(angle) * away,
                               angle + np.pi / 2, 4.4, 1.8), _PAINTS[rng.integers(6)]))
    return found


def _along(road: Road, offset: float, spacing: float, rng: np.random.Generator) -> Iterator[Box]:
    for side in (-1, 1):
        position = rng.uniform(5, spacing)
        while position < road.line.length - 6:
            x, y, angle = place(road.line, position)
            away = side * offset
            wing = (x - np.sin(angle) * away, y + np.cos(angle) * away,
                    angle + (np.pi if side < 0 else 0), rng.uniform(4.0, 4.9), 1.85)
            yield wing, _PAINTS[rng.choice(6, p=[0.3, 0.24, 0.16, 0.1, 0.1, 0.1])]
            position += 5.6 + rng.exponential(spacing)


def boats(rng: np.random.Generator) -> list[Box]:
    """White boats at their moorings, all swung into the same wind."""
    found: list[Box] = []
    white = np.array((0.66, 0.66, 0.65, 0.6), np.float32)
    for _ in range(26):
        angle, away = np.radians(rng.uniform(25, 150)), rng.uniform(90, 190)
        length = rng.choice([5.5, 7.0, 9.5, 12.0], p=[0.4, 0.3, 0.2, 0.1])
        wing = (BAY[0] + away * np.cos(angle), BAY[1] - away * np.sin(angle),
                2.2 + rng.normal(0, 0.12), float(length), float(length) * 0.34)
        found.append((wing, white * np.float32(rng.uniform(0.75, 1.1))))
    return found


def sunshades(canvas: Canvas, beach: np.ndarray) -> list[Box]:
    """Coloured dots on the town's beach."""
    rows, columns = np.nonzero(beach)
    x, y = (columns + 0.5) * canvas.resolution, (rows + 0.5) * canvas.resolution
    near = np.flatnonzero(np.hypot(x - BAY[0], y - BAY[1]) < 275)
    if not near.size:
        return []
    colours = np.array([(0.6, 0.6, 0.6, 0.6), (0.5, 0.1, 0.08, 0.5), (0.08, 0.2, 0.45, 0.4),
                        (0.55, 0.45, 0.1, 0.5), (0.1, 0.1, 0.12, 0.2)], np.float32)
    chosen = canvas.rng.choice(near, min(260, near.size), replace=False)
    return [((float(x[i]), float(y[i]), canvas.rng.uniform(0, 3), 2.1, 2.1),
             colours[canvas.rng.integers(5)]) for i in chosen]
