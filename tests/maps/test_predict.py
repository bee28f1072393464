"""Prediction: exact blending, the input's grid, nodata, and telling misfits beforehand."""

import logging

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from geoseg.errors import GridError, ModelError, OutputError
from geoseg.geo.legend import Legend
from geoseg.geo.raster import open_raster
from geoseg.maps.predict import entropy, predict
from geoseg.maps.probabilities import read_probabilities
from geoseg.recipe.names import BLENDS
from tests.worlds import TWO_METRES, UTM, Constant, make_model, pointwise, write_image

_REUSED = [HealthCheck.function_scoped_fixture]


def image_of(tmp_path, rows, columns, *, bands=3, seed=0, name="image.tif", **profile):
    array = np.random.default_rng(seed).integers(1, 255, (bands, rows, columns), dtype=np.uint8)
    return write_image(tmp_path / name, array, **profile), array


def whole(model, array):
    """Return the probabilities of the whole image in one pass, by plain torch."""
    with torch.inference_mode():
        return model.network(torch.from_numpy(array[None].astype(np.float32))).softmax(1)[0].numpy()


@settings(max_examples=25, deadline=None, suppress_health_check=_REUSED)
@given(rows=st.integers(1, 300), columns=st.integers(1, 300), blend=st.sampled_from(BLENDS),
       tile=st.sampled_from([32, 64, 160]), overlap=st.sampled_from([0, 0.125, 0.25, 0.5]))
def test_tiled_equals_whole_for_a_network_of_single_pixels(tmp_path, rows, columns, tile, overlap,
                                                           blend):
    path, array = image_of(tmp_path, rows, columns)
    model = make_model(pointwise(3, 2), gain=100.0)
    out = predict(model, path, out=tmp_path / "p.tif", tile=tile, overlap=overlap, blend=blend,
                  dtype="float32", precision="32", overwrite=True)
    with rasterio.open(out) as dataset:
        np.testing.assert_allclose(dataset.read(), whole(model, array / 100), atol=1e-6)


def test_tiled_is_close_to_whole_for_a_real_network(tmp_path):
    path, array = image_of(tmp_path, 256, 320)
    model = make_model(gain=100.0)
    out = predict(model, path, out=tmp_path / "p.tif", tile=128, overlap=0.25, dtype="float32",
                  precision="32")
    with rasterio.open(out) as dataset:
        difference = np.abs(dataset.read() - whole(model, array / 100))
    assert difference.mean() < 0.02


@pytest.mark.parametrize(("tile", "blend"), [
    (64, "hann"), (96, "gauss"), (64, "box"), (96, "crop")])
def test_blending_leaves_a_constant_answer_alone(tmp_path, tile, blend):
    path, _ = image_of(tmp_path, 123, 217)
    model = make_model(Constant([0.3, -1.0]))
    out = predict(model, path, out=tmp_path / "p.tif", tile=tile, overlap=0.5, blend=blend,
                  tta="flips", scales=(0.5, 1, 1.25), smooth=1.5, dtype="float32")
    expected = torch.tensor([0.3, -1.0]).softmax(0).numpy()
    with rasterio.open(out) as dataset:
        for band, value in zip(dataset.read(), expected, strict=True):
            np.testing.assert_allclose(band, value, atol=1e-6)


@pytest.mark.parametrize(("crs", "transform"), [
    (UTM, TWO_METRES), (UTM, Affine(1.5, 0.8, 5e5, 0.8, -1.5, 5e6)),
    ("EPSG:4326", Affine(2e-5, 0, 10, 0, -1.8e-5, 50)), (UTM, Affine(2, 0, 5e5, 0, 2, 5e6)),
])
def test_the_output_lies_on_exactly_the_inputs_grid(tmp_path, crs, transform):
    path, _ = image_of(tmp_path, 50, 70, crs=crs, transform=transform)
    out = predict(make_model(Constant([0.0, 0.0])), path, out=tmp_path / "p.tif", tile=32)
    with rasterio.open(path) as before, rasterio.open(out) as after:
        assert after.crs == before.crs
        assert after.transform == before.transform
        assert after.shape == before.shape
        assert after.descriptions == ("land", "water")
    with open_raster(out) as dataset:
        assert Legend.of(dataset).names == ("land", "water")


def test_nodata_stays_nodata_and_does_not_touch_its_neighbours(tmp_path):
    path, array = image_of(tmp_path, 100, 130)
    array[:, 20:60, :] = 0
    with rasterio.open(path, "r+") as dataset:
        dataset.write(array)
        dataset.nodata = 0
    model = make_model(pointwise(3, 2), gain=100.0)
    out = predict(model, path, out=tmp_path / "p.tif", tile=32, overlap=0.25, precision="32")
    with open_raster(out) as dataset:
        probabilities, valid = read_probabilities(dataset, rasterio.windows.Window(0, 0, 130, 100))
    expected = np.ones((100, 130), bool)
    expected[20:60] = False
    np.testing.assert_array_equal(valid, expected)
    np.testing.assert_allclose(probabilities[:, valid], whole(model, array / 100)[:, valid],
                               atol=0.5 / 254 + 1e-6)


class CountTiles(nn.Module):
    """Counts the tiles it is given."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.seen = 0

    def forward(self, batch):
        self.seen += len(batch)
        return torch.zeros(len(batch), 2, *batch.shape[-2:])


def test_tiles_without_data_are_skipped_and_none_is_run_twice(tmp_path):
    array = np.zeros((3, 320, 320), np.uint8)
    array[:, :40, :40] = 9
    path = write_image(tmp_path / "i.tif", array, nodata=0)
    counter = CountTiles()
    predict(make_model(counter), path, out=tmp_path / "p.tif", tile=64, overlap=0.25)
    assert counter.seen == 1
    full, _ = image_of(tmp_path, 320, 320, name="full.tif")
    counter.seen = 0
    predict(make_model(counter), full, out=tmp_path / "q.tif", tile=64, overlap=0.25)
    assert counter.seen == 49


def test_entropy_is_zero_when_sure_and_one_when_clueless(tmp_path):
    sure = np.zeros((4, 1, 1), np.float32)
    sure[2] = 1
    assert entropy(sure, overlapping=False)[0, 0] == pytest.approx(0, abs=1e-6)
    assert entropy(np.full((4, 1, 1), 0.25), overlapping=False)[0, 0] == pytest.approx(1)
    assert entropy(np.full((3, 1, 1), 0.5), overlapping=True)[0, 0] == pytest.approx(1)
    path, _ = image_of(tmp_path, 40, 40)
    predict(make_model(Constant([0.0, 0.0])), path, out=tmp_path / "p.tif", tile=32,
            uncertainty=tmp_path / "u.tif")
    with rasterio.open(tmp_path / "u.tif") as dataset:
        assert (dataset.read(1) == 254).all()


def test_misfits_are_told_before_work(tmp_path, caplog):
    path, _ = image_of(tmp_path, 40, 40, bands=2)
    with pytest.raises(ModelError, match="has 2 bands"):
        predict(make_model(), path, out=tmp_path / "p.tif")
    path, _ = image_of(tmp_path, 40, 40)
    with pytest.raises(ModelError, match=r"pixels of 2 m, the model was trained with 0\.5 m"):
        predict(make_model(resolution=0.5), path, out=tmp_path / "p.tif")
    with pytest.raises(ModelError, match="outside the range seen in training"):
        predict(make_model(high=1.0), path, out=tmp_path / "p.tif")
    assert not (tmp_path / "p.tif").exists()
    with caplog.at_level(logging.WARNING, "geoseg"):
        predict(make_model(high=1.0), path, out=tmp_path / "p.tif", tile=32, force=True)
    assert "outside the range" in caplog.text


def test_errors_before_work(tmp_path):
    path, _ = image_of(tmp_path, 40, 40)
    (tmp_path / "there.tif").touch()
    with pytest.raises(OutputError, match="exists already"):
        predict(make_model(), path, out=tmp_path / "there.tif")
    with pytest.raises(ModelError, match="multiple of 32"):
        predict(make_model(), path, out=tmp_path / "p.tif", tile=100)
    with pytest.raises(ModelError, match=r"less than or equal to 0\.5"):
        predict(make_model(), path, out=tmp_path / "p.tif", overlap=0.7)
    with pytest.raises(ModelError, match=r"Did you mean 'hann'\? Known are hann, gauss, box, crop"):
        predict(make_model(), path, out=tmp_path / "p.tif", blend="han")
    with pytest.raises(ModelError, match="scales: is 9"):
        predict(make_model(), path, out=tmp_path / "p.tif", scales=[1, 9])


def test_the_models_recipe_says_how_unless_told_otherwise(tmp_path):
    array = np.random.default_rng(3).integers(1, 255, (3, 64, 64), dtype=np.uint8)
    path = write_image(tmp_path / "i.tif", array)
    network = nn.Conv2d(3, 2, 5, padding=2)

    def answer(recipe=None, **options):
        model = make_model(network, gain=100.0, recipe={"predict": recipe or {}})
        out = predict(model, path, out=tmp_path / "p.tif", dtype="float32", precision="32",
                      overwrite=True, **options)
        with rasterio.open(out) as dataset:
            return dataset.read()

    plain, turned = answer({"tile": 64}), answer({"tile": 64, "tta": "d4", "smooth": 1.0})
    assert np.abs(plain - turned).max() > 0.01
    np.testing.assert_array_equal(answer(tile=64, tta="d4", smooth=1.0), turned)
    np.testing.assert_array_equal(
        answer({"tile": 64, "tta": "d4", "smooth": 1.0}, tta="none", smooth=0), plain)
    # Models made before turns had names hold a yes or no, and keys may have come since.
    np.testing.assert_array_equal(answer({"tile": 64, "tta": True, "new": 1}, smooth=1.0), turned)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_pixel_space(tmp_path):
    path, _ = image_of(tmp_path, 40, 40, crs=None, transform=Affine.identity())
    with pytest.raises(GridError, match="no coordinate reference system"):
        predict(make_model(), path, out=tmp_path / "p.tif")
    out = predict(make_model(Constant([0.0, 0.0]), georeferenced=False), path,
                  out=tmp_path / "p.tif", tile=32)
    with rasterio.open(out) as dataset:
        assert "no georeference" in dataset.tags()["GEOSEG_SPACE"]


@pytest.mark.parametrize("name", ["sliver_5x3000.tif", "anisotropic_10x25m.tif"])
def test_odd_shapes_are_predicted_on_their_own_grid(data, tmp_path, name):
    source = data / "odd_inputs" / name
    out = predict(make_model(Constant([1.0, 0.0])), source, out=tmp_path / "p.tif", force=True,
                  tile=64)
    with rasterio.open(source) as before, rasterio.open(out) as after:
        assert (after.shape, after.transform) == (before.shape, before.transform)


def test_a_truncated_image_leaves_nothing(data, tmp_path):
    from geoseg.errors import RasterError

    with pytest.raises(RasterError, match="truncated or damaged"):
        predict(make_model(Constant([1.0, 0.0])), data / "odd_inputs" / "truncated.tif",
                out=tmp_path / "p.tif", force=True)
    assert list(tmp_path.iterdir()) == []
