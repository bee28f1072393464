"""The sun, the shadows it casts, and what the air and the camera do to the picture."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, shift

from .canvas import Canvas

_AZIMUTH, _ELEVATION = np.radians(142.0), np.radians(44.0)
SUN = (float(np.sin(_AZIMUTH) * np.cos(_ELEVATION)), float(-np.cos(_AZIMUTH) * np.cos(_ELEVATION)),
       float(np.sin(_ELEVATION)))
"""Unit vector towards the sun: x right, y down the picture, z up; a late morning in the south."""

_SKYLIGHT = (0.21, 0.25, 0.33, 0.16)
"""What the sky gives in the shade, as a share of full light: red, green, blue, near infrared."""
_HAZE = (0.006, 0.010, 0.019, 0.002)


def cast_shadows(height: np.ndarray, resolution: float) -> np.ndarray:
    """Return float32 (rows, columns): 1 in full sun, 0 in full shade.

    Args:
        height: Metres above ground (rows, columns).
        resolution: Metres per pixel.
    """
    slope = SUN[2] / np.hypot(SUN[0], SUN[1])
    direction = np.array([SUN[1], SUN[0]]) / np.hypot(SUN[0], SUN[1])
    reach = int(float(height.max()) / slope / resolution) + 1
    roof = np.zeros_like(height)
    for step in range(1, reach + 1):
        rows, columns = np.rint(-direction * step).astype(int)
        shifted = _moved(height, rows, columns) - np.float32(step * slope * resolution)
        np.maximum(roof, shifted, out=roof)
    return 1 - np.clip((roof - height) / 0.5, 0, 1)


def _moved(array: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Shift by whole pixels, zeros moving in."""
    result = np.zeros_like(array)
    height, width = array.shape
    result[max(rows, 0):height + min(rows, 0), max(columns, 0):width + min(columns, 0)] = \
        array[max(-rows, 0):height + min(-rows, 0), max(-columns, 0):width + min(-columns, 0)]
    return result


def expose(canvas: Canvas, image: np.ndarray, sunlit: np.ndarray) -> np.ndarray:
    """Return the picture as the camera records it: uint16 (4, size, size), 1 to 10000.

    Light and shade, relief, uneven illumination, haze, the lens' blur, some sharpening as is
    usual in orthophotos, misregistered bands, and noise that grows with the signal.
    """
    relief = np.gradient(canvas.noise(420, 60, 2.4))
    tilt = 1 + 1.1 * (relief[0] + relief[1]) / canvas.resolution
    x, y = (axis / axis.max() - 0.5 for axis in canvas.coordinates())
    uneven = 1 + 0.06 * x - 0.05 * y - 0.06 * (x**2 + y**2) + 0.012 * canvas.noise(700, 200, 2)
    recorded = np.empty(image.shape, np.uint16)
    for band in range(4):
        light = sunlit + (1 - sunlit) * np.float32(_SKYLIGHT[band])
        scene = image[band] * light * tilt * uneven + _HAZE[band]
        blurred = gaussian_filter(scene, 0.62)
        blurred += 0.45 * (blurred - gaussian_filter(blurred, 1.4))
        moved = shift(blurred, canvas.rng.normal(0, 0.08, 2), order=1, mode="nearest")
        noise = canvas.rng.standard_normal(moved.shape, dtype=np.float32)
        moved += noise * (0.0014 + 0.007 * np.sqrt(np.maximum(moved, 0)) * 0.6)
        recorded[band] = np.clip(moved * 10000, 1, 10000)
    return recorded
