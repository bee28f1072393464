"""The QGIS style beside a class raster."""

from xml.etree import ElementTree

from geoseg.geo.legend import Legend, LegendClass
from geoseg.geo.style import palette_style, write_style

LEGEND = Legend((LegendClass(0, "Erde <&> Fels", "#aa8855"), LegendClass(1, "水", "#3182bd")))


def test_every_class_has_its_value_colour_and_name():
    entries = ElementTree.fromstring(palette_style(LEGEND)).findall(".//paletteEntry")
    assert [(e.get("value"), e.get("color"), e.get("label")) for e in entries] == [
        ("0", "#aa8855", "Erde <&> Fels"), ("1", "#3182bd", "水")]


def test_a_style_made_by_somebody_else_is_left_alone(tmp_path):
    style = tmp_path / "classes.qml"
    write_style(tmp_path / "classes.tif", LEGEND)
    ours = style.read_text(encoding="utf-8")
    other = Legend(LEGEND.classes[:1])
    write_style(tmp_path / "classes.tif", other)
    assert style.read_text(encoding="utf-8") == palette_style(other) != ours
    style.write_text("<qgis/>", encoding="utf-8")
    write_style(tmp_path / "classes.tif", LEGEND)
    assert style.read_text(encoding="utf-8") == "<qgis/>"
