"""The whole way without georeference: pixels throughout, and every product says so."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning

from tests.cli.conftest import RECIPE, SIDE, invoke, write_shapes
from tests.worlds import write_image


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """The folder of a run in pixel space."""
    folder = tmp_path_factory.mktemp("pixels")
    pixels = np.random.default_rng(0).integers(1, 255, (3, SIDE, SIDE), dtype=np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        write_image(folder / "image.tif", pixels, crs=None, transform=Affine.identity())
    write_shapes(folder / "lakes.gpkg", [
        shapely.box(0, -40 * k - 20, SIDE, -40 * k) for k in range(SIDE // 40)], crs=None)
    (folder / "recipe.toml").write_text(f"georeferenced = false\n{RECIPE}")
    done = invoke("run", folder / "recipe.toml", "--image", folder / "image.tif", "--labels",
                  folder / "lakes.gpkg", "--device", "cpu", "-o", folder / "map")
    assert done.exit_code == 0, done.output
    return folder / "map"


def test_labels_are_placed_by_column_and_row(made):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(made / "labels.tif") as dataset:
            labels = dataset.read(1)
    rows = np.arange(SIDE)
    # The lake that would begin at row 440 reaches beyond the image and was not drawn.
    expected = (rows % 40 < 20) & (rows < SIDE // 40 * 40)
    np.testing.assert_array_equal(labels, np.repeat(expected[:, None], SIDE, axis=1))


@pytest.mark.parametrize("name", ["labels.tif", "probabilities.tif", "classes.tif"])
def test_rasters_claim_no_place_on_the_earth(made, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(made / name) as dataset:
            assert dataset.crs is None
            assert dataset.tags()["GEOSEG_SPACE"] == "pixels, no georeference"
    assert json.loads(invoke("info", "--json", made / name).stdout)["crs"] == (
        "none (pixel space)")


def test_vectors_claim_no_place_on_the_earth(made):
    info = pyogrio.read_info(made / "polygons.gpkg")
    assert info["crs"] is None or "Undefined" in info["crs"]
    assert info["layer_metadata"]["GEOSEG_SPACE"] == "pixels, no georeference"
    assert "area_px" in info["fields"]
    assert "area_m2" not in info["fields"]
    left, bottom, right, top = info["total_bounds"]
    assert (left, bottom, right, top) == (0, -SIDE, SIDE, 0)


def test_the_model_and_its_report_say_so(made):
    facts = json.loads(invoke("info", "--json", made / "model.safetensors").stdout)
    assert facts["pixel size"] == "any (pixel space)"
    assert not facts["card"]["georeferenced"]
    assert "footprint" not in facts["card"]["training"]
    assert "pixel" in (made / "report.html").read_text(encoding="utf-8")


def test_a_georeferenced_image_stays_in_pixels_if_the_recipe_says_so(world, made, tmp_path):
    done = invoke("burn-labels", made.parent / "lakes.gpkg", "-r", made.parent / "recipe.toml",
                  "--like", world.image, "-o", tmp_path / "labels.tif")
    assert done.exit_code == 0, done.output
    assert json.loads(invoke("info", "--json", tmp_path / "labels.tif").stdout)["crs"] == (
        "none (pixel space)")


def test_what_needs_the_earth_is_refused(world, made, refused, tmp_path):
    image, recipe = made.parent / "image.tif", made.parent / "recipe.toml"
    refused("run", recipe, "--image", image, "-o", tmp_path / "map",
            says=("image.tif: has no georeference, so OpenStreetMap cannot be laid over it",))
    refused("burn-labels", made.parent / "lakes.gpkg", "-r", recipe, "--like", image,
            "--within", world.area, "-o", tmp_path / "o.tif",
            says=("is an area on the Earth, but the image is in pixels. Leave the area out",))
    refused("predict", world.model, image, "-o", tmp_path / "o.tif",
            says=("image.tif: has no coordinate reference system",))
