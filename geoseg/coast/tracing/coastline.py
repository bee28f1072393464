"""`trace_coastline`: from probabilities to the line between land and water."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import date as Day
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyproj
from rasterio.io import DatasetReader

from geoseg.coast.tracing.contour import trace_contour
from geoseg.coast.tracing.features import LINE_LAYER, LINE_STYLE, SIDE_LAYER, SIDE_STYLE, Facts
from geoseg.coast.tracing.gaps import bridge_gaps
from geoseg.coast.tracing.odds import odds_reader
from geoseg.coast.tracing.parts import Parts, parts_of
from geoseg.coast.tracing.sides import divide
from geoseg.errors import GeosegError, GridError, RasterError
from geoseg.geo.grid import PIXEL_SPACE_TAG, Grid
from geoseg.geo.ground import reproject
from geoseg.geo.legend import Legend
from geoseg.geo.output import check_output
from geoseg.geo.raster import open_raster
from geoseg.geo.vector import VECTOR_SUFFIXES, write_layer
from geoseg.maps.probabilities import probability_legend
from geoseg.progress import Progress, part, silent
from geoseg.sources.area import read_area

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

_MOST_SMOOTHING = 10.0
_WIDEST_GAP = 500
"""Pixels; the search for a path takes memory by its square."""


def trace_coastline(proba: str | Path | Sequence[str | Path], *, water: str | Sequence[str],
                    out: str | Path, weights: Sequence[float] | None = None,
                    area: str | Path | None = None, smooth: float = 1.0, max_gap: float = 0.0,
                    min_length: float = 0.0, simplify: float = 0.1, piece_length: float = 0.0,
                    sigma_factor: float = 1.0, date: str | None = None,
                    polygons: str | Path | None = None, overwrite: bool = False,
                    progress: Progress = silent) -> Path:
    """Trace the coastline: where land and water are equally likely, finer than the pixels.

    Land is every class but water. The log odds of land against water are smoothed and contoured at
    0 (marching squares); lines are joined over the whole scene, islands and lakes are closed
    rings. As in OpenStreetMap, land lies on the left of the line's direction. The edges of the
    image, of its data and of the area are no coast. Of several rasters of one place, the log odds
    are averaged, not the lines: an average of lines would lie between two branches.

    Attributes: `length_m` (geodesic on WGS 84; `length_px` in pixel space); `confidence`, the mean
    along the line of the probability of land one pixel to its land side minus that one pixel to
    its water side, 0 (no contrast) to 1 (certain on both sides); `sigma_m`, the standard deviation
    of the line's place across it (root mean square along it, see `coast.tracing.certainty`; capped
    at 20 px); `kind`, "observed" or, over gaps, "interpolated" (without confidence and sigma);
    `is_ring`; `coast`, a number that all pieces of one coast share, gaps included; `source`, the
    rasters' names; and `date` if given. The longest coast comes first.

    Args:
        proba: Probability raster made by `predict`, or several on one grid, such as of the
            models of an ensemble.
        water: Name of the water class, or of several that are water together.
        out: File to write: .gpkg, .fgb, .geojson or .parquet.
        weights: How much each of several rasters counts; by default the same.
        area: Area to trace in: a vector file of polygons, or "west,south,east,north" in degrees;
            by default the whole raster.
        smooth: Standard deviation in pixels of the Gaussian that smooths the log odds, 0 to 10;
            more suits noisier images.
        max_gap: Where data are missing inside the image, such as under a cloud mask, two ends of
            lines up to this many metres (pixels in pixel space) apart are joined by a line of kind
            "interpolated"; 0 for none, at most 500 pixels.
        min_length: Coasts shorter than this many metres (pixels in pixel space) are left out.
        simplify: Largest distance in pixels by which the line may be simplified (Douglas and
            Peucker); 0 for none.
        piece_length: If above 0, lines are cut into pieces of about this many metres (pixels in
            pixel space), each with its own confidence and sigma.
        sigma_factor: What the standard deviations are multiplied by; `measure_coastline` finds the
            factor that suits a reference.
        date: Day that the coast was seen on, as 2024-05-31.
        polygons: File to write polygons of land and water to, with the attributes `side` ("land"
            or "water") and `area_m2` (`area_px`); their common edges are the lines of `out`,
            vertex for vertex. .gpkg, .fgb, .geojson or .parquet.
        overwrite: Whether existing files may be replaced.
        progress: Told the fraction done.

    Returns:
        The path of the coastline.

    Raises:
        GridError: The rasters do not lie on one grid, or an area is given in pixel space.
        OutputError: A result cannot be written there.
        RasterError: Not a probability raster, unknown class, nothing but water classes, or no
            coast in it.
        SourceError: The area cannot be read.
        GeosegError: An option is out of range.
    """
    rasters = [proba] if isinstance(proba, str | Path) else list(proba)
    out = check_output(out, overwrite=overwrite, suffixes=VECTOR_SUFFIXES, inputs=rasters)
    sides = None if polygons is None else check_output(
        polygons, overwrite=overwrite, suffixes=VECTOR_SUFFIXES, inputs=[*rasters, out])
    _check_options(smooth=smooth, max_gap=max_gap, min_length=min_length, simplify=simplify,
                   piece_length=piece_length, sigma_factor=sigma_factor)
    _check_weights(weights, len(rasters))
    names = [water] if isinstance(water, str) else list(water)
    facts = Facts(", ".join(Path(item).name for item in rasters), _day(date))
    with ExitStack() as stack:
        datasets = [stack.enter_context(open_raster(item)) for item in rasters]
        legends = [probability_legend(dataset) for dataset in datasets]
        grid = _common_grid(datasets)
        _check_water(names, legends, rasters)
        read = odds_reader(datasets, legends, names, weights, _place(area, grid))
        lines = trace_contour(read, grid.shape, smooth, part(progress, 0, 0.8),
                              pixel_size=grid.pixel_size)
        bridges = bridge_gaps(lines, read, grid.shape, _in_pixels(max_gap, grid))
        parts = parts_of(lines, bridges, piece_length / grid.resolution).simplified(simplify)
        _require_coast(parts, rasters[0], names)
        parts = parts.longest_first(grid, min_length)
        _require_coast(parts, rasters[0], names, least=min_length, grid=grid)
        progress(0.8, "writing the coastline")
        tags = {**legends[0].tags(), **({} if grid.is_georeferenced else PIXEL_SPACE_TAG)}
        if sides is not None:
            divided = divide(parts.shapes[parts.observed], read, grid.shape)
            write_layer(facts.sides(*divided, grid), sides, layer=SIDE_LAYER, metadata=tags,
                        style=SIDE_STYLE)
    write_layer(facts.lines(parts, grid, sigma_factor), out, layer=LINE_LAYER, metadata=tags,
                style=LINE_STYLE)
    progress(1.0, "coastline written")
    return out


def _check_options(**options: float) -> None:
    for name, value in options.items():
        most = _MOST_SMOOTHING if name == "smooth" else math.inf
        if not (math.isfinite(value) and 0 <= value <= most):
            limit = f"0 to {most:g} pixels" if most < math.inf else "0 or more"
            raise GeosegError(name.replace("_", " "), f"is {value}", f"Give {limit}")


def _check_weights(weights: Sequence[float] | None, count: int) -> None:
    if weights is None:
        return
    if len(weights) != count:
        raise GeosegError("weights", f"are {len(weights)}, but there are {count} rasters",
                          "Give one weight per raster")
    if not all(math.isfinite(weight) and weight > 0 for weight in weights):
        raise GeosegError("weights", f"are {', '.join(f'{item:g}' for item in weights)}",
                          "Give numbers above 0")


def _day(date: str | None) -> str | None:
    if date is None:
        return None
    try:
        return Day.fromisoformat(date).isoformat()
    except ValueError as error:
        raise GeosegError("date", f"is {date!r}", "Write it as 2024-05-31") from error


def _common_grid(datasets: Sequence[DatasetReader]) -> Grid:
    grids = [Grid.of(dataset) for dataset in datasets]
    for grid, dataset in zip(grids[1:], datasets[1:], strict=True):
        try:
            grids[0].require_same(grid, dataset.name, datasets[0].name)
        except GridError as error:
            raise GridError(dataset.name, error.found, "Predict all of them on the same image"
                            ) from error
    return grids[0]


def _check_water(names: Sequence[str], legends: Sequence[Legend],
                 rasters: Sequence[str | Path]) -> None:
    known = {name for legend in legends for name in legend.names}
    for name in names:
        if name not in known:
            legends[0].value_of(name)  # says which there are
    for legend, raster in zip(legends, rasters, strict=True):
        wet = [name for name in legend.names if name in names]
        if not wet or (len(wet) == len(legend) and not legend.overlapping):
            raise RasterError(
                raster if len(rasters) > 1 else "water",
                "is all of the classes" if wet else "names no class",
                f"Name some of {', '.join(legend.names)}, so that the rest is land")


def _place(area: str | Path | None, grid: Grid) -> BaseGeometry | None:
    """Return the area in the CRS of the grid."""
    if area is None:
        return None
    crs = grid.pyproj_crs
    if crs is None:
        raise GridError("area", "cannot be used in pixel space", "Leave it out")
    shape: BaseGeometry = reproject(np.array([read_area(area)], dtype=object),
                                    pyproj.CRS.from_epsg(4326), crs)[0]
    return shape


def _in_pixels(max_gap: float, grid: Grid) -> float:
    most = max_gap / grid.resolution
    if most > _WIDEST_GAP:
        raise GeosegError("max gap", f"is {max_gap:g}, which is {most:.0f} pixels",
                          f"Give at most {_WIDEST_GAP * grid.resolution:g}")
    return most


def _require_coast(parts: Parts, raster: str | Path, names: Sequence[str], *, least: float = 0.0,
                   grid: Grid | None = None) -> None:
    if len(parts):
        return
    edge = "shows no edge of " + " or ".join(names)
    if grid is None:
        raise RasterError(raster, edge, "Choose a scene with both land and water")
    unit = "m" if grid.is_georeferenced else "px"
    raise RasterError(raster, f"{edge} of {least:g} {unit} or more", "Lower the minimum length")
