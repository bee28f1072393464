"""All elements of an area from Overpass, in as many requests as it takes."""

from __future__ import annotations

import logging
from pathlib import Path

from shapely.geometry.base import BaseGeometry

from geoseg.errors import SourceError
from geoseg.progress import Progress, part
from geoseg.sources.area import area_km2, request_boxes
from geoseg.sources.osm_elements import Element, ElementId, Tags
from geoseg.sources.overpass import Overpass

ENDPOINT = "https://overpass-api.de/api"
"""The Overpass endpoint that is asked by default."""

_log = logging.getLogger("geoseg")


def server_of(endpoint: str) -> str:
    """Return an endpoint's address as errors and the cache know it, without `/interpreter`."""
    return endpoint.rstrip("/").removesuffix("/interpreter")


def download(area: BaseGeometry, tags: Tags, *, endpoint: str, cache: Path | None,
             max_area_km2: float, request_km2: float, progress: Progress) -> list[Element]:
    """Fetch the elements with some tags that touch an area's bounds, each once and whole.

    Args:
        area: Polygon or multipolygon in EPSG:4326.
        tags: Which elements.
        endpoint: Address of an Overpass API.
        cache: Folder in which replies are kept and looked up, or None.
        max_area_km2: Larger areas are refused before anything is downloaded.
        request_km2: Largest area to ask for at once.
        progress: Told what is happening; raise `Cancelled` in it to stop.

    Raises:
        SourceError: The area is too large, or the server cannot be reached or did not send
            everything.
    """
    size = area_km2(area)
    if size > max_area_km2:
        raise SourceError("area of interest", f"covers {size:,.0f} km², more than the "
                          f"{max_area_km2:,.0f} km² allowed for a download",
                          "Use a local extract (such as those of Geofabrik), a smaller area, or a "
                          "higher maximum (command line: --max-area-km2)")
    server, boxes = server_of(endpoint), request_boxes(area, request_km2)
    _log.info("area of %.1f km²: %d request(s) to %s", size, len(boxes), server)
    found: dict[ElementId, Element] = {}
    for place, bounds in enumerate(boxes):
        step = part(progress, place / len(boxes), (place + 1) / len(boxes))
        found |= Overpass(server, cache, step).fetch(bounds, tags)
    return list(found.values())
