"""V_rand and V_info: by hand, by pairs, against scikit-image and torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import adapted_rand_error, variation_of_information
from torchmetrics.functional.clustering import normalized_mutual_info_score

from geoseg.geo.legend import IGNORE
from geoseg.learn.partitions import object_scores, partition_scores
from tests.learn.tallies import make_legend, tally_of


def test_two_partitions_by_hand():
    """Objects of 4 and 4 pixels; one is found whole, with half of the other."""
    true = np.array([[1, 1, 1, 1, 2, 2, 2, 2]])
    made = np.array([[1, 1, 1, 1, 1, 1, 2, 2]])
    v_rand, v_info = partition_scores(made, true)
    assert v_rand == pytest.approx(0.375 / (0.5 * (0.625 + 0.5)))
    joint = 0.5 * np.log2(0.5 / 0.375) + 0.25 * np.log2(0.25 / 0.375) + 0.25 * np.log2(0.25 / 0.125)
    entropy = -0.75 * np.log2(0.75) - 0.25 * np.log2(0.25)
    assert v_info == pytest.approx(2 * joint / (1 + entropy))


@pytest.mark.parametrize("turned", [False, True])
def test_one_object_cut_in_halves_and_two_halves_joined(turned):
    whole, halves = np.ones((1, 8), int), np.array([[1, 1, 1, 1, 2, 2, 2, 2]])
    found = partition_scores(whole, halves) if turned else partition_scores(halves, whole)
    assert found == (pytest.approx(2 / 3), pytest.approx(0, abs=1e-12))


def test_one_object_found_whole_is_perfect():
    assert partition_scores(np.full((3, 3), 7), np.ones((3, 3), int)) == (1, 1)


def random_partition(seed, size=40, objects=9):
    rng = np.random.default_rng(seed)
    smooth = scipy.ndimage.gaussian_filter(rng.normal(size=(objects, size, size)), (0, 3, 3))
    return smooth.argmax(axis=0)


def test_rand_equals_counting_all_pairs():
    true, made = random_partition(0, 12), random_partition(1, 12, 5)
    t, m = true[true > 0], made[true > 0]
    same_true, same_made = t[:, None] == t, m[:, None] == m
    both = (same_true & same_made).mean()
    expected = 2 * both / (same_true.mean() + same_made.mean())
    assert partition_scores(made, true)[0] == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(4))
def test_rand_equals_scikit_image_but_for_pairs_of_a_pixel_with_itself(seed):
    true, made = random_partition(seed), random_partition(seed + 10)
    error, _, _ = adapted_rand_error(true, made, ignore_labels=(0,))
    judged = true > 0
    pairs = np.mean([(np.unique(part[judged], return_counts=True)[1] ** 2).sum()
                     for part in (true, made)])
    itself = judged.sum()
    found = partition_scores(made, true)[0]
    assert (found * pairs - itself) / (pairs - itself) == pytest.approx(1 - error)
    assert found == pytest.approx(1 - error, abs=0.01)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
def test_information_equals_scikit_image_and_torchmetrics(seed):
    true, made = random_partition(seed), random_partition(seed + 10)
    judged = true > 0
    variation = sum(variation_of_information(true[judged], made[judged]))
    entropies = sum(scipy.stats.entropy(np.unique(part[judged], return_counts=True)[1], base=2)
                    for part in (true, made))
    found = partition_scores(made, true)[1]
    assert found == pytest.approx(1 - variation / entropies)
    mutual = normalized_mutual_info_score(torch.from_numpy(made[judged]),
                                          torch.from_numpy(true[judged]), "arithmetic")
    assert found == pytest.approx(float(mutual), abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_numbers_of_objects_mean_nothing(seed):
    rng = np.random.default_rng(seed)
    true, made = random_partition(seed, 16), random_partition(seed + 1, 16)
    renamed = np.concatenate([[0], 1 + rng.permutation(8)])[true], rng.permutation(20)[made]
    assert partition_scores(renamed[1], renamed[0]) == pytest.approx(partition_scores(made, true))
    assert partition_scores(true, true) == pytest.approx((1, 1))


def cells(size=31, *, gap=None):
    """Four cells with borders of three pixels between them; a gap opens one border."""
    inside = np.ones((size, size), bool)
    inside[14:17] = False
    inside[:, 14:17] = False
    if gap is not None:
        inside[5:5 + gap, 14:17] = True
    return inside


EVERYWHERE = np.ones((31, 31), bool)


def test_the_width_of_borders_does_not_matter_but_a_gap_does():
    wide = scipy.ndimage.binary_erosion(cells(), iterations=3)
    assert object_scores(wide, cells(), EVERYWHERE) == (1, 1)
    rand, info = object_scores(cells(gap=1), cells(), EVERYWHERE)
    # Two of four equal objects are one: 4 / 16 over the mean of 4 / 16 and 6 / 16.
    assert rand == pytest.approx(0.8, abs=1e-3)
    assert info == pytest.approx(2 * 1.5 / (2 + 1.5), abs=1e-3)
    assert (cells(gap=1) != cells()).mean() < 0.01


def test_patches_that_touch_at_a_corner_are_two_objects():
    corner = np.kron(np.eye(2), np.ones((4, 4))) == 1
    known = np.ones_like(corner)
    assert object_scores(corner, corner, known) == (1, 1)
    joined = corner.copy()
    joined[3, 4] = True
    assert object_scores(joined, corner, known)[0] == pytest.approx(2 / 3)


def test_nothing_mapped_is_one_object_and_nothing_labelled_no_score():
    nothing = np.zeros_like(EVERYWHERE)
    rand, info = object_scores(nothing, cells(), EVERYWHERE)
    assert (rand, info) == (pytest.approx(2 * 0.25 / 1.25), pytest.approx(0, abs=1e-9))
    assert object_scores(cells(), nothing, EVERYWHERE) is None
    assert object_scores(cells(), cells(), nothing) is None
    with pytest.raises(ValueError, match="no pixel"):
        partition_scores(cells().astype(int), nothing.astype(int))


def test_pixels_between_objects_count_for_the_nearest():
    """Distances of OpenCV are a little off, so pixels that are nearly as near are left out."""
    rng = np.random.default_rng(0)
    mapped = scipy.ndimage.gaussian_filter(rng.normal(size=(60, 60)), 3) > 0.05
    patches, count = scipy.ndimage.label(mapped)
    distance = np.sort([scipy.ndimage.distance_transform_edt(patches != number)
                        for number in range(1, count + 1)], axis=0)
    nearest = np.argmin([scipy.ndimage.distance_transform_edt(patches != number)
                         for number in range(1, count + 1)], axis=0)
    clear = distance[1] > 1.1 * distance[0] + 0.5
    assert 0.3 < clear[~mapped].mean() < 1
    labelled = scipy.ndimage.label(clear & (nearest == 0))[0]
    expected = partition_scores(nearest, labelled)
    assert object_scores(mapped, clear & (nearest == 0), np.ones_like(mapped)) == expected


def chips(seed=0):
    """Two chips of cells, and probabilities of cells that are unsure of the borders."""
    rng = np.random.default_rng(seed)
    inside = np.stack([cells(), cells(gap=2)])
    labels = np.where(inside, 1, 0).astype(np.uint8)
    chance = scipy.ndimage.gaussian_filter(inside.astype(float), (0, 1, 1))
    chance = np.clip(chance + rng.normal(0, 0.05, chance.shape), 0, 1)
    return np.stack([1 - chance, chance], axis=1).astype(np.float32), labels


@pytest.mark.parametrize("overlapping", [False, True])
def test_a_tally_gives_the_mean_over_chips_of_the_map_and_of_the_best_threshold(overlapping):
    probabilities, labels = chips()
    chance = probabilities[:, 1]
    given = np.stack([1 - labels, labels], axis=1) if overlapping else labels
    found = tally_of(make_legend(2, overlapping=overlapping), probabilities, given,
                     objects="class 1", thresholds={"class 1": 0.04}).scores().objects
    limits = [step / 10 for step in range(1, 10)]
    each = np.array([[object_scores(chip >= np.float32(limit), label == 1, EVERYWHERE)
                      for chip, label in zip(chance, labels, strict=True)]
                     for limit in [0.04, *limits]]).mean(axis=1)
    assert (found.name, found.chips) == ("class 1", 2)
    assert (found.v_rand, found.v_info) == pytest.approx(each[0])
    assert found.best_v_rand == pytest.approx(each[1:, 0].max())
    assert found.best_v_rand_at == limits[each[1:, 0].argmax()]
    assert found.best_v_info == pytest.approx(each[1:, 1].max())
    assert found.best_v_info_at == limits[each[1:, 1].argmax()]
    assert found.best_v_rand > found.v_rand


def test_chips_without_objects_do_not_enter_the_mean():
    probabilities, labels = chips()
    alone = tally_of(make_legend(2), probabilities[:1], labels[:1], objects="class 1").scores()
    labels[1] = 0
    both = tally_of(make_legend(2), probabilities, labels, objects="class 1").scores()
    assert both.objects == alone.objects
    labels[:] = IGNORE
    assert tally_of(make_legend(2), probabilities, labels, objects="class 1").scores(
        ).objects is None
