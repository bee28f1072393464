"""Coastlines of OpenStreetMap: their direction, from extracts, from Overpass and by fetch_osm."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine

from geoseg.errors import SourceError
from geoseg.recipe import Recipe
from geoseg.samples.labels import burn_labels
from geoseg.sources.osm import fetch_osm
from geoseg.sources.sea_land import split_sea_land
from tests.sources.overpass_server import answer, node, overpass, way

AREA = "8.0,50.0,8.1,50.1"
BOX = shapely.box(8.0, 50.0, 8.1, 50.1)
NODES = {1: (7.95, 50.02), 2: (8.04, 50.02), 3: (8.15, 50.02),
         10: (8.01, 50.005), 11: (8.02, 50.005), 12: (8.02, 50.015), 13: (8.01, 50.015),
         20: (8.05, 50.05), 21: (8.07, 50.05), 22: (8.07, 50.07), 23: (8.05, 50.07),
         30: (8.08, 50.005), 31: (8.09, 50.005), 32: (8.09, 50.015), 33: (8.08, 50.015)}
WAYS = {100: ((1, 2), {}), 101: ((2, 3), {}),
        # An island, as a closed way that is tagged and as the rim of a relation; and one more.
        102: ((10, 11, 12, 13, 10), {}), 104: ((30, 31, 32, 33, 30), {"place": "islet"}),
        # A lagoon: a closed way that runs clockwise.
        103: ((20, 23, 22, 21, 20), {"area": "yes"})}
LAND = (shapely.box(8.0, 50.02, 8.1, 50.1) - shapely.box(8.05, 50.05, 8.07, 50.07)
        | shapely.box(8.01, 50.005, 8.02, 50.015) | shapely.box(8.08, 50.005, 8.09, 50.015))


def elements() -> list[dict]:
    """The coast as Overpass sends it, with a road and a wood that are none."""
    return [*(node(number, *place) for number, place in NODES.items()),
            *(way(number, *nodes, natural="coastline", **tags)
              for number, (nodes, tags) in WAYS.items()),
            way(200, 1, 12, natural="cliff"), way(201, 10, 11, 12, 10, natural="wood"),
            {"type": "relation", "id": 300, "tags": {"type": "multipolygon", "place": "island"},
             "members": [{"type": "way", "ref": 102, "role": "outer"}]}]


def extract(folder, *, without: tuple[int, ...] = ()):
    """The same coast as an extract."""
    def tags(mapping):
        return "".join(f'<tag k="{key}" v="{value}"/>' for key, value in mapping.items())

    text = []
    for item in elements():
        if item["type"] == "node":
            if item["id"] not in without:
                text.append(f'<node id="{item["id"]}" lon="{item["lon"]}" lat="{item["lat"]}"/>')
        elif item["type"] == "way":
            refs = "".join(f'<nd ref="{number}"/>' for number in item["nodes"])
            text.append(f'<way id="{item["id"]}">{refs}{tags(item["tags"])}</way>')
        else:
            text.append('<relation id="300"><member type="way" ref="102" role="outer"/>'
                        f'{tags(item["tags"])}</relation>')
    path = folder / "coast.osm"
    path.write_text(f'<?xml version="1.0"?><osm version="0.6">{"".join(text)}</osm>')
    return path


def check(path) -> None:
    found = gpd.read_file(path)
    assert found.crs == "EPSG:4326"
    land = shapely.union_all(found.geometry[found["side"] == "land"].array)
    sea = shapely.union_all(found.geometry[found["side"] == "sea"].array)
    assert land.symmetric_difference(LAND).area < 1e-12
    assert sea.symmetric_difference(BOX - LAND).area < 1e-12
    assert sorted(found["side"]) == ["land"] * 3 + ["sea"] * 2


def test_an_extract_keeps_directions_and_all_islands(tmp_path):
    out = split_sea_land(extract(tmp_path), area=AREA, out=tmp_path / "out.gpkg")
    check(out)
    notes = pyogrio.read_info(out, layer="sea_land")["layer_metadata"]
    assert notes["attribution"] == "© OpenStreetMap contributors, ODbL 1.0"
    assert notes["source"] == "coast.osm"


def test_without_a_file_overpass_is_asked(tmp_path):
    with overpass(answer(*elements())) as server:
        out = split_sea_land(area=AREA, out=tmp_path / "out.gpkg", endpoint=server.url,
                             cache=tmp_path / "cache")
        check(out)
        (query,) = server.queries
        assert 'way["natural"="coastline"]' in query
        again = split_sea_land(area=AREA, out=tmp_path / "again.gpkg", endpoint=server.url,
                               cache=tmp_path / "cache")
        check(again)
        assert len(server.queries) == 1
    assert pyogrio.read_info(out, layer="sea_land")["layer_metadata"]["source"] == server.url


def recipe(folder, **natural: str) -> Recipe:
    classes = "".join(f'[[class]]\nname = "{name}"\ncolor = "#{place}0a0b0"\n{tag}\n'
                      for place, (name, tag) in enumerate(natural.items()))
    path = folder / "coast.toml"
    path.write_text(f'name = "coast"\n{classes}')
    return Recipe.read(path)


def test_what_fetch_osm_brings_from_overpass_serves_too(tmp_path):
    coast = recipe(tmp_path, wood='osm = { natural = "wood" }', cliff='osm = { natural = "cliff" }',
                   coast='osm = { natural = "coastline" }')
    with overpass(answer(*elements())) as server:
        fetched = fetch_osm(AREA, coast, out=tmp_path / "osm.gpkg", endpoint=server.url)
    # A wood and a cliff lie in the same layers and are no coast.
    for layer, other in (("polygons", "wood"), ("lines", "cliff")):
        natural = set(pyogrio.read_dataframe(fetched, layer=layer)["natural"])
        assert {other, "coastline"} <= natural
    check(split_sea_land(fetched, area=AREA, out=tmp_path / "out.gpkg"))


def test_what_fetch_osm_made_from_an_extract_lacks_islands_and_is_refused(tmp_path):
    coast = recipe(tmp_path, land="", coast='osm = { natural = "coastline" }')
    fetched = fetch_osm(AREA, coast, out=tmp_path / "osm.gpkg", file=extract(tmp_path))
    ids = {number for layer in ("lines", "polygons")
           for number in pyogrio.read_dataframe(fetched, layer=layer)["osm_id"]}
    assert "102" not in ids  # the reason: GDAL gives the relation in its place, without the tag
    with pytest.raises(SourceError, match=r"made from the extract coast\.osm.*Give the extract"):
        split_sea_land(fetched, area=AREA, out=tmp_path / "out.gpkg")


def test_roads_and_cliffs_are_no_coast(tmp_path):
    cliffs = recipe(tmp_path, land="", cliff='osm = { natural = "cliff" }')
    with overpass(answer(*elements())) as server:
        fetched = fetch_osm(AREA, cliffs, out=tmp_path / "osm.gpkg", endpoint=server.url)
    with pytest.raises(SourceError, match=r"holds no coastline \(natural=coastline\) around"):
        split_sea_land(fetched, area=AREA, out=tmp_path / "out.gpkg")


def test_a_node_that_the_extract_lacks_opens_the_line(tmp_path):
    with pytest.raises(SourceError, match=r"at longitude 8\.040000, latitude 50\.020000\."):
        split_sea_land(extract(tmp_path, without=(3,)), area=AREA, out=tmp_path / "out.gpkg")


def test_a_node_that_the_server_does_not_send_is_an_error(tmp_path):
    short = [item for item in elements() if item["id"] != 2]
    with overpass(answer(*short)) as server, pytest.raises(SourceError, match="without all of its"):
        split_sea_land(area=AREA, out=tmp_path / "out.gpkg", endpoint=server.url)


@pytest.mark.parametrize(("area", "message"), [
    (AREA, "has no coastline in the area, so that it cannot be known"),
    ("8,50,10,51", r"covers 15,7\d\d km², more than the 2,500 km²"),
])
def test_nothing_to_fetch(tmp_path, area, message):
    with overpass(answer()) as server, pytest.raises(SourceError, match=message):
        split_sea_land(area=area, out=tmp_path / "out.gpkg", endpoint=server.url)
    assert not list(tmp_path.iterdir())


def test_extracts_without_coastline_and_with_polygons_expected(tmp_path):
    source = extract(tmp_path)
    source.write_text(source.read_text().replace("coastline", "hedge"))
    with pytest.raises(SourceError, match="holds no coastline"):
        split_sea_land(source, area=AREA, out=tmp_path / "out.gpkg")
    with pytest.raises(SourceError, match="whose coastline is lines"):
        split_sea_land(source, area=AREA, out=tmp_path / "out.gpkg", polygons_are="land")


@pytest.mark.parametrize(("names", "options", "assign"), [
    (("sea", "land"), {}, False),
    (("water", "land"), {"sea_class": "water"}, False),
    (("wet", "dry"), {}, True),
])
def test_labels_are_burnt_from_it(tmp_path, names, options, assign):
    image = tmp_path / "image.tif"
    with rasterio.open(image, "w", driver="GTiff", width=100, height=100, count=1, dtype="uint8",
                       crs="EPSG:4326", transform=Affine(0.001, 0, 8, 0, -0.001, 50.1)) as target:
        target.write(np.ones((1, 100, 100), np.uint8))
    sides = (f'osm = {{ side = "{side}" }}' if assign else "" for side in ("sea", "land"))
    classes = recipe(tmp_path, **dict(zip(names, sides, strict=True)))
    layer = split_sea_land(extract(tmp_path), area=AREA, out=tmp_path / "out.gpkg", **options)
    labels = burn_labels(layer, classes, like=image, out=tmp_path / "labels.tif")
    with rasterio.open(labels) as source:
        values = source.read(1)
    x, y = np.meshgrid(8.0005 + np.arange(100) / 1000, 50.0995 - np.arange(100) / 1000)
    np.testing.assert_array_equal(values, shapely.contains_xy(LAND, x, y))


@pytest.mark.data
def test_the_bay_of_helsinki(data, tmp_path):
    source = data / "osm_extracts" / "helsinki.osm.pbf"
    out = split_sea_land(source, area="24.935,60.164,24.953,60.179", out=tmp_path / "out.gpkg")
    found = gpd.read_file(out)

    def side(longitude: float, latitude: float) -> str:
        return found["side"][found.intersects(shapely.Point(longitude, latitude))].item()

    # The bay Eläintarhanlahti; the park and the railway station south of it; Hakaniemi north.
    assert [side(24.946, 60.1768), side(24.944, 60.1755), side(24.941, 60.1715),
            side(24.950, 60.1785)] == ["sea", "land", "land", "land"]
    with pytest.raises(SourceError, match=r"ends inside the area.* and 5 other places"):
        split_sea_land(source, area="24.935,60.164,24.954,60.180", out=tmp_path / "wide.gpkg")
    inland = split_sea_land(source, area="24.936,60.165,24.94,60.17", out=tmp_path / "in.gpkg")
    assert gpd.read_file(inland)["side"].tolist() == ["land"]


@pytest.mark.data
def test_lines_and_polygons_of_aberystwyth_agree(data, tmp_path, caplog):
    folder = data / "landcover_aberystwyth"
    with rasterio.open(folder / "image_s2.tif") as image:
        frame = shapely.box(*image.bounds)
    area = tmp_path / "area.gpkg"
    gpd.GeoDataFrame(geometry=[frame], crs=27700).to_file(area)
    line = folder / "coastline_os.geojson"
    with pytest.raises(SourceError, match=r"ends inside the area.* and one other place"):
        split_sea_land(line, area=area, out=tmp_path / "line.gpkg", land="right")
    # The line runs north with the sea on its left, and stops 1 m short of the image's edge.
    by_line = gpd.read_file(split_sea_land(line, area=area, out=tmp_path / "line.gpkg",
                                           land="right", max_gap=2))
    assert "2 gaps of up to 1.0 m" in caplog.text
    by_polygon = gpd.read_file(split_sea_land(folder / "land_os.gpkg", area=area,
                                              out=tmp_path / "polygon.gpkg", polygons_are="land"))
    one, other = (shapely.union_all(item.geometry[item["side"] == "sea"].array)
                  for item in (by_line, by_polygon))
    assert one.symmetric_difference(other).area < 20  # m², at the two ends, of 2.88 km²
    own = gpd.read_file(folder / "land_os.gpkg").union_all()
    assert other.area == pytest.approx((frame - own).area, abs=1e-3)
    assert len(by_polygon) == len(by_line) == 2  # no slivers along the frame
