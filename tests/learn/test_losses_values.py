"""The value of each loss: by hand, by the formula of its paper in plain loops, by other libraries.

The oracles know nothing of logits or tensors: they take probabilities and labels pixel by pixel.
"""

import math
from itertools import product

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from scipy.spatial import cKDTree
from torch.nn import functional
from torchvision.ops import sigmoid_focal_loss

from geoseg.learn.losses import Loss


def yes_or_no(formula, probabilities, labels):
    """Return the loss of one overlapping class on one row of pixels."""
    logits = torch.tensor([probabilities], dtype=torch.float64).reshape(1, 1, 1, -1).logit()
    target = torch.tensor(labels, dtype=torch.uint8).reshape(1, 1, 1, -1)
    return float(Loss(formula, overlapping=True)(logits, target))


def one_of(formula, probabilities, labels, **kwargs):
    """Return the loss of exclusive classes; probabilities (pixels, classes) sum to 1."""
    logits = torch.tensor(probabilities, dtype=torch.float64).log().T[None, :, None]
    target = torch.tensor(labels, dtype=torch.uint8).reshape(1, 1, 1, -1)
    return float(Loss(formula, overlapping=False, **kwargs)(logits, target))


@pytest.mark.parametrize(("formula", "expected"), [
    ("ce", -(math.log(0.8) + math.log(0.6) + math.log(0.3) + math.log(0.9)) / 4),
    # Overlap 0.8 + 0.3 = 1.1, answered 0.8 + 0.4 + 0.3 + 0.1 = 1.6, labelled 2.
    ("dice", 1 - (2 * 1.1 + 1) / (1.6 + 2 + 1)),
    ("dice(smooth=0)", 1 - 2.2 / 3.6),
    ("iou", 1 - (1.1 + 1) / (1.6 + 2 - 1.1 + 1)),
    ("iou(smooth=0)", 1 - 1.1 / 2.5),
    # False alarms 0.4 + 0.1, misses 0.2 + 0.7.
    ("tversky(alpha=0.3, beta=0.7, smooth=0)", 1 - 1.1 / (1.1 + 0.3 * 0.5 + 0.7 * 0.9)),
    ("tversky", 1 - 2.1 / (2.1 + 0.3 * 0.5 + 0.7 * 0.9)),
    ("tversky(alpha=1, beta=0.001, smooth=0)", 1 - 1.1 / (1.1 + 0.5 + 0.0009)),
    ("focal-tversky", (1 - 2.1 / (2.1 + 0.15 + 0.63)) ** 0.75),
    ("focal-tversky(alpha=0.5, beta=0.5, gamma=2)", (1 - 2.1 / (2.1 + 0.25 + 0.45)) ** 0.5),
    ("focal", -(0.04 * math.log(0.8) + 0.16 * math.log(0.6) + 0.49 * math.log(0.3)
                + 0.01 * math.log(0.9)) / 4),
    ("focal(gamma=1, alpha=0.8)", -(0.8 * 0.2 * math.log(0.8) + 0.2 * 0.4 * math.log(0.6)
                                    + 0.8 * 0.7 * math.log(0.3) + 0.2 * 0.1 * math.log(0.9)) / 4),
    ("gce(q=1)", (0.2 + 0.4 + 0.7 + 0.1) / 4),
    ("gce(q=0.5)", 2 * (4 - math.sqrt(0.8) - math.sqrt(0.6) - math.sqrt(0.3) - math.sqrt(0.9)) / 4),
    ("exp-log(gamma=1, dice=1)", -math.log(3.2 / 4.6)),
    ("exp-log", 0.8 * (-math.log(3.2 / 4.6)) ** 0.3 + 0.2 / 4 * sum(
        (-math.log(p)) ** 0.3 for p in (0.8, 0.6, 0.3, 0.9))),
    # The outline runs at 1, 2 and 3 pixels: all are half a pixel from it.
    ("boundary", 0.5 * (0.2 + 0.4 + 0.7 + 0.1) / 4),
    # The answer has its outline at 1: half, half, one and a half, two and a half pixels.
    ("hausdorff", (0.04 * 0.5 + 0.16 * 0.5 + 0.49 * (0.25 + 2.25) + 0.01 * (0.25 + 6.25)) / 4),
    ("hausdorff(alpha=1, reach=2)",
     (0.04 * 1 + 0.16 * 1 + 0.49 * 2 + 0.01 * (0.5 + 2)) / 4),
])
def test_four_pixels_by_hand(formula, expected):
    found = yes_or_no(formula, [0.8, 0.4, 0.3, 0.1], [1, 0, 1, 0])
    assert found == pytest.approx(expected, rel=1e-6)


def test_distances_by_hand():
    labels = [1, 1, 1, 0, 0, 255, 0, 0]
    probabilities = [0.9, 0.9, 0.6, 0.3, 0.2, 0.5, 0.2, 0.1]
    away = [2.5, 1.5, 0.5, 0.5, 1.5, 0, 3.5, 4.5]
    wrong = [0.1, 0.1, 0.4, 0.3, 0.2, 0, 0.2, 0.1]
    near = [min(distance, 2) for distance in away]
    assert yes_or_no("boundary", probabilities, labels) == pytest.approx(np.dot(away, wrong) / 7)
    assert yes_or_no("boundary(reach=2)", probabilities, labels) == pytest.approx(
        np.dot(near, wrong) / 7)
    assert yes_or_no("hausdorff(alpha=3)", probabilities, labels) == pytest.approx(
        np.dot(2 * np.power(away, 3), np.square(wrong)) / 7)


def test_an_ignored_pixel_is_no_side_of_an_outline():
    """The outline lies half a pixel before the next known pixel of the other side."""
    assert yes_or_no("boundary", [0.9, 0.5, 0.5, 0.2], [1, 255, 255, 0]) == pytest.approx(
        (2.5 * 0.1 + 2.5 * 0.2) / 2)


def test_soft_iou_of_right_but_doubtful_answers():
    """All answers right at 0.8, one pixel in five positive: 0.16 / 0.36, whatever the mask is."""
    assert yes_or_no("iou(smooth=0)", [0.8, 0.2, 0.2, 0.2, 0.2], [1, 0, 0, 0, 0]) == pytest.approx(
        1 - 0.16 / 0.36)


def test_the_focal_loss_is_on_softmax():
    """One sigmoid per class, as in many libraries, would give another number."""
    probabilities, labels = [[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]], [0, 1]
    expected = -(0.3 ** 2 * math.log(0.7) + 0.7 ** 2 * math.log(0.3)) / 2
    assert one_of("focal", probabilities, labels) == pytest.approx(expected)
    logits = torch.tensor(probabilities).log().T[None, :, None]
    per_class = smp.losses.FocalLoss("multiclass", gamma=2)(logits, torch.tensor([[labels]]))
    assert abs(float(per_class) - expected) > 0.05


def test_alpha_weighs_the_second_of_two_exclusive_classes():
    expected = -(0.8 * 0.4 ** 2 * math.log(0.6) + 0.2 * 0.1 ** 2 * math.log(0.9)) / 2
    found = one_of("focal(alpha=0.8)", [[0.4, 0.6], [0.9, 0.1]], [1, 0])
    assert found == pytest.approx(expected)


def random_case(overlapping, seed=0):
    """Return probabilities and labels (n, classes, rows, columns), logits and geoseg's labels.

    The last class of the overlapping ones, and the last of four exclusive ones, is absent.
    """
    random = np.random.default_rng(seed)
    logits = random.normal(size=(2, 4, 5, 6)) * 2
    if overlapping:
        labels = random.integers(0, 2, logits.shape)
        labels[:, 3] = 0
        labels[random.random(labels.shape) < 0.2] = 255
        return 1 / (1 + np.exp(-logits)), labels, logits, labels
    each = random.integers(0, 3, (2, 1, 5, 6))
    each[random.random(each.shape) < 0.2] = 255
    labels = np.concatenate([np.where(each == 255, 255, each == value) for value in range(4)], 1)
    return np.exp(logits) / np.exp(logits).sum(1, keepdims=True), labels, logits, each


def paper_lovasz(errors, truth):
    """Lovász extension of the Jaccard loss: each error times what its pixel adds to the loss."""
    def jaccard_loss(wrong):
        return len(wrong) / len(wrong | truth) if wrong else 0.0

    total, wrong = 0.0, set()
    for pixel in sorted(errors, key=errors.get, reverse=True):
        total += errors[pixel] * (jaccard_loss(wrong | {pixel}) - jaccard_loss(wrong))
        wrong = wrong | {pixel}
    return total


def paper_region(name, p, y):
    """The loss of one class from lists of probabilities and labels."""
    hit = sum(a for a, b in zip(p, y, strict=True) if b)
    alarm = sum(a for a, b in zip(p, y, strict=True) if not b)
    miss = sum(1 - a for a, b in zip(p, y, strict=True) if b)
    dice = (2 * hit + 1) / (2 * hit + alarm + miss + 1)
    index = (hit + 1) / (hit + 0.3 * alarm + 0.7 * miss + 1)
    return {"dice": 1 - dice, "iou": 1 - (hit + 1) / (hit + alarm + miss + 1),
            "tversky": 1 - index, "focal-tversky": (1 - index) ** 0.75,
            "exp-log(dice=1)": (-math.log(dice)) ** 0.3}[name]


@pytest.mark.parametrize("name", ["dice", "iou", "tversky", "focal-tversky", "exp-log(dice=1)",
                                  "lovasz"])
@pytest.mark.parametrize("overlapping", [False, True])
def test_region_losses_are_those_of_their_papers(name, overlapping):
    probabilities, labels, logits, given = random_case(overlapping)
    each = []
    for value in range(4):
        known = labels[:, value] != 255
        p, y = probabilities[:, value][known].tolist(), labels[:, value][known].tolist()
        z = logits[:, value][known].tolist()
        if name == "lovasz":
            hinge = [max(0, 1 - a * (2 * b - 1)) for a, b in zip(z, y, strict=True)]
            soft = [abs(a - b) for a, b in zip(p, y, strict=True)]
            truth = {i for i, b in enumerate(y) if b}
            loss = paper_lovasz(dict(enumerate(hinge if overlapping else soft)), truth)
            absent = sum(hinge) / len(hinge)
        else:
            loss, absent = paper_region(name, p, y), sum(p) / len(p)
        if any(y):
            each.append(loss)
        elif overlapping:
            each.append(absent)
    assert len(each) == (4 if overlapping else 3)
    found = Loss(name, overlapping=overlapping)(
        torch.from_numpy(logits), torch.from_numpy(given.astype(np.uint8)))
    assert float(found) == pytest.approx(sum(each) / len(each), rel=1e-5)


def paper_distance(inside, known):
    """Distance in pixels to the outline, by looking at every pixel of the other side."""
    away = np.ones(inside.shape)
    pixels = list(product(*map(range, inside.shape)))
    for pixel in pixels:
        others = [math.dist(pixel, other) for other in pixels
                  if known[other] and inside[other] != inside[pixel]]
        mine = [other for other in pixels if known[other] and inside[other] == inside[pixel]]
        if others and mine:
            away[pixel] = min(others) - 0.5
    return away


@pytest.mark.parametrize("name", ["boundary", "hausdorff"])
@pytest.mark.parametrize("overlapping", [False, True])
def test_distance_losses_are_those_of_their_papers(name, overlapping):
    probabilities, labels, logits, given = random_case(overlapping)
    total = count = 0.0
    answers = (probabilities > 0.5 if overlapping
               else probabilities == probabilities.max(1, keepdims=True))
    for n, value in product(range(2), range(4)):
        known, p = labels[n, value] != 255, probabilities[n, value]
        y = labels[n, value] == 1
        away = paper_distance(y, known)
        if name == "boundary":  # Kervadec's sum over signed distances, less that of the truth.
            signed = np.where(y, -away, away)
            terms = signed * p - signed * y
        else:
            terms = (p - y) ** 2 * (away ** 2 + paper_distance(answers[n, value], known) ** 2)
        total, count = total + terms[known].sum(), count + known.sum()
    found = Loss(name, overlapping=overlapping)(
        torch.from_numpy(logits), torch.from_numpy(given.astype(np.uint8)))
    assert float(found) == pytest.approx(total / count)


def test_distances_on_a_large_image_are_those_of_a_tree():
    random = np.random.default_rng(0)
    labels = (random.random((120, 150)) < 0.002).astype(np.uint8)
    logits = torch.from_numpy(random.normal(size=(1, 1, 120, 150)))
    here, there = np.argwhere(labels == 1), np.argwhere(labels == 0)
    away = np.zeros(labels.shape)
    away[labels == 1] = cKDTree(there).query(here)[0] - 0.5
    away[labels == 0] = cKDTree(here).query(there)[0] - 0.5
    wrong = np.abs(logits[0, 0].sigmoid().numpy() - labels)
    found = Loss("boundary", overlapping=True)(logits, torch.from_numpy(labels)[None, None])
    assert float(found) == pytest.approx((away * wrong).mean(), rel=1e-5)


@pytest.fixture
def exclusive():
    torch.manual_seed(0)
    labels = torch.randint(0, 4, (3, 1, 20, 24), dtype=torch.uint8)
    labels[:, :, :5] = 255
    return torch.randn(3, 4, 20, 24), labels


@pytest.fixture
def overlapping():
    torch.manual_seed(0)
    labels = torch.randint(0, 2, (3, 4, 20, 24), dtype=torch.uint8)
    labels[:, :, :5] = 255
    return torch.randn(3, 4, 20, 24), labels


@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 0.5, 3.0]])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_ce_is_torchs(exclusive, weights, smoothing):
    logits, labels = exclusive
    weights = weights and torch.tensor(weights)
    expected = functional.cross_entropy(logits[:, :, 5:], labels[:, 0, 5:].long(), weight=weights,
                                        label_smoothing=smoothing)
    loss = Loss("ce", overlapping=False, class_weights=weights, label_smoothing=smoothing)
    assert float(loss(logits, labels)) == pytest.approx(float(expected))


def test_bce_is_torchs(overlapping):
    logits, labels = overlapping
    expected = functional.binary_cross_entropy_with_logits(
        logits[:, :, 5:], labels[:, :, 5:].float() * 0.8 + 0.1)
    found = Loss("bce", overlapping=True, label_smoothing=0.2)(logits, labels)
    assert float(found) == pytest.approx(float(expected))


@pytest.mark.parametrize("formula", ["ce", "focal", "gce", "exp-log(dice=0, gamma=1)"])
def test_class_weights_weigh_pixels(formula):
    """Pixels of a class with weight 3 count as if there were three of each."""
    probabilities = [[0.7, 0.3], [0.4, 0.6], [0.8, 0.2]]
    weighted = one_of(formula, probabilities, [0, 1, 1], class_weights=torch.tensor([1.0, 3.0]))
    assert weighted == pytest.approx(one_of(
        formula, [probabilities[0], *probabilities[1:] * 3], [0, *[1, 1] * 3]))
    logits, labels = torch.randn(2, 3, 4, 4), torch.randint(0, 2, (2, 3, 4, 4), dtype=torch.uint8)
    each = [float(Loss(formula, overlapping=True)(logits[:, [i]], labels[:, [i]]))
            for i in range(3)]
    weights = torch.tensor([1.0, 2.0, 5.0])
    found = Loss(formula, overlapping=True, class_weights=weights)(logits, labels)
    assert float(found) == pytest.approx(float(weights @ torch.tensor(each)) / 8)


@pytest.mark.parametrize("alpha", [None, 0.25])
def test_binary_focal_is_torchvisions(overlapping, alpha):
    logits, labels = overlapping
    expected = sigmoid_focal_loss(logits[:, :, 5:], labels[:, :, 5:].float(), gamma=1.5,
                                  alpha=-1 if alpha is None else alpha, reduction="mean")
    formula = "focal(gamma=1.5)" if alpha is None else f"focal(gamma=1.5, alpha={alpha})"
    found = Loss(formula, overlapping=True)(logits, labels)
    assert float(found) == pytest.approx(float(expected))


@pytest.mark.parametrize("task", ["exclusive", "overlapping"])
@pytest.mark.parametrize(("formula", "oracle", "options"), [
    # smp halves numerator and denominator of Dice, so its smoothing of 0.5 is ours of 1.
    ("dice", smp.losses.DiceLoss, {"smooth": 0.5}),
    ("iou", smp.losses.JaccardLoss, {"smooth": 1.0}),
    ("tversky(alpha=0.2, beta=0.9)", smp.losses.TverskyLoss,
     {"smooth": 1.0, "alpha": 0.2, "beta": 0.9})])
def test_region_losses_are_smps_where_all_classes_occur(formula, oracle, options, task, request):
    logits, labels = request.getfixturevalue(task)
    overlap = task == "overlapping"
    cut = labels[:, :, 5:].float() if overlap else labels[:, 0, 5:].long()
    expected = oracle("multilabel" if overlap else "multiclass", **options)(logits[:, :, 5:], cut)
    found = Loss(formula, overlapping=overlap)(logits, labels)
    assert float(found) == pytest.approx(float(expected), abs=1e-5)


def test_focal_tversky_of_one_class_is_smps(overlapping):
    """Of several classes smp takes the mean before the power, the paper after it."""
    logits, labels = (part[:, :1] for part in overlapping)
    oracle = smp.losses.TverskyLoss("binary", smooth=1.0, alpha=0.3, beta=0.7, gamma=1 / 1.6)
    expected = oracle(logits[:, :, 5:], labels[:, :, 5:].float())
    found = Loss("focal-tversky(gamma=1.6)", overlapping=True)(logits, labels)
    assert float(found) == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.parametrize(("formula", "same"), [
    ("tversky(alpha=0.5, beta=0.5, smooth=0.5)", "dice"),
    ("tversky(alpha=1, beta=1)", "iou"),
    ("focal-tversky(gamma=1)", "tversky"),
    ("focal(gamma=0)", "ce"),
    ("gce(q=1e-6)", "ce"),
    ("exp-log(gamma=1, dice=0)", "ce"),
])
@pytest.mark.parametrize("task", ["exclusive", "overlapping"])
def test_relatives_meet(formula, same, task, request):
    logits, labels = request.getfixturevalue(task)
    one, other = (float(Loss(name, overlapping=task == "overlapping")(logits.double(), labels))
                  for name in (formula, same))
    assert one == pytest.approx(other, rel=1e-5)


@pytest.mark.parametrize("formula", ["ce", "focal", "focal(alpha=0.8)", "gce", "boundary",
                                     "hausdorff", "exp-log(dice=0)"])
def test_two_exclusive_classes_are_one_yes_or_no(formula):
    """Softmax over two classes is the sigmoid of the difference of their logits."""
    torch.manual_seed(0)
    logits = torch.randn(2, 2, 9, 9)
    labels = torch.randint(0, 2, (2, 1, 9, 9), dtype=torch.uint8)
    labels[:, :, 4] = 255
    two = Loss(formula, overlapping=False)(logits, labels)
    one = Loss(formula, overlapping=True)(logits[:, 1:] - logits[:, :1], labels)
    assert float(two) == pytest.approx(float(one))


def test_gce_bounds_the_pull_of_a_wrong_label():
    """A confident answer against its label pulls ever less, where the cross entropy pulls fully."""
    def pull(formula, logit):
        logits = torch.tensor(logit).reshape(1, 1, 1, 1).requires_grad_()
        label = torch.ones(1, 1, 1, 1, dtype=torch.uint8)
        Loss(formula, overlapping=True)(logits, label).backward()
        return -float(logits.grad)

    assert pull("ce", -8.0) > 0.999
    assert pull("gce", -8.0) < 0.01 < pull("gce", -2.0) < pull("gce", 0.0)
