"""QGIS styles: what stands in them, and where they are written."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from xml.etree import ElementTree

import geopandas as gpd
import matplotlib
import numpy as np
import pytest
import shapely
from matplotlib.colors import to_hex

from geoseg.geo.legend import Legend, LegendClass
from geoseg.geo.output import check_output
from geoseg.geo.style.document import Style, write_style
from geoseg.geo.style.rasters import HEAT, VIRIDIS, class_style, ramp_style
from geoseg.geo.style.vectors import Look, category_style, darker, range_style
from geoseg.geo.vector import write_layer, write_layers

CLASSES = (LegendClass(0, "Erde <&> Fels", "#aa8855"), LegendClass(1, "水", "#3182bd"))
LEGEND = Legend(CLASSES)
RASTER = class_style(LEGEND)
VECTOR = category_style("class", [("a", "A", "#aa8855"), ("b", "B", "#3182bd")], Look("polygon"))
FOREIGN = '<!DOCTYPE qgis PUBLIC "x" "y">\n<qgis version="3.40"><renderer-v2/></qgis>'


def tree(style: Style) -> ElementTree.Element:
    return ElementTree.fromstring(style.document())


def options(element: ElementTree.Element) -> dict[str, str]:
    """Return the properties of a symbol layer or ramp."""
    return {item.attrib["name"]: item.attrib["value"] for item in element.findall("Option/Option")}


def test_every_class_has_its_value_colour_and_name():
    renderer = tree(RASTER).find("pipe/rasterrenderer")
    assert (renderer.get("type"), renderer.get("band")) == ("paletted", "1")
    assert [(e.get("value"), e.get("color"), e.get("label"))
            for e in renderer.iter("paletteEntry")] == [
        ("0", "#aa8855", "Erde <&> Fels"), ("1", "#3182bd", "水")]


def test_of_overlapping_classes_the_first_is_shown_where_it_is():
    renderer = tree(class_style(Legend(CLASSES, overlapping=True))).find("pipe/rasterrenderer")
    [entry] = renderer.iter("paletteEntry")
    assert (renderer.get("band"), entry.get("value"), entry.get("label")) == (
        "1", "1", "Erde <&> Fels")


def test_a_ramp_spans_0_to_1_and_is_not_stretched():
    renderer = tree(ramp_style(3, VIRIDIS)).find("pipe/rasterrenderer")
    assert (renderer.get("type"), renderer.get("band")) == ("singlebandpseudocolor", "3")
    assert (renderer.get("classificationMin"), renderer.get("classificationMax")) == ("0", "1")
    assert renderer.findtext("minMaxOrigin/limits") == "None"
    shader = renderer.find("rastershader/colorrampshader")
    assert (shader.get("minimumValue"), shader.get("maximumValue")) == ("0", "1")
    items = [(float(item.get("value")), item.get("color")) for item in shader.findall("item")]
    assert items == list(zip(np.linspace(0, 1, len(VIRIDIS)), VIRIDIS, strict=True))
    # The same ramp once more, as QGIS' dialog edits it.
    ramp = options(shader.find("colorramp"))
    ends = ramp["color1"], ramp["color2"]
    stops = [stop.split(";") for stop in ramp["stops"].split(":")]
    assert [float(place) for place, _ in stops] == [value for value, _ in items[1:-1]]
    assert [ends[0], *(color for _, color in stops), ends[1]] == [
        ",".join(map(str, (*bytes.fromhex(color[1:]), 255))) for _, color in items]


@pytest.mark.parametrize(("ours", "name"), [(VIRIDIS, "viridis"), (HEAT, "OrRd")])
def test_the_ramps_are_what_they_are_called(ours, name):
    theirs = matplotlib.colormaps[name](np.linspace(0, 1, len(ours)))
    steps = [np.array(list(bytes.fromhex(color[1:]))) - np.array(list(bytes.fromhex(to_hex(
        other)[1:]))) for color, other in zip(ours, theirs, strict=True)]
    assert np.abs(steps).max() <= 2


def test_categories_have_symbols_in_their_colours():
    renderer = tree(VECTOR).find("renderer-v2")
    assert (renderer.get("type"), renderer.get("attr")) == ("categorizedSymbol", "class")
    symbols = {item.get("name"): item for item in renderer.iter("symbol")}
    found = [(item.get("value"), item.get("label"), options(symbols[item.get("symbol")].find(
        "layer"))) for item in renderer.iter("category")]
    assert [(value, label, look["color"]) for value, label, look in found] == [
        ("a", "A", "170,136,85,128"), ("b", "B", "49,130,189,128")]
    for _, _, look in found:
        fill, outline = (np.array(look[key].split(","), dtype=int)
                         for key in ("color", "outline_color"))
        assert (outline[:3] < fill[:3]).all()
        assert outline[3] == 255


def test_darker_keeps_the_hue():
    assert darker("#ff0000") == "#8c0000"
    assert darker("#ffffff") == "#8c8c8c"
    assert darker("#000000") == "#000000"


@pytest.mark.parametrize(("shape", "number", "kind"), [
    ("point", "0", "marker"), ("line", "1", "line"), ("polygon", "2", "fill")])
def test_symbols_suit_the_shape_of_the_features(shape, number, kind):
    style = tree(category_style("class", [("a", "A", "#aa8855")], Look(shape)))
    assert style.findtext("layerGeometryType") == number
    assert style.find("renderer-v2/symbols/symbol").get("type") == kind


def test_later_entries_may_lie_on_top():
    entries = [("a", "A", "#aa8855"), ("b", "B", "#3182bd")]
    for in_order, levels in ((True, ["0", "1"]), (False, ["0", "0"])):
        style = tree(category_style("class", entries, Look("polygon", in_order=in_order)))
        assert style.find("renderer-v2").get("symbollevels") == str(int(in_order))
        assert [layer.get("pass") for layer in style.iter("layer")] == levels


def test_ranges_have_their_ends():
    style = tree(range_style("confidence", [(0, 0.5, "low", "#d7191c"), (0.5, 1, "high",
                                                                         "#2c7bb6")],
                             Look("line", width=1.2, casing=0.3)))
    ranges = [(r.get("lower"), r.get("upper"), r.get("label")) for r in style.iter("range")]
    assert ranges == [("0", "0.5", "low"), ("0.5", "1", "high")]
    under, over = map(options, style.find("renderer-v2/symbols/symbol").findall("layer"))
    assert (under["line_color"], under["line_width"]) == ("255,255,255,255", "1.8")
    assert (over["line_color"], over["line_width"]) == ("215,25,28,255", "1.2")


def test_a_style_made_by_somebody_else_is_left_alone(tmp_path):
    style = tmp_path / "classes.qml"
    write_style(tmp_path / "classes.tif", RASTER)
    ours = style.read_text(encoding="utf-8")
    other = class_style(Legend(CLASSES[:1]))
    write_style(tmp_path / "classes.tif", other)
    assert style.read_text(encoding="utf-8") == other.document() != ours
    style.write_text(FOREIGN, encoding="utf-8")
    write_style(tmp_path / "classes.tif", RASTER)
    assert style.read_text(encoding="utf-8") == FOREIGN


@pytest.mark.parametrize("order", [(RASTER, VECTOR), (VECTOR, RASTER)])
def test_a_raster_and_a_layer_of_one_name_share_a_file(tmp_path, order):
    for style in (*order, order[0]):
        write_style(tmp_path / "town.gpkg", style)
    found = ElementTree.parse(tmp_path / "town.qml").getroot()
    assert [item.tag for item in found] == ["pipe", "renderer-v2", "layerGeometryType"]
    new = range_style("confidence", [(0, 1, "all", "#d7191c")], Look("line"))
    write_style(tmp_path / "town.gpkg", new)
    found = ElementTree.parse(tmp_path / "town.qml").getroot()
    assert [item.get("type") for item in found.iter("renderer-v2")] == ["graduatedSymbol"]
    assert len(found.findall("pipe/rasterrenderer")) == 1


def squares(*classes: str) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame({"class": list(classes)}, crs="EPSG:32633", geometry=[
        shapely.box(i, 0, i + 1, 1) for i in range(len(classes))])


@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".geojson", ".parquet"])
def test_a_layer_is_written_with_its_style(tmp_path, suffix):
    path = tmp_path / f"a.v2{suffix}"
    write_layer(squares("a", "b"), path, layer="a", style=VECTOR)
    assert {item.name for item in tmp_path.iterdir()} == {f"a.v2{suffix}", "a.v2.qml"}
    assert (tmp_path / "a.v2.qml").read_text(encoding="utf-8") == VECTOR.document()


def table(path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT f_table_name, styleQML FROM layer_styles "
                                "WHERE useAsDefault ORDER BY id").fetchall()
        integrity = database.execute("PRAGMA integrity_check").fetchone()
    assert integrity == ("ok",)
    assert len(rows) == len(dict(rows))
    return dict(rows)


def write_both(path, **styles: Style) -> None:
    check_output(path, overwrite=True)
    write_layers({"areas": squares("a"), "more": squares("b", "b")}, path, styles=styles)


def test_several_layers_have_a_style_each_in_the_file(tmp_path):
    path, other = tmp_path / "a.gpkg", category_style("class", [], Look("polygon"))
    write_both(path, areas=VECTOR, more=other)
    assert table(path) == {"areas": VECTOR.document(), "more": other.document()}
    assert [item.name for item in tmp_path.iterdir()] == ["a.gpkg"]
    assert len(gpd.read_file(path, layer="more")) == 2
    write_both(path, areas=other)
    assert table(path) == {"areas": other.document()}


def test_styles_in_a_file_that_somebody_else_made_are_kept(tmp_path):
    path = tmp_path / "a.gpkg"
    write_both(path, areas=VECTOR, more=VECTOR)
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE layer_styles SET styleQML = ? WHERE f_table_name = 'more'",
                         (FOREIGN,))
        database.execute("INSERT INTO layer_styles (f_table_name, styleQML, useAsDefault) "
                         "VALUES ('gone', ?, 1), ('areas', ?, 0)", (FOREIGN, FOREIGN))
        database.commit()
    write_both(path, areas=VECTOR, more=VECTOR)
    assert table(path) == {"areas": VECTOR.document(), "more": FOREIGN}


def test_a_style_beside_several_layers_that_somebody_else_made_is_left_alone(tmp_path):
    """QGIS would not look at it if there were styles in the file."""
    (tmp_path / "a.qml").write_text(FOREIGN, encoding="utf-8")
    write_both(tmp_path / "a.gpkg", areas=VECTOR)
    with closing(sqlite3.connect(tmp_path / "a.gpkg")) as database:
        assert not database.execute("SELECT name FROM sqlite_master "
                                    "WHERE name = 'layer_styles'").fetchall()
