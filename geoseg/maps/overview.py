"""`overview`: one picture of a scene and its maps, side by side, as a figure for a page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import RasterioError

from geoseg.errors import RasterError
from geoseg.geo.grid import Grid
from geoseg.geo.legend import Legend
from geoseg.geo.output import check_output, replacing
from geoseg.geo.raster import image_bands, open_raster, read, valid_pixels
from geoseg.maps.page import DPI, PANEL_PIXELS, Key, Outlines, Panel, compose, show, show_outlines
from geoseg.maps.shares import class_shares
from geoseg.progress import Progress, part, silent
from geoseg.recipe import Recipe

if TYPE_CHECKING:
    import geopandas as gpd
    from rasterio.io import DatasetReader

_STRETCH = (1.0, 99.0)
_SHORE, _EDGE = "#ff2d6f", "#ffe14d"


def overview(image: str | Path, out: str | Path, *, classes: str | Path | None = None,
             polygons: str | Path | None = None, coastline: str | Path | None = None,
             labels: str | Path | None = None, recipe: Recipe | str | Path | None = None,
             overwrite: bool = False, progress: Progress = silent) -> Path:
    """Draw a scene, its labels, its class map and its outlines into one PNG.

    The image is shown in true colour where its bands are named red, green and blue, else with its
    first three bands, each stretched between its 1st and 99th percentile; no data is white. Shares
    of area are counted at full resolution. Rasters are read decimated; memory does not grow with
    their size.

    Args:
        image: The scene.
        out: PNG file, at most 2400 px wide.
        classes: Class map on the image's grid.
        polygons: Polygons, drawn as outlines over the image.
        coastline: Coastline, drawn over the image.
        labels: Label raster on the image's grid.
        recipe: Says which bands are used and whether the image has a georeference; without it the
            file tells.
        overwrite: Replace an existing file.
        progress: Told how far the drawing is.

    Returns:
        `out`.

    Raises:
        GridError: A map does not lie on the image's grid.
        RasterError: A raster cannot be read, or a map carries no legend.
        SourceError: A vector file cannot be read.
        OutputError: The picture cannot be written.
    """
    out = check_output(out, overwrite=overwrite, suffixes=(".png",))
    if recipe is not None and not isinstance(recipe, Recipe):
        recipe = Recipe.read(recipe)
    with open_raster(image) as dataset:
        grid = Grid.of(dataset, georeferenced=_has_place(dataset, recipe))
        picture = _true_color(dataset, recipe)
    progress(0.2, "reading")
    panels, key = [Panel("Image", lambda axes: show(axes, picture, grid))], None
    for start, title, path in ((0.2, "Labels", labels), (0.5, "Class map", classes)):
        if path is not None:
            drawn, key = _read_classes(path, title, grid, image,
                                       part(progress, start, start + 0.3))
            panels.append(Panel(title, partial(show, picture=drawn, grid=grid)))
    if polygons is not None or coastline is not None:
        panels.append(_outline_panel(picture, grid, polygons, coastline))
    figure = compose(panels, grid, Path(image).name, key)
    with replacing(out) as draft:
        figure.savefig(draft, dpi=DPI, facecolor="white")
    progress(1.0, "drawn")
    return out


def _has_place(dataset: DatasetReader, recipe: Recipe | None) -> bool:
    if recipe is not None:
        return recipe.georeferenced
    return dataset.crs is not None and not dataset.transform.is_identity


def _shape(height: int, width: int) -> tuple[int, int]:
    """Return (rows, columns) of the picture of a raster."""
    factor = min(1.0, PANEL_PIXELS / max(height, width))
    return max(round(height * factor), 1), max(round(width * factor), 1)


def color_bands(dataset: DatasetReader, bands: Sequence[int]) -> tuple[int, ...]:
    """Return the 1-based bands that show an image in true colour: three, or one for grey.

    Args:
        dataset: Open raster.
        bands: Bands to choose from.

    Returns:
        Bands by colour interpretation, else by a `red`, `green` and `blue` in their names, else
        the first three, or the first one if there are fewer.
    """
    kinds = {kind: band for band, kind in zip(dataset.indexes, dataset.colorinterp, strict=True)}
    by_kind = [kinds.get(kind) for kind in (ColorInterp.red, ColorInterp.green, ColorInterp.blue)]
    by_name = [next((band for band, name in zip(dataset.indexes, dataset.descriptions, strict=True)
                     if name and re.search(rf"\b{color}\b", name.lower())), None)
               for color in ("red", "green", "blue")]
    for found in (by_kind, by_name):
        chosen = tuple(band for band in found if band in bands)
        if len(chosen) == 3:
            return tuple(band for band in chosen if band is not None)
    return tuple(bands[:3]) if len(bands) >= 3 else tuple(bands[:1])


def _true_color(dataset: DatasetReader, recipe: Recipe | None) -> np.ndarray:
    """Return uint8 (rows, columns, 3), white where there is no data."""
    wanted = image_bands(dataset, recipe.image.bands if recipe else None)
    bands = color_bands(dataset, wanted)
    values, valid = read(dataset, Grid.of(dataset, georeferenced=False).window, bands,
                         shape=_shape(dataset.height, dataset.width))
    seen = valid_pixels(valid, values)
    stretched = np.stack([_stretch(band, seen) for band in values.astype(np.float32)], axis=-1)
    stretched[~seen] = 255
    return np.broadcast_to(stretched, (*seen.shape, 3))


def _stretch(band: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Map the usual range of a band to 0..255, brightening the dark tones as the eye does."""
    if not seen.any():
        return np.full(band.shape, 255, np.uint8)
    low, high = np.percentile(band[seen], _STRETCH)
    scaled = np.clip((np.nan_to_num(band) - low) / max(high - low, 1e-6), 0, 1)
    return np.asarray(scaled ** 0.75 * 255 + 0.5).astype(np.uint8)


def _read_classes(path: str | Path, title: str, grid: Grid, image: str | Path,
                  progress: Progress) -> tuple[np.ndarray, Key]:
    """Return the picture of a class map, uint8 (rows, columns, 4), and its key."""
    with open_raster(path) as dataset:
        grid.require_same(Grid.of(dataset, georeferenced=grid.is_georeferenced), path, image)
        legend = Legend.of(dataset)
        try:
            small = dataset.read(out_shape=(dataset.count, *_shape(*grid.shape)),
                                 resampling=Resampling.nearest)
            shares = class_shares(dataset, legend, progress)
        except RasterioError as error:
            raise RasterError(path, "cannot be read to its end",
                              "The file is damaged; make it again") from error
    return _colored(small, legend), Key(title, legend, shares)


def _colored(values: np.ndarray, legend: Legend) -> np.ndarray:
    """Return uint8 (rows, columns, 4); of overlapping classes the later one shows."""
    picture = np.zeros((*values.shape[1:], 4), np.uint8)
    for number, item in enumerate(legend):
        where = values[number] == 1 if legend.overlapping else values[0] == item.value
        picture[where] = (*item.rgb, 255)
    return picture


def _outline_panel(picture: np.ndarray, grid: Grid, polygons: str | Path | None,
                   coastline: str | Path | None) -> Panel:
    given = (("polygons", polygons, _EDGE, 0.35), ("coastline", coastline, _SHORE, 1.3))
    layers = [Outlines(_outlines(path, grid), color, width)
              for _, path, color, width in given if path is not None]
    title = " and ".join(name for name, path, _, _ in given if path is not None).capitalize()
    return Panel(title, partial(show_outlines, picture=picture, grid=grid, layers=layers))


def _outlines(source: str | Path, grid: Grid) -> gpd.GeoSeries:
    """Return the geometries of a vector file's first layer in pixel coordinates."""
    from geoseg.geo.vector import layers, read_layer, split_layer

    path, layer = split_layer(source)
    shapes = read_layer(path, layer or layers(path)[0]).geometry
    if grid.pyproj_crs is not None and shapes.crs is not None:
        shapes = shapes.to_crs(grid.pyproj_crs)
    placeless = shapes.set_crs(None, allow_override=True)
    return placeless.affine_transform((~grid.transform).to_shapely())
