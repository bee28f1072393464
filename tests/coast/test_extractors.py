"""The source paper's extractors on hand-made arrays."""

from __future__ import annotations

import numpy as np

from geoseg.coast.extractors import (
    argmax_positions,
    ensemble_positions,
    fill_positions,
    minmax_pixels,
    positions_line,
)

NAN = np.nan


def test_the_rule_of_three_by_three() -> None:
    classes = np.array([[0, 0, 0, 0, 0],
                        [0, 0, 0, 0, 0],
                        [1, 1, 0, 2, 2],
                        [1, 1, 2, 2, 2]])
    # Sea and land within one pixel, straight or across; beside no data alone there is no coast.
    assert minmax_pixels(classes).tolist() == [
        [2, 1], [3, 1], [4, 1], [1, 2], [2, 2], [3, 2], [4, 2], [1, 3], [2, 3], [3, 3]]


def test_one_place_per_column_or_row() -> None:
    coast = np.array([[0.1, 0.9, 0.2, 0.0],
                      [0.8, 0.3, 0.2, 0.0],
                      [0.2, 0.1, 0.9, 0.0]])
    valid = np.ones(coast.shape, dtype=bool)
    np.testing.assert_array_equal(argmax_positions(coast, valid, "columns"), [1, 0, 2, NAN])
    np.testing.assert_array_equal(argmax_positions(coast, valid, "columns", 0.85), [NAN, 0, 2, NAN])
    assert argmax_positions(coast, valid, "rows").tolist() == [1, 0, 2]
    valid[2, 2] = valid[:, 0] = False
    np.testing.assert_array_equal(argmax_positions(coast, valid, "columns", 0.1),
                                  [NAN, 0, 0, NAN])


def test_positions_are_averaged_by_weight() -> None:
    members = [np.array([1.0, NAN, 4.0, NAN]), np.array([5.0, 3.0, NAN, NAN])]
    np.testing.assert_allclose(ensemble_positions(members, [3, 1]), [2, 3, 4, NAN])


def test_gaps_are_filled_linearly() -> None:
    filled = fill_positions(np.array([NAN, 2.0, NAN, NAN, 8.0, NAN]))
    np.testing.assert_allclose(filled, [2, 2, 4, 6, 8, 8])


def test_the_line_runs_along_columns_or_rows() -> None:
    positions = np.array([5.0, 6.0])
    assert positions_line(positions, "columns").tolist() == [[0, 5], [1, 6]]
    assert positions_line(positions, "rows").tolist() == [[5, 0], [6, 1]]
