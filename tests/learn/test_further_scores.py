"""The scores that papers name: soft IoU, Dice per chip, accuracies; old cards still load."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from segmentation_models_pytorch.losses._functional import soft_jaccard_score
from torchmetrics.classification import MulticlassAccuracy, MultilabelAccuracy
from torchmetrics.functional.segmentation import dice_score

from geoseg.geo.legend import IGNORE
from geoseg.learn.metrics import Scores, Tally, decide
from tests.learn.tallies import make_chips, make_legend, make_overlapping, per_class, tally_of


def sure(labels, certainty):
    """Probabilities of two classes that are right everywhere, and as certain as said."""
    second = np.where(labels == 1, certainty, 1 - certainty)
    return np.stack([1 - second, second], axis=1).astype(np.float32)


def test_soft_iou_punishes_doubt_where_iou_sees_none():
    """Right everywhere with p = 0.8, and a fifth positive: 0.16 / (0.32 + 0.2 - 0.16)."""
    labels = np.zeros((1, 10, 10), np.uint8)
    labels[:, :2] = 1
    scores = tally_of(make_legend(2), sure(labels, 0.8), labels).scores()
    assert scores["class 1"].iou == 1
    assert scores["class 1"].soft_iou == pytest.approx(4 / 9, abs=1e-6)
    assert scores["class 0"].soft_iou == pytest.approx(0.64 / 0.84, abs=1e-6)
    assert scores.mean_soft_iou == pytest.approx((4 / 9 + 0.64 / 0.84) / 2, abs=1e-6)


@pytest.mark.parametrize("overlapping", [False, True])
def test_soft_iou_equals_that_of_segmentation_models(overlapping):
    make = make_overlapping if overlapping else make_chips
    probabilities, labels = make(count=4, classes=3)
    scores = tally_of(make_legend(3, overlapping=overlapping), probabilities, labels).scores()
    if not overlapping:
        labels = np.where(labels[:, None] == IGNORE, IGNORE,
                          labels[:, None] == np.arange(3)[:, None, None])
    known = torch.from_numpy(labels != IGNORE)
    expected = soft_jaccard_score(torch.from_numpy(probabilities).double() * known,
                                  torch.from_numpy(labels == 1).double(), dims=(0, 2, 3))
    np.testing.assert_allclose(per_class(scores, "soft_iou"), expected, rtol=1e-6)
    assert not np.allclose(per_class(scores, "soft_iou"), per_class(scores, "iou"), atol=0.05)


@pytest.mark.parametrize("overlapping", [False, True])
def test_probabilities_of_zero_and_one_make_soft_iou_the_iou(overlapping):
    make = make_overlapping if overlapping else make_chips
    probabilities, labels = make(classes=3)
    legend = make_legend(3, overlapping=overlapping)
    decision = decide(probabilities, legend)
    crisp = decision if overlapping else decision[:, None] == np.arange(3)[:, None, None]
    scores = tally_of(legend, crisp.astype(np.float32), labels).scores()
    np.testing.assert_allclose(per_class(scores, "soft_iou"), per_class(scores, "iou"))


def test_dice_per_chip_by_hand():
    """Three chips of the second class: half found, rightly nothing, wrongly something."""
    labels = np.zeros((3, 2, 2), np.uint8)
    labels[0, 0] = 1
    mapped = np.zeros((3, 2, 2))
    mapped[0, 0, 0] = 1
    mapped[2, 1, 1] = 1
    probabilities = np.stack([1 - mapped, mapped], axis=1).astype(np.float32)
    scores = tally_of(make_legend(2), probabilities, labels, chips=True).scores()
    assert scores["class 1"].chip_dice == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert scores["class 0"].chip_dice == pytest.approx((4 / 5 + 1 + 6 / 7) / 3)
    assert scores.mean_chip_dice == pytest.approx((2 / 3 + 1 + 4 / 5 + 1 + 6 / 7) / 6)
    assert scores["class 1"].dice == pytest.approx(2 * 1 / (2 + 2))


@pytest.mark.parametrize("overlapping", [False, True])
def test_dice_per_chip_equals_torchmetrics_with_ones_for_what_it_calls_undefined(overlapping):
    make = make_overlapping if overlapping else make_chips
    probabilities, labels = make(count=5, classes=3)
    probabilities[:2, 2] = 0
    labels[:2][labels[:2] == (1 if overlapping else 2)] = 0
    legend = make_legend(3, overlapping=overlapping)
    scores = tally_of(legend, probabilities, labels, chips=True).scores()
    decision = decide(probabilities, legend)
    if not overlapping:
        labels, decision = (np.where(item[:, None] == IGNORE, IGNORE,
                                     item[:, None] == np.arange(3)[:, None, None])
                            for item in (labels, decision))
    decision = np.where(labels == IGNORE, 0, decision)
    each = dice_score(torch.from_numpy(decision).long(), torch.from_numpy(labels == 1).long(), 3,
                      average="none", input_format="one-hot").numpy()
    assert np.isnan(each).any()
    np.testing.assert_allclose(per_class(scores, "chip_dice"),
                               np.nan_to_num(each, nan=1).mean(axis=0), rtol=1e-6)
    assert scores.mean_chip_dice == pytest.approx(np.nan_to_num(each, nan=1).mean(), rel=1e-6)


def test_a_class_that_occurs_nowhere_is_rewarded_for_silence_only_in_dice_per_chip():
    labels = np.zeros((2, 4, 4), np.uint8)
    scores = tally_of(make_legend(2), sure(labels, 1), labels, chips=True).scores()
    assert scores["class 1"].chip_dice == 1
    assert (scores["class 1"].dice, scores["class 1"].iou, scores["class 1"].soft_iou) == (
        None, None, None)
    loud = tally_of(make_legend(2), sure(1 - labels, 1), labels, chips=True).scores()
    assert loud["class 1"].chip_dice == 0


def test_chips_without_any_label_are_left_out():
    probabilities, labels = make_chips(count=3)
    legend = make_legend(4)
    labels[1] = IGNORE
    whole = tally_of(legend, probabilities, labels, chips=True)
    part = tally_of(legend, probabilities[[0, 2]], labels[[0, 2]], chips=True)
    assert whole.scores() == part.scores()
    nothing = tally_of(legend, probabilities[[1]], labels[[1]], chips=True).scores()
    assert (nothing.mean_chip_dice, nothing.mean_soft_iou, nothing.balanced_accuracy) == (
        None, None, None)


def test_accuracies_equal_torchmetrics():
    probabilities, labels = make_chips()
    scores = tally_of(make_legend(4), probabilities, labels).scores()
    p, y = torch.from_numpy(probabilities), torch.from_numpy(labels.astype(np.int64))
    macro = MulticlassAccuracy(4, average="macro", ignore_index=IGNORE)(p, y)
    assert scores.balanced_accuracy == pytest.approx(float(macro), rel=1e-6)
    known = labels != IGNORE
    for c, item in enumerate(scores.classes):
        right = (labels[known] == c) == (probabilities.argmax(axis=1)[known] == c)
        assert item.accuracy == pytest.approx(right.mean())
    probabilities, labels = make_overlapping()
    scores = tally_of(make_legend(3, overlapping=True), probabilities, labels).scores()
    each = MultilabelAccuracy(3, average="none", ignore_index=IGNORE)(
        torch.from_numpy(probabilities), torch.from_numpy(labels.astype(np.int64)))
    np.testing.assert_allclose(per_class(scores, "accuracy"), each, rtol=1e-6)
    assert scores.balanced_accuracy is None


def test_what_histograms_cannot_tell_is_left_out_at_other_thresholds():
    probabilities, labels = make_chips(classes=2)
    tally = tally_of(make_legend(2), probabilities, labels, chips=True, objects="class 1")
    counted, recounted = tally.scores(), tally.scores({"class 1": 0.7})
    assert counted.mean_chip_dice is not None
    assert counted.objects is not None
    assert (recounted.mean_chip_dice, recounted["class 1"].chip_dice, recounted.objects) == (
        None, None, None)
    assert recounted["class 1"].soft_iou == counted["class 1"].soft_iou


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), overlapping=st.booleans())
def test_scores_lie_between_zero_and_one(seed, overlapping):
    make = make_overlapping if overlapping else make_chips
    probabilities, labels = make(classes=3, size=12, seed=seed)
    scores = tally_of(make_legend(3, overlapping=overlapping), probabilities, labels, chips=True,
                      objects="class 0").scores()
    found = [*per_class(scores, "soft_iou"), *per_class(scores, "chip_dice"),
             *per_class(scores, "accuracy"), scores.mean_soft_iou, scores.mean_chip_dice,
             scores.objects.v_rand, scores.objects.v_info, scores.objects.best_v_rand]
    assert all(0 <= value <= 1 for value in found)


def test_cards_from_before_these_scores_still_load():
    probabilities, labels = make_chips()
    scores = tally_of(make_legend(4), probabilities, labels).scores()
    data = scores.to_dict()
    for name in ("balanced_accuracy", "mean_soft_iou", "mean_chip_dice", "objects"):
        del data[name]
    for item in data["classes"]:
        for name in ("soft_iou", "accuracy", "chip_dice"):
            del item[name]
    old = Scores.from_dict(data)
    assert old.mean_iou == scores.mean_iou
    assert (old.mean_soft_iou, old.objects, old["class 1"].accuracy) == (None, None, None)
    assert "balanced accuracy n/a" in old.table()


def test_the_table_tells_of_chips_and_objects_where_they_were_counted():
    probabilities, labels = make_chips()
    scores = tally_of(make_legend(4), probabilities, labels, chips=True,
                      objects="class 2").scores()
    last = scores.table().splitlines()[-1]
    assert last == (f"Dice per chip {scores.mean_chip_dice:.3f}   "
                    f"V_rand of class 2 {scores.objects.v_rand:.3f}   "
                    f"V_info {scores.objects.v_info:.3f}")
    assert "Dice per chip" not in Tally(make_legend(4)).scores().table()
