"""Fields: farmland cut into parcels, each with a crop, a direction of rows and a tone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from shapely import affinity
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.ops import split, substring

from .layout import FRAME, Layout
from .roads import Road
from .town import Building

CROPS = ("wheat", "stubble", "ploughed", "maize", "meadow", "rape", "beet")
"""What grows on the fields."""
_SHARES = (0.2, 0.14, 0.13, 0.14, 0.22, 0.07, 0.1)
_TILT = 14.0


@dataclass(frozen=True, slots=True)
class Field:
    """One field."""

    shape: Polygon
    """Its outline."""
    crop: int
    """Index into `CROPS`."""
    rows: float
    """Direction of the rows in radians."""
    pitch: float
    """Metres between rows."""


def make_fields(layout: Layout, roads: list[Road], houses: list[Building],
                rng: np.random.Generator) -> list[Field]:
    """Cut the farmland into fields of 0.1 to 1.5 ha."""
    inland = layout.land.difference(shapely.union_all([layout.coast, layout.island]).buffer(75))
    taken = [road.line.buffer(road.width / 2 + 1.5) for road in roads]
    taken += [*layout.woods, layout.river.buffer(11), settlement(houses)]
    ground = inland.difference(shapely.union_all(taken))
    parcels = np.array(list(_cut(affinity.rotate(FRAME, _TILT), rng)))
    pieces = shapely.get_parts(shapely.intersection(shapely.buffer(parcels, -0.9), ground))
    pieces = shapely.buffer(shapely.buffer(pieces, -4), 4)
    return [_field(piece, rng) for piece in shapely.get_parts(pieces)
            if piece.area > 900 and shapely.minimum_clearance(piece) > 0]


def make_tree_rows(fields: list[Field], rng: np.random.Generator) -> list[LineString]:
    """Return rows of trees along parts of some field edges."""
    edges = [field.shape.exterior for field in fields if rng.random() < 0.4]
    starts = rng.uniform(0, 0.6, len(edges))
    return [substring(edge, start, start + rng.uniform(0.15, 0.4), normalized=True)
            for edge, start in zip(edges, starts, strict=True)]


def settlement(houses: list[Building]) -> BaseGeometry:
    """Return the built-up area: everything within 22 m of a house, smoothed."""
    around = shapely.union_all([house.footprint.buffer(22) for house in houses])
    return around.buffer(16).buffer(-20).simplify(1)


def _cut(piece: BaseGeometry, rng: np.random.Generator) -> Iterator[BaseGeometry]:
    """Halve a parcel across its long side again and again, never quite squarely."""
    corners = np.asarray(piece.minimum_rotated_rectangle.exterior.coords)
    sides = corners[1:3] - corners[:2]
    lengths = np.hypot(*sides.T)
    if piece.area < rng.uniform(3500, 15000) or lengths.max() < 50:
        yield piece
        return
    longest = int(lengths.argmax())
    start = corners[longest] + sides[longest] * rng.uniform(0.34, 0.66)
    across = sides[1 - longest] / lengths[1 - longest]
    turn = rng.normal(0, 0.07)
    across = np.array([across[0] * np.cos(turn) - across[1] * np.sin(turn),
                       across[0] * np.sin(turn) + across[1] * np.cos(turn)]) * 3000
    for part in split(piece, LineString([start - across, start + across])).geoms:
        yield from _cut(part, rng)


def _field(shape: Polygon, rng: np.random.Generator) -> Field:
    corners = np.asarray(shape.minimum_rotated_rectangle.exterior.coords)
    sides = corners[1:3] - corners[:2]
    longest = sides[int(np.hypot(*sides.T).argmax())]
    crop = int(rng.choice(len(CROPS), p=_SHARES))
    return Field(shape, crop, float(np.arctan2(longest[1], longest[0])), rng.uniform(2.4, 4.2))
