"""The whole way on the demo's town: every product, and restarting."""

import logging
import re
import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio

import geoseg
from geoseg.learn.card import read_card
from tests.demo_town import make_town, town_recipe

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    return make_town(tmp_path_factory.mktemp("town"))


@pytest.fixture(scope="module")
def run(town, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    recipe = folder / "town.toml"
    recipe.write_text(town_recipe(steps=60), encoding="utf-8")

    def start(progress=lambda fraction, message: None):
        return geoseg.run(recipe, image=town.image, aoi=town.aoi, osm=town.osm,
                          out=folder / "map", device="cpu", progress=progress)

    start.recipe = recipe
    start.folder = folder / "map"
    start.result = start()
    return start


def test_every_product_is_there_and_fits_the_image(run, town):
    products = run.result.products
    assert set(products) == {"labels", "chips", "model", "probabilities", "classes", "polygons",
                             "coastline", "report", "overview"}
    assert all(path.exists() for path in products.values())
    with rasterio.open(town.image) as image:
        for name in ("labels", "probabilities", "classes"):
            with rasterio.open(products[name]) as raster:
                assert (raster.crs, raster.transform, raster.shape) == (
                    image.crs, image.transform, image.shape), name
    for name in ("polygons", "coastline"):
        frame = gpd.read_file(products[name])
        assert frame.crs == rasterio.open(town.image).crs
        assert frame.is_valid.all()


def test_the_map_is_better_than_the_commonest_class(run, town):
    with rasterio.open(run.result.products["classes"]) as raster, rasterio.open(town.truth) as made:
        mapped, truth = raster.read(1), made.read(1)
    known = (truth != 255) & (mapped != 255)
    commonest = np.bincount(truth[known]).max() / known.sum()
    assert (mapped == truth)[known].mean() > commonest + 0.15


def test_polygons_cover_exactly_the_class_map(run):
    frame = gpd.read_file(run.result.products["polygons"])
    with rasterio.open(run.result.products["classes"]) as raster:
        mapped = (raster.read(1) != 255).sum() * abs(raster.transform.determinant)
    assert frame["area_m2"].sum() == pytest.approx(mapped, rel=1e-3)
    assert frame["confidence"].between(0, 1).all()


def messages_of(run):
    heard = []
    run(lambda fraction, message: heard.append(message))
    return heard


def test_a_second_run_keeps_everything(run):
    before = {path: path.stat().st_mtime_ns for path in run.folder.glob("*") if path.is_file()}
    heard = messages_of(run)
    assert sum("kept from before" in message for message in heard) == len(run.result.products)
    assert {path: path.stat().st_mtime_ns for path in run.folder.glob("*")
            if path.is_file()} == before


def test_only_what_depends_on_a_change_is_made_again(run, town):
    text = run.recipe.read_text(encoding="utf-8")
    run.recipe.write_text(text.replace("min_area = 12", "min_area = 60"), encoding="utf-8")
    kept = {message.split(":")[0] for message in messages_of(run) if "kept" in message}
    run.recipe.write_text(text, encoding="utf-8")
    assert {"labels", "chips", "model", "probabilities", "coastline", "report"} <= kept
    assert not {"classes", "polygons", "overview"} & kept


class Stop(Exception):
    """Stands for a power cut."""


def test_an_interrupted_training_goes_on_where_it_was(town, tmp_path, caplog):
    recipe = tmp_path / "town.toml"
    recipe.write_text(town_recipe(steps=4).replace("validate_every = 4", "validate_every = 2"),
                      encoding="utf-8")

    def start(progress=lambda fraction, message: None):
        return geoseg.run(recipe, image=town.image, osm=town.osm, out=tmp_path / "map",
                          device="cpu", progress=progress)

    def interrupt(fraction, message):
        if "step 3/" in message:
            raise Stop

    with pytest.raises(Stop):
        start(interrupt)
    assert not (tmp_path / "map" / "model.safetensors").exists()
    steps = []
    with caplog.at_level(logging.INFO, "geoseg"):
        start(lambda fraction, message: steps.extend(re.findall(r"step (\d+)/", message)))
    assert steps[0] == "3"
    assert read_card(tmp_path / "map" / "model.safetensors").training["steps"] == 4


def test_the_script_of_the_readme_runs(town, tmp_path, monkeypatch, capsys):
    script = README.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    assert len([line for line in script.splitlines() if line.strip()]) <= 25
    shutil.copy(town.image, tmp_path / "ortho.tif")
    shutil.copy(town.image, tmp_path / "ortho_2024.tif")
    shutil.copy(town.osm, tmp_path / "osm.gpkg")
    (tmp_path / "town.toml").write_text(town_recipe(steps=20), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(compile(script, "README.md", "exec"), {})
    said = capsys.readouterr().out
    assert "train" in said
    assert "mean of" in said
    assert (tmp_path / "report.html").exists()
    assert not gpd.read_file(tmp_path / "coast.gpkg").empty
