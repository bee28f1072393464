"""Coastlines of known errors: scores, extents, dates, penalties, and what cannot be measured."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad

from geoseg.coast.accuracy.measure import measure_coastline
from geoseg.coast.tracing.coastline import trace_coastline
from geoseg.errors import GeosegError, OutputError, SourceError
from tests.maps.worlds import NORTH_UP, make_legend, write_probabilities

EAST, NORTH = 500_000.0, 5_400_000.0
"""On the central meridian of UTM zone 33."""
Points = Sequence[tuple[float, float]]


def line(*points: tuple[float, float]) -> shapely.LineString:
    return shapely.LineString(np.add(points, (EAST, NORTH)))


def spots(*points: tuple[float, float]) -> list[shapely.Point]:
    return [shapely.Point(EAST + x, NORTH + y) for x, y in points]


def write(path: Path, shapes: Sequence[object], dates: Sequence[str] | None = None,
          crs: object = 32633) -> Path:
    columns = {} if dates is None else {"date": list(dates)}
    gpd.GeoDataFrame(columns, geometry=list(shapes), crs=32633).to_crs(crs).to_file(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def test_a_longer_line_earns_nothing_for_its_surplus(folder: Path) -> None:
    lines = write(folder / "lines.gpkg", [line((0, 7), (1000, 7))])
    reference = write(folder / "truth.gpkg", [line((-1000, 0), (2000, 0))])
    scores = measure_coastline(lines, reference)
    for found, coverage in ((scores.missed, 1 / 3), (scores.strayed, 1)):
        assert found is not None
        assert (found.mean, found.median, found.rmse) == pytest.approx((7, 7, 7))
        assert (found.p95, found.max) == pytest.approx((7, 7))
        assert found.within == {"5": 0.0, "10": 1.0, "20": 1.0}
        assert found.coverage == pytest.approx(coverage)
        assert found.samples == 1000
    assert scores.symmetric == pytest.approx(7)
    assert scores.over_dates is None
    assert scores.missed.bias is None


def test_the_statistics_of_a_slanted_line(folder: Path) -> None:
    """From a line that leaves another by one in ten, distances rise evenly from 0 to 100 m."""
    lines = write(folder / "lines.gpkg", [line((0, 0), (1000, 100))])
    reference = write(folder / "truth.gpkg", [line((-500, 0), (1500, 0))])
    found = measure_coastline(lines, reference, step=0.5).strayed
    assert found is not None
    assert found.mean == pytest.approx(50)
    assert found.median == pytest.approx(50, abs=0.1)
    assert found.rmse == pytest.approx(100 / math.sqrt(3), rel=1e-4)
    assert found.p95 == pytest.approx(95, abs=0.1)
    assert found.max == pytest.approx(100, abs=0.1)
    assert found.within["20"] == pytest.approx(0.2, abs=1e-3)


def test_directions_change_places_with_the_layers(folder: Path) -> None:
    random = np.random.default_rng(0)
    x = np.linspace(0, 3000, 60)
    one = write(folder / "one.gpkg", [line(*zip(x, random.normal(0, 20, 60), strict=True))])
    two = write(folder / "two.gpkg", [line(*zip(x + 300, random.normal(9, 20, 60), strict=True))])
    there, back = measure_coastline(one, two), measure_coastline(two, one)
    assert there.strayed is not None
    assert back.strayed is not None
    assert (there.missed.mean, there.missed.p95, there.missed.coverage) == pytest.approx(
        (back.strayed.mean, back.strayed.p95, back.strayed.coverage))
    assert there.symmetric == pytest.approx(back.symmetric)
    assert there.missed.mean != pytest.approx(there.strayed.mean, abs=1e-3)


@settings(max_examples=12, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 360), st.booleans())
def test_turning_the_coast_turns_nothing_else(folder: Path, angle: float, is_mirrored: bool
                                              ) -> None:
    random = np.random.default_rng(4)
    x = np.linspace(0, 800, 30)
    shapes = [line(*zip(x, random.normal(0, 20, 30), strict=True)) for _ in range(2)]
    turn, (across, along) = math.radians(angle), (math.cos, math.sin)

    def moved(points: np.ndarray) -> np.ndarray:
        east, north = (points - (EAST, NORTH)).T
        north = -north if is_mirrored else north
        return np.column_stack([EAST + across(turn) * east - along(turn) * north,
                                NORTH + along(turn) * east + across(turn) * north])

    results = []
    for number, pair in enumerate((shapes, [shapely.transform(shape, moved) for shape in shapes])):
        paths = [folder / f"{number}{name}.gpkg" for name in ("lines", "truth")]
        for path, shape in zip(paths, pair, strict=True):
            path.unlink(missing_ok=True)
            write(path, [shape])
        results.append(measure_coastline(*paths, land="left"))
    first, second = results
    assert second.missed.mean == pytest.approx(first.missed.mean, rel=1e-6)
    assert second.missed.rmse == pytest.approx(first.missed.rmse, rel=1e-6)
    assert second.missed.bias == pytest.approx(first.missed.bias * (-1 if is_mirrored else 1),
                                               rel=1e-5)


@pytest.mark.parametrize("crs", [4326, 3857, 32632])
def test_metres_do_not_depend_on_the_crs_of_the_files(folder: Path, crs: int) -> None:
    shapes = [line((0, 7), (300, 12)), line((0, 0), (300, 0))]
    expected = measure_coastline(write(folder / "a.gpkg", shapes[:1]),
                                 write(folder / "b.gpkg", shapes[1:]))
    found = measure_coastline(write(folder / "c.gpkg", shapes[:1], crs=crs),
                              write(folder / "d.gpkg", shapes[1:], crs=crs))
    # UTM 33 is 0.04 % short on its central meridian, zone 32 is 0.2 % long that far from its own.
    assert found.missed.mean == pytest.approx(expected.missed.mean, rel=2.5e-3)


def test_points_are_measured_one_way(folder: Path) -> None:
    lines = write(folder / "lines.gpkg", [line((0, 0), (1000, 0))])
    reference = write(folder / "gps.gpkg", spots((100, 3), (200, -5), (900, 10), (1500, 2)))
    scores = measure_coastline(lines, reference, land="left")
    assert scores.strayed is None
    assert scores.strayed_mean is None
    assert scores.symmetric is None
    assert scores.reference_kind == "point"
    assert scores.missed.samples == 3  # the fourth lies past the end
    assert scores.missed.coverage == pytest.approx(0.75)
    assert scores.missed.mean == pytest.approx(6)
    assert scores.missed.bias == pytest.approx(8 / 3)  # land is north: two points lie landward
    assert measure_coastline(lines, reference, land="right").missed.bias == pytest.approx(-8 / 3)
    assert measure_coastline(lines, reference).missed.bias is None


def test_a_traced_coastline_has_land_on_its_left(folder: Path) -> None:
    """Land to the east of column 20 of 40, measured against a coast two pixels farther east."""
    land = np.broadcast_to(1 / (1 + np.exp(-(np.arange(40) - 19.5))), (50, 40))
    proba = write_probabilities(folder / "proba.tif", np.stack([land, 1 - land]),
                                make_legend("land", "water"), transform=NORTH_UP)
    traced = trace_coastline(proba, water="water", out=folder / "coast.gpkg")
    coast = gpd.read_file(traced)
    truth = coast.translate(xoff=2 * NORTH_UP.a)
    gpd.GeoDataFrame(geometry=truth, crs=coast.crs).to_file(folder / "truth.gpkg")
    scores = measure_coastline(traced, folder / "truth.gpkg")
    assert scores.missed.bias == pytest.approx(2 * NORTH_UP.a, rel=1e-3)  # it lies seaward


def test_dates_meet_within_days(folder: Path) -> None:
    lines = write(folder / "lines.gpkg", [line((0, 0), (1000, 0))] * 3,
                  ["2020-01-01", "2020-03-01", "2021-01-01"])
    reference = write(folder / "gps.gpkg", spots((100, 10), (200, 2), (300, 2), (400, 2), (1, 900)),
                      ["2020-01-11", "2020-02-20", "2020-03-05", "2020-03-11", "2020-03-12"])
    scores = measure_coastline(lines, reference, days=10)
    assert [(date.date, date.reference_dates, date.missed.samples) for date in scores.dates] == [
        ("2020-01-01", ("2020-01-11",), 1),
        ("2020-03-01", ("2020-02-20", "2020-03-05", "2020-03-11"), 3)]
    assert [date.missed.mean for date in scores.dates] == pytest.approx([10, 2])
    assert scores.missed.mean == pytest.approx(4)
    assert scores.over_dates is not None
    assert scores.over_dates.mean == pytest.approx(6)
    assert scores.over_dates.interval is None
    assert scores.unmatched == ("2021-01-01",)
    everything = measure_coastline(lines, reference)
    assert everything.missed.samples == 15
    assert everything.unmatched == ()
    assert everything.dates[0].reference_dates == ()


def test_two_surveys_of_half_a_beach_cover_it(folder: Path) -> None:
    lines = write(folder / "lines.gpkg", [line((0, 0), (1000, 0))], ["2020-01-01"])
    reference = write(folder / "truth.gpkg", [line((0, 3), (500, 3)), line((500, 9), (1000, 9))],
                      ["2020-01-01", "2020-01-02"])
    scores = measure_coastline(lines, reference, days=1)
    assert scores.strayed is not None
    assert scores.strayed.coverage == scores.missed.coverage == 1
    assert (scores.missed.mean, scores.strayed.mean) == pytest.approx((6, 6))
    assert scores.missed_mean.interval is None  # either half is all alike: two pieces of evidence


def test_lines_without_a_date_meet_nothing(folder: Path) -> None:
    lines = write(folder / "lines.gpkg", [line((0, 0), (1000, 0))] * 2, ["2020-01-01", ""])
    reference = write(folder / "gps.gpkg", spots((100, 10)), ["2020-01-01"])
    assert measure_coastline(lines, reference, days=0).unmatched == ("no date",)
    assert [date.date for date in measure_coastline(lines, reference).dates] == [
        "2020-01-01", "no date"]


def test_the_mean_over_dates_has_an_interval_and_blocks_can_be_asked_for(folder: Path) -> None:
    dates = [f"2020-01-{day:02}" for day in range(1, 9)]
    offsets = [2.0, 4, 4, 5, 6, 6, 7, 14]
    lines = write(folder / "lines.gpkg", [line((0, y), (1000, y)) for y in offsets], dates)
    reference = write(folder / "truth.gpkg", [line((0, 0), (1000, 0))])
    scores = measure_coastline(lines, reference)
    assert scores.over_dates is not None
    assert scores.over_dates.interval is not None
    low, high = scores.over_dates.interval
    assert scores.over_dates.mean == scores.missed_mean.mean == pytest.approx(6)
    reach = float(stats.t.ppf(0.975, 7) * stats.sem(offsets))
    assert high - low == pytest.approx(2 * reach, rel=0.1)
    assert 6 - low < high - 6  # like the distances, with a tail above
    assert scores.missed_mean.resampled == "dates"
    blocks = measure_coastline(lines, reference, block=100).missed_mean
    assert blocks.resampled == "blocks of 100 m"
    assert blocks.interval is not None
    reach = float(stats.t.ppf(0.975, 79) * stats.sem(np.repeat(offsets, 10)))
    low, high = blocks.interval
    assert (6 - low, high - 6) == pytest.approx((reach, reach), rel=0.1)


def test_surveys_of_one_image_are_one_piece_of_evidence(folder: Path) -> None:
    """Six images, each with four surveys that agree: no surer than the six means are."""
    days = [f"2020-0{month}-10" for month in range(1, 7)]
    lines = write(folder / "lines.gpkg", [line((0, y), (900, y)) for y in (2, 3, 5, 7, 11, 13)],
                  days)
    reference = write(folder / "gps.gpkg", spots(*[(10 * n, 0) for n in range(24)]),
                      [day[:-2] + f"{number:02}" for day in days for number in (8, 9, 11, 12)])
    scores = measure_coastline(lines, reference, days=3)
    assert scores.missed.samples == 24
    assert scores.over_dates is not None
    assert scores.missed_mean.interval == pytest.approx(scores.over_dates.interval)


def test_blocks_follow_how_far_errors_are_alike(folder: Path) -> None:
    """A wave: over half its length of 200 m the error is above, then below its mean."""
    x = np.arange(0, 10_001, 5.0)
    y = 10 + 5 * np.sin(2 * np.pi * x / 200)
    lines = write(folder / "lines.gpkg", [line(*zip(x, y, strict=True))])
    scores = measure_coastline(lines, write(folder / "truth.gpkg", [line((0, 0), (10_000, 0))]))
    # The cosine's integral to its first zero is 200 / (2 pi) = 31.8 m; (31.8^2 x 10 km)^(1/3)
    chosen = float(scores.missed_mean.resampled.removeprefix("blocks of ").removesuffix(" m"))
    assert chosen == pytest.approx(216, rel=0.01)


def test_the_penalty_counts_what_has_no_line(folder: Path) -> None:
    lines = write(folder / "lines.gpkg", [line((0, 5), (1000, 5))])
    reference = write(folder / "truth.gpkg", [line((0, 0), (2000, 0))])
    scores = measure_coastline(lines, reference, max_distance=50, penalty=100)
    reach = math.sqrt(50 ** 2 - 5 ** 2)
    near = quad(lambda x: math.hypot(x, 5), 0, reach)[0]
    expected = (1000 * 5 + near + (1000 - reach) * 100) / 2000
    assert scores.penalised == pytest.approx(expected, abs=0.05)
    assert scores.missed.mean == pytest.approx(5)
    assert measure_coastline(lines, reference, max_distance=50).penalised is None


def test_too_far_is_no_counterpart(folder: Path) -> None:
    island = shapely.Point(EAST + 500, NORTH + 600).buffer(80).exterior
    lines = write(folder / "lines.gpkg", [line((0, 4), (1000, 4))])
    reference = write(folder / "truth.gpkg", [line((0, 0), (1000, 0)), island])
    assert measure_coastline(lines, reference).missed.max > 600
    found = measure_coastline(lines, reference, max_distance=100).missed
    assert found.max == pytest.approx(4)
    assert found.coverage == pytest.approx(1000 / (1000 + island.length), abs=1e-3)


def test_outside_the_area_nothing_counts(folder: Path) -> None:
    lines = write(folder / "lines.gpkg", [line((0, 3), (500, 3), (501, 90), (1000, 90))])
    reference = write(folder / "truth.gpkg", [line((0, 0), (1000, 0))])
    box = shapely.box(EAST - 50, NORTH - 200, EAST + 400, NORTH + 200)
    area = write(folder / "area.gpkg", [box], crs=4326)
    found = measure_coastline(lines, reference, area=area)
    assert found.missed.samples == pytest.approx(400, abs=1)
    assert found.missed.max == pytest.approx(3)
    assert found.missed.coverage == 1
    away = write(folder / "away.gpkg", [shapely.box(EAST, NORTH + 300, EAST + 9, NORTH + 400)])
    with pytest.raises(SourceError, match=r"truth.gpkg: lies outside the area"):
        measure_coastline(lines, reference, area=away)


def test_all_numbers_are_in_the_json(folder: Path) -> None:
    lines = write(folder / "lines.gpkg", [line((0, 7), (900, 7))] * 2, ["2020-01-01", "2020-01-02"])
    reference = write(folder / "truth.gpkg", [line((0, 0), (1000, 0))])
    scores = measure_coastline(lines, reference, within=(20, 6.5), json=folder / "scores.json")
    found = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    assert found == json.loads(json.dumps(scores.to_dict()))
    assert found["missed"]["within"] == {"6.5": 0.0, "20": 1.0}
    assert [date["date"] for date in found["dates"]] == ["2020-01-01", "2020-01-02"]
    assert found["penalised"] is None
    assert found["options"]["step"] == 1
    assert found["crs"] == "WGS 84 / UTM zone 33N"


def test_the_table_has_a_row_for_all(folder: Path) -> None:
    lines = write(folder / "lines.gpkg", [line((0, 7), (900, 7))] * 2, ["2020-01-01", "2020-06-02"])
    reference = write(folder / "gps.gpkg", spots((10, 0), (40, 1)), ["2020-01-01"] * 2)
    rows = measure_coastline(lines, reference, days=3, land="left").table().splitlines()
    assert rows[0].split() == ["metres", "samples", "mean", "median", "RMSE", "p95", "max", "bias",
                               "<=", "5", "m", "<=", "10", "m", "<=", "20", "m", "coverage"]
    assert rows[1].split() == ["all", "2", "6.50", "6.50", "6.52", "6.95", "7.00", "-6.50", "0.0",
                               "%", "100.0", "%", "100.0", "%", "100.0", "%"]
    assert len(rows[0]) == len(rows[1])
    assert rows[-1] == "without reference: 2020-06-02"


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson"])
def test_the_layer_is_the_lines_with_their_errors(folder: Path, suffix: str) -> None:
    """Two lines, one of them bent, none longer than needed, and samples that span both."""
    lines = write(folder / "lines.gpkg", [line((0, 7), (333.3, 7), (333.3, 57.7)),
                                          line((400, 3), (700.4, 3))], ["2020-01-01"] * 2)
    reference = write(folder / "truth.gpkg", [line((0, 0), (800, 0))])
    out = folder / f"errors{suffix}"
    scores = measure_coastline(lines, reference, out=out)
    found = gpd.read_file(out).to_crs(32633)
    assert out.with_suffix(".qml").is_file()
    assert set(found["direction"]) == {"missed", "strayed"}
    strayed = found[found["direction"] == "strayed"]
    assert shapely.distance(shapely.union_all(strayed.geometry.values),
                            shapely.points(EAST + 333.3, NORTH + 7)) < 1e-3
    assert strayed.length.sum() == pytest.approx(333.3 + 50.7 + 300.4, abs=0.5)
    assert shapely.hausdorff_distance(
        shapely.union_all(strayed.geometry.values),
        shapely.union_all(gpd.read_file(lines).geometry.values)) < 0.6  # half a step at most
    assert scores.strayed is not None
    mean = np.average(strayed["error_m"], weights=strayed.length)
    assert mean == pytest.approx(scores.strayed.mean, abs=0.1)
    past = found[(found["direction"] == "missed") & (found.bounds["minx"] > EAST + 705)]
    assert len(past)
    assert past["error_m"].isna().all()


def test_the_layer_of_points(folder: Path) -> None:
    lines = write(folder / "lines.gpkg", [line((0, 0), (1000, 0))], ["2020-01-02"])
    reference = write(folder / "gps.gpkg", spots((100, 3), (200, -5)), ["2020-01-01", "2020-01-03"])
    measure_coastline(lines, reference, days=1, land="left", out=folder / "errors.gpkg")
    found = gpd.read_file(folder / "errors.gpkg")
    np.testing.assert_allclose(found["error_m"], [3, 5])
    np.testing.assert_allclose(found["seaward_m"], [3, -5])
    assert found["date"].tolist() == ["2020-01-02"] * 2
    assert found["reference_date"].tolist() == ["2020-01-01", "2020-01-03"]
    assert found.crs == "EPSG:32633"
    assert set(found.geom_type) == {"Point"}


def test_what_cannot_be_measured_is_told(folder: Path) -> None:
    lines = write(folder / "lines.gpkg", [line((0, 7), (1000, 7))], ["2020-01-01"])
    gps = write(folder / "gps.gpkg", spots((10, 0)), ["2020-02-07"])
    undated = write(folder / "undated.gpkg", spots((10, 0)))
    polygons = write(folder / "land.gpkg", [shapely.box(EAST, NORTH, EAST + 9, NORTH + 9)])
    far = write(folder / "far.gpkg", [line((300_000, 0), (300_000, 900))])
    with pytest.raises(SourceError, match=r"lines.gpkg: has no date within 36 days of one of .*gps"
                       r".gpkg; the nearest two, 2020-01-01 and 2020-02-07, are 37 days apart\. A"):
        measure_coastline(lines, gps, days=36)
    with pytest.raises(SourceError, match=r"undated.gpkg: has no dates"):
        measure_coastline(lines, undated, days=36)
    with pytest.raises(SourceError, match=r"land.gpkg: holds polygons, not lines\. Turn them into"):
        measure_coastline(polygons, gps)
    with pytest.raises(SourceError, match=r"gps.gpkg: holds no lines\. Give a layer of lines\."):
        measure_coastline(gps, lines)
    with pytest.raises(SourceError, match=r"lines.gpkg: lies \d+ km from .*far.gpkg"):
        measure_coastline(lines, far)


def test_the_wrong_hemisphere_is_told(folder: Path) -> None:
    lines = write(folder / "lines.gpkg", [line((0, 7), (1000, 7))])
    south = gpd.read_file(lines).set_crs(32733, allow_override=True)
    south.to_file(folder / "south.gpkg")
    with pytest.raises(SourceError, match=r"lies 10,0\d\d km from .*Check the coordinate reference "
                       r"systems, WGS 84 / UTM zone 33N and WGS 84 / UTM zone 33S"):
        measure_coastline(lines, folder / "south.gpkg")


def test_neighbours_that_never_lie_beside_each_other(folder: Path) -> None:
    lines = write(folder / "lines.gpkg", [line((0, 0), (100, 0))])
    reference = write(folder / "truth.gpkg", [line((300, 0), (500, 0))])
    with pytest.raises(SourceError, match=r"has no part beside .* nearest places are 200 m apart"):
        measure_coastline(lines, reference)


@pytest.mark.parametrize(("options", "message"), [
    ({"days": -1}, "days: is -1"), ({"within": ()}, "within: names no distance"),
    ({"within": (5, -1)}, "within: is -1"), ({"max_distance": 0}, "maximum distance: is 0"),
    ({"step": math.inf}, "step: is inf"), ({"block": math.nan}, "block: is nan"),
    ({"penalty": 5}, "penalty: is given without a maximum distance"),
    ({"penalty": -5, "max_distance": 9}, "penalty: is -5"), ({"land": "up"}, "land: is 'up'"),
    ({"step": 1e-6}, r"step: of 1e-06 m makes more than 5,000,000 samples")])
def test_options_out_of_range(folder: Path, options: dict[str, object], message: str) -> None:
    lines = write(folder / "lines.gpkg", [line((0, 7), (1000, 7))])
    reference = write(folder / "truth.gpkg", [line((0, 0), (1000, 0))])
    with pytest.raises(GeosegError, match=message):
        measure_coastline(lines, reference, out=folder / "out.gpkg", **options)  # type: ignore[arg-type]
    assert {path.name for path in folder.iterdir()} == {"lines.gpkg", "truth.gpkg"}


def test_nothing_is_overwritten_unasked(folder: Path) -> None:
    lines = write(folder / "lines.gpkg", [line((0, 7), (1000, 7))])
    (folder / "scores.json").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="exists already"):
        measure_coastline(lines, lines, json=folder / "scores.json", out=folder / "out.gpkg")
    with pytest.raises(OutputError, match="is also an input"):
        measure_coastline(lines, lines, out=lines, overwrite=True)
    assert (folder / "scores.json").read_text(encoding="utf-8") == "mine"
    measure_coastline(lines, lines, json=folder / "scores.json", overwrite=True)
    assert json.loads((folder / "scores.json").read_text(encoding="utf-8"))["missed"]["max"] < 1e-6
