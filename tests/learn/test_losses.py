"""What holds for every loss: ignored pixels, no blindness, the minimum, gradients, and fitting."""

import pytest
import torch
from torch.nn import functional

from geoseg.learn.losses import Loss
from geoseg.recipe.formula import LOSSES

TASKS = {"two exclusive": (2, False), "three exclusive": (3, False),
         "one overlapping": (1, True), "three overlapping": (3, True)}
REGIONS = ("dice", "iou", "tversky", "focal-tversky", "exp-log(dice=1)")
MORE = ("focal(gamma=0.5)", "dice(smooth=0)", "tversky(alpha=0.9, beta=0.1, smooth=0)",
        "exp-log(gamma=2, dice=0.5)", "gce(q=0.2)", "boundary(reach=2)",
        "hausdorff(alpha=1, reach=3)", "0.7*ce + 0.3*dice")

every_loss = pytest.mark.parametrize("formula", [*LOSSES, *MORE])
every_task = pytest.mark.parametrize("task", TASKS)


def batch(task, *, side=12, ignored=2, seed=0):
    """Return random logits, and labels whose first rows are ignored."""
    classes, overlapping = TASKS[task]
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, classes, side, side, generator=random)
    shape = (2, classes if overlapping else 1, side, side)
    labels = torch.randint(0, 2 if overlapping else classes, shape, dtype=torch.uint8,
                           generator=random)
    labels[:, :, :ignored] = 255
    return logits, labels, overlapping


def value_and_gradient(formula, overlapping, logits, labels):
    logits = logits.detach().clone().requires_grad_()
    loss = Loss(formula, overlapping=overlapping)(logits, labels)
    loss.backward()
    return float(loss.detach()), logits.grad


@every_loss
@every_task
def test_ignored_pixels_neither_count_nor_pull(formula, task):
    logits, labels, overlapping = batch(task)
    value, gradient = value_and_gradient(formula, overlapping, logits, labels)
    assert (gradient[:, :, :2] == 0).all()
    assert (gradient[:, :, 2:] != 0).float().mean() > 0.5
    for content in (7.0, float("nan")):
        logits[:, :, :2] = content
        other, pull = value_and_gradient(formula, overlapping, logits, labels)
        assert other == value
        assert (pull == gradient).all()
    cut, pull = value_and_gradient(formula, overlapping, logits[:, :, 2:], labels[:, :, 2:])
    assert cut == pytest.approx(value, rel=1e-5)
    torch.testing.assert_close(pull, gradient[:, :, 2:])


@every_loss
def test_classes_of_overlapping_labels_are_ignored_one_by_one(formula):
    logits, labels, _ = batch("three overlapping", ignored=0)
    labels[:, 1] = 255
    labels[0, 2, :6] = 255
    value, gradient = value_and_gradient(formula, True, logits, labels)
    assert (gradient[:, 1] == 0).all()
    assert (gradient[0, 2, :6] == 0).all()
    logits[:, 1], logits[0, 2, :6] = 3.0, -9.0
    assert value_and_gradient(formula, True, logits, labels)[0] == value
    if formula in ("ce", "focal", "gce"):
        return  # These are means over all that is known, whatever its class.
    without = value_and_gradient(formula, True, logits[:, ::2], labels[:, ::2])[0]
    assert without == pytest.approx(value, rel=1e-5)


@every_loss
@every_task
def test_all_ignored_is_zero_with_a_zero_gradient(formula, task):
    logits, labels, overlapping = batch(task)
    value, gradient = value_and_gradient(formula, overlapping, logits, torch.full_like(labels, 255))
    assert value == 0
    assert (gradient == 0).all()


@every_loss
@every_task
def test_no_loss_is_blind_to_labels(formula, task):
    """All zeros, all ones and random labels once gave a focal loss the same value and gradient."""
    logits, labels, overlapping = batch(task, ignored=0, seed=1)
    answers = [value_and_gradient(formula, overlapping, logits, other) for other in (
        torch.zeros_like(labels), torch.ones_like(labels), labels, labels.max() - labels)]
    for i, (value, gradient) in enumerate(answers):
        for other, pull in answers[:i]:
            assert abs(value - other) > 1e-4 * abs(value)
            assert (gradient - pull).norm() > 0.05 * gradient.norm()
    if TASKS[task][0] < 3:
        halves = [value_and_gradient("focal(alpha=0.5)", overlapping, logits, other)[0]
                  for other in (torch.zeros_like(labels), torch.ones_like(labels), labels)]
        assert len(set(halves)) == 3


def perfect(labels, classes, overlapping, size=12.0):
    """Return logits that say what the labels say; ignored pixels say anything."""
    if overlapping:
        return size * (2.0 * (labels == 1) - 1)
    shown = torch.where(labels == 255, 0, labels)[:, 0].long()
    return size * functional.one_hot(shown, classes).movedim(-1, 1).float()


@every_loss
@every_task
def test_the_truth_is_the_minimum_and_every_error_costs(formula, task):
    _, labels, overlapping = batch(task, side=8)
    classes = TASKS[task][0]
    loss = Loss(formula, overlapping=overlapping)
    truth = perfect(labels, classes, overlapping)
    best = float(loss(truth, labels))
    assert 0 <= best < 0.06
    for seed in range(5):
        other = torch.randn(truth.shape, generator=torch.Generator().manual_seed(seed)) * 3
        assert float(loss(other, labels)) > best
    for row, column in ((2, 0), (4, 4), (7, 7)):
        wrong = truth.clone()
        wrong[1, :, row, column] = -wrong[1, :, row, column].flip(0)
        if not overlapping:
            wrong[1, :, row, column] = truth[1, :, row, column].roll(1)
        assert float(loss(wrong, labels)) > best + 1e-4


@every_task
@pytest.mark.parametrize("formula", [name for name in (*LOSSES, *MORE) if name != "lovasz"])
def test_gradients_are_those_of_finite_differences(formula, task):
    logits, labels, overlapping = batch(task, side=4, ignored=1)
    loss = Loss(formula, overlapping=overlapping)
    assert torch.autograd.gradcheck(lambda x: loss(x, labels), logits.double().requires_grad_(),
                                    eps=1e-6, atol=1e-6, fast_mode=True)


@every_task
def test_the_gradient_of_lovasz_is_that_of_a_difference(task):
    """In single precision, which is all that smp's takes."""
    logits, labels, overlapping = batch(task, side=4, ignored=1)
    _, gradient = value_and_gradient("lovasz", overlapping, logits, labels)
    loss = Loss("lovasz", overlapping=overlapping)
    for seed in range(5):
        way = torch.randn(logits.shape, generator=torch.Generator().manual_seed(seed))
        difference = loss(logits + 2e-4 * way, labels) - loss(logits - 2e-4 * way, labels)
        slope = float((gradient * way).sum())
        assert float(difference) / 4e-4 == pytest.approx(slope, abs=0.02)


def shapes(task):
    """Return labels that form areas: a frame of nothing, a block, a part that is ignored."""
    classes, overlapping = TASKS[task]
    labels = torch.zeros(2, classes if overlapping else 1, 12, 12, dtype=torch.uint8)
    labels[0, 0, 3:9, 2:7] = 1
    labels[1, 0, 8:, :] = 1
    if classes == 3:
        labels[0, -1, 5:10, 6:11] = 1 if overlapping else 2
    labels[0, :, 4:6, 5:8] = 255
    return labels, classes, overlapping


@every_loss
@every_task
def test_each_loss_alone_learns_the_labels(formula, task):
    """A loss that is blind to something about the labels would leave pixels wrong."""
    labels, classes, overlapping = shapes(task)
    loss = Loss(formula, overlapping=overlapping)
    random = torch.Generator().manual_seed(1)
    logits = torch.randn(2, classes, 12, 12, generator=random).requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.2)
    for _ in range(80):
        optimizer.zero_grad()
        loss(logits, labels).backward()
        optimizer.step()
    known = labels != 255
    answer = (logits > 0) if overlapping else logits.argmax(1, keepdim=True)
    assert (answer == labels)[known].all()


@pytest.mark.parametrize("formula", [*LOSSES, *MORE])
@pytest.mark.parametrize("side", [8, 64])
def test_a_false_alarm_on_an_empty_target_is_punished(formula, side):
    """Where smp's Dice returns 0, and a smoothing term a gradient that falls with 1 / N^2."""
    labels = torch.zeros(1, 1, side, side, dtype=torch.uint8)
    logits = torch.full((1, 1, side, side), 2.0)
    value, gradient = value_and_gradient(formula, True, logits, labels)
    assert value > 0.1
    assert (gradient > 0).all()
    assert float(gradient.sum()) > 0.02
    certain, _ = value_and_gradient(formula, True, logits + 4, labels)
    right, _ = value_and_gradient(formula, True, logits - 9, labels)
    assert right < 0.06 < value < certain


@pytest.mark.parametrize("formula", REGIONS)
def test_an_absent_overlapping_class_brings_its_mean_probability(formula):
    labels = torch.tensor([[0, 0, 255]], dtype=torch.uint8).reshape(1, 1, 1, 3)
    probabilities = torch.tensor([0.9, 0.5, 0.3]).reshape(1, 1, 1, 3)
    loss = Loss(formula, overlapping=True)
    assert float(loss(probabilities.logit(), labels)) == pytest.approx(0.7)


@pytest.mark.parametrize("formula", ["boundary", "hausdorff(alpha=3)", "lovasz"])
def test_an_absent_overlapping_class_in_losses_of_other_kinds(formula):
    """No outline is 1 pixel away everywhere; the hinge errors are averaged."""
    labels = torch.tensor([[0, 0, 255]], dtype=torch.uint8).reshape(1, 1, 1, 3)
    logits = torch.tensor([2.0, -0.5, 3.0]).reshape(1, 1, 1, 3)
    first, second, _ = logits.sigmoid().flatten().tolist()
    expected = {"boundary": (first + second) / 2, "lovasz": (3.0 + 0.5) / 2,
                # The answer has an outline, half a pixel from both.
                "hausdorff(alpha=3)": (first ** 2 + second ** 2) / 2 * (1 + 0.5 ** 3)}
    loss = Loss(formula, overlapping=True)
    assert float(loss(logits, labels)) == pytest.approx(expected[formula])


@every_loss
@pytest.mark.parametrize("value", [0, 2])
def test_a_batch_of_one_exclusive_class_teaches_that_class(formula, value):
    logits, labels, _ = batch("three exclusive")
    labels = torch.where(labels == 255, labels, value).to(torch.uint8)
    _, gradient = value_and_gradient(formula, False, logits, labels)
    assert torch.isfinite(gradient).all()
    assert (gradient[:, value, 2:] < 0).float().mean() > (0.2 if formula == "lovasz" else 0.99)


@every_loss
@every_task
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(formula, task, dtype):
    logits, labels, overlapping = batch(task)
    loss = Loss(formula, overlapping=overlapping)
    half = logits.to(dtype)
    assert loss(half, labels).dtype == torch.float32
    assert float(loss(half, labels)) == float(loss(half.float(), labels))


@every_loss
@every_task
def test_certain_answers_stay_finite(formula, task):
    """Saturated probabilities, right and wrong: no infinite gradient, no NaN."""
    _, labels, overlapping = batch(task)
    truth = perfect(labels, TASKS[task][0], overlapping, size=1.0)
    for size in (1e3, -1e3, 60, -60):
        value, gradient = value_and_gradient(formula, overlapping, truth * size, labels)
        assert 0 <= value < 1e6
        assert torch.isfinite(gradient).all()


@every_task
def test_a_sum_is_the_weighted_sum_of_its_terms(task):
    logits, labels, overlapping = batch(task)

    def value(formula):
        return float(Loss(formula, overlapping=overlapping)(logits, labels))

    total = value(" + ".join(f"{i + 1}*{name}" for i, name in enumerate(LOSSES)))
    assert total == pytest.approx(sum((i + 1) * value(name) for i, name in enumerate(LOSSES)))
    assert value("0.5*bce + jaccard") == pytest.approx(0.5 * value("ce") + value("iou"))
