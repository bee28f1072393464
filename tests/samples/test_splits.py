"""Windows, blocks, assignment and gap, as arrays."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geoseg.samples.splits import (
    LEFT_OUT,
    Chips,
    assign_splits,
    leave_gap,
    random_windows,
    regular_windows,
    sampling_weights,
    spatial_blocks,
)
from geoseg.samples.world import World, all_apart, smallest_distance
from tests.samples.scene_files import utm_grid


def chips_of(width, height, size, *, stride=None, classes=2, block=None):
    """Chips of one scene in which every class is everywhere."""
    world = World.of([utm_grid(width, height)], size)
    windows = regular_windows(width, height, size, stride or size)
    scene = np.zeros(len(windows), dtype=int)
    centres = windows[:, :2] + windows[:, 2:] / 2
    blocks = spatial_blocks(centres, scene, size, block)
    present = np.full((len(windows), classes), size**2 // classes)
    pairs = world.near(scene, windows, size)
    return windows, Chips(blocks, centres, pairs, present.sum(axis=1), present)


@given(st.integers(64, 700), st.integers(64, 700), st.sampled_from([32, 64]),
       st.floats(0.25, 1))
def test_regular_windows_lie_inside_and_cover_all_but_a_narrow_rest(width, height, size, step):
    stride = round(size * step)
    windows = regular_windows(width, height, size, stride)
    covered = np.zeros((height, width), dtype=bool)
    for column, row, wide, high in windows:
        assert (wide, high) == (size, size)
        assert 0 <= column <= width - size
        assert 0 <= row <= height - size
        covered[row:row + size, column:column + size] = True
    rest = stride / 4
    assert covered[:height - int(rest), :width - int(rest)].all()
    assert len(np.unique(windows, axis=0)) == len(windows)


def test_a_scene_of_whole_chips_is_tiled_without_overlap():
    windows = regular_windows(256, 128, 64, 64)
    assert len(windows) == 8
    assert {tuple(corner) for corner in windows[:, :2] % 64} == {(0, 0)}


def test_random_windows_lie_inside_and_follow_the_generator():
    draw = [random_windows(300, 200, 64, 500, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(draw[0], draw[1])
    assert not np.array_equal(draw[0], draw[2])
    assert draw[0][:, 0].min() >= 0
    assert draw[0][:, 0].max() <= 300 - 64
    assert draw[0][:, 1].max() <= 200 - 64


def test_blocks_are_eight_chips_a_side_in_a_large_scene():
    windows, chips = chips_of(64 * 64, 48 * 64, 64)
    assert chips.blocks.max() + 1 == 8 * 6
    first = windows[chips.blocks == chips.blocks[0]]
    assert len(first) == 64
    assert first[:, :2].max() == 7 * 64


@pytest.mark.parametrize(("width", "height", "size"), [(930, 632, 64), (1536, 1024, 128)])
def test_blocks_shrink_in_small_scenes_but_keep_two_chips_a_side(width, height, size):
    windows, chips = chips_of(width, height, size)
    assert chips.blocks.max() + 1 >= 12
    assert len(windows[chips.blocks == chips.blocks[0]]) >= 4


def test_a_given_block_is_kept():
    _, chips = chips_of(1024, 1024, 64, block=4)
    assert chips.blocks.max() + 1 == 16


def test_small_places_are_blocks_as_a_whole_when_there_are_several():
    places = np.repeat(np.arange(6), 16)
    centres = np.tile(regular_windows(512, 512, 128, 128)[:, :2] + 64, (6, 1)) + places[:, None]
    blocks = spatial_blocks(centres, places, 128)
    assert blocks.max() + 1 == 6
    assert all(len(set(blocks[places == place])) == 1 for place in range(6))


def test_gap_leaves_out_validation_next_to_test_and_training_next_to_both():
    #               train val test val train train val
    split = np.array([0, 1, 2, 1, 0, 0, 1])
    pairs = np.array([[0, 1], [1, 2], [2, 3], [3, 4], [4, 5], [5, 6]])
    # Validation chips 1 and 3 give way to test; what trained beside them may then stay.
    assert leave_gap(split, pairs).tolist() == [0, -1, 2, -1, 0, -1, 1]


@settings(max_examples=8, deadline=None)
@given(st.integers(8, 24), st.integers(4, 16), st.integers(0, 5), st.sampled_from([32, 96]),
       st.sampled_from([1.0, 0.5]))
def test_splits_keep_their_distance_and_no_pixel_is_shared(columns, rows, seed, size, step):
    width, height = columns * size + seed * 7, rows * size + 11
    windows, chips = chips_of(width, height, size, stride=int(size * step))
    split = assign_splits(chips, np.array([0.7, 0.15, 0.15]), seed)
    assert set(split) >= {0, 1, 2}
    # Oracle: paint every split, grown by less than the gap, and look for collisions.
    painted = np.zeros((3, height, width), dtype=bool)
    grown = np.zeros((3, height, width), dtype=bool)
    for (column, row, wide, high), part in zip(windows, split, strict=True):
        if part != LEFT_OUT:
            painted[part, row:row + high, column:column + wide] = True
            grown[part, max(row - size, 0):row + high + size,
                  max(column - size, 0):column + wide + size] = True
    for one in range(3):
        for other in range(3):
            assert one == other or not (painted[one] & grown[other]).any()


@pytest.mark.parametrize(("width", "height", "size"),
                         [(930, 632, 64), (930, 632, 96), (1536, 1024, 128), (1536, 1024, 256)])
@pytest.mark.parametrize("seed", [0, 1])
def test_small_scenes_keep_enough_for_training(width, height, size, seed):
    _, chips = chips_of(width, height, size)
    split = assign_splits(chips, np.array([0.7, 0.15, 0.15]), seed)
    share = [np.mean(split == part) for part in (0, 1, 2)]
    assert share[0] >= 0.45
    assert min(share[1:]) >= 0.05


def test_large_scenes_come_near_the_wanted_shares():
    _, chips = chips_of(64 * 64, 64 * 64, 64)
    split = assign_splits(chips, np.array([0.7, 0.15, 0.15]), 3)
    kept = np.array([np.sum(split == part) for part in (0, 1, 2)])
    assert kept / kept.sum() == pytest.approx([0.7, 0.15, 0.15], abs=0.05)
    assert np.mean(split == LEFT_OUT) < 0.2


def test_a_share_of_zero_gives_an_empty_split():
    _, chips = chips_of(1024, 512, 64)
    split = assign_splits(chips, np.array([0.8, 0.2, 0.0]), 0)
    assert set(split) == {0, 1, -1} or set(split) == {0, 1}


def test_a_class_in_one_corner_is_found_in_every_split():
    windows, chips = chips_of(1536, 1024, 64)
    # Water along the left edge only, as at a coast.
    chips.present[:, 1] = np.where(windows[:, 0] < 128, 2000, 0)
    split = assign_splits(chips, np.array([0.7, 0.15, 0.15]), 0)
    for part in (0, 1, 2):
        assert chips.present[split == part, 1].sum() > 0


def test_assignment_is_a_function_of_the_seed():
    _, chips = chips_of(1024, 1024, 64)
    wanted = np.array([0.7, 0.15, 0.15])
    first, again, other = (assign_splits(chips, wanted, seed) for seed in (4, 4, 5))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_too_few_chips_cannot_be_split():
    _, chips = chips_of(128, 128, 64)
    assert assign_splits(chips, np.array([0.7, 0.15, 0.15]), 0) is None


def test_distance_checks_see_what_they_should():
    squares = shapely.box([0, 64, 192], 0, [64, 128, 256], 64)
    squares = np.array(squares)
    assert smallest_distance(squares, np.array([0, 0, 1])) == 64
    assert smallest_distance(squares, np.array([0, 1, 1])) == 0
    assert smallest_distance(squares, np.array([0, 0, 0])) == np.inf
    assert smallest_distance(np.array(shapely.box([0, 63], 0, [64, 127], 64)),
                             np.array([0, 1])) == -1
    assert all_apart(squares, np.array([0, 0, 1]))
    assert not all_apart(squares, np.array([0, 1, 1]))
    assert not all_apart(np.array(shapely.box([0, 127], 0, [64, 191], 64)), np.array([0, 1]))


@given(st.integers(0, 1000), st.integers(2, 6))
def test_sampling_weights_are_bounded_and_prefer_rare_classes(seed, classes):
    random = np.random.default_rng(seed)
    shares = random.dirichlet(np.geomspace(1, 0.01, classes), size=60)
    weights = sampling_weights(shares, np.full(60, 4096), np.arange(60) < 40)
    assert weights[:40].mean() == pytest.approx(1)
    assert weights.min() > 0
    assert weights.max() / weights.min() <= 10 + 1e-9


def test_a_chip_with_the_rare_class_is_drawn_more_often():
    shares = np.tile([0.99, 0.01], (50, 1))
    shares[7] = [0.5, 0.5]
    weights = sampling_weights(shares, np.full(50, 4096), np.ones(50, dtype=bool))
    assert weights.argmax() == 7
    assert weights[7] > 2 * weights[0]
