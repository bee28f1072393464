"""Comparisons: the numbers are those of the models, and stay so however the work is cut up."""

from __future__ import annotations

import csv
import json
import os
import statistics

import numpy as np
import pytest
import rasterio

from geoseg.comparison.compare import compare
from geoseg.errors import PlanError, RecipeError
from geoseg.learn.model import Model
from geoseg.learn.train import train
from geoseg.samples.chips import plan_chips
from tests.learn.scenes import make_plan, make_recipe, make_scene

pytest.importorskip("optuna")

VARY = {"train.loss": ["ce", "dice"]}
RECIPE = make_recipe(steps=3, validate_every=3, detail=0, network="classic-unet", width=4, depth=3)
TIMES = {"cpu_seconds", "wall_seconds"}


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    return make_plan(tmp_path_factory.mktemp("scene"))


@pytest.fixture(scope="module")
def found(plan, tmp_path_factory):
    """Two settings with two seeds each, done in one go."""
    return compare(plan, RECIPE, out=tmp_path_factory.mktemp("whole"), vary=VARY, seeds=2,
                   device="cpu")


def table(folder):
    """Return results.csv without the measured times."""
    with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
        return [{key: value for key, value in row.items() if key not in TIMES}
                for row in csv.DictReader(file)]


def iou_by_hand(model: Model, plan, split):
    """Map every chip of a split and count, with nothing of the engine but the network itself."""
    legend = plan.legend
    hits, unions = np.zeros(len(legend)), np.zeros(len(legend))
    for row in plan.rows(split).itertuples():
        window = rasterio.windows.Window(row.col, row.row, row.width, row.height)
        with rasterio.open(row.scene) as image, rasterio.open(row.label) as labels:
            values, truth = image.read(window=window), labels.read(1, window=window)
        chance = model.probabilities(values[None], np.ones_like(values[None], bool))[0, 1]
        # Thresholds are kept as multiples of 1/512, and probabilities are counted in such bins.
        made = np.floor(chance * 512) >= round(model.card.thresholds["water"] * 512)
        for value in range(len(legend)):
            hits[value] += ((made == value) & (truth == value)).sum()
            unions[value] += ((made == value) | (truth == value)).sum()
    return hits / unions


def test_the_table_holds_what_the_models_score(plan, found):
    folder = found.report.parent
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert {setting["name"] for setting in results["settings"]} == {"ce", "dice"}
    for setting in results["settings"]:
        values = []
        for run in setting["runs"]:
            by_hand = iou_by_hand(Model.load(folder / run["model"], device="cpu"), plan, "val")
            assert [run["iou:land"], run["iou:water"]] == pytest.approx(by_hand.tolist(), abs=2e-3)
            assert run["mean_iou"] == pytest.approx(by_hand.mean(), abs=2e-3)
            values.append(run["mean_iou"])
        assert setting["mean"]["mean_iou"] == pytest.approx(sum(values) / 2)
        assert setting["sd"]["mean_iou"] == pytest.approx(abs(values[0] - values[1]) / 2 ** 0.5)
        assert setting["runs"][0]["cpu_seconds"] > 0
    means = [setting["mean"]["mean_iou"] for setting in results["settings"]]
    assert means == sorted(means, reverse=True)
    assert found.best.name == results["settings"][0]["name"]


def test_a_run_is_what_train_makes_of_the_setting(plan, found, tmp_path):
    dice = next(row for row in found.rows if row.name == "dice")
    recipe = RECIPE.model_copy(update={
        "train": RECIPE.train.model_copy(update={"loss": "dice", "seed": 1})})
    model = train(plan, recipe, out=tmp_path / "m.safetensors", device="cpu")
    run = dice.seeds[1]
    assert run.seed == 1
    assert run.outcome.scores.mean_iou == pytest.approx(model.card.scores["mean_iou"], abs=2e-3)
    assert run.outcome.history == model.card.training["history"]
    # Convolutions, norms and biases of a U-Net of 4, 8 and 16 channels, as torch counts them.
    assert run.outcome.parameters == sum(p.numel() for p in model.network.parameters())


class Stop(Exception):
    """Stands for a power cut."""


def stop_at(words):
    def progress(fraction, message):
        if words in message:
            raise Stop
    return progress


def test_a_comparison_that_was_stopped_twice_ends_with_the_same_table(plan, found, tmp_path):
    """Once after the first run, once within a later one."""
    kept = {}
    for words in ("seed 0: best validation", "seed 1: step 2/3"):
        with pytest.raises(Stop):
            compare(plan, RECIPE, out=tmp_path, vary=VARY, seeds=2, device="cpu",
                    progress=stop_at(words))
        assert not (tmp_path / "results.csv").exists()
        kept |= {path: path.stat().st_mtime_ns for path in tmp_path.rglob("seed-*/model.*")}
    compare(plan, RECIPE, out=tmp_path, vary=VARY, seeds=2, device="cpu")
    assert table(tmp_path) == table(found.report.parent)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_what_is_added_later_keeps_what_is_there(plan, found):
    folder = found.report.parent
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("model.safetensors")}
    more = compare(plan, RECIPE, out=folder, vary=VARY, seeds=(0, 1), device="cpu", split="test")
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("model.safetensors")} == before
    assert "has no test any more" in " ".join(more.sentences)
    best = more.best.seeds[0]
    by_hand = iou_by_hand(Model.load(best.model, device="cpu"), plan, "test")
    assert best.outcome.scores.mean_iou == pytest.approx(by_hand.mean(), abs=2e-3)
    again = compare(plan, RECIPE, out=folder, vary=VARY, seeds=2, device="cpu")
    assert [row.mean for row in again.rows] == [row.mean for row in found.rows]


def test_side_by_side_gives_the_same_numbers_and_stops_as_a_whole(plan, found, tmp_path):
    with pytest.raises(Stop):
        compare(plan, RECIPE, out=tmp_path, vary={"train.loss": ["ce"]}, seeds=1, jobs=2,
                device="cpu", progress=stop_at("seed 0: "))
    if os.name == "posix":
        with pytest.raises(ChildProcessError):  # there is none left to wait for
            os.waitpid(-1, os.WNOHANG)
    both = compare(plan, RECIPE, out=tmp_path, vary=VARY, seeds=1, jobs=2, device="cpu")
    alone = {row.name: row.seeds[0].outcome for row in found.rows}
    for row in both.rows:
        assert row.seeds[0].outcome.scores.mean_iou == pytest.approx(
            alone[row.name].scores.mean_iou, abs=1e-3)
    assert both.sentences[1].startswith("One seed: no spread known.")
    assert not list(tmp_path.rglob("process.txt"))


def test_a_search_tries_what_it_may_and_goes_on_alike(plan, tmp_path):
    def search(out, progress=lambda fraction, message: None):
        return compare(plan, RECIPE, out=out, seeds=1, sampler="tpe", trials=3, device="cpu",
                       vary={"train.loss": ["ce", "dice"], "train.learning_rate": "1e-4..1e-2"},
                       progress=progress)

    def interrupt(fraction, message):
        if fraction > 0.5 and "step 1/3" in message:
            raise Stop

    whole = search(tmp_path / "a")
    rates = [row.setting.recipe.train.learning_rate for row in whole.rows]
    assert len(set(rates)) == 3
    assert all(1e-4 <= rate <= 1e-2 for rate in rates)
    with pytest.raises(Stop):
        search(tmp_path / "b", interrupt)
    assert [row.name for row in search(tmp_path / "b").rows] == [row.name for row in whole.rows]


def test_a_setting_that_explodes_comes_last_and_is_said(plan, tmp_path):
    found = compare(plan, RECIPE, out=tmp_path, seeds=1, device="cpu", settings=[
        {"name": "wild", "train.learning_rate": 1e30, "train.clip": 1e30},
        {"name": "calm", "train": {"learning_rate": 1e-3}}])
    assert [row.name for row in found.rows] == ["calm", "wild"]
    assert found.rows[1].seeds[0].outcome is None
    assert "Could not be trained: wild with seed 0" in " ".join(found.sentences)
    assert "wild" in found.report.read_text(encoding="utf-8")


MISTAKES = [
    ({"vary": {"train.loss": ["ce", "dise"]}}, "dise"),
    ({"vary": {"train.los": ["ce"]}}, "train.loss|los"),
    ({"vary": {"train.learning_rate": [1e-3, -1.0]}}, "greater than 0"),
    ({"vary": {"train.encoder": ["mobilenet_v2", "mobilnet"], "train.network": ["unet"]}},
     "mobilnet"),
    ({"vary": ["train.loss"]}, "KEY=VALUE"),
    ({"vary": {"train.seed": [1, 2]}}, "--seeds"),
    ({"vary": {"chips.size": [32, 64]}}, "share one chip plan"),
    ({"vary": {"predict.tta": ["none", "d4"]}}, "does not change the trained network"),
    ({"vary": {"train.loss": ["ce", "ce"]}}, "same value twice"),
    ({"vary": VARY, "settings": [{"name": "a", "train.loss": "ce"}]}, "varied twice"),
    ({"settings": [{"train.loss": "ce"}]}, "no name"),
    ({}, "nothing to compare"),
    ({"vary": VARY, "seeds": 0}, "at least 1"),
    ({"vary": VARY, "sampler": "tpe"}, "number of trials"),
    ({"vary": {"train.learning_rate": "1e-4..1e-2"}}, "countless"),
    ({"vary": VARY, "metric": "iou:wood"}, "iou:CLASS"),
    ({"vary": VARY, "split": "test", "sampler": "tpe", "trials": 2}, "cannot guide a search"),
    ({"vary": VARY, "jobs": 0}, "at least one"),
]


@pytest.mark.parametrize(("given", "says"), MISTAKES)
def test_a_mistake_is_told_before_anything_is_trained(plan, tmp_path, given, says):
    with pytest.raises(RecipeError, match=says):
        compare(plan, RECIPE, out=tmp_path / "out", device="cpu", **given)
    assert not (tmp_path / "out").exists()


def test_another_plan_in_the_same_folder_is_refused(plan, found, tmp_path):
    image, labels = make_scene(tmp_path)
    other = plan_chips(image, labels, size=32, block=2, split=(50, 25, 25),
                       out=tmp_path / "chips.gpkg")
    before = table(found.report.parent)
    with pytest.raises(PlanError, match="is not the plan"):
        compare(other, RECIPE, out=found.report.parent, vary=VARY, seeds=2, device="cpu")
    assert table(found.report.parent) == before


def test_the_page_opens_offline_and_shows_every_setting(found):
    page = found.report.read_text(encoding="utf-8")
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert page.count("data:image/svg+xml") == 5
    for row in found.rows:
        assert f"{row.mean:.3f} ± {statistics.stdev(row.values('mean_iou')):.3f}" in page
    assert "never their heights" in page
