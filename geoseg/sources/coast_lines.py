"""Coastlines as directed lines, and areas of land or of sea, from whatever holds them.

OpenStreetMap's `natural=coastline` tells by its direction where the land is: on its left. That is
lost where a closed way is taken for an area, as GDAL and osmnx do with some of them, and GDAL
leaves out a closed way that also bounds a relation (`place=island`). So extracts are read with
instructions of our own here, and the ways that Overpass sends are put together as they are.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyproj
import shapely
from shapely.geometry.base import BaseGeometry

from geoseg.errors import SourceError
from geoseg.geo.ground import Bounds
from geoseg.geo.vector import layers, read_layer, split_layer, summarize_layer
from geoseg.progress import Progress
from geoseg.sources.download import download, server_of
from geoseg.sources.osm_elements import Element
from geoseg.sources.osm_file import is_extract

if TYPE_CHECKING:
    import geopandas as gpd

TAG = "coastline"
"""Value of the tag `natural` that makes a way a coastline."""

_TAGS = {"natural": (TAG,)}
_DEGREES = pyproj.CRS.from_epsg(4326)
_REQUEST_KM2 = 2500.0
_LINES = ("LineString", "MultiLineString", "LinearRing")
_AREAS = ("Polygon", "MultiPolygon")
_LINES_ONLY = """closed_ways_are_polygons=
attribute_name_laundering=no
[points]
osm_id=yes
[lines]
osm_id=yes
attributes=natural
[multipolygons]
osm_id=yes
[multilinestrings]
osm_id=yes
[other_relations]
osm_id=yes
"""
"""Instructions for GDAL's reader of extracts: every way is a line, closed or not."""

_log = logging.getLogger("geoseg")


@dataclass(frozen=True, eq=False)
class CoastShapes:
    """What tells sea from land: directed lines, or polygons of one of the two."""

    subject: str
    """Where the shapes come from, for messages."""
    kind: Literal["line", "polygon"]
    """What they are."""
    shapes: np.ndarray
    """shapely LineStrings or valid Polygons (n,) in `crs`, in their given direction, none empty."""
    crs: pyproj.CRS
    """CRS of the shapes; x = easting or longitude."""
    is_osm: bool
    """Whether they come from OpenStreetMap, whose attribution is then due."""


def read_coast(source: str | Path, area: BaseGeometry, *, kind: Literal["line", "polygon"]
               ) -> CoastShapes:
    """Read the coast in and around an area.

    Of layers with OpenStreetMap's tags (a column `natural` or `osm_type`) only features with
    `natural=coastline` count, and of those closed ways that became polygons (in the layer
    `polygons` of `fetch_osm`) the outer ring is the line. Lines are read within the area's bounds
    grown by their own size, or all of them if none is there.

    Args:
        source: Vector file, `file.gpkg|layername=x`, or an .osm or .pbf extract.
        area: Polygon or multipolygon in EPSG:4326.
        kind: Whether lines or polygons are looked for.

    Raises:
        SourceError: The file cannot be read, is empty, has no CRS, or holds no such geometry.
    """
    path, layer = split_layer(source)
    if is_extract(path):
        if kind == "polygon":
            raise SourceError(source, "is an OpenStreetMap extract, whose coastline is lines",
                              "Leave out what polygons are")
        return _read_extract(source, path, area)
    names = [layer] if layer else layers(path)
    tables = [table for name in names if len(table := _read_table(source, path, name, area))]
    if not tables:
        raise SourceError(source, "holds no features", "Give the layer of the coast")
    is_osm = any({"osm_type", "natural"} & set(table.columns) for table in tables)
    chosen = _coast_ways(source, path, tables) if is_osm and kind == "line" else tables
    shapes = [_parts(table, kind, rings=is_osm and kind == "line") for table in chosen]
    crs = pyproj.CRS.from_user_input(chosen[0].crs)
    found = [table.to_crs(crs) for table in shapes]
    flat = np.concatenate([np.asarray(table.geometry.array) for table in found])
    if not len(flat):
        raise _wrong_kind(source, chosen, kind)
    return CoastShapes(str(source), kind, _checked(source, flat), crs, is_osm)


def fetch_coast(area: BaseGeometry, *, endpoint: str, cache: Path | None, max_area_km2: float,
                progress: Progress) -> CoastShapes:
    """Fetch the ways `natural=coastline` that touch an area's bounds, whole, from Overpass.

    Args:
        area: Polygon or multipolygon in EPSG:4326.
        endpoint: Address of an Overpass API.
        cache: Folder in which replies are kept and looked up, or None.
        max_area_km2: Larger areas are refused before anything is downloaded.
        progress: Told what is happening; raise `Cancelled` in it to stop.

    Raises:
        SourceError: The area is too large, the server cannot be reached or did not send
            everything, or there is no coastline.
    """
    server = server_of(endpoint)
    lines = coast_ways(download(area, _TAGS, endpoint=endpoint, cache=cache,
                                max_area_km2=max_area_km2, request_km2=_REQUEST_KM2,
                                progress=progress), server)
    if not len(lines):
        raise SourceError(server, "has no coastline in the area, so that it cannot be known "
                          "whether it is sea or land", "Choose an area that the coast crosses, or "
                          "give a coastline nearby")
    return CoastShapes(server, "line", lines, _DEGREES, is_osm=True)


def coast_ways(elements: Sequence[Element], source: str) -> np.ndarray:
    """Return the ways `natural=coastline` as LineStrings in degrees, in their own direction.

    Args:
        elements: Nodes, ways and relations as Overpass sends them.
        source: Where they come from, for messages.

    Raises:
        SourceError: A way lacks a node.
    """
    places = {item["id"]: (item["lon"], item["lat"]) for item in elements
              if item["type"] == "node"}
    ways = [item for item in elements
            if item["type"] == "way" and item.get("tags", {}).get("natural") == TAG]
    for way in ways:
        if not places.keys() >= set(way["nodes"]):
            raise SourceError(source, f"sent way {way['id']} without all of its nodes",
                              "Try again later, or use a local extract")
    return np.array([shapely.LineString([places[number] for number in way["nodes"]])
                     for way in ways if len(way["nodes"]) > 1], dtype=object)


def _read_extract(source: str | Path, path: Path, area: BaseGeometry) -> CoastShapes:
    """Read the ways `natural=coastline` of an extract as lines, in their own direction."""
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    layers(path)  # raises if there is no such file, or another under that name
    with tempfile.TemporaryDirectory(prefix="geoseg-") as folder:
        settings = Path(folder) / "osmconf.ini"
        settings.write_text(_LINES_ONLY, encoding="ascii")

        def read(bounds: Bounds | None) -> gpd.GeoDataFrame:
            return pyogrio.read_dataframe(path, layer="lines", bbox=bounds, columns=[],
                                          where=f"natural = '{TAG}'", CONFIG_FILE=str(settings))

        try:
            table = read(_around(area.bounds))
            table = table if len(table) else read(None)
        except (DataSourceError, DataLayerError) as error:
            raise SourceError(path, "cannot be read to its end", "The file is damaged; fetch or "
                              "copy it again") from error
    if not len(table):
        raise SourceError(source, "holds no coastline (natural=coastline)",
                          "Give an extract of a coast, and check that it was not filtered")
    return CoastShapes(str(source), "line", _checked(source, np.asarray(table.geometry.array)),
                       _DEGREES, is_osm=True)


def _read_table(source: str | Path, path: Path, layer: str, area: BaseGeometry
                ) -> gpd.GeoDataFrame:
    """Read one layer around the area; if nothing is there, all of it."""
    summary = summarize_layer(path, layer)
    if summary.crs is None:
        raise SourceError(source, "has no coordinate reference system",
                          "Assign one (QGIS: Assign projection)")
    change = pyproj.Transformer.from_crs(_DEGREES, summary.crs, always_xy=True)
    bounds = change.transform_bounds(*area.bounds)
    table = read_layer(path, layer, bounds=_around(bounds) if np.isfinite(bounds).all() else None)
    table = table if len(table) else read_layer(path, layer)
    return table[~(table.geometry.isna() | table.geometry.is_empty)]


def _around(bounds: Bounds) -> Bounds:
    """Return bounds grown by their own size on each side."""
    left, bottom, right, top = bounds
    return 2 * left - right, 2 * bottom - top, 2 * right - left, 2 * top - bottom


def _coast_ways(source: str | Path, path: Path, tables: Sequence[gpd.GeoDataFrame]
                ) -> list[gpd.GeoDataFrame]:
    """Return the features tagged as coastline, of tables with OpenStreetMap's tags.

    Relations are left out: the rings of theirs have no direction of their own.
    """
    tagged = [table[table["natural"] == TAG] for table in tables if "natural" in table.columns]
    ways = [table[table["osm_type"] != "relation"] if "osm_type" in table.columns else table
            for table in tagged]
    if not any(map(len, ways)):
        raise SourceError(source, "holds no coastline (natural=coastline) around the area",
                          'Fetch it with osm = { natural = "coastline" } in a class of the recipe')
    _refuse_from_extract(source, path)
    return [table for table in ways if len(table)]


def _refuse_from_extract(source: str | Path, path: Path) -> None:
    """Refuse what `fetch_osm` took from an extract: some closed ways are missing there."""
    import pyogrio

    if path.suffix.lower() != ".gpkg":
        return
    for layer in layers(path):
        notes = pyogrio.read_info(path, layer=layer)["layer_metadata"] or {}
        origin = Path(notes.get("source", ""))
        if is_extract(origin):
            raise SourceError(source, f"was made from the extract {origin}, of which islands may "
                              "be missing here", "Give the extract itself")


def _parts(table: gpd.GeoDataFrame, kind: Literal["line", "polygon"], *, rings: bool
           ) -> gpd.GeoDataFrame:
    """Return single lines or valid polygons; with `rings`, outer rings are lines too."""
    import geopandas as gpd

    shapes = shapely.get_parts(shapely.force_2d(np.asarray(table.geometry.array)))
    is_area = shapely.get_dimensions(shapes) == 2
    if kind == "polygon":
        valid = shapely.get_parts(shapely.make_valid(shapes[is_area]))
        chosen = shapely.get_parts(valid[shapely.get_dimensions(valid) == 2])
    else:
        lines = shapes[shapely.get_dimensions(shapes) == 1]
        outer = shapely.get_exterior_ring(shapes[is_area]) if rings else np.empty(0, dtype=object)
        chosen = np.concatenate([lines, outer])
    return gpd.GeoDataFrame(geometry=chosen, crs=table.crs)


def _wrong_kind(source: str | Path, tables: Sequence[gpd.GeoDataFrame],
                kind: Literal["line", "polygon"]) -> SourceError:
    types = set().union(*(table.geom_type for table in tables))
    if kind == "line" and types & set(_AREAS):
        return SourceError(source, "holds polygons, not lines", "Say what they are: land or sea "
                           "(command line: --polygons-are)")
    if kind == "polygon" and types & set(_LINES):
        return SourceError(source, "holds lines, not polygons", "Leave out what polygons are")
    return SourceError(source, f"holds no {kind}s", f"Give a layer of {kind}s")


def _checked(source: str | Path, shapes: np.ndarray) -> np.ndarray:
    points, owner = shapely.get_coordinates(shapes, return_index=True)
    bad = np.unique(owner[~np.isfinite(points).all(axis=1)])
    if len(bad):
        raise SourceError(source, f"{len(bad)} shapes have coordinates that are no numbers",
                          "Mend or remove these features")
    return shapes
