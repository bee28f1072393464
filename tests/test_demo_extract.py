"""The demo's extract tells of the same features as its GeoPackage."""

from __future__ import annotations

import geopandas as gpd
import pytest
import shapely

from geoseg import Recipe, fetch_osm
from geoseg.geo.vector import layers
from tests.demo_town import SCRIPTS, make_town


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    return make_town(tmp_path_factory.mktemp("town"))


def _read(path, layer):
    return gpd.read_file(path, layer=layer).to_crs("EPSG:32630")


@pytest.mark.parametrize("key", ["building", "landuse", "natural"])
def test_areas_are_the_same(town, key):
    """All but the island's shore, which readers of extracts take for an area, as it is closed."""
    expected, found = (_read(path, "multipolygons") for path in (town.osm, town.extract))
    expected, found = (table[table[key].notna() & (table[key] != "coastline")]
                       for table in (expected, found))
    assert found[key].value_counts().to_dict() == expected[key].value_counts().to_dict()
    assert found.area.sum() == pytest.approx(expected.area.sum(), rel=1e-4)
    apart = shapely.union_all(found.geometry.values) ^ shapely.union_all(expected.geometry.values)
    assert apart.area < 1e-3 * expected.area.sum()


def test_lines_are_the_same(town):
    expected, found = (_read(path, "lines") for path in (town.osm, town.extract))
    expected, found = (table[table["highway"].notna()] for table in (expected, found))
    assert found["highway"].value_counts().to_dict() == expected["highway"].value_counts().to_dict()
    assert found.length.sum() == pytest.approx(expected.length.sum(), rel=1e-4)


def test_it_can_be_fetched_from(town, tmp_path):
    """With widths, which an extract packs into one column."""
    fetch_osm(town.aoi, Recipe.read(SCRIPTS / "demo.toml"), file=town.extract,
              out=tmp_path / "osm.gpkg")
    assert {"polygons", "lines"} <= set(layers(tmp_path / "osm.gpkg"))
    lines = gpd.read_file(tmp_path / "osm.gpkg", layer="lines")
    assert {"road", "forest"} <= set(lines["class"])
    assert lines["width"].notna().sum() > 5
