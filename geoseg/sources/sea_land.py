"""`split_sea_land`: an area in polygons of sea and of land, by a coastline or by land polygons."""

from __future__ import annotations

import logging
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyproj
import shapely
from shapely.geometry.base import BaseGeometry

from geoseg.errors import GeosegError, SourceError
from geoseg.geo.ground import ground_areas, reproject
from geoseg.geo.output import check_output
from geoseg.geo.style.vectors import Look, category_style
from geoseg.geo.vector import VECTOR_SUFFIXES, layers, read_layer, split_layer, write_layer
from geoseg.progress import Progress, part, silent, track
from geoseg.sources.area import read_area
from geoseg.sources.coast_ends import segments_of
from geoseg.sources.coast_faces import Coast, faces_of
from geoseg.sources.coast_lines import CoastShapes, fetch_coast, read_coast
from geoseg.sources.download import ENDPOINT
from geoseg.sources.osm import ATTRIBUTION

if TYPE_CHECKING:
    import geopandas as gpd

SeaOrLand = Literal["sea", "land"]
LAYER = "sea_land"
"""Layer name in a GeoPackage."""

_DEGREES = pyproj.CRS.from_epsg(4326)
_STEP = 0.01
_STYLE = category_style("side", [("sea", "sea", "#3182bd"), ("land", "land", "#d9d3b8")],
                        Look("polygon"))

_log = logging.getLogger("geoseg")


def split_sea_land(coastline: str | Path | None = None, *, area: str | Path, out: str | Path,
                   polygons_are: SeaOrLand | None = None,
                   land: Literal["left", "right"] = "left", max_gap: float = 0.0,
                   sea_class: str = "sea", land_class: str = "land", endpoint: str = ENDPOINT,
                   cache: str | Path | None = None, max_area_km2: float = 2500.0,
                   overwrite: bool = False, progress: Progress = silent) -> Path:
    """Split an area into sea and land, so that a model can be trained on the two.

    The polygons cover the area exactly, without gap or overlap. Lines tell the side by their
    direction: land on the left, as OpenStreetMap draws its coastline. They are joined end to end
    (within 1 cm), closed ones are islands, or lagoons if they run the other way. Nothing is
    guessed: a line that ends inside the area, or lines that disagree, are an error that names the
    place. Up to 10 m of line around one polygon may disagree with the rest of it and are overruled
    with a warning. What no line crosses is on the side that the nearest line shows, up to 50 km
    away. Areas across the antimeridian work where the lines are cut there, as in OpenStreetMap.

    The layer is in the CRS of `coastline` (EPSG:4326 for OpenStreetMap) and has the attributes
    `side` ("sea" or "land"), `class` (the name for `burn_labels`, by default the same) and
    `area_km2` (on the ground). The largest polygon comes first.

    Args:
        coastline: Vector file of lines, `file.gpkg|layername=x`, a GeoPackage fetched from
            Overpass by `fetch_osm`, an .osm or .pbf extract, or a vector file of polygons; None
            to fetch `natural=coastline` from Overpass.
        area: "west,south,east,north" in degrees, or a vector file of polygons in any CRS.
        out: File to write: .gpkg, .fgb, .geojson or .parquet.
        polygons_are: What the polygons are, if `coastline` holds polygons.
        land: Side of the lines' direction on which land lies.
        max_gap: Longest gap in metres that is bridged by a straight line: between the end of one
            line and the beginning of another, or to the edge of the area.
        sea_class: Name in `class` of what is sea, such as "water".
        land_class: Name in `class` of what is land.
        endpoint: Address of an Overpass API.
        cache: Folder in which replies are kept and looked up; they are used whatever their age.
        max_area_km2: Larger areas are refused before anything is downloaded.
        overwrite: Whether an existing `out` may be replaced.
        progress: Told what is happening; raise `Cancelled` in it to stop.

    Returns:
        `out`.

    Raises:
        SourceError: The area or the coastline cannot be read, is empty, has no CRS or the wrong
            kind of geometry, lies elsewhere, ends inside the area or contradicts itself; or the
            server cannot be reached or has no coastline there.
        GeosegError: An option is out of range.
        OutputError: `out` cannot be written.
    """
    out = check_output(out, overwrite=overwrite, suffixes=VECTOR_SUFFIXES,
                       inputs=[area, coastline])
    _check_options(coastline, polygons_are, land, max_gap, sea_class, land_class)
    progress(0.0, "reading the area")
    region = read_area(area)
    if coastline is None:
        shapes = fetch_coast(region, endpoint=endpoint, cache=Path(cache) if cache else None,
                             max_area_km2=max_area_km2, progress=part(progress, 0.0, 0.5))
    else:
        progress(0.1, f"reading {Path(coastline).name}")
        shapes = read_coast(coastline, region, kind="polygon" if polygons_are else "line")
    faces, is_land = _split(shapes, _area_in(area, region, shapes.crs), polygons_are, land, max_gap,
                            part(progress, 0.5, 0.9))
    frame = _frame(faces, is_land, shapes.crs, (sea_class, land_class))
    progress(0.95, "writing")
    write_layer(frame, out, layer=LAYER, metadata=_notes(shapes), style=_STYLE)
    for side in ("sea", "land"):
        mine = frame[frame["side"] == side]
        _log.info("%s: %d polygons of %s, %.2f km²", out.name, len(mine), side,
                  mine["area_km2"].sum())
    progress(1.0, "done")
    return out


def _check_options(coastline: str | Path | None, polygons_are: str | None, land: str,
                   max_gap: float, sea_class: str, land_class: str) -> None:
    if polygons_are not in (None, "sea", "land"):
        raise GeosegError("polygons are", f"is {polygons_are!r}", "Choose sea or land")
    if land not in ("left", "right"):
        raise GeosegError("land", f"is {land!r}", "Choose left or right")
    if not (math.isfinite(max_gap) and max_gap >= 0):
        raise GeosegError("max gap", f"is {max_gap}", "Give 0 or more metres")
    if not sea_class or not land_class or sea_class == land_class:
        raise GeosegError("class names", f"are {sea_class!r} for sea and {land_class!r} for land",
                          "Give two different names")
    if coastline is None and polygons_are:
        raise GeosegError("polygons are", "is given, but no polygons",
                          "Give a file of polygons, or leave it out")


def _area_in(area: str | Path, region: BaseGeometry, crs: pyproj.CRS) -> BaseGeometry:
    """Return the area in the CRS of the coast.

    A file is taken there from its own CRS, not by way of degrees, which would shift it by up to a
    millimetre: enough for slivers along the edge of an area that the polygons were cut to. A box
    in degrees has its edges on parallels and meridians, which are curves elsewhere.

    Args:
        area: What `read_area` read, which has checked it.
        region: What it returned.
        crs: The CRS wanted.
    """
    path, layer = split_layer(area)
    if path.is_file():
        tables = [read_layer(path, name) for name in ([layer] if layer else layers(path))]
        moved = np.concatenate([reproject(np.asarray(table.geometry.dropna().array), table.crs, crs)
                                for table in tables])
    else:
        left, bottom, right, top = region.bounds
        step = max(_STEP, (right - left + top - bottom) / 1000)
        fine = region if crs == _DEGREES else shapely.segmentize(region, step)
        moved = reproject(np.array([fine], dtype=object), _DEGREES, crs)
    if not np.isfinite(shapely.total_bounds(moved)).all():
        raise SourceError(area, f"lies outside {crs.name}, the CRS of the coastline",
                          "Check the area and the CRS")
    valid = shapely.make_valid(moved)
    found: BaseGeometry = shapely.union_all(valid[shapely.get_dimensions(valid) == 2])
    return found


def _split(shapes: CoastShapes, area: BaseGeometry, polygons_are: SeaOrLand | None, land: str,
           max_gap: float, progress: Progress) -> tuple[np.ndarray, np.ndarray]:
    """Return polygons that cover the area, and which are land; part by part of the area."""
    parts = shapely.get_parts(area)
    parts = parts[shapely.get_dimensions(parts) == 2]
    if polygons_are is None:
        coast = Coast(shapes.subject, segments_of(shapes.shapes), shapes.crs, land == "left",
                      max_gap)
        if not len(coast.segments):
            raise SourceError(shapes.subject, "holds only lines without length",
                              "Give the layer of the coast")
        found = [coast.split(piece) for piece in track(parts, progress, "splitting")]
    else:
        _require_overlap(shapes, area)
        found = [_by_polygons(shapes, piece, polygons_are == "land")
                 for piece in track(parts, progress, "splitting")]
    return (np.concatenate([faces for faces, _ in found]),
            np.concatenate([is_land for _, is_land in found]))


def _require_overlap(shapes: CoastShapes, area: BaseGeometry) -> None:
    extent = shapely.box(*shapely.total_bounds(shapes.shapes))
    if not shapely.intersects(extent, area):
        raise SourceError(shapes.subject, "lies wholly outside the area",
                          "Check that both show the same place, and their CRS")


def _by_polygons(shapes: CoastShapes, area: BaseGeometry, are_land: bool
                 ) -> tuple[np.ndarray, np.ndarray]:
    """Cut an area along the outlines of polygons, which are all land or all sea."""
    touching = shapes.shapes[shapely.intersects(shapes.shapes, area)]
    inside = shapely.intersection(shapely.union_all(touching), area)
    network = shapely.union_all([shapely.boundary(inside), shapely.boundary(area)])
    faces = faces_of(network, area)
    shapely.prepare(inside)
    covered = shapely.intersects(inside, shapely.point_on_surface(faces))
    return faces, covered if are_land else ~covered


def _frame(faces: np.ndarray, is_land: np.ndarray, crs: pyproj.CRS, names: tuple[str, str]
           ) -> gpd.GeoDataFrame:
    import geopandas as gpd

    areas = ground_areas(faces, crs) / 1e6
    frame = gpd.GeoDataFrame({"side": np.where(is_land, "land", "sea"),
                              "class": np.where(is_land, names[1], names[0]),
                              "area_km2": areas}, geometry=faces, crs=crs)
    return frame.iloc[np.argsort(-areas, kind="stable")].reset_index(drop=True)


def _notes(shapes: CoastShapes) -> dict[str, str]:
    """Return the metadata: where the coast comes from, when, and what that obliges to say."""
    notes = {"source": Path(shapes.subject).name if "://" not in shapes.subject
             else shapes.subject, "date": datetime.now(UTC).date().isoformat()}
    return {"attribution": ATTRIBUTION, **notes} if shapes.is_osm else notes
