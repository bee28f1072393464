"""Reflectance of surfaces in red, green, blue and near infrared, 0 to 1.

Values follow the usual shapes of spectral libraries: chlorophyll dark in red and bright in near
infrared, tiles and soil rising towards red, water dark and black in near infrared.
"""

from __future__ import annotations

import numpy as np

MATERIALS = {
    "lawn": (0.085, 0.125, 0.055, 0.40), "dry grass": (0.205, 0.185, 0.105, 0.33),
    "scrub": (0.125, 0.130, 0.075, 0.29), "wheat": (0.315, 0.255, 0.140, 0.37),
    "stubble": (0.285, 0.235, 0.150, 0.33), "ploughed": (0.195, 0.150, 0.105, 0.25),
    "maize": (0.075, 0.108, 0.052, 0.46), "meadow": (0.105, 0.140, 0.060, 0.42),
    "rape": (0.225, 0.220, 0.075, 0.43), "beet": (0.088, 0.128, 0.060, 0.50),
    "sand": (0.450, 0.390, 0.295, 0.51), "wet sand": (0.245, 0.210, 0.160, 0.26),
    "rock": (0.245, 0.225, 0.195, 0.28), "asphalt": (0.130, 0.130, 0.135, 0.145),
    "paving": (0.225, 0.208, 0.186, 0.25), "dirt": (0.300, 0.245, 0.175, 0.34),
    "concrete": (0.275, 0.258, 0.234, 0.30), "foam": (0.620, 0.630, 0.640, 0.55),
    "broadleaf": (0.048, 0.082, 0.034, 0.41), "pine": (0.036, 0.058, 0.033, 0.27),
    "olive": (0.095, 0.115, 0.068, 0.34), "hedge": (0.045, 0.075, 0.033, 0.36),
    "deep": (0.024, 0.044, 0.066, 0.010), "river": (0.060, 0.078, 0.058, 0.020),
    "seagrass": (0.062, 0.088, 0.070, 0.06), "floor": (0.070, 0.075, 0.045, 0.20),
}


def tone(name: str) -> np.ndarray:
    """Return the reflectance of a material, float32 (4,)."""
    return np.array(MATERIALS[name], dtype=np.float32)


def paint(image: np.ndarray, where: np.ndarray, name: str,
          strength: np.ndarray | float = 1.0) -> None:
    """Lay a material over an image, in place.

    Args:
        image: float32 (4, rows, columns).
        where: bool or opacity 0..1 (rows, columns).
        name: Material.
        strength: Brightness factor, a number or (rows, columns).
    """
    for band, value in enumerate(tone(name)):
        blend(image[band], where, value * strength)


def blend(band: np.ndarray, opacity: np.ndarray, value: np.ndarray | float) -> None:
    """Mix a value into a band, in place; opacity is bool or 0..1."""
    if opacity.dtype == bool:
        band[opacity] = value[opacity] if isinstance(value, np.ndarray) else value
    else:
        band += (value - band) * opacity
