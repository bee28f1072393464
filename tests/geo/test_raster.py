"""Reading by window against rasterio, masks, mirrored borders, and refusals."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.windows import Window

from geoseg.errors import GridError, RasterError
from geoseg.geo.grid import Grid
from geoseg.geo.raster import image_bands, open_raster, read, valid_pixels

UTM = "EPSG:32633"
TWO_METRES = Affine(2, 0, 5e5, 0, -2, 5e6)


def write(path, array, *, crs=UTM, transform=TWO_METRES, **profile):
    with rasterio.open(path, "w", driver="GTiff", count=len(array), height=array.shape[1],
                       width=array.shape[2], dtype=array.dtype, crs=crs, transform=transform,
                       **profile) as dataset:
        dataset.write(array)
    return path


@pytest.fixture
def ramp():
    return np.arange(2 * 30 * 40, dtype=np.uint16).reshape(2, 30, 40)


def test_a_window_inside_equals_rasterio(tmp_path, ramp):
    path = write(tmp_path / "a.tif", ramp)
    with open_raster(path) as dataset:
        values, valid = read(dataset, Window(5, 7, 11, 13), [2, 1])
    np.testing.assert_array_equal(values, ramp[::-1, 7:20, 5:16])
    assert valid.all()


def test_beyond_the_border_the_image_is_mirrored(tmp_path, ramp):
    path = write(tmp_path / "a.tif", ramp)
    with open_raster(path) as dataset:
        values, _ = read(dataset, Window(-3, -2, 50, 40), [1])
    np.testing.assert_array_equal(values[0], np.pad(ramp[0], ((2, 8), (3, 7)), mode="reflect"))


def test_nodata_nan_and_mask_are_invalid(tmp_path):
    array = np.ones((2, 4, 4), np.float32)
    array[:, 0, 0] = -9999
    array[0, 1, 1] = -9999
    array[1, 2, 2] = np.nan
    path = write(tmp_path / "a.tif", array, nodata=-9999)
    with open_raster(path) as dataset:
        values, valid = read(dataset, Window(0, 0, 4, 4), [1, 2])
    pixels = valid_pixels(valid, values)
    expected = np.ones((4, 4), bool)
    expected[0, 0] = expected[2, 2] = False
    np.testing.assert_array_equal(pixels, expected)
    assert not valid[0, 1, 1]
    assert valid[1, 1, 1]


def test_alpha_masks_and_is_no_image_band(tmp_path):
    array = np.full((4, 8, 8), 100, np.uint8)
    array[3, :, :3] = 0
    path = write(tmp_path / "a.tif", array, photometric="RGB", alpha="YES")
    with open_raster(path) as dataset:
        bands = image_bands(dataset, None)
        values, valid = read(dataset, Window(0, 0, 8, 8), bands)
    assert bands == (1, 2, 3)
    assert valid_pixels(valid, values).sum() == 8 * 5


def test_a_vrt_in_disguise_is_refused(tmp_path, ramp):
    secret = write(tmp_path / "secret.tif", ramp)
    disguised = tmp_path / "image.tif"
    disguised.write_text(
        f'<VRTDataset rasterXSize="40" rasterYSize="30"><VRTRasterBand dataType="UInt16" band="1">'
        f'<SimpleSource><SourceFilename>{secret}</SourceFilename></SimpleSource>'
        f"</VRTRasterBand></VRTDataset>")
    with pytest.raises(RasterError, match="cannot be opened"), open_raster(disguised):
        pass
    honest = disguised.rename(tmp_path / "image.vrt")
    with open_raster(honest) as dataset:
        assert dataset.width == 40


@pytest.mark.parametrize(("crs", "transform", "match"), [
    (None, Affine(2, 0, 5e5, 0, -2, 5e6), "no coordinate reference system"),
    (UTM, Affine.identity(), "no geotransform"),
])
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_an_image_without_a_place_is_refused_unless_in_pixel_space(tmp_path, ramp, crs, transform,
                                                                   match):
    path = write(tmp_path / "a.tif", ramp, crs=crs, transform=transform)
    with open_raster(path) as dataset:
        with pytest.raises(GridError, match=match):
            Grid.of(dataset)
        grid = Grid.of(dataset, georeferenced=False)
    assert not grid.is_georeferenced
    assert grid.bounds == (0, -30, 40, 0)
    assert grid.pixel_area == 1


def test_pixel_size_is_measured_on_the_ground(tmp_path):
    """At 60° north a degree of longitude is half as long, and Web Mercator doubles lengths."""
    array = np.zeros((1, 10, 10), np.uint8)
    degrees = write(tmp_path / "d.tif", array, crs="EPSG:4326",
                    transform=Affine(1e-3, 0, 10, 0, -1e-3, 60))
    mercator = write(tmp_path / "m.tif", array, crs="EPSG:3857",
                     transform=Affine(10, 0, 1e6, 0, -10, 8399737.9))
    with open_raster(degrees) as dataset:
        width, height = Grid.of(dataset).pixel_size
    assert width == pytest.approx(55.8, abs=0.2)
    assert height == pytest.approx(111.4, abs=0.2)
    with open_raster(mercator) as dataset:
        assert Grid.of(dataset).pixel_size == pytest.approx((5, 5), rel=0.01)


@pytest.mark.parametrize(("name", "match"), [
    ("zero_bytes.tif", "cannot be opened"), ("cint16.tif", "complex"),
    ("missing.tif", "does not exist"), ("corrupt.tif", "ends before"),
    ("truncated.tif", "ends before"),
])
def test_odd_files_are_refused_on_opening(data, name, match):
    with pytest.raises(RasterError, match=match), open_raster(data / "odd_inputs" / name):
        pass


@pytest.mark.parametrize("tiled", [True, False])
@pytest.mark.parametrize("interleave", ["band", "pixel"])
def test_a_file_cut_anywhere_in_its_pixels_is_refused_on_opening(tmp_path, tiled, interleave):
    blocks = {"tiled": True, "blockxsize": 64, "blockysize": 64} if tiled else {}
    values = np.random.default_rng(0).integers(0, 255, (3, 100, 150), dtype=np.uint8)
    path = write(tmp_path / "a.tif", values, interleave=interleave, **blocks)
    with open_raster(path) as dataset:
        np.testing.assert_array_equal(dataset.read(), values)
    whole = path.read_bytes()
    for missing in (1, len(whole) // 3, len(whole) // 2):
        path.write_bytes(whole[:-missing])
        with pytest.raises(RasterError, match="ends before"), open_raster(path):
            pass


def test_damage_inside_a_file_is_told_on_reading(tmp_path):
    values = np.random.default_rng(0).integers(0, 255, (1, 256, 256), dtype=np.uint8)
    path = write(tmp_path / "a.tif", values, compress="deflate", tiled=True,
                 blockxsize=128, blockysize=128)
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2:len(damaged) // 2 + 5000] = bytes(5000)
    path.write_bytes(damaged)
    with open_raster(path) as dataset, pytest.raises(RasterError, match="cannot be read at column"):
        read(dataset, Window(0, 0, 256, 256), [1])
