"""Sea and land from coasts drawn by hand, whose areas are known."""

from __future__ import annotations

import logging

import geopandas as gpd
import numpy as np
import pytest
import shapely

from geoseg.errors import GeosegError, OutputError, SourceError
from geoseg.sources.sea_land import split_sea_land
from tests.sources.coasts import EAST, NORTH, frame, hectares, land_of, line, split, square, write

ACROSS = line((-50, 300), (1050, 300))
"""From west to east: land in the north, 70 of the 100 hectares."""


def test_land_is_on_the_left(tmp_path):
    found = split(tmp_path, ACROSS)
    assert found["side"].tolist() == found["class"].tolist() == ["land", "sea"]
    assert (hectares(found, "land"), hectares(found, "sea")) == ([70], [30])
    np.testing.assert_allclose(land_of(found).bounds,
                               (EAST, NORTH + 300, EAST + 1000, NORTH + 1000), atol=1e-4)
    assert found.crs == "EPSG:32633"
    np.testing.assert_allclose(found["area_km2"], [0.7, 0.3], rtol=1e-6)


def test_or_on_the_right_if_so_told(tmp_path):
    assert hectares(split(tmp_path, ACROSS, land="right"), "land") == [30]


def test_ways_are_joined_end_to_end_in_any_order(tmp_path):
    ways = [line((400, 300), (700, 500)), line((-50, 300), (400, 300)),
            line((700, 500), (1050, 500))]
    # Below: 700 m by 300 m, 300 m by 500 m, and a triangle of 300 m by 200 m.
    assert hectares(split(tmp_path, *ways), "sea") == [21 + 15 + 3]


def test_islands_lagoons_and_an_island_in_a_lagoon(tmp_path):
    found = split(tmp_path, ACROSS, square(100, 100, 100), square(400, 500, 300, island=False),
                  square(500, 600, 100))
    assert hectares(found, "land") == [1, 1, 70 - 9]
    assert hectares(found, "sea") == [9 - 1, 30 - 1]


def test_a_ring_of_several_ways_is_an_island(tmp_path):
    halves = [line((100, 100), (300, 100), (300, 300)), line((300, 300), (100, 300), (100, 100))]
    found = split(tmp_path, *halves)
    assert hectares(found, "land") == [4]
    (sea,) = found.geometry[found["side"] == "sea"]
    assert len(sea.interiors) == 1


def test_islands_cut_by_the_edge(tmp_path):
    found = split(tmp_path, square(-100, 100, 200), square(900, 900, 300))
    assert hectares(found, "land") == [1, 2]


def test_several_coasts_cross_the_area(tmp_path):
    found = split(tmp_path, ACROSS, line((1050, 800), (-50, 800)))
    assert hectares(found, "land") == [50]
    assert hectares(found, "sea") == [20, 30]


def test_a_coast_along_the_edge_of_the_area(tmp_path):
    found = split(tmp_path, line((0, -50), (0, 1050)))
    assert (hectares(found, "sea"), hectares(found, "land")) == ([100], [])


def test_coasts_that_leave_and_return_through_corners(tmp_path):
    found = split(tmp_path, line((-100, -100), (1100, 1100)))
    assert hectares(found, "land") == hectares(found, "sea") == [50]


def test_doubles_change_nothing(tmp_path):
    doubled = line((-50, 300), (200, 300), (200, 300), (1050, 300))
    found = split(tmp_path, ACROSS, ACROSS, doubled, square(100, 100, 100),
                  square(100, 100, 100))
    assert hectares(found, "land") == [1, 70]


def test_a_jetty_drawn_out_and_back_is_no_end(tmp_path):
    found = split(tmp_path, line((-50, 300), (500, 300), (500, 100), (500, 300), (1050, 300)))
    assert (hectares(found, "land"), hectares(found, "sea")) == ([70], [30])


@pytest.mark.parametrize(("y", "side"), [(-200, "land"), (1200, "sea")])
def test_an_area_that_no_line_crosses_is_told_by_the_nearest(tmp_path, caplog, y, side):
    with caplog.at_level(logging.WARNING, "geoseg"):
        found = split(tmp_path, line((-5000, y), (300, y), (5000, y)))
    assert found["side"].tolist() == [side]
    assert "crossed by no coastline" in caplog.text


def test_the_nearest_line_counts_not_the_island_behind_it(tmp_path):
    # An island inside a lagoon: seen from the land around, the lagoon's rim comes first.
    found = split(tmp_path, square(-900, 400, 300, island=False), square(-750, 500, 50))
    assert found["side"].tolist() == ["land"]


def test_beyond_the_end_of_a_line_nothing_is_told(tmp_path):
    with pytest.raises(SourceError, match="does not tell which side of it that lies on"):
        split(tmp_path, line((-900, 300), (-200, 300)))


def test_a_line_far_away_tells_nothing(tmp_path):
    with pytest.raises(SourceError, match=r"lies 60 km from the area, too far"):
        split(tmp_path, line((-60_000, -90_000), (-60_000, 90_000)))


def test_an_open_end_is_named_by_its_place(tmp_path):
    end = gpd.GeoSeries([shapely.Point(EAST + 600, NORTH + 300)], crs=32633).to_crs(4326)[0]
    with pytest.raises(SourceError) as caught:
        split(tmp_path, line((-50, 300), (600, 300)))
    assert f"longitude {end.x:.6f}, latitude {end.y:.6f}." in str(caught.value)
    assert "ends inside the area" in caught.value.found
    assert "larger extract" in caught.value.cure


def test_all_open_ends_are_counted_and_nothing_is_written(tmp_path):
    with pytest.raises(SourceError, match="and 2 other places"):
        split(tmp_path, line((-50, 300), (600, 300)), line((100, 700), (900, 700)))
    assert not (tmp_path / "out.gpkg").exists()


@pytest.mark.parametrize("shift", [(0.004, 0.003), (-0.003, 0.004)])
def test_ends_within_a_centimetre_are_one_place(tmp_path, caplog, shift):
    with caplog.at_level(logging.WARNING, "geoseg"):
        found = split(tmp_path, line((-50, 300), (500, 300)),
                      line((500 + shift[0], 300 + shift[1]), (1050, 300)))
    assert hectares(found, "land") == pytest.approx([70], abs=2e-4)
    assert not caplog.text


def test_gaps_are_bridged_only_when_allowed(tmp_path, caplog):
    pieces = [line((-50, 300), (490, 300)), line((494, 303), (998, 303))]
    with pytest.raises(SourceError, match="and 2 other places"):
        split(tmp_path, *pieces)
    with pytest.raises(SourceError, match="and one other place"):
        split(tmp_path, *pieces, max_gap=4.9)
    found = split(tmp_path, *pieces, max_gap=5.1)
    assert "2 gaps of up to 5.0 m" in caplog.text
    # 490 m at 300 m, 4 m at 301.5 m on average, 506 m at 303 m.
    assert hectares(found, "sea") == [round((147_000 + 1206 + 506 * 303) / 1e4, 4)]


def test_the_shortest_gaps_are_closed_first(tmp_path):
    # 4 m between the ends of the coast, 2 m in the rim of an island; 4.5 m from coast to island.
    coast = [line((-50, 300), (490, 300)), line((494, 300), (1050, 300))]
    rim = line((490, 295.5), (390, 295.5), (390, 193.5), (490, 193.5), (490, 293.5))
    for shapes in ([*coast, rim], [rim, *reversed(coast)]):
        assert hectares(split(tmp_path, *shapes, max_gap=5), "land") == [1.02, 70]


def test_doubled_lines_are_bridged_too_and_end_but_once(tmp_path):
    pieces = [line((-50, 300), (490, 300)), line((494, 300), (1050, 300))] * 2
    assert hectares(split(tmp_path, *pieces, max_gap=5), "land") == [70]
    with pytest.raises(SourceError, match="ends inside the area"):
        split(tmp_path, *pieces)


def test_a_reversed_way_is_found_where_it_meets_the_next(tmp_path):
    with pytest.raises(SourceError, match=r"that meet at longitude 15\.0068\d\d, ") as caught:
        split(tmp_path, line((-50, 300), (500, 300)), line((1050, 300), (500, 300)))
    assert "Reverse line direction" in caught.value.cure


def test_coasts_that_disagree_are_told_with_both_places(tmp_path):
    with pytest.raises(SourceError, match="contradicts itself") as caught:
        split(tmp_path, ACROSS, line((-50, 800), (1050, 800)))
    south, north = (gpd.GeoSeries([shapely.Point(EAST + 500, NORTH + y)], crs=32633)
                    .to_crs(4326)[0] for y in (300, 800))
    assert (f"land by the line at longitude {south.x:.6f}, latitude {south.y:.6f}, and sea by the "
            f"line at longitude {north.x:.6f}, latitude {north.y:.6f}") in str(caught.value)


def test_a_line_drawn_both_ways_is_a_contradiction(tmp_path):
    with pytest.raises(SourceError, match="contradicts itself"):
        split(tmp_path, ACROSS, ACROSS.reverse())


def test_a_little_loop_is_a_slip_and_a_large_one_an_error(tmp_path, caplog):
    def loop(size: float) -> shapely.LineString:
        return line((-50, 300), (500, 300), (500 + size, 300), (500 + size, 300 + size),
                    (500, 300 + size), (500, -50))

    with caplog.at_level(logging.WARNING, "geoseg"):
        found = split(tmp_path, loop(2))
    assert "of line were overruled" in caplog.text
    # The line turns south at 500 m; land is in the north and east.
    assert sum(hectares(found, "sea")) == pytest.approx(15, abs=1e-3)
    with pytest.raises(SourceError, match="contradicts itself"):
        split(tmp_path, loop(100))


@pytest.mark.parametrize(("are", "sea"), [("land", 100 - 6 - 4), ("sea", 6 + 4)])
def test_polygons_of_either_side(tmp_path, are, sea):
    # Two tiles of one island that share an edge, as osmdata cuts its land; one reaches beyond.
    tiles = [shapely.box(EAST + x, NORTH + 100, EAST + x + 100, NORTH + 400) for x in (700, 800)]
    lone = shapely.box(EAST - 300, NORTH + 800, EAST + 200, NORTH + 1000)
    found = split(tmp_path, *tiles, lone, polygons_are=are)
    assert sum(hectares(found, "sea")) == sea
    assert len(found) == 3


def test_the_lines_of_polygons_give_the_same(tmp_path):
    island = shapely.Point(EAST + 400, NORTH + 500).buffer(300, quad_segs=7)
    by_area = split(tmp_path, island, polygons_are="land")
    by_line = split(tmp_path, shapely.LineString(shapely.orient_polygons(island).exterior))
    assert land_of(by_area).symmetric_difference(land_of(by_line)).area < 1e-3


def test_polygons_nearby_that_do_not_touch_leave_all_to_the_other_side(tmp_path):
    corners = [shapely.box(EAST - 90, NORTH - 90, EAST - 50, NORTH - 50),
               shapely.box(EAST + 1050, NORTH + 1050, EAST + 1090, NORTH + 1090)]
    assert split(tmp_path, *corners, polygons_are="land")["side"].tolist() == ["sea"]


def test_classes_can_be_named(tmp_path):
    found = split(tmp_path, ACROSS, sea_class="water", land_class="ground")
    assert found["side"].tolist() == ["land", "sea"]
    assert found["class"].tolist() == ["ground", "water"]


def test_an_area_of_parts_with_holes(tmp_path):
    parts = shapely.MultiPolygon([
        shapely.box(0, 0, 400, 1000) - shapely.box(100, 100, 200, 200),
        shapely.box(600, 0, 1000, 250)])
    moved = shapely.transform(parts, lambda points: np.add(points, (EAST, NORTH)))
    out = split_sea_land(write(tmp_path / "coast.gpkg", [ACROSS]), out=tmp_path / "out.fgb",
                         area=write(tmp_path / "area.gpkg", [moved]))
    found = gpd.read_file(out)
    assert hectares(found, "land") == [28]
    assert hectares(found, "sea") == [10, 12 - 1]  # the second part by the nearest line


def test_a_box_in_degrees_has_its_edges_on_parallels(tmp_path):
    # 1 degree wide: in the zone's grid the parallel bends by more than 100 m.
    coast = line((-200_000, 5000), (200_000, 5000))
    out = split_sea_land(write(tmp_path / "coast.gpkg", [coast]), area="14.5,48.7,15.5,48.9",
                         out=tmp_path / "out.gpkg")
    fine = shapely.box(14.5, 48.7, 15.5, 48.9).segmentize(0.0005)
    truth = gpd.GeoSeries([fine], crs=4326).to_crs(32633)[0]
    union = shapely.union_all(gpd.read_file(out).geometry.array)
    assert union.hausdorff_distance(truth) < 0.05


def test_across_the_antimeridian(tmp_path):
    # One island of 0.2 by 0.1 degrees, cut at 180 as OpenStreetMap's ways are.
    west = shapely.LineString([(180, -16.4), (179.9, -16.4), (179.9, -16.5), (180, -16.5)])
    east = shapely.LineString([(-180, -16.5), (-179.9, -16.5), (-179.9, -16.4), (-180, -16.4)])
    out = split_sea_land(write(tmp_path / "coast.gpkg", [west, east], 4326),
                         area="179.5,-17,-179.5,-16", out=tmp_path / "out.gpkg")
    found = gpd.read_file(out)
    square_degrees = shapely.area(found.geometry.array)
    assert square_degrees[found["side"] == "land"].tolist() == pytest.approx([0.01, 0.01])
    assert square_degrees[found["side"] == "sea"].sum() == pytest.approx(1 - 0.02)


@pytest.mark.parametrize(("shapes", "crs", "options", "message"), [
    ([], 32633, {}, "holds no features"),
    ([ACROSS], None, {}, "has no coordinate reference system"),
    ([ACROSS.buffer(1)], 32633, {}, "holds polygons, not lines. Say what they are"),
    ([ACROSS], 32633, {"polygons_are": "land"}, "holds lines, not polygons"),
    ([shapely.Point(EAST, NORTH)], 32633, {}, "holds no lines"),
    ([shapely.box(EAST, NORTH - 9, EAST + 9, NORTH - 5)], 32633, {"polygons_are": "land"},
     "lies wholly outside the area"),
    ([line((1, 1), (1, 1))], 32633, {}, "only lines without length"),
    ([line((np.inf, 1), (1, 1))], 32633, {}, "coordinates that are no numbers|no features"),
])
@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_what_cannot_be_used_is_told(tmp_path, shapes, crs, options, message):
    coast = tmp_path / "coast.gpkg"
    gpd.GeoDataFrame(geometry=shapes, crs=crs).to_file(
        coast, geometry_type=None if shapes else "LineString")
    with pytest.raises(SourceError, match=message):
        split_sea_land(coast, area=frame(tmp_path), out=tmp_path / "out.gpkg", **options)
    assert not (tmp_path / "out.gpkg").exists()


@pytest.mark.parametrize(("options", "message"), [
    ({"land": "up"}, "land: is 'up'"), ({"max_gap": -1.0}, "max gap: is -1"),
    ({"max_gap": float("nan")}, "max gap: is nan"),
    ({"polygons_are": "water"}, "polygons are: is 'water'"),
    ({"sea_class": "land"}, "class names"),
])
def test_options_out_of_range(tmp_path, options, message):
    with pytest.raises(GeosegError, match=message):
        split(tmp_path, ACROSS, **options)


def test_no_input_is_overwritten(tmp_path):
    coast, area = write(tmp_path / "coast.gpkg", [ACROSS]), frame(tmp_path)
    before = coast.read_bytes()
    for out in (coast, area):
        with pytest.raises(OutputError, match="is also an input"):
            split_sea_land(coast, area=area, out=out, overwrite=True)
    assert coast.read_bytes() == before
