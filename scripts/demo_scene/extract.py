"""The same OpenStreetMap as an extract: nodes, ways and relations in XML, as servers give them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

import geopandas as gpd
import shapely
from shapely.geometry.base import BaseGeometry

_DIGITS = 7
"""Decimals of a degree, as OpenStreetMap keeps them: a centimetre."""


def write_extract(lines: gpd.GeoDataFrame, areas: gpd.GeoDataFrame, path: Path) -> None:
    """Write features as an .osm file.

    An area without holes is a closed way, any other a multipolygon relation. Ids are counted, and
    no two features share a node.

    Args:
        lines: Lines in EPSG:4326; every column but `osm_id` is a tag.
        areas: Polygons, likewise.
        path: File to write.
    """
    extract = _Extract()
    for shape, tags in (*_features(lines), *_features(areas)):
        extract.add(shape, tags)
    root = Element("osm", version="0.6", generator="geoseg demo")
    root.extend([*extract.nodes, *extract.ways, *extract.relations])
    indent(root)
    ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _features(table: gpd.GeoDataFrame) -> Iterator[tuple[BaseGeometry, dict[str, str]]]:
    keys = [name for name in table.columns if name not in ("osm_id", "geometry")]
    for shape, *values in zip(table.geometry, *(table[key] for key in keys), strict=True):
        yield shape, {key: str(value) for key, value in zip(keys, values, strict=True)
                      if isinstance(value, str)}


@dataclass
class _Extract:
    nodes: list[Element] = field(default_factory=list)
    ways: list[Element] = field(default_factory=list)
    relations: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ids = count(1)

    def add(self, shape: BaseGeometry, tags: dict[str, str]) -> None:
        """Add a feature."""
        parts = shapely.get_parts(shape)
        if shape.geom_type in ("Polygon", "MultiPolygon") and (
                len(parts) > 1 or parts[0].interiors):
            self._relate(parts, tags)
            return
        for part in parts:
            _tag(self._way(part.exterior if part.geom_type == "Polygon" else part), tags)

    def _relate(self, polygons: list[BaseGeometry], tags: dict[str, str]) -> None:
        relation = self._element("relation", self.relations)
        for polygon in polygons:
            for role, ring in (("outer", polygon.exterior),
                               *(("inner", hole) for hole in polygon.interiors)):
                SubElement(relation, "member", type="way", ref=self._way(ring).attrib["id"],
                           role=role)
        _tag(relation, {"type": "multipolygon", **tags})

    def _way(self, line: BaseGeometry) -> Element:
        places = list(line.coords)
        refs = []
        for lon, lat in places[:-1] if line.is_ring else places:
            node = self._element("node", self.nodes)
            node.attrib.update(lon=f"{lon:.{_DIGITS}f}", lat=f"{lat:.{_DIGITS}f}")
            refs.append(node.attrib["id"])
        way = self._element("way", self.ways)
        for ref in [*refs, refs[0]] if line.is_ring else refs:
            SubElement(way, "nd", ref=ref)
        return way

    def _element(self, kind: str, place: list[Element]) -> Element:
        place.append(Element(kind, id=str(next(self._ids)), version="1"))
        return place[-1]


def _tag(element: Element, tags: dict[str, str]) -> None:
    for key, value in tags.items():
        SubElement(element, "tag", k=key, v=value)
