"""Painting the water: depth, sea bed, swell, surf, the river and its plume."""

from __future__ import annotations

import numpy as np

from .canvas import Canvas, smooth_step
from .materials import blend, paint, tone

_ATTENUATION = np.array([0.36, 0.085, 0.055, 2.6], np.float32)
"""Diffuse attenuation per metre in red, green, blue and near infrared of clear coastal water."""


def paint_sea(canvas: Canvas, image: np.ndarray, sea: np.ndarray, offshore: np.ndarray,
              rocky: np.ndarray, exposure: np.ndarray) -> None:
    """Paint the sea over its bed, with swell and surf.

    Args:
        canvas: The scene's grid.
        image: float32 (4, size, size), painted in place.
        sea: bool (size, size).
        offshore: float32 (size, size): metres from land.
        rocky: 0..1 (size, size): rock rather than sand at the shore.
        exposure: 0..1 (size, size): how open to the waves the shore is.
    """
    bars = canvas.noise(260, 20, 1.9)
    depth = 0.15 + 15 * (1 - np.exp(-offshore / 190)) * (1 + 0.22 * bars)
    depth += 2.2 * rocky * smooth_step(offshore, 2, 16)
    bed = _bed(canvas, offshore, rocky)
    swell = _waves(canvas, offshore)
    for band in range(4):
        clear = np.exp(-2 * _ATTENUATION[band] * np.maximum(depth, 0.05))
        deep = tone("deep")[band]
        colour = deep + (0.78 * bed[band] - deep) * clear
        blend(image[band], sea, colour * (1 + 0.055 * swell) + 0.0035 * swell)
    glint = smooth_step(swell + 0.5 * canvas.noise(6, 0, 0.5), 2.1, 3.4) * exposure
    paint(image, sea * glint * 0.14, "foam")
    foam = _foam(canvas, offshore, exposure, rocky)
    paint(image, sea * foam, "foam")


def _bed(canvas: Canvas, offshore: np.ndarray, rocky: np.ndarray) -> np.ndarray:
    ripples = canvas.noise(20, 1, 1.0)
    bed = tone("sand")[:, None, None] * np.float32(0.82) * (1 + 0.05 * ripples)
    meadow = canvas.noise(120, 3, 1.5) + 0.9 * smooth_step(offshore, 40, 150) + 1.6 * rocky
    meadow -= 1.4 * (1 - smooth_step(offshore, 4, 40)) * (1 - rocky)
    paint(bed, 0.80 * smooth_step(meadow, 0.95, 1.55), "seagrass", 1 + 0.2 * ripples)
    return bed


def _waves(canvas: Canvas, offshore: np.ndarray) -> np.ndarray:
    """Long swell, wind waves across it, ripples and wind streaks; mean 0, deviation about 1."""
    open_sea = smooth_step(offshore, 10, 140)
    long = canvas.swell(17, -1.95, 0.16) * (0.25 + 0.75 * open_sea)
    chop = canvas.swell(6.5, -1.6, 0.5)
    gusts = smooth_step(canvas.noise(340, 30, 1.6), -1.5, 1.5)
    return (0.62 * long + 0.45 * chop * (0.4 + 0.9 * gusts) + 0.30 * canvas.noise(4, 0, 0.3)
            + 0.5 * (gusts - 0.5))


def _foam(canvas: Canvas, offshore: np.ndarray, exposure: np.ndarray,
          rocky: np.ndarray) -> np.ndarray:
    """Swash at the edge, breaker lines parallel to the shore, and foam left behind them."""
    wobble, sections = canvas.noise(110, 14, 1.6), canvas.noise(150, 20, 1.4)
    lace = canvas.noise(7, 0, 0.9)
    foam = 0.95 * np.exp(-((offshore - 0.6) / (1.0 + 0.5 * exposure)) ** 2)
    for number, (distance, width) in enumerate(((7, 2.0), (19, 2.4), (36, 2.2), (58, 1.6))):
        centre = distance + (2 + number) * wobble
        behind = np.where(offshore < centre, 3.2, 0.8) * width
        line = np.exp(-((offshore - centre) / behind) ** 2)
        breaks = smooth_step(sections + 1.3 * exposure - 0.45 * number + 0.25 * lace, 0.55, 1.2)
        foam = np.maximum(foam, line * breaks * exposure)
        sections = np.roll(sections, (190, 310), axis=(0, 1))
    wash = smooth_step(wobble + lace, 0.7, 2.4) * np.exp(-offshore / (5 + 9 * exposure))
    foam = np.maximum(foam, wash * (0.35 + 0.65 * rocky))
    return np.clip(foam * (0.62 + 0.38 * smooth_step(lace, -1.2, 0.8)), 0, 0.97)


def paint_river(canvas: Canvas, image: np.ndarray, river: np.ndarray, sea: np.ndarray,
                mouth_distance: np.ndarray) -> None:
    """Paint the river with shallow margins, and its plume in the sea."""
    inside = canvas.distance(~(river | sea))
    streaks, ripple = canvas.noise(70, 4, 1.5), canvas.noise(4, 0, 0.4)
    paint(image, river & ~sea, "river", 1 + 0.07 * streaks + 0.04 * ripple)
    margin = (1 - smooth_step(inside + 0.7 * streaks, 0.8, 4.0)) * (river & ~sea)
    paint(image, margin * 0.5, "wet sand", 0.75)
    plume = np.exp(-((mouth_distance * (1 + 0.16 * streaks)) / 75) ** 2)
    paint(image, np.clip(1.3 * plume, 0, 0.97) * sea, "river", 1.04 + 0.06 * streaks)
