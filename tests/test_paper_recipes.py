"""The recipes of the papers: each is trained and used as it stands, only smaller and shorter."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from scipy.ndimage import gaussian_filter

import geoseg
from geoseg.class_table import assemble_recipe
from geoseg.learn.networks import build_network
from geoseg.learn.preflight import network_card
from geoseg.recipe import Recipe, shipped_recipes
from tests.worlds import write_image

PAPERS = [name for name in shipped_recipes() if name.startswith("paper-")]
SIDE = 512
# Pictures and electron micrographs have no place on the Earth, as rasterio remarks.
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
SMALLER = {"chips.size": 64, "train.crop": 64, "train.width": 4, "train.batch": 2,
           "train.steps": 2, "train.validate_every": 2, "train.pretrained": False,
           "predict.tile": 64}


def write_scene(folder, recipe: Recipe):
    """Write amplitudes whose brightness tells the class, and a map of the recipe's codes.

    Beside a single class lies what is none.
    """
    random = np.random.default_rng(0)
    all_codes = [item.codes[0] for item in recipe.classes] + [0] * (len(recipe.classes) == 1)
    fields = gaussian_filter(random.normal(size=(len(all_codes), SIDE, SIDE)), (0, 12, 12))
    value = fields.argmax(axis=0)
    image = (300 + 900 * value + random.normal(0, 90, (1, SIDE, SIDE))).clip(1, 65535)
    codes = np.array(all_codes, np.uint8)[value]
    return (write_image(folder / "image.tif", image.astype(np.uint16), **place(recipe)),
            write_image(folder / "codes.tif", codes[None], **place(recipe)))


def place(recipe: Recipe):
    return {} if recipe.georeferenced else {"crs": None, "transform": None}


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read()


@pytest.mark.parametrize("name", PAPERS)
def test_it_goes_from_labels_to_probabilities(name, tmp_path):
    whole = Recipe.read(name)
    recipe = assemble_recipe(name, settings=SMALLER)
    image, codes = write_scene(tmp_path, recipe)
    labels = geoseg.burn_labels(codes, recipe, like=image, out=tmp_path / "labels.tif")
    chips = geoseg.plan_chips(image, labels, recipe=recipe, split=(60, 20, 20), block=1,
                              out=tmp_path / "chips.gpkg")
    model = geoseg.train(chips, recipe, out=tmp_path / "model.safetensors", device="cpu")
    assert model.card.network.architecture == whole.train.network
    assert np.isfinite([entry["loss"] for entry in model.card.training["history"]]).all()
    corner = write_image(tmp_path / "corner.tif", read(image)[:, :64, :64], **place(recipe))
    proba = geoseg.predict(model, corner, out=tmp_path / "proba.tif", dtype="float32")
    found = read(proba)
    assert found.shape[1:] == (64, 64)
    assert len(found) == len(recipe.classes)
    assert 0 <= found.min() < found.max() <= 1
    if recipe.task == "exclusive":
        np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize(("name", "count"), [
    ("paper-landcover-osm", 31_045_636),        # the paper's own figure for 3 bands, 4 classes
    ("paper-membranes-unet", None), ("paper-membranes-losses", None)])
def test_the_network_is_the_paper_s_own(name, count):
    recipe = Recipe.read(name)
    network = build_network(network_card(recipe, 3 if count else 1))
    parameters = sum(p.numel() for p in network.parameters() if p.requires_grad)
    # One band instead of three in the first layer, two classes instead of four in the last.
    assert parameters == (count or 31_045_636 - 2 * 64 * 9 - 2 * (64 + 1))
