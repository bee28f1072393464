"""Blend weights: one everywhere, for any size, tile and overlap."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasterio.windows import Window

from geoseg.geo.windows import Tiling, grow, row_bands
from geoseg.recipe.names import BLENDS


@given(size=st.integers(1, 3000), tile=st.sampled_from([32, 64, 96, 256, 512]),
       overlap=st.floats(0, 0.5), blend=st.sampled_from(BLENDS))
def test_weights_sum_to_one_at_every_pixel_and_none_is_negative(size, tile, overlap, blend):
    tiling = Tiling.over(size, tile, overlap, blend)
    total = np.zeros(size)
    for start, weights in zip(tiling.starts, tiling.weights, strict=True):
        assert (weights >= 0).all()
        for offset in np.flatnonzero(weights):
            total[start + offset] += weights[offset]
        if blend == "crop":
            assert set(weights) <= {0, 1}
    np.testing.assert_allclose(total, 1, atol=1e-6)


@pytest.mark.parametrize(("blend", "share"), [
    ("box", 0.5), ("crop", 1.0), ("hann", np.cos(np.pi / 2 * 24.5 / 64) ** 2),
    ("gauss", 1 / (1 + np.exp((88.5**2 - 103.5**2) / 2 / 32**2)))])
def test_each_blend_divides_the_overlap_in_its_own_way(blend, share):
    """Tiles of 256 share 64 px; pixel 24 of them is 88.5 px from one centre, 103.5 from the other.

    The first tile begins 32 px before the raster, so the second starts at 160.
    """
    tiling = Tiling.over(1000, 256, 0.25, blend)
    assert tiling.starts[:2] == (-32, 160)
    assert tiling.weights[0][192 + 24] == pytest.approx(share, abs=1e-6)
    assert tiling.weights[1][24] == pytest.approx(1 - share, abs=1e-6)


@given(size=st.integers(1, 3000), tile=st.sampled_from([32, 64, 96, 256, 512]),
       overlap=st.floats(0, 0.5))
def test_no_tile_is_superfluous(size, tile, overlap):
    tiling = Tiling.over(size, tile, overlap)
    assert len(set(tiling.starts)) == len(tiling.starts)
    assert all(start < size and start + tile > 0 for start in tiling.starts)
    stride = tile - round(tile * overlap)
    assert len(tiling.starts) <= -(-size // stride) + 1


def test_far_from_an_overlap_a_single_tile_decides():
    tiling = Tiling.over(1000, 256, 0.25)
    middle = tiling.starts[1] + 128
    assert tiling.weights[1][128] == 1
    assert all(not 0 <= middle - start < 256 or index == 1
               for index, start in enumerate(tiling.starts))


@given(height=st.integers(1, 2000), width=st.integers(1, 50), rows=st.integers(1, 700))
def test_row_bands_cover_every_row_once(height, width, rows):
    covered = np.zeros(height, dtype=int)
    for window in row_bands(height, width, rows):
        assert (window.col_off, window.width) == (0, width)
        covered[window.row_off:window.row_off + window.height] += 1
    assert (covered == 1).all()


@given(top=st.integers(0, 40), left=st.integers(0, 40), rows=st.integers(1, 20),
       columns=st.integers(1, 20), margin=st.integers(0, 30))
def test_grown_window_gives_the_original_back(top, left, rows, columns, margin):
    raster = np.arange(60 * 60).reshape(60, 60)
    grown, inner = grow(Window(left, top, columns, rows), margin, 60, 60)
    cut = raster[grown.row_off:grown.row_off + grown.height,
                 grown.col_off:grown.col_off + grown.width]
    np.testing.assert_array_equal(cut[inner], raster[top:top + rows, left:left + columns])
