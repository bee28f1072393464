"""Cross entropy on targets that fade around a label: heat of the distance, and blur."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt, gaussian_filter
from torch.nn import functional

from geoseg.learn.losses import Loss
from geoseg.learn.losses.pair import Pair
from geoseg.learn.losses.soft import soft_target

ROW = [0, 0, 1, 0, 255, 0]
SOFT = ["ce(heatmap=2)", "ce(blur=1.5)"]
every_soft = pytest.mark.parametrize("formula", SOFT)


def labels_of(values):
    return torch.tensor(values, dtype=torch.uint8).reshape(1, 1, 1, -1)


def target_of(labels, *, classes=1, overlapping=True, **options):
    logits = torch.zeros(len(labels), classes, *labels.shape[2:], dtype=torch.float64)
    return soft_target(Pair(logits, labels, overlapping=overlapping), **options).numpy()


def random_batch(classes=3, *, overlapping=True, seed=0):
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, classes, 24, 31, generator=random)
    shape = (2, classes if overlapping else 1, 24, 31)
    labels = torch.randint(0, 40, shape, dtype=torch.uint8, generator=random)
    labels = (labels == 0).byte() if overlapping else labels % classes
    labels[..., :4, :] = 255
    labels[1, :, 10:13, 10:20] = 255
    return logits, labels


def value_and_gradient(loss, logits, labels):
    logits = logits.detach().clone().requires_grad_()
    value = loss(logits, labels)
    value.backward()
    return float(value.detach()), logits.grad


def test_heat_by_hand():
    """One pixel of coast; an ignored pixel is crossed and has no say."""
    expected = [math.exp(-d * d / 8) for d in (2, 1, 0, 1)] + [0, math.exp(-9 / 8)]
    np.testing.assert_allclose(target_of(labels_of(ROW), heatmap=2)[0, 0, 0], expected, rtol=1e-6)


def test_blur_by_hand():
    """Shares of what is known around a pixel: the ignored one, and the end, have no weight."""
    weights = np.exp(-np.subtract.outer(np.arange(6), np.arange(6)) ** 2 / 2)
    weights[:, 4] = 0
    expected = weights[:, 2] / weights.sum(axis=1)
    expected[4] = 0
    # The weights of pixels 0 to 5 seen from pixel 1, spelt out.
    assert expected[1] == pytest.approx(math.exp(-0.5) / (
        1 + 2 * math.exp(-0.5) + math.exp(-2) + math.exp(-8)))
    np.testing.assert_allclose(target_of(labels_of(ROW), blur=1)[0, 0, 0], expected, atol=2e-4)


def test_the_cross_entropy_of_heat_by_hand():
    logits = torch.tensor([0.4, -1.0, 2.0, 0.0, 9.0, -3.0])
    heat = [math.exp(-0.5), math.exp(-1 / 8), 1, math.exp(-1 / 8), None, math.exp(-9 / 8)]
    each = []
    for logit, y in zip(logits.tolist(), heat, strict=True):
        if y is not None:
            p = 1 / (1 + math.exp(-logit))
            each.append(-y * math.log(p) - (1 - y) * math.log(1 - p))
    found = Loss("ce(heatmap=2)", overlapping=True)(logits.reshape(1, 1, 1, -1), labels_of(ROW))
    assert float(found) == pytest.approx(sum(each) / 5, rel=1e-6)


@pytest.mark.parametrize("weights", [None, [1.0, 4.0, 0.5]])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_overlapping_classes_are_torchs_bce_with_scipys_targets(smoothing, weights):
    logits, labels = random_batch()
    known, inside = labels.numpy() != 255, labels.numpy() == 1
    heat, blurred = np.zeros(labels.shape), np.zeros(labels.shape)
    for place in np.ndindex(labels.shape[:2]):
        heat[place] = np.exp(-distance_transform_edt(~inside[place]) ** 2 / (2 * 3.0**2))
        blurred[place] = (gaussian_filter(inside[place].astype(float), 1.5, mode="constant")
                          / gaussian_filter(known[place].astype(float), 1.5, mode="constant"))
    weight = torch.tensor(weights or [1.0] * 3)[None, :, None, None].expand(logits.shape)[known]
    for formula, target in (("ce(heatmap=3)", heat), ("ce(blur=1.5)", blurred)):
        soft = torch.from_numpy(target[known]).float() * (1 - smoothing) + smoothing / 2
        expected = functional.binary_cross_entropy_with_logits(
            logits[known], soft, weight=weight, reduction="sum") / weight.sum()
        found = Loss(formula, overlapping=True, label_smoothing=smoothing,
                     class_weights=weights and torch.tensor(weights))(logits, labels)
        assert float(found) == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize("weights", [None, [1.0, 4.0, 0.5]])
def test_exclusive_classes_are_torchs_cross_entropy_with_shares(weights):
    logits, labels = random_batch(overlapping=False)
    known = labels[:, 0].numpy() != 255
    shares = np.stack([[gaussian_filter((image[0] == value).astype(float), 2, mode="constant")
                        / gaussian_filter((image[0] != 255).astype(float), 2, mode="constant")
                        for value in range(3)] for image in labels.numpy()])
    shares = torch.from_numpy(np.moveaxis(shares, 1, -1)[known]).float()
    torch.testing.assert_close(shares.sum(1), torch.ones(len(shares)))
    weight = weights and torch.tensor(weights)
    each = functional.cross_entropy(logits.movedim(1, -1)[known], shares, weight=weight,
                                    label_smoothing=0.1, reduction="sum")
    total = (shares @ weight).sum() if weights else len(shares)
    found = Loss("ce(blur=2)", overlapping=False, class_weights=weight, label_smoothing=0.1)
    assert float(found(logits, labels)) == pytest.approx(float(each / total), rel=1e-4)


@pytest.mark.parametrize(("formula", "overlapping"), [
    ("ce(heatmap=0.05)", True), ("ce(blur=0.05)", True), ("ce(blur=0.05)", False)])
def test_without_width_it_is_the_plain_cross_entropy(formula, overlapping):
    logits, labels = random_batch(overlapping=overlapping)
    options = {"overlapping": overlapping, "label_smoothing": 0.1,
               "class_weights": torch.tensor([1.0, 3.0, 0.5])}
    assert float(Loss(formula, **options)(logits, labels)) == pytest.approx(
        float(Loss("ce", **options)(logits, labels)), rel=1e-5)


def test_two_exclusive_classes_are_one_yes_or_no():
    logits, labels = random_batch(2, overlapping=False)
    two = Loss("ce(blur=2)", overlapping=False)(logits, labels)
    one = Loss("ce(blur=2)", overlapping=True)(logits[:, 1:] - logits[:, :1], labels)
    assert float(two) == pytest.approx(float(one), rel=1e-5)


@every_soft
@pytest.mark.parametrize("overlapping", [True, False])
def test_ignored_pixels_neither_count_nor_pull(formula, overlapping):
    if "heatmap" in formula and not overlapping:
        return
    logits, labels = random_batch(overlapping=overlapping)
    loss = Loss(formula, overlapping=overlapping)
    value, gradient = value_and_gradient(loss, logits, labels)
    ignored = (labels == 255).expand_as(logits)
    assert (gradient[ignored] == 0).all()
    assert (gradient[~ignored] != 0).all()
    spoilt = torch.where(ignored, torch.nan, logits)
    other, pull = value_and_gradient(loss, spoilt, labels)
    assert other == value
    assert (pull == gradient).all()
    cut = float(loss(logits[:, :, 4:], labels[:, :, 4:]))
    assert cut == pytest.approx(value, rel=1e-5)
    nothing, none = value_and_gradient(loss, logits, torch.full_like(labels, 255))
    assert nothing == 0
    assert (none == 0).all()


@every_soft
def test_a_crop_without_the_class_teaches_zeros(formula):
    """Of each class on its own, also where other images of the batch show it."""
    logits, labels = random_batch()
    labels[0, 1] = torch.where(labels[0, 1] == 255, 255, 0)
    option = {"heatmap": 2.0} if "heatmap" in formula else {"blur": 1.5}
    target = target_of(labels, classes=3, **option)
    assert (target[0, 1] == 0).all()
    assert target[1, 1].max() > 0
    empty = torch.where(labels == 255, 255, 0).byte()
    assert float(Loss(formula, overlapping=True)(logits, empty)) == float(
        Loss("ce", overlapping=True)(logits, empty))


@every_soft
def test_pixels_beside_a_thin_coast_are_pulled_up_less_the_farther(formula):
    """The plain cross entropy pulls all of them down alike."""
    labels = torch.zeros(1, 1, 9, 15, dtype=torch.uint8)
    labels[..., 7] = 1
    zeros = torch.zeros(1, 1, 9, 15)
    _, hard = value_and_gradient(Loss("ce", overlapping=True), zeros, labels)
    _, soft = value_and_gradient(Loss(formula, overlapping=True), zeros, labels)
    assert len(hard[0, 0, 4, :7].unique()) == 1
    assert (soft[0, 0, 4, 2:7].diff() < 0).all()
    torch.testing.assert_close(soft, soft.flip(-1))


@every_soft
def test_it_is_learnt_as_it_is(formula):
    """Free logits come to the target itself: its crest is the coast."""
    labels = torch.zeros(1, 1, 12, 12, dtype=torch.uint8)
    labels[0, 0, torch.arange(12), torch.arange(12) // 2 + 3] = 1
    logits = torch.zeros(1, 1, 12, 12, requires_grad=True)
    loss, optimizer = Loss(formula, overlapping=True), torch.optim.Adam([logits], lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        loss(logits, labels).backward()
        optimizer.step()
    option = {"heatmap": 2.0} if "heatmap" in formula else {"blur": 1.5}
    learnt = logits.detach().sigmoid().numpy()
    np.testing.assert_allclose(learnt, target_of(labels, **option), atol=0.02)
    if "heatmap" in formula:
        assert (learnt[0, 0].argmax(axis=1) == np.arange(12) // 2 + 3).all()


@pytest.mark.parametrize("formula", [*SOFT, "0.5*ce(blur=300)"])
def test_gradients_are_right_and_halves_are_computed_in_single(formula):
    logits, labels = random_batch(2)
    loss = Loss(formula, overlapping=True)
    assert torch.autograd.gradcheck(lambda x: loss(x, labels[..., :9, :9]),
                                    logits[..., :9, :9].double().requires_grad_(), fast_mode=True)
    assert loss(logits.half(), labels).dtype == torch.float32
    assert float(loss(logits.half(), labels)) == float(loss(logits.half().float(), labels))
    value, gradient = value_and_gradient(loss, logits * 1e4, labels)
    assert math.isfinite(value)
    assert torch.isfinite(gradient).all()


@given(st.integers(0, 10**6), st.floats(0.3, 20), st.booleans())
def test_targets_are_shares_that_turn_with_the_image(seed, sigma, is_heat):
    random = np.random.default_rng(seed)
    shape = (1, 1, *random.integers(3, 20, 2))
    labels = torch.from_numpy(random.choice([0, 0, 0, 1, 2, 255], shape).astype(np.uint8))
    option = {"heatmap": sigma} if is_heat else {"blur": sigma}
    one = torch.where(labels == 2, 1, labels).byte()
    target = target_of(one, **option)
    assert target.min() >= 0
    assert target.max() <= 1
    turned = target_of(one.rot90(1, (2, 3)).contiguous(), **option)
    np.testing.assert_allclose(turned, np.rot90(target, 1, (2, 3)), atol=1e-5)
    if not is_heat:
        shares = target_of(labels, classes=3, overlapping=False, blur=sigma)
        np.testing.assert_allclose(shares.sum(axis=1, keepdims=True), labels.numpy() != 255,
                                   atol=1e-5)
