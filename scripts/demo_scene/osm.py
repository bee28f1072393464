"""What OpenStreetMap might know of the scene: real tags, and mistakes of the usual kinds.

About 10 % of the buildings are missing, 15 % are displaced by 1 to 3 m, a few are mapped that no
longer stand; a fifth of the fields and tracks is unmapped; outlines are drawn with few points.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from rasterio.features import shapes
from shapely import affinity
from shapely.geometry.base import BaseGeometry

from .canvas import Canvas
from .farmland import CROPS, settlement
from .layout import FRAME
from .roads import bridges
from .scene import Scene
from .town import rectangle

LINE_KEYS = ("name", "highway", "lanes", "width", "surface", "bridge", "waterway", "natural")
"""Columns of the layer `lines`, after `osm_id`."""
AREA_KEYS = ("name", "building", "landuse", "natural", "water")
"""Columns of the layer `multipolygons`, after `osm_id`."""

_Feature = tuple[BaseGeometry, dict[str, str]]


def osm_lines(scene: Scene, rng: np.random.Generator) -> gpd.GeoDataFrame:
    """Return the lines, in scene metres, without CRS."""
    coast = {"natural": "coastline"}
    features: list[_Feature] = [
        (scene.layout.coast.simplify(1.2).intersection(FRAME), coast),
        (_land_left(scene.layout.island.simplify(1.2)), coast),
        (scene.layout.river_axis.simplify(2), {"waterway": "river", "name": "River Alder"}),
        *_roads(scene, rng),
        *((row.simplify(2), {"natural": "tree_row"}) for row in scene.tree_rows
          if rng.random() < 0.55),
    ]
    return _frame(features, LINE_KEYS, rng)


def osm_areas(scene: Scene, canvas: Canvas) -> gpd.GeoDataFrame:
    """Return the areas, in scene metres, without CRS."""
    rng, layout = canvas.rng, scene.layout
    sea = FRAME.difference(layout.land).simplify(1.2)
    features: list[_Feature] = [
        (part, {"natural": "bay", "name": "South Bay"}) for part in shapely.get_parts(sea)]
    features.append((_drawn(layout.river.intersection(layout.land), 1.5, 0.5, rng),
                     {"natural": "water", "water": "river"}))
    for number, wood in enumerate(layout.woods):
        tag = {"landuse": "forest"} if number % 2 else {"natural": "wood"}
        features.append((_drawn(wood, 3, 1, rng), tag))
    features += ((_drawn(part, 2, 1, rng), {"natural": "beach", "surface": "sand"})
                 for part in _outlines(scene.beach, canvas))
    features += ((part, {"landuse": "residential"})
                 for part in shapely.get_parts(settlement(scene.houses)))
    return _frame([*features, *_fields(scene, rng), *_houses(scene, rng)], AREA_KEYS, rng)


def _land_left(island: BaseGeometry) -> BaseGeometry:
    """Direct an island's shore so that the land is on its left, once y points up."""
    return shapely.geometry.polygon.orient(island, -1).exterior


def _roads(scene: Scene, rng: np.random.Generator) -> Iterator[_Feature]:
    lanes = {"trunk": "3", "primary": "2", "secondary": "2"}
    for number, road in enumerate(scene.roads):
        if road.kind in ("track", "service") and rng.random() < 0.2:
            continue
        tags = {"highway": road.kind}
        if road.kind in lanes:
            tags["lanes"] = lanes[road.kind]
        if rng.random() < 0.4:
            tags["width"] = f"{road.width + rng.normal(0, 0.4):.1f}"
        if road.kind in ("track", "residential"):
            tags["surface"] = "gravel" if road.kind == "track" else "asphalt"
        if road.kind == "residential":
            tags["name"] = f"{_NAMES[number % len(_NAMES)]} Street"
        yield _drawn(road.line, 0.7, 0.6, rng), tags
    for deck in bridges(scene.roads, scene.layout):
        yield deck.line, {"highway": deck.kind, "bridge": "yes", "width": f"{deck.width:.0f}"}


_NAMES = ("Harbour", "Mill", "Church", "Station", "Castle", "Garden", "Ferry", "Chapel", "Market",
          "Orchard", "Quay")


def _fields(scene: Scene, rng: np.random.Generator) -> Iterator[_Feature]:
    for field in scene.fields:
        if rng.random() < 0.86:
            use = "meadow" if CROPS[field.crop] == "meadow" else "farmland"
            yield _drawn(field.shape, 2.5, 1.2, rng), {"landuse": use}


def _houses(scene: Scene, rng: np.random.Generator) -> Iterator[_Feature]:
    for house in scene.houses:
        if rng.random() < (0.5 if house.kind == "shed" else 0.1):
            continue
        plan: BaseGeometry = house.footprint
        slip = rng.uniform(1, 3) if rng.random() < 0.15 else rng.uniform(0, 0.5)
        turn = rng.uniform(0, 2 * np.pi)
        plan = affinity.translate(plan, slip * np.cos(turn), slip * np.sin(turn))
        yield plan, {"building": house.kind}
    for house in scene.houses[::70]:
        x, y, angle, length, depth = house.wings[0]
        gone = rectangle((x + 25 * np.sin(angle), y + 25 * np.cos(angle), angle, length, depth))
        yield gone, {"building": "yes"}


def _outlines(mask: np.ndarray, canvas: Canvas) -> Iterator[BaseGeometry]:
    for outline, value in shapes(mask.astype(np.uint8), mask, transform=canvas.transform):
        area = shapely.geometry.shape(outline)
        if value and area.area > 150:
            yield area


def _drawn(shape: BaseGeometry, tolerance: float, slip: float,
           rng: np.random.Generator) -> BaseGeometry:
    """Redraw a shape with few points and slightly off."""
    moved = affinity.translate(shape.simplify(tolerance), *rng.normal(0, slip, 2))
    return moved if moved.is_valid else shapely.make_valid(moved)


def _frame(features: list[_Feature], keys: tuple[str, ...], rng: np.random.Generator
           ) -> gpd.GeoDataFrame:
    columns: dict[str, Any] = {"osm_id": [str(n) for n in
                                          rng.integers(10_000_000, 900_000_000, len(features))]}
    columns |= {key: [tags.get(key) for _, tags in features] for key in keys}
    return gpd.GeoDataFrame(columns, geometry=[shape for shape, _ in features])
