"""The engine's tasks: the real verbs, with parameters and answers as JSON has them."""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio

import geoseg
from geoseg.errors import GeosegError
from geoseg.geo.vector import read_layer
from geoseg.progress import silent
from geoseg.samples.chips import plan_chips
from geoseg.samples.plan import ChipPlan
from geoseg.tasks import _ANSWERS, _WITHOUT_VERB, load
from qgis_plugin.process import TaskCancelled, TaskFailed, run_task
from tests.cli.conftest import EXTRACT
from tests.learn.scenes import make_scene
from tests.plugin.engine import Worker
from tests.plugin.processes import Listener, assert_gone
from tests.worlds import make_model, write_image

WORKER = Path(geoseg.__file__).with_name("worker.py")

RECIPE = """
name = "made"
[[class]]
name = "land"
color = "#aa8855"
codes = [0]
[[class]]
name = "water"
color = "#3182bd"
osm = { natural = ["water"] }
codes = [1]
[chips]
size = 32
block = 2
[train]
encoder = "mobilenet_v2"
pretrained = false
steps = 6
batch = 2
validate_every = 3
precision = "32"
detail = 4
[predict]
tile = 64
[map]
water = "water"
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """A folder with a scene, a map of it to learn from, a recipe, a plan and a model."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "made.toml").write_text(RECIPE)
    (folder / "extract.osm").write_text(EXTRACT)
    image, labels = make_scene(folder)
    plan_chips(image, labels, recipe=folder / "made.toml", out=folder / "chips.gpkg")
    make_model(dtype="uint16", offset=1200.0, gain=200.0, high=2000.0).save(
        folder / "model.safetensors")
    return folder


def do(task: str, **params: object) -> dict:
    """Do a task in this process; its answer must be JSON."""
    answer = load(task)(json.loads(json.dumps(params, default=str)), silent)
    return json.loads(json.dumps(answer, allow_nan=False))


def through_worker(task: str, *, listener: Listener | None = None, **params: object) -> dict:
    """Do a task in the real worker."""
    return run_task(sys.executable, WORKER, task, json.loads(json.dumps(params, default=str)),
                    listener=listener or Listener(), version=geoseg.__version__)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def test_every_verb_is_a_task():
    verbs = {name for name in geoseg.__all__ if inspect.isfunction(getattr(geoseg, name))}
    of_arrays = {"encode_rle", "decode_rle"}
    assert set(_ANSWERS) == (verbs - of_arrays) | set(_WITHOUT_VERB)


def test_from_a_map_to_polygons_through_the_worker(world, tmp_path):
    """The steps that the plugin takes, each in a process of its own."""
    recipe = {"base": world / "made.toml", "classes": None, "settings": {"train.steps": 4}}
    image, listener = world / "image.tif", Listener()
    burnt = through_worker("burn_labels", sources=[world / "labels.tif"], recipe=recipe,
                           like=image, out=tmp_path / "labels.tif")
    with rasterio.open(world / "labels.tif") as dataset:
        water = float((dataset.read(1) == 1).mean())
    assert burnt["numbers"] == {"share_0": pytest.approx(1 - water),
                                "share_1": pytest.approx(water)}
    assert f"water: {water:.1%}" in burnt["text"]
    planned = through_worker("plan_chips", image=image, labels=burnt["files"]["out"],
                             recipe=recipe, split=[60, 20, 20], out=tmp_path / "chips.gpkg")
    plan = ChipPlan.read(planned["files"]["out"])
    assert planned["text"] == plan.table()
    assert planned["numbers"] == {f"chips_{split}": len(plan.rows(split))
                                  for split in ("train", "val", "test")}
    trained = through_worker("train", chips=tmp_path / "chips.gpkg", recipe=recipe, device="cpu",
                             out=tmp_path / "model.safetensors", listener=listener)
    card = geoseg.info(tmp_path / "model.safetensors")["card"]
    assert card["recipe"]["train"]["steps"] == trained["numbers"]["steps"] == 4
    assert trained["numbers"]["mean_iou"] == card["scores"]["mean_iou"]
    assert Path(trained["files"]["curves"]).is_file()
    assert any("loss" in (text or "") for _, text in listener.steps)
    assert any(level == "info" and "validation mean IoU" in text for level, text in listener.logs)
    mapped = through_worker("predict", model=trained["files"]["out"], image=image, device="cpu",
                            out=tmp_path / "proba.tif", uncertainty=tmp_path / "entropy.tif")
    assert all(Path(path).is_file() for path in mapped["files"].values())
    assert sorted(mapped["files"]) == ["out", "uncertainty"]
    drawn = through_worker("polygonize", classes=burnt["files"]["out"], only=["water"],
                           out=tmp_path / "polygons.gpkg")
    frame = read_layer(tmp_path / "polygons.gpkg")
    assert drawn["numbers"]["features"] == len(frame)
    assert drawn["numbers"]["area_m2"] == pytest.approx(water * 256 * 256 * 4, rel=2e-3)


def test_osm_is_counted_by_layer(world, tmp_path):
    answer = do("fetch_osm", aoi="14.9,45.1,15.1,45.2", recipe=world / "made.toml",
                file=world / "extract.osm", out=tmp_path / "osm.gpkg")
    assert answer["numbers"] == {"features": 1, "polygons": 1}
    assert answer["files"]["polygons"] == f"{tmp_path / 'osm.gpkg'}|layername=polygons"


def test_the_rest_of_the_chain(world, tmp_path):
    proba = do("predict", model=world / "model.safetensors", image=world / "image.tif", tile=64,
               device="cpu", out=tmp_path / "proba.tif")["files"]["out"]
    classes = do("classify", proba=proba, threshold={"water": 0.5}, out=tmp_path / "classes.tif")
    with rasterio.open(tmp_path / "classes.tif") as dataset:
        shares = np.bincount(dataset.read(1).ravel(), minlength=2) / 256 ** 2
    assert classes["numbers"] == {"share_0": pytest.approx(shares[0]),
                                  "share_1": pytest.approx(shares[1])}
    coast = do("trace_coastline", proba=proba, water="water", out=tmp_path / "coast.gpkg")
    lines = read_layer(tmp_path / "coast.gpkg")
    assert coast["numbers"] == {"features": len(lines), "lines": len(lines),
                                "length_m": pytest.approx(lines["length_m"].sum())}
    drawn = do("overview", image=world / "image.tif", classes=tmp_path / "classes.tif",
               out=tmp_path / "overview.png")
    tiles = do("export_chips", chips=world / "chips.gpkg", out=tmp_path / "tiles")
    assert tiles["numbers"]["chips"] == len(ChipPlan.read(world / "chips.gpkg").frame)
    for answer in (classes, coast, drawn, tiles):
        assert Path(answer["files"]["out"]).exists()


def test_scores_of_an_evaluation(world, tmp_path):
    answer = do("evaluate", model=world / "model.safetensors", chips=world / "chips.gpkg",
                split="val", device="cpu", out=tmp_path / "report.html")
    scores = json.loads(Path(answer["files"]["scores"]).read_text())
    assert answer["numbers"]["accuracy"] == scores["accuracy"]
    assert set(answer["numbers"]) == {"mean_iou", "accuracy", "mean_dice", "kappa", "ece"}
    assert "water" in answer["text"]


def test_information_on_a_file(world):
    answer = do("info", file=world / "image.tif")
    assert (answer["facts"]["kind"], answer["numbers"], answer["files"]) == ("raster", {}, {})
    assert "256 x 256 px" in answer["text"]


def test_the_whole_chain(world, tmp_path):
    settings = {"train.steps": 3, "refine.crf": True, "refine.appearance_range": 1.5}
    answer = do("run", recipe={"base": world / "made.toml", "settings": settings},
                image=world / "image.tif", labels=[world / "labels.tif"], device="cpu",
                out=tmp_path / "map")
    made = answer["files"]
    assert {"out", "labels", "chips", "model", "probabilities", "refined", "classes", "polygons",
            "report", "overview"} <= set(made)
    assert all(Path(path).exists() for path in made.values())
    again = do("refine", proba=made["probabilities"], image=world / "image.tif", device="cpu",
               appearance_range=1.5, out=tmp_path / "refined.tif")
    do("classify", proba=again["files"]["out"], out=tmp_path / "classes.tif")
    with rasterio.open(made["classes"]) as mapped, rasterio.open(tmp_path / "classes.tif") as other:
        np.testing.assert_array_equal(mapped.read(), other.read())
    scores = json.loads((tmp_path / "map" / "report.json").read_text())
    assert answer["numbers"]["mean_iou"] == scores["mean_iou"]
    assert answer["numbers"]["features"] == len(read_layer(Path(made["polygons"])))
    assert answer["numbers"]["chips_train"] > 0
    assert ("coastline" in made) == ("length_m" in answer["numbers"])


def test_the_installation_is_tried_out():
    listener = Listener()
    answer = through_worker("check", device="cpu", listener=listener)
    assert answer["device"] == "cpu"
    assert answer["versions"]["rasterio"] == rasterio.__version__
    assert answer["versions"]["geoseg"] == geoseg.__version__
    assert "works" in answer["text"]
    assert listener.steps[-1] == (1.0, "everything works")


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "osmnx", None)
    with pytest.raises(GeosegError, match=r"package osmnx: cannot be imported .*engine\.lock\.$"):
        load("check")({}, silent)


def test_the_shipped_recipes_are_listed():
    answer = do("recipes")
    assert answer["recipes"]["water"].startswith("Open water")
    assert "landcover-osm" in answer["text"]


@pytest.mark.parametrize(("task", "params", "says"), [
    ("predikt", {}, "'predikt': is not known. Did you mean 'predict'?"),
    ("Recipe", {}, "is not known"),
    ("predict", {"modl": "m"}, "no parameter 'modl'. Did you mean 'model'?"),
    ("predict", {"progress": 1}, "no parameter 'progress'"),
    ("predict", {"model": "m", "image": "i"}, "predict: needs the parameter 'out'"),
    ("info", {"file": "gone.tif"}, "gone.tif: does not exist"),
    ("train", {"chips": "c", "recipe": "r", "out": "o", "devices": 2}, "devices: is 2"),
    ("burn_labels", {"sources": [], "like": "i", "out": "o.tif",
                     "recipe": {"base": "water", "klasses": []}}, "no part 'klasses'"),
    ("burn_labels", {"sources": [], "like": "i", "out": "o.tif", "recipe": {}}, "has no base"),
    ("burn_labels", {"sources": [], "like": "i", "out": "o.tif",
                     "recipe": {"base": "water", "settings": {"train.stepps": 1}}}, "stepps"),
])
def test_what_is_not_understood_is_said_in_a_sentence(task, params, says):
    with pytest.raises(GeosegError) as error:
        load(task)(params, silent)
    assert says in str(error.value)


def test_an_error_comes_through_the_worker_as_it_is(world, tmp_path):
    with pytest.raises(TaskFailed) as error:
        through_worker("polygonize", classes=world / "image.tif", out=tmp_path / "o.gpkg")
    assert error.value.kind == "user"
    assert str(world / "image.tif") in str(error.value)
    assert names(tmp_path) == []


LONG = {"train.steps": 100_000, "train.validate_every": 100_000}


def test_cancelling_a_training_leaves_nothing(world, tmp_path):
    listener = Listener(lambda self: any("step 2/" in (text or "") for _, text in self.steps))
    with pytest.raises(TaskCancelled):
        through_worker("train", chips=world / "chips.gpkg", device="cpu", listener=listener,
                       recipe={"base": world / "made.toml", "settings": LONG},
                       out=tmp_path / "out" / "model.safetensors")
    assert names(tmp_path) == []


def test_cancelling_a_prediction_leaves_nothing(world, tmp_path):
    pixels = np.random.default_rng(0).integers(900, 1500, (3, 1024, 1024), dtype=np.uint16)
    image = write_image(tmp_path / "large.tif", pixels)
    listener = Listener(lambda self: self.steps)
    with pytest.raises(TaskCancelled):
        through_worker("predict", model=world / "model.safetensors", image=image, tile=32,
                       overlap=0.5, tta="d4", device="cpu", listener=listener,
                       out=tmp_path / "proba.tif", uncertainty=tmp_path / "entropy.tif")
    assert max(fraction for fraction, _ in listener.steps) < 1
    assert names(tmp_path) == ["large.tif"]


def test_the_death_of_the_caller_leaves_neither_file_nor_process(world, tmp_path):
    with Worker(WORKER) as worker:
        worker.ask("train", chips=str(world / "chips.gpkg"), device="cpu",
                   recipe={"base": str(world / "made.toml"), "settings": LONG},
                   out=str(tmp_path / "model.safetensors"))
        while "step 2/" not in worker.hear_until("progress")["text"]:
            pass
        worker.leave()
        worker.stop_listening()
        assert_gone(worker.group, 60.0)
    assert names(tmp_path) == []
