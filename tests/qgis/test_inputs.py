"""What the user chooses in QGIS reaches the engine as files that hold just that."""

from pathlib import Path

import pytest
from qgis.core import (
    QgsFeature,
    QgsGeometry,
    QgsProcessingContext,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingFeedback,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from test_provider import algorithm


@pytest.fixture
def image_layer(town, qgis_new_project):
    layer = QgsRasterLayer(str(town.image), "ortho")
    QgsProject.instance().addMapLayer(layer)
    return layer


@pytest.fixture
def memory_layer(qgis_new_project):
    """Three squares in memory, in degrees, named a, b and c."""
    layer = QgsVectorLayer("Polygon?crs=EPSG:4326&field=class:string", "squares", "memory")
    for place, name in enumerate("abc"):
        feature = QgsFeature(layer.fields())
        feature["class"] = name
        west = 9.0 + place
        feature.setGeometry(QgsGeometry.fromWkt(
            f"POLYGON(({west} 50, {west + 1} 50, {west + 1} 51, {west} 51, {west} 50))"))
        layer.dataProvider().addFeature(feature)
    layer.updateExtents()
    QgsProject.instance().addMapLayer(layer)
    return layer


def arguments(name, values):
    """Return what an algorithm would send to the engine."""
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    verb = algorithm(name)
    fine, reason = verb.checkParameterValues(values, context)
    assert fine, reason
    assert verb.prepare(values, context, QgsProcessingFeedback())
    return verb._arguments, context


def refusal(name, values):
    """Return why an algorithm refuses its parameters."""
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    fine, reason = algorithm(name).checkParameterValues(values, context)
    assert not fine
    return reason


def classes_in(source):
    layer = QgsVectorLayer(source, "read", "ogr")
    assert layer.isValid(), source
    return sorted(feature["class"] for feature in layer.getFeatures())


def test_a_map_layer_becomes_its_file(image_layer, town, provider, tmp_path):
    found, _ = arguments("burnlabels", {"IMAGE": image_layer, "OSM": str(town.extract),
                                        "RECIPE": "buildings", "OUTPUT": str(tmp_path / "l.tif")})
    assert found["like"] == str(town.image)
    assert found["sources"] == [str(town.extract)]
    assert found["recipe"] == {"base": "buildings"}


def test_a_layer_in_memory_becomes_a_file(memory_layer, image_layer, provider, tmp_path):
    found, _context = arguments("burnlabels", {
        "IMAGE": image_layer, "SOURCES": [memory_layer], "RECIPE": "buildings",
        "OUTPUT": str(tmp_path / "l.tif")})
    assert classes_in(found["sources"][0]) == ["a", "b", "c"]


def test_a_filter_counts(memory_layer, image_layer, provider, tmp_path, qgis_new_project):
    from qgis.core import QgsVectorFileWriter

    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName, options.layerName = "GPKG", "squares of land"
    path = str(tmp_path / "Flächen 'n' more.gpkg")
    QgsVectorFileWriter.writeAsVectorFormatV3(
        memory_layer, path, QgsProject.instance().transformContext(), options)
    layer = QgsVectorLayer(f"{path}|layername=squares of land", "squares", "ogr")
    QgsProject.instance().addMapLayer(layer)
    values = {"IMAGE": image_layer, "SOURCES": [layer], "RECIPE": "buildings",
              "OUTPUT": str(tmp_path / "l.tif")}
    plain, _ = arguments("burnlabels", values)
    assert plain["sources"] == [f"{path}|layername=squares of land"]
    assert layer.setSubsetString("\"class\" <> 'b'")
    filtered, _context = arguments("burnlabels", values)
    assert classes_in(filtered["sources"][0]) == ["a", "c"]


def test_a_selection_counts(memory_layer, image_layer, provider, tmp_path):
    memory_layer.selectByExpression("\"class\" = 'b'")
    chosen = QgsProcessingFeatureSourceDefinition(memory_layer.id(), True)
    found, _context = arguments("burnlabels", {
        "IMAGE": image_layer, "FEATURES": chosen, "FEATURES_CLASS": "building",
        "RECIPE": "buildings", "OUTPUT": str(tmp_path / "l.tif")})
    [(source, name)] = found["assign"].items()
    assert name == "building"
    assert classes_in(source) == ["b"]
    assert found["sources"] == [source]


def test_an_extent_of_another_crs_becomes_degrees(town, provider, tmp_path):
    found, _ = arguments("fetchosm", {"EXTENT": town.extent, "RECIPE": "buildings",
                                      "OUTPUT": str(tmp_path / "o.gpkg")})
    west, south, east, north = map(float, found["aoi"].split(","))
    assert 8.9 < west < east < 9.1
    assert 50.5 < south < north < 50.6
    assert (east - west) * 111_320 * 0.635 == pytest.approx(256, rel=0.02)


def test_classes_of_the_dialog_replace_the_recipes(town, provider, tmp_path):
    found, _ = arguments("fetchosm", {
        "EXTENT": town.extent, "RECIPE": "buildings", "SETTINGS": "train.steps=5; chips.size=64",
        "CLASSES": ["ground", "#aaaaaa", "", "", "house", "#ff0000", "building=*", ""],
        "OUTPUT": str(tmp_path / "o.gpkg")})
    assert found["recipe"] == {
        "base": "buildings", "settings": {"train.steps": "5", "chips.size": "64"},
        "classes": [["ground", "#aaaaaa", "", ""], ["house", "#ff0000", "building=*", ""]]}


@pytest.mark.parametrize("empty", [[""], [None], ["", "", "", ""], "", None])
def test_an_empty_table_is_no_table(empty, town, provider, tmp_path):
    """The first is what the dialog hands over."""
    found, _ = arguments("fetchosm", {"EXTENT": town.extent, "RECIPE": "buildings",
                                      "CLASSES": empty, "OUTPUT": str(tmp_path / "o.gpkg")})
    assert found["recipe"] == {"base": "buildings"}


def test_a_base_map_is_refused_with_the_remedy(provider, qgis_new_project, tmp_path):
    layer = QgsRasterLayer("type=xyz&url=http://127.0.0.1:9/{z}/{x}/{y}.png&zmax=19", "streets",
                           "wms")
    QgsProject.instance().addMapLayer(layer)
    model = tmp_path / "m.safetensors"
    model.touch()
    reason = refusal("predict", {"MODEL": str(model), "IMAGE": layer,
                                 "OUTPUT": str(tmp_path / "p.tif")})
    assert "streets is a base map" in reason
    assert "Convert map to raster" in reason
    assert "Map an area" in reason
    values = {"IMAGE": layer, "RECIPE": "buildings", "OUTPUT": str(tmp_path / "map")}
    assert "base map" in refusal("maparea", values)
    assert "as an extent" in refusal("maparea", {**values, "BASE_MAP_RESOLUTION": 0.6})


@pytest.mark.parametrize(("name", "values", "part"), [
    ("predict", {"OUTPUT": "p.png"}, "png"),
    ("predict", {"SCALES": "1, much", "OUTPUT": "p.tif"}, "0.75, 1, 1.25"),
    ("polygonize", {"OUTPUT": "p.xlsx"}, "xlsx"),
    ("classify", {"THRESHOLD": "water=much"}, "water=0.4; road=0.3"),
    ("planchips", {"SPLIT": "70/30"}, "70/15/15"),
    ("burnlabels", {"SETTINGS": "train.steps"}, "train.steps=500"),
])
def test_a_value_that_cannot_be_used_is_refused(name, values, part, town, provider, tmp_path):
    file = tmp_path / "model.safetensors"
    file.touch()
    raster = str(town.image)
    sound = {
        "predict": {"MODEL": str(file), "IMAGE": raster},
        "polygonize": {"CLASSES": raster},
        "classify": {"PROBABILITIES": raster, "OUTPUT": "c.tif"},
        "planchips": {"IMAGE": raster, "LABELS": raster, "OUTPUT": "c.gpkg"},
        "burnlabels": {"IMAGE": raster, "RECIPE": "water", "SOURCES": [raster], "OUTPUT": "l.tif"},
    }[name]
    changed = {key: str(tmp_path / value) if key == "OUTPUT" else value
               for key, value in {**sound, **values}.items()}
    assert part in refusal(name, changed)


def test_further_models_follow_the_first(town, provider, tmp_path):
    models = [tmp_path / f"{name}.safetensors" for name in "abc"]
    for model in models:
        model.touch()
    first, *further = map(str, models)
    values = {"MODEL": first, "IMAGE": str(town.image), "OUTPUT": str(tmp_path / "p.tif")}
    found, _ = arguments("predict", values)
    assert found["model"] == first
    assert not {"further", "weights", "blend", "tta", "scales", "smooth"} & set(found)
    found, _ = arguments("predict", {**values, "FURTHER_MODELS": further, "WEIGHTS": "2; 1, 1",
                                     "BLEND": "gauss", "TTA": "flips", "SCALES": "0.75, 1",
                                     "SMOOTH": 0})
    assert found["model"] == [first, *further]
    assert (found["weights"], found["scales"]) == ([2.0, 1.0, 1.0], [0.75, 1.0])
    assert (found["blend"], found["tta"], found["smooth"]) == ("gauss", "flips", 0)


@pytest.mark.parametrize("half", ["FEATURES", "FEATURES_CLASS"])
def test_half_of_a_pair_is_refused(half, town, provider, tmp_path):
    value = {"FEATURES": str(town.extract) + "|layername=multipolygons",
             "FEATURES_CLASS": "building"}[half]
    values = {"IMAGE": str(town.image), "RECIPE": "buildings", half: value,
              "OUTPUT": str(tmp_path / "l.tif")}
    assert "both or neither" in refusal("burnlabels", values)


def test_nothing_to_burn_is_refused(town, provider, tmp_path):
    values = {"IMAGE": str(town.image), "RECIPE": "buildings", "OUTPUT": str(tmp_path / "l.tif")}
    assert "nothing to burn" in refusal("burnlabels", values)


def test_unequal_numbers_of_scenes_are_refused(town, provider, tmp_path):
    values = {"IMAGES": [str(town.image)], "OUTPUT": str(tmp_path / "c.gpkg")}
    assert "1 images but 0 labels" in refusal("planchips", values)


def test_settings_without_a_recipe_are_refused(town, provider, tmp_path):
    values = {"IMAGE": str(town.image), "LABELS": str(town.image), "SETTINGS": "chips.size=64",
              "OUTPUT": str(tmp_path / "c.gpkg")}
    assert "Choose the recipe" in refusal("planchips", values)


def test_a_chip_plan_must_be_its_file(memory_layer, provider, tmp_path):
    reason = refusal("exportchips", {"CHIPS": memory_layer, "OUTPUT": str(tmp_path / "tiles")})
    assert "not a file on disk" in reason
    assert not Path(tmp_path / "tiles").exists()
