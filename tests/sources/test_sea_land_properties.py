"""Coasts by chance whose land is known: star-shaped islands with lagoons and islets."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from geoseg.errors import SourceError
from geoseg.sources.coast_ends import segments_of
from geoseg.sources.coast_faces import Coast
from tests.sources.coasts import EAST, NORTH

UTM = pyproj.CRS.from_epsg(32633)
DEGREES = pyproj.CRS.from_epsg(4326)
CELL = 1000.0
WHOLE = shapely.box(EAST, NORTH, EAST + 2 * CELL, NORTH + 2 * CELL)


def stars(rng: np.random.Generator, cell: int) -> list[shapely.Polygon]:
    """An island, maybe its lagoon and maybe an islet in that: each well inside the one before."""
    count = int(rng.integers(3, 40))
    angles = np.sort([*rng.uniform(0, 2 * np.pi, count - 3), 0.1, 2.2, 4.3])
    radii = rng.uniform(0.15, 0.48, count) * CELL
    corners = radii[:, np.newaxis] * np.column_stack([np.cos(angles), np.sin(angles)])
    middle = (EAST + (cell % 2 + 0.5) * CELL, NORTH + (cell // 2 + 0.5) * CELL)
    nested = [shapely.Polygon(corners * size + middle) for size in (1.0, 0.6, 0.3)]
    return nested[:int(rng.integers(1, 4))]


def ways_of(rng: np.random.Generator, polygon: shapely.Polygon, *, is_land: bool
            ) -> list[shapely.LineString]:
    """The rim as lines with what is land on the left, cut at some corners."""
    corners = shapely.get_coordinates(shapely.orient_polygons(polygon).exterior)[:-1]
    corners = np.roll(corners, rng.integers(len(corners)), axis=0)
    corners = corners if is_land else corners[::-1]
    ring = np.vstack([corners, corners[:1]])
    cuts = np.unique([0, *rng.integers(1, len(ring), rng.integers(0, 4)), len(ring) - 1])
    return [shapely.LineString(ring[a:b + 1]) for a, b in pairwise(cuts)]


def world(seed: int) -> tuple[list[shapely.LineString], shapely.Geometry, shapely.Polygon]:
    """Ways in any order, some of them twice; all land; and an area."""
    rng = np.random.default_rng(seed)
    lines, land = [], shapely.Polygon()
    for cell in np.flatnonzero(rng.random(4) < 0.7):
        for depth, polygon in enumerate(stars(rng, int(cell))):
            land = land.symmetric_difference(polygon)
            lines += ways_of(rng, polygon, is_land=depth % 2 == 0)
    lines += [lines[n] for n in rng.integers(0, len(lines), 2)] if lines else []
    rng.shuffle(lines)
    left, bottom = rng.uniform(-0.2, 1.8, 2) * CELL + (EAST, NORTH)
    width, height = rng.uniform(0.05, 1.5, 2) * CELL
    box = shapely.box(left, bottom, left + width, bottom + height)
    return lines, land, box if rng.random() < 0.7 else box.centroid.buffer(width, quad_segs=4)


def coast(lines: list[shapely.LineString], *, on_left: bool = True, crs: pyproj.CRS = UTM) -> Coast:
    return Coast("coast", segments_of(np.array(lines, dtype=object)), crs, on_left, 0.0)


seeds = st.integers(0, 2**32)


@settings(max_examples=150, deadline=None)
@given(seed=seeds)
def test_the_land_is_that_of_the_islands(seed):
    lines, land, area = world(seed)
    assume(lines)
    faces, is_land = coast(lines).split(area)
    found = shapely.union_all(faces[is_land])
    assert found.symmetric_difference(land & area).area < 1e-3
    # The area exactly, and no place twice.
    assert shapely.is_valid(faces).all()
    assert shapely.union_all(faces).symmetric_difference(area).area < 1e-5
    assert shapely.area(faces).sum() == pytest.approx(area.area, rel=1e-11)


@settings(max_examples=60, deadline=None)
@given(seed=seeds)
def test_lines_that_were_cut_to_the_area_serve_as_well(seed):
    lines, land, area = world(seed)
    cut = shapely.get_parts(shapely.intersection(np.array(lines, dtype=object), area))
    cut = cut[shapely.length(cut) > 0]
    assume(len(cut))
    faces, is_land = coast(list(cut)).split(area)
    assert shapely.union_all(faces[is_land]).symmetric_difference(land & area).area < 1e-3


@settings(max_examples=60, deadline=None)
@given(seed=seeds, in_degrees=st.booleans())
def test_ends_that_lie_millimetres_apart_are_joined(seed, in_degrees):
    lines, land, area = world(seed)
    assume(lines)
    rng = np.random.default_rng(seed)
    lines = list({way.wkb: way for way in lines}.values())
    ragged = [shapely.transform(way, lambda points: points + rng.uniform(-0.003, 0.003, 2))
              for way in lines]

    def moved(shape):
        """Take metres to degrees, or leave them."""
        return shapely.transform(
            shape, lambda points: (points - (EAST, NORTH)) * (1 / 71_000, 1 / 111_000) + (15, 50))

    if in_degrees:
        ragged, land, area = [moved(way) for way in ragged], moved(land), moved(area)
    faces, is_land = coast(ragged, crs=DEGREES if in_degrees else UTM).split(area)
    wrong = shapely.union_all(faces[is_land]).symmetric_difference(land & area).area
    assert wrong * (71_000 * 111_000 if in_degrees else 1) < 0.003 * 1.5 * sum(
        way.length for way in lines)


@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_all_lines_turned_round_swap_sea_and_land(seed):
    lines, _, area = world(seed)
    assume(lines)
    faces, is_land = coast(lines).split(area)
    turned = list(shapely.reverse(lines))
    land = shapely.union_all(faces[is_land])
    same, right = coast(turned, on_left=False).split(area)
    assert len(same) == len(faces)
    assert shapely.union_all(same[right]).symmetric_difference(land).area < 1e-5
    other, left = coast(turned).split(area)
    assert shapely.union_all(other[~left]).symmetric_difference(land).area < 1e-5


@settings(max_examples=60, deadline=None)
@given(seed=seeds, data=st.data())
def test_one_island_turned_round_never_goes_unnoticed(seed, data):
    rng = np.random.default_rng(seed)
    cells = np.flatnonzero(np.append([True, True], rng.random(2) < 0.5))
    rims = [ways_of(rng, stars(rng, int(cell))[0], is_land=True) for cell in cells]
    wrong = data.draw(st.integers(0, len(rims) - 1))
    rims[wrong] = list(shapely.reverse(rims[wrong]))
    with pytest.raises(SourceError, match="contradicts itself"):
        coast([way for rim in rims for way in rim]).split(WHOLE)


@settings(max_examples=60, deadline=None)
@given(seed=seeds, data=st.data())
def test_a_way_that_is_missing_never_goes_unnoticed(seed, data):
    rng = np.random.default_rng(seed)
    rim = ways_of(rng, stars(rng, 0)[0], is_land=True)
    assume(len(rim) > 1)
    missing = data.draw(st.integers(0, len(rim) - 1))
    with pytest.raises(SourceError, match="ends inside the area"):
        coast(rim[:missing] + rim[missing + 1:]).split(WHOLE)


@settings(max_examples=60, deadline=None)
@given(seed=seeds, data=st.data())
def test_one_way_turned_round_never_goes_unnoticed(seed, data):
    rng = np.random.default_rng(seed)
    rim = ways_of(rng, stars(rng, 0)[0], is_land=True)
    assume(len(rim) > 1)
    wrong = data.draw(st.integers(0, len(rim) - 1))
    rim[wrong] = shapely.reverse(rim[wrong])
    with pytest.raises(SourceError, match="opposite directions that meet"):
        coast(rim).split(WHOLE)
