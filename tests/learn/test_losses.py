"""Losses against torch and smp, ignored pixels, and formulas."""

import pytest
import segmentation_models_pytorch as smp
import torch
from torch.nn import functional

from geoseg.errors import RecipeError
from geoseg.learn.losses import Loss, parse_loss


@pytest.fixture
def exclusive():
    torch.manual_seed(0)
    logits = torch.randn(3, 4, 20, 24)
    labels = torch.randint(0, 4, (3, 1, 20, 24), dtype=torch.uint8)
    labels[:, :, :5] = 255
    return logits, labels


@pytest.fixture
def overlapping():
    torch.manual_seed(0)
    labels = torch.randint(0, 2, (3, 4, 20, 24), dtype=torch.uint8)
    labels[:, :, :5] = 255
    return torch.randn(3, 4, 20, 24), labels


def test_ce_is_torchs(exclusive):
    logits, labels = exclusive
    expected = functional.cross_entropy(logits[:, :, 5:], labels[:, 0, 5:].long())
    assert Loss("ce", overlapping=False)(logits, labels) == pytest.approx(float(expected))


def test_bce_is_torchs(overlapping):
    logits, labels = overlapping
    expected = functional.binary_cross_entropy_with_logits(logits[:, :, 5:],
                                                           labels[:, :, 5:].float())
    assert Loss("bce", overlapping=True)(logits, labels) == pytest.approx(float(expected))


def test_dice_is_smps_where_all_classes_occur(exclusive):
    """smp halves numerator and denominator, so its smoothing of 0.5 is ours of 1."""
    logits, labels = exclusive
    expected = smp.losses.DiceLoss("multiclass", smooth=0.5)(logits[:, :, 5:],
                                                             labels[:, 0, 5:].long())
    found = Loss("dice", overlapping=False)(logits, labels)
    assert float(found) == pytest.approx(float(expected), abs=1e-5)


def test_overlapping_dice_is_smps(overlapping):
    logits, labels = overlapping
    expected = smp.losses.DiceLoss("multilabel", smooth=0.5)(logits[:, :, 5:],
                                                             labels[:, :, 5:].float())
    found = Loss("dice", overlapping=True)(logits, labels)
    assert float(found) == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.parametrize("formula", ["ce", "dice", "0.7*ce + 0.3*dice"])
@pytest.mark.parametrize("overlap", [False, True])
def test_ignored_pixels_neither_count_nor_pull(formula, overlap, exclusive, overlapping):
    logits, labels = overlapping if overlap else exclusive
    loss = Loss(formula, overlapping=overlap)
    logits = logits.requires_grad_()
    loss(logits, labels).backward()
    assert (logits.grad[:, :, :5] == 0).all()
    assert (logits.grad[:, :, 5:] != 0).any()
    changed = logits.detach().clone()
    changed[:, :, :5] += 7
    assert float(loss(changed, labels)) == pytest.approx(float(loss(logits.detach(), labels)))


@pytest.mark.parametrize("formula", ["ce", "dice", "ce + dice"])
@pytest.mark.parametrize("overlap", [False, True])
def test_all_ignored_is_zero_with_a_zero_gradient(formula, overlap, exclusive, overlapping):
    logits, labels = overlapping if overlap else exclusive
    logits = logits.requires_grad_()
    loss = Loss(formula, overlapping=overlap)(logits, torch.full_like(labels, 255))
    loss.backward()
    assert float(loss.detach()) == 0
    assert (logits.grad == 0).all()


def test_a_false_alarm_on_an_empty_target_is_punished():
    """Where smp's Dice returns 0 for confident false positives, the sum must not."""
    labels = torch.zeros(1, 1, 16, 16, dtype=torch.uint8)
    logits = torch.full((1, 1, 16, 16), 8.0, requires_grad=True)
    loss = Loss("ce + dice", overlapping=True)(logits, labels)
    loss.backward()
    assert float(loss.detach()) > 5
    assert (logits.grad > 0).all()


def test_a_sum_is_the_weighted_sum_of_its_terms(exclusive):
    ce, dice, both = (float(Loss(f, overlapping=False)(*exclusive))
                      for f in ("ce", "dice", "0.7*ce + 0.3 * dice"))
    assert both == pytest.approx(0.7 * ce + 0.3 * dice)


def test_class_weights_and_smoothing_are_torchs(exclusive):
    logits, labels = exclusive
    weights = torch.tensor([1.0, 2.0, 0.5, 3.0])
    expected = functional.cross_entropy(logits[:, :, 5:], labels[:, 0, 5:].long(), weight=weights,
                                        label_smoothing=0.1)
    loss = Loss("ce", overlapping=False, class_weights=weights, label_smoothing=0.1)
    assert float(loss(logits, labels)) == pytest.approx(float(expected))


@pytest.mark.parametrize("formula", ["", "ce +", "2ce", "focul", "ce - dice", "ce * dice"])
def test_nonsense_is_refused(formula):
    with pytest.raises(RecipeError, match=r"train\.loss"):
        Loss(formula, overlapping=False)


def test_formulas_are_read():
    assert parse_loss("0.5*ce+dice", ("ce", "dice")) == [(0.5, "ce"), (1.0, "dice")]
