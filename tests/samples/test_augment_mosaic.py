"""Crops put together of several, and crops with a hole."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geoseg.samples.augment import cut_out, mosaic, rectangles


def plain(value, size=40):
    return (np.full((2, size, size), value, np.float32), np.ones((size, size), bool),
            np.full((1, size, size), value, np.uint8))


@given(size=st.integers(16, 300), count=st.integers(1, 6), seed=st.integers(0, 10**6))
def test_rectangles_hold_every_pixel_once(size, count, seed):
    pieces = rectangles(size, count, np.random.default_rng(seed))
    held = np.zeros((size, size), int)
    for piece in pieces:
        assert held[piece].size
        held[piece] += 1
    assert len(pieces) == count
    assert (held == 1).all()


@given(seed=st.integers(0, 10**6))
def test_a_mosaic_brings_pieces_of_other_crops_with_their_labels(seed):
    own, numbers = plain(0), iter(range(1, 9))
    image, valid, label = mosaic(own, lambda: plain(next(numbers)), np.random.default_rng(seed))
    np.testing.assert_array_equal(image, np.broadcast_to(label, image.shape))
    assert valid.all()
    pieces = np.unique(label)
    assert pieces[0] == 0, "something of the crop itself stays"
    assert 2 <= len(pieces) <= 4
    for value in pieces[1:]:
        rows, columns = np.nonzero(label[0] == value)
        assert len(rows) == (np.ptp(rows) + 1) * (np.ptp(columns) + 1), "a full rectangle"
    assert not own[0].any(), "the crop that was given stays as it was"


def test_pieces_take_their_nodata_along():
    def empty():
        image, valid, label = plain(5)
        return np.zeros_like(image), np.zeros_like(valid), np.full_like(label, 255)

    image, valid, label = mosaic(plain(3), empty, np.random.default_rng(0))
    np.testing.assert_array_equal(label[0] == 255, ~valid)
    np.testing.assert_array_equal(image[0] == 0, ~valid)
    assert 0 < valid.sum() < valid.size


def test_the_number_of_pieces_varies():
    counts = set()
    for seed in range(100):
        numbers = iter(range(1, 9))
        _, _, label = mosaic(plain(0), lambda n=numbers: plain(next(n)),
                             np.random.default_rng(seed))
        counts.add(len(np.unique(label)))
    assert counts == {2, 3, 4}


def test_a_hole_is_a_square_of_at_most_the_share_asked_for():
    shares = []
    for seed in range(400):
        image = np.ones((3, 50, 50), np.float32)
        cut_out(image, 0.25, np.random.default_rng(seed))
        hole = image[0] == 0
        assert (image == image[0]).all()
        rows, columns = np.nonzero(hole)
        if len(rows):
            assert np.ptp(rows) == np.ptp(columns)
            assert len(rows) == (np.ptp(rows) + 1) ** 2
        shares.append(hole.mean())
    assert 0.24 < max(shares) <= 0.25
    assert 0.1 < np.mean(shares) < 0.15
