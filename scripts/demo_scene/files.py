"""Writing the scene: image, OpenStreetMap extract, truth and area of interest.

The town does not exist. Its coordinates lie in the open Bay of Biscay, so that nobody looks for it
on a real map.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import shapely
from affine import Affine
from rasterio.crs import CRS

from geoseg.geo.grid import Grid
from geoseg.geo.legend import IGNORE
from geoseg.geo.output import replacing
from geoseg.geo.vector import write_layer
from geoseg.geo.windows import row_bands
from geoseg.geo.writing import raster_writer
from geoseg.recipe import Recipe

from .canvas import EXTENT, Canvas
from .extract import write_extract
from .osm import osm_areas, osm_lines
from .scene import make_scene

RECIPE = Path(__file__).parents[1] / "demo.toml"
"""Recipe whose classes the truth has."""
BANDS = ("red", "green", "blue", "nir")
"""Bands of the image."""
_CRS = "EPSG:32630"
_WEST, _NORTH = 500_400.0, 4_983_600.0


@dataclass(frozen=True, slots=True)
class DemoScene:
    """The files of a demo scene."""

    image: Path
    """uint16, four bands, reflectance x 10000, nodata 0."""
    osm: Path
    """GeoPackage in EPSG:4326 with layers `lines` and `multipolygons`, as GDAL reads OSM."""
    extract: Path
    """The same as `osm`, as OSM XML."""
    truth: Path
    """uint8 class map on the image's grid: what was painted, which no real scene can offer."""
    aoi: Path
    """The area of interest, one polygon."""

    @property
    def is_complete(self) -> bool:
        """Whether all files are there; the last one is only written after the others."""
        return all(path.is_file() for path in (self.image, self.osm, self.extract, self.truth,
                                               self.aoi))


def demo_scene_in(folder: Path) -> DemoScene:
    """Return where the files of a demo scene lie, or would lie, in a folder."""
    return DemoScene(folder / "image.tif", folder / "osm.gpkg", folder / "town.osm",
                     folder / "truth.tif", folder / "aoi.gpkg")


def make_demo_scene(folder: Path, seed: int = 7, size: int = 2048) -> DemoScene:
    """Make a coastal town of 1.2 km a side as image, OpenStreetMap extract and truth.

    Args:
        folder: Where the files go; existing ones are replaced.
        seed: The same seed gives the same scene.
        size: Pixels per side; 2048 gives 0.6 m per pixel.

    Raises:
        OutputError: The files cannot be written.
    """
    files = demo_scene_in(folder)
    folder.mkdir(parents=True, exist_ok=True)
    scene = make_scene(size, seed)
    canvas = Canvas(size, np.random.default_rng([seed, 1]))
    grid = Grid(CRS.from_string(_CRS), _to_earth() @ canvas.transform, size, size)
    seen = _inside_strip(canvas)
    _write(files.image, grid, np.where(seen, scene.picture, 0).astype(np.uint16), nodata=0)
    _write(files.truth, grid, np.where(seen, scene.truth, IGNORE)[None].astype(np.uint8),
           nodata=IGNORE)
    lines, areas = (_placed(frame).to_crs("EPSG:4326") for frame in
                    (osm_lines(scene, canvas.rng), osm_areas(scene, canvas)))
    with replacing(files.osm) as part:
        pyogrio.write_dataframe(lines, part, layer="lines")
        pyogrio.write_dataframe(areas, part, layer="multipolygons")
    with replacing(files.extract) as part:
        write_extract(lines, areas, part)
    outline = gpd.GeoDataFrame({"name": ["demo"]}, geometry=[shapely.box(0, 0, EXTENT, EXTENT)])
    write_layer(_placed(outline), files.aoi, layer="aoi")
    return files


def _to_earth() -> Affine:
    return Affine(1, 0, _WEST, 0, -1, _NORTH)


def _placed(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    placed = frame.geometry.affine_transform(_to_earth().to_shapely())
    return frame.set_geometry(placed.set_crs(_CRS))


def _inside_strip(canvas: Canvas) -> np.ndarray:
    """Return bool (size, size): False in the corner that the flight strip did not cover."""
    x, y = canvas.coordinates()
    return np.asarray((x - 1090) * 1.65 + 3 * np.sin(y / 9) < y)


def _write(path: Path, grid: Grid, array: np.ndarray, nodata: float) -> None:
    is_image = len(array) > 1
    with raster_writer(path, grid, count=len(array), dtype=str(array.dtype), nodata=nodata,
                       legend=None if is_image else Recipe.read(RECIPE).legend,
                       band_names=BANDS if is_image else ("truth",),
                       is_categorical=not is_image) as write:
        for window in row_bands(grid.height, grid.width):
            rows = slice(int(window.row_off), int(window.row_off + window.height))
            write(array[:, rows], window)
