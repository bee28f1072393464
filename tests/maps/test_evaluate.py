"""The verb `evaluate`: right pixels, right chips, right words when something is wrong."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
import torch
from rasterio.windows import from_bounds
from torch import nn

from geoseg.errors import ModelError, OutputError, PlanError, RasterError
from geoseg.geo.grid import Grid
from geoseg.geo.legend import IGNORE, Legend, LegendClass
from geoseg.geo.raster import open_raster
from geoseg.geo.writing import raster_writer
from geoseg.learn.metrics import Tally
from geoseg.learn.networks import Reduced
from geoseg.maps.evaluate import MARGIN, evaluate
from geoseg.maps.predict import predict
from geoseg.maps.probabilities import read_probabilities
from geoseg.samples.plan import ChipPlan
from tests.worlds import make_model, pointwise, write_image

SIZE = 64
NAMES = ("land", "water")


class Echo(nn.Module):
    """A network that sees the class in the first band, and is more or less sure of it."""

    def __init__(self, classes, *, overlapping=False, sharpness=20):
        super().__init__()
        self.sharpness = sharpness
        self.classes = nn.Parameter(torch.arange(classes, dtype=torch.float32))
        self.overlapping = overlapping

    def forward(self, batch):
        if self.overlapping:
            return (batch - 0.5) * self.sharpness
        return -self.sharpness * (batch[:, :1] - self.classes[:, None, None]).abs()


def make_legend(names=NAMES, *, overlapping=False):
    return Legend(tuple(LegendClass(i, name, f"#{40 * i + 20:02x}8080")
                        for i, name in enumerate(names)), overlapping)


def make_scene(folder, image, labels, *, legend=None, split=lambda column, row: "test",
               nodata=None):
    """Write a scene with its labels, and plan all its whole chips."""
    legend = legend or make_legend()
    folder.mkdir(exist_ok=True)
    scene = write_image(folder / "scene.tif", image, nodata=nodata)
    with open_raster(scene) as dataset:
        grid = Grid.of(dataset)
    labels = labels if labels.ndim == 3 else labels[None]
    with raster_writer(folder / "labels.tif", grid, count=len(labels), dtype="uint8", nodata=IGNORE,
                       legend=legend, is_categorical=True) as write:
        write(labels, grid.window)
    rows = [make_row(folder, grid, column, row, labels, legend, split(column, row))
            for row in range(0, grid.height - SIZE + 1, SIZE)
            for column in range(0, grid.width - SIZE + 1, SIZE)]
    return ChipPlan(gpd.GeoDataFrame(rows, crs=grid.pyproj_crs), legend, SIZE, 0, 0)


def make_row(folder, grid, column, row, labels, legend, split):
    part = labels[:, row:row + SIZE, column:column + SIZE]
    known = part != IGNORE
    left, top = grid.transform @ (column, row)
    right, bottom = grid.transform @ (column + SIZE, row + SIZE)
    shares = {f"share_{c}": float(((part[c] == 1) if legend.overlapping else (part[0] == c)).sum()
                                  / max(known[0].sum(), 1)) for c in range(len(legend))}
    return {"scene": str(folder / "scene.tif"), "label": str(folder / "labels.tif"), "col": column,
            "row": row, "width": SIZE, "height": SIZE, "split": split, "block": 0,
            "valid": float(known.any(axis=0).mean()), "weight": 1.0, **shares,
            "geometry": shapely.box(left, bottom, right, top)}


def blobs(shape, classes, seed=0):
    """Labels in patches of 8 pixels."""
    coarse = np.random.default_rng(seed).integers(classes, size=(-(-shape[0] // 8),
                                                                 -(-shape[1] // 8)))
    return np.kron(coarse, np.ones((8, 8), int))[:shape[0], :shape[1]].astype(np.uint8)


def with_mistakes(labels, share=0.2, seed=1):
    """An image that shows the labels, but for some pixels."""
    rng = np.random.default_rng(seed)
    wrong = rng.random(labels.shape) < share
    return np.where(wrong, 1 - labels, labels).astype(np.uint8)


def test_scores_are_those_of_exactly_the_chips_of_the_split(tmp_path):
    labels = blobs((192, 256), 2)
    image = with_mistakes(labels)
    plan = make_scene(tmp_path, image[None], labels,
                      split=lambda column, row: "test" if column >= 128 else "train")
    seen = []
    scores = evaluate(make_model(Echo(2), bands=1), plan, out=tmp_path / "report.html",
                      progress=lambda fraction, message: seen.append(fraction))
    truth, made = labels[:192, 128:256], image[:192, 128:256]
    expected = np.array([[((truth == t) & (made == p)).sum() for p in (0, 1)] for t in (0, 1)])
    np.testing.assert_array_equal(scores.confusion[0], expected)
    assert scores.pixels == truth.size
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert json.loads((tmp_path / "report.json").read_text()) == scores.to_dict()


def test_pixels_without_image_or_label_are_ignored(tmp_path):
    labels = blobs((64, 128), 2)
    image = labels + np.uint8(1)
    image[:20] = 0
    holed = labels.copy()
    holed[:, :10] = IGNORE
    plan = make_scene(tmp_path, image[None], holed, nodata=0)
    model = make_model(Echo(2), bands=1, offset=1.0)
    scores = evaluate(model, plan, out=tmp_path / "report.html")
    assert scores.pixels == 44 * 118
    assert scores.accuracy == 1
    assert "The worst chips" not in Path(tmp_path / "report.html").read_text()


@pytest.mark.parametrize("reduce", [1, 2])
def test_chips_are_seen_with_the_image_around_them(tmp_path, reduce):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (3, 192, 192)).astype(np.uint8)
    labels = blobs((192, 192), 2)
    plan = make_scene(tmp_path, image, labels,
                      split=lambda column, row: "test" if column == row == 64 else "train")
    network = nn.Conv2d(3, 2, 2 * MARGIN + 1, padding=MARGIN)
    torch.manual_seed(0)
    nn.init.normal_(network.weight, std=0.01)
    model = make_model(Reduced(network, reduce), gain=100.0, offset=127.0)
    card = model.card.network.model_copy(update={"reduce": reduce})
    model = replace(model, card=model.card.model_copy(update={"network": card}))
    scores = evaluate(model, plan, out=tmp_path / "report.html")
    whole = model.probabilities(image[None], np.ones((1, 3, 192, 192), bool))
    tally = Tally(plan.legend, boundary=True)
    tally.add(whole[..., 64:128, 64:128], labels[None, 64:128, 64:128])
    assert 0.3 < scores.accuracy < 0.7
    assert scores.accuracy == pytest.approx(tally.scores().accuracy, abs=1e-3)


def test_scores_agree_with_the_predicted_map(tmp_path):
    rng = np.random.default_rng(2)
    labels = blobs((130, 200), 2)
    image = np.clip(rng.normal(100 + 60 * labels[None], 40, (3, 130, 200)), 0, 255)
    plan = make_scene(tmp_path, image.astype(np.uint8), labels)
    model = make_model(pointwise(3, 2), gain=60.0, offset=120.0)
    scores = evaluate(model, plan, out=tmp_path / "report.html")
    predict(model, tmp_path / "scene.tif", out=tmp_path / "proba.tif", dtype="float32", tile=64)
    tally = Tally(plan.legend)
    with open_raster(tmp_path / "proba.tif") as dataset:
        for chip in plan.frame.itertuples():
            window = from_bounds(*chip.geometry.bounds, transform=dataset.transform).round()
            probabilities, _ = read_probabilities(dataset, window)
            truth = labels[chip.row:chip.row + SIZE, chip.col:chip.col + SIZE]
            tally.add(probabilities[None], truth[None])
    assert np.abs(np.subtract(scores.confusion, tally.scores().confusion)).max() <= 2


def test_thresholds_of_the_card_decide(tmp_path):
    labels = blobs((64, 64), 2)
    plan = make_scene(tmp_path, labels[None], labels)
    model = make_model(Echo(2, sharpness=2), bands=1, thresholds={"water": 0.95, "land": 0.01})
    scores = evaluate(model, plan, out=tmp_path / "report.html")
    assert scores["water"].recall == 0
    assert scores["land"].recall == 1


def test_overlapping_classes(tmp_path):
    labels = np.stack([blobs((64, 128), 2, seed) for seed in range(3)])
    legend = make_legend(("a", "b", "c"), overlapping=True)
    image = labels.copy()
    image[1, :, 64:] = 1 - image[1, :, 64:]
    plan = make_scene(tmp_path, image, labels, legend=legend)
    model = make_model(Echo(3, overlapping=True), classes=("a", "b", "c"), task="overlapping")
    scores = evaluate(model, plan, out=tmp_path / "report.html")
    assert scores["a"].iou == scores["c"].iou == 1
    assert scores.accuracy == pytest.approx(1 - 0.5 / 3)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "50.0" not in page
    assert "of the pixels differ, most often" in page


def test_objects_are_scored_where_the_recipe_or_the_caller_names_their_class(tmp_path):
    """Two patches of water in each chip; in the second chip the map joins them."""
    labels = np.zeros((64, 128), np.uint8)
    labels[:, :28] = labels[:, 32:92] = labels[:, 96:] = 1
    labels[:, 60:68] = 0
    image = labels.copy()
    image[:, 92:96] = 1
    plan = make_scene(tmp_path, image[None], labels)
    model = make_model(Echo(2), bands=1, recipe={"map": {"objects": "water"}})
    scores = evaluate(model, plan, out=tmp_path / "report.html")
    truth = labels[:, 64:] == 1
    sizes = np.array([truth[:, :28].sum(), truth[:, 32:].sum()])
    joined = 2 * (sizes ** 2).sum() / ((sizes ** 2).sum() + sizes.sum() ** 2)
    assert (scores.objects.name, scores.objects.chips) == ("water", 2)
    assert scores.objects.v_rand == pytest.approx((1 + joined) / 2)
    assert "V_rand of water" in (tmp_path / "report.html").read_text(encoding="utf-8")
    plain = replace(model, card=model.card.model_copy(update={"recipe": {}}))
    assert evaluate(plain, plan, out=tmp_path / "plain.html").objects is None
    asked = evaluate(plain, plan, out=tmp_path / "asked.html", objects="water")
    assert asked.objects == scores.objects
    with pytest.raises(RasterError, match=r"'cell'.*land, water"):
        evaluate(plain, plan, out=tmp_path / "new.html", objects="cell")


def test_chips_are_scored_one_by_one(tmp_path):
    """One chip of water of which half is found, one of land where nothing else is mapped."""
    labels = np.zeros((64, 128), np.uint8)
    labels[:, :64] = 1
    image = labels.copy()
    image[:32, :64] = 0
    plan = make_scene(tmp_path, image[None], labels)
    scores = evaluate(make_model(Echo(2), bands=1), plan, out=tmp_path / "report.html")
    assert scores["water"].chip_dice == pytest.approx((2 / 3 + 1) / 2)
    assert scores["water"].dice == pytest.approx(2 / 3)


def test_worst_chips_come_first_and_name_the_mistake(tmp_path):
    labels = np.zeros((64, 192), np.uint8)
    image = labels.copy()
    image[:32, 64:128] = 1
    image[:8, 128:] = 1
    plan = make_scene(tmp_path, image[None], labels)
    evaluate(make_model(Echo(2), bands=1), plan, out=tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    first, second = page.index("column 64, row 0"), page.index("column 128, row 0")
    assert first < second
    assert "column 0, row 0" not in page
    assert page.count("land taken for water") == 2
    assert "50.0\N{NO-BREAK SPACE}% of the pixels differ" in page


def test_only_six_worst_chips_are_shown_the_earlier_of_equals(tmp_path):
    labels = np.zeros((64, 64 * 10), np.uint8)
    image = labels.copy()
    image[:4] = 1
    image[:9, 64 * 8:64 * 9] = 1
    plan = make_scene(tmp_path, image[None], labels)
    evaluate(make_model(Echo(2), bands=1), plan, out=tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    found = [int(column) for column in re.findall(r"column (\d+), row 0", page)]
    assert found == [64 * chip for chip in (8, 0, 1, 2, 3, 4)]


def test_a_plan_read_from_its_file_and_a_model_from_its(tmp_path):
    labels = blobs((64, 128), 2)
    plan = make_scene(tmp_path, np.repeat(labels[None], 3, axis=0), labels)
    plan.write(tmp_path / "chips.gpkg")
    make_model().save(tmp_path / "model.safetensors")
    evaluate(tmp_path / "model.safetensors", str(tmp_path / "chips.gpkg"),
             out=tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "model.safetensors" in page
    assert "chips.gpkg" in page


def refused(kind, tmp_path, model, plan, match, **options):
    with pytest.raises(kind, match=match):
        evaluate(model, plan, **{"out": tmp_path / "report.html", **options})
    assert not list(tmp_path.glob("*report*"))


def test_what_does_not_fit_is_refused_and_leaves_nothing(tmp_path):
    labels = blobs((64, 64), 2)
    plan = make_scene(tmp_path, labels[None], labels)
    good = make_model(Echo(2), bands=1)
    refused(ModelError, tmp_path, make_model(Echo(2), bands=1, classes=("land", "sea")), plan,
            "land, sea.*land, water")
    refused(ModelError, tmp_path, make_model(bands=3), plan, "has 1 band,")
    refused(PlanError, tmp_path, good, plan, "has no validation chips", split="val")
    refused(PlanError, tmp_path, good, plan, "not one of", split="holdout")
    refused(OutputError, tmp_path, good, plan, r"\.html", out=tmp_path / "report.pdf")
    blank = make_scene(tmp_path / "blank", labels[None], np.full_like(labels, IGNORE))
    refused(PlanError, tmp_path, good, blank, "no labelled pixel")


def test_existing_files_are_kept_unless_asked(tmp_path):
    labels = blobs((64, 64), 2)
    plan = make_scene(tmp_path, labels[None], labels)
    model = make_model(Echo(2), bands=1)
    (tmp_path / "report.json").write_text("mine")
    with pytest.raises(OutputError, match=r"report\.json: exists already"):
        evaluate(model, plan, out=tmp_path / "report.html")
    assert (tmp_path / "report.json").read_text() == "mine"
    assert not (tmp_path / "report.html").exists()
    evaluate(model, plan, out=tmp_path / "report.html", overwrite=True)
    assert (tmp_path / "report.json").read_text() != "mine"


def test_another_pixel_size_is_told(tmp_path, caplog):
    labels = blobs((64, 64), 2)
    plan = make_scene(tmp_path, labels[None], labels)
    evaluate(make_model(Echo(2), bands=1, resolution=10.0), plan, out=tmp_path / "report.html")
    assert "trained with 10 m" in caplog.text


@pytest.mark.data
def test_a_real_scene_in_pixel_space(tmp_path, data):
    """Electron microscopy: two PNG slices; a threshold on grey finds most cells."""
    folder = data / "em_isbi2012" / "train"
    scenes = sorted((folder / "image").iterdir())[:2]
    legend = make_legend(("membrane", "cell"))
    rows = []
    for scene in scenes:
        with open_raster(folder / "label" / scene.name) as dataset:
            labels = (dataset.read(1) == 255).astype(np.uint8)
            grid = Grid.of(dataset, georeferenced=False)
        with raster_writer(tmp_path / f"{scene.stem}.tif", grid, count=1, dtype="uint8",
                           nodata=IGNORE, legend=legend) as write:
            write(labels[None], grid.window)
        rows += [{"scene": str(scene), "label": str(tmp_path / f"{scene.stem}.tif"), "col": x,
                  "row": y, "width": 256, "height": 256, "split": "test", "block": 0, "valid": 1.0,
                  "weight": 1.0, "share_0": 0.2, "share_1": 0.8,
                  "geometry": shapely.box(x, -y - 256, x + 256, -y)}
                 for x in (0, 256) for y in (0, 256)]
    plan = ChipPlan(gpd.GeoDataFrame(rows), legend, 256, 0, 0, georeferenced=False)
    network = nn.Conv2d(1, 2, 5, padding=2)
    nn.init.constant_(network.weight[:1], -1 / 25)
    nn.init.constant_(network.weight[1:], 1 / 25)
    nn.init.zeros_(network.bias)
    model = make_model(network, bands=1, classes=legend.names, offset=100.0, gain=30.0,
                       georeferenced=False, resolution=1.0)
    scores = evaluate(model, plan, out=tmp_path / "report.html")
    assert scores.pixels == 2 * 512 * 512
    assert scores["cell"].average_precision > 0.9
    assert "no georeference" in (tmp_path / "report.html").read_text(encoding="utf-8")
