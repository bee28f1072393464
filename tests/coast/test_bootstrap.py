"""Intervals against scipy's, and how often they hold the truth when neighbours err alike."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import bootstrap

from geoseg.coast.accuracy.bootstrap import block_length, correlation_length, mean_interval


def autoregressive(memory: float, count: int, random: np.random.Generator) -> np.ndarray:
    """Values of mean 0 whose correlation falls by `memory` from one to the next."""
    return lfilter([1], [1, -memory], random.standard_normal(count + 500))[500:]


def block_interval(values: np.ndarray, block: int) -> tuple[float, float]:
    groups = np.arange(len(values)) // block
    interval = mean_interval(np.bincount(groups, values), np.bincount(groups), 0)
    assert interval is not None
    return interval


def test_single_values_are_drawn_as_scipy_does() -> None:
    values = np.random.default_rng(3).exponential(5, 80)
    expected = bootstrap((values,), np.mean, method="percentile", n_resamples=20_000,
                         rng=np.random.default_rng(1)).confidence_interval
    found = block_interval(values, 1)
    np.testing.assert_allclose(found, [expected.low, expected.high], atol=0.06 * np.ptp(expected))


def test_the_interval_holds_the_truth_though_neighbours_err_alike() -> None:
    random = np.random.default_rng(0)
    held, held_singly = 0, 0
    for _ in range(50):
        values = autoregressive(0.95, 3000, random)
        block = round(block_length(correlation_length(values - values.mean(), 1.0), 3000))
        low, high = block_interval(values, block)
        held += low <= 0 <= high
        low, high = block_interval(values[:500], 1)
        held_singly += low <= 0 <= high
    assert held >= 42
    assert held_singly < 25  # what is claimed if neighbours are taken to be independent


@pytest.mark.parametrize(("dates", "least"), [(5, 0.86), (24, 0.9)])
def test_the_interval_of_few_skewed_means(dates: int, least: float) -> None:
    """Distances have a long tail; plain percentiles hold the truth in 82 and 92 of 100 cases."""
    random = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        low, high = block_interval(random.gamma(4, 1.7, dates), 1)
        held += low <= 4 * 1.7 <= high
    assert held / 200 >= least


def test_means_weigh_blocks_by_what_they_hold() -> None:
    assert mean_interval(np.array([2.0, 20, 6, 8, 100]), np.array([1, 10, 3, 4, 50]), 0) == (2, 2)


def test_too_few_blocks_tell_nothing() -> None:
    assert mean_interval(np.array([1.0, 2, 3, 4]), np.ones(4), 0) is None
    assert mean_interval(np.array([1.0, 2, 3, 4, 5]), np.ones(5), 0) is not None


def test_the_seed_decides() -> None:
    totals, counts = np.random.default_rng(1).random(30), np.ones(30)
    assert mean_interval(totals, counts, 7) == mean_interval(totals, counts, 7)
    assert mean_interval(totals, counts, 7) != mean_interval(totals, counts, 8)


@pytest.mark.parametrize("memory", [0.0, 0.8, 0.95])
def test_the_correlation_length_of_a_known_process(memory: float) -> None:
    """Half the spacing plus the sum of memory^k over k >= 1, a geometric series."""
    expected = 3 * (0.5 + memory / (1 - memory))
    series = [autoregressive(memory, 20_000, np.random.default_rng(seed)) for seed in range(8)]
    found = [correlation_length(values - values.mean(), 3.0) for values in series]
    assert np.mean(found) == pytest.approx(expected, rel=0.12)


def test_the_correlation_is_numpy_s() -> None:
    deviations = autoregressive(0.9, 300, np.random.default_rng(5)) + 0.1
    covariance = np.correlate(deviations, deviations, "full")[299:]
    falls = int(np.flatnonzero(covariance <= 0)[0])
    expected = 0.5 + covariance[1:falls].sum() / covariance[0]
    assert correlation_length(deviations, 1.0) == pytest.approx(expected)


@pytest.mark.parametrize("deviations", [np.full(50, 1e-9), np.zeros(9), np.array([0.0])])
def test_errors_that_never_change_have_no_correlation(deviations: np.ndarray) -> None:
    assert correlation_length(deviations, 2.0) == 1.0


def test_what_is_off_the_mean_throughout_is_alike_throughout() -> None:
    """Sums of 1, 99/100, 98/100, ...: half of the shore."""
    assert correlation_length(np.full(100, 3.0), 1.0) == pytest.approx(50)


def test_the_block_length_by_hand() -> None:
    assert block_length(8.0, 1000.0) == pytest.approx(40.0)
    assert block_length(0.5, 0.25) == pytest.approx(0.25 ** (2 / 3))
