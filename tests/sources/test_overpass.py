"""The Overpass client and fetch_osm against a loopback server, through osmnx's real builder."""

from __future__ import annotations

import json
import logging
import re
import socket
import time

import pyogrio
import pytest

from geoseg.errors import Cancelled, OutputError, SourceError
from geoseg.geo.vector import layers
from geoseg.sources import overpass as client
from geoseg.sources.osm import fetch_osm
from tests.sources.overpass_server import Reply, answer, node, overpass, town, way

AOI = "8.0,50.0,8.1,50.1"


@pytest.fixture(autouse=True)
def _hasty(monkeypatch):
    monkeypatch.setattr(client, "_FIRST_PAUSE", 0.01)


def fetch(server, tmp_path, **options):
    return fetch_osm(options.pop("aoi", AOI), options.pop("recipe", "landcover-osm"),
                     out=tmp_path / "osm.gpkg", endpoint=server.url, **options)


def rows(path, layer):
    return pyogrio.read_dataframe(path, layer=layer).set_index("osm_id")


def test_features_get_their_class_layer_and_columns(tmp_path):
    with overpass(answer(*town())) as server:
        out = fetch(server, tmp_path)
    assert server.paths == ["/api/interpreter"]
    assert sorted(layers(out)) == ["lines", "polygons"]
    areas, lines = rows(out, "polygons"), rows(out, "lines")
    assert areas["class"].to_dict() == {"100": "building", "200": "water"}
    assert areas["osm_type"].to_dict() == {"100": "way", "200": "relation"}
    assert areas.loc["100", "name"] == "Hall"
    assert areas.loc["200"].geometry.area == pytest.approx(0.02**2 - 0.005**2)
    road = lines.loc["101"]
    assert (road["class"], road["highway"], road["lanes"], road["width"]) == (
        "road", "residential", "2", "7 m")
    assert areas.crs == "EPSG:4326"
    assert [path.name for path in tmp_path.iterdir()] == ["osm.gpkg"]


def test_metadata_carries_the_licence_and_the_date(tmp_path):
    with overpass(answer(*town())) as server:
        out = fetch(server, tmp_path)
    for layer in ("lines", "polygons"):
        notes = pyogrio.read_info(out, layer=layer)["layer_metadata"]
        assert notes["attribution"] == "© OpenStreetMap contributors, ODbL 1.0"
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", notes["date"])
        assert notes["source"] == server.url


def test_the_last_matching_class_wins(tmp_path):
    # tagged both as a wood (forest) and as a building, which stands later in the recipe
    both = [node(1, 8.04, 50.04), node(2, 8.05, 50.04), node(3, 8.05, 50.05),
            way(7, 1, 2, 3, 1, building="roof", natural="wood")]
    with overpass(answer(*both)) as server:
        assert rows(fetch(server, tmp_path), "polygons").loc["7", "class"] == "building"


def test_no_building_is_no_building(tmp_path):
    elements = [*town(), way(8, 1, 2, 3, 1, building="no")]
    with overpass(answer(*elements)) as server:
        assert "8" not in rows(fetch(server, tmp_path), "polygons").index


def test_the_query_asks_for_every_tag_within_the_bounds(tmp_path):
    with overpass(answer(*town())) as server:
        fetch(server, tmp_path)
    query = server.queries[0]
    assert "[bbox:50.0000000,8.0000000,50.1000000,8.1000000]" in query
    assert 'way["building"];' in query
    found = re.search(r'way\["natural"~"\^\((.*?)\)\$"\]', query)
    assert found
    assert {"scrub", "wood", "beach", "water"} <= set(found[1].split("|"))


def test_quotes_and_expressions_in_tags_cannot_leave_the_query():
    query = client.overpass_query((8, 50, 9, 51), {'a"];out;': ("x|y", 'z"(')})
    assert '["a\\"];out;"~"^(x\\\\|y|z\\"\\\\()$"]' in query


def test_partial_data_is_asked_for_again_in_four_parts(tmp_path, caplog):
    def by_size(query):
        bounds = [float(text) for text in re.search(r"bbox:([\d.,]+)", query)[1].split(",")]
        if bounds[3] - bounds[1] > 0.06:
            return answer(*town()[:3], remark="runtime error: Query timed out")
        return answer(*town())

    with overpass(by_size) as server, caplog.at_level(logging.WARNING, "geoseg"):
        out = fetch(server, tmp_path)
    assert len(server.queries) == 5
    assert set(rows(out, "polygons").index) == {"100", "200"}
    assert "partial" in caplog.text


def test_lasting_partial_data_is_an_error(tmp_path):
    with (overpass(answer(*town(), remark="out of memory")) as server,
          pytest.raises(SourceError, match=r"partial.*out of memory")):
        fetch(server, tmp_path)
    assert len(server.queries) == 5  # the whole, and the first quarter of each size
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("status", [429, 504])
def test_a_busy_server_is_asked_again(tmp_path, status):
    busy = Reply("<html>busy</html>", status)
    with overpass(busy, busy, answer(*town())) as server:
        fetch(server, tmp_path)
    assert len(server.queries) == 3


def test_retry_after_is_honoured(tmp_path, monkeypatch):
    slept = []
    monkeypatch.setattr(client.time, "sleep", slept.append)
    busy = Reply("", 429, {"Retry-After": "17"})
    with overpass(busy, answer(*town())) as server:
        fetch(server, tmp_path)
    assert slept == [17]


def test_retry_after_may_be_a_date():
    assert client._seconds("Fri, 01 Jan 2038 00:00:00 GMT") > 1e6
    assert client._seconds("Fri, 01 Jan 1999 00:00:00 GMT") == 0
    assert client._seconds("soon") is None


def test_a_server_that_stays_busy_is_given_up_after_five_tries(tmp_path):
    with (overpass(Reply("", 429, {"Retry-After": "0"})) as server,
          pytest.raises(SourceError, match="busy 5 times")):
        fetch(server, tmp_path)
    assert len(server.queries) == 5
    assert not list(tmp_path.iterdir())


def test_too_long_a_wait_is_refused(tmp_path):
    with (overpass(Reply("", 429, {"Retry-After": "90000"})) as server,
          pytest.raises(SourceError, match="90000 s")):
        fetch(server, tmp_path)


@pytest.mark.parametrize(("reply", "message"), [
    (Reply("<html><body>Welcome to <b>Overpass</b></body></html>"), "a web page.*Welcome to"),
    (Reply('{"elements": [{"type": "no'), "breaks off"),
    (Reply(json.dumps({"elements": []}), claimed_length=5000), "broke off"),
    (Reply("<p>line 1: parse error: unknown type</p>", 400), "400.*unknown type"),
    (Reply('{"version": 0.6}'), "no list of elements"),
    (Reply("[1, 2]"), "no list of elements"),
    (answer(), "has nothing in"),
    (answer(node(1, 8.05, 50.05, shop="bakery")), "has nothing in"),
], ids=["html", "truncated", "cut off", "400", "no elements", "a list", "empty", "no match"])
def test_a_useless_reply_is_one_clear_error(tmp_path, reply, message):
    with overpass(reply) as server, pytest.raises(SourceError, match=message):
        fetch(server, tmp_path)
    assert len(server.queries) == 1
    assert not (tmp_path / "osm.gpkg").exists()


def test_a_kept_reply_is_used_and_a_damaged_one_thrown_away(tmp_path):
    cache = tmp_path / "cache"
    with overpass(answer(*town())) as server:
        fetch(server, tmp_path, cache=cache)
        first = (tmp_path / "osm.gpkg").stat().st_size
        fetch(server, tmp_path, cache=cache, overwrite=True)
        assert len(server.queries) == 1
        assert (tmp_path / "osm.gpkg").stat().st_size == first
        kept, = cache.iterdir()
        kept.write_text(kept.read_text()[:100])
        fetch(server, tmp_path, cache=cache, overwrite=True)
        assert len(server.queries) == 2
    assert json.loads(kept.read_text())["elements"]


def test_a_cache_that_is_a_file_is_named(tmp_path):
    (tmp_path / "cache").touch()
    with (overpass(answer(*town())) as server,
          pytest.raises(OutputError, match=r"cache.*cannot be made")):
        fetch(server, tmp_path, cache=tmp_path / "cache")


def test_an_unreachable_server_fails_within_seconds(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        started = time.monotonic()
        with pytest.raises(SourceError, match="cannot be reached"):
            fetch_osm(AOI, "landcover-osm", out=tmp_path / "osm.gpkg",
                      endpoint=f"http://127.0.0.1:{port}/api")
    assert time.monotonic() - started < 5


def test_waiting_can_be_cancelled(tmp_path):
    def cancel(fraction, message):
        if "waiting" in message and server.queries:
            raise Cancelled

    with overpass(Reply("", 429, {"Retry-After": "200"})) as server, pytest.raises(Cancelled):
        fetch(server, tmp_path, progress=cancel)
    assert not list(tmp_path.iterdir())


def test_nothing_global_is_touched(tmp_path):
    import osmnx

    before = {name: value for name, value in vars(osmnx.settings).items() if name[0] != "_"}
    resolver = socket.getaddrinfo
    with overpass(answer(*town())) as server:
        fetch(server, tmp_path)
    assert socket.getaddrinfo is resolver
    assert {name: value for name, value in vars(osmnx.settings).items()
            if name[0] != "_"} == before


def test_a_large_area_is_refused_before_any_request(tmp_path):
    with (overpass(answer(*town())) as server,
          pytest.raises(SourceError, match=r"covers 12,\d\d\d km²")):
        fetch(server, tmp_path, aoi="8,50,9.5,51.05")
    assert not server.queries


def test_a_large_area_is_asked_for_in_parts(tmp_path, caplog):
    with overpass(answer(*town())) as server, caplog.at_level(logging.INFO, "geoseg"):
        out = fetch(server, tmp_path, aoi="8,50,8.5,50.4")
    assert len(server.queries) == 4
    assert "4 request(s)" in caplog.text
    assert len(rows(out, "polygons")) == 2


def test_an_existing_output_is_refused_before_any_request(tmp_path):
    (tmp_path / "osm.gpkg").touch()
    with overpass(answer(*town())) as server, pytest.raises(OutputError, match="exists already"):
        fetch(server, tmp_path)
    assert not server.queries
