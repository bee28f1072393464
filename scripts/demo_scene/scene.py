"""Putting the scene together: from shapes to a picture and the truth about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from shapely.geometry import LineString

from .canvas import Canvas, smooth_step
from .farmland import Field, make_fields, make_tree_rows
from .land import paint_fields, paint_gardens, paint_shore, paint_wasteland
from .layout import Layout, make_layout
from .light import cast_shadows, expose
from .materials import paint
from .roads import Road, bridges, make_roads
from .roofs import raise_roofs, set_boxes
from .town import Building, make_buildings
from .traffic import boats, cars, sunshades
from .trees import Trees, grow_trees, scatter
from .water import paint_river, paint_sea


@dataclass(frozen=True, slots=True)
class Scene:
    """The whole scene in memory."""

    picture: np.ndarray
    """uint16 (4, size, size), reflectance x 10000: red, green, blue, near infrared."""
    truth: np.ndarray
    """uint8 (size, size): class values of `scripts/demo.toml`."""
    layout: Layout
    """Sea, river and woods."""
    roads: list[Road]
    """All roads."""
    houses: list[Building]
    """All buildings."""
    fields: list[Field]
    """All fields."""
    tree_rows: list[LineString]
    """Rows of trees along field edges."""
    beach: np.ndarray
    """bool (size, size)."""


@dataclass(frozen=True, slots=True)
class _Ground:
    """Masks and distances, (size, size), that the painters share."""

    sea: np.ndarray
    river: np.ndarray
    beach: np.ndarray
    rocky: np.ndarray
    woods: np.ndarray
    road: np.ndarray
    house: np.ndarray
    inland: np.ndarray
    offshore: np.ndarray
    streets: np.ndarray
    clear: np.ndarray
    tree_rows: np.ndarray


def make_scene(size: int, seed: int) -> Scene:
    """Make the scene at `size` x `size` pixels; the same seed gives the same scene."""
    rng = np.random.default_rng(seed)
    canvas = Canvas(size, rng)
    layout = make_layout(rng)
    roads = make_roads(layout)
    houses = make_buildings(layout, roads, rng)
    fields = make_fields(layout, roads, houses, rng)
    tree_rows = make_tree_rows(fields, rng)
    ground = _ground(canvas, layout, roads, houses, tree_rows)
    image, height = _paint(canvas, ground, layout, roads, houses, fields)
    picture = expose(canvas, image, cast_shadows(height, canvas.resolution))
    return Scene(picture, _truth(canvas, ground, fields), layout, roads, houses, fields,
                 tree_rows, ground.beach)


def _ground(canvas: Canvas, layout: Layout, roads: list[Road], houses: list[Building],
            tree_rows: list[LineString]) -> _Ground:
    land = canvas.burn([layout.land])
    river = canvas.burn([layout.river])
    inland, offshore = canvas.distance(~land), canvas.distance(land)
    x, y = canvas.coordinates()
    rocky = np.exp(-((x - 185) ** 2 + (y - 800) ** 2) / 118**2)
    rocky = smooth_step(np.maximum(rocky, np.exp(-((x - 345) ** 2 + (y - 1075) ** 2) / 115**2)),
                        0.30, 0.48)
    broad = 33 + 14 * smooth_step(x, 760, 1000) - 22 * smooth_step(-x, -150, -40)
    edge = inland + 4.5 * canvas.noise(130, 12, 1.6)
    mainland = canvas.burn([layout.land.difference(layout.island.buffer(5))])
    beach = mainland & (edge < broad) & (rocky < 0.5) & ~river
    streets = canvas.distance(canvas.burn(road.surface for road in roads if road.kind != "track"))
    house = canvas.burn(house.footprint for house in houses)
    road = canvas.burn(road.surface for road in roads)
    clear = canvas.distance(road | house | river | ~land)
    rows = canvas.burn(line.buffer(2.6) for line in tree_rows)
    rows &= (clear > 2.6) & ~beach & (inland > 60)
    return _Ground(~land, river, beach, rocky, canvas.burn(layout.woods) & land & ~river, road,
                   house, inland, offshore, streets, clear, rows)


def _paint(canvas: Canvas, ground: _Ground, layout: Layout, roads: list[Road],
           houses: list[Building], fields: list[Field]
           ) -> tuple[np.ndarray, np.ndarray]:
    """Return the sunlit reflectance (4, size, size) and heights in metres (size, size)."""
    image = paint_wasteland(canvas)
    height = np.zeros((canvas.size, canvas.size), np.float32)
    paint_fields(canvas, image, fields)
    hedges, gardens = paint_gardens(canvas, image, houses, ground.streets)
    paint(image, ground.woods, "floor", 1 + 0.2 * canvas.noise(8, 0, 1))
    paint_shore(canvas, image, ground.inland, ground.beach, ground.rocky)
    x, y = canvas.coordinates()
    exposure = 0.35 + 0.65 * smooth_step(x, 700, 860) + 0.3 * ground.rocky
    paint_sea(canvas, image, ground.sea, ground.offshore, ground.rocky, np.clip(exposure, 0, 1))
    mouth = np.hypot(x - 742, y - 885)
    paint_river(canvas, image, ground.river, ground.sea, mouth)
    _paint_roads(canvas, image, height, roads, layout)
    set_boxes(canvas, image, height, cars(roads, houses, canvas.rng), 1.4)
    set_boxes(canvas, image, height, boats(canvas.rng), 0.8, roundness=0.75)
    set_boxes(canvas, image, height, sunshades(canvas, ground.beach), 2.0)
    paint(image, hedges & ~ground.road, "hedge", 1 + 0.2 * canvas.noise(4, 0, 0.5))
    height[hedges] = 1.5
    raise_roofs(canvas, image, height, houses)
    grow_trees(canvas, image, height, _plant(canvas, ground, gardens, fields))
    return image, height


def _plant(canvas: Canvas, ground: _Ground, gardens: np.ndarray, fields: list[Field]
           ) -> list[Trees]:
    """Set all trees: woods, gardens, rows between fields, river banks, scrub, streets."""
    free = (ground.clear > 2.6) & ~ground.beach
    stand = canvas.noise(90, 8, 1.5)
    wood = (ground.woods & (ground.clear > 2.4)) * (0.98 - 0.75 * smooth_step(stand, 1.5, 2.1))
    old = wood * smooth_step(stand, -0.7, 0.4)
    scrub = smooth_step(canvas.noise(70, 8, 1.4), 0.6, 2.2) * free * ~gardens
    tilled = canvas.burn(field.shape.buffer(-3) for field in fields)
    bank = free & (canvas.distance(ground.river) < 11) & (ground.inland > 60)
    avenue = (ground.streets > 1.0) & (ground.streets < 2.4) & ~ground.house & (ground.inland > 25)
    rough = scrub * ~tilled * ~ground.woods
    return [
        scatter(canvas, 6.2, old, (3.9, 0.8), (0.78, 0.15, 0.02, 0.05)),
        scatter(canvas, 4.6, wood - 0.9 * old, (2.6, 0.55), (0.3, 0.62, 0.03, 0.05)),
        scatter(canvas, 8.0, gardens * (ground.clear > 2.2) * 0.34, (2.4, 0.8),
                (0.62, 0.2, 0.1, 0.08)),
        scatter(canvas, 4.4, ground.tree_rows * 0.85, (2.6, 0.6), (0.7, 0.05, 0.1, 0.15)),
        scatter(canvas, 6.5, bank * 0.62, (2.9, 0.9), (0.7, 0.0, 0.2, 0.1)),
        scatter(canvas, 7.5, rough * 0.5, (1.9, 0.7), (0.2, 0.1, 0.4, 0.3)),
        scatter(canvas, 8.5, avenue * 0.10, (1.9, 0.4), (0.9, 0, 0, 0.1)),
    ]


def _paint_roads(canvas: Canvas, image: np.ndarray, height: np.ndarray, roads: list[Road],
                 layout: Layout) -> None:
    wear, grain = canvas.noise(40, 2, 1.3), canvas.noise(4, 0, 0.6)
    paved = [road for road in roads if road.kind in ("secondary", "tertiary", "residential")]
    walks = canvas.burn(road.line.buffer(road.width / 2 + 2.0) for road in paved)
    paint(image, walks, "paving", 1 + 0.07 * grain)
    for kind, name, bright in (("track", "dirt", 0.95), ("service", "asphalt", 1.35),
                               ("unclassified", "asphalt", 1.3), ("residential", "asphalt", 1.15),
                               ("tertiary", "asphalt", 1.05), ("secondary", "asphalt", 1.0),
                               ("primary", "asphalt", 0.92), ("trunk", "asphalt", 0.85)):
        lines = [road for road in roads if road.kind == kind]
        mask = canvas.burn(road.surface for road in lines)
        paint(image, mask, name, bright * (1 + 0.07 * wear + 0.05 * grain))
        if kind == "track":
            middle = canvas.burn(road.line.buffer(0.5) for road in lines)
            paint(image, middle & (wear > -0.6), "dry grass", 0.8)
    _paint_markings(canvas, image, roads)
    _paint_bridges(canvas, image, height, bridges(roads, layout))


def _paint_markings(canvas: Canvas, image: np.ndarray, roads: list[Road]) -> None:
    """Thin white lines: their share of a pixel is what the camera sees of them."""
    for road in roads:
        if road.kind in ("trunk", "primary", "secondary"):
            share = min(0.2 / canvas.resolution, 1)
            edges = [road.line.offset_curve(side * (road.width / 2 - 0.7)) for side in (-1, 1)]
            reach = 0.5 * canvas.resolution
            solid = canvas.burn(line.buffer(reach) for line in edges if not line.is_empty)
            starts = np.arange(0, road.line.length - 4, 9.0)
            dashes = canvas.burn(
                LineString([road.line.interpolate(s), road.line.interpolate(s + 3.5)]).buffer(reach)
                for s in starts)
            paint(image, (dashes | (solid & (road.kind != "secondary"))) * (0.8 * share), "foam")


def _paint_bridges(canvas: Canvas, image: np.ndarray, height: np.ndarray,
                   decks: list[Road]) -> None:
    for deck in decks:
        slab = deck.line.buffer(deck.width / 2 + 1.6, cap_style="flat")
        road = deck.line.buffer(deck.width / 2, cap_style="flat")
        rails = canvas.burn([slab.difference(road)])
        paint(image, rails, "concrete", 1.1)
        height[canvas.burn([slab])] = 4.5


def _truth(canvas: Canvas, ground: _Ground, fields: list[Field]) -> np.ndarray:
    truth = np.zeros((canvas.size, canvas.size), np.uint8)
    layers: list[np.ndarray] = [canvas.burn(field.shape for field in fields),
                                ground.woods | ground.tree_rows, ground.beach,
                                ground.sea | ground.river, ground.road, ground.house]
    for value, mask in enumerate(layers, start=1):
        truth[mask] = value
    return truth
