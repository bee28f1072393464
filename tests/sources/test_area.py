"""Areas of interest: measured on the ellipsoid, and covered by boxes of limited size."""

from __future__ import annotations

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geoseg.sources.area import area_km2, quarter_bounds, read_area, request_boxes

# By the formula for the zone of a sphere of equal area (radius 6371.0072 km), good to 1 %.
SQUARE_AT_50 = 111.19 * 111.19 * 0.6361


def test_area_does_not_depend_on_the_direction_of_rings():
    square, other = shapely.box(8, 50, 9, 51), shapely.box(10, 50, 11, 51)
    assert area_km2(square) == pytest.approx(SQUARE_AT_50, rel=0.01)
    assert area_km2(square.reverse()) == area_km2(square)
    both = shapely.MultiPolygon([square, other.reverse()])
    assert area_km2(both) == pytest.approx(2 * area_km2(square), rel=1e-9)
    hole = shapely.box(8.2, 50.2, 8.8, 50.8)
    for ring in (hole.exterior, hole.exterior.reverse()):
        ground = area_km2(shapely.Polygon(square.exterior, [ring]))
        assert ground == pytest.approx(area_km2(square) - area_km2(hole), rel=1e-9)


def test_bounds_across_the_antimeridian_are_two_boxes():
    area = read_area("179.5,-17,-179.5,-16")
    assert shapely.equals(area, shapely.MultiPolygon(
        [shapely.box(179.5, -17, 180, -16), shapely.box(-180, -17, -179.5, -16)]))
    # Not quite the area of one box: the edges between corners are geodesics, not parallels.
    assert area_km2(area) == pytest.approx(area_km2(shapely.box(0, -17, 1, -16)), rel=1e-4)


def test_quarters_without_the_area_fall_away():
    triangle = shapely.Polygon([(8, 50), (10, 50), (8, 52)])
    boxes = [shapely.box(*bounds) for bounds in request_boxes(triangle, 500)]
    assert not any(box.intersects(shapely.box(9.5, 51.5, 10, 52)) for box in boxes)
    assert sum(map(area_km2, boxes)) < 0.6 * area_km2(triangle.envelope)


@settings(max_examples=30, deadline=None)
@given(corners=st.lists(st.tuples(st.floats(8, 10), st.floats(50, 52)), min_size=3, max_size=7),
       limit=st.sampled_from([300.0, 1000.0, 5000.0]))
def test_boxes_cover_the_area_and_none_is_too_large(corners, limit):
    area = shapely.MultiPoint(corners).convex_hull.buffer(0.01)
    boxes = [shapely.box(*bounds) for bounds in request_boxes(area, limit)]
    assert shapely.union_all(boxes).buffer(1e-9).covers(area)
    assert max(map(area_km2, boxes)) <= limit
    assert all(box.intersects(area) for box in boxes)


def test_quarters_make_up_the_whole():
    quarters = [shapely.box(*bounds) for bounds in quarter_bounds((8, 50, 9, 52))]
    assert shapely.equals(shapely.union_all(quarters), shapely.box(8, 50, 9, 52))
    assert sum(quarter.area for quarter in quarters) == pytest.approx(2)
