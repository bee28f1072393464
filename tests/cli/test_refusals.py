"""Bad input through the command line: one sentence, exit code 1, nothing left behind."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import shapely
from affine import Affine
from rasterio.crs import CRS

from geoseg.geo.grid import Grid
from geoseg.geo.legend import IGNORE, Legend, LegendClass
from geoseg.geo.writing import raster_writer
from geoseg.samples.chips import plan_chips
from tests.cli.conftest import RECIPE, SIDE, invoke, lakes, write_shapes
from tests.worlds import TWO_METRES, UTM, make_model, write_image

LAND_WATER = Legend((LegendClass(0, "land", "#d9d3b8"), LegendClass(1, "water", "#3182bd")))
WITH_TOWN = Legend((*LAND_WATER.classes, LegendClass(2, "town", "#aa0000")))
STRIPES = np.indices((SIDE, SIDE)).sum(axis=0) // 20 % 2


def write_labels(path: Path, values: np.ndarray, legend: Legend = LAND_WATER) -> Path:
    grid = Grid(CRS.from_user_input(UTM), TWO_METRES, SIDE, SIDE)
    with raster_writer(path, grid, count=1, dtype="uint8", nodata=IGNORE, legend=legend,
                       is_categorical=True) as write:
        write(values[None].astype(np.uint8), grid.window)
    return path


def cut(source: Path | str, path: Path) -> Path:
    """Write the first half of a file."""
    whole = Path(source).read_bytes()
    path.write_bytes(whole[:len(whole) // 2])
    return path


@pytest.fixture(scope="session")
def bad(world, tmp_path_factory) -> SimpleNamespace:
    """Files each of which has something wrong with it."""
    folder = tmp_path_factory.mktemp("bad")
    pixels = np.random.default_rng(1).integers(1, 255, (3, SIDE, SIDE), dtype=np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        placeless = write_image(folder / "placeless.tif", pixels, crs=None,
                                transform=Affine.identity())
        unplaced = write_image(folder / "unplaced.tif", pixels, transform=Affine.identity())
    (folder / "zero.tif").touch()
    (folder / "junk.gpkg").write_bytes(b"junk" * 1000)
    (folder / "empty.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    flipped = bytearray(Path(world.model).read_bytes())
    flipped[-1000] ^= 1
    (folder / "flipped.safetensors").write_bytes(flipped)
    make_model(classes=("a", "b", "c")).save(folder / "other.safetensors")
    far = Affine(2, 0, 7e5, 0, -2, 5e6)
    return SimpleNamespace(
        folder=folder, placeless=placeless, unplaced=unplaced, missing=folder / "missing.tif",
        empty_file=folder / "zero.tif", truncated=cut(world.image, folder / "truncated.tif"),
        far_image=write_image(folder / "far.tif", pixels, transform=far),
        two_bands=write_image(folder / "two_bands.tif", pixels[:2]),
        rescaled=write_image(folder / "rescaled.tif", pixels.astype(np.uint16) * 100),
        coarse=write_image(folder / "coarse.tif", pixels, transform=TWO_METRES @ Affine.scale(9)),
        no_data=write_image(folder / "no_data.tif", np.zeros_like(pixels), nodata=0),
        junk=folder / "junk.gpkg", no_features=folder / "empty.geojson",
        far_lakes=write_shapes(folder / "far.gpkg", [shapely.box(7e5, 5e6, 7.1e5, 5.1e6)]),
        placeless_lakes=write_shapes(folder / "placeless.gpkg", lakes(), crs=None),
        untagged=write_shapes(folder / "untagged.gpkg", lakes(), height=[1] * len(lakes())),
        woods=write_shapes(folder / "woods.gpkg", lakes(), natural=["wood"] * len(lakes())),
        ignored=write_labels(folder / "ignored.tif", np.full((SIDE, SIDE), IGNORE)),
        one_class=write_labels(folder / "one_class.tif", np.zeros((SIDE, SIDE))),
        strange=write_labels(folder / "strange.tif", np.where(STRIPES > 0, 77, 0)),
        town=write_labels(folder / "town.tif", STRIPES, WITH_TOWN),
        flipped=folder / "flipped.safetensors", other_model=folder / "other.safetensors",
        half_model=cut(world.model, folder / "half.safetensors"))


IMAGES = {
    "placeless": "has no coordinate reference system. Assign one",
    "unplaced": "has a CRS but no geotransform. Georeference the image",
    "missing": "does not exist. Check the path",
    "empty_file": "cannot be opened as GeoTIFF, PNG, JPEG or JPEG 2000",
    "truncated": "ends before its last pixels. The file is truncated or damaged",
}


@pytest.mark.parametrize("command", ["burn-labels", "plan-chips", "predict", "run"])
@pytest.mark.parametrize("image", IMAGES)
def test_images_that_nothing_can_be_done_with(world, bad, refused, tmp_path, command, image):
    path = getattr(bad, image)
    refused(*world.command(command, tmp_path / "new" / "o.tif" if command != "plan-chips"
                           else tmp_path / "new" / "o.gpkg", image=path),
            says=(f"{path}: ", IMAGES[image]))


@pytest.mark.parametrize(("image", "finding"), [
    ("two_bands", "has 2 bands, the model was trained with bands 1, 2, 3. Give an image"),
    ("rescaled", "of its values in band 1 outside the range seen in training (0 to 255). Check"),
    ("coarse", "has pixels of 18 m, the model was trained with 2 m. Resample"),
])
def test_images_that_do_not_suit_the_model(world, bad, refused, tmp_path, image, finding):
    path = getattr(bad, image)
    refused(*world.command("predict", tmp_path / "o.tif", image=path),
            "--uncertainty", tmp_path / "e.tif", says=(f"{path}: ", finding))


def test_force_predicts_in_spite_of_size_and_values(world, bad, tmp_path):
    done = invoke(*world.command("predict", tmp_path / "o.tif", image=bad.coarse), "--force")
    assert done.exit_code == 0, done.output
    assert "Note: " in done.stderr
    assert "18 m" in done.stderr


SOURCES = {
    "missing": "does not exist",
    "no_features": "holds no features. Check the layer",
    "far_lakes": "does not overlap image.tif: it covers 700000",
    "far_image": "has 3 bands, but a land-cover map has one",
    "placeless_lakes": "has no coordinate reference system. Assign one",
    "untagged": "has no column that tells the class (columns: height). Needed is",
    "junk": "cannot be opened as a vector file. Give a GeoPackage",
    "empty_file": "cannot be opened as GeoTIFF",
    "truncated": "ends before its last pixels",
}


@pytest.mark.parametrize("command", ["burn-labels", "run"])
@pytest.mark.parametrize("source", SOURCES)
def test_sources_without_labels_for_the_image(world, bad, refused, tmp_path, command, source):
    path = getattr(bad, source)
    refused(*world.command(command, tmp_path / "new" / "o.tif", osm=path),
            says=(f"{path}: ", SOURCES[source]))


def test_sources_that_show_no_class_or_miss_the_area(world, bad, refused, tmp_path):
    refused(*world.command("burn-labels", tmp_path / "o.tif", osm=bad.woods),
            says=("no source gives any pixel a class. Check the recipe's tags",))
    refused("burn-labels", "-r", world.recipe, "--like", world.image, "-o", tmp_path / "o.tif",
            says=("burn-labels: got no source. Give",))
    refused(*world.command("burn-labels", tmp_path / "o.tif"), "--within", "1,2,3,4",
            says=("would be ignored everywhere", "Check that the area of interest lies on"))
    refused(*world.command("run", tmp_path / "map"), "--aoi", "1,2,3,4",
            says=("would be ignored everywhere",))
    refused(*world.command("burn-labels", tmp_path / "o.tif", osm=f"{world.osm}|layername=roads"),
            says=("osm.gpkg: has no layer 'roads' (it has osm). Choose one of these",))
    refused(*world.command("burn-labels", tmp_path / "o.tif"), "--assign", world.osm, "lava",
            says=("osm.gpkg: is assigned to 'lava', which is not a class", "land, water"))


def test_areas_and_extracts_that_bring_nothing(world, bad, refused, tmp_path):
    def refuse(aoi, extract, *says):
        refused("fetch-osm", aoi, "-r", world.recipe, "--file", extract, "-o", tmp_path / "o.gpkg",
                says=says)

    half = cut(world.extract, tmp_path / "half.osm")
    refuse(world.area, tmp_path / "no.osm", "no.osm: does not exist. Check")
    refuse(world.area, half, "half.osm: cannot be read to its end. The file is damaged")
    refuse(world.area, world.image, "image.tif: is not an OpenStreetMap extract. Give")
    refuse("0,0,1,1", world.extract, "extract.osm: has nothing in 0,0,1,1", "Check the area")
    refuse("1,2,3,999", world.extract, "1,2,3,999: is not west,south,east,north in degrees")
    refuse(bad.no_features, world.extract, "empty.geojson: holds no polygon. Give")
    refuse(bad.placeless_lakes, world.extract, "placeless.gpkg: has no coordinate")
    refused("fetch-osm", "0,0,20,20", "-r", world.recipe, "-o", tmp_path / "o.gpkg",
            says=("km², more than the 2,500 km² allowed for a download. Use a local extract",))
    refused("fetch-osm", world.area, "-r", world.recipe, "-o", tmp_path / "o.gpkg",
            "--endpoint", "http://127.0.0.1:9/api", says=("127.0.0.1:9/api: cannot be reached",))


LABELS = {
    "missing": "does not exist",
    "ignored": "no pixel has both a label and image data. Check",
    "one_class": "only one class is shown (land). Check",
    "strange": "holds the value 77, which its legend does not name. Make it again",
    "far_image": "carries no geoseg legend. Give a raster made by burn-labels",
    "truncated": "ends before its last pixels",
}


@pytest.mark.parametrize("labels", LABELS)
def test_labels_that_cannot_be_learnt_from(world, bad, refused, tmp_path, labels):
    path = getattr(bad, labels)
    refused(*world.command("plan-chips", tmp_path / "o.gpkg", labels=path),
            says=(f"{path}: ", LABELS[labels]))


def test_scenes_that_cannot_be_planned(world, bad, refused, tmp_path):
    def refuse(*args, says):
        refused("plan-chips", *args, "-o", tmp_path / "o.gpkg", says=says)

    good = world.image, world.labels
    refuse(bad.far_image, world.labels, "--size", 64,
           says=("labels.tif: does not line up with the pixels of far.tif. Make it with",))
    refuse(bad.no_data, world.labels, "--size", 64, says=("labels.tif: no pixel has both",))
    refuse(*good, "--size", 64, "--scene", bad.two_bands, world.labels,
           says=("two_bands.tif: has 2 bands but image.tif has 3. Choose common bands",))
    refuse(*good, "--size", 64, "--scene", bad.rescaled, bad.town,
           says=("town.tif: has the classes land, water, town but labels.tif has land, water",))
    refuse(*good, "--size", 448, says=("image.tif: cannot be split", "Use chips of 128 px"))
    refuse(*good, "--size", 50, says=("chip size: is 50",))
    refuse(*good, "--overlap", 1.5, says=("overlap: is 1.5. Give a fraction",))
    refuse(*good, "--min-valid", 2, says=("min_valid: is 2.0. Give a share",))
    refuse(*good, "--random", 0, says=("random: is 0. Give the number",))
    refuse(world.image, says=("got an image without labels",))
    refuse("--from", bad.folder, says=(f"{bad.folder}: holds no tiles in train/images",))
    refuse(*good, "--recipe", "clouds", "--size", 512, says=("smaller than a chip of 512 px",))


@pytest.mark.parametrize("command", ["export-chips", "train", "evaluate"])
def test_files_that_are_no_chip_plan(world, bad, refused, tmp_path, command):
    out = tmp_path / {"export-chips": "tiles", "train": "o.safetensors"}.get(command, "o.html")
    for path, finding in ((bad.junk, "is not a chip plan. Give a file made by plan-chips"),
                          (world.osm, "is not a chip plan"), (world.image, "is not a chip plan"),
                          (tmp_path / "no.gpkg", "does not exist. Check the path")):
        refused(*world.command(command, out, chips=path), says=(f"{path}: {finding}",))


def test_a_plan_whose_scenes_are_gone_or_cut_off(world, refused, tmp_path):
    image, labels, plan = (tmp_path / name for name in ("i.tif", "l.tif", "p.gpkg"))
    image.write_bytes(Path(world.image).read_bytes())
    labels.write_bytes(Path(world.labels).read_bytes())
    plan_chips(image, labels, size=64, out=plan)
    cut(world.image, image)
    for command, name in (("export-chips", "tiles"), ("train", "o.safetensors"),
                          ("evaluate", "o.html")):
        refused(*world.command(command, tmp_path / name, chips=plan),
                says=(f"{image}: ends before its last pixels",))
    image.unlink()
    for command, name in (("export-chips", "tiles"), ("train", "o.safetensors"),
                          ("evaluate", "o.html")):
        refused(*world.command(command, tmp_path / name, chips=plan),
                says=(f"p.gpkg: refers to {image}, which does not exist",))


def test_labels_that_were_ignored_after_planning(world, refused, tmp_path):
    """Without labels every loss is zero and every score undefined."""
    labels = write_labels(tmp_path / "l.tif", STRIPES)
    plan_chips(world.image, labels, size=64, out=tmp_path / "p.gpkg")
    write_labels(labels, np.full((SIDE, SIDE), IGNORE))
    refused(*world.command("train", tmp_path / "o.safetensors", chips=tmp_path / "p.gpkg"),
            says=("p.gpkg: has no labelled pixel left in its training chips. The labels have",))
    refused(*world.command("evaluate", tmp_path / "o.html", chips=tmp_path / "p.gpkg"),
            says=("p.gpkg: has no labelled pixel in the chips to score. Check",))


def test_a_class_that_is_absent_from_training(world, bad, refused, tmp_path):
    """It is refused, unless the recipe says that the class is optional; then the gap is told."""
    recipe = tmp_path / "town.toml"
    town = '[[class]]\nname = "town"\ncolor = "#aa0000"\n'
    recipe.write_text(RECIPE.replace("[chips]", f"{town}[chips]"))
    planned = invoke("plan-chips", world.image, bad.town, "--size", 64, "-o", tmp_path / "p.gpkg")
    assert "No train chip shows town: there is nothing to learn it on." in planned.stderr
    refused("train", tmp_path / "p.gpkg", "-r", recipe, "--device", "cpu",
            "-o", tmp_path / "m.safetensors",
            says=("p.gpkg: no training chip shows class 'town', so the model cannot learn it. Plan "
                  "over a larger area, take the class out of the recipe, or say optional = true",))
    recipe.write_text(RECIPE.replace("[chips]", f"{town}optional = true\n[chips]"))
    trained = invoke("train", tmp_path / "p.gpkg", "-r", recipe, "--device", "cpu",
                     "-o", tmp_path / "m.safetensors")
    assert trained.exit_code == 0, trained.output
    assert f"Note: {tmp_path / 'p.gpkg'}: no training chip shows class 'town'" in trained.stderr
    half = STRIPES.copy()
    half[:, SIDE // 3:] = 0
    labels = write_labels(tmp_path / "half.tif", half)
    planned = invoke("plan-chips", world.image, labels, "--size", 64, "--split", "70/15/0",
                     "-o", tmp_path / "q.gpkg")
    assert planned.exit_code == 0, planned.output
    write_plan_without(tmp_path / "q.gpkg", 1, tmp_path / "r.gpkg")
    refused(*world.command("train", tmp_path / "o.safetensors", chips=tmp_path / "r.gpkg"),
            says=("r.gpkg: no training chip shows class",))


def write_plan_without(source: Path, value: int, path: Path) -> None:
    """Copy a plan without the training chips that show a class, as an analyst might delete them."""
    from dataclasses import replace

    from geoseg.samples.plan import ChipPlan

    plan = ChipPlan.read(source)
    keep = (plan.frame["split"] != "train") | (plan.frame[f"share_{value}"] == 0)
    replace(plan, frame=plan.frame[keep]).write(path)


def test_training_that_cannot_start(world, bad, refused, tmp_path):
    def refuse(*more, says, **changes):
        refused(*world.command("train", tmp_path / "new" / "o.safetensors", **changes), *more,
                says=says)

    def changed(old: str, new: str) -> Path:
        assert old in RECIPE
        (bad.folder / "r.toml").write_text(RECIPE.replace(old, new))
        return bad.folder / "r.toml"

    refuse("--resume", says=("o-run: holds no training state to resume. Start without --resume",))
    refuse("--devices", 0, says=("cannot be used 0 times. Set devices to 1",))
    refuse(recipe="clouds", says=("chips.gpkg: holds the classes land, water, but recipe clouds",))
    refuse(recipe=changed('"mobilenet_v2"', '"resnet9000"'), says=("'resnet9000' is not known",))
    refuse(recipe=changed("[train]", '[train]\nnetwork = "net"'),
           says=("'net' is not known", "'unet'"))
    refuse(recipe=changed("[train]", '[train]\nloss = "magic"'), says=("'magic' is not",))
    refuse(recipe=changed("[map]", "[image]\nbands = [7]\n[map]"),
           says=("image.tif: has 3 bands, so no band 7. Choose existing bands",))
    refuse(recipe=changed("[train]", "[train]\nlearning_rate = 1e30"),
           says=("has a loss of", "Lower learning_rate"))


def test_a_resumed_training_must_be_the_same(world, refused, tmp_path):
    trained = invoke(*world.command("train", tmp_path / "m.safetensors"))
    assert trained.exit_code == 0, trained.output
    other = tmp_path / "other.toml"
    other.write_text(RECIPE.replace("steps = 3", "steps = 4"))
    refused(*world.command("train", tmp_path / "n.safetensors", recipe=other), "--resume",
            "--run-dir", tmp_path / "m-run", says=("m-run: was begun with another recipe",))


MODELS = {
    "half_model": "is damaged",
    "flipped": "is damaged: its contents do not match its checksum. Fetch",
    "missing": "does not exist",
    "junk": "is no geoseg file, or its header is damaged. Give a file made by geoseg train",
    "truncated": "is no geoseg file",
    "empty_file": "is damaged",
}


@pytest.mark.parametrize("command", ["predict", "evaluate"])
@pytest.mark.parametrize("model", MODELS)
def test_files_that_are_no_model(world, bad, refused, tmp_path, command, model):
    path = getattr(bad, model)
    out = tmp_path / ("o.tif" if command == "predict" else "o.html")
    refused(*world.command(command, out, model=path), says=(f"{path}: ", MODELS[model]))


def test_models_and_options_that_do_not_fit(world, bad, refused, tmp_path):
    refused(*world.command("evaluate", tmp_path / "o.html", model=bad.other_model),
            says=("other.safetensors: maps the exclusive classes a, b, c, but chips.gpkg",))
    predict = world.command("predict", tmp_path / "o.tif")
    refused(*predict, "--tile", 100, says=("tile: is 100. It should be a multiple of 32",))
    refused(*predict, "--overlap", 0.9, says=(
        "overlap: is 0.9. It should be less than or equal to 0.5",))
    refused(*predict, "--device", "mps", says=("device mps: is not available on this machine",))


@pytest.mark.parametrize("command", ["classify", "trace-coastline", "polygonize"])
def test_rasters_that_are_no_map(world, bad, refused, tmp_path, command):
    kind = "classes" if command == "polygonize" else "proba"
    out = tmp_path / ("o.tif" if command == "classify" else "o.gpkg")
    wrong = "is not a class map" if kind == "classes" else "is not a probability raster"
    other = world.proba if kind == "classes" else world.classes
    for path, finding in ((world.image, "carries no geoseg legend"), (other, wrong),
                          (bad.truncated, "ends before"), (bad.missing, "does not exist"),
                          (bad.empty_file, "cannot be opened")):
        refused(*world.command(command, out, **{kind: path}), says=(f"{path}: {finding}",))


def test_options_of_maps_out_of_range(world, bad, refused, tmp_path):
    classify = world.command("classify", tmp_path / "o.tif")
    refused(*classify, "--threshold", 2, says=("is 2.0. Give a probability between 0 and 1",))
    refused(*classify, "--threshold", "lava=0.5", says=("'lava': is not one of land, water",))
    refused(*classify, "--min-area", -1, says=("minimum area: is -1.0. Give square metres",))
    polygonize = world.command("polygonize", tmp_path / "o.gpkg")
    refused(*polygonize, "--simplify", -1, says=("simplify: is -1.0. Give a tolerance",))
    refused(*polygonize, "--min-area", "nan", says=("minimum area: is nan",))
    refused(*polygonize, "--classes", "lava", says=("'lava': is not one of land, water",))
    refused(*polygonize, "--proba", bad.missing, says=("missing.tif: does not exist",))
    coast = world.command("trace-coastline", tmp_path / "o.gpkg")
    refused(*coast, "--smooth", 99, says=("smooth: is 99.0. Give 0 to 10 pixels",))
    refused(*coast, "--min-length", 1e9, says=("proba.tif: shows no edge of water", "Lower"))
    refused(*coast, "--water", "sea", says=("'sea': is not one of land, water",))
    refused(*coast, "--water", "land", says=("water: is all of the classes. Name some",))


def test_information_about_what_is_none(world, bad, refused, tmp_path):
    for path, finding in ((bad.missing, "does not exist"), (bad.empty_file, "cannot be opened"),
                          (bad.truncated, "ends before its last pixels"),
                          (bad.half_model, "is damaged"), (bad.junk, "is not a chip plan"),
                          (world.osm, "is not a chip plan"), (world.recipe, "cannot be opened")):
        refused("info", path, says=(f"{path}: {finding}",))
