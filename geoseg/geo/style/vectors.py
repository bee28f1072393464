"""Styles of vector layers: features by the value of an attribute, or by the range it lies in."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

# XML is only written here, never read.
from xml.etree import ElementTree  # nosec B405

from geoseg.geo.style.document import Style, rgba

Shape = Literal["point", "line", "polygon"]

_SHAPES = ("point", "line", "polygon")
"""Places are QGIS' numbers of geometry types."""
_DARKER = 0.55


@dataclass(frozen=True, slots=True)
class Look:
    """How the features of a layer are drawn, apart from their colour; lengths are on the map."""

    shape: Shape
    """What the features are."""
    opacity: float = 0.5
    """Of the area, 0 to 1; outlines and lines are opaque."""
    outline: float = 0.2
    """Width of outlines in mm."""
    bright_outline: bool = False
    """Whether outlines have the colour of the area, instead of a darker one."""
    width: float = 0.7
    """Width of lines in mm."""
    casing: float = 0.0
    """Width in mm of the white border on both sides of a line."""
    size: float = 2.2
    """Diameter of points in mm."""
    in_order: bool = False
    """Whether features that overlap are drawn in the order of their entries; slower."""


def category_style(field: str, entries: Sequence[tuple[str, str, str]], look: Look) -> Style:
    """Return a style with one entry per value of a text attribute.

    Args:
        field: The attribute.
        entries: Value, label and colour (`#rrggbb`) of each entry.
        look: How features are drawn.
    """
    renderer = _renderer("categorizedSymbol", field)
    categories = ElementTree.SubElement(renderer, "categories")
    for number, (value, label, _) in enumerate(entries):
        ElementTree.SubElement(categories, "category", type="string", value=value, label=label,
                               symbol=str(number), render="true")
    return _style(renderer, [color for *_, color in entries], look)


def range_style(field: str, entries: Sequence[tuple[float, float, str, str]], look: Look) -> Style:
    """Return a style with one entry per range of a number.

    Args:
        field: The attribute.
        entries: Lower end, upper end, label and colour (`#rrggbb`) of each entry.
        look: How features are drawn.
    """
    renderer = _renderer("graduatedSymbol", field, graduatedMethod="GraduatedColor")
    ranges = ElementTree.SubElement(renderer, "ranges")
    for number, (lower, upper, label, _) in enumerate(entries):
        ElementTree.SubElement(ranges, "range", lower=f"{lower:g}", upper=f"{upper:g}",
                               label=label, symbol=str(number), render="true")
    return _style(renderer, [color for *_, color in entries], look)


def darker(color: str) -> str:
    """Return a colour of the same hue, about half as light."""
    red, green, blue = (int(color[i:i + 2], 16) / 255 for i in (1, 3, 5))
    hue, light, saturation = colorsys.rgb_to_hls(red, green, blue)
    rgb = colorsys.hls_to_rgb(hue, light * _DARKER, saturation)
    return "#" + "".join(f"{round(value * 255):02x}" for value in rgb)


def _renderer(kind: str, field: str, **attributes: str) -> ElementTree.Element:
    return ElementTree.Element("renderer-v2", {
        "type": kind, "attr": field, "forceraster": "0", "enableorderby": "0", **attributes})


def _style(renderer: ElementTree.Element, colors: Sequence[str], look: Look) -> Style:
    renderer.set("symbollevels", "1" if look.in_order else "0")
    symbols = ElementTree.SubElement(renderer, "symbols")
    for number, color in enumerate(colors):
        symbol = _symbol(str(number), color, look)
        for layer in symbol.findall("layer") if look.in_order else []:
            layer.set("pass", str(number))
        symbols.append(symbol)
    shape = ElementTree.Element("layerGeometryType")
    shape.text = str(_SHAPES.index(look.shape))
    return Style.of("vector", renderer, shape)


def _symbol(name: str, color: str, look: Look) -> ElementTree.Element:
    kind = {"point": "marker", "line": "line", "polygon": "fill"}[look.shape]
    symbol = ElementTree.Element("symbol", type=kind, name=name, alpha="1", clip_to_extent="1",
                                 force_rhr="0")
    outline = {"outline_color": rgba(color if look.bright_outline else darker(color)),
               "outline_width": f"{look.outline:g}", "outline_style": "solid"}
    if look.shape == "point":
        _layer(symbol, "SimpleMarker", name="circle", color=rgba(color), size=f"{look.size:g}",
               **outline)
    elif look.shape == "polygon":
        _layer(symbol, "SimpleFill", color=rgba(color, look.opacity), style="solid",
               joinstyle="miter", **outline)
    else:
        wide = look.width + 2 * look.casing
        for shade, width in (("#ffffff", wide), (color, look.width))[0 if look.casing else 1:]:
            _layer(symbol, "SimpleLine", line_color=rgba(shade), line_width=f"{width:g}",
                   capstyle="round", joinstyle="round", line_style="solid")
    return symbol


def _layer(symbol: ElementTree.Element, kind: str, **properties: str) -> None:
    layer = ElementTree.SubElement(symbol, "layer", {"class": kind}, enabled="1", locked="0")
    layer.set("pass", "0")
    options = ElementTree.SubElement(layer, "Option", type="Map")
    for name, value in properties.items():
        ElementTree.SubElement(options, "Option", type="QString", name=name, value=value)
