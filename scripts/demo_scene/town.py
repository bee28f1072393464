"""Buildings along the streets. Each is one or two rectangular wings under a roof."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry import LineString, Point, Polygon
from shapely.geometry.base import BaseGeometry

from .layout import Layout
from .roads import BAY, Road

Wing = tuple[float, float, float, float, float]
"""Centre x, centre y, angle (radians) of the long side, length, depth; metres."""


@dataclass(frozen=True, slots=True)
class Building:
    """One building."""

    wings: tuple[Wing, ...]
    """Rectangles that make up the ground plan."""
    eaves: float
    """Height of the walls in metres."""
    roof: str
    """`gable`, `hip` or `flat`."""
    tone: int
    """Which roofing material; see `roofs`."""
    kind: str
    """Value of the OSM key `building`."""

    @property
    def footprint(self) -> Polygon:
        """The ground plan."""
        return shapely.union_all([rectangle(wing) for wing in self.wings])


def rectangle(wing: Wing) -> Polygon:
    """Return the outline of a wing."""
    x, y, angle, length, depth = wing
    along = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    across = np.array([-np.sin(angle), np.cos(angle)]) * depth / 2
    corners = [along + across, along - across, -along - across, -along + across]
    return Polygon(np.array([x, y]) + corners)


def make_buildings(layout: Layout, roads: list[Road], rng: np.random.Generator) -> list[Building]:
    """Set buildings along the streets where nothing is in the way."""
    streets = [road for road in roads if road.kind in ("residential", "secondary", "tertiary")]
    candidates = [*_sheds(roads, rng), _lighthouse()]
    for street in streets:
        candidates += _along(street, rng)
    candidates += [outhouse for house in candidates if rng.random() < 0.3
                   for outhouse in _outhouse(house, rng)]
    return _without_conflicts(candidates, _buildable(layout, roads))


def _buildable(layout: Layout, roads: list[Road]) -> BaseGeometry:
    kerbs = shapely.union_all([road.line.buffer(road.width / 2 + 1.2) for road in roads])
    shore = shapely.union_all([layout.coast.buffer(34), layout.river.buffer(9), layout.island])
    woods = shapely.union_all(layout.woods[:1] + layout.woods[2:3])
    free: BaseGeometry = layout.land.difference(shapely.union_all([kerbs, woods, shore]))
    return free.union(Point(_LIGHTHOUSE).buffer(20))


def _without_conflicts(candidates: list[Building], ground: BaseGeometry) -> list[Building]:
    """Keep the first of any two that collide; terraces may touch."""
    plans = np.array([house.footprint for house in candidates])
    cores = shapely.buffer(plans, -0.5)
    shapely.prepare(ground)
    fits = shapely.contains(ground, plans)
    tree = shapely.STRtree(cores)
    kept = np.zeros(len(plans), bool)
    for index in np.flatnonzero(fits):
        rivals = tree.query(cores[index], predicate="intersects")
        kept[index] = not kept[rivals[rivals != index]].any()
    return [house for house, keep in zip(candidates, kept, strict=True) if keep]


def _along(street: Road, rng: np.random.Generator) -> Iterator[Building]:
    for side in (-1, 1):
        position = rng.uniform(6, 12)
        while position < street.line.length - 6:
            near = street.line.interpolate(position)
            dense = 280 < np.hypot(near.x - BAY[0], near.y - BAY[1]) < 405
            length = rng.uniform(8, 13) if dense else rng.uniform(9.5, 16)
            if rng.random() > (0.05 if dense else 0.12):
                yield _house(street, position + length / 2, side, length, dense, rng)
            position += length + (rng.choice([0, 0, 0, 3.5]) if dense else rng.uniform(3, 10))


def _house(street: Road, position: float, side: int, length: float, dense: bool,
           rng: np.random.Generator) -> Building:
    x, y, angle = place(street.line, position)
    depth = min(rng.uniform(8.5, 11.5), length) if not dense else rng.uniform(9, 12)
    setback = 2.6 if dense else rng.uniform(4.5, 8.5)
    away = side * (street.width / 2 + setback + depth / 2)
    x, y = x - np.sin(angle) * away, y + np.cos(angle) * away
    tilt = 0 if dense else rng.normal(0, 0.04)
    wings: list[Wing] = [(x, y, angle + tilt, length, depth)]
    if not dense and rng.random() < 0.3:
        wings.append(_annex(wings[0], side, rng))
    roof = rng.choice(["gable", "hip", "flat"], p=[0.8, 0.05, 0.15] if dense
                      else [0.55, 0.33, 0.12])
    eaves = rng.uniform(6, 10) if dense else rng.uniform(3, 6)
    tone = rng.choice(5, p=[0.38, 0.27, 0.12, 0.18, 0.05])
    return Building(tuple(wings), eaves, str(roof), int(tone),
                    str(rng.choice(["yes", "house", "apartments" if dense else "detached"])))


def _annex(wing: Wing, side: int, rng: np.random.Generator) -> Wing:
    """A wing at right angles, at one end of the house and away from the street."""
    x, y, angle, length, depth = wing
    reach, broad = depth + rng.uniform(2.5, 5), min(rng.uniform(5, 7), depth)
    shift = rng.choice([-1, 1]) * (length - broad) / 2
    push = side * (reach - depth) / 2
    return (x + np.cos(angle) * shift - np.sin(angle) * push,
            y + np.sin(angle) * shift + np.cos(angle) * push, angle + np.pi / 2, reach, broad)


def _outhouse(house: Building, rng: np.random.Generator) -> Iterator[Building]:
    x, y, angle, length, depth = house.wings[0]
    if length < 18:
        away = rng.choice([-1, 1]) * (depth / 2 + rng.uniform(5, 9))
        shift = rng.uniform(-0.4, 0.4) * length
        wing = (x + np.cos(angle) * shift - np.sin(angle) * away,
                y + np.sin(angle) * shift + np.cos(angle) * away, angle,
                rng.uniform(3.5, 6.5), rng.uniform(2.8, 4))
        yield Building((wing,), 2.4, str(rng.choice(["gable", "flat"])), int(rng.integers(2, 5)),
                       "shed")


def _sheds(roads: list[Road], rng: np.random.Generator) -> Iterator[Building]:
    """Large flat halls around the service loop in the west."""
    yard = next(road for road in roads if road.kind == "service")
    for position in np.arange(34, yard.line.length - 20, 38):
        x, y, angle = place(yard.line, position)
        for side in (-1, 1):
            length, depth = rng.uniform(24, 34), rng.uniform(17, 27)
            away = side * (yard.width / 2 + 6 + depth / 2)
            wing = (x - np.sin(angle) * away, y + np.cos(angle) * away, angle, length, depth)
            yield Building((wing,), rng.uniform(6, 9), str(rng.choice(["flat", "gable"])),
                           int(rng.choice([3, 4, 5])), "industrial")


_LIGHTHOUSE = (192.0, 838.0)


def _lighthouse() -> Building:
    return Building(((*_LIGHTHOUSE, 0.3, 6.0, 6.0),), 17, "hip", 5, "yes")


def place(line: LineString, position: float) -> tuple[float, float, float]:
    """Return x, y and direction of a line at a distance along it."""
    here, ahead = line.interpolate(position), line.interpolate(position + 1.0)
    back = line.interpolate(max(position - 1.0, 0))
    return here.x, here.y, float(np.arctan2(ahead.y - back.y, ahead.x - back.x))
