"""A client of the Overpass API that says when it did not get everything.

osmnx's own client returns a reply that the server cut short as if it were complete, tries again
without end when the server is busy, and replaces `socket.getaddrinfo` for the whole process. Here
a reply counts only if it is whole, tries are bounded and can be cancelled, and nothing global is
touched. osmnx still builds the geometries: see `geoseg.sources.osm_elements`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from geoseg import __version__
from geoseg.errors import SourceError
from geoseg.geo.ground import Bounds
from geoseg.geo.output import write_text
from geoseg.progress import Progress
from geoseg.sources.area import quarter_bounds
from geoseg.sources.osm_elements import Element, ElementId, Tags

_TRIES = 5
_FIRST_PAUSE = 3.0
_LONGEST_PAUSE = 300.0
_CONNECT_SECONDS = 4.0
_QUERY_SECONDS = 180
_MOST_SPLITS = 4
_LARGEST_REPLY = 1 << 30
_BUSY = (429, 502, 503, 504)

_log = logging.getLogger("geoseg")
T = TypeVar("T")


class _Partial(Exception):
    """The server gave up half-way and says so in a remark."""


@dataclass(frozen=True, slots=True)
class Overpass:
    """An Overpass endpoint with its cache."""

    endpoint: str
    """Address without `/interpreter`."""
    cache: Path | None
    """Folder of earlier replies, or None for none."""
    progress: Progress
    """Called several times a second while waiting, so that it can cancel."""

    def fetch(self, bounds: Bounds, tags: Tags, *, splits: int = _MOST_SPLITS
              ) -> dict[ElementId, Element]:
        """Return the elements with any of the tags, and all that they consist of.

        Where the server gives up half-way, the four quarters are asked instead.

        Args:
            bounds: (left, bottom, right, top) in degrees.
            tags: Tags of which an element needs any.
            splits: How often the bounds may still be quartered.

        Returns:
            Elements by (type, id).

        Raises:
            SourceError: The server cannot be reached, refuses, stays busy, or never completes.
        """
        try:
            reply = self._reply(overpass_query(bounds, tags))
        except _Partial as remark:
            if splits == 0:
                raise SourceError(
                    self.endpoint, f"sent only partial data, even for a small area ({remark})",
                    "Try again later, or use a local extract with --file") from remark
            _log.warning("%s sent partial data (%s): asking again in four parts", self.endpoint,
                         remark)
            found: dict[ElementId, Element] = {}
            for quarter in quarter_bounds(bounds):
                found |= self.fetch(quarter, tags, splits=splits - 1)
            return found
        return {(element["type"], element["id"]): element for element in reply}

    def _reply(self, query: str) -> list[Element]:
        """Return the elements of a reply, from the cache if it is there."""
        key = hashlib.sha256(f"{self.endpoint}\n{query}".encode()).hexdigest()
        kept = self.cache / f"{key}.json" if self.cache else None
        if kept is not None and kept.is_file():
            try:
                elements = _elements(kept.read_bytes(), self.endpoint)
            except (SourceError, _Partial):
                _log.warning("%s: a damaged reply in the cache was thrown away", kept)
                kept.unlink()
            else:
                day = datetime.fromtimestamp(kept.stat().st_mtime, UTC).date()
                _log.info("using the reply of %s kept since %s", self.endpoint, day)
                return elements
        body = self._ask(query)
        elements = _elements(body, self.endpoint)
        if kept is not None:
            write_text(kept, body.decode("utf-8"))
        return elements

    def _ask(self, query: str) -> bytes:
        """Post a query, again while the server is busy, and return the body of its answer."""
        self._wait_for(lambda: _reach(self.endpoint), _CONNECT_SECONDS + 0.5)
        for attempt in range(_TRIES):
            status, body, retry_after = self._wait_for(lambda: _post(self.endpoint, query))
            if status == 200:
                return body
            if status not in _BUSY:
                raise SourceError(self.endpoint, f"refused the query ({status}: {_gist(body)})",
                                  "Check the tags in the recipe and the endpoint's address")
            if attempt + 1 < _TRIES:
                self._pause(status, retry_after, attempt)
        raise SourceError(self.endpoint, f"was busy {_TRIES} times in a row ({status})",
                          "Try again later, use another --endpoint, or a local extract with --file")

    def _pause(self, status: int, retry_after: float | None, attempt: int) -> None:
        seconds = _FIRST_PAUSE * 2**attempt if retry_after is None else retry_after
        if seconds > _LONGEST_PAUSE:
            raise SourceError(self.endpoint, f"asks to wait {seconds:.0f} s ({status})",
                              "Try again then, or use a local extract with --file")
        _log.warning("%s is busy (%d): trying again in %.0f s", self.endpoint, status, seconds)
        self._wait_for(lambda: time.sleep(seconds))

    def _wait_for(self, work: Callable[[], T], at_most: float | None = None) -> T:
        """Run work beside this thread, so that `progress` can cancel while it blocks."""
        outcome: list[T] = []
        failure: list[Exception] = []

        def run() -> None:
            try:
                outcome.append(work())
            except Exception as error:
                failure.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        started = time.monotonic()
        while thread.is_alive():
            thread.join(0.2)
            self.progress(0.0, f"waiting for {urlsplit(self.endpoint).hostname}")
            if at_most is not None and time.monotonic() - started > at_most:
                raise _unreachable(self.endpoint, "no answer")
        if failure:
            raise failure[0]
        return outcome[0]


def overpass_query(bounds: Bounds, tags: Tags) -> str:
    """Return the Overpass QL text for elements with any of the tags within bounds.

    Of the relations only areas are asked for: routes would bring whole rivers and bus lines.

    Args:
        bounds: (left, bottom, right, top) in degrees.
        tags: Tags of which an element needs any.
    """
    left, bottom, right, top = bounds
    filters = [_filter(key, values) for key, values in tags.items()]
    areas = '["type"~"^(multipolygon|boundary)$"]'
    wanted = "".join(f"node{f};way{f};relation{areas}{f};" for f in filters)
    return (f"[out:json][timeout:{_QUERY_SECONDS}]"
            f"[bbox:{bottom:.7f},{left:.7f},{top:.7f},{right:.7f}];"
            f"({wanted});(._;>;);out body;")


def _filter(key: str, values: tuple[str, ...] | None) -> str:
    if values is None:
        return f"[{_quote(key)}]"
    if len(values) == 1:
        return f"[{_quote(key)}={_quote(values[0])}]"
    return f"[{_quote(key)}~{_quote('^(' + '|'.join(map(_literal, values)) + ')$')}]"


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _literal(value: str) -> str:
    """Escape what POSIX extended regular expressions, which Overpass uses, would interpret."""
    return re.sub(r"([.^$*+?()\[\]{}|\\])", r"\\\1", value)


def _reach(endpoint: str) -> None:
    """Check that the server can be connected to at all, within a few seconds.

    Behind a proxy the proxy connects, so there is nothing to check.
    """
    from requests.utils import get_environ_proxies

    parts = urlsplit(endpoint)
    if parts.hostname is None or parts.scheme not in ("http", "https"):
        raise SourceError(endpoint, "is not an http(s) address", "Correct the endpoint")
    if get_environ_proxies(endpoint):
        return
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname, port), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise _unreachable(endpoint, error.strerror or type(error).__name__) from error


def _unreachable(endpoint: str, reason: str) -> SourceError:
    return SourceError(endpoint, f"cannot be reached ({reason})",
                       "Check the connection, or use a local extract with --file")


def _post(endpoint: str, query: str) -> tuple[int, bytes, float | None]:
    """Post a query; return status, body and the seconds of Retry-After, if any."""
    import requests

    try:
        with requests.post(endpoint.rstrip("/") + "/interpreter", data={"data": query},
                           timeout=(_CONNECT_SECONDS, _QUERY_SECONDS + 30), stream=True,
                           headers={"User-Agent": f"geoseg/{__version__}"}) as response:
            body = bytearray()
            for piece in response.iter_content(1 << 20):
                body += piece
                if len(body) > _LARGEST_REPLY:
                    raise SourceError(endpoint, "sent more than 1 GB",
                                      "Fetch a smaller area, or use a local extract with --file")
            return response.status_code, bytes(body), _seconds(response.headers.get("Retry-After"))
    except requests.exceptions.ConnectionError as error:
        raise _unreachable(endpoint, type(error).__name__) from error
    except requests.exceptions.RequestException as error:
        raise SourceError(endpoint, f"broke off the answer ({type(error).__name__})",
                          "Try again, or use a local extract with --file") from error


def _seconds(retry_after: str | None) -> float | None:
    """Read a Retry-After header: seconds or a date."""
    if retry_after is None:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (when - datetime.now(when.tzinfo)).total_seconds())


def _elements(body: bytes, endpoint: str) -> list[Element]:
    """Parse a reply, which counts only if it is whole."""
    try:
        reply = json.loads(body)
    except ValueError as error:
        kind = "a web page" if body.lstrip()[:1] == b"<" else "an answer that breaks off"
        raise SourceError(endpoint, f"sent {kind} instead of data ({_gist(body)})",
                          "Try again later, or check the endpoint's address") from error
    if isinstance(reply, dict) and reply.get("remark"):
        raise _Partial(str(reply["remark"]))
    if not isinstance(reply, dict) or not isinstance(reply.get("elements"), list):
        raise SourceError(endpoint, "sent no list of elements",
                          "Check that the address is that of an Overpass API")
    return list(reply["elements"])


def _gist(body: bytes) -> str:
    """Return the first words of a reply without markup, for an error message."""
    text = re.sub(r"<[^>]*>|\s+", " ", body[:4000].decode("utf-8", "replace"))
    return " ".join(text.split())[:160]
