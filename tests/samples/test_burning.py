"""Burning on arrays, against loops that follow the definition, for any strips."""

from __future__ import annotations

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from rasterio.features import rasterize
from rasterio.windows import Window

from geoseg.geo.windows import grow
from geoseg.samples.burning import (
    PixelPolygons,
    edge_halo,
    near_edge,
    stack_exclusive,
    stack_overlapping,
)

LABELS = arrays.arrays(np.uint8, st.tuples(st.integers(1, 14), st.integers(1, 10)),
                       elements=st.sampled_from([0, 0, 0, 1, 2, 255]))
# Quarters put vertices and edges on pixel centres and borders, where strips could disagree.
QUARTERS = st.integers(-8, 80).map(lambda n: n / 4)
TRIANGLES = st.lists(st.tuples(*[st.tuples(QUARTERS, QUARTERS)] * 3), max_size=6)


def near_by_loops(labels, reach, size):
    """Every pixel against every pair of unlike neighbours."""
    near = np.zeros(labels.shape, bool)
    width, height = size
    for axis, across in ((0, height), (1, width)):
        for first in np.ndindex(*(np.array(labels.shape) - np.eye(2, dtype=int)[axis])):
            second = tuple(np.array(first) + np.eye(2, dtype=int)[axis])
            values = {int(labels[first]), int(labels[second])}
            if len(values) == 1 or 255 in values:
                continue
            for pixel in np.ndindex(*labels.shape):
                away = min(np.hypot((pixel[0] - end[0]) * height, (pixel[1] - end[1]) * width)
                           for end in (first, second))
                near[pixel] |= away + across / 2 <= reach + 1e-9
    return near


@settings(max_examples=60, deadline=None)
@given(LABELS, st.sampled_from([0.4, 0.5, 1.0, 1.5, 2.3]),
       st.sampled_from([(1.0, 1.0), (1.0, 0.7)]))
def test_edge_band_is_what_its_definition_says(labels, reach, size):
    assert np.array_equal(near_edge(labels, reach, size), near_by_loops(labels, reach, size))


@settings(max_examples=60, deadline=None)
@given(LABELS, st.sampled_from([0.5, 1.0, 2.3, 4.0]), st.integers(1, 5),
       st.sampled_from([(1.0, 1.0), (1.0, 0.7)]))
def test_edge_band_needs_no_more_than_its_halo(labels, reach, rows, size):
    whole = near_edge(labels, reach, size)
    halo = edge_halo(reach, size[1])
    for top in range(0, len(labels), rows):
        window = Window(0, top, labels.shape[1], min(rows, len(labels) - top))
        wide, inner = grow(window, halo, *labels.shape)
        strip = labels[wide.row_off:wide.row_off + wide.height]
        assert np.array_equal(near_edge(strip, reach, size)[inner], whole[top:top + rows])


@settings(max_examples=80, deadline=None)
@given(TRIANGLES, st.integers(1, 7))
def test_windows_of_polygons_agree_with_the_whole(corners, rows):
    shapes = [shapely.Polygon(item) for item in corners]
    shapes = [shape for shape in shapes if shape.is_valid and shape.area > 0]
    polygons = PixelPolygons(np.array(shapes, dtype=object))
    expected = (rasterize(shapes, out_shape=(18, 18)) if shapes
                else np.zeros((18, 18))).astype(bool)
    strips = [polygons.cover(Window(0, top, 18, min(rows, 18 - top)))
              for top in range(0, 18, rows)]
    assert np.array_equal(np.concatenate(strips), expected)
    assert np.array_equal(polygons.cover(Window(5, 3, 9, 11)), expected[3:14, 5:14])


@settings(max_examples=50, deadline=None)
@given(arrays.arrays(bool, (4, 3, 5)), st.sampled_from([0, 255]))
def test_stacks_follow_pixel_by_pixel(covers, uncovered):
    exclusive, overlapping = (stack(list(covers), uncovered)
                              for stack in (stack_exclusive, stack_overlapping))
    for row, column in np.ndindex(3, 5):
        own = np.flatnonzero(covers[:, row, column])
        assert exclusive[0, row, column] == (own[-1] if len(own) else uncovered)
        expected = covers[:, row, column].astype(int) if len(own) else [uncovered] * 4
        assert list(overlapping[:, row, column]) == list(expected)
