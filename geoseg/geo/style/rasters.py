"""Styles of rasters: classes by name and colour, and values from 0 to 1 along a ramp."""

from __future__ import annotations

# XML is only written here, never read.
from xml.etree import ElementTree  # nosec B405

from geoseg.geo.legend import Legend
from geoseg.geo.style.document import Style, rgba

VIRIDIS = ("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30",
           "#fde725")
"""Dark blue to yellow, even steps to the eye (Smith and van der Walt 2015)."""
HEAT = ("#fff7ec", "#fee8c8", "#fdd49e", "#fdbb84", "#fc8d59", "#ef6548", "#d7301f", "#b30000",
        "#7f0000")
"""Nearly white to dark red (ColorBrewer OrRd)."""


def class_style(legend: Legend) -> Style:
    """Return the style of a label raster or class map.

    Without it QGIS shows all 256 entries of the colour table, by number. Of overlapping classes,
    which have a band each, the first is shown where it is, and nothing elsewhere.
    """
    entries = [(1, legend.classes[0])] if legend.overlapping else [(c.value, c) for c in legend]
    renderer = _renderer("paletted", band=1)
    palette = ElementTree.SubElement(renderer, "colorPalette")
    for value, item in entries:
        ElementTree.SubElement(palette, "paletteEntry", value=str(value), color=item.color,
                               alpha="255", label=item.name)
    return _style(renderer)


def ramp_style(band: int, colors: tuple[str, ...]) -> Style:
    """Return the style of one band with values from 0 to 1, whatever its scene holds of them.

    QGIS applies the scale of a band before it looks up colours, so the values are the true ones.

    Args:
        band: 1-based.
        colors: Colours from 0 to 1, at even steps.
    """
    last = len(colors) - 1
    renderer = _renderer("singlebandpseudocolor", band=band, classificationMin="0",
                         classificationMax="1")
    # QGIS shall not stretch the colours over the values of the scene.
    ElementTree.SubElement(ElementTree.SubElement(renderer, "minMaxOrigin"), "limits").text = "None"
    shader = ElementTree.SubElement(
        ElementTree.SubElement(renderer, "rastershader"), "colorrampshader", minimumValue="0",
        maximumValue="1", colorRampType="INTERPOLATED", classificationMode="1", clip="0")
    ramp = ElementTree.SubElement(ElementTree.SubElement(
        shader, "colorramp", type="gradient", name="[source]"), "Option", type="Map")
    stops = (f"{place / last:g};{rgba(color)}" for place, color in enumerate(colors[1:-1], 1))
    for name, value in (("color1", rgba(colors[0])), ("color2", rgba(colors[-1])),
                        ("stops", ":".join(stops)), ("discrete", "0"), ("rampType", "gradient")):
        ElementTree.SubElement(ramp, "Option", type="QString", name=name, value=value)
    for place, color in enumerate(colors):
        ElementTree.SubElement(shader, "item", value=f"{place / last:g}", alpha="255", color=color,
                               label=f"{place / last:g}")
    return _style(renderer)


def _renderer(kind: str, *, band: int, **attributes: str) -> ElementTree.Element:
    return ElementTree.Element("rasterrenderer", {
        "type": kind, "band": str(band), "opacity": "1", "alphaBand": "-1", "nodataColor": "",
        **attributes})


def _style(renderer: ElementTree.Element) -> Style:
    pipe = ElementTree.Element("pipe")
    pipe.append(renderer)
    return Style.of("raster", pipe)
