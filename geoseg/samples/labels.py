"""`burn_labels`: vectors and land-cover rasters -> label raster on exactly the image's grid."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from geoseg.errors import SourceError
from geoseg.geo.grid import Grid
from geoseg.geo.legend import IGNORE
from geoseg.geo.output import check_output
from geoseg.geo.raster import open_raster
from geoseg.geo.windows import grow, row_bands
from geoseg.geo.writing import RASTER_SUFFIXES, raster_writer
from geoseg.progress import Progress, part, silent, track
from geoseg.recipe import Recipe
from geoseg.samples.burning import (
    PixelPolygons,
    edge_halo,
    near_edge,
    stack_exclusive,
    stack_overlapping,
)
from geoseg.sources.area import read_area
from geoseg.sources.landcover import LandCover, is_raster_source, open_landcover
from geoseg.sources.shapes import ShapeReader

Source = str | Path
"""A file, or `file|layername=layer`."""
Assignment = Mapping[str, str] | Mapping[Path, str] | Mapping[str | Path, str]
"""Source to class name; three spellings, since the keys of a mapping are invariant."""
_ROWS = 512

_log = logging.getLogger("geoseg")


def burn_labels(sources: Sequence[Source] | Source, recipe: Recipe | str | Path, *, like: Source,
                out: Source, assign: Assignment | None = None,
                within: Source | None = None, overwrite: bool = False,
                progress: Progress = silent) -> Path:
    """Burn label sources into a raster on the grid of an image.

    For each class in recipe order, every pixel that any source gives to it becomes that class, so
    the later class wins. A polygon gives the pixels whose centre it holds. Lines and points are
    first widened to their width on the ground: from their tags `width` or `lanes`, else from the
    recipe or the built-in table by tag value (see `geoseg.sources.matching`). Land-cover rasters
    are placed by coordinates, nearest pixel, and recoded by the `codes` of the classes.

    The result is uint8 with the legend in the file: one band of class values, or for overlapping
    classes one band of 0 and 1 per class; 255 is ignored in training and scores. Without
    georeference (`georeferenced = false`) everything is in pixels: vectors have x = column and
    y = -row, widths are pixels, and label rasters must have the image's size.

    Args:
        sources: Vector files (all layers, or `file|layername=layer`) and land-cover rasters.
        recipe: The classes, what matches them, and how labels are burnt.
        like: Image whose grid the labels get.
        out: New GeoTIFF.
        assign: Vector source to the name of the class of all its features.
        within: If given, pixels outside this area are ignored: a vector file of polygons, or
            "west,south,east,north" in degrees.
        overwrite: Whether an existing `out` may be replaced.
        progress: Told what is happening; raise `Cancelled` in it to stop.

    Returns:
        `out`.

    Raises:
        GridError: The image has no georeference and the recipe does not say so.
        RasterError: A raster cannot be read.
        SourceError: A source is empty, elsewhere, without CRS or without a column to match by,
            or no pixel of the image gets a class.
        OutputError: `out` cannot be written, or is one of the inputs.
    """
    recipe = Recipe.of(recipe)
    chosen = [sources] if isinstance(sources, str | Path) else list(dict.fromkeys(sources))
    out = check_output(out, overwrite=overwrite, suffixes=RASTER_SUFFIXES,
                       inputs=[*chosen, like, within])
    if not chosen:
        raise SourceError("burn-labels", "got no source", "Give vector files or land-cover rasters")
    with open_raster(like) as image:
        grid = Grid.of(image, georeferenced=recipe.georeferenced)
    assigned = _assigned_classes(chosen, recipe, assign or {})
    with ExitStack() as stack:
        maps = [stack.enter_context(open_landcover(Path(source), grid, recipe, Path(like)))
                for source in chosen if is_raster_source(Path(source))]
        reader = ShapeReader(recipe, grid, Path(like))
        polygons = _read_vectors(chosen, reader, assigned, part(progress, 0.0, 0.4))
        area = _read_within(within, reader)
        burner = _Burner(recipe, grid, polygons, maps, area)
        with raster_writer(out, grid, count=recipe.legend.label_bands, dtype="uint8",
                           nodata=IGNORE, legend=recipe.legend, is_categorical=True,
                           band_names=_band_names(recipe)) as write:
            bands = list(row_bands(grid.height, grid.width, burner.rows))
            for window in track(bands, part(progress, 0.4, 0.95), "burning"):
                write(burner.burn(window), window)
            burner.report(out)
            progress(0.95, "finishing the file")
    progress(1.0, "done")
    return out


def _assigned_classes(sources: Sequence[Source], recipe: Recipe, assign: Assignment
                      ) -> dict[str, str]:
    """Return source to class name, checked."""
    known = {str(source) for source in sources}
    names = recipe.legend.names
    for source, name in assign.items():
        if str(source) not in known:
            raise SourceError(source, "is assigned a class but is not among the sources",
                              "Name it as a source too, written the same way")
        if name not in names:
            raise SourceError(source, f"is assigned to {name!r}, which is not a class of "
                              f"{recipe.name!r}", f"Choose one of {', '.join(names)}")
        if is_raster_source(Path(source)):
            raise SourceError(source, "is a raster, which cannot be assigned to one class",
                              "Name its values as codes = [...] of the class in the recipe")
    return {str(source): name for source, name in assign.items()}


def _read_vectors(sources: Sequence[Source], reader: ShapeReader, assigned: Mapping[str, str],
                  progress: Progress) -> list[PixelPolygons]:
    """Read all vector sources into one set of polygons per class."""
    vectors = [source for source in sources if not is_raster_source(Path(source))]
    found: list[list[np.ndarray]] = [[np.empty(0, dtype=object)] for _ in reader.recipe.classes]
    for source in track(vectors, progress, "reading labels"):
        for shapes, more in zip(found, reader.read(source, assigned.get(str(source))),
                                strict=True):
            shapes.append(more)
    return [PixelPolygons(np.concatenate(shapes)) for shapes in found]


def _read_within(within: Source | None, reader: ShapeReader) -> PixelPolygons | None:
    import pyproj

    if within is None:
        return None
    if not reader.grid.is_georeferenced:
        raise SourceError(within, "is an area on the Earth, but the image is in pixels",
                          "Leave the area out")
    area = np.array([read_area(within)], dtype=object)
    return PixelPolygons(reader.to_pixels(area, pyproj.CRS("EPSG:4326")))


def _band_names(recipe: Recipe) -> tuple[str, ...]:
    return recipe.legend.names if recipe.task == "overlapping" else ("class",)


@dataclass
class _Burner:
    """Burns one band of rows after the other, and counts what it burnt."""

    recipe: Recipe
    grid: Grid
    polygons: list[PixelPolygons]
    maps: list[LandCover]
    area: PixelPolygons | None
    counts: np.ndarray = field(init=False)
    has_labels: bool = False
    is_known: bool = False

    def __post_init__(self) -> None:
        self.counts = np.zeros(len(self.recipe.classes), dtype=np.int64)
        self._pixel = self.grid.pixel_size
        self._reach = self.recipe.labels.edge_ignore
        self._halo = edge_halo(self._reach, self._pixel[1])

    @property
    def rows(self) -> int:
        """Rows to burn at once; more where a wide edge band would make each overlap the next."""
        return max(_ROWS, 4 * self._halo)

    def burn(self, window: Window) -> np.ndarray:
        """Return the labels of a window: uint8 (bands, rows, columns)."""
        wide, inner = grow(window, self._halo, self.grid.height, self.grid.width)
        covers = self._covers(wide, inner)
        self.has_labels |= any(bool(cover[inner].any()) for cover in covers)
        uncovered = IGNORE if self.recipe.labels.uncovered == "ignore" else 0
        stacked = (stack_overlapping if self.recipe.task == "overlapping" else stack_exclusive)(
            covers, uncovered)
        if self.area is not None:
            stacked[:, ~self.area.cover(wide)] = IGNORE
        labels = stacked[:, inner[0], inner[1]].copy()
        if self._reach > 0:
            for band, stack in zip(labels, stacked, strict=True):
                band[near_edge(stack, self._reach, self._pixel)[inner]] = IGNORE
        self._count(labels)
        return labels

    def _count(self, labels: np.ndarray) -> None:
        self.is_known |= bool((labels != IGNORE).any())
        if self.recipe.task == "overlapping":
            self.counts += (labels == 1).sum(axis=(1, 2))
        else:
            self.counts += np.bincount(labels.ravel(), minlength=IGNORE + 1)[:len(self.counts)]

    def _covers(self, window: Window, inner: tuple[slice, slice]) -> list[np.ndarray]:
        """Return for each class which pixels some source gives to it: bool (rows, columns)."""
        shown = [item.classes_in(window, inner=inner) for item in self.maps]
        return [np.logical_or.reduce([polygons.cover(window), *(cover[k] for cover in shown)])
                for k, polygons in enumerate(self.polygons)]

    def report(self, out: Path) -> None:
        """Log what was left out; refuse a raster without any label."""
        for source in self.maps:
            source.report()
        if not self.has_labels:
            raise SourceError(out, "would hold no label: no source gives any pixel a class",
                              "Check the recipe's tags and codes against the sources, and that "
                              "they show the same place as the image")
        if not self.is_known:
            raise SourceError(out, "would be ignored everywhere: nothing is left of the image",
                              "Check that the area of interest lies on the image, and that "
                              "edge_ignore in the recipe is not too wide")
        if 0 < self._reach < min(self._pixel) / 2:
            _log.warning("%s: edge_ignore = %g is less than half a pixel and leaves nothing out",
                         out.name, self._reach)
        absent = [item.name for item, count in zip(self.recipe.classes, self.counts, strict=True)
                  if not count]
        if absent:
            _log.warning("%s: no pixel shows class %s", out.name, ", ".join(map(repr, absent)))
