"""`trace_coastline`: from probabilities to the line between land and water."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geoseg.coast.contour import Line, ReadWater, trace_contour
from geoseg.errors import GeosegError, RasterError
from geoseg.geo.grid import PIXEL_SPACE_TAG, Grid
from geoseg.geo.ground import line_lengths
from geoseg.geo.legend import Legend
from geoseg.geo.output import check_output
from geoseg.geo.raster import open_raster
from geoseg.geo.style.vectors import Look, range_style
from geoseg.geo.vector import VECTOR_SUFFIXES, write_layer
from geoseg.maps.probabilities import probability_legend, read_probabilities
from geoseg.maps.shapes import place
from geoseg.progress import Progress, part, silent

if TYPE_CHECKING:
    import geopandas as gpd

LAYER = "coastline"
"""Layer name in a GeoPackage."""

_MOST_SMOOTHING = 10.0
_STYLE = range_style("confidence", [
    (0.0, 0.25, "0 to 0.25: vague", "#d7191c"), (0.25, 0.5, "0.25 to 0.5", "#f28e2b"),
    (0.5, 0.75, "0.5 to 0.75", "#2f86c8"), (0.75, 1.0, "0.75 to 1: sharp", "#08306b")],
    Look("line", width=1.2, casing=0.25))
"""From red for doubt to dark blue, told apart with any colour vision; white shows beside all."""


def trace_coastline(proba: str | Path, *, water: str | Sequence[str], out: str | Path,
                    smooth: float = 1.0, min_length: float = 0.0, simplify: float = 0.1,
                    overwrite: bool = False, progress: Progress = silent) -> Path:
    """Trace the coastline: where land and water are equally likely, finer than the pixels.

    Land is every class but water. The log odds of land against water are smoothed and contoured at
    0 (marching squares); lines are joined over the whole scene, islands and lakes are closed
    rings. As in OpenStreetMap, land lies on the left of the line's direction. The edges of the
    image and of its data are no coast.

    Attributes: `length_m` (geodesic on WGS 84; `length_px` in pixel space); `confidence`, the mean
    along the line of the probability of land one pixel to its land side minus that one pixel to
    its water side, 0 (no contrast) to 1 (certain on both sides); `kind` ("observed"); `is_ring`.
    The longest line comes first.

    Args:
        proba: Probability raster made by `predict`.
        water: Name of the water class, or of several that are water together.
        out: File to write: .gpkg, .fgb, .geojson or .parquet.
        smooth: Standard deviation in pixels of the Gaussian that smooths the log odds, 0 to 10;
            more suits noisier images.
        min_length: Lines shorter than this many metres (pixels in pixel space) are left out.
        simplify: Largest distance in pixels by which the line may be simplified (Douglas and
            Peucker); 0 for none.
        overwrite: Whether an existing file may be replaced.
        progress: Told the fraction done.

    Returns:
        The path of the coastline.

    Raises:
        OutputError: The result cannot be written there.
        RasterError: Not a probability raster, unknown class, nothing but water classes, or no
            coast in it.
        GeosegError: An option is out of range.
    """
    out = check_output(out, overwrite=overwrite, suffixes=VECTOR_SUFFIXES, inputs=[proba])
    _check_options(smooth, min_length, simplify)
    with open_raster(proba) as dataset:
        legend, grid = probability_legend(dataset), Grid.of(dataset)
        values = _water_values(water, legend)
        lines = trace_contour(_water_reader(dataset, values, legend), grid.shape, smooth,
                              part(progress, 0, 0.9))
    edge = "shows no edge of " + " or ".join(legend.names[value] for value in values)
    if not lines:
        raise RasterError(proba, edge, "Choose a scene with both land and water")
    frame = _frame(lines, grid, simplify)
    frame = frame[frame.iloc[:, 0] >= min_length]
    if len(frame) == 0:
        unit = "m" if grid.is_georeferenced else "px"
        raise RasterError(proba, f"{edge} of {min_length:g} {unit} or more",
                          "Lower the minimum length")
    progress(0.9, "writing lines")
    write_layer(frame, out, layer=LAYER, metadata={
        **legend.tags(), **({} if grid.is_georeferenced else PIXEL_SPACE_TAG)}, style=_STYLE)
    progress(1.0, "coastline written")
    return out


def _check_options(smooth: float, min_length: float, simplify: float) -> None:
    for name, value, most in (("smooth", smooth, _MOST_SMOOTHING),
                              ("minimum length", min_length, math.inf),
                              ("simplify", simplify, math.inf)):
        if not (math.isfinite(value) and 0 <= value <= most):
            limit = f"0 to {most:g} pixels" if most < math.inf else "0 or more"
            raise GeosegError(name, f"is {value}", f"Give {limit}")


def _water_values(water: str | Sequence[str], legend: Legend) -> list[int]:
    names = [water] if isinstance(water, str) else list(water)
    values = sorted({legend.value_of(name) for name in names})
    if not values or (len(values) == len(legend) and not legend.overlapping):
        raise RasterError("water", "is all of the classes" if values else "names no class",
                          f"Name some of {', '.join(legend.names)}, so that the rest is land")
    return values


def _water_reader(dataset: DatasetReader, values: list[int], legend: Legend) -> ReadWater:
    """Return a reader of the probability that a pixel is water.

    Of exclusive classes it is their sum, over the sum of all, which rounding may have left beside
    1; of overlapping classes, it is the likeliest of them.
    """
    def read_water(window: Window) -> tuple[np.ndarray, np.ndarray]:
        probabilities, valid = read_probabilities(dataset, window)
        if legend.overlapping:
            return probabilities[values].max(axis=0), valid
        total = probabilities.sum(axis=0, dtype=np.float64)
        some = probabilities[values].sum(axis=0, dtype=np.float64)
        return np.divide(some, total, out=np.full_like(total, 0.5), where=total > 0), valid

    return read_water


def _frame(lines: list[Line], grid: Grid, simplify: float) -> gpd.GeoDataFrame:
    """Return the attribute table of the lines, the longest first."""
    import geopandas as gpd

    traced = np.array([shapely.LineString(line.points) for line in lines], dtype=object)
    shapes = _simplified(traced, simplify)
    shapes = shapely.transform(shapes, lambda points: place(points + 0.5, grid.transform))
    if grid.transform.determinant < 0:  # as usual: y up; else the map mirrors the image
        shapes = shapely.reverse(shapes)
    lengths = line_lengths(shapes, grid.pyproj_crs)
    frame = gpd.GeoDataFrame({
        "length_m" if grid.is_georeferenced else "length_px": lengths,
        "confidence": [line.contrast / line.length if line.length else 0.0 for line in lines],
        "kind": ["observed"] * len(lines),
        "is_ring": [line.is_ring for line in lines],
    }, geometry=shapes, crs=grid.pyproj_crs)
    return frame.iloc[np.argsort(-lengths, kind="stable")].reset_index(drop=True)


def _simplified(lines: np.ndarray, tolerance: float) -> np.ndarray:
    if tolerance == 0:
        return lines
    simpler = shapely.simplify(lines, tolerance, preserve_topology=False)
    collapsed = shapely.is_closed(lines) & (shapely.get_num_coordinates(simpler) < 4)
    return np.where(collapsed, lines, simpler)
