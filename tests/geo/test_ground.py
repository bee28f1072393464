"""Areas, lengths and coordinates on the ground, against pyproj's geodesics and geopandas."""

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from shapely.affinity import affine_transform

from geoseg.geo.grid import apply_to_shapes
from geoseg.geo.ground import ground_areas, line_lengths, metric_crs, reproject

GEOD = pyproj.Geod(ellps="WGS84")
PLACES = [(24.9, 60.2), (-77.0, -0.1), (147.3, -42.9)]


def blocks(longitude, latitude):
    """Quarters of a town: polygons of some hundred metres, the second with a courtyard."""
    rings = [np.array([[0, 0], [3, 0.5], [2.5, 2], [0.5, 3]]) * 1e-3 + (longitude + d, latitude)
             for d in (0, 0.02)]
    return np.array([shapely.Polygon(rings[0]), shapely.Polygon(rings[1]).difference(
        shapely.Point(longitude + 0.0212, latitude + 1e-3).buffer(5e-4))])


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857"])
@pytest.mark.parametrize("place", PLACES)
def test_areas_and_lengths_are_geodesic_where_the_crs_does_not_measure(crs, place):
    degrees = blocks(*place)
    shapes = gpd.GeoSeries(degrees, crs=4326).to_crs(crs)
    truth = [abs(GEOD.geometry_area_perimeter(shapely.orient_polygons(shape))[0])
             for shape in degrees]
    areas = ground_areas(shapes.to_numpy(), shapes.crs)
    np.testing.assert_allclose(areas, truth, rtol=1e-5)
    np.testing.assert_array_equal(ground_areas(shapes, shapes.crs), areas)
    lines = shapely.get_exterior_ring(shapes.to_numpy())
    expected = [GEOD.geometry_length(line) for line in shapely.get_exterior_ring(degrees)]
    np.testing.assert_allclose(line_lengths(lines, shapes.crs), expected, rtol=1e-9)


def test_a_true_national_grid_measures_for_itself():
    crs = pyproj.CRS("EPSG:27700")
    square = shapely.box(3e5, 2e5, 3e5 + 200, 2e5 + 300)
    assert metric_crs(crs, square.bounds) is crs
    assert ground_areas(np.array([square]), crs) == pytest.approx([6e4], rel=1e-12)


def test_pixels_count_as_they_are_and_nothing_gives_nothing():
    lines = np.array([shapely.LineString([(0, 0), (3, -4), (3, -5)])])
    assert line_lengths(lines, None).tolist() == [6.0]
    assert ground_areas(np.array([shapely.box(0, -2, 5, 0)]), None).tolist() == [10.0]
    crs = pyproj.CRS("EPSG:4326")
    assert len(ground_areas(lines[:0], crs)) == len(line_lengths(lines[:0], crs)) == 0


def test_lengths_do_not_run_on_from_line_to_line():
    crs = pyproj.CRS("EPSG:4326")
    lines = np.array([shapely.LineString([(8, 50), (8.1, 50)]),
                      shapely.LineString([(9, 51), (9, 51.1), (9.1, 51.1)])])
    together = line_lengths(lines, crs)
    np.testing.assert_allclose(together, [GEOD.geometry_length(line) for line in lines])


@pytest.mark.parametrize("target", ["EPSG:3067", "EPSG:3857", "EPSG:4326"])
def test_reprojecting_is_that_of_geopandas(target):
    shapes = gpd.GeoSeries(blocks(24.9, 60.2), crs="EPSG:4326")
    moved = reproject(shapes.to_numpy(), shapes.crs, pyproj.CRS(target))
    assert shapely.equals_exact(moved, shapes.to_crs(target).to_numpy(), 1e-9).all()


@given(terms=st.lists(st.floats(-5, 5), min_size=6, max_size=6))
def test_an_affine_transform_of_shapes_is_that_of_shapely(terms):
    a, b, c, d, e, f = terms
    shape = shapely.Polygon([(0, 0), (4, 1), (3, 5)]).union(shapely.box(7, 7, 8, 9))
    moved, = apply_to_shapes(Affine(a, b, c, d, e, f), np.array([shape]))
    expected = affine_transform(shape, [a, b, d, e, c, f])
    assert shapely.equals_exact(moved, expected, 1e-9)
