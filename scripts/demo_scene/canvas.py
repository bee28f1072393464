"""`Canvas`: the pixel grid of the demo scene, and natural noise on it.

Everything in this package happens in scene metres: x to the right, y *down*, both 0 to `EXTENT`.
Only when files are written do they become coordinates on the Earth.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import scipy.fft
from affine import Affine
from rasterio.features import rasterize
from scipy.ndimage import distance_transform_edt

EXTENT = 1228.8
"""Side of the scene in metres."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """A square pixel grid over the scene, with its own source of randomness."""

    size: int
    """Pixels per side."""
    rng: np.random.Generator
    """Source of everything random."""

    @property
    def resolution(self) -> float:
        """Metres per pixel."""
        return EXTENT / self.size

    @property
    def transform(self) -> Affine:
        """Pixel to scene metres."""
        return Affine.scale(self.resolution)

    def coordinates(self) -> tuple[np.ndarray, np.ndarray]:
        """Return x as a (1, size) row and y as a (size, 1) column of pixel centres, float32."""
        centres = ((np.arange(self.size) + 0.5) * self.resolution).astype(np.float32)
        return centres[None, :], centres[:, None]

    def burn(self, shapes: Iterable[object]) -> np.ndarray:
        """Return bool (size, size): pixels whose centre lies in one of the shapes."""
        return self.burn_numbers([(shape, 1) for shape in shapes]).astype(bool)

    def burn_numbers(self, pairs: list[tuple[object, int]]) -> np.ndarray:
        """Return int32 (size, size): the number of the last shape on each pixel, else 0."""
        if not pairs:
            return np.zeros((self.size, self.size), np.int32)
        return rasterize(pairs, (self.size, self.size), transform=self.transform, dtype="int32")

    def distance(self, mask: np.ndarray) -> np.ndarray:
        """Return float32 metres from each pixel outside the mask to the mask."""
        if not mask.any():
            return np.full(mask.shape, 1e6, np.float32)
        return (distance_transform_edt(~mask) * self.resolution).astype(np.float32)

    def noise(self, longest: float, shortest: float = 0.0, slope: float = 1.6) -> np.ndarray:
        """Return float32 (size, size) noise of mean 0 and deviation 1, made in frequency space.

        Args:
            longest: Longest wavelength in metres.
            shortest: Shortest wavelength in metres; 0 goes down to the pixel.
            slope: Amplitude falls with frequency to this power: 0 is white, 2 is cloudy.
        """
        frequency = self._frequencies()[2]
        amplitude = np.maximum(frequency, 1 / EXTENT) ** -slope
        amplitude *= 1 - np.exp(-((frequency * longest) ** 4))
        amplitude *= np.exp(-((frequency * shortest) ** 4))
        return self._synthesise(amplitude)

    def swell(self, wavelength: float, direction: float, spread: float) -> np.ndarray:
        """Return float32 (size, size) waves that travel one way, of mean 0 and deviation 1.

        Args:
            wavelength: Metres between crests.
            direction: Radians from x towards y.
            spread: Deviation of the direction in radians.
        """
        down, across, frequency = self._frequencies()
        turn = np.arctan2(down, across) - direction
        turn = (turn + np.pi / 2) % np.pi - np.pi / 2
        amplitude = np.exp(-((np.log(np.maximum(frequency, 1e-6) * wavelength) / 0.35) ** 2) / 2)
        return self._synthesise(amplitude * np.exp(-((turn / spread) ** 2) / 2))

    def _frequencies(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        down = scipy.fft.fftfreq(self.size, self.resolution).astype(np.float32)[:, None]
        across = scipy.fft.rfftfreq(self.size, self.resolution).astype(np.float32)[None, :]
        return down, across, np.hypot(down, across)

    def _synthesise(self, amplitude: np.ndarray) -> np.ndarray:
        parts = self.rng.standard_normal((2, *amplitude.shape), dtype=np.float32)
        spectrum = (parts[0] + 1j * parts[1]) * amplitude
        spectrum[0, 0] = 0
        field = scipy.fft.irfft2(spectrum, s=(self.size, self.size))
        return (field / field.std()).astype(np.float32)


def smooth_step(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return 0 below `low`, 1 above `high`, and a smooth rise between (Hermite's cubic)."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)
