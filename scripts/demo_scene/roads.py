"""The road network: streets in arcs around the bay, a trunk road with a bridge, farm tracks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry import LineString
from shapely.geometry.base import BaseGeometry

from .layout import Layout, spline

BAY = (440.0, 880.0)
"""Centre of the bay, around which the old streets run."""
_ARCS = ((291, 24, 150, "secondary"), (345, 29, 147, "residential"),
         (398, 41, 141, "residential"), (455, 49, 131, "residential"),
         (371, 58, 76, "service"), (371, 96, 118, "service"))
_RADIALS = ((31, 291, 345), (47, 291, 398), (60, 291, 455), (71, 345, 512), (95, 291, 455),
            (108, 291, 510), (121, 291, 455), (133, 291, 398), (145, 291, 345))
_FREE = (
    ("trunk", ((-60, 452), (120, 414), (300, 362), (470, 352), (620, 392), (735, 470), (850, 562),
               (960, 632), (1085, 684), (1300, 752))),
    ("primary", ((392, 350), (372, 262), (300, 150), (318, 40), (352, -60))),
    ("tertiary", ((960, 632), (975, 720), (962, 792), (972, 846))),
    ("residential", ((850, 562), (862, 668), (880, 772), (962, 792), (1062, 782), (1085, 684))),
    ("residential", ((866, 690), (972, 706), (1078, 724))),
    ("residential", ((470, 352), (478, 262), (545, 236), (612, 262), (620, 392))),
    ("residential", ((545, 236), (548, 300), (545, 366))),
    ("service", ((120, 414), (108, 330), (172, 300), (248, 292), (262, 373))),
    ("service", ((962, 792), (905, 828), (855, 836))),
    ("track", ((188, 728), (176, 770), (196, 815))),
    ("residential", ((188, 728), (176, 690), (150, 590), (132, 500), (120, 414))),
    ("unclassified", ((735, 470), (700, 330), (722, 220), (700, 110), (718, -60))),
    ("track", ((372, 262), (240, 222), (120, 168), (-60, 120))),
    ("track", ((1085, 684), (1052, 560), (1058, 420), (1030, 310), (1120, 170), (1290, 110))),
    ("track", ((548, 236), (520, 130), (560, 30), (556, -60))),
    ("track", ((1058, 420), (1160, 402), (1290, 420))),
)
WIDTHS = {"trunk": 12.0, "primary": 9.0, "secondary": 8.5, "tertiary": 7.0, "unclassified": 6.0,
          "residential": 6.5, "service": 4.0, "track": 3.2}
"""True width in metres of the surface of each kind of road."""


@dataclass(frozen=True, slots=True)
class Road:
    """One road."""

    line: LineString
    """Centre line."""
    kind: str
    """Value of the OSM key `highway`."""

    @property
    def width(self) -> float:
        """Width of the surface in metres."""
        return WIDTHS[self.kind]

    @property
    def surface(self) -> BaseGeometry:
        """The road as an area."""
        return self.line.buffer(self.width / 2, cap_style="square" if self.kind == "trunk"
                                else "round")


def make_roads(layout: Layout) -> list[Road]:
    """Lay the roads; those that would run into the sea end at the shore."""
    roads = [Road(LineString(_warp(spline(points))), kind) for kind, points in _FREE]
    for radius, start, stop, kind in _ARCS:
        roads.append(Road(_polar(radius, radius, start, stop), kind))
    for angle, inner, outer in _RADIALS:
        roads.append(Road(_polar(inner, outer, angle, angle), "residential"))
    roads.append(Road(_polar(291, 525, 83, 83), "tertiary"))
    firm = layout.land.difference(shapely.union_all([layout.coast, layout.island]).buffer(14))
    kept = ((road, road.line.intersection(firm)) for road in roads)
    return [Road(max(shapely.get_parts(line), key=lambda part: part.length), road.kind)
            for road, line in kept if not line.is_empty]


def bridges(roads: list[Road], layout: Layout) -> list[Road]:
    """Return the stretches of road over the river, with a few metres of ramp."""
    valley = layout.river.buffer(6)
    crossings = [Road(part, road.kind) for road in roads
                 for part in shapely.get_parts(road.line.intersection(valley))
                 if part.intersects(layout.river)]
    return [road for road in crossings if road.line.length > 5]


def _polar(inner: float, outer: float, start: float, stop: float) -> LineString:
    count = max(int((abs(outer - inner) + np.radians(abs(stop - start)) * inner) / 3), 2)
    radius = np.linspace(inner, outer, count)
    angle = np.radians(np.linspace(start, stop, count))
    return LineString(_warp(np.column_stack([BAY[0] + radius * np.cos(angle),
                                             BAY[1] - radius * np.sin(angle)])))


def _warp(points: np.ndarray) -> np.ndarray:
    """Bend everything a little and alike, so that streets still meet but no arc is perfect."""
    x, y = points.T
    return points + np.column_stack([
        7 * np.sin(x / 61 + y / 97) + 3 * np.sin(x / 23 - y / 41),
        7 * np.sin(y / 67 - x / 113 + 1) + 3 * np.sin(y / 29 + x / 37)])
