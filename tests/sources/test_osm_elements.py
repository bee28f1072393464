"""Incomplete features: each kind is found, few are a warning, many refuse the answer."""

from __future__ import annotations

import logging

import pyogrio
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.ops import linemerge

from geoseg.errors import SourceError
from geoseg.sources.osm import fetch_osm
from geoseg.sources.osm_elements import elements_to_table
from tests.sources.overpass_server import answer, node, overpass, town, way

AOI = "8.0,50.0,8.1,50.1"


def relation(number, *members, **tags):
    """An area of member ways: (reference, role)."""
    return {"type": "relation", "id": number, "tags": {"type": "multipolygon", **tags},
            "members": [{"type": "way", "ref": ref, "role": role} for ref, role in members]}


# The town's nodes 1 to 12 are three squares; ways 102 and 103 are a lake and its island.
BROKEN = {
    "a node is missing": [way(300, 1, 2, 999, building="yes")],
    "all nodes are missing": [way(300, 998, 999, building="yes")],
    "no nodes": [way(300, building="yes")],
    "a way is missing": [relation(300, (102, "outer"), (999, "outer"), building="yes")],
    "a way lacks a node": [way(301, 9, 10, 999, 9),
                           relation(300, (102, "outer"), (301, "inner"), building="yes")],
    "the outer ring is open": [way(301, 1, 2, 3), relation(300, (301, "outer"), building="yes")],
    "one of two outer rings is open": [
        way(301, 1, 2, 3), relation(300, (102, "outer"), (301, "outer"), building="yes")],
    "the inner ring is open": [
        way(301, 9, 10, 11), relation(300, (102, "outer"), (301, "inner"), building="yes")],
    "a piece has no role": [
        way(301, 1, 2, 3), way(302, 3, 4, 1),
        relation(300, (301, "outer"), (302, ""), building="yes")],
}
WHOLE = [
    way(301, 1, 2, 3), way(302, 1, 4, 3),
    relation(303, (301, "outer"), (302, "outer"), (103, "outer"), building="yes"),
    relation(304, (102, "outer"), (103, "inner"), building="yes"),
    way(305, 1, 2, 3, highway="track"),
]


def houses(count):
    """Small houses, complete."""
    elements = []
    for place in range(count):
        x, y = 8.0 + place % 20 * 0.005, 50.06 + place // 20 * 0.001
        first = 10_000 + 4 * place
        elements += [node(first, x, y), node(first + 1, x + 1e-4, y),
                     node(first + 2, x + 1e-4, y + 1e-4), node(first + 3, x, y + 1e-4),
                     way(5_000 + place, *range(first, first + 4), first, building="house")]
    return elements


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_many_incomplete_features_refuse_the_answer(tmp_path, broken):
    with (overpass(answer(*town(), *houses(50), *broken)) as server,
          pytest.raises(SourceError, match=r"1 of 54 features are incomplete \((way|relation) 300\)"
                        r", more than 1 %. .*--file")):
        fetch_osm(AOI, "landcover-osm", out=tmp_path / "osm.gpkg", endpoint=server.url)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_few_incomplete_features_are_counted_and_the_rest_stays(tmp_path, caplog, broken):
    elements = [*town(), *houses(96), *broken]
    with overpass(answer(*elements)) as server, caplog.at_level(logging.WARNING, "geoseg"):
        out = fetch_osm(AOI, "landcover-osm", out=tmp_path / "osm.gpkg", endpoint=server.url)
    assert "1 of 100 features are incomplete" in caplog.text
    areas = pyogrio.read_dataframe(out, layer="polygons")
    assert areas["osm_id"].isin(["100", "200"]).sum() == 2
    assert (areas["class"] == "building").sum() in (97, 98)  # 98: one ring of the broken is whole


def test_whole_features_are_not_counted(caplog):
    tags = {"building": None, "highway": None}
    table = elements_to_table([*town(), *WHOLE], tags, ["building"], "here").set_index("osm_id")
    assert not caplog.records
    assert set(table.index) == {100, 101, 303, 304, 305}
    assert shapely.area(table.geometry[303]) == pytest.approx(0.01**2 + 0.005**2)
    assert shapely.area(table.geometry[304]) == pytest.approx(0.02**2 - 0.005**2)


@given(cuts=st.sets(st.integers(0, 7), min_size=1, max_size=5), drop=st.booleans(),
       flip=st.lists(st.booleans(), min_size=6, max_size=6))
def test_a_ring_in_pieces_is_whole_exactly_if_shapely_closes_it(cuts, drop, flip):
    corners = shapely.get_coordinates(shapely.Point(8.05, 50.05).buffer(0.01, quad_segs=2))[:-1]
    nodes = [node(number, *xy) for number, xy in enumerate(corners)]
    starts = sorted(cuts)
    pieces = [[n % 8 for n in range(first, last + 1)]
              for first, last in zip(starts, [*starts[1:], starts[0] + 8], strict=True)]
    pieces = [piece[::-1] if back else piece
              for piece, back in zip(pieces, flip, strict=False)][drop:]
    ways = [way(100 + place, *piece) for place, piece in enumerate(pieces)]
    area = relation(300, *((item["id"], "outer") for item in ways), building="yes")
    ring = linemerge([shapely.LineString(corners[piece]) for piece in pieces])
    if pieces and ring.is_ring:
        table = elements_to_table([*nodes, *ways, area], {"building": None}, [], "here")
        assert shapely.equals(table.geometry[0], shapely.Polygon(ring))
    else:
        with pytest.raises(SourceError, match="relation 300"):
            elements_to_table([*nodes, *ways, area], {"building": None}, [], "here")
