"""Several models at once: the mean of calibrated logits, and models that do not go together."""

import numpy as np
import pytest
import rasterio
import torch
from click.testing import CliRunner

from geoseg.cli import main
from geoseg.errors import ModelError
from geoseg.geo.raster import open_raster
from geoseg.learn.card import BandCard
from geoseg.maps.predict import predict
from geoseg.maps.probabilities import stored_thresholds
from geoseg.recipe.names import BLENDS, TTA
from tests.worlds import Constant, make_model, pointwise, write_image


@pytest.fixture
def image(tmp_path):
    array = np.random.default_rng(0).integers(1, 255, (3, 70, 90), dtype=np.uint8)
    return write_image(tmp_path / "image.tif", array), array.astype(np.float32)


def card_of_bands(*bands, offset, gain):
    return [BandCard(index=band, name="", dtype="uint8", offset=offset, gain=gain, low=0, high=255)
            for band in bands]


def test_logits_are_divided_by_each_temperature_and_averaged_by_weight(tmp_path, image):
    path, array = image
    first = make_model(pointwise(3, 2, seed=1), gain=100.0, temperature=2.0)
    second = make_model(pointwise(2, 2, seed=2), temperature=0.5)
    cards = card_of_bands(3, 1, offset=50.0, gain=30.0)
    second = type(second)(second.card.model_copy(update={"bands": cards}), second.network)
    out = predict([first, second], path, out=tmp_path / "p.tif", weights=[1, 3], tile=32,
                  dtype="float32", precision="32")
    with torch.inference_mode():
        z1 = first.network(torch.from_numpy(array[None] / 100))[0] / 2
        z2 = second.network(torch.from_numpy((array[None, [2, 0]] - 50) / 30))[0] / 0.5
    with rasterio.open(out) as dataset:
        np.testing.assert_allclose(dataset.read(), (0.25 * z1 + 0.75 * z2).softmax(0), atol=1e-5)


def test_overlapping_classes_are_averaged_as_log_odds(tmp_path, image):
    models = [make_model(Constant(odds), task="overlapping") for odds in ([4.0, -1.0], [-2.0, 2.0])]
    out = predict(models, image[0], out=tmp_path / "p.tif", tile=32, dtype="float32")
    with rasterio.open(out) as dataset:
        np.testing.assert_allclose(dataset.read()[:, 5, 5],
                                   torch.tensor([1.0, 0.5]).sigmoid(), atol=1e-6)


def test_a_pixel_has_data_if_it_has_for_every_model(tmp_path):
    array = np.full((2, 40, 40), 9, np.float32)
    array[0, :10], array[1, :, :5] = np.nan, np.nan
    path = write_image(tmp_path / "image.tif", array)
    models = [make_model(Constant([1.0, 0.0]), dtype="float32", bands=1) for _ in range(2)]
    models[1] = type(models[1])(models[1].card.model_copy(
        update={"bands": card_of_bands(2, offset=0.0, gain=1.0)}), models[1].network)
    out = predict(models, path, out=tmp_path / "p.tif", tile=32, dtype="float32")
    with rasterio.open(out) as dataset:
        has_data = np.isfinite(dataset.read(1))
    np.testing.assert_array_equal(has_data, np.isfinite(array).all(axis=0))


def test_thresholds_are_averaged_where_all_models_have_one(tmp_path, image):
    models = [make_model(Constant([0.0, 0.0]), task="overlapping", thresholds=thresholds)
              for thresholds in ({"land": 0.3, "water": 0.2}, {"water": 0.6})]
    out = predict(models, image[0], out=tmp_path / "p.tif", weights=[3, 1], tile=32)
    with open_raster(out) as dataset:
        assert stored_thresholds(dataset) == {"water": pytest.approx(0.3)}


@pytest.mark.parametrize(("change", "finding"), [
    ({"classes": ("land", "sea")}, "maps land, sea, not land, water as first"),
    ({"task": "overlapping"}, "has overlapping classes, unlike first"),
    ({"resolution": 4.0}, "was trained with pixels of 4 m, not 2 m as first"),
    ({"georeferenced": False}, "has no georeference, unlike first"),
])
def test_models_that_do_not_go_together_are_told_before_any_is_loaded(tmp_path, image, change,
                                                                      finding):
    first, other = make_model(name="first"), make_model(Constant([0.0, 0.0]), **change)
    other.save(tmp_path / "other.safetensors")  # Its weights do not fit its card: cannot be loaded.
    with pytest.raises(ModelError, match=finding):
        predict([first, tmp_path / "other.safetensors"], image[0], out=tmp_path / "p.tif")
    assert not (tmp_path / "p.tif").exists()


@pytest.mark.parametrize(("weights", "finding"), [
    ([1], "are 1 for 2 models"), ([1, 0], "Give positive numbers"),
    ([1, float("nan")], "Give positive numbers")])
def test_weights_must_suit_the_models(tmp_path, image, weights, finding):
    with pytest.raises(ModelError, match=finding):
        predict([make_model(), make_model()], image[0], out=tmp_path / "p.tif", weights=weights)
    with pytest.raises(ModelError, match="Give a model"):
        predict([], image[0], out=tmp_path / "p.tif")


def test_the_command_line_offers_every_name():
    offered = {option.name: option.type for option in main.commands["predict"].params}
    assert tuple(offered["blend"].choices) == BLENDS
    assert tuple(offered["tta"].choices) == TTA


def test_on_the_command_line(tmp_path, image):
    for name, shift in (("a", 0.0), ("b", 2.0)):
        model = make_model()
        with torch.no_grad():
            for parameter in list(model.network.parameters())[-1:]:
                parameter.add_(torch.tensor([shift, 0.0]))
        model.save(tmp_path / f"{name}.safetensors")
    names = [str(tmp_path / name) for name in ("a.safetensors", "b.safetensors")]
    result = CliRunner().invoke(main, [
        "predict", names[0], str(image[0]), "--model", names[1], "--weight", "1", "--weight", "3",
        "--blend", "gauss", "--tta", "flips", "--scales", "0.5,1", "--smooth", "1", "--tile", "96",
        "--dtype", "float32", "--precision", "32", "--device", "cpu",
        "-o", str(tmp_path / "p.tif")])
    assert result.exit_code == 0, result.output
    expected = predict(names, image[0], out=tmp_path / "q.tif", weights=[1, 3], blend="gauss",
                       tta="flips", scales=[0.5, 1], smooth=1.0, tile=96, dtype="float32",
                       precision="32", device="cpu")
    with rasterio.open(tmp_path / "p.tif") as found, rasterio.open(expected) as wanted:
        np.testing.assert_array_equal(found.read(), wanted.read())
