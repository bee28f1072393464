"""Local OpenStreetMap extracts (.osm, .pbf), read through GDAL's OSM driver.

The driver gives a few tags a column of their own and packs the rest into a column `other_tags`
(`"key"=>"value"` pairs, as PostgreSQL's hstore writes them).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geoseg.errors import SourceError
from geoseg.geo.ground import Bounds
from geoseg.geo.vector import OSM_SUFFIXES, layers, read_layer

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

OSM_LAYERS = ("points", "lines", "multilinestrings", "multipolygons")
"""Layers of an extract that are read; `other_relations` (routes and the like) have no shape."""

_PAIR = re.compile(r'"((?:[^"\\]|\\.)*)"=>"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_log = logging.getLogger("geoseg")


def is_extract(path: Path) -> bool:
    """Return whether a file name is that of an OpenStreetMap extract."""
    return path.suffix.lower() in OSM_SUFFIXES


def spatial_layers(path: Path) -> list[str]:
    """Return the layers of a vector file that can hold labels; of an extract, `OSM_LAYERS`.

    Raises:
        SourceError: The file is missing or is no vector file.
    """
    return [name for name in layers(path) if not is_extract(path) or name in OSM_LAYERS]


def parse_other_tags(text: str) -> dict[str, str]:
    """Return the tags that a text such as `"width"=>"3.5","name"=>"Mill Lane"` holds."""
    return {_ESCAPED.sub(r"\1", key): _ESCAPED.sub(r"\1", value)
            for key, value in _PAIR.findall(text)}


def unpack_other_tags(table: gpd.GeoDataFrame, keys: Iterable[str]) -> gpd.GeoDataFrame:
    """Return the table with the given keys of its column `other_tags`, if any, as columns.

    A column of its own keeps its values; only its gaps are filled.

    Args:
        table: Features as GDAL's driver gives them; a table without `other_tags` stays as it is.
        keys: Tags to unpack; those that no feature has make no column.
    """
    if "other_tags" not in table.columns:
        return table
    packed = table["other_tags"]
    tags = [parse_other_tags(text) if isinstance(text, str) else {} for text in packed]
    found = {key: [item.get(key) for item in tags] for key in dict.fromkeys(keys)}
    return table.drop(columns="other_tags").assign(**{
        key: _filled(table, key, values) for key, values in found.items()
        if any(value is not None for value in values)})


def _filled(table: gpd.GeoDataFrame, key: str, values: list[str | None]) -> pd.Series:
    import pandas as pd

    column = pd.Series(values, index=table.index, dtype=object)
    if key not in table.columns:
        return column
    own: pd.Series = table[key].astype(object)
    return own.where(own.notna() & (own != ""), column)


def read_extract(path: Path, keys: Collection[str], bounds: Bounds) -> gpd.GeoDataFrame:
    """Read the features of an extract that come near an area.

    Args:
        path: .osm or .pbf file.
        keys: Tags to keep as columns.
        bounds: (left, bottom, right, top) in degrees.

    Returns:
        All layers in one table, EPSG:4326, with columns `osm_type` (node, way, relation),
        `osm_id`, the keys, and geometry. Features whose rings are broken are left out with a
        warning that counts them, however many: an extract is cut out along a border, so what
        crosses the border is rightly incomplete. Neither counted nor told by GDAL are the nodes
        that an extract lacks, which shorten their way, and relations that it cannot close.

    Raises:
        SourceError: The file is no extract, or cannot be read to its end.
    """
    import geopandas as gpd
    import pandas as pd

    if not is_extract(path):
        raise SourceError(path, "is not an OpenStreetMap extract", "Give a .osm or .pbf file; "
                          "other vector files go to burn-labels as they are")
    tables = [_identified(read_layer(path, layer, bounds=bounds), layer)
              for layer in spatial_layers(path)]
    tables = [unpack_other_tags(table, keys) for table in tables if len(table)]
    if not tables:
        return gpd.GeoDataFrame({"osm_type": [], "osm_id": []}, geometry=[], crs="EPSG:4326")
    table = pd.concat(tables, ignore_index=True)
    broken = _without_shape(table)
    if broken.any():
        _log.warning("%s: %d of %d features have broken rings and were left out", path.name,
                     broken.sum(), len(table))
    kept = ["osm_type", "osm_id", *(key for key in keys if key in table.columns), "geometry"]
    return table.loc[~broken, kept]


def _without_shape(table: gpd.GeoDataFrame) -> np.ndarray:
    """Return which features have no geometry, or are areas that enclose nothing."""
    shapes = np.asarray(table.geometry.array)
    is_area = shapely.get_dimensions(shapes) == 2
    flat = is_area & ~shapely.is_valid(shapes)
    flat[flat] = shapely.get_dimensions(shapely.make_valid(shapes[flat])) < 2
    lost: np.ndarray = shapely.is_missing(shapes) | shapely.is_empty(shapes) | flat
    return lost


def _identified(table: gpd.GeoDataFrame, layer: str) -> gpd.GeoDataFrame:
    """Name each feature's element; `multipolygons` holds ways and relations."""
    kind = {"points": "node", "lines": "way"}.get(layer, "relation")
    if "osm_way_id" not in table.columns:
        return table.assign(osm_type=kind)
    is_way = table["osm_id"].isna() | (table["osm_id"] == "")
    return table.assign(osm_type=is_way.map({True: "way", False: "relation"}),
                        osm_id=table["osm_id"].where(~is_way, table["osm_way_id"]))
