"""Painting the open ground: grass, fields, gardens, sand, rock."""

from __future__ import annotations

import numpy as np
import shapely
from scipy.ndimage import distance_transform_edt

from .canvas import Canvas, smooth_step
from .farmland import CROPS, Field, settlement
from .materials import paint, tone
from .town import Building


def paint_wasteland(canvas: Canvas) -> np.ndarray:
    """Return float32 (4, size, size): rough grass and scrub, the ground under everything."""
    patches = canvas.noise(160, 4, 1.7)
    grain = canvas.noise(9, 0, 0.8)
    dry = smooth_step(patches, -1.2, 1.4)
    image = (tone("scrub")[:, None, None] * (1 - dry) + tone("dry grass")[:, None, None] * dry
             ) * (1 + 0.10 * grain)
    tufts = smooth_step(canvas.noise(14, 2, 1.2) + 0.4 * patches, 0.9, 1.6)
    paint(image, tufts * 0.7, "hedge", 1.25 + 0.1 * grain)
    return image


def paint_fields(canvas: Canvas, image: np.ndarray, fields: list[Field]) -> None:
    """Paint each field's crop: rows, tramlines, turned headlands, patchy growth."""
    numbers = canvas.burn_numbers([(field.shape, k) for k, field in enumerate(fields, start=1)])
    rim = canvas.distance(numbers == 0)
    growth, grain = canvas.noise(90, 6, 1.8), canvas.noise(5, 0, 0.6)
    wander = canvas.noise(150, 60, 2.0) * 1.2
    x, y = canvas.coordinates()
    for number, field in enumerate(fields, start=1):
        window = _window(canvas, field.shape.bounds)
        here = numbers[window] == number
        across = (-x[:, window[1]] * np.sin(field.rows) + y[window[0]] * np.cos(field.rows)
                  + wander[window])
        along = x[:, window[1]] * np.cos(field.rows) + y[window[0]] * np.sin(field.rows)
        bright = _crop_brightness(canvas, field, across, along, rim[window])
        bright += 0.10 * growth[window] + _GRAIN[CROPS[field.crop]] * grain[window]
        vigour = canvas.rng.normal(0, 0.08)
        paint(image[:, *window], here, CROPS[field.crop], np.maximum(bright + vigour, 0.3))


_ROW_CONTRAST = {"wheat": 0.04, "stubble": 0.10, "ploughed": 0.10, "maize": 0.20, "meadow": 0.0,
                 "rape": 0.02, "beet": 0.22}
_GRAIN = {"wheat": 0.035, "stubble": 0.05, "ploughed": 0.07, "maize": 0.06, "meadow": 0.05,
          "rape": 0.04, "beet": 0.05}


def _crop_brightness(canvas: Canvas, field: Field, across: np.ndarray, along: np.ndarray,
                     rim: np.ndarray) -> np.ndarray:
    crop = CROPS[field.crop]
    turned = rim < 7.5
    row = np.where(turned, np.cos(2 * np.pi * rim / field.pitch),
                   np.cos(2 * np.pi * across / field.pitch))
    visible = min(1.0, field.pitch / (2.5 * canvas.resolution))
    bright = 1 + _ROW_CONTRAST[crop] * row * visible
    if crop in ("wheat", "rape", "beet"):
        wheel = np.abs(np.abs((across % 21.0) - 10.5) - 0.9)
        bright -= 0.16 * (wheel < 0.45) * ~turned
    if crop == "meadow":
        bright += 0.05 * np.sign(np.sin(2 * np.pi * across / 7.0)) * (field.pitch > 3.2)
    if crop == "stubble":
        bright += 0.05 * np.sin(2 * np.pi * across / 9.0)
    return bright + 0.04 * np.sin(along / 37 + field.pitch)


def paint_gardens(canvas: Canvas, image: np.ndarray, houses: list[Building],
                  streets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Paint a garden or yard around each house of the settlement.

    Args:
        canvas: The scene's grid.
        image: float32 (4, size, size), painted in place.
        houses: All buildings.
        streets: float32 (size, size): metres to the nearest street.

    Returns:
        Where hedges stand, and which pixels are gardens; bool (size, size).
    """
    town = canvas.burn(shapely.get_parts(settlement(houses)))
    numbers = canvas.burn_numbers([(h.footprint, k) for k, h in enumerate(houses, start=1)
                                   if h.kind != "shed"])
    rows, columns = distance_transform_edt(numbers == 0, return_distances=False,
                                           return_indices=True)
    plot = numbers[rows, columns]
    styles = canvas.rng.choice(6, len(houses) + 1, p=[0.40, 0.22, 0.16, 0.10, 0.04, 0.08])
    halls = [k for k, house in enumerate(houses, start=1) if house.kind == "industrial"]
    styles[halls] = 4
    plot_is_hall = np.zeros(len(houses) + 1, bool)
    plot_is_hall[halls] = True
    bright = canvas.rng.normal(1.0, 0.10, len(houses) + 1).astype(np.float32)[plot]
    bright *= 1 + 0.07 * canvas.noise(12, 0, 1.0)
    style = styles[plot]
    for number, name in enumerate(("lawn", "dry grass", "meadow", "paving", "concrete", "scrub")):
        here = town & (style == number)
        if name in ("paving", "concrete"):
            paint(image, here, "dry grass", bright)
            here &= (streets < 17) | (plot_is_hall[plot])
        paint(image, here, name, bright)
    yard = town & (streets > 2.2) & (streets < 7) & (canvas.noise(16, 5, 1.0) > 0.35)
    paint(image, yard, "paving", bright)
    edge = np.zeros_like(town)
    edge[:, 1:] |= plot[:, 1:] != plot[:, :-1]
    edge[1:] |= plot[1:] != plot[:-1]
    hedged = edge & town & (canvas.noise(40, 12, 1.0) > -0.2) & (streets > 2.5) & (numbers == 0)
    return hedged & (style != 4), town & (style < 3)


def paint_shore(canvas: Canvas, image: np.ndarray, sea_distance: np.ndarray,
                beach: np.ndarray, rocky: np.ndarray) -> None:
    """Paint sand that is wet near the water, tide lines, and rock."""
    grain, wrack = canvas.noise(8, 0, 0.9), canvas.noise(60, 3, 1.2)
    prints = canvas.noise(30, 1, 1.0)
    paint(image, beach, "sand", 1 + 0.035 * grain + 0.04 * wrack + 0.03 * prints)
    wet = (1 - smooth_step(sea_distance + 1.6 * wrack, 3.5, 9.5)) * beach
    paint(image, wet * 0.95, "wet sand", 1 + 0.04 * grain)
    line = np.exp(-((sea_distance - 12.5 - 1.8 * wrack) / 0.7) ** 2) * smooth_step(grain, -0.6, 0.8)
    paint(image, line * beach * 0.5, "seagrass", 2.0)
    cracks = canvas.noise(25, 0, 1.3)
    stone = rocky * smooth_step(-(sea_distance + 4 * wrack), -14, -7)
    paint(image, stone, "rock", np.clip(1 + 0.30 * cracks, 0.35, 1.9))
    low = rocky * (1 - smooth_step(sea_distance + wrack, 1.5, 4))
    paint(image, low * 0.8, "rock", 0.45)


def _window(canvas: Canvas, bounds: tuple[float, float, float, float]) -> tuple[slice, slice]:
    """Return the (rows, columns) that enclose bounds in scene metres."""
    left, top, right, bottom = (np.array(bounds) / canvas.resolution)
    return (slice(max(int(top) - 1, 0), max(int(bottom) + 2, 0)),
            slice(max(int(left) - 1, 0), max(int(right) + 2, 0)))
