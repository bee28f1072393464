"""`fetch_osm`: OpenStreetMap features of an area, each with the class that the recipe gives it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from geoseg.errors import RecipeError, SourceError
from geoseg.geo.output import check_output
from geoseg.geo.style.document import Style
from geoseg.geo.style.vectors import Look, Shape, category_style
from geoseg.geo.vector import write_layers
from geoseg.progress import Progress, part, silent
from geoseg.recipe import Recipe
from geoseg.sources.area import read_area
from geoseg.sources.download import ENDPOINT, download, server_of
from geoseg.sources.matching import WIDTH_KEYS, match_tags, recipe_keys
from geoseg.sources.osm_elements import elements_to_table
from geoseg.sources.osm_file import read_extract

if TYPE_CHECKING:
    import geopandas as gpd

ATTRIBUTION = "© OpenStreetMap contributors, ODbL 1.0"
"""What every product with OpenStreetMap data must say."""

_EXTRA_KEYS = (*WIDTH_KEYS, "width", "lanes", "name")
_RESERVED = ("osm_type", "osm_id", "class", "geometry", "geom", "fid")
_REQUEST_KM2 = 500.0
_LAYERS = ("points", "lines", "polygons")
_SHAPES: dict[str, Shape] = {"points": "point", "lines": "line", "polygons": "polygon"}

_log = logging.getLogger("geoseg")


def fetch_osm(aoi: str | Path, recipe: Recipe | str | Path, *, out: str | Path,
              file: str | Path | None = None, endpoint: str = ENDPOINT,
              cache: str | Path | None = None, max_area_km2: float = 2500.0,
              overwrite: bool = False, progress: Progress = silent) -> Path:
    """Fetch the OpenStreetMap features that the recipe's tags name.

    Features are kept whole if they touch the area. The result is a GeoPackage in EPSG:4326 with
    layers `polygons`, `lines` and `points` (those that hold anything) and the columns `osm_type`,
    `osm_id`, `class` (the last class of the recipe that matches), the recipe's tag keys, and
    `highway`, `waterway`, `railway`, `width`, `lanes`, `name`. Attribution, source and date stand
    in the metadata. An area that lies wholly within one large feature (a lake, a forest) does not
    bring that feature from Overpass; a local extract does.

    Incomplete features (a node or way is missing, a ring does not close) are counted. Up to 1 % of
    them are a warning. More of them from a server are an error, since a server has all parts and
    an answer without them is not whole. From a local extract they stay a warning, however many:
    an extract is cut out along a border, and what crosses the border is rightly incomplete.

    Args:
        aoi: "west,south,east,north" in degrees, or a vector file of polygons in any CRS.
        recipe: The classes and their tags.
        out: New GeoPackage.
        file: Local .osm or .pbf extract to read instead of asking a server.
        endpoint: Address of an Overpass API.
        cache: Folder in which replies are kept and looked up; they are used whatever their age.
        max_area_km2: Larger areas are refused before anything is downloaded.
        overwrite: Whether an existing `out` may be replaced.
        progress: Told what is happening; raise `Cancelled` in it to stop.

    Returns:
        `out`.

    Raises:
        SourceError: The area or the extract cannot be read, the area is too large, the server
            cannot be reached or did not send everything, more than 1 % of what it sent is
            incomplete, or nothing was found.
        RecipeError: No class of the recipe names a tag.
        OutputError: `out` cannot be written.
    """
    recipe = Recipe.of(recipe)
    out = check_output(out, overwrite=overwrite, suffixes=(".gpkg",), inputs=[aoi, file])
    if not recipe_keys(recipe):
        raise RecipeError(recipe.name, "names no OpenStreetMap tags",
                          "Add osm = { ... } to its classes")
    progress(0.0, "reading the area")
    area = read_area(aoi)
    keys = _columns(recipe)
    if file is not None:
        source = Path(file).name
        progress(0.1, f"reading {source}")
        table = read_extract(Path(file), keys, area.bounds)
    else:
        source, tags = server_of(endpoint), wanted_tags(recipe)
        elements = download(area, tags, endpoint=endpoint, cache=Path(cache) if cache else None,
                            max_area_km2=max_area_km2, request_km2=_REQUEST_KM2,
                            progress=part(progress, 0, 0.9))
        table = elements_to_table(elements, tags, _columns(recipe), source)
    table = _with_class(table, recipe, area)
    if not len(table):
        raise SourceError(source, f"has nothing in {aoi} that the recipe {recipe.name!r} asks for",
                          "Check the area, or the osm tags in the recipe")
    progress(0.95, "writing")
    notes = {"attribution": ATTRIBUTION, "source": source, "recipe": recipe.name,
             "date": datetime.now(UTC).date().isoformat()}
    frames = _by_kind(table, keys)
    write_layers(frames, out, metadata=notes, styles=_styles(frames, recipe))
    _log.info("%s: %d features, %s", out.name, len(table), ATTRIBUTION)
    progress(1.0, "done")
    return out


def _columns(recipe: Recipe) -> tuple[str, ...]:
    """Return the tag keys that become columns; GeoPackage ignores case in their names."""
    chosen: dict[str, str] = {}
    for key in (*recipe_keys(recipe), *_EXTRA_KEYS):
        if key.casefold() not in _RESERVED:
            chosen.setdefault(key.casefold(), key)
    return tuple(chosen.values())


def wanted_tags(recipe: Recipe) -> dict[str, tuple[str, ...] | None]:
    """Return the tags of all classes together: key to values, or to None for any value."""
    wanted: dict[str, tuple[str, ...] | None] = {}
    for item in recipe.classes:
        for key, value in item.osm.items():
            known = wanted.get(key, ())
            if value is True or known is None:
                wanted[key] = None
            else:
                more = (value,) if isinstance(value, str) else tuple(value)
                wanted[key] = tuple(dict.fromkeys((*known, *more)))
    return wanted


def _with_class(table: gpd.GeoDataFrame, recipe: Recipe, area: BaseGeometry) -> gpd.GeoDataFrame:
    """Keep what touches the area and has a class, and name the class."""
    shapely.prepare(area)
    table = table[shapely.intersects(area, np.asarray(table.geometry.array))]
    member = match_tags(table, recipe)
    if member is None or not len(table):
        return table.iloc[:0]
    last = len(recipe.classes) - 1 - member[::-1].argmax(axis=0)
    names = np.array([item.name for item in recipe.classes], dtype=object)
    return table.assign(**{"class": names[last]})[member.any(axis=0)]


def _by_kind(table: gpd.GeoDataFrame, keys: tuple[str, ...]) -> dict[str, gpd.GeoDataFrame]:
    """Split features by dimension into layers of one geometry type, with the same columns."""
    import geopandas as gpd

    shapes = shapely.make_valid(np.asarray(table.geometry.array))
    chosen: dict[str, gpd.GeoDataFrame] = {}
    for dimension in (2, 1, 0):
        here = shapely.get_dimensions(shapes) == dimension
        if here.any():
            plain = {name: table[name].astype(str).array[here]
                     for name in ("osm_type", "osm_id", "class")}
            tags = {key: table[key].array[here] for key in keys if key in table.columns}
            chosen[_LAYERS[dimension]] = gpd.GeoDataFrame(
                {**plain, **tags}, geometry=_to_multi(shapes[here], dimension), crs="EPSG:4326")
    return chosen


def _styles(frames: dict[str, gpd.GeoDataFrame], recipe: Recipe) -> dict[str, Style]:
    """Return the style of each layer: the classes that it shows, in recipe order."""
    return {
        layer: category_style("class", [(item.name, item.name, item.color)
                                        for item in recipe.legend
                                        if (frame["class"] == item.name).any()],
                              Look(_SHAPES[layer], in_order=True))
        for layer, frame in frames.items()}


def _to_multi(shapes: np.ndarray, dimension: int) -> np.ndarray:
    """Return lines and areas as multi-geometries; of a collection, the parts of that dimension."""
    if dimension == 0:
        return shapes
    parts, owner = shapely.get_parts(shapes, return_index=True)
    parts, nested = shapely.get_parts(parts, return_index=True)
    fits = shapely.get_dimensions(parts) == dimension
    make = shapely.multilinestrings if dimension == 1 else shapely.multipolygons
    made: np.ndarray = make(parts[fits], indices=owner[nested][fits])
    return made
