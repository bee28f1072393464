"""The whole way through QGIS with the real engine, step by step, in one dialog, and as a model."""

import json
from pathlib import Path

import pytest
from osgeo import gdal
from qgis.core import QgsRasterLayer, QgsVectorLayer
from qgis_run import Qgis
from world import SETTINGS

RECIPE = {"RECIPE": "buildings", "SETTINGS": SETTINGS}


@pytest.fixture(scope="module")
def process(tmp_path_factory, plugins, engine_python):
    return Qgis(tmp_path_factory.mktemp("qgis"), plugins)


@pytest.fixture(scope="module")
def steps(town, process, tmp_path_factory):
    """The products of the single steps, by the name of the algorithm."""
    folder = tmp_path_factory.mktemp("the steps; $(one) by one")
    done = {}

    def step(name, output, **parameters):
        outcome = process.run(f"geoseg:{name}", OUTPUT=folder / output, **parameters)
        assert outcome.code == 0, outcome.stdout + outcome.stderr
        done[name] = outcome.results
        return folder / output

    osm = step("fetchosm", "osm.gpkg", EXTENT=town.extent, FILE=town.extract, **RECIPE)
    labels = step("burnlabels", "labels.tif", IMAGE=town.image, OSM=osm, **RECIPE)
    chips = step("planchips", "chips.gpkg", IMAGE=town.image, LABELS=labels, **RECIPE)
    model = step("trainmodel", "model.safetensors", CHIPS=chips, **RECIPE)
    proba = step("predict", "proba.tif", MODEL=model, IMAGE=town.image,
                 FURTHER_MODELS=model, WEIGHTS="1, 2", TTA="flips", BLEND="crop", SMOOTH=0.5,
                 UNCERTAINTY=folder / "entropy.tif")
    step("refine", "refined.tif", PROBABILITIES=proba, IMAGE=town.image, APPEARANCE_RANGE=2)
    classes = step("classify", "classes.tif", PROBABILITIES=proba, MIN_AREA=4)
    step("polygonize", "polygons.gpkg", CLASSES=classes, PROBABILITIES=proba)
    step("evaluate", "report.html", MODEL=model, CHIPS=chips)
    step("exportchips", "tiles", CHIPS=chips)
    return done


def raster(path):
    layer = QgsRasterLayer(str(path), "read", "gdal")
    assert layer.isValid(), path
    return layer


def vector(path):
    layer = QgsVectorLayer(str(path), "read", "ogr")
    assert layer.isValid(), path
    return layer


def test_the_features_have_their_class(steps, town):
    found = steps["fetchosm"]
    layer = vector(found["POLYGONS"])
    assert layer.featureCount() == found["FEATURES"] == town.extract.read_text().count("<way ")
    assert {feature["class"] for feature in layer.getFeatures()} == {"building"}
    assert "LINES" not in found


def test_labels_lie_on_the_image(steps, town):
    """The houses were painted into the image where the extract has them, brighter in red."""
    labels = gdal.Open(steps["burnlabels"]["OUTPUT"])
    image = gdal.Open(str(town.image))
    assert labels.GetGeoTransform() == image.GetGeoTransform()
    painted = image.GetRasterBand(1).ReadAsArray() > 130
    burnt = labels.GetRasterBand(1).ReadAsArray() == 1
    assert (painted != burnt).mean() < 0.002
    assert 0.1 < burnt.mean() < 0.3


def test_numbers_are_given_to_models_and_scripts(steps):
    chips = steps["planchips"]
    layer = vector(chips["OUTPUT"])
    counted = {split: sum(feature["split"] == split for feature in layer.getFeatures())
               for split in ("train", "val", "test")}
    assert counted == {"train": chips["TRAIN"], "val": chips["VALIDATION"], "test": chips["TEST"]}
    assert min(counted.values()) > 0
    assert 0 <= steps["trainmodel"]["MEAN_IOU"] <= 1
    scores = json.loads(Path(steps["evaluate"]["OUTPUT"]).with_suffix(".json").read_text())
    assert steps["evaluate"]["MEAN_IOU"] == pytest.approx(scores["mean_iou"])
    polygons = vector(steps["polygonize"]["OUTPUT"])
    assert steps["polygonize"]["FEATURES"] == polygons.featureCount()
    assert steps["polygonize"]["AREA"] == pytest.approx(
        sum(feature["area_m2"] for feature in polygons.getFeatures()))


def test_every_product_opens_on_the_images_grid(steps, town):
    image = raster(town.image)
    for path in (steps["predict"]["OUTPUT"], steps["predict"]["UNCERTAINTY"],
                 steps["refine"]["OUTPUT"], steps["classify"]["OUTPUT"]):
        layer = raster(path)
        assert layer.extent() == image.extent()
        assert layer.crs() == image.crs()
        assert (layer.width(), layer.height()) == (image.width(), image.height())
    assert Path(steps["trainmodel"]["CURVES"]).stat().st_size > 1000
    assert "<html" in Path(steps["evaluate"]["OUTPUT"]).read_text().lower()
    tiles = list(Path(steps["exportchips"]["OUTPUT"]).rglob("*.tif"))
    assert len(tiles) == 2 * sum(steps["planchips"][split] for split in
                                 ("TRAIN", "VALIDATION", "TEST"))


def test_the_model_tells_what_it_is(steps, process):
    found = process.run("geoseg:modelinformation", FILE=steps["trainmodel"]["OUTPUT"]).results
    assert "building" in found["TEXT"]
    assert found["MEAN_IOU"] == pytest.approx(steps["trainmodel"]["MEAN_IOU"])


def test_nothing_is_replaced_unasked(steps, town, process):
    output = steps["classify"]["OUTPUT"]
    before = Path(output).stat()
    parameters = {"PROBABILITIES": steps["predict"]["OUTPUT"], "OUTPUT": output, "MIN_AREA": 4}
    refused = process.run("geoseg:classify", **parameters)
    assert refused.code == 1
    assert "exists already" in refused.stdout + refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr
    assert Path(output).stat().st_mtime_ns == before.st_mtime_ns
    assert process.run("geoseg:classify", OVERWRITE="true", **parameters).code == 0
    assert Path(output).stat().st_mtime_ns > before.st_mtime_ns


def test_an_error_is_one_sentence(town, process, tmp_path):
    outcome = process.run("geoseg:burnlabels", IMAGE=town.image, OSM=town.extract,
                          RECIPE="water", OUTPUT=tmp_path / "labels.tif")
    said = outcome.stdout + outcome.stderr
    assert outcome.code == 1
    assert "Traceback" not in said
    assert any("labels.tif: would hold no label" in line and line.rstrip().endswith(".")
               for line in said.splitlines())
    assert list(tmp_path.iterdir()) == []


def test_the_whole_way_in_one_dialog_and_again(town, made, process):
    for name in ("POLYGONS", "CHIPS"):
        assert vector(made[name]).featureCount() > 0
    for name in ("CLASSES", "PROBABILITIES", "LABELS_BURNT"):
        assert raster(made[name]).crs().authid() == "EPSG:32632"
    assert Path(made["REPORT"]).is_file()
    assert Path(made["OVERVIEW"]).is_file()
    trained = Path(made["MODEL"]).stat().st_mtime_ns
    again = process.run("geoseg:maparea", IMAGE=town.image, OSM=town.extract,
                        OUTPUT=made["OUTPUT"], **RECIPE)
    assert again.code == 0
    assert again.results["MEAN_IOU"] == made["MEAN_IOU"]
    assert Path(made["MODEL"]).stat().st_mtime_ns == trained


def test_the_shipped_model_runs(town, process, tmp_path, plugins):
    model = next((plugins / "geoseg_qgis" / "models").glob("*.model3"))
    outcome = process.run(
        str(model), IMAGE=town.image, AREA=town.extent, RECIPE="buildings", EXTRACT=town.extract,
        SETTINGS=SETTINGS, STEPS=8, **{"burn:LABELS": tmp_path / "labels.tif",
                                       "plan:CHIPS": tmp_path / "chips.gpkg",
                                       "train:MODEL": tmp_path / "model.safetensors",
                                       "predict:PROBABILITIES": tmp_path / "proba.tif",
                                       "classify:CLASSES": tmp_path / "classes.tif",
                                       "polygonize:POLYGONS": tmp_path / "polygons.gpkg"})
    assert outcome.code == 0, outcome.stdout + outcome.stderr
    assert vector(tmp_path / "polygons.gpkg").featureCount() > 0
    assert raster(tmp_path / "classes.tif").isValid()


def test_temporary_outputs(town, process):
    outcome = process.run("geoseg:fetchosm", EXTENT=town.extent, FILE=town.extract,
                          RECIPE="buildings", OUTPUT="TEMPORARY_OUTPUT")
    assert outcome.code == 0, outcome.stdout + outcome.stderr
    assert outcome.results["OUTPUT"].endswith(".gpkg")


def test_the_surroundings_of_qgis_do_not_reach_the_engine(process, town, tmp_path):
    """A package on QGIS' own path would break the engine, were it not kept away."""
    (tmp_path / "rasterio.py").write_text("raise ImportError('the wrong rasterio')")
    misled = Qgis(tmp_path / "qgis", process.plugins,
                  {"PYTHONPATH": str(tmp_path), "LD_LIBRARY_PATH": "/nowhere"})
    outcome = misled.run("geoseg:modelinformation", FILE=town.image)
    assert outcome.code == 0, outcome.stdout + outcome.stderr
