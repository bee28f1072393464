"""Rates against scipy, numpy and numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import curve_fit

from geoseg.coast.change.rates import (
    DAYS_PER_YEAR,
    decimal_years,
    find_outliers,
    fit_line,
    measure_rate,
)

YEARS = np.array([2000.0, 2001.5, 2004.0, 2004.5, 2008.0, 2011.0, 2012.25])
POSITIONS = np.array([101.0, 97.5, 99.0, 92.0, 90.0, 88.5, 80.0])
SIGMAS = np.array([3.0, 3.0, 1.0, 2.0, 5.0, 0.5, 4.0])


def straight(x: np.ndarray, slope: float, start: float) -> np.ndarray:
    return slope * (x - 2000) + start


def days(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[D]")


def test_unweighted_agrees_with_scipy() -> None:
    expected = stats.linregress(YEARS, POSITIONS)
    fit = fit_line(YEARS, POSITIONS)
    assert fit.rate == pytest.approx(expected.slope)
    assert fit.error == pytest.approx(expected.stderr)
    assert fit.p_value() == pytest.approx(expected.pvalue)
    assert fit.r2 == pytest.approx(expected.rvalue**2)
    assert fit.at(np.array([2000.0]))[0] == pytest.approx(expected.intercept
                                                          + 2000 * expected.slope)


def test_an_interval_by_hand() -> None:
    # Residuals of (0, 0), (1, 2), (2, 1): line 0.5 + 0.5 x, squares 0.25 + 1 + 0.25 = 1.5, one
    # degree of freedom, so error = sqrt(1.5 / 2); t of 0.975 with one degree is 12.7062.
    low, high = fit_line(np.array([0.0, 1, 2]), np.array([0.0, 2, 1])).interval(0.95)
    assert (low, high) == (pytest.approx(0.5 - 12.7062 * 0.8660254, abs=1e-4),
                           pytest.approx(0.5 + 12.7062 * 0.8660254, abs=1e-4))


@pytest.mark.parametrize("factor", [0.2, 1.0, 10.0])
def test_weighted_takes_the_larger_error(factor: float) -> None:
    sigmas = SIGMAS * factor
    errors = []
    for absolute in (True, False):
        best, covariance = curve_fit(straight, YEARS, POSITIONS, (0.0, 100.0), sigma=sigmas,
                                     absolute_sigma=absolute)
        errors.append(np.sqrt(covariance[0, 0]))
    fit = fit_line(YEARS, POSITIONS, sigmas)
    assert fit.rate == pytest.approx(best[0], rel=1e-6)
    assert fit.error == pytest.approx(max(errors), rel=1e-6)
    assert (errors[0] > errors[1]) == (factor > 1)  # both kinds are met


def test_weights_agree_with_least_squares_of_numpy() -> None:
    design = np.column_stack([YEARS - 2000, np.ones(len(YEARS))]) / SIGMAS[:, None]
    (slope, start), *_ = np.linalg.lstsq(design, POSITIONS / SIGMAS)
    fit = fit_line(YEARS, POSITIONS, SIGMAS)
    assert fit.rate == pytest.approx(slope)
    np.testing.assert_allclose(fit.at(YEARS), straight(YEARS, slope, start))


def test_the_band_is_the_error_of_the_line() -> None:
    _, covariance = curve_fit(straight, YEARS, POSITIONS, (0.0, 100.0))
    at = np.array([1995.0, 2006.0, 2020.0])
    jacobian = np.column_stack([at - 2000, np.ones(3)])
    error = np.sqrt(np.einsum("ni,ij,nj->n", jacobian, covariance, jacobian))
    half = fit_line(YEARS, POSITIONS).half_width(at, 0.9)
    np.testing.assert_allclose(half, stats.t.ppf(0.95, len(YEARS) - 2) * error, rtol=1e-5)


@given(st.integers(0, 2**32 - 1), st.floats(-50, 50), st.floats(-1000, 1000),
       st.floats(0.01, 100))
def test_shifting_and_scaling(seed: int, tilt: float, shift: float, scale: float) -> None:
    rng = np.random.default_rng(seed)
    years = 1990 + np.cumsum(rng.uniform(0.05, 2, 12))
    positions = rng.normal(0, 10, 12)
    base = fit_line(years, positions)
    moved = fit_line(years + 7, scale * (positions + tilt * (years - 1990)) + shift)
    assert moved.rate == pytest.approx(scale * (base.rate + tilt), abs=1e-6 * scale)
    assert moved.error == pytest.approx(scale * base.error, rel=1e-6)


def test_coverage_of_the_interval() -> None:
    """Of coasts with independent noise, 90 % of the intervals hold the true rate."""
    rng = np.random.default_rng(0)
    years = 1990 + np.sort(rng.uniform(0, 20, 9))
    held = 0
    for _ in range(2000):
        low, high = fit_line(years, -1.3 * years + rng.normal(0, 5, 9)).interval(0.9)
        held += low <= -1.3 <= high
    assert held / 2000 == pytest.approx(0.9, abs=0.02)  # three standard errors


def test_positions_that_resemble_each_other_widen_the_interval() -> None:
    """With memory, plain intervals hold the true rate far too seldom; these nearly as promised."""
    rng = np.random.default_rng(1)
    years = 2000 + np.arange(150) / 12
    held = {True: 0, False: 0}
    for _ in range(400):
        noise = np.zeros(150)
        for place in range(1, 150):
            noise[place] = 0.7 * noise[place - 1] + rng.normal()
        for independent in held:
            low, high = fit_line(years, noise, independent=independent).interval(0.95)
            held[independent] += low <= 0 <= high
    assert held[True] / 400 < 0.7
    assert held[False] / 400 > 0.9


def test_memory_by_hand() -> None:
    # Twelve years, + + + - - - + + + - - -: a flat line but for a slope of -18 / 143 per year.
    years, steps = np.arange(12.0), np.array([1.0] * 3 + [-1.0] * 3 + [1.0] * 3 + [-1.0] * 3)
    residuals = steps - np.polyval(np.polyfit(years, steps, 1), years)
    r = (residuals[1:] * residuals[:-1]).sum() / (residuals**2).sum()
    fit = fit_line(years, steps)
    assert fit.rate == pytest.approx(-18 / 143)
    assert fit.memory == pytest.approx(r)
    assert fit.effective == pytest.approx(12 * (1 - r) / (1 + r))
    assert fit.degrees == pytest.approx(fit.effective - 2)
    assert fit_line(years, steps, independent=True).degrees == 10


def test_too_few_positions_have_no_memory() -> None:
    years = np.arange(9.0)
    fit = fit_line(years, np.array([1.0, 1, 1, -1, -1, -1, 1, 1, 1]))
    assert fit.memory == 0
    assert fit.effective == 9


def test_a_perfect_line() -> None:
    fit = fit_line(YEARS, 3 - 0.5 * YEARS)
    assert fit.interval(0.95) == (pytest.approx(-0.5), pytest.approx(-0.5))
    assert fit.p_value() == 0
    flat = fit_line(YEARS, np.full(len(YEARS), 7.0))
    assert (flat.rate, flat.p_value(), flat.r2) == (0.0, 1.0, None)


def test_an_odd_position_is_found_and_a_trend_is_not() -> None:
    rng = np.random.default_rng(3)
    years = 1990 + np.arange(30.0)
    positions = 100 - 4 * (years - 1990) + rng.uniform(-1, 1, 30)
    assert not find_outliers(years, positions, 5).any()
    positions[[4, 20]] += (40, -12)
    assert np.flatnonzero(find_outliers(years, positions, 5)).tolist() == [4, 20]
    assert not find_outliers(years, positions, 0).any()
    assert not find_outliers(years[:5], positions[:5], 5).any()


@pytest.mark.parametrize(("value", "odd"), [(7.1, False), (7.3, True)])
def test_outliers_by_hand(value: float, odd: bool) -> None:
    # The same forwards and backwards, so the median slope is 0. Sorted 0 0 1 1 2 2 3 3 x: median 2;
    # deviations 0 0 1 1 1 1 2 2 x-2: median 1. The limit is 2 + 3.5 * 1.4826 = 7.189.
    positions = np.array([0.0, 1, 2, 3, value, 3, 2, 1, 0])
    expected = [False] * 4 + [odd] + [False] * 4
    assert find_outliers(2000 + np.arange(9.0), positions, 3.5).tolist() == expected


def test_a_few_millimetres_are_not_odd() -> None:
    positions = np.zeros(12)
    positions[5] = 0.03
    assert not find_outliers(np.arange(12.0), positions, 3.5).any()
    positions[5] = 0.04  # 3.5 times the least scale of a centimetre is 0.035
    assert find_outliers(np.arange(12.0), positions, 3.5)[5]


def test_decimal_years() -> None:
    found = decimal_years(days("1970-01-01", "1969-12-31", "2370-01-01"))
    np.testing.assert_allclose(found, [1970, 1970 - 1 / 365.2425, 2370])  # 400 years are exact


def rate_of(dates: np.ndarray, positions: list[float], outlier: list[int] | None = None):
    odd = np.isin(np.arange(len(dates)), outlier or [])
    return measure_rate(dates, np.array(positions, float), None, odd, confidence=0.95,
                        independent=False)


def test_movement_by_hand() -> None:
    found = rate_of(days("2020-01-01", "2000-01-01", "2010-01-01", "2005-01-01"),
                    [80.0, 100.0, 110.0, 500.0], [3])
    assert (found.n, found.outliers) == (3, 1)
    assert (str(found.first), str(found.last)) == ("2000-01-01", "2020-01-01")
    assert (found.net_movement, found.envelope) == (-20.0, 30.0)
    assert found.span_years == pytest.approx(7305 / DAYS_PER_YEAR)  # 20 years with 5 leap days
    assert found.end_point_rate == pytest.approx(-20 / (7305 / 365.2425))


def test_two_dates_have_a_rate_without_interval_and_one_has_none() -> None:
    two = rate_of(days("2000-01-01", "2010-01-01"), [100.0, 90.0])
    assert two.fit.rate == pytest.approx(two.end_point_rate)
    assert (two.interval, two.p_value, two.significant) == (None, None, False)
    one = rate_of(days("2000-01-01"), [100.0])
    assert (one.n, one.fit, one.net_movement, one.end_point_rate) == (1, None, None, None)
    none = rate_of(days(), [])
    assert (none.n, none.first, none.span_years) == (0, None, None)


def test_significance_follows_the_confidence() -> None:
    dates = days(*(f"{year}-07-01" for year in range(2000, 2007)))
    for confidence in (0.5, 0.9, 0.99, 0.9999):
        found = measure_rate(dates, POSITIONS, None, np.zeros(7, bool), confidence=confidence,
                             independent=False)
        low, high = found.interval
        assert found.significant == (low > 0 or high < 0)
    assert not found.significant
