"""Satellite coastlines of a beach surveyed by GPS, with a score that is known."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from scipy import stats

from geoseg.coast.accuracy.measure import measure_coastline
from geoseg.coast.accuracy.scores import CoastlineScores
from geoseg.errors import SourceError


@pytest.fixture(scope="module")
def beach(data: Path) -> Path:
    return data / "coast_narrabeen"


@pytest.fixture(scope="module")
def scores(beach: Path) -> CoastlineScores:
    return measure_coastline(beach / "s2_shorelines_shorex.gpkg", beach / "gps_survey_points.gpkg",
                             days=10, land="right")


def test_the_known_score(scores: CoastlineScores) -> None:
    """6.7 m over the 24 dates, 1.9 to 15.2 m by date (README of the data)."""
    means = [date.missed.mean for date in scores.dates]
    assert len(means) == 24
    assert scores.unmatched == ()
    assert (np.mean(means), min(means), max(means)) == pytest.approx((6.7, 1.9, 15.2), abs=0.05)
    assert scores.over_dates is not None
    assert scores.over_dates.interval is not None
    assert scores.over_dates.mean == pytest.approx(6.7, abs=0.05)
    low, high = scores.over_dates.interval
    reach = float(stats.t.ppf(0.975, 23) * stats.sem(means))
    assert (scores.over_dates.mean - low, high - scores.over_dates.mean) == pytest.approx(
        (reach, reach), rel=0.1)


def test_dates_with_more_points_weigh_more_over_all_samples(scores: CoastlineScores) -> None:
    """Distances by shapely in the CRS of the surveys, 168 pairs of line and point."""
    assert scores.missed.samples == 168
    assert scores.missed.mean == pytest.approx(7.35, abs=0.005)
    assert scores.missed.coverage == 1


def test_distances_are_those_of_shapely(beach: Path, scores: CoastlineScores) -> None:
    points = gpd.read_file(beach / "gps_survey_points.gpkg")
    lines = gpd.read_file(beach / "s2_shorelines_shorex.gpkg").to_crs(points.crs)
    days = points["date"].astype("datetime64[s]")
    for date in scores.dates:
        line = lines[lines["DATE"].astype(str) == date.date.replace("-", "")].geometry.iloc[0]
        near = points[(days - np.datetime64(date.date, "s")).abs() <= np.timedelta64(10, "D")]
        assert date.missed.mean == pytest.approx(near.distance(line).mean())


def test_seaward_is_farther_along_transects(beach: Path, tmp_path: Path) -> None:
    """Transects run from land to sea: where a line crosses farther out, it lies seaward."""
    lines, gps = beach / "s2_shorelines_shorex.gpkg", beach / "gps_survey_points.gpkg"
    scores = measure_coastline(lines, gps, days=10, land="right", out=tmp_path / "errors.gpkg")
    errors = gpd.read_file(tmp_path / "errors.gpkg")
    transects = gpd.read_file(beach / "transects.geojson").to_crs(errors.crs).geometry
    dated = gpd.read_file(lines).to_crs(errors.crs)
    farther = []
    for point, date in zip(errors.geometry, errors["date"], strict=True):
        transect = transects.iloc[int(transects.distance(point).argmin())]
        line = dated[dated["DATE"].astype(str) == date.replace("-", "")].geometry.iloc[0]
        farther.append(transect.project(transect.intersection(line)) - transect.project(point))
    clear = np.abs(farther) > 1
    assert clear.sum() > 150
    np.testing.assert_array_equal(np.sign(farther)[clear], np.sign(errors["seaward_m"])[clear])
    assert (errors["seaward_m"].abs() <= np.abs(farther) + 0.5).all()
    assert scores.missed.bias == pytest.approx(errors["seaward_m"].mean())


def test_a_line_of_reference(beach: Path, tmp_path: Path) -> None:
    scores = measure_coastline(beach / "s2_shorelines_shorex.gpkg",
                               beach / "reference_shoreline.geojson", out=tmp_path / "errors.gpkg")
    assert scores.strayed is not None
    assert scores.symmetric is not None
    assert 8 < scores.symmetric < 13
    assert scores.strayed.coverage == pytest.approx(0.97, abs=0.01)  # the lines run on in the south
    found = gpd.read_file(tmp_path / "errors.gpkg")
    assert found["error_m"].max() <= max(scores.missed.max, scores.strayed.max)


def test_the_lines_in_the_zone_s_other_hemisphere_are_told(beach: Path, tmp_path: Path) -> None:
    lines = gpd.read_file(beach / "s2_shorelines_shorex.gpkg").translate(yoff=1e7)
    lines.to_file(tmp_path / "north.gpkg")
    with pytest.raises(SourceError, match=r"lies \d+,\d+ km from .*wrong hemisphere"):
        measure_coastline(tmp_path / "north.gpkg", beach / "gps_survey_points.gpkg")
