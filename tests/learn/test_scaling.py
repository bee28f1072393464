"""Statistics against numpy on the whole data; the schedule against torch's."""

import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR

from geoseg.learn.card import BandCard
from geoseg.learn.scaling import Statistics, scale
from geoseg.learn.schedule import one_cycle


def test_statistics_gathered_in_parts_equal_those_of_the_whole():
    random = np.random.default_rng(0)
    values = random.normal([[[30000.0]], [[-3.0]]], [[[2.0]], [[10.0]]], (2, 300, 200))
    valid = random.random((2, 300, 200)) < 0.7
    statistics = Statistics(2)
    for rows in np.split(np.arange(300), [10, 120, 121]):
        statistics.add(values[:, rows].astype(np.float32), valid[:, rows])
    kept = [values[band][valid[band]] for band in range(2)]
    np.testing.assert_allclose(statistics.mean, [k.mean() for k in kept], rtol=1e-6)
    np.testing.assert_allclose(statistics.deviation, [k.std() for k in kept], rtol=1e-3)
    np.testing.assert_allclose(statistics.percentile(99), [np.percentile(k, 99) for k in kept],
                               rtol=0.05)


def test_a_band_without_values_is_noticed():
    statistics = Statistics(2)
    statistics.add(np.ones((2, 4, 4)), np.stack([np.ones((4, 4), bool), np.zeros((4, 4), bool)]))
    assert statistics.is_empty


def test_scaling_is_the_formula():
    bands = [BandCard(index=i + 1, name="", dtype="uint16", offset=o, gain=g, low=0, high=1)
             for i, (o, g) in enumerate([(100.0, 20.0), (0.0, 3.0)])]
    values = np.arange(2 * 3 * 4, dtype=np.uint16).reshape(2, 3, 4) * 50
    valid = np.ones_like(values, bool)
    valid[1, 2] = False
    offset, gain = np.array([[100.0, 0.0], [20.0, 3.0]])[:, :, None, None]
    expected = (values - offset) / gain
    expected[~valid] = 0
    found = scale(values, valid, bands)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("steps", [20, 333])
def test_the_schedule_is_torchs_one_cycle(steps):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1)
    schedule = OneCycleLR(optimizer, 1.0, total_steps=steps, pct_start=0.15, div_factor=25,
                          final_div_factor=1e4 / 25, cycle_momentum=False)
    for step in range(steps):
        assert one_cycle(step, steps) == pytest.approx(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()


def test_the_schedule_starts_low_peaks_and_ends_near_zero():
    rates = [one_cycle(step, 1000) for step in range(1000)]
    assert rates[0] == pytest.approx(1 / 25)
    assert max(rates) == pytest.approx(1, abs=1e-3)
    assert rates.index(max(rates)) == pytest.approx(150, abs=1)
    assert rates[-1] == pytest.approx(1e-4)
