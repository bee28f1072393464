"""Casting transects on baselines whose normals are known, and reading transects."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geoseg.coast.change.transect_layer import read_transects
from geoseg.coast.change.transects import cast_transects, directions_at, places_along
from geoseg.errors import GeosegError, OutputError, SourceError

X, Y = 500_000.0, 5_400_000.0


def write(folder: Path, shapes: list[object], *, crs: object = 32633, **columns: list) -> Path:
    path = folder / "lines.gpkg"
    gpd.GeoDataFrame(columns or {"number": range(len(shapes))}, geometry=shapes, crs=crs).to_file(
        path, layer="lines")
    return path


def line(*points: tuple[float, float]) -> shapely.LineString:
    return shapely.LineString([(X + x, Y + y) for x, y in points])


def cast(folder: Path, shapes: list[object], **options: object) -> gpd.GeoDataFrame:
    settings = {"spacing": 100.0, "seaward": 50.0, "landward": 20.0, **options}
    out = cast_transects(write(folder, shapes, crs=settings.pop("crs", 32633)),
                         out=folder / "out.gpkg", overwrite=True, **settings)
    return gpd.read_file(out)


def ends(frame: gpd.GeoDataFrame) -> np.ndarray:
    return shapely.get_coordinates(frame.geometry).reshape(-1, 2, 2) - (X, Y)


def test_a_straight_coast(tmp_path: Path) -> None:
    # Land on the left of a line to the east: sea in the south.
    found = cast(tmp_path, [line((0, 0), (250, 0))])
    np.testing.assert_allclose(ends(found), [[(x, 20), (x, -50)] for x in (25, 125, 225)],
                               atol=1e-6)
    assert found["position_m"].tolist() == pytest.approx([25, 125, 225])
    assert found["name"].tolist() == ["1", "2", "3"]
    np.testing.assert_allclose(found["azimuth"], 180, atol=0.01)  # on the zone's central meridian
    np.testing.assert_allclose(found["length_m"], 70)


def test_land_on_the_right(tmp_path: Path) -> None:
    left = ends(cast(tmp_path, [line((0, 0), (250, 40))]))
    right = ends(cast(tmp_path, [line((250, 40), (0, 0))], land="right"))
    np.testing.assert_allclose(left, right[::-1], atol=1e-6)


def test_a_round_island(tmp_path: Path) -> None:
    angles = np.linspace(0, 2 * np.pi, 721)
    ring = line(*(np.column_stack([np.cos(angles), np.sin(angles)]) * 300))
    found = ends(cast(tmp_path, [ring], smooth=40.0))  # anticlockwise: land inside
    assert len(found) == 18  # 1885 m round
    np.testing.assert_allclose(np.hypot(*found[:, 0].T), 280, atol=0.05)
    np.testing.assert_allclose(np.hypot(*found[:, 1].T), 350, atol=0.05)
    gaps = np.hypot(*(np.roll(found[:, 0], -1, axis=0) - found[:, 0]).T)
    assert np.ptp(gaps) < 0.1


def test_smoothing_is_the_mean_direction(tmp_path: Path) -> None:
    zigzag = line(*((x, 10 * (x // 20 % 2)) for x in range(0, 1001, 20)))
    rough = ends(cast(tmp_path, [zigzag], spacing=37.0))
    smooth = ends(cast(tmp_path, [zigzag], spacing=37.0, smooth=4 * np.hypot(20, 10)))

    def tilt(pairs: np.ndarray) -> np.ndarray:
        across = pairs[:, 1] - pairs[:, 0]
        return np.degrees(np.arctan2(across[:, 0], -across[:, 1]))

    np.testing.assert_allclose(np.abs(tilt(rough)), np.degrees(np.arctan2(10, 20)), atol=0.1)
    inner = tilt(smooth)[2:-2]  # four teeth around each: as many up as down
    np.testing.assert_allclose(inner, 0, atol=0.01)


@given(st.integers(0, 2**32 - 1), st.floats(0, 300))
def test_directions_are_means_of_tangents(seed: int, smooth: float) -> None:
    rng = np.random.default_rng(seed)
    vertices = np.cumsum(rng.normal((30, 0), 10, (40, 2)), axis=0)
    shape = shapely.LineString(vertices)
    place = float(rng.uniform(160, shape.length - 160))
    width = max(smooth, 0.01)
    at = place + np.linspace(-0.5, 0.5, 4001)[:-1] * width + width / 8000
    steps = np.hypot(*np.diff(vertices, axis=0).T)
    tangents = np.diff(vertices, axis=0) / steps[:, None]
    mean = tangents[np.searchsorted(np.cumsum(steps), at)].mean(axis=0)
    found = directions_at(vertices, np.array([place]), smooth)[0]
    assert np.hypot(*found) == pytest.approx(1)
    np.testing.assert_allclose(found, mean / np.hypot(*mean), atol=5e-3)


def test_a_spike_has_a_direction() -> None:
    vertices = np.array([(0.0, 0), (10, 0), (0, 0)])
    np.testing.assert_allclose(directions_at(vertices, np.array([10.0]), 0.0), [(1, 0)])
    hairpin = np.array([(0.0, 0), (10, 0), (10, 1e-9), (0, 1e-9)])
    assert np.isfinite(directions_at(hairpin, np.array([10.0]), 8.0)).all()


@given(st.floats(1, 1e5), st.floats(1, 1e4))
def test_places_do_not_depend_on_the_direction(length: float, spacing: float) -> None:
    places = places_along(length, spacing, ring=False)
    np.testing.assert_allclose(places, length - places[::-1], atol=1e-6)
    assert (np.diff(places) > spacing * (1 - 1e-9)).all()
    assert len(places) == 0 or 0 <= places[0] <= spacing / 2 * (1 + 1e-9)
    ring = places_along(length, spacing, ring=True)
    assert len(ring) == 0 or length / len(ring) >= spacing * (1 - 1e-9)


def test_pieces_are_joined(tmp_path: Path) -> None:
    found = cast(tmp_path, [line((400, 0), (1000, 0)), line((0, 900), (150, 900)),
                            line((0, 0), (400, 0))])
    whole = ends(found[found["line"] == 1])
    np.testing.assert_allclose(whole[:, 0, 0], np.arange(0, 1001, 100), atol=1e-6)
    assert found["line"].tolist() == [1] * 11 + [2] * 2
    assert found["position_m"].iloc[-2:].tolist() == pytest.approx([1025, 1125])


def test_metres_are_metres_in_degrees(tmp_path: Path) -> None:
    baseline = shapely.LineString([(10, 60), (10, 60.02)])  # to the north: sea in the east
    found = cast(tmp_path, [baseline], spacing=500.0, seaward=300.0, landward=0.0, crs=4326)
    geod = pyproj.Geod(ellps="WGS84")
    for shape in found.geometry:
        azimuth, _, length = geod.inv(*shape.coords[0], *shape.coords[1])
        assert length == pytest.approx(300, rel=1e-4)
        assert azimuth == pytest.approx(90, abs=0.05)
    assert len(found) == 5
    np.testing.assert_allclose(found["azimuth"], 90, atol=0.05)


def test_bad_options_and_files(tmp_path: Path) -> None:
    path = write(tmp_path, [line((0, 0), (60, 0))])
    good = {"spacing": 10.0, "seaward": 5.0, "landward": 5.0, "out": tmp_path / "out.gpkg"}
    for change, message in (({"spacing": 0.0}, "spacing: is 0.0"), ({"seaward": -1.0}, "seaward"),
                            ({"smooth": np.nan}, "smooth: is nan"), ({"land": "up"}, "left or"),
                            ({"spacing": 1e-4}, "makes 600,000 transects")):
        with pytest.raises(GeosegError, match=message):
            cast_transects(path, **{**good, **change})
    with pytest.raises(SourceError, match=r"no line of 100 m or more \(the longest has 60 m\)"):
        cast_transects(path, **{**good, "spacing": 100.0})
    with pytest.raises(OutputError, match="also an input"):
        cast_transects(path, **{**good, "out": path}, overwrite=True)
    assert not (tmp_path / "out.gpkg").exists()


def test_cast_transects_can_be_read(tmp_path: Path) -> None:
    made = cast(tmp_path, [line((0, 0), (1000, 300))], spacing=150.0)
    read = read_transects(tmp_path / "out.gpkg")
    assert read.names == tuple(made["name"])
    np.testing.assert_allclose(np.diff(read.positions), np.diff(made["position_m"]), rtol=1e-3)
    np.testing.assert_allclose(read.lengths, 70, rtol=1e-3)
    # Projecting any place back gives its chainage, at right angles wherever it lies beside.
    index = np.array([0, 3, 3])
    places = shapely.get_coordinates(read.places(np.array([0.0, 12.5, -4.0]), index))
    np.testing.assert_allclose(read.chainages(places, index), [0, 12.5, -4], atol=1e-6)


def test_names(tmp_path: Path) -> None:
    shapes = [line((0, 0), (0, 9)), line((5, 0), (5, 9))]
    assert read_transects(write(tmp_path, shapes, Profile=[3.0, 4.0])).names == ("3", "4")
    assert read_transects(write(tmp_path, shapes, other=["a", "b"])).names == ("1", "2")
    path = write(tmp_path, shapes, name=["a", "A"])
    with pytest.raises(SourceError, match="several transects called 'A'"):
        read_transects(path)
    with pytest.raises(SourceError, match="no attribute 'label'"):
        read_transects(path, "label")
    with pytest.raises(SourceError, match="without a name"):
        read_transects(write(tmp_path, shapes, name=["a", None]))


@pytest.mark.parametrize(("shape", "message"), [
    (line((0, 0), (5, 5), (10, 0)), "is not straight"),
    (line((0, 0), (5, 5), (0, 0)), "ends where it begins"),
    (shapely.MultiLineString([line((0, 0), (0, 9)), line((5, 0), (5, 9))]), "several parts"),
])
def test_what_is_no_transect(tmp_path: Path, shape: object, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        read_transects(write(tmp_path, [shape], name=["a"]))


def test_slopes(tmp_path: Path) -> None:
    shapes = [line((0, 0), (0, 9)), line((5, 0), (5, 9))]
    found = read_transects(write(tmp_path, shapes, name=["a", "b"], Slope=[0.1, None]))
    assert found.slopes[0] == 0.1
    assert np.isnan(found.slopes[1])
    with pytest.raises(SourceError, match="slope of 0"):
        read_transects(write(tmp_path, shapes, name=["a", "b"], slope=[0.1, 0.0]))
