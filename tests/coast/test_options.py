"""Gaps, areas, pieces, ensembles, and polygons that share the line."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from rasterio.features import rasterize
from scipy.special import expit

from geoseg.coast.tracing.coastline import trace_coastline
from geoseg.errors import GeosegError, GridError, RasterError, SourceError
from tests.maps.worlds import (
    NORTH_UP,
    ROTATED,
    UTM,
    make_coast,
    make_legend,
    write_probabilities,
)

TWO = make_legend("land", "water")


def write(path: Path, land: np.ndarray, **options) -> Path:
    return write_probabilities(path, np.stack([land, 1 - land]), TWO, dtype="float32", **options)


def trace(path: object, out: Path, **options) -> gpd.GeoDataFrame:
    return gpd.read_file(trace_coastline(path, water="water", out=out, **options))


def ends(line: shapely.LineString) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return line.coords[0], line.coords[-1]


def hidden_coast(folder: Path) -> Path:
    """A straight coast whose middle is missing, and which leaves the image twice."""
    land = np.full((60, 50), 0.05)
    land[:, :20] = 0.95
    land[:8, 30:34] = 0.95  # a peninsula from beyond the upper border
    valid = np.ones(land.shape, dtype=bool)
    valid[20:40, 12:28] = False
    return write(folder / "hidden.tif", land, valid=valid)


def test_a_gap_is_bridged_and_said_to_be(tmp_path: Path) -> None:
    path = hidden_coast(tmp_path)
    frame = trace(path, tmp_path / "c.gpkg", max_gap=250, smooth=0)
    first, gap, last, peninsula = frame.itertuples()
    assert list(frame["kind"]) == ["observed", "interpolated", "observed", "observed"]
    assert list(frame["coast"]) == [1, 1, 1, 2]
    # One way all along, from the end of one to the start of the next.
    assert ends(first.geometry)[1] == ends(gap.geometry)[0]
    assert ends(gap.geometry)[1] == ends(last.geometry)[0]
    assert gap.geometry.length == pytest.approx(21 * 10)  # pixel centres above and below the hole
    assert len(gap.geometry.coords) == 2
    assert gap.confidence == 0
    assert np.isnan(gap.sigma_m)
    assert not frame["is_ring"].any()
    # The ends of the peninsula are 4 px apart, too, but lie at the border.
    assert peninsula.kind == "observed"
    less = trace(path, tmp_path / "l.gpkg", max_gap=200, smooth=0)
    assert set(less["kind"]) == {"observed"}
    assert sorted(less["coast"]) == [1, 2, 3]


def test_a_bridge_follows_the_coast_where_it_can_be_seen(tmp_path: Path) -> None:
    # A hole with a window in it: the coast bends through the window.
    land = np.full((60, 60), 0.02)
    land[:, :30] = 0.98
    land[20:40, :44] = 0.98
    valid = np.ones(land.shape, dtype=bool)
    valid[15:45, 25:50] = False
    path = write(tmp_path / "p.tif", land, valid=valid)
    [gap] = trace(path, tmp_path / "c.gpkg", max_gap=400, smooth=0).query(
        "kind == 'interpolated'").geometry
    assert gap.length == pytest.approx(310, abs=1)
    valid[26:34, 40:48] = True  # shows the coast at column 44, between its two sides
    path = write(tmp_path / "q.tif", land, valid=valid)
    frame = trace(path, tmp_path / "d.gpkg", max_gap=400, smooth=0)
    assert list(frame["coast"]) == [1] * 5
    assert list(frame["kind"]) == ["observed", "interpolated"] * 2 + ["observed"]


def test_an_island_half_under_a_cloud_is_a_ring_again(tmp_path: Path) -> None:
    row, column = np.mgrid[:60, :60]
    land = expit(2 * (15 - np.hypot(row - 30, column - 30)))
    valid = np.ones(land.shape, dtype=bool)
    valid[10:50, 40:58] = False
    path = write(tmp_path / "p.tif", land, valid=valid)
    frame = trace(path, tmp_path / "c.gpkg", max_gap=400)
    assert sorted(frame["kind"]) == ["interpolated", "observed"]
    assert frame["is_ring"].all()
    [one, other] = frame.geometry
    assert set(ends(one)) == set(ends(other))


def test_too_wide_a_gap_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GeosegError, match="is 6000, which is 600 pixels"):
        trace(hidden_coast(tmp_path), tmp_path / "c.gpkg", max_gap=6000)


def test_the_edge_of_the_area_is_no_coast(tmp_path: Path) -> None:
    coast = make_coast(128)
    path = write(tmp_path / "p.tif", coast.land_share)
    ring = shapely.affinity.rotate(shapely.box(500_300, 5_399_100, 500_900, 5_399_700), 20)
    gpd.GeoDataFrame(geometry=[ring], crs=UTM).to_crs(4326).to_file(tmp_path / "area.gpkg")
    whole = trace(path, tmp_path / "w.gpkg", simplify=0)
    inside = trace(path, tmp_path / "i.gpkg", simplify=0, area=tmp_path / "area.gpkg")
    ring = gpd.read_file(tmp_path / "area.gpkg").to_crs(UTM).geometry[0]
    every, found = (frame.geometry.union_all() for frame in (whole, inside))
    assert shapely.difference(found, every.buffer(1e-6)).length < 1e-6
    assert shapely.difference(found, ring.buffer(1e-6)).length < 1e-6
    # A line is drawn between pixels in the area: it may end a diagonal before the area does.
    surely = shapely.intersection(every, ring.buffer(-14.2))
    assert surely.length > 500
    assert shapely.difference(surely, found.buffer(1e-6)).length < 1e-6
    with pytest.raises(SourceError):
        trace(path, tmp_path / "n.gpkg", area=tmp_path / "none.gpkg")
    with pytest.raises(RasterError, match="shows no edge of water"):
        trace(path, tmp_path / "f.gpkg", area="0,0,1,1")


def test_pieces_know_their_own_stretch(tmp_path: Path) -> None:
    land = np.full((200, 40), 0.02)
    land[:, :20] = 0.98
    land[100:] = np.where(land[100:] > 0.5, 0.6, 0.4)
    path = write(tmp_path / "p.tif", land)
    [line] = trace(path, tmp_path / "l.gpkg", smooth=0).itertuples()
    pieces = trace(path, tmp_path / "c.gpkg", smooth=0, piece_length=200)
    assert len(pieces) == 10
    assert pieces["length_m"].sum() == pytest.approx(line.length_m)
    merged = shapely.simplify(shapely.line_merge(pieces.union_all()), 1e-6)
    assert merged.normalize().equals_exact(shapely.normalize(line.geometry), 1e-6)
    sharp, vague = sorted([pieces[:5], pieces[5:]], key=lambda part: part["sigma_m"].mean())
    np.testing.assert_allclose(sharp["confidence"], 0.96, atol=0.03)
    np.testing.assert_allclose(vague["confidence"], 0.2, atol=0.03)
    assert sharp["sigma_m"].max() < vague["sigma_m"].min()
    assert line.confidence == pytest.approx(0.58, abs=0.01)


def test_an_ensemble_is_the_mean_of_the_log_odds(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    z = np.stack([8 * (make_coast(96, turn).land_share - 0.5) + random.normal(0, 0.5, (96, 96))
                  for turn in (30, 36)])
    paths = [write(tmp_path / f"{n}.tif", expit(member)) for n, member in enumerate(z)]
    for weights, mean in ((None, z.mean(axis=0)), ([3, 1], (3 * z[0] + z[1]) / 4)):
        single = trace(write(tmp_path / "m.tif", expit(mean)), tmp_path / "m.gpkg", overwrite=True)
        both = trace(paths, tmp_path / "b.gpkg", weights=weights, overwrite=True)
        assert len(both) == len(single)
        np.testing.assert_allclose(both.get_coordinates(), single.get_coordinates(), atol=0.02)
        assert (both["sigma_m"] > single["sigma_m"]).all()
        assert set(both["source"]) == {"0.tif, 1.tif"}


def test_members_must_fit(tmp_path: Path) -> None:
    land = make_coast(64).land_share
    path = write(tmp_path / "p.tif", land)
    moved = write(tmp_path / "q.tif", land, transform=NORTH_UP @ Affine.translation(0.5, 0))
    out = tmp_path / "c.gpkg"
    with pytest.raises(GridError, match=r"does not line up.*Predict all of them on the same"):
        trace([path, moved], out)
    with pytest.raises(GeosegError, match="are 1, but there are 2 rasters"):
        trace([path, path], out, weights=[1])
    with pytest.raises(GeosegError, match="above 0"):
        trace([path, path], out, weights=[1, 0])
    other = write_probabilities(tmp_path / "o.tif", np.stack([land, 1 - land]),
                                make_legend("coast", "sea"), dtype="float32")
    with pytest.raises(RasterError, match=r"o.tif: names no class. Name some of coast, sea"):
        trace([path, other], out)
    with pytest.raises(GeosegError, match=r"is .31\.5\.2024."):
        trace(path, out, date="31.5.2024")
    assert not out.exists()


def test_date_and_factor(tmp_path: Path) -> None:
    path = write(tmp_path / "p.tif", make_coast(64).land_share)
    plain = trace(path, tmp_path / "a.gpkg")
    told = trace(path, tmp_path / "b.gpkg", date="2024-05-31", sigma_factor=0.5)
    assert "date" not in plain
    assert set(told["date"].astype(str)) == {"2024-05-31"}
    np.testing.assert_allclose(told["sigma_m"], plain["sigma_m"] / 2)


@pytest.mark.parametrize("piece_length", [0, 150])
@pytest.mark.parametrize("transform", [NORTH_UP, ROTATED])
def test_land_and_water_share_the_line(tmp_path: Path, transform: Affine, piece_length: float
                                       ) -> None:
    land = make_coast(128).land_share
    valid = np.ones(land.shape, dtype=bool)
    valid[40:70, 30:60] = False
    valid[44:50, 34:40] = True  # an islet of data
    valid[:20, :50] = False
    path = write(tmp_path / "p.tif", land, valid=valid, transform=transform)
    lines = trace(path, tmp_path / "c.gpkg", polygons=tmp_path / "s.gpkg",
                  piece_length=piece_length)
    sides = gpd.read_file(tmp_path / "s.gpkg")
    pixel = abs(transform.determinant)
    assert sides["area_m2"].sum() == pytest.approx(valid.sum() * pixel, rel=1e-9)
    assert shapely.coverage_is_valid(sides.geometry.values)
    assert sides.is_valid.all()
    kept = {tuple(point) for point in sides.get_coordinates().to_numpy()}
    assert {tuple(point) for point in lines.get_coordinates().to_numpy()} <= kept
    burned = rasterize([(shape, 1 + (side == "land")) for shape, side in zip(
        sides.geometry, sides["side"], strict=True)], land.shape, transform=transform)
    assert ((burned > 0) == valid).all()
    sure = valid & (np.abs(land - 0.5) > 0.49)
    wrong = (burned == 2) != (land > 0.5)
    assert wrong[sure].mean() < 0.005  # pixels of headlands that smoothing rounds off
    # Each line has land on one side and water on the other.
    for side in ("land", "water"):
        edge = sides[sides["side"] == side].boundary.union_all()
        assert shapely.difference(lines.union_all(), edge.buffer(1e-6)).length < 1e-6


def test_polygons_of_an_area(tmp_path: Path) -> None:
    path = write(tmp_path / "p.tif", make_coast(96).land_share)
    ring = shapely.box(500_200, 5_399_300, 500_700, 5_399_800)
    gpd.GeoDataFrame(geometry=[ring], crs=UTM).to_file(tmp_path / "area.gpkg")
    trace(path, tmp_path / "c.gpkg", area=tmp_path / "area.gpkg", polygons=tmp_path / "s.gpkg")
    sides = gpd.read_file(tmp_path / "s.gpkg")
    assert sides.union_all().equals(ring)
    assert sides["area_m2"].sum() == pytest.approx(ring.area)
    with rasterio.open(path) as dataset:
        assert sides.crs == dataset.crs
