"""The whole way: layers with dates in, layers out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from scipy import stats

from geoseg.coast.change.found import Change
from geoseg.coast.change.layers import change_class, class_colors
from geoseg.coast.change.measure import measure_change
from geoseg.coast.change.rates import Rate, fit_line
from geoseg.coast.change.transects import cast_transects
from geoseg.errors import Cancelled, GeosegError, OutputError, SourceError
from tests.coast.change_cases import (
    DATES,
    RATES,
    X,
    Y,
    coastline,
    known_lines,
    known_points,
    known_transects,
    position,
    save,
)


@pytest.fixture
def transects(tmp_path: Path) -> Path:
    return known_transects(tmp_path)


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    return known_lines(tmp_path)


@pytest.fixture
def points(tmp_path: Path) -> Path:
    return known_points(tmp_path)


@pytest.fixture
def measure(tmp_path: Path, transects: Path) -> Callable[..., Change]:
    def run(sources: object, **options: object) -> Change:
        return measure_change(sources, options.pop("transects", transects),
                              out=tmp_path / "out.gpkg", **{"overwrite": True, **options})

    return run


def test_known_rates(lines: Path, measure: Callable[..., Change]) -> None:
    change = measure(lines)
    layer = gpd.read_file(change.path, layer="transects").set_index("transect")
    for place, (name, rate) in enumerate(RATES.items()):
        row = layer.loc[name]
        years = np.array(DATES, dtype="datetime64[D]").astype(int) / 365.2425
        expected = stats.linregress(years, [position(place, date) for date in DATES])
        assert row["rate_m_per_year"] == pytest.approx(expected.slope, abs=1e-4)
        assert row["rate_m_per_year"] == pytest.approx(rate, abs=0.05)
        assert row["net_movement_m"] == pytest.approx(
            position(place, DATES[-1]) - position(place, DATES[0]), abs=1e-3)
        assert row["rate_low"] <= rate <= row["rate_high"]
        assert row["n"] == 20
        assert row["significant"] == (rate != 0)
    assert layer["change"].tolist() == ["landward 2 m per year or more", "not significant",
                                        "seaward 0.5 to 2 m per year"]
    assert layer["position_m"].tolist() == pytest.approx([0, 100, 200], rel=1e-3)
    assert layer.crs == 32633
    crossings = gpd.read_file(change.path, layer="crossings")
    assert len(crossings) == 60
    origins = np.array([[X, Y + 100 * "ABC".index(name)] for name in crossings["transect"]])
    away = shapely.get_coordinates(crossings.geometry) - origins
    np.testing.assert_allclose(away[:, 0], crossings["chainage_m"], rtol=1e-3)
    np.testing.assert_allclose(away[:, 1], 0, atol=1e-3)


def test_sources_side_by_side(lines: Path, points: Path, tmp_path: Path,
                              measure: Callable[..., Change]) -> None:
    change = measure([lines, points], report=tmp_path / "page.html")
    assert [source.name for source in change.sources] == ["satellite", "survey"]
    both = [gpd.read_file(change.path, layer=f"transects_{name}")["rate_m_per_year"]
            for name in ("satellite", "survey")]
    np.testing.assert_allclose(*both, atol=0.1)
    assert set(gpd.read_file(change.path, layer="crossings")["source"]) == {"satellite", "survey"}
    rates = json.loads(json.dumps(change.to_dict()))["rates"]
    assert [(item["transect"], item["source"]) for item in rates] == [
        (name, source) for name in "ABC" for source in ("satellite", "survey")]


def test_same_names_are_told_apart(lines: Path, points: Path, tmp_path: Path,
                                   measure: Callable[..., Change]) -> None:
    other = tmp_path / "other"
    other.mkdir()
    copy = (other / "satellite.gpkg")
    copy.write_bytes(points.read_bytes())
    change = measure([lines, copy])
    assert [source.name for source in change.sources] == ["satellite 1", "satellite 2"]


def test_weights_follow_sigma(tmp_path: Path, measure: Callable[..., Change]) -> None:
    sigmas = [0.5 if place % 3 else 20.0 for place in range(len(DATES))]
    shapes = [coastline(date, 0.0 if place % 3 else 30.0 * place / 20)
              for place, date in enumerate(DATES)]
    path = save(tmp_path / "s.gpkg", shapes, date=DATES, sigma_m=sigmas)
    weighted = measure(path, outliers=0)
    assert weighted.sources[0].weighted
    years = np.array(DATES, dtype="datetime64[D]").astype(int) / 365.2425
    expected = np.polyfit(years, [position(1, date) + (0.0 if place % 3 else 1.5 * place)
                                  for place, date in enumerate(DATES)], 1, w=1 / np.array(sigmas))
    assert weighted.sources[0].rates[1].fit.rate == pytest.approx(expected[0], abs=1e-4)
    layer = gpd.read_file(weighted.path, layer="crossings")
    assert layer["sigma_m"].tolist() == sigmas * 3
    with pytest.raises(SourceError, match="no attribute 'error'"):
        measure(path, sigma_field="error")


def test_one_sigma_for_all_sets_a_floor(lines: Path, measure: Callable[..., Change]) -> None:
    plain, wide = measure(lines), measure(lines, sigma=30.0)
    assert not plain.sources[0].weighted
    for before, after in zip(plain.sources[0].rates, wide.sources[0].rates, strict=True):
        assert after.fit.rate == pytest.approx(before.fit.rate)
        assert after.fit.error > 5 * before.fit.error
    years = np.array(DATES, dtype="datetime64[D]").astype(int) / 365.2425
    error = 30 / np.sqrt(((years - years.mean()) ** 2).sum())
    assert wide.sources[0].rates[1].fit.error == pytest.approx(error, rel=1e-3)


def test_sigma_must_be_there_for_all(tmp_path: Path, measure: Callable[..., Change]) -> None:
    sigmas = [None if place < 3 else 2.0 for place in range(len(DATES))]
    path = save(tmp_path / "s.gpkg", [coastline(date) for date in DATES], date=DATES,
                sigma_m=sigmas)
    with pytest.raises(SourceError, match="no sigma_m in 3 of 20 features"):
        measure(path)
    assert measure(path, sigma=5.0).sources[0].crossings.sigma.max() == 5
    assert measure(path, start=DATES[3]).sources[0].weighted


def test_an_odd_line_is_flagged_and_kept(tmp_path: Path, measure: Callable[..., Change]) -> None:
    shapes = [coastline(date, -60.0 if date == DATES[7] else 0.0) for date in DATES]
    path = save(tmp_path / "odd.gpkg", shapes, date=DATES)
    change = measure(path)
    layer = gpd.read_file(change.path, layer="crossings")
    assert layer[layer["outlier"]]["date"].astype(str).unique().tolist() == [DATES[7]]
    assert len(layer) == 60
    found = gpd.read_file(change.path, layer="transects")
    assert found["outliers"].tolist() == [1, 1, 1]
    assert found["n"].tolist() == [19] * 3
    np.testing.assert_allclose(found["rate_m_per_year"], list(RATES.values()), atol=0.06)
    assert not gpd.read_file(measure(path, outliers=0).path, layer="crossings")["outlier"].any()


def test_a_survey_keeps_its_storms(tmp_path: Path, measure: Callable[..., Change]) -> None:
    spots = [shapely.Point(position(0, date) - (50 if date == DATES[7] else 0), 0)
             for date in DATES]
    path = save(tmp_path / "storm.gpkg", spots, date=DATES)
    assert not measure(path).sources[0].outlier.any()
    assert measure(path, outliers=3.5).sources[0].outlier.sum() == 1


def test_water_levels(tmp_path: Path, lines: Path, points: Path,
                      measure: Callable[..., Change]) -> None:
    heights = [0.01 * place for place in range(len(DATES))]
    table = tmp_path / "levels.csv"
    table.write_text("date,height\n" + "".join(
        f"{date},{height}\n" for date, height in zip(DATES, heights, strict=True)))
    plain = measure([lines, points]).sources
    moved = measure([lines, points], water_level=table, slope=0.1, reference=0.05).sources
    shift = (np.tile(heights, 3) - 0.05) / 0.1
    np.testing.assert_allclose(moved[0].crossings.position - plain[0].crossings.position, shift)
    np.testing.assert_array_equal(moved[1].crossings.position, plain[1].crossings.position)
    layer = gpd.read_file(tmp_path / "out.gpkg", layer="crossings")
    np.testing.assert_allclose((layer["chainage_m"] - layer["measured_m"])[:60], shift, atol=1e-9)
    table.write_text(f"date,height\n{DATES[0]},0.1\n")
    with pytest.raises(SourceError, match=f"no height on {DATES[1]} and 18 more"):
        measure(lines, water_level=table, slope=0.1)


def test_water_levels_as_an_attribute(tmp_path: Path, measure: Callable[..., Change]) -> None:
    path = save(tmp_path / "tides.gpkg", [coastline(date) for date in DATES], date=DATES,
                tide=[0.2] * len(DATES))
    plain, moved = measure(path), measure(path, level_field="tide", slope=0.05)
    np.testing.assert_allclose(moved.sources[0].crossings.position,
                               plain.sources[0].crossings.position + 4)
    with pytest.raises(SourceError, match="no attribute 'sea'"):
        measure(path, level_field="sea", slope=0.05)


def test_few_dates(tmp_path: Path, measure: Callable[..., Change]) -> None:
    """C is met once, B twice, A three times."""
    reach = {"2001-01-01": 250, "2003-01-01": 150, "2005-01-01": 50}
    path = save(tmp_path / "few.gpkg", [
        shapely.LineString([(x, -50), (x, top)]) for x, top in zip((50, 60, 55), reach.values(),
                                                                   strict=True)], date=list(reach))
    change = measure(path, report=tmp_path / "page.html")
    layer = gpd.read_file(change.path, layer="transects").set_index("transect")
    assert layer["n"].tolist() == [3, 2, 1]
    assert layer["change"].tolist() == ["not significant", "too few dates", "too few dates"]
    assert layer.loc["B", "net_movement_m"] == pytest.approx(10, rel=1e-3)
    assert layer.loc["B", "rate_m_per_year"] == pytest.approx(10 / 730 * 365.2425, rel=1e-3)
    assert layer.loc[["B", "C"], "rate_low"].isna().all()
    assert layer.loc["C", ["rate_m_per_year", "net_movement_m"]].isna().all()
    text = change.report.read_text()
    assert "one date, no rate" in text
    assert "too few dates for an interval" in text


def test_what_cannot_be_measured(tmp_path: Path, lines: Path, points: Path, transects: Path,
                                 measure: Callable[..., Change]) -> None:
    bare = save(tmp_path / "bare.gpkg", [coastline(DATES[0])], number=[1])
    with pytest.raises(SourceError, match="has no dates"):
        measure(bare)
    single = save(tmp_path / "single.gpkg", [coastline(DATES[0])], date=[DATES[0]])
    with pytest.raises(SourceError, match=r"on one date only \(2000-03-01\). Change needs two"):
        measure(single)
    away = save(tmp_path / "away.gpkg", [shapely.LineString([(700, 0), (700, 200)])] * 2,
                date=DATES[:2])
    with pytest.raises(SourceError, match=r"crosses none of the transects in .* \(it lies 500 m"):
        measure(away)
    with pytest.raises(SourceError, match=r"within 1 m of none of the transects in .* \(it lies 3"):
        measure(points, reach=1.0)
    with pytest.raises(SourceError, match="no date in the period"):
        measure(lines, start="2021-01-01")
    with pytest.raises(SourceError, match="holds no lines"):
        measure(lines, transects=points)
    assert not (tmp_path / "out.gpkg").exists()


def test_transects_of_the_other_hemisphere(tmp_path: Path, lines: Path,
                                           measure: Callable[..., Change]) -> None:
    south = save(tmp_path / "south.gpkg", [shapely.LineString([(0, 0), (200, 0)])], crs=32733,
                 name=["A"])
    with pytest.raises(SourceError, match=r"none of the transects .* \(it lies (\S+) km away\)"
                       ) as raised:
        measure(lines, transects=south)
    found = float(re.search(r"lies (\S+) km", str(raised.value)).group(1).replace(",", ""))
    assert found == pytest.approx(5_400 + (10_000 - 5_400), rel=0.01)  # by way of the equator


@pytest.mark.parametrize(("options", "message"), [
    ({"crossing": "first"}, "seaward or landward or median"), ({"confidence": 95}, "such as 0.95"),
    ({"reach": -1.0}, "reach: is -1.0"), ({"outliers": np.nan}, "outliers: is nan"),
    ({"sigma": 0.0}, "sigma: is 0.0"), ({"start": "spring"}, "start: is 'spring', which is not"),
    ({"slope": 0.1}, "without water levels"), ({"reference": np.inf}, "reference"),
    ({"water_level": "a.csv", "level_field": "tide"}, "Give one"),
])
def test_bad_options(lines: Path, tmp_path: Path, measure: Callable[..., Change],
                     options: dict[str, object], message: str) -> None:
    with pytest.raises(GeosegError, match=message):
        measure(lines, **options)
    assert not (tmp_path / "out.gpkg").exists()


def test_nothing_is_overwritten_unasked(lines: Path, tmp_path: Path,
                                        measure: Callable[..., Change]) -> None:
    page = tmp_path / "page.html"
    page.write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        measure(lines, report=page, overwrite=False)
    assert not (tmp_path / "out.gpkg").exists()
    with pytest.raises(OutputError, match="also an input"):
        measure_change(lines, tmp_path / "transects.gpkg", out=lines, overwrite=True)
    with pytest.raises(GeosegError, match="sources: are none"):
        measure([])


def test_cancelling_leaves_nothing(lines: Path, tmp_path: Path,
                                   measure: Callable[..., Change]) -> None:
    def stop(fraction: float, message: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        measure(lines, progress=stop)
    assert not (tmp_path / "out.gpkg").exists()


@pytest.mark.parametrize(("rate", "name"), [
    (-9.0, "landward 2 m per year or more"), (-2.0, "landward 2 m per year or more"),
    (-1.9, "landward 0.5 to 2 m per year"), (-0.4, "landward below 0.5 m per year"),
    (0.4, "seaward below 0.5 m per year"), (0.5, "seaward 0.5 to 2 m per year"),
    (3.0, "seaward 2 m per year or more")])
def test_classes(rate: float, name: str) -> None:
    years = np.arange(2000.0, 2008.0)
    found = Rate(8, 0, np.datetime64("2000-01-01"), np.datetime64("2007-01-01"),
                 fit_line(years, rate * (years - 2000)), 7 * rate, 7 * abs(rate), 0.95)
    assert change_class(found) == name
    assert name in class_colors()


def test_cast_then_measured(lines: Path, tmp_path: Path, measure: Callable[..., Change]) -> None:
    """Along a baseline to the north, with land on its left, positions grow to the east."""
    baseline = save(tmp_path / "base.gpkg", [shapely.LineString([(80, -40), (80, 240)])],
                    number=[1])
    cast = cast_transects(baseline, spacing=40.0, seaward=120.0, landward=60.0,
                          out=tmp_path / "cast.gpkg")
    change = measure(lines, transects=cast)
    layer = gpd.read_file(change.path, layer="transects")
    assert len(layer) == 8
    along = np.linspace(-40, 240, 8)
    expected = np.interp(along, [0, 100, 200], list(RATES.values()))
    np.testing.assert_allclose(layer["rate_m_per_year"], expected, atol=0.06)


def test_narrabeen(data: Path, tmp_path: Path) -> None:
    """Five transects by 24 satellite lines and by surveys, 2016 to 2019 and since 1988."""
    folder = data / "coast_narrabeen"
    sources = [folder / "gps_survey_points.gpkg", folder / "s2_shorelines_shorex.gpkg"]
    change = measure_change(sources, folder / "transects.geojson", out=tmp_path / "n.gpkg",
                            start="2016-01-01", end="2019-12-31")
    survey, satellite = change.sources
    assert [rate.n for rate in survey.rates] == [107, 107, 107, 101, 107]
    assert [rate.n + rate.outliers for rate in satellite.rates] == [24] * 5
    frame = gpd.read_file(sources[0])
    frame = frame[frame["date"].between("2016-01-01", "2019-12-31")]
    for name, rate in zip(change.transects.names, survey.rates, strict=True):
        rows = frame[frame["profile"] == name.lower()]
        years = rows["date"].to_numpy().astype("datetime64[D]").astype(int) / 365.2425
        expected = stats.linregress(years, rows["dist_m"])
        assert rate.fit.rate == pytest.approx(expected.slope, abs=0.01)
        assert rate.fit.error > 1.5 * expected.stderr  # surveys a fortnight apart are alike
    everything = measure_change(sources[0], folder / "transects.geojson",
                                out=tmp_path / "all.gpkg")
    # A beach known to swing about a standstill: less than half a metre a year in 33 years.
    assert all(abs(rate.fit.rate) < 0.5 for rate in everything.sources[0].rates)
