"""Training: resumed equals uninterrupted, crops stay in their split, it really learns."""

import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
import torch
from lightning_fabric import Fabric

from geoseg.errors import OutputError, PlanError, TrainingError
from geoseg.learn.card import read_card
from geoseg.learn.container import read_container
from geoseg.learn.dataset import Scenes, TrainingCrops
from geoseg.learn.learner import Learner
from geoseg.learn.model import Model
from geoseg.learn.preflight import make_card
from geoseg.learn.train import train
from geoseg.progress import silent
from geoseg.recipe import AugmentRecipe, Recipe
from tests.learn.scenes import make_plan, make_recipe


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    return make_plan(tmp_path_factory.mktemp("scene"))


def weights(path: Path) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in read_container(path, "model")[1].items()}


class Stop(Exception):
    """Stands for a power cut inside the progress callback."""


TINY = {"network": "classic-unet", "width": 4, "depth": 3, "detail": 0}


@pytest.mark.parametrize("settings", [
    {}, {**TINY, "optimizer": "muon", "schedule": "plateau", "curriculum": 0.8}])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(plan, tmp_path, settings):
    recipe = make_recipe(steps=7, **settings)
    train(plan, recipe, out=tmp_path / "whole.safetensors", device="cpu")

    def interrupt(fraction, message):
        if message.startswith("step 5/"):
            raise Stop

    with pytest.raises(Stop):
        train(plan, recipe, out=tmp_path / "m.safetensors", device="cpu", progress=interrupt)
    assert not (tmp_path / "m.safetensors").exists()
    train(plan, recipe, out=tmp_path / "m.safetensors", device="cpu", resume=True)
    assert weights(tmp_path / "m.safetensors") == weights(tmp_path / "whole.safetensors")
    assert (weights(tmp_path / "m-run" / "last.safetensors")
            == weights(tmp_path / "whole-run" / "last.safetensors"))
    assert (read_card(tmp_path / "m.safetensors").scores
            == read_card(tmp_path / "whole.safetensors").scores)


KILLED = """
import sys
from tests.learn.scenes import make_recipe
from geoseg.learn.train import train
train(sys.argv[1], make_recipe(steps=40), out=sys.argv[2], device="cpu",
      resume=sys.argv[3] == "resume")
"""


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_weights(plan, tmp_path):
    def start(name, how):
        return subprocess.Popen([sys.executable, "-c", KILLED, str(plan.path),
                                 str(tmp_path / f"{name}.safetensors"), how],
                                cwd=Path(__file__).parents[2])

    assert start("whole", "new").wait() == 0
    child = start("killed", "new")
    state = tmp_path / "killed-run" / "state.safetensors"
    while not state.exists() and child.poll() is None:
        time.sleep(0.05)
    time.sleep(0.5)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert start("killed", "resume").wait() == 0
    assert weights(tmp_path / "killed.safetensors") == weights(tmp_path / "whole.safetensors")


def test_it_learns_and_says_so(plan, tmp_path, caplog):
    recipe = make_recipe(steps=60, validate_every=20, learning_rate=5e-3, dropout=0.0,
                         **{**TINY, "width": 8})
    model = train(plan, recipe, out=tmp_path / "m.safetensors", device="cpu")
    assert model.card.scores["mean_iou"] > 0.9
    run = tmp_path / "m-run"
    history = json.loads((run / "history.json").read_text())
    assert [entry["step"] for entry in history] == [20, 40, 60]
    assert model.card.training["best_step"] in (20, 40, 60)
    assert (run / "curves.png").stat().st_size > 5000
    assert "Step 60" in (run / "train.log").read_text()
    assert json.loads((run / "recipe.json").read_text()) == recipe.to_dict()
    footprint = shapely.geometry.shape(model.card.training["footprint"])
    assert footprint.within(shapely.box(14.9, 45.1, 15.1, 45.2))


def test_the_card_holds_the_statistics_of_the_training_pixels(plan):
    card = make_card(plan, make_recipe(), "32", silent)
    rows = plan.rows("train")
    with rasterio.open(rows.iloc[0]["scene"]) as dataset:
        image = dataset.read()
    pixels = np.concatenate([image[:, r.row:r.row + r.height, r.col:r.col + r.width].reshape(3, -1)
                             for r in rows.itertuples()], axis=1)
    np.testing.assert_allclose([band.offset for band in card.bands], pixels.mean(1))
    np.testing.assert_allclose([band.gain for band in card.bands], pixels.std(1))
    assert card.resolution == pytest.approx(2, rel=1e-3)


@pytest.fixture
def crops(plan):
    card = make_card(plan, make_recipe(), "32", silent)
    with Scenes() as scenes:
        yield TrainingCrops(scenes, plan.rows("train"), card.bands, AugmentRecipe(), 32, seed=5)


def test_crops_never_leave_the_training_chips(plan, crops):
    other = plan.frame[plan.frame["split"] != "train"]
    elsewhere = shapely.union_all(shapely.box(
        other["col"], other["row"], other["col"] + other["width"], other["row"] + other["height"]))
    sizes, moved = set(), 0
    for seed in range(600):
        random = np.random.default_rng(seed)
        chip = seed % len(plan.rows("train"))
        window, factor = crops.draw_window(chip, random)
        assert window.width == round(32 * factor) or (window.width < 32 and factor == 1)
        square = shapely.box(window.col_off, window.row_off, window.col_off + window.width,
                             window.row_off + window.height)
        assert square.distance(elsewhere) >= plan.gap
        sizes.add(window.width)
        row = plan.rows("train").iloc[chip]
        moved += (window.col_off, window.row_off) != (row["col"], row["row"])
    assert min(sizes) < 28
    assert max(sizes) > 36
    assert moved > 500


def test_crops_are_a_function_of_seed_and_step(crops):
    images, labels = crops.batch(3, 2)
    again, _ = crops.batch(3, 2)
    np.testing.assert_array_equal(images, again)
    assert not np.array_equal(images, crops.batch(4, 2)[0])
    np.testing.assert_array_equal(images[1], crops.crop(3, 1)[0])
    assert set(np.unique(labels)) <= {0, 1, 255}


def test_a_run_of_another_recipe_is_not_resumed(plan, tmp_path):
    train(plan, make_recipe(steps=2), out=tmp_path / "m.safetensors", device="cpu")
    with pytest.raises(TrainingError, match="another recipe or chip plan"):
        train(plan, make_recipe(steps=2, seed=1), out=tmp_path / "m.safetensors", device="cpu",
              resume=True, overwrite=True)
    with pytest.raises(TrainingError, match="no training state to resume"):
        train(plan, make_recipe(), out=tmp_path / "n.safetensors", device="cpu", resume=True)


def test_a_model_is_not_overwritten_unasked(plan, tmp_path):
    (tmp_path / "m.safetensors").write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already"):
        train(plan, make_recipe(), out=tmp_path / "m.safetensors")
    assert (tmp_path / "m.safetensors").read_bytes() == b"precious"


def test_a_plan_of_other_classes_is_refused(plan, tmp_path):
    with pytest.raises(PlanError, match="holds the classes land, water, but recipe buildings has"):
        train(plan, Recipe.read("buildings"), out=tmp_path / "m.safetensors")


def test_early_stopping_keeps_the_best(plan, tmp_path):
    """And the learning rate falls meanwhile, at each validation that is no better."""
    recipe = make_recipe(steps=500, validate_every=1, patience=2, learning_rate=1e-9, **TINY,
                         schedule="plateau", decay_every=1, decay_factor=0.1)
    model = train(plan, recipe, out=tmp_path / "m.safetensors", device="cpu")
    history = model.card.training["history"]
    assert len(history) < 20
    scores = [entry["val_mean_iou"] for entry in history]
    assert max(scores[:-2]) >= max(scores[-2:])
    last = max(place for place, score in enumerate(scores) if score == max(scores))
    assert model.card.training["best_step"] == history[last]["step"]
    assert history[-1]["learning_rate"] == pytest.approx(0.1 * history[-2]["learning_rate"])


def test_an_epoch_has_as_many_crops_as_there_are_training_chips(plan, tmp_path):
    """Two steps and a bit are an epoch; the rate falls after the second and the third."""
    chips = len(plan.rows("train"))
    batch = chips // 2 - 1
    recipe = make_recipe(steps=8, batch=batch, validate_every=1, patience=8, **TINY,
                         schedule="step", decay_start=2, decay_every=1, decay_factor=0.5)
    history = train(plan, recipe, out=tmp_path / "m.safetensors",
                    device="cpu").card.training["history"]
    done = [batch * step / chips for step in range(8)]
    assert [entry["learning_rate"] for entry in history] == [
        1e-3 if epochs < 2 else 0.5e-3 if epochs < 3 else 0.25e-3 for epochs in done]
    assert done[-1] > 3


def diverge(plan, path, **settings):
    """Train so that weight decay multiplies the weights by -3 at each step."""
    recipe = make_recipe(**TINY, optimizer="sgd", schedule="constant", momentum=0.0, loss="ce",
                         learning_rate=1.0, weight_decay=4.0, steps=80, **settings)
    with pytest.raises(TrainingError) as caught:
        train(plan, recipe, out=path, device="cpu")
    return str(caught.value), recipe


def test_a_run_that_diverges_keeps_its_best_model_and_its_last_state(plan, tmp_path):
    message, recipe = diverge(plan, tmp_path / "m.safetensors", validate_every=4)
    run = tmp_path / "m-run"
    assert "not finite numbers. Lower learning_rate" in message
    assert f"is {run / 'best.safetensors'}" in message
    assert not (tmp_path / "m.safetensors").exists()
    best = Model.load(run / "best.safetensors", device="cpu")
    assert torch.isfinite(best.logits(torch.randn(1, 3, 32, 32))).all()
    document, tensors = read_container(run / "state.safetensors", "training state")
    assert document["step"] == document["history"][-1]["step"] > 4
    assert all(np.isfinite(tensor).all() for tensor in tensors.values())
    with pytest.raises(TrainingError, match="not finite numbers"):
        train(plan, recipe, out=tmp_path / "m.safetensors", device="cpu", resume=True)


def test_numbers_that_overflow_before_any_validation_leaves_nothing(plan, tmp_path):
    message, _ = diverge(plan, tmp_path / "m.safetensors", validate_every=80)
    assert re.match(r"step \d+: has a (gradient that is not finite|loss of (inf|nan))\. .* "
                    r"extreme values\.$", message)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_an_absurd_rate_is_noticed_at_once(plan, tmp_path, optimizer):
    recipe = make_recipe(**TINY, optimizer=optimizer, learning_rate=1e30, validate_every=1)
    with pytest.raises(TrainingError, match="validation at step 1: finds"):
        train(plan, recipe, out=tmp_path / "m.safetensors", device="cpu")


def test_a_gradient_that_is_not_finite_leaves_the_weights_alone(plan, monkeypatch):
    """The square root has a finite value at 0, and no finite slope."""
    recipe = make_recipe(**TINY)
    learner = Learner(Fabric(accelerator="cpu"), recipe, plan, make_card(plan, recipe, "32",
                                                                         silent))
    images = np.random.default_rng(0).normal(size=(2, 3, 32, 32)).astype(np.float32)
    labels = np.zeros((2, 1, 32, 32), np.uint8)
    assert np.isfinite(learner.step(0, 1.0, images, labels))
    before = [parameter.detach().clone() for parameter in learner.bare.parameters()]
    monkeypatch.setattr("geoseg.learn.losses.Loss.forward",
                        lambda self, logits, labels: 1 + (0 * logits).sum().sqrt())
    with pytest.raises(FloatingPointError, match="a gradient that is not finite"):
        learner.step(1, 1.0, images, labels)
    for old, new in zip(before, learner.bare.parameters(), strict=True):
        assert torch.equal(old, new)


def test_what_comes_after_training_does_not_hinder_resuming(plan, tmp_path):
    recipe = make_recipe(steps=2, **TINY)
    train(plan, recipe, out=tmp_path / "m.safetensors", device="cpu")
    later = Recipe.model_validate({**recipe.to_dict(), "predict": {"tta": "d4"},
                                   "refine": {"crf": True}, "map": {"min_area": 7}})
    train(plan, later, out=tmp_path / "m.safetensors", device="cpu", resume=True, overwrite=True)


def test_missing_pretrained_weights_are_said_and_training_goes_on(plan, tmp_path, caplog,
                                                                  monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with caplog.at_level(logging.WARNING, "geoseg"):
        train(plan, make_recipe(steps=1, encoder="resnet18", pretrained=True),
              out=tmp_path / "m.safetensors", device="cpu")
    assert "Pretrained weights for resnet18 could not be fetched" in caplog.text
    assert Model.load(tmp_path / "m.safetensors").card.scores


@pytest.mark.slow
def test_two_processes_share_a_step(plan, tmp_path):
    """DDP on two CPU processes, started by Fabric from a script, as a user would."""
    script = tmp_path / "go.py"
    script.write_text(
        "import sys\nfrom tests.learn.scenes import make_recipe\n"
        "from geoseg.learn.train import train\n"
        "train(sys.argv[1], make_recipe(steps=4, dropout=0.0), out=sys.argv[2], device='cpu', "
        "devices=2)\n")
    subprocess.run([sys.executable, script, str(plan.path), str(tmp_path / "m.safetensors")],
                   cwd=Path(__file__).parents[2], check=True, timeout=240,
                   env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])})
    assert Model.load(tmp_path / "m.safetensors").card.training["steps"] == 4


def test_overlapping_classes_train_on_one_band_each(tmp_path):
    from geoseg.geo.grid import Grid
    from geoseg.geo.legend import Legend
    from geoseg.geo.raster import open_raster
    from geoseg.geo.writing import raster_writer
    from geoseg.samples.chips import plan_chips
    from tests.learn.scenes import make_scene

    image, exclusive = make_scene(tmp_path)
    recipe = make_recipe("overlapping", steps=30, validate_every=30, learning_rate=5e-3,
                         presence=0.2)
    with open_raster(exclusive) as dataset:
        water, grid = dataset.read(1), Grid.of(dataset)
    with raster_writer(tmp_path / "bands.tif", grid, count=2, dtype="uint8", nodata=255,
                       legend=Legend(recipe.legend.classes, overlapping=True)) as write:
        write(np.stack([np.ones_like(water), water]), grid.window)
    plan = plan_chips(image, tmp_path / "bands.tif", size=32, block=2, out=tmp_path / "c.gpkg")
    model = train(plan, recipe, out=tmp_path / "m.safetensors", device="cpu")
    assert set(model.card.thresholds) == {"land", "water"}
    values = np.full((1, 3, 32, 32), 1400, np.uint16)
    probabilities = model.probabilities(values, np.ones_like(values, bool))
    assert probabilities[0, 0].mean() > 0.7
    assert torch.is_tensor(model.logits(torch.zeros(1, 3, 32, 32)))
