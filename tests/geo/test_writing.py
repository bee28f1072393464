"""Rasters are whole under their name or not there at all."""

import resource
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window

from geoseg.errors import Cancelled, OutputError
from geoseg.geo.grid import PIXEL_SPACE, Grid
from geoseg.geo.legend import Legend, LegendClass
from geoseg.geo.output import (
    check_output,
    making_folder,
    replacing,
    replacing_folder,
    write_text,
)
from geoseg.geo.raster import open_raster
from geoseg.geo.windows import row_bands
from geoseg.geo.writing import raster_writer

LEGEND = Legend((LegendClass(0, "Erde & Fels", "#aa8855"), LegendClass(1, "水", "#3182bd")))
GRID = Grid(CRS.from_epsg(27700), Affine(0.5, 0.1, 3e5, 0.1, -0.5, 2e5), 700, 1100)


def test_a_raster_comes_back_as_it_was_written(tmp_path):
    array = np.random.default_rng(0).integers(0, 2, (1, *GRID.shape), dtype=np.uint8)
    path = tmp_path / "classes.tif"
    with raster_writer(path, GRID, count=1, dtype="uint8", nodata=255, legend=LEGEND,
                       band_names=["class"], is_categorical=True) as write:
        for window in row_bands(GRID.height, GRID.width, 300):
            write(array[:, window.row_off:window.row_off + window.height], window)
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read(), array)
        assert dataset.descriptions == ("class",)
        assert dataset.colormap(1)[1] == (0x31, 0x82, 0xBD, 255)
        assert dataset.nodata == 255
        assert dataset.overviews(1)
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    with open_raster(path) as dataset:
        assert Grid.of(dataset) == GRID
        assert Legend.of(dataset) == LEGEND
    assert {item.name for item in tmp_path.iterdir()} == {"classes.tif", "classes.qml"}


def test_unwritten_pixels_are_nodata(tmp_path):
    with raster_writer(tmp_path / "a.tif", GRID, count=1, dtype="uint8", nodata=255) as write:
        write(np.zeros((1, 10, 10), np.uint8), Window(0, 0, 10, 10))
    with rasterio.open(tmp_path / "a.tif") as dataset:
        band = dataset.read(1)
    assert (band[:10, :10] == 0).all()
    assert (band == 255).sum() == band.size - 100


def test_a_raster_in_pixel_space_says_so(tmp_path):
    grid = Grid(None, PIXEL_SPACE, 20, 10)
    with raster_writer(tmp_path / "a.tif", grid, count=1, dtype="uint8") as write:
        write(np.ones((1, 10, 20)), grid.window)
    with open_raster(tmp_path / "a.tif") as dataset:
        assert dataset.crs is None
        assert "no georeference" in dataset.tags()["GEOSEG_SPACE"]
        assert Grid.of(dataset) == grid


@pytest.mark.parametrize("error", [Cancelled(), ValueError("bug"), KeyboardInterrupt()])
def test_nothing_is_left_behind_and_the_old_file_stays(tmp_path, error):
    path = tmp_path / "a.tif"
    path.write_bytes(b"old")

    def interrupted():
        with raster_writer(path, GRID, count=1, dtype="uint8") as write:
            write(np.ones((1, 5, 5)), Window(0, 0, 5, 5))
            raise error

    with pytest.raises(type(error)):
        interrupted()
    assert [item.name for item in tmp_path.iterdir()] == ["a.tif"]
    assert path.read_bytes() == b"old"


FULL_DISK = """
import resource, signal, sys
import numpy as np
from pathlib import Path
from geoseg.errors import OutputError
from geoseg.geo.windows import row_bands
from geoseg.geo.writing import raster_writer
from tests.geo.test_writing import GRID

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
noise = np.random.default_rng(0)
try:
    with raster_writer(Path(sys.argv[1]), GRID, count=3, dtype="uint16") as write:
        for window in row_bands(GRID.height, GRID.width):
            write(noise.integers(0, 65535, (3, window.height, window.width)), window)
except OutputError as error:
    print(error)
    sys.exit(7)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs file size limits")
@pytest.mark.parametrize("limit", [10_000, 1_000_000, 4_000_000])
def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path, limit):
    """GDAL closes a truncated GeoTIFF without a word; we must notice."""
    done = subprocess.run([sys.executable, "-c", FULL_DISK, tmp_path / "a.tif", str(limit)],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 7, done.stderr
    assert "could not be written" in done.stdout or "damaged" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_output_is_checked_before_work(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="exists already"):
        check_output(tmp_path / "file")
    with pytest.raises(OutputError, match="cannot be written in that folder"):
        check_output(tmp_path / "file" / "below.tif")
    with pytest.raises(OutputError, match="is a folder"):
        check_output(tmp_path)
    with pytest.raises(OutputError, match=r"ends in '\.png'"):
        check_output(tmp_path / "a.png", suffixes=(".tif",))
    with pytest.raises(OutputError, match="is also an input"):
        check_output(tmp_path / "new" / ".." / "file", overwrite=True,
                     inputs=[None, 3, f"{tmp_path / 'file'}|layername=roads"])
    assert check_output(tmp_path / "file", overwrite=True, inputs=[tmp_path / "other"])
    assert check_output(tmp_path / "new" / "deep" / "a.tif").name == "a.tif"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_new_folder_is_made_with_its_file_and_goes_with_its_failure(tmp_path):
    deep = tmp_path / "new" / "deep"

    def fail(manager):
        with manager:
            raise ZeroDivisionError

    for manager in (replacing(deep / "a.txt"), replacing_folder(deep / "tiles"),
                    making_folder(deep / "other")):
        with pytest.raises(ZeroDivisionError):
            fail(manager)
        assert list(tmp_path.iterdir()) == []
    write_text(deep / "a.txt", "text")
    assert (deep / "a.txt").read_text() == "text"
    with pytest.raises(ZeroDivisionError):
        fail(making_folder(tmp_path / "new" / "other"))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["deep"]
