"""A QGIS style beside a class raster, so that it opens with the names of its classes."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from geoseg.geo.legend import Legend
from geoseg.geo.output import write_text

_MARK = "geoseg"


def write_style(raster: Path, legend: Legend) -> None:
    """Write the style where QGIS looks for it: beside the raster, ending in .qml.

    A style that somebody else made is left alone.

    Raises:
        OutputError: The system refused to write.
    """
    path = raster.with_suffix(".qml")
    if not path.exists() or _MARK in path.read_text(encoding="utf-8", errors="replace"):
        write_text(path, palette_style(legend))


def palette_style(legend: Legend) -> str:
    """Return a QGIS layer style (QML) with one coloured, named entry per class of band 1.

    Without it QGIS shows all 256 entries of the colour table, by number.
    """
    root = ElementTree.Element("qgis", version="3.22", styleCategories="Symbology", maker=_MARK)
    pipe = ElementTree.SubElement(root, "pipe")
    renderer = ElementTree.SubElement(pipe, "rasterrenderer", type="paletted", band="1",
                                      opacity="1", alphaBand="-1", nodataColor="")
    palette = ElementTree.SubElement(renderer, "colorPalette")
    for item in legend:
        ElementTree.SubElement(palette, "paletteEntry", value=str(item.value), color=item.color,
                               alpha="255", label=item.name)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"
