"""Answers of several parts: the loss of all of them, presence, damping."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geoseg.learn.answers import Answers, damped, presence_loss, supervised_loss
from geoseg.learn.losses import Loss


@given(st.floats(-12, 12), st.floats(-12, 12))
def test_damping_multiplies_probabilities(pixel, image):
    a, b = torch.tensor(pixel, dtype=torch.float64), torch.tensor(image, dtype=torch.float64)
    found = damped(a.reshape(1, 1, 1, 1), b.reshape(1, 1)).double().sigmoid()
    assert float(found) == pytest.approx(float(a.sigmoid() * b.sigmoid()), rel=1e-5, abs=1e-9)


def test_damping_stays_finite_where_probabilities_round():
    logits = torch.tensor([-500.0, -50, 0, 50, 500]).reshape(1, 1, 1, 5)
    for image in (-200.0, 200.0):
        assert damped(logits, torch.tensor([[image]])).isfinite().all()
    sure = damped(logits, torch.tensor([[200.0]]))
    torch.testing.assert_close(sure[..., :4], logits[..., :4])


def test_each_class_is_damped_by_its_own_doubt():
    logits = torch.zeros(2, 2, 1, 1)
    presence = torch.tensor([[0.0, 40.0], [40.0, 0.0]])
    probabilities = damped(logits, presence).sigmoid()[..., 0, 0]
    torch.testing.assert_close(probabilities, torch.tensor([[0.25, 0.5], [0.5, 0.25]]))


def test_presence_is_asked_of_known_pixels_only():
    """Two crops, two overlapping classes; of the second crop's first class nothing is known."""
    labels = torch.zeros(2, 2, 2, 2, dtype=torch.uint8)
    labels[0, 0, 1, 1] = 1
    labels[0, 1, 0, 0] = 255
    labels[1, 0] = 255
    labels[1, 1] = torch.tensor([[255, 1], [1, 1]])
    logits = torch.tensor([[0.5, -1.0], [9.0, 2.0]], requires_grad=True)
    sigmoid = 1 / (1 + torch.exp(-logits.detach()))
    expected = -(sigmoid[0, 0].log() + (1 - sigmoid[0, 1]).log() + sigmoid[1, 1].log()) / 3
    loss = presence_loss(logits, labels)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert logits.grad[1, 0] == 0
    assert logits.grad[0, 0] < 0 < logits.grad[0, 1]


def test_presence_of_exclusive_classes_and_of_a_single_one():
    labels = torch.tensor([[0, 2, 255]], dtype=torch.uint8)[None]
    logits = torch.tensor([[3.0, 3.0, 3.0]])
    right, wrong = torch.tensor(3.0).sigmoid().log(), torch.tensor(-3.0).sigmoid().log()
    torch.testing.assert_close(presence_loss(logits, labels), -(2 * right + wrong) / 3)
    single = torch.tensor([[0, 1, 255]], dtype=torch.uint8)[None]
    torch.testing.assert_close(presence_loss(logits[:, :1], single), -right)


def test_an_unknown_batch_teaches_nothing_about_presence():
    logits = torch.randn(2, 3, requires_grad=True)
    loss = presence_loss(logits, torch.full((2, 1, 4, 4), 255, dtype=torch.uint8))
    loss.backward()
    assert float(loss.detach()) == 0
    assert not logits.grad.any()


@pytest.mark.parametrize("weight", [0.0, 0.3])
def test_all_maps_and_the_presence_are_scored(weight):
    loss = Loss("ce", overlapping=True)
    labels = torch.randint(0, 2, (2, 2, 4, 4), dtype=torch.uint8)
    maps = torch.randn(3, 2, 2, 4, 4)
    presence = torch.randn(2, 2)
    answer = Answers(maps[0], (maps[1], maps[2]), presence)
    expected = (sum(float(loss(one, labels)) for one in maps) / 3
                + weight * float(presence_loss(presence, labels)))
    assert float(supervised_loss(loss, answer, labels, weight)) == pytest.approx(expected)
    assert torch.equal(supervised_loss(loss, maps[0], labels, weight), loss(maps[0], labels))
