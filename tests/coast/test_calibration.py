"""Whether lines' own standard deviations are judged rightly."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from scipy.stats import norm

from geoseg.coast.accuracy.measure import measure_coastline

LEFT, TOP = 500_000, 5_400_000


def write(folder: Path, sigmas: list[float | None], errors: np.ndarray) -> tuple[Path, Path]:
    """Write level lines of 1 km one behind the other, and points off them by given metres."""
    lines = [shapely.LineString([(LEFT + 1000 * n, TOP), (LEFT + 1000 * (n + 1), TOP)])
             for n in range(len(sigmas))]
    gpd.GeoDataFrame({"sigma_m": sigmas}, geometry=lines, crs=32633).to_file(
        folder / "lines.gpkg")
    x = LEFT + np.linspace(1, 1000 * len(sigmas) - 1, errors.size)
    gpd.GeoDataFrame(geometry=shapely.points(x, TOP + errors.ravel()), crs=32633).to_file(
        folder / "points.gpkg")
    return folder / "lines.gpkg", folder / "points.gpkg"


def normal(count: int, sigma: float) -> np.ndarray:
    """Return what a normal distribution looks like without any chance."""
    values = norm(scale=sigma).ppf((np.arange(count) + 0.5) / count)
    return np.random.default_rng(0).permutation(values)


def test_true_sigmas_are_called_true(tmp_path: Path) -> None:
    errors = np.concatenate([normal(2000, 2), normal(2000, 10)])
    found = measure_coastline(*write(tmp_path, [2.0, 10.0], errors)).calibration
    assert found is not None
    assert found.samples == 4000
    assert found.within == pytest.approx(0.6827, abs=0.005)
    assert found.factor == pytest.approx(1, abs=0.01)


def test_the_factor_mends_sigmas(tmp_path: Path) -> None:
    errors = np.concatenate([normal(2000, 2), normal(2000, 10)])
    wrong = measure_coastline(*write(tmp_path, [6.0, 30.0], errors)).calibration
    assert wrong is not None
    assert wrong.within == pytest.approx(2 * norm.cdf(3) - 1, abs=0.005)
    assert wrong.factor == pytest.approx(1 / 3, abs=0.01)
    mended = measure_coastline(*write(
        tmp_path, [6 * wrong.factor, 30 * wrong.factor], errors)).calibration
    assert mended is not None
    assert mended.within == pytest.approx(0.6827, abs=0.001)


def test_lines_without_sigma_do_not_count(tmp_path: Path) -> None:
    errors = np.concatenate([normal(500, 2), normal(500, 99)])
    found = measure_coastline(*write(tmp_path, [2.0, None], errors))
    assert found.calibration is not None
    assert found.calibration.samples == 500
    assert found.calibration.factor == pytest.approx(1, abs=0.02)
    assert "within one sigma of the lines: 68" in found.table()
    assert found.to_dict()["calibration"]["samples"] == 500
    none = measure_coastline(*write(tmp_path, [None, None], errors))
    assert none.calibration is None
    assert "sigma" not in none.table()
