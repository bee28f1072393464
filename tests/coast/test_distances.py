"""Distances, positions and sides against shapely, and where lines have ends."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geoseg.coast.accuracy.distances import even_positions, nearest_on, segments_of

CORNER = shapely.LineString([(0, 0), (10, 0), (10, 10)])
places = st.integers(-20, 20).map(float)
points_list = st.lists(st.tuples(places, places), min_size=1, max_size=20)
paths = st.lists(st.tuples(places, places), min_size=2, max_size=8, unique=True)


def lines(*shapes: object) -> np.ndarray:
    return np.array(shapes, dtype=object)


def test_a_corner_by_hand() -> None:
    found = nearest_on(segments_of(lines(CORNER)),
                       np.array([(4, 3), (4, -3), (7, 8), (13, -4), (10, 5)], dtype=float))
    np.testing.assert_allclose(found.distance, [3, 3, 3, 5, 0], atol=1e-12)
    np.testing.assert_allclose(found.position, [4, 4, 18, 10, 15], atol=1e-12)
    assert found.left.tolist() == [1, -1, 1, -1, 0]
    assert not found.past_end.any()


@settings(max_examples=60, deadline=None)
@given(st.lists(paths, min_size=1, max_size=4), points_list)
def test_distances_are_shapely_s(shapes: list[list[tuple[float, float]]],
                                 asked: list[tuple[float, float]]) -> None:
    several = lines(*map(shapely.LineString, shapes))
    segments = segments_of(several)
    found = nearest_on(segments, np.array(asked))
    expected = shapely.distance(shapely.multilinestrings(several), shapely.points(asked))
    np.testing.assert_allclose(found.distance, expected, atol=1e-9)
    assert segments.length == pytest.approx(shapely.length(several).sum())
    reached = segments.at(found.position)
    ending = segments.at(found.position, ending=True)
    away = np.minimum(np.hypot(*(reached - asked).T), np.hypot(*(ending - asked).T))
    np.testing.assert_allclose(away, expected, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(paths, st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_places_along_a_line_are_shapely_s(path: list[tuple[float, float]], shares: list[float]
                                           ) -> None:
    line = shapely.LineString([path[0], *path])  # a point that is there twice changes nothing
    positions = np.array(shares) * line.length
    expected = shapely.get_coordinates(shapely.line_interpolate_point(line, positions))
    np.testing.assert_allclose(segments_of(lines(line)).at(positions), expected, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.5, 20), min_size=5, max_size=12), points_list, st.booleans())
def test_the_inside_of_a_ring_is_on_one_side(radii: list[float], asked: list[tuple[float, float]],
                                             is_reversed: bool) -> None:
    turns = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    star = shapely.Polygon(np.column_stack([radii * np.cos(turns), radii * np.sin(turns)]))
    ring = star.exterior.reverse() if is_reversed else star.exterior
    found = nearest_on(segments_of(lines(ring)), np.array(asked))
    clear = found.distance > 1e-6
    inside = shapely.contains_xy(star, asked) != is_reversed
    np.testing.assert_array_equal(found.left[clear], np.where(inside, 1, -1)[clear])
    assert not found.past_end.any()


def test_past_an_open_end_nothing_counts() -> None:
    asked = np.array([(-0.5, 0), (-3, 40), (0, 40), (100, -9), (100.1, -9)], dtype=float)
    line = shapely.LineString([(0, 0), (100, 0)])
    assert nearest_on(segments_of(lines(line)), asked).past_end.tolist() == [
        True, True, False, False, True]


@pytest.mark.parametrize(("gap", "is_open"), [(0.0, False), (0.005, False), (0.5, True)])
def test_pieces_that_touch_have_no_ends_between(gap: float, is_open: bool) -> None:
    """A bend outwards: what lies in the wedge is past the ends of both pieces."""
    bend = lines(shapely.LineString([(-100, -100), (0, 0)]),
                 shapely.LineString([(gap, 0), (100, -100)]))
    assert nearest_on(segments_of(bend), np.array([(gap / 2, 20.0)])).past_end.tolist() == [is_open]


def test_a_line_that_ends_at_another_has_no_end_there() -> None:
    mole = lines(shapely.LineString([(0, 0), (100, 0)]), shapely.LineString([(50, 0), (50, 30)]))
    found = segments_of(mole)
    assert found.opens.tolist() == [True, False]
    assert found.closes.tolist() == [True, True]


def test_lines_without_length_are_left_out() -> None:
    found = segments_of(lines(shapely.LineString([(1, 1), (1, 1)]), CORNER,
                              shapely.LineString([(2, 2), (2, 2)])))
    assert (len(found), found.length) == (2, 20)
    assert len(segments_of(lines(shapely.LineString([(1, 1), (1, 1)])))) == 0


def test_parts_of_one_feature_are_lines_of_their_own() -> None:
    found = segments_of(lines(shapely.MultiLineString([[(0, 0), (10, 0)], [(50, 0), (60, 0)]])))
    assert found.parts_at(np.array([0.0, 9.9, 10.0, 20.0])).tolist() == [0, 0, 1, 1]
    np.testing.assert_array_equal(found.at(np.array([10.0])), [[50, 0]])
    np.testing.assert_array_equal(found.at(np.array([10.0]), ending=True), [[10, 0]])
    assert nearest_on(found, np.array([(20.0, 0)])).past_end.all()


@given(st.floats(1e-3, 1e4), st.floats(0.5, 100))
def test_samples_are_even(length: float, step: float) -> None:
    positions = even_positions(length, step)
    spacing = length / len(positions)
    assert spacing <= step * (1 + 1e-6)
    assert len(positions) == 1 or length / (len(positions) - 1) > step * (1 - 1e-6)
    np.testing.assert_allclose(np.diff(positions), spacing, rtol=1e-6)
    assert positions[0] == pytest.approx(spacing / 2)
    assert positions[-1] == pytest.approx(length - spacing / 2)
