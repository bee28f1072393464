"""Schedules against those of torch, step by step, and against the recurrence of the report."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    OneCycleLR,
    ReduceLROnPlateau,
    StepLR,
)

from geoseg.learn.schedule import cosine, one_cycle, plateau, rate_factor, step_decay
from geoseg.recipe import TrainRecipe
from geoseg.recipe.names import SCHEDULES


def optimizer():
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)


def rates(scheduler, steps):
    """Return the rate at each step as torch's scheduler sets it."""
    found = []
    for _ in range(steps):
        found.append(scheduler.optimizer.param_groups[0]["lr"])
        scheduler.optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize("warm_up", [0.05, 0.15, 0.6])
@pytest.mark.parametrize("steps", [40, 333])
def test_one_cycle_is_torchs(steps, warm_up):
    expected = rates(OneCycleLR(optimizer(), 1.0, total_steps=steps, pct_start=warm_up,
                                div_factor=25, final_div_factor=1e4 / 25, cycle_momentum=False),
                     steps)
    assert [one_cycle(step, steps, warm_up) for step in range(steps)] == pytest.approx(expected)


def test_one_cycle_starts_low_peaks_and_ends_near_zero():
    factors = [one_cycle(step, 1000) for step in range(1000)]
    assert factors[0] == pytest.approx(1 / 25)
    assert max(factors) == pytest.approx(1, abs=1e-3)
    assert factors.index(max(factors)) == pytest.approx(150, abs=1)
    assert factors[-1] == pytest.approx(1e-4)


def test_one_cycle_without_warm_up_starts_at_the_peak():
    factors = [one_cycle(step, 50, 0.0) for step in range(50)]
    assert factors[0] == 1
    assert factors == sorted(factors, reverse=True)
    assert factors[-1] == pytest.approx(1e-4)
    assert one_cycle(0, 1, 0.15) == pytest.approx(1 / 25)


@pytest.mark.parametrize("steps", [7, 200])
def test_cosine_is_torchs(steps):
    expected = rates(CosineAnnealingLR(optimizer(), T_max=steps), steps)
    assert [cosine(step, steps) for step in range(steps)] == pytest.approx(expected)


@given(st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.5]), max_size=40), st.integers(1, 5),
       st.sampled_from([0.1, 0.5]))
def test_plateau_is_torchs(scores, wait, factor):
    """Torch's patience is one less: it lowers the rate when the patience is exceeded."""
    scheduler = ReduceLROnPlateau(optimizer(), mode="max", factor=factor, patience=wait - 1,
                                  threshold=0, threshold_mode="abs", eps=0)
    for count in range(len(scores) + 1):
        expected = scheduler.optimizer.param_groups[0]["lr"]
        assert plateau(scores[:count], wait, factor) == pytest.approx(expected)
        if count < len(scores):
            scheduler.step(scores[count])


@pytest.mark.parametrize("every", [1, 3, 6])
def test_step_decay_from_the_start_is_torchs(every):
    expected = rates(StepLR(optimizer(), step_size=every, gamma=0.75), 40)
    found = [step_decay(epoch, 0, every, 0.75) for epoch in range(40)]
    assert found == pytest.approx(expected)


@given(st.integers(0, 20), st.integers(1, 7), st.sampled_from([0.99, 0.75, 0.5]))
def test_step_decay_is_the_recurrence_of_the_report(start, every, factor):
    rate = 1.0
    for epoch in range(1, 60):
        # The rate of the epoch with number `epoch` holds from its first step to its last.
        assert step_decay(epoch - 1, start, every, factor) == pytest.approx(rate)
        assert step_decay(epoch - 0.01, start, every, factor) == pytest.approx(rate)
        rate = rate if epoch < start or epoch % every else factor * rate


def test_step_decay_by_hand():
    """Start 17, every 3: the first multiple of 3 from 17 on is 18."""
    found = [step_decay(epoch, 17, 3, 0.5) for epoch in (0, 16.9, 17, 17.99, 18, 20.9, 21, 24)]
    assert found == [1, 1, 1, 1, 0.5, 0.5, 0.25, 0.125]
    assert step_decay(1.5, 0, 0.5, 0.1) == pytest.approx(1e-3)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_stays_between_none_and_the_peak(name):
    settings = TrainRecipe(schedule=name, steps=60, decay_every=2, decay_factor=0.5)
    scores = list(np.random.default_rng(0).random(60))
    factors = [rate_factor(settings, step, step / 6, scores[:step // 4]) for step in range(60)]
    assert all(0 < factor <= 1 for factor in factors)
    assert max(factors) == pytest.approx(1, abs=2e-2)
    assert (len(set(factors)) == 1) == (name == "constant")


def test_the_recipe_reaches_the_schedule():
    def factor(step, epoch=0.0, scores=(), **settings):
        return rate_factor(TrainRecipe(steps=100, **settings), step, epoch, scores)

    assert factor(49, schedule="one-cycle", warm_up=0.5) == pytest.approx(1)
    assert factor(50, schedule="cosine") == pytest.approx(0.5)
    late = {"schedule": "step", "decay_start": 4, "decay_every": 2, "decay_factor": 0.1}
    assert factor(7, epoch=3.9, **late) == 1
    assert factor(7, epoch=6, **late) == pytest.approx(0.01)
    flat = {"schedule": "plateau", "decay_every": 2, "decay_factor": 0.1}
    assert factor(7, scores=[0.5, 0.4], **flat) == 1
    assert factor(7, scores=[0.5, 0.4, 0.5], **flat) == pytest.approx(0.1)
