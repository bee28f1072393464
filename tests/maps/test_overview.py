"""The overview picture: what is drawn is what the files hold, and bad input is told."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import matplotlib.image
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window

from geoseg.errors import GridError, OutputError, RasterError
from geoseg.geo.grid import PIXEL_SPACE, Grid
from geoseg.geo.legend import IGNORE, Legend, LegendClass
from geoseg.geo.raster import open_raster
from geoseg.geo.vector import write_layer
from geoseg.geo.writing import raster_writer
from geoseg.maps.overview import color_bands, overview
from geoseg.maps.page import _round_length

LEGEND = Legend((LegendClass(0, "land", "#d9d3b8"), LegendClass(1, "water", "#3182bd")))
GRID = Grid(CRS.from_epsg(32630), Affine(2, 0, 500000, 0, -2, 4900000), 300, 200)


def _write(path: Path, grid: Grid, array: np.ndarray, *, names: tuple[str, ...] = (),
           legend: Legend | None = None, nodata: float | None = None) -> Path:
    with raster_writer(path, grid, count=len(array), dtype=str(array.dtype), band_names=names,
                       legend=legend, nodata=nodata, is_categorical=legend is not None) as write:
        write(array, Window(0, 0, grid.width, grid.height))
    return path


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Red rises to the right, green downwards; the lower right quarter has no data."""
    down, across = np.mgrid[:200, :300].astype(np.uint16)
    bands = np.stack([across + 1, down + 1, np.full_like(down, 80), down + across + 1])
    bands[:, 100:, 150:] = 0
    return _write(tmp_path / "scene.tif", GRID, bands, names=("red", "green", "blue", "nir"),
                  nodata=0)


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    values = np.zeros((1, 200, 300), np.uint8)
    values[0, :, :75] = 1
    values[0, 100:, 150:] = IGNORE
    return _write(tmp_path / "classes.tif", GRID, values, legend=LEGEND, nodata=IGNORE)


def _pixels(path: Path) -> np.ndarray:
    return (matplotlib.image.imread(path)[..., :3] * 255).round().astype(int)


def _share(picture: np.ndarray, color: str) -> float:
    rgb = [int(color[i:i + 2], 16) for i in (1, 3, 5)]
    return float((np.abs(picture - rgb).max(axis=-1) <= 2).mean())


def test_class_map_is_drawn_in_its_colours_and_shares(image, classes, tmp_path):
    out = overview(image, tmp_path / "o.png", classes=classes)
    picture = _pixels(out)
    assert picture.shape[1] <= 2400
    water, land = (_share(picture, item.color) for item in reversed(LEGEND.classes))
    # Water covers 75 x 200 px, land 225 x 200 px less the quarter without data.
    assert water / (water + land) == pytest.approx(15000 / 45000, abs=0.01)


def test_shares_are_counted_at_full_resolution(image, tmp_path):
    from geoseg.maps.overview import _read_classes
    from geoseg.progress import silent

    wide = Grid(GRID.crs, GRID.transform, 5000, 3)
    values = np.zeros((1, 3, 5000), np.uint8)
    values[0, 1, ::7] = 1
    values[0, :, 4000:] = IGNORE
    path = _write(tmp_path / "wide.tif", wide, values, legend=LEGEND, nodata=IGNORE)
    picture, key = _read_classes(path, "Class map", wide, image, silent)
    assert max(picture.shape) == 1200
    assert key.shares[1] == pytest.approx((values == 1).sum() / (values != IGNORE).sum())
    assert key.shares.sum() == pytest.approx(1)


def test_overlapping_classes_are_counted_each(image, tmp_path):
    from geoseg.maps.overview import _read_classes
    from geoseg.progress import silent

    legend = Legend(LEGEND.classes, overlapping=True)
    values = np.zeros((2, 200, 300), np.uint8)
    values[0], values[1, :50] = 1, 1
    path = _write(tmp_path / "both.tif", GRID, values, legend=legend, nodata=IGNORE)
    picture, key = _read_classes(path, "Class map", GRID, image, silent)
    assert key.shares == pytest.approx([1.0, 0.25])
    assert tuple(picture[10, 10, :3]) == legend.classes[1].rgb
    assert tuple(picture[150, 10, :3]) == legend.classes[0].rgb


def test_image_is_stretched_and_white_without_data(image):
    from geoseg.maps.overview import _true_color

    with open_raster(image) as dataset:
        picture = _true_color(dataset, None).astype(int)
    assert picture.shape == (200, 300, 3)
    assert (picture[100:, 150:] == 255).all()
    assert (np.diff(picture[20, :, 0]) >= 0).all()
    assert (np.diff(picture[:100, 20, 1]) >= 0).all()
    assert picture[20, 0, 0] == 0
    assert picture[20, 299, 0] == 255


def test_bands_by_name_in_any_order_else_the_first_three(tmp_path):
    bands = np.ones((5, 200, 300), np.uint8)
    named = _write(tmp_path / "s2.tif", GRID, bands,
                   names=("B02 blue", "B03 green", "B04 red", "B05 rededge1", "B08 nir"))
    with open_raster(named) as dataset:
        assert color_bands(dataset, dataset.indexes) == (3, 2, 1)
        assert color_bands(dataset, (4, 5, 1, 2)) == (4, 5, 1)
        assert color_bands(dataset, (5, 4)) == (5,)
    nameless = tmp_path / "rgb.tif"
    with rasterio.open(nameless, "w", driver="GTiff", width=300, height=200, count=4,
                       dtype="uint8", crs=GRID.crs, transform=GRID.transform,
                       photometric="RGB") as dataset:
        dataset.write(bands[:4])
    with open_raster(nameless) as dataset:
        assert color_bands(dataset, (1, 2, 3)) == (1, 2, 3)


def test_outlines_fall_where_they_lie_on_the_ground(image, tmp_path):
    from geoseg.maps.overview import _outlines

    square = shapely.box(500020, 4899960, 500040, 4899980)
    frame = gpd.GeoDataFrame(geometry=[square], crs=GRID.pyproj_crs).to_crs("EPSG:4326")
    frame.to_file(tmp_path / "p.gpkg")
    drawn = _outlines(tmp_path / "p.gpkg", GRID)
    assert drawn.total_bounds == pytest.approx([10, 10, 20, 20], abs=1e-3)
    space = Grid(None, PIXEL_SPACE, 300, 200)
    write_layer(gpd.GeoDataFrame(geometry=[shapely.box(5, -9, 7, -4)]), tmp_path / "q.gpkg",
                layer="q")
    assert _outlines(tmp_path / "q.gpkg", space).total_bounds == pytest.approx([5, 4, 7, 9])


def test_outlines_are_painted_over_the_image(image, tmp_path):
    line = gpd.GeoDataFrame(geometry=[shapely.LineString([(500000, 4899800), (500600, 4899800)])],
                            crs=GRID.pyproj_crs)
    line.to_file(tmp_path / "c.gpkg")
    without = _pixels(overview(image, tmp_path / "a.png"))
    drawn = _pixels(overview(image, tmp_path / "b.png", coastline=tmp_path / "c.gpkg"))
    assert _share(without, "#ff2d6f") == 0
    assert _share(drawn, "#ff2d6f") > 0


def test_pixel_space_and_all_panels(tmp_path):
    space = Grid(None, PIXEL_SPACE, 300, 200)
    grey = np.arange(60000, dtype=np.uint8).reshape(1, 200, 300)
    scene = _write(tmp_path / "cells.tif", space, grey)
    labels = _write(tmp_path / "labels.tif", space, np.zeros((1, 200, 300), np.uint8),
                    legend=LEGEND, nodata=IGNORE)
    shapes = gpd.GeoDataFrame(geometry=[shapely.box(5, -9, 70, -4)])
    write_layer(shapes, tmp_path / "p.gpkg", layer="polygons")
    out = overview(scene, tmp_path / "o.png", labels=labels, classes=labels,
                   polygons=tmp_path / "p.gpkg", recipe="membranes")
    assert _pixels(out).shape[1] <= 2400


def test_wide_and_tall_images_fit_the_page(tmp_path):
    for width, height in ((900, 60), (60, 900)):
        grid = Grid(GRID.crs, GRID.transform, width, height)
        scene = _write(tmp_path / f"{width}.tif", grid,
                       np.arange(width * height, dtype=np.uint16).reshape(1, height, width))
        picture = _pixels(overview(scene, tmp_path / f"{width}.png"))
        assert max(picture.shape) <= 2400


def test_scene_without_any_data_is_drawn_white(tmp_path):
    empty = _write(tmp_path / "void.tif", GRID, np.zeros((3, 200, 300), np.uint16), nodata=0)
    assert overview(empty, tmp_path / "o.png").is_file()


@pytest.mark.parametrize(("longest", "shown"), [(1, 1), (4.9, 2), (5, 5), (99, 50), (0.3, 0.2)])
def test_scale_bar_has_a_round_length(longest, shown):
    assert _round_length(longest) == pytest.approx(shown)


def test_map_on_another_grid_is_refused(image, tmp_path):
    other = Grid(GRID.crs, GRID.transform @ Affine.translation(0.5, 0), 300, 200)
    shifted = _write(tmp_path / "shifted.tif", other, np.zeros((1, 200, 300), np.uint8),
                     legend=LEGEND)
    with pytest.raises(GridError, match=r"shifted\.tif.*does not line up"):
        overview(image, tmp_path / "o.png", classes=shifted)
    assert not list(tmp_path.glob("*o*.png"))


def test_map_without_legend_and_existing_output_are_refused(image, tmp_path):
    with pytest.raises(RasterError, match="carries no geoseg legend"):
        overview(image, tmp_path / "o.png", classes=image)
    (tmp_path / "o.png").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        overview(image, tmp_path / "o.png")
    assert (tmp_path / "o.png").read_text() == "mine"
    with pytest.raises(OutputError, match=r"ends in '\.jpg'"):
        overview(image, tmp_path / "o.jpg")


@pytest.mark.data
def test_real_scenes(data, tmp_path):
    sentinel = overview(data / "landcover_aberystwyth" / "image_s2.tif", tmp_path / "s2.png")
    cells = overview(data / "em_isbi2012" / "train" / "image" / "00.png", tmp_path / "em.png",
                     recipe="membranes")
    for picture in (_pixels(sentinel), _pixels(cells)):
        assert picture.shape[1] <= 2400
        assert picture.std() > 20
