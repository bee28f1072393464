"""OpenStreetMap elements -> features: nodes, ways and relations as Overpass writes them.

osmnx builds the geometries. What lacks a node, a way or a closing piece of a ring it leaves out
without a word, or breaks down on; here such features are found and counted beforehand.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import shapely

from geoseg.errors import SourceError

if TYPE_CHECKING:
    import geopandas as gpd

Element = dict[str, Any]
"""A node, way or relation as Overpass writes it in JSON."""

ElementId = tuple[str, int]
"""(`node`, `way` or `relation`, number)."""

Tags = Mapping[str, tuple[str, ...] | None]
"""Tag keys to the values asked for, or to None for any value."""

MOST_INCOMPLETE = 0.01
"""Share of incomplete features above which an answer does not count."""

_MOST_LISTED = 5

_log = logging.getLogger("geoseg")


def elements_to_table(elements: Sequence[Element], tags: Tags, keys: Collection[str], source: str
                      ) -> gpd.GeoDataFrame:
    """Build the features with any of the tags.

    Features that are incomplete - a node or a member way is missing, a ring does not close - are
    counted. Up to 1 % of them is what OpenStreetMap itself contains: they are left out with a
    warning, but of an area with several rings those that close are kept, since a lake with 200
    islands shall not become land because one of them is open. More of them is an answer that is
    not whole.

    Args:
        elements: Nodes, ways and relations, each once; what features consist of included. Taken
            over: osmnx takes them apart.
        tags: What makes an element a feature.
        keys: Tag keys to keep as columns.
        source: Where the elements come from, for messages.

    Returns:
        Features in EPSG:4326 with `osm_type`, `osm_id`, the keys that occur, and geometry.

    Raises:
        SourceError: More than 1 % of the features are incomplete.
    """
    import geopandas as gpd
    from osmnx._errors import InsufficientResponseError

    # osmnx's public functions insist on its own client; see geoseg.sources.overpass for why it
    # is not used. This step behind them turns elements into geometries and touches nothing else.
    from osmnx.features import _create_gdf

    features = {(e["type"], e["id"]): e for e in elements if _is_feature(e, tags)}
    ways = _whole_ways(elements)
    broken = {key for key, element in features.items() if _is_incomplete(element, ways)}
    usable = [e for e in elements if e["type"] != "way" or e["id"] in ways]
    queried: dict[str, bool | str | list[str]] = {
        key: True if values is None else list(values) for key, values in tags.items()}
    try:
        table = _create_gdf([{"elements": usable}], shapely.Polygon(), queried).reset_index()
    except InsufficientResponseError:
        table = gpd.GeoDataFrame({"element": [], "id": []}, geometry=[], crs="EPSG:4326")
    broken |= features.keys() - set(zip(table["element"], table["id"], strict=True))
    _judge(broken, len(features), source)
    table = table.rename(columns={"element": "osm_type", "id": "osm_id"})
    return table[["osm_type", "osm_id", *(k for k in keys if k in table.columns), "geometry"]]


def _is_feature(element: Element, tags: Tags) -> bool:
    """Whether osmnx should make a feature of an element."""
    own = element.get("tags", {})
    if element["type"] == "relation" and own.get("type") not in ("multipolygon", "boundary"):
        return False
    return any(key in own and (values is None or own[key] in values)
               for key, values in tags.items())


def _whole_ways(elements: Sequence[Element]) -> dict[int, list[int]]:
    """Return the nodes of each way all of whose nodes are at hand."""
    nodes = {e["id"] for e in elements if e["type"] == "node"}
    return {e["id"]: list(e["nodes"]) for e in elements
            if e["type"] == "way" and e["nodes"] and nodes.issuperset(e["nodes"])}


def _is_incomplete(feature: Element, ways: Mapping[int, Sequence[int]]) -> bool:
    """Whether a way is not whole, or a relation lacks a way or has a ring that does not close.

    A ring passes through its nodes, so among the ways of one role an even number of ends meets at
    each node.
    """
    if feature["type"] == "way":
        return feature["id"] not in ways
    members = [m for m in feature.get("members", ()) if m["type"] == "way"]
    if not all(member["ref"] in ways for member in members):
        return True
    ends = Counter((member["role"], ways[member["ref"]][end])
                   for member in members for end in (0, -1))
    return any(count % 2 for count in ends.values())


def _judge(broken: Collection[ElementId], total: int, source: str) -> None:
    """Warn of incomplete features, or refuse if there are too many."""
    if not broken:
        return
    listed = ", ".join(f"{kind} {number}" for kind, number in sorted(broken)[:_MOST_LISTED])
    more = ", ..." if len(broken) > _MOST_LISTED else ""
    found = f"{len(broken)} of {total} features are incomplete ({listed}{more})"
    if len(broken) > MOST_INCOMPLETE * total:
        raise SourceError(source, f"{found}, more than {100 * MOST_INCOMPLETE:g} %",
                          "Try again later or with another --endpoint; if they are broken in "
                          "OpenStreetMap itself, use a local extract with --file, which goes on "
                          "without them")
    _log.warning("%s: %s; they were left out, but for rings that close", source, found)
