"""Standard deviations of the line's place against analytic fields."""

from __future__ import annotations

import numpy as np
import pytest
from rasterio.windows import Window
from scipy.stats import logistic

from geoseg.coast.tracing.contour import Line, trace_contour
from geoseg.coast.tracing.odds import Odds, ReadOdds
from geoseg.progress import silent


def reader(*members: np.ndarray, weights: list[float] | None = None) -> ReadOdds:
    z = np.stack(members)
    true = np.ones(z.shape[1:], dtype=bool)
    shares = np.array(weights or [1 / len(z)] * len(z))

    def read(window: Window) -> Odds:
        here = window.toslices()
        return Odds(z[:, *here], shares, true[here], true[here])

    return read


def traced(*members: np.ndarray, smooth: float = 0.0, weights: list[float] | None = None,
           pixel_size: tuple[float, float] = (1.0, 1.0)) -> list[Line]:
    return trace_contour(reader(*members, weights=weights), members[0].shape, smooth, silent,
                         pixel_size=pixel_size)


def ramp(rise: float, turn: float = 0.0, offset: float = 0.3) -> np.ndarray:
    row, column = np.mgrid[:60, :60] - 29.5
    return rise * (column * np.cos(turn) + row * np.sin(turn) + offset)


@pytest.mark.parametrize("rise", [0.2, 1.0])
@pytest.mark.parametrize("turn", [0, 0.7, 2.0])
def test_the_place_is_logistic(rise: float, turn: float) -> None:
    [line] = traced(ramp(rise, turn))
    # At the border there is nothing beyond it to look at.
    np.testing.assert_allclose(line.variance[3:-3], logistic(scale=1 / rise).var(), rtol=1e-6)


def test_pixels_need_not_be_square() -> None:
    [upright], [level] = (traced(ramp(0.5, turn), pixel_size=(3, 7)) for turn in (0, np.pi / 2))
    np.testing.assert_allclose(np.sqrt(upright.variance), 3 * logistic(scale=2).std(), rtol=1e-6)
    np.testing.assert_allclose(np.sqrt(level.variance), 7 * logistic(scale=2).std(), rtol=1e-6)


def test_members_that_disagree_widen_it() -> None:
    z = ramp(0.5)
    [line] = traced(z - 1.5, z, z + 1.5)
    # Lines 3 px apart: their variance is 9, that of each is logistic.
    np.testing.assert_allclose(line.variance, logistic(scale=2).var() + 9, rtol=1e-6)
    [line] = traced(z - 1.5, z + 1.5, weights=[0.75, 0.25])
    mean = 0.75 * -1.5 + 0.25 * 1.5
    apart = (0.75 * (-1.5 - mean) ** 2 + 0.25 * (1.5 - mean) ** 2) / (1 - 0.75**2 - 0.25**2)
    np.testing.assert_allclose(line.variance, logistic(scale=2).var() + apart / 0.25, rtol=1e-6)


def test_it_is_never_endless() -> None:
    z = np.full((20, 20), -1e-3)
    z[:, :10] = 1e-3
    [line] = traced(z)
    np.testing.assert_allclose(np.sqrt(line.variance), 20)


@pytest.mark.parametrize("smooth", [2.0, 4.0])
def test_what_smoothing_takes_off_a_headland_is_counted(smooth: float) -> None:
    row, column = np.mgrid[:81, :81] - 40.0
    radius = 16.0
    distance = radius - np.hypot(row, column)
    sharp = 5 * np.clip(distance * 2, -1, 1)
    [line] = traced(sharp, smooth=smooth)
    moved = radius - np.hypot(*(line.points - 40).T).mean()
    [edge] = traced(5 * np.clip(ramp(2) , -1, 1), smooth=smooth)
    by_curvature = np.sqrt(line.variance.mean() - edge.variance[20:-20].mean())
    assert by_curvature == pytest.approx(moved, rel=0.35)
    assert moved > 0.1
