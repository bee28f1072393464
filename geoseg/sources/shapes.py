"""Vector files as label sources: one set of polygons per class, in the pixels of an image.

Lines and points become polygons of their width on the ground, measured in a metric CRS of the
image's area whatever the CRS of file and image.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyproj
import shapely

from geoseg.errors import SourceError
from geoseg.geo.grid import Grid, apply_to_shapes
from geoseg.geo.ground import Bounds, metric_crs, reproject
from geoseg.geo.vector import LayerSummary, read_layer, split_layer, summarize_layer
from geoseg.recipe import DEFAULT_WIDTHS, ClassRecipe, Recipe
from geoseg.sources.extent import require_overlap
from geoseg.sources.matching import (
    WIDTH_KEYS,
    Matches,
    line_widths,
    match_classes,
    recipe_keys,
)
from geoseg.sources.osm_file import spatial_layers, unpack_other_tags

if TYPE_CHECKING:
    import geopandas as gpd

_LEAST_MARGIN = 500.0

_log = logging.getLogger("geoseg")


@dataclass(frozen=True, slots=True)
class ShapeReader:
    """Reads vector sources for one image and recipe."""

    recipe: Recipe
    """The classes."""
    grid: Grid
    """Grid of the image."""
    image: Path
    """The image, for messages."""

    def read(self, source: str | Path, assigned: str | None = None) -> list[np.ndarray]:
        """Return the polygons of each class near the image.

        Args:
            source: Vector file with all its layers, or `file|layername=layer`.
            assigned: Class of every feature of the file; None to match them by attributes.

        Returns:
            For each class an array of valid shapely polygons in pixel coordinates: x = column,
            y = row, (0, 0) at the upper left corner of the image.

        Raises:
            SourceError: The file cannot be read, has no CRS, is empty, lies elsewhere, has no
                column to match by, holds coordinates that are no numbers, or shows a class only
                as lines or points of unknown width.
        """
        path, chosen = split_layer(source)
        names = [chosen] if chosen else spatial_layers(path)
        summaries = {name: summarize_layer(path, name) for name in names}
        summaries = {name: found for name, found in summaries.items() if found.features != 0}
        if not summaries:
            raise SourceError(source, "holds no features", "Check the layer or the filter that "
                              "made it")
        self._check_places(source, summaries)
        tables = [self._near(path, name, summary) for name, summary in summaries.items()]
        matches = [self._match(table, assigned) for table in tables]
        if not any(match.by for match in matches):
            self._raise_unmatched(source, summaries)
        shapes = [self._class_shapes(source, tables, matches, place)
                  for place in range(len(self.recipe.classes))]
        _count_unmatched(path, matches)
        return shapes

    def _check_places(self, source: str | Path, summaries: dict[str, LayerSummary]) -> None:
        """Check CRS and overlap of the layers before any is read."""
        if not self.grid.is_georeferenced:
            boxes = [item.bounds for item in summaries.values()]
        else:
            boxes = [self._to_image_crs(source, item) for item in summaries.values()]
        known = np.array([box for box in boxes if box is not None])
        if len(known) == len(boxes):
            low, high = known[:, :2].min(axis=0), known[:, 2:].max(axis=0)
            require_overlap(source, (*low, *high), self.grid, self.image)

    def _to_image_crs(self, source: str | Path, summary: LayerSummary) -> Bounds | None:
        if summary.crs is None:
            raise SourceError(source, "has no coordinate reference system",
                              "Assign one (QGIS: Assign projection)")
        if summary.bounds is None or not np.isfinite(summary.bounds).all():
            return None
        change = pyproj.Transformer.from_crs(summary.crs, self.grid.pyproj_crs, always_xy=True)
        bounds: Bounds = change.transform_bounds(*summary.bounds)
        return bounds if np.isfinite(bounds).all() and bounds[0] <= bounds[2] else None

    def _near(self, path: Path, layer: str, summary: LayerSummary) -> gpd.GeoDataFrame:
        """Read the features near the image, with the tags that the recipe needs as columns."""
        table = read_layer(path, layer, bounds=self._reading_bounds(summary.crs))
        table = unpack_other_tags(table, (*recipe_keys(self.recipe), *WIDTH_KEYS, "width", "lanes"))
        _refuse_non_numbers(path, np.asarray(table.geometry.array), table.index)
        shapes = _repaired(path, np.asarray(table.geometry.array))
        there = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
        if not there.all():
            _log.warning("%s: %d of %d features near the image have no usable shape", path.name,
                         (~there).sum(), len(there))
        return table.set_geometry(shapes, crs=table.crs)[there]

    def _reading_bounds(self, crs: pyproj.CRS | None) -> Bounds | None:
        """Return the bounds, in a layer's CRS, in which features can touch the image."""
        own = self.grid.pyproj_crs
        margin = max(_LEAST_MARGIN, *DEFAULT_WIDTHS.values(),
                     *(width for item in self.recipe.classes for width in item.width.values()))
        left, bottom, right, top = self.grid.bounds
        if own is None or crs is None:
            return left - margin, bottom - margin, right + margin, top + margin
        metric = metric_crs(own, self.grid.bounds)
        left, bottom, right, top = pyproj.Transformer.from_crs(
            own, metric, always_xy=True).transform_bounds(*self.grid.bounds)
        bounds: Bounds = pyproj.Transformer.from_crs(metric, crs, always_xy=True).transform_bounds(
            left - margin, bottom - margin, right + margin, top + margin)
        # Around a pole or across the antimeridian no single box in degrees will do.
        return bounds if np.isfinite(bounds).all() and bounds[0] < bounds[2] else None

    def _match(self, table: gpd.GeoDataFrame, assigned: str | None) -> Matches:
        if assigned is None:
            return match_classes(table.drop(columns=table.geometry.name), self.recipe)
        member = np.zeros((len(self.recipe.classes), len(table)), dtype=bool)
        member[self.recipe.legend.value_of(assigned)] = True
        return Matches(member, "assigned")

    def _raise_unmatched(self, source: str | Path, summaries: dict[str, LayerSummary]) -> None:
        columns = sorted({name for item in summaries.values() for name in item.columns})
        keys = ", ".join(recipe_keys(self.recipe)) or "none"
        raise SourceError(
            source, f"has no column that tells the class (columns: {', '.join(columns) or 'none'})",
            f"Needed is a column 'class' with class names, the recipe's tags ({keys}), or a column "
            "'class', 'code' or 'value' with its codes; or assign the whole file to a class")

    def _class_shapes(self, source: str | Path, tables: list[gpd.GeoDataFrame],
                      matches: list[Matches], place: int) -> np.ndarray:
        """Return the polygons of one class in pixel coordinates, from all layers."""
        item = self.recipe.classes[place]
        found, missing = [np.empty(0, dtype=object)], 0
        for table, match in zip(tables, matches, strict=True):
            shapes, without_width = self._layer_shapes(table[match.member[place]], item)
            found.append(shapes)
            missing += without_width
        polygons = np.concatenate(found)
        if missing:
            cure = f"Give widths to class {item.name!r} in the recipe: width = {{ default = 5 }}"
            what = f"{missing} lines or points of class {item.name!r} have no known width"
            if not len(polygons):
                raise SourceError(source, f"shows nothing else, and {what}", cure)
            _log.warning("%s: %s and were left out. %s.", Path(str(source)).name, what, cure)
        return polygons

    def _layer_shapes(self, table: gpd.GeoDataFrame, item: ClassRecipe
                      ) -> tuple[np.ndarray, int]:
        """Return polygons in pixels, and how many lines and points have no known width."""
        if not len(table):
            return np.empty(0, dtype=object), 0
        parts, owner = _simple_parts(np.asarray(table.geometry.array))
        is_area = shapely.get_dimensions(parts) == 2
        widths = line_widths(table, item, in_metres=self.grid.is_georeferenced)[owner]
        is_line = ~is_area & ~np.isnan(widths)
        areas = self.to_pixels(parts[is_area], table.crs)
        lines = self._widened(parts[is_line], widths[is_line], table.crs)
        unknown = len(np.unique(owner[~is_area & np.isnan(widths)]))
        both = np.concatenate([areas, lines])
        return both[~shapely.is_empty(both)], unknown

    def _widened(self, lines: np.ndarray, widths: np.ndarray, crs: pyproj.CRS | None
                 ) -> np.ndarray:
        """Buffer lines and points to their width, in metres on the ground.

        Caps are round: OpenStreetMap splits roads wherever a tag changes, and round caps close
        the wedge between two pieces that meet at an angle.
        """
        own = self.grid.pyproj_crs
        if own is None or crs is None:
            return self.to_pixels(shapely.buffer(lines, widths / 2), None)
        metric = metric_crs(own, self.grid.bounds)
        return self.to_pixels(shapely.buffer(_changed(lines, crs, metric), widths / 2), metric)

    def to_pixels(self, shapes: np.ndarray, crs: pyproj.CRS | None) -> np.ndarray:
        """Return shapes in pixel coordinates.

        Args:
            shapes: shapely geometries (n,).
            crs: Their CRS; None for pixel space, x = column and y = -row.

        Returns:
            Geometries (n,), x = column, y = row; empty where the image's CRS cannot show them.
        """
        own = self.grid.pyproj_crs
        if own is not None and crs is not None:
            shapes = _changed(shapes, crs, own)
        return apply_to_shapes(~self.grid.transform, shapes)


def _changed(shapes: np.ndarray, source: pyproj.CRS, target: pyproj.CRS) -> np.ndarray:
    """Transform shapes between CRS; those that leave the target's domain become empty."""
    moved = np.array(reproject(shapes, source, target))
    moved[~np.isfinite(shapely.bounds(moved)).all(axis=1)] = shapely.Polygon()
    return moved


def _repaired(path: Path, shapes: np.ndarray) -> np.ndarray:
    """Make invalid polygons valid, and log how many there were; those without area go missing."""
    flat: np.ndarray = shapely.force_2d(shapes)
    broken = (shapely.get_dimensions(flat) == 2) & ~shapely.is_valid(flat)
    if broken.any():
        mended = shapely.make_valid(flat[broken])
        mended[shapely.get_dimensions(mended) < 2] = None
        flat[broken] = mended
        _log.warning("%s: %d invalid polygons were repaired", path.name,
                     (~shapely.is_missing(mended)).sum())
    return flat


def _simple_parts(shapes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return points, lines and polygons out of multi-geometries and collections, with owners.

    Of a collection with areas, which repairing makes, the areas alone are taken.
    """
    parts, owner = shapely.get_parts(shapes, return_index=True)
    parts, nested = shapely.get_parts(parts, return_index=True)
    owner = owner[nested]
    keep = shapely.get_dimensions(parts) == shapely.get_dimensions(shapes)[owner]
    return parts[keep], owner[keep]


def _refuse_non_numbers(path: Path, shapes: np.ndarray, index: object) -> None:
    coordinates, owner = shapely.get_coordinates(shapes, return_index=True)
    bad = np.unique(owner[~np.isfinite(coordinates).all(axis=1)])
    if len(bad):
        listed = ", ".join(str(np.asarray(index)[place]) for place in bad[:5])
        raise SourceError(path, f"{len(bad)} features have coordinates that are no numbers "
                          f"(rows {listed})", "Mend or remove these features")


def _count_unmatched(path: Path, matches: list[Matches]) -> None:
    left_out = sum(int((~match.member.any(axis=0)).sum()) for match in matches)
    total = sum(match.member.shape[1] for match in matches)
    if left_out:
        _log.info("%s: %d of %d features near the image belong to no class", path.name, left_out,
                  total)
