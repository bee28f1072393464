"""Model files: what goes in comes out, with the card readable without torch."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from geoseg.describe import describe, info
from geoseg.errors import ModelError, RecipeError
from geoseg.learn.card import NetworkCard, read_card
from geoseg.learn.container import read_container, write_container
from geoseg.learn.model import Model
from geoseg.learn.networks import build_network
from tests.worlds import make_model


def test_a_model_comes_back(tmp_path):
    model = make_model(gain=50.0, temperature=1.7, thresholds={"water": 0.4})
    model.save(tmp_path / "m.safetensors")
    loaded = Model.load(tmp_path / "m.safetensors")
    assert loaded.card == model.card == read_card(tmp_path / "m.safetensors")
    values = np.random.default_rng(0).integers(0, 255, (2, 3, 50, 70)).astype(np.uint8)
    valid = np.ones_like(values, bool)
    np.testing.assert_array_equal(loaded.probabilities(values, valid, precision="32"),
                                  model.probabilities(values, valid, precision="32"))


def test_the_card_is_read_without_torch(tmp_path):
    make_model().save(tmp_path / "m.safetensors")
    code = ("import sys; from geoseg.describe import info; "
            f"print(info({str(tmp_path / 'm.safetensors')!r})['classes'], 'torch' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['land', 'water'] False"


def test_the_description_has_no_empty_line_ends(tmp_path):
    for name, thresholds in (("without", {}), ("with", {"water": 0.4})):
        make_model(thresholds=thresholds).save(tmp_path / f"{name}.safetensors")
        lines = describe(info(tmp_path / f"{name}.safetensors")).splitlines()
        assert lines == [line.rstrip() for line in lines]
        shown = [line.split(maxsplit=1) for line in lines]
        assert (["thresholds", "water 0.40"] in shown) == bool(thresholds)


def test_importing_geoseg_loads_nothing_heavy():
    code = ("import sys, geoseg; print(sorted({'torch', 'geopandas', 'rasterio', 'numpy', "
            "'pydantic'} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_probabilities_are_those_of_torch_for_any_size():
    """Sizes that are no multiple of 32 are padded; a pointwise network must not notice."""
    from tests.worlds import pointwise

    model = make_model(pointwise(3, 2), offset=10.0, gain=20.0, temperature=2.0)
    values = np.random.default_rng(0).integers(0, 255, (2, 3, 45, 33)).astype(np.uint8)
    found = model.probabilities(values, np.ones_like(values, bool), precision="32")
    scaled = torch.from_numpy((values.astype(np.float32) - 10) / 20)
    expected = (model.network(scaled) / 2).softmax(1).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_invalid_values_count_as_the_mean():
    from tests.worlds import pointwise

    model = make_model(pointwise(3, 2), offset=10.0, gain=20.0)
    values = np.full((1, 3, 32, 32), 77, np.uint8)
    valid = np.ones_like(values, bool)
    valid[0, 1, 5, 5] = False
    filled = values.copy()
    filled[0, 1, 5, 5] = 10
    np.testing.assert_array_equal(
        model.probabilities(values, valid), model.probabilities(filled, np.ones_like(valid)))


def test_weights_of_another_network_are_refused(tmp_path):
    make_model().save(tmp_path / "m.safetensors")
    document, tensors = read_container(tmp_path / "m.safetensors", "model")
    document["network"]["encoder"] = "resnet18"
    write_container(tmp_path / "bad.safetensors", "model", document, tensors)
    with pytest.raises(ModelError, match="weights that do not fit"):
        Model.load(tmp_path / "bad.safetensors")
    document["format"] = "geoseg-model/99"
    write_container(tmp_path / "new.safetensors", "model", document, tensors)
    with pytest.raises(ModelError, match="Update geoseg"):
        Model.load(tmp_path / "new.safetensors")


@pytest.mark.parametrize(("architecture", "encoder", "match"), [
    ("unett", "resnet18", "train.network"), ("unet", "resnet1", "train.encoder"),
])
def test_unknown_networks_are_refused(architecture, encoder, match):
    with pytest.raises(RecipeError, match=match):
        build_network(NetworkCard(architecture=architecture, encoder=encoder, bands=3, classes=2))
