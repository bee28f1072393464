"""Where sea, river, woods and farmland lie. Shapes in scene metres, y down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from .canvas import EXTENT

_COAST = (
    (-90, 540), (20, 560), (85, 620), (118, 715), (150, 815), (192, 868), (236, 846), (256, 780),
    (282, 715), (340, 664), (430, 638), (525, 648), (610, 690), (672, 765), (716, 832),
    (790, 868), (900, 884), (1020, 906), (1130, 948), (1330, 1010),
)
_RIVER = (
    (812, -90), (770, 60), (826, 180), (905, 280), (880, 400), (796, 480), (772, 580), (806, 680),
    (776, 770), (748, 850), (730, 960),
)
_WOODS = (
    ((1105, 120), (215, 165)), ((655, 140), (62, 118)), ((1140, 545), (100, 62)),
    ((108, 640), (34, 58)), ((38, 215), (78, 92)), ((960, 440), (42, 66)),
)
FRAME = shapely.box(-60, -60, EXTENT + 60, EXTENT + 60)
"""The scene with a margin, so that no shape ends inside the picture."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The shapes that everything else is built around."""

    land: BaseGeometry
    """Mainland and island, the river not cut out."""
    coast: LineString
    """The mainland's shore from west to east."""
    island: Polygon
    """An islet off the bay."""
    river: Polygon
    """The river's surface."""
    river_axis: LineString
    """Its centre line, downstream."""
    woods: tuple[Polygon, ...]
    """Woods, as the terrain would have them; fields and roads may cut into them."""


def make_layout(rng: np.random.Generator) -> Layout:
    """Draw the layout; the seed changes its details, not the lie of the land."""
    coast = LineString(_roughen(spline(_COAST), rng))
    land = Polygon([*coast.coords, (EXTENT + 200, -200), (-200, -200)])
    island = blob((345, 1075), (74, 40), rng)
    axis = LineString(spline(_RIVER, 4.0))
    woods = tuple(blob(centre, radii, rng) for centre, radii in _WOODS)
    return Layout(land.union(island), coast, island, _river_surface(axis, rng), axis, woods)


def spline(points: tuple[tuple[float, float], ...] | np.ndarray, step: float = 2.0) -> np.ndarray:
    """Return float (n, 2): a smooth curve through the points, sampled about every `step` metres."""
    knots = np.asarray(points, dtype=float)
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(knots, axis=0).T))])
    count = max(int(along[-1] / step), 2)
    return CubicSpline(along, knots)(np.linspace(0, along[-1], count))


def blob(centre: tuple[float, float], radii: tuple[float, float],
         rng: np.random.Generator) -> Polygon:
    """Return an irregular closed shape around an ellipse."""
    angle = np.linspace(0, 2 * np.pi, 240, endpoint=False)
    ripple = 1 + sum(rng.normal(0, 0.22 / k) * np.cos(k * angle + rng.uniform(0, 6.3))
                     for k in range(2, 12))
    x = centre[0] + radii[0] * ripple * np.cos(angle)
    y = centre[1] + radii[1] * ripple * np.sin(angle)
    return Polygon(np.column_stack([x, y])).buffer(0)


def _roughen(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shift a curve sideways: gently on sand, strongly on the rocky headland."""
    tangent = np.gradient(points, axis=0)
    normal = np.column_stack([-tangent[:, 1], tangent[:, 0]])
    normal /= np.hypot(*normal.T)[:, None]
    rocky = np.exp(-(np.hypot(points[:, 0] - 185, points[:, 1] - 800) / 130) ** 4)
    white = rng.standard_normal((2, len(points)))
    long = gaussian_filter1d(white[0], 12) * np.sqrt(12 * 3.5)
    short = gaussian_filter1d(white[1], 2) * np.sqrt(2 * 3.5)
    offset = long * (1.0 + 4.0 * rocky) + short * (0.3 + 2.2 * rocky)
    return points + normal * offset[:, None]


def _river_surface(axis: LineString, rng: np.random.Generator) -> Polygon:
    points = np.asarray(axis.coords)
    fraction = np.linspace(0, 1, len(points) - 1)
    wobble = gaussian_filter1d(rng.standard_normal(len(fraction)), 8) * 4
    width = 15 + 9 * fraction + 22 * np.clip(fraction - 0.8, 0, 1) / 0.2 + wobble
    reaches = shapely.linestrings(np.stack([points[:-1], points[1:]], axis=1))
    return shapely.union_all(shapely.buffer(reaches, width / 2))
