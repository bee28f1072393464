"""fetch_osm from local extracts: real ones, broken ones, and small ones made here."""

from __future__ import annotations

import logging
import warnings

import geopandas as gpd
import pyogrio
import pytest
import shapely

from geoseg.errors import OutputError, RecipeError, SourceError
from geoseg.recipe import Recipe
from geoseg.sources.osm import fetch_osm
from geoseg.sources.osm_file import parse_other_tags

HELSINKI = "24.935,60.164,24.954,60.18"
SMALL = """<?xml version="1.0"?><osm version="0.6">
<node id="1" lat="50.0" lon="8.0" version="1"/><node id="2" lat="50.0" lon="8.01" version="1"/>
<node id="3" lat="50.01" lon="8.01" version="1"/><node id="4" lat="50.01" lon="8.0" version="1"/>
<way id="10" version="1"><nd ref="1"/><nd ref="2"/><nd ref="3"/><nd ref="4"/><nd ref="1"/>
<tag k="natural" v="water"/></way>
<way id="11" version="1"><nd ref="1"/><nd ref="3"/><tag k="highway" v="track"/>
<tag k="width" v="2.5"/><tag k="note" v="a &quot;b&quot;=&gt;\\c, d"/></way></osm>"""


def test_other_tags_are_unpacked():
    text = r'"width"=>"3.5","note"=>"a \"b\"=>\\c, d","name:fi"=>"Itä ""'
    assert parse_other_tags(text) == {"width": "3.5", "note": 'a "b"=>\\c, d', "name:fi": "Itä "}
    assert parse_other_tags("") == {}


def test_tags_outside_the_drivers_columns_arrive(tmp_path):
    source = tmp_path / "small.osm"
    source.write_text(SMALL)
    out = fetch_osm("7.9,49.9,8.1,50.1", "landcover-osm", out=tmp_path / "a.gpkg", file=source)
    line = pyogrio.read_dataframe(out, layer="lines").iloc[0]
    assert (line["osm_type"], line["osm_id"], line["class"], line["width"]) == (
        "way", "11", "road", "2.5")
    area = pyogrio.read_dataframe(out, layer="polygons").iloc[0]
    assert (area["osm_type"], area["osm_id"], area["class"]) == ("way", "10", "water")


@pytest.mark.data
def test_helsinki_comes_whole_but_for_its_broken_rings(data, tmp_path, caplog):
    source = data / "osm_extracts" / "helsinki.osm.pbf"
    with caplog.at_level(logging.WARNING, "geoseg"):
        out = fetch_osm(HELSINKI, "buildings", out=tmp_path / "osm.gpkg", file=source)
    assert "features have broken rings and were left out" in caplog.text
    areas = pyogrio.read_dataframe(out, layer="polygons")
    # The oracle: GDAL's own column, less the rings that GEOS refuses.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        raw = pyogrio.read_dataframe(source, layer="multipolygons", on_invalid="ignore",
                                     where="building IS NOT NULL AND building <> 'no'")
    raw = raw[raw.geometry.notna()].assign(geometry=lambda frame: frame.make_valid())
    box = shapely.box(24.935, 60.164, 24.954, 60.18)
    raw = raw[(shapely.get_dimensions(raw.geometry) == 2) & raw.intersects(box)]
    assert len(areas) == len(raw) > 450
    assert set(areas["class"]) == {"building"}
    assert areas.is_valid.all()
    assert areas.to_crs(3067).area.sum() == pytest.approx(
        raw.to_crs(3067).area.sum(), rel=1e-6)
    ids = raw["osm_id"].fillna(raw["osm_way_id"])
    assert sorted(areas["osm_id"]) == sorted(ids)


@pytest.mark.data
def test_an_area_in_another_crs_selects_what_it_touches(data, tmp_path):
    source = data / "osm_extracts" / "helsinki.osm.pbf"
    block = gpd.GeoSeries([shapely.box(24.94, 60.168, 24.945, 60.17)], crs=4326).to_crs(3067)
    gpd.GeoDataFrame(geometry=block).to_file(tmp_path / "aoi.gpkg")
    out = fetch_osm(tmp_path / "aoi.gpkg", "buildings", out=tmp_path / "osm.gpkg", file=source)
    found = pyogrio.read_dataframe(out, layer="polygons").to_crs(3067)
    assert 10 < len(found) < 200
    assert found.intersects(block.iloc[0]).all()


@pytest.mark.data
def test_a_truncated_extract_is_an_error(data, tmp_path):
    with pytest.raises(SourceError, match="cannot be read to its end"):
        fetch_osm("10,48,10.1,48.2", "landcover-osm", out=tmp_path / "osm.gpkg",
                  file=data / "odd_inputs" / "osm_cut.osm")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("aoi", "message"), [
    ("8,50,7", "cannot|does not exist"), ("8,51,9,50", "west,south,east,north"),
    ("200,50,210,51", "west,south,east,north"), ("nowhere.gpkg", "does not exist"),
])
def test_a_wrong_area_is_named(tmp_path, aoi, message):
    with pytest.raises(SourceError, match=message):
        fetch_osm(aoi, "buildings", out=tmp_path / "osm.gpkg", file=tmp_path / "x.osm")


def test_an_area_without_polygons_is_refused(tmp_path):
    gpd.GeoDataFrame(geometry=[shapely.Point(8, 50)], crs=4326).to_file(tmp_path / "p.gpkg")
    with pytest.raises(SourceError, match="holds no polygon"):
        fetch_osm(tmp_path / "p.gpkg", "buildings", out=tmp_path / "o.gpkg", file="x.osm")


def test_nothing_found_is_an_error(tmp_path):
    (tmp_path / "small.osm").write_text(SMALL)
    with pytest.raises(SourceError, match="has nothing in"):
        fetch_osm("7.9,49.9,8.1,50.1", "buildings", out=tmp_path / "a.gpkg",
                  file=tmp_path / "small.osm")


def test_a_recipe_without_tags_and_a_wrong_suffix_are_refused(tmp_path):
    membranes = Recipe.read("membranes")
    with pytest.raises(RecipeError, match="names no OpenStreetMap tags"):
        fetch_osm("8,50,9,51", membranes, out=tmp_path / "a.gpkg")
    with pytest.raises(OutputError, match=r"ends in '\.geojson'"):
        fetch_osm("8,50,9,51", "buildings", out=tmp_path / "a.geojson")
