"""Run lengths as Kaggle writes them: down the columns, from 1."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import geoseg
from geoseg.errors import RasterError
from geoseg.maps.rle import decode_rle, encode_rle
from tests.maps.worlds import make_legend, write_classes


@pytest.mark.parametrize(("rows", "text"), [
    (["....", "....", "...."], ""),
    (["####", "####", "####"], "1 12"),
    ([".#..", ".#..", ".#.."], "4 3"),
    (["....", ".#..", ".##.", "..#."], "6 2 11 2"),
    (["#..#", "...#", "...."], "1 1 10 2"),
    (["..", "..", "..", "..", "#.", "#.", "#."], "5 3"),
    (["..#", "#.#"], "2 1 5 2"),
])
def test_masks_drawn_by_hand(rows, text):
    mask = np.array([[sign == "#" for sign in row] for row in rows])
    assert encode_rle(mask) == text
    np.testing.assert_array_equal(decode_rle(text, mask.shape), mask)


def test_the_fifth_to_seventh_pixel_of_a_row_that_runs_down_and_over():
    """The column ends after four pixels, so the run goes on at the top of the next."""
    mask = decode_rle("5 3", (4, 3))
    assert mask.astype(int).tolist() == [[0, 1, 0], [0, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert np.argwhere(decode_rle("4 2", (4, 3))).tolist() == [[0, 1], [3, 0]]
    assert decode_rle("5 3", (4, 3)).dtype == bool


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_masks_come_back(mask):
    text = encode_rle(mask)
    np.testing.assert_array_equal(decode_rle(text, mask.shape), mask)
    numbers = [int(word) for word in text.split()]
    covered = [pixel for start, length in zip(numbers[::2], numbers[1::2], strict=True)
               for pixel in range(start, start + length)]
    rows = mask.shape[0]
    assert covered == sorted(column * rows + row + 1 for row, column in np.argwhere(mask).tolist())


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), max_size=5))
def test_texts_come_back(gaps):
    text, place = [], 0
    for gap, length in gaps:
        text += [place + gap + 1, length]
        place += gap + length
    text = " ".join(map(str, text))
    assert encode_rle(decode_rle(text, (10, 6))) == text


def test_values_but_zero_are_inside_and_touching_runs_are_one():
    assert encode_rle(np.array([[0, 255], [2, 0]], np.uint8)) == "2 2"
    assert encode_rle(decode_rle("1 2 3 4", (4, 2))) == "1 6"
    assert decode_rle(" 1\t2\n", (2, 1)).all()


@pytest.mark.parametrize(("text", "message"), [
    ("5 3 9", "odd count of numbers, 3"),
    ("5 3 4 1", "starts before the one before it ends, at 7"),
    ("5 3 7 2", "starts before"),
    ("1 13", "leaves the mask of 12 pixels"),
    ("13 1", "leaves the mask"),
    ("0 3", "leaves the mask"),
    ("5 0", "has no pixels"),
    ("5 -3", "'-3', which is not"),
    ("nan", "'nan', which is not"),
    ("5.0 3", "'5.0', which is not"),
])
def test_what_is_no_mask_is_refused(text, message):
    with pytest.raises(RasterError, match=message):
        decode_rle(text, (4, 3))


def test_a_stack_of_masks_is_refused():
    with pytest.raises(ValueError, match="3 dimensions"):
        encode_rle(np.zeros((2, 3, 3)))


def test_both_are_public():
    assert geoseg.encode_rle is encode_rle
    assert geoseg.decode_rle is decode_rle


PAGE = Path(__file__).parents[2] / "docs" / "methods" / "metrics.md"


@pytest.mark.parametrize("overlapping", [False, True])
def test_the_examples_of_the_page_write_and_read_a_table(tmp_path, monkeypatch, overlapping):
    monkeypatch.chdir(tmp_path)
    legend = make_legend("sky", "fish", overlapping=overlapping)
    bands = np.random.default_rng(0).integers(0, 2, (2 if overlapping else 1, 7, 9), np.uint8)
    write_classes(tmp_path / "classes.tif", bands, legend)
    there, back = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    exec(there, {})
    found = {}
    exec(back, found)
    expected = bands if overlapping else [bands[0] == 0, bands[0] == 1]
    for name, mask in zip(legend.names, expected, strict=True):
        np.testing.assert_array_equal(found["masks"][name], mask)
