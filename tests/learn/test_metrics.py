"""Scores against torchmetrics, scipy's distance transform, and their own invariants."""

from __future__ import annotations

import json

import numpy as np
import pytest
import scipy.ndimage
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.classification import (
    BinaryCalibrationError,
    MulticlassAveragePrecision,
    MulticlassCalibrationError,
    MulticlassCohenKappa,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
    MulticlassJaccardIndex,
    MulticlassPrecision,
    MulticlassRecall,
    MultilabelAveragePrecision,
    MultilabelConfusionMatrix,
    MultilabelJaccardIndex,
)

from geoseg.errors import ModelError
from geoseg.geo.legend import IGNORE, Legend, LegendClass
from geoseg.learn.boundary import boundary_counts
from geoseg.learn.metrics import BINS, Scores, Tally, decide
from geoseg.learn.thresholds import best_threshold
from tests.learn.tallies import make_chips, make_legend, make_overlapping, per_class, tally_of


@pytest.mark.parametrize("classes", [2, 4, 7])
def test_exclusive_scores_equal_torchmetrics(classes):
    probabilities, labels = make_chips(classes=classes)
    scores = tally_of(make_legend(classes), probabilities, labels).scores()
    p, y = torch.from_numpy(probabilities), torch.from_numpy(labels.astype(np.int64))
    options = {"num_classes": classes, "ignore_index": IGNORE}
    for field, metric in [("iou", MulticlassJaccardIndex), ("dice", MulticlassF1Score),
                          ("precision", MulticlassPrecision), ("recall", MulticlassRecall)]:
        expected = metric(**options, average="none")(p, y).numpy()
        np.testing.assert_allclose(per_class(scores, field), expected, rtol=1e-6)
    matrix = MulticlassConfusionMatrix(**options)(p, y).numpy()
    np.testing.assert_array_equal(scores.confusion[0], matrix)
    assert scores.kappa == pytest.approx(float(MulticlassCohenKappa(**options)(p, y)), rel=1e-5)
    assert scores.accuracy == pytest.approx(np.trace(matrix) / matrix.sum())
    assert scores.pixels == (labels != IGNORE).sum()


def test_average_precision_equals_torchmetrics_at_the_same_thresholds():
    probabilities, labels = make_chips()
    scores = tally_of(make_legend(4), probabilities, labels).scores()
    metric = MulticlassAveragePrecision(4, average="none", ignore_index=IGNORE,
                                        thresholds=torch.arange(BINS) / BINS)
    expected = metric(torch.from_numpy(probabilities), torch.from_numpy(labels.astype(np.int64)))
    np.testing.assert_allclose(per_class(scores, "average_precision"), expected, atol=1e-5)


def test_calibration_error_equals_torchmetrics():
    probabilities, labels = make_chips(count=6)
    scores = tally_of(make_legend(4), probabilities, labels).scores()
    metric = MulticlassCalibrationError(4, n_bins=20, ignore_index=IGNORE)
    expected = metric(torch.from_numpy(probabilities), torch.from_numpy(labels.astype(np.int64)))
    assert scores.ece == pytest.approx(float(expected), abs=1e-5)


def test_overlapping_scores_equal_torchmetrics():
    probabilities, labels = make_overlapping()
    scores = tally_of(make_legend(3, overlapping=True), probabilities, labels).scores()
    p, y = torch.from_numpy(probabilities), torch.from_numpy(labels.astype(np.int64))
    options = {"num_labels": 3, "ignore_index": IGNORE}
    matrices = MultilabelConfusionMatrix(**options)(p, y).numpy()
    np.testing.assert_array_equal(scores.confusion, matrices)
    np.testing.assert_allclose(per_class(scores, "iou"), MultilabelJaccardIndex(
        **options, average="none")(p, y), rtol=1e-6)
    np.testing.assert_allclose(
        per_class(scores, "average_precision"),
        MultilabelAveragePrecision(**options, average="none",
                                   thresholds=torch.arange(BINS) / BINS)(p, y), atol=1e-5)
    known = labels != IGNORE
    expected = BinaryCalibrationError(n_bins=20)(p[torch.from_numpy(known)],
                                                 y[torch.from_numpy(known)])
    assert scores.ece == pytest.approx(float(expected), abs=1e-5)
    assert scores.kappa is None
    assert scores.pixels == known.any(axis=1).sum()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(1, 4), overlapping=st.booleans(),
       extras=st.booleans())
def test_merged_parts_equal_the_whole(seed, cut, overlapping, extras):
    make = make_overlapping if overlapping else make_chips
    probabilities, labels = make(count=5, classes=3, size=16, seed=seed)
    legend = make_legend(3, overlapping=overlapping)
    options = {"boundary": True, "chips": True, "objects": "class 1"} if extras else {}
    whole = tally_of(legend, probabilities, labels, **options)
    first = tally_of(legend, probabilities[:cut], labels[:cut], **options)
    first.merge(tally_of(legend, probabilities[cut:], labels[cut:], **options))
    for name in ("confusion", "histograms", "outcomes", "edges", "pixels"):
        np.testing.assert_array_equal(getattr(first, name), getattr(whole, name))
    for name in ("confidence", "sums", "chip_dice", "partitions"):
        np.testing.assert_allclose(getattr(first, name), getattr(whole, name))
        assert getattr(whole, name).any() == (extras or name in ("confidence", "sums"))


def test_tallies_of_different_settings_do_not_merge():
    with pytest.raises(ValueError, match="merged"):
        Tally(make_legend(3)).merge(Tally(make_legend(4)))
    with pytest.raises(ValueError, match="merged"):
        Tally(make_legend(3)).merge(Tally(make_legend(3), boundary=True))
    with pytest.raises(ValueError, match="merged"):
        Tally(make_legend(3), objects="class 0").merge(Tally(make_legend(3), objects="class 1"))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), overlapping=st.booleans())
def test_predictions_at_ignored_pixels_change_nothing(seed, overlapping):
    make = make_overlapping if overlapping else make_chips
    probabilities, labels = make(classes=3, size=16, seed=seed)
    legend = make_legend(3, overlapping=overlapping)
    ignored = labels == IGNORE
    where = ignored if overlapping else np.broadcast_to(ignored[:, None], probabilities.shape)
    changed = np.where(where, np.random.default_rng(seed).random(where.shape, np.float32),
                       probabilities)
    options = {"boundary": True, "chips": True, "objects": "class 1"}
    first = tally_of(legend, probabilities, labels, **options)
    second = tally_of(legend, changed, labels, **options)
    np.testing.assert_allclose(second.confidence, first.confidence)
    assert second.scores() == first.scores()


def test_a_class_without_labels_is_undefined_and_not_in_the_mean():
    probabilities, labels = make_chips(absent=(2,))
    scores = tally_of(make_legend(4), probabilities, labels).scores()
    absent = scores["class 2"]
    assert absent.support == 0
    assert absent.predicted > 0
    assert {absent.iou, absent.dice, absent.precision, absent.recall, absent.average_precision,
            absent.boundary_f1} == {None}
    others = [scores[f"class {i}"].iou for i in (0, 1, 3)]
    assert scores.mean_iou == pytest.approx(np.mean(others))
    assert scores.classes_scored == 3
    assert "mean of 3" in scores.table()
    assert "n/a" in scores.table()


def test_a_class_never_given_has_no_precision_but_an_iou_of_zero():
    probabilities = np.zeros((1, 2, 4, 4), np.float32)
    probabilities[:, 0] = 1
    scores = tally_of(make_legend(2), probabilities, np.ones((1, 4, 4), np.uint8)).scores()
    assert scores["class 1"].precision is None
    assert scores["class 1"].iou == 0
    assert scores["class 0"].iou is None


@pytest.mark.parametrize("overlapping", [False, True])
def test_nothing_labelled_gives_no_scores_at_all(overlapping):
    legend = make_legend(3, overlapping=overlapping)
    make = make_overlapping if overlapping else make_chips
    probabilities, labels = make(classes=3)
    scores = tally_of(legend, probabilities, np.full_like(labels, IGNORE), boundary=True).scores()
    assert (scores.accuracy, scores.mean_iou, scores.mean_dice, scores.kappa, scores.ece) == (
        None, None, None, None, None)
    assert scores.pixels == 0
    assert Tally(legend).scores().mean_iou is None


@pytest.mark.parametrize("overlapping", [False, True])
def test_scores_survive_json(overlapping):
    make = make_overlapping if overlapping else make_chips
    probabilities, labels = make(classes=3)
    scores = tally_of(make_legend(3, overlapping=overlapping), probabilities, labels,
                      boundary=True, chips=True, objects="class 2").scores()
    assert scores.objects.chips == 3
    text = json.dumps(scores.to_dict(), allow_nan=False)
    assert Scores.from_dict(json.loads(text)) == scores


def test_table_is_aligned_and_names_every_class():
    probabilities, labels = make_chips()
    scores = tally_of(make_legend(4), probabilities, labels).scores()
    lines = scores.table().splitlines()
    assert len({len(line) for line in lines[:-1]}) == 1
    assert [line.split("  ")[0] for line in lines[1:5]] == [f"class {i}" for i in range(4)]
    assert f"{scores.mean_iou:.3f}" in lines[5]


def test_decision_is_argmax_and_thresholds_move_the_second_class():
    probabilities, _ = make_chips(classes=5)
    np.testing.assert_array_equal(decide(probabilities, make_legend(5)),
                                  probabilities.argmax(axis=1))
    two, _ = make_chips(classes=2)
    np.testing.assert_array_equal(decide(two, make_legend(2), {"class 1": 0.8}), two[:, 1] >= 0.8)
    both, _ = make_overlapping()
    expected = both >= np.array([0.5, 0.9, 0.2], np.float32)[:, None, None]
    np.testing.assert_array_equal(
        decide(both, make_legend(3, overlapping=True), {"class 1": 0.9, "class 2": 0.2}), expected)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=8, max_size=8))
def test_best_threshold_beats_every_other(counts):
    positives, negatives = np.array(counts).T
    found = best_threshold(positives, negatives)
    if positives.sum() == 0:
        assert found is None
        return

    def dice(edge):
        return 2 * positives[edge:].sum() / (
            positives.sum() + positives[edge:].sum() + negatives[edge:].sum())

    assert 0 < found < 1
    assert dice(round(found * 8)) == max(dice(edge) for edge in range(1, 8))


def test_best_threshold_applied_gives_the_best_dice():
    probabilities, labels = make_chips(classes=2, skill=0.5, count=8)
    legend = make_legend(2)
    best = tally_of(legend, probabilities, labels).best_thresholds()["class 1"]

    def dice(threshold):
        tally = tally_of(legend, probabilities, labels, thresholds={"class 1": threshold})
        return tally.scores()["class 1"].dice

    assert dice(best) == pytest.approx(max(dice(k / BINS) for k in range(1, BINS, 3)), abs=2e-3)
    assert dice(best) > dice(0.5)


@pytest.mark.parametrize("overlapping", [False, True])
def test_scores_at_other_thresholds_equal_a_tally_made_with_them(overlapping):
    make = make_overlapping if overlapping else make_chips
    probabilities, labels = make(classes=2)
    legend = make_legend(2, overlapping=overlapping)
    thresholds = {"class 0": 100 / BINS, "class 1": 300 / BINS}
    recounted = tally_of(legend, probabilities, labels).scores(thresholds)
    assert recounted == tally_of(legend, probabilities, labels, thresholds=thresholds).scores()
    assert recounted != tally_of(legend, probabilities, labels).scores()


def test_no_thresholds_leave_ties_as_they_were_decided():
    tie = np.full((1, 2, 4, 4), 0.5, np.float32)
    tally = tally_of(make_legend(2), tie, np.zeros((1, 4, 4), np.uint8))
    assert tally.scores().accuracy == 1
    assert tally.scores({}) == tally.scores({"class 0": 0.9}) == tally.scores()
    assert tally.scores({"class 1": 0.5}).accuracy == 0


def test_thresholds_change_nothing_among_many_exclusive_classes():
    probabilities, labels = make_chips()
    tally = tally_of(make_legend(4), probabilities, labels, boundary=True)
    assert tally.scores(tally.best_thresholds()) == tally.scores()


def test_perfect_separation_takes_the_middle_threshold():
    positives, negatives = np.zeros(BINS, int), np.zeros(BINS, int)
    positives[-1], negatives[0] = 5, 5
    assert best_threshold(positives, negatives) == pytest.approx(0.5, abs=2 / BINS)


def test_precision_recall_ends_at_the_share_of_the_class():
    probabilities, labels = make_chips()
    curve = tally_of(make_legend(4), probabilities, labels).precision_recall("class 1")
    assert curve.recall[-1] == 1
    assert curve.precision[-1] == pytest.approx((labels == 1).sum() / (labels != IGNORE).sum())
    assert (np.diff(curve.recall) >= 0).all()


def distance_counts(decision, labels, value, tolerance):
    """The definition, with distance transforms."""
    known = labels != IGNORE
    far = scipy.ndimage.distance_transform_edt(np.pad(known, 1))[1:-1, 1:-1] > tolerance

    def edges(inside, known):
        cross = scipy.ndimage.generate_binary_structure(2, 1)
        return inside & scipy.ndimage.binary_dilation(known & ~inside, cross)

    def near(edge):
        if not edge.any():
            return np.zeros_like(edge)
        return scipy.ndimage.distance_transform_edt(~edge) <= tolerance

    made, drawn = edges(decision == value, np.ones_like(known)), edges(labels == value, known)
    return [(made & far).sum(), (made & far & near(drawn)).sum(),
            (drawn & far).sum(), (drawn & far & near(made)).sum()]


@pytest.mark.parametrize("tolerance", [1.0, 1.5, 2.0, 3.0])
def test_boundary_counts_equal_the_distance_transform(tolerance):
    rng = np.random.default_rng(3)
    smooth = scipy.ndimage.gaussian_filter(rng.normal(size=(2, 4, 48, 48)), (0, 0, 3, 3))
    labels, decision = smooth.argmax(axis=1).astype(np.uint8)
    labels[10:14, 20:30] = IGNORE
    counts = boundary_counts(decision[None], labels[None], make_legend(4), tolerance)
    expected = [distance_counts(decision, labels, value, tolerance) for value in range(4)]
    np.testing.assert_array_equal(counts, expected)
    assert counts.sum() > 100


def shifted_square(shift, *, overlapping=False):
    """A square and the same moved to the right by some pixels, as tally input."""
    labels, chosen = np.zeros((2, 40, 40), np.uint8)
    labels[10:30, 8:24] = 1
    chosen[10:30, 8 + shift:24 + shift] = 1
    probabilities = np.stack([chosen == 0, chosen == 1])[None].astype(np.float32)
    if overlapping:
        return probabilities, np.stack([labels == 0, labels == 1])[None].astype(np.uint8)
    return probabilities, labels[None]


@pytest.mark.parametrize("overlapping", [False, True])
def test_boundary_forgives_the_tolerance_and_no_more(overlapping):
    legend = make_legend(2, overlapping=overlapping)
    within = tally_of(legend, *shifted_square(2, overlapping=overlapping), boundary=True)
    beyond = tally_of(legend, *shifted_square(3, overlapping=overlapping), boundary=True)
    assert within.scores()["class 1"].boundary_f1 == 1
    assert 0 < beyond.scores()["class 1"].boundary_f1 < 1
    assert within.scores()["class 1"].iou < 1


def test_edges_of_ignored_areas_are_no_edges():
    labels = np.zeros((1, 30, 30), np.uint8)
    labels[:, :, 15:] = IGNORE
    probabilities = np.zeros((1, 2, 30, 30), np.float32)
    probabilities[:, 0, :, :15] = 1
    probabilities[:, 1, :, 15:] = 1
    tally = tally_of(make_legend(2), probabilities, labels, boundary=True)
    assert tally.edges.sum() == 0
    assert tally.scores()["class 0"].boundary_f1 is None


def test_values_that_are_not_finite_are_refused():
    probabilities, labels = make_chips()
    probabilities[0, 0, 0, 0] = np.nan
    with pytest.raises(ModelError, match="not finite"):
        Tally(make_legend(4)).add(probabilities, labels)


def test_shapes_and_labels_are_checked():
    probabilities, labels = make_chips()
    with pytest.raises(ValueError, match="do not fit"):
        Tally(make_legend(3)).add(probabilities, labels)
    with pytest.raises(ValueError, match="do not fit"):
        Tally(make_legend(4)).add(probabilities, labels[:, :-1])
    labels[0, 0, 0] = 4
    with pytest.raises(ValueError, match="neither below 4"):
        Tally(make_legend(4)).add(probabilities, labels)


def test_the_best_division_of_two_classes_is_found_by_trying_all():
    random = np.random.default_rng(5)
    truth = random.random((1, 80, 80)) < 0.15
    water = np.clip(0.3 * truth + random.normal(0.3, 0.15, truth.shape), 0, 1)
    legend = Legend((LegendClass(0, "land", "#aa8855"), LegendClass(1, "water", "#3182bd")))
    tally = Tally(legend)
    tally.add(np.stack([1 - water, water], axis=1).astype(np.float32), truth.astype(np.uint8))
    found = tally.map_thresholds()

    def mean_iou(threshold):
        mapped = water >= threshold
        return np.mean([(mapped & truth).sum() / (mapped | truth).sum(),
                        (~mapped & ~truth).sum() / (~mapped | ~truth).sum()])

    best = max(mean_iou(edge / 512) for edge in range(1, 512))
    assert mean_iou(found["water"]) == pytest.approx(best, abs=1e-3)
