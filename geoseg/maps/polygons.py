"""`polygonize`: from a class map to polygons that share their edges."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geoseg.errors import GeosegError, RasterError
from geoseg.geo.grid import PIXEL_SPACE_TAG, Grid
from geoseg.geo.ground import ground_areas
from geoseg.geo.legend import IGNORE, Legend, LegendClass
from geoseg.geo.output import check_output
from geoseg.geo.raster import open_raster
from geoseg.geo.style.document import Style
from geoseg.geo.style.vectors import Look, category_style
from geoseg.geo.vector import VECTOR_SUFFIXES, write_layer
from geoseg.geo.windows import row_bands
from geoseg.maps.confidence import mean_confidence
from geoseg.maps.probabilities import probability_legend
from geoseg.maps.shapes import Patches, place, trace_patches
from geoseg.maps.sieve import sieved, smallest_patch
from geoseg.progress import Progress, part, silent, track

if TYPE_CHECKING:
    import geopandas as gpd

LAYER = "polygons"
"""Layer name in a GeoPackage."""


def polygonize(classes: str | Path, *, out: str | Path, simplify: float = 0.0,
               min_area: float = 0.0, only: Sequence[str] | None = None,
               proba: str | Path | None = None, overwrite: bool = False,
               progress: Progress = silent) -> Path:
    """Turn a class map into polygons, one per 4-connected patch, without gaps or overlaps.

    Attributes: `class` (name), `value`, `area_m2` (ground area of the polygon as written;
    `area_px` in pixel space) and, with `proba`, `confidence`: the mean probability of the
    polygon's class over the pixels of its patch. The legend goes into the layer's metadata.

    Simplification works on the edges that neighbours share, so they keep sharing them
    (Visvalingam and Whyatt's method on the whole coverage). A corner goes when the triangle that it
    forms with its two neighbours is smaller than the square of the tolerance; corners where three
    polygons meet stay. Steps of single pixels vanish from about 0.75 pixel widths on. No patch is
    lost, but one that is only a few tolerances across becomes a triangle; `min_area` merges such.

    Args:
        classes: Class map made by `classify`, or a label raster made by `burn_labels`.
        out: File to write: .gpkg, .fgb, .geojson or .parquet.
        simplify: Tolerance in metres (pixels in pixel space), 0 to follow the pixels exactly.
        min_area: Patches smaller than this many m² (pixels in pixel space) are first merged into
            their largest neighbour, so that no holes appear.
        only: Names of the classes to write; all of them if not given. The polygons are the same
            either way.
        proba: The probability raster that the class map was made from, for `confidence`.
        overwrite: Whether an existing file may be replaced.
        progress: Told the fraction done.

    Returns:
        The path of the polygons.

    Raises:
        OutputError: The result cannot be written there.
        RasterError: Not a class map, an unknown class, or nothing to polygonize.
        GridError: `proba` lies on another grid.
        GeosegError: Tolerance or minimum area is negative.
    """
    out = check_output(out, overwrite=overwrite, suffixes=VECTOR_SUFFIXES,
                       inputs=[classes, proba])
    if not (math.isfinite(simplify) and simplify >= 0):
        raise GeosegError("simplify", f"is {simplify}", "Give a tolerance in metres (pixels "
                          "without georeference), 0 for none")
    with ExitStack() as stack:
        dataset = stack.enter_context(open_raster(classes))
        legend, grid = class_map_legend(dataset), Grid.of(dataset)
        wanted = [legend.value_of(name) for name in (legend.names if only is None else only)]
        chances = None if proba is None else stack.enter_context(open_raster(proba))
        if chances is not None and proba is not None:
            _check_proba(chances, proba, legend, grid, classes)
        size = smallest_patch(min_area, grid)
        if size > 1:
            windows = _windows(dataset, legend.label_bands, part(progress, 0, 0.2))
            dataset = stack.enter_context(
                sieved(windows, grid, legend.label_bands, size, out.parent))
        progress(0.2, "tracing outlines")
        patches, outlines = _traced(dataset, legend, wanted, simplify / grid.resolution, classes)
        frame = _frame(patches, outlines, legend, grid)
        if chances is not None:
            frame["confidence"] = mean_confidence(patches, chances, part(progress, 0.5, 0.8))
    progress(0.8, "writing polygons")
    write_layer(frame, out, layer=LAYER, metadata={
        **legend.tags(), **({} if grid.is_georeferenced else PIXEL_SPACE_TAG)},
        style=_style([legend.classes[value] for value in sorted(set(wanted))]))
    progress(1.0, "polygons written")
    return out


def class_map_legend(dataset: DatasetReader) -> Legend:
    """Return the legend of an open class map or label raster, checking that it is one.

    Raises:
        RasterError: It carries no legend, or holds something else than class values.
    """
    legend = Legend.of(dataset)
    if (dataset.count != legend.label_bands or set(dataset.dtypes) != {"uint8"}
            or any(scale != 1 for scale in dataset.scales)):
        raise RasterError(dataset.name, "is not a class map", "Give the output of classify; "
                          "probabilities become a class map with classify")
    return legend


def _style(classes: Sequence[LegendClass]) -> Style:
    return category_style("class", [(item.name, item.name, item.color) for item in classes],
                          Look("polygon"))


def _check_proba(chances: DatasetReader, proba: str | Path, legend: Legend, grid: Grid,
                 classes: str | Path) -> None:
    if probability_legend(chances).names != legend.names:
        raise RasterError(proba, f"has other classes than {Path(classes).name}",
                          "Give the probabilities that the class map was made from")
    grid.require_same(Grid.of(chances), proba, classes)


def _windows(dataset: DatasetReader, bands: int, progress: Progress
             ) -> Iterator[tuple[np.ndarray, Window]]:
    for window in track(list(row_bands(dataset.height, dataset.width)), progress,
                        "merging small patches"):
        yield dataset.read(list(range(1, bands + 1)), window=window), window


def _traced(dataset: DatasetReader, legend: Legend, wanted: list[int], tolerance: float,
            name: str | Path) -> tuple[Patches, np.ndarray]:
    """Return the wanted patches, and their simplified outlines in pixel coordinates."""
    coverages = list(_coverages(dataset, legend, name))
    outlines = np.concatenate([_simplified(item.polygons, tolerance) for item in coverages])
    polygons = np.concatenate([item.polygons for item in coverages])
    values = np.concatenate([item.values for item in coverages])
    here = np.isin(values, wanted)
    if not here.any():
        raise RasterError(name, "holds no pixel of "
                          + ", ".join(legend.names[value] for value in wanted),
                          "There is nothing to polygonize; look at the class map")
    return Patches(polygons[here], values[here]), outlines[here]


def _coverages(dataset: DatasetReader, legend: Legend, name: str | Path) -> Iterator[Patches]:
    """Yield the patches of all classes together, or of each overlapping class by itself."""
    keep = np.arange(256) != IGNORE
    if not legend.overlapping:
        patches = trace_patches(dataset, 1, keep=keep)
        strange = np.setdiff1d(patches.values, np.arange(len(legend)))
        if len(strange):
            raise RasterError(name, f"holds the value {strange[0]}, which its legend does not name",
                              "Make the class map anew with classify")
        yield patches
        return
    for item in legend:
        patches = trace_patches(dataset, item.value + 1, keep=keep & (np.arange(256) > 0))
        yield Patches(patches.polygons, np.full(len(patches), item.value))


def _simplified(polygons: np.ndarray, tolerance: float) -> np.ndarray:
    """Simplify a coverage in pixel coordinates by a tolerance in pixels.

    The method weighs triangles by area, which any affine transform scales alike. Simplifying in
    pixels is therefore the same as simplifying on the ground, in degrees as in metres.
    """
    if tolerance == 0 or len(polygons) == 0:
        return polygons
    return np.asarray(shapely.coverage_simplify(polygons, tolerance))


def _frame(patches: Patches, outlines: np.ndarray, legend: Legend, grid: Grid
           ) -> gpd.GeoDataFrame:
    """Return the attribute table of the outlines, which are in pixel coordinates."""
    import geopandas as gpd

    on_ground = shapely.transform(outlines, lambda points: place(points, grid.transform))
    geometries = gpd.GeoSeries(shapely.orient_polygons(on_ground), crs=grid.pyproj_crs)
    return gpd.GeoDataFrame({
        "class": np.array(legend.names, dtype=object)[patches.values],
        "value": patches.values,
        "area_m2" if grid.is_georeferenced else "area_px":
            ground_areas(geometries, grid.pyproj_crs),
    }, geometry=geometries)
