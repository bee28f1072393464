"""Every product opens in QGIS as it is meant to be seen, however it was made."""

import subprocess

import pytest
from qgis.core import (
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor
from world import SETTINGS, make_town

BUILDINGS = {"other": "#d9d9d9", "building": "#c8553d"}
SPLITS = {"train": ("training", "#4477aa"), "val": ("validation", "#ccbb44"),
          "test": ("test", "#ee6677")}


@pytest.fixture(scope="session")
def engine(engine_python, checkout):
    """The command line of the engine: call it with arguments."""

    def call(*arguments):
        done = subprocess.run([engine_python, "-m", "geoseg", *map(str, arguments)],
                              cwd=str(checkout), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=600)
        assert done.returncode == 0, done.stdout

    return call


@pytest.fixture(scope="session")
def products(engine, tmp_path_factory):
    """The folder with every kind of product, as the command line makes them."""
    folder = tmp_path_factory.mktemp("Übersicht der Stile")
    town = make_town(folder / "town")
    settings = [word for text in SETTINGS.split(";") for word in ("--set", text.strip())]
    # Steps enough to find a building at all; any class has an edge to trace.
    engine("run", "buildings", "--image", town.image, "--osm", town.extract, "-o", folder / "map",
           *settings, "--set", "train.steps=40", "--set", "map.water=building", "--device", "cpu")
    model = folder / "map" / "model.safetensors"
    engine("predict", model, town.image, "-o", folder / "float.tif", "--dtype", "float32",
           "--uncertainty", folder / "uncertainty.tif", "--tile", 256, "--device", "cpu")
    for ending in ("fgb", "geojson"):
        engine("polygonize", folder / "map" / "classes.tif", "-o", folder / ("some." + ending),
               "--classes", "building")
    engine("fetch-osm", "8.9,50.5,9.1,50.6", "-r", "landcover-osm", "--file", town.extract,
           "-o", folder / "osm.gpkg")
    engine("burn-labels", town.extract, "-r", "buildings", "--set", "task=overlapping",
           "--like", town.image, "-o", folder / "overlapping.tif")
    return folder


def open_raster(path):
    opened = QgsRasterLayer(str(path), path.stem)
    assert opened.isValid()
    return opened


def open_vector(source):
    opened = QgsVectorLayer(str(source), "opened")
    assert opened.isValid()
    return opened


def categories(opened, field):
    """Return value, label and symbol of each category."""
    renderer = opened.renderer()
    assert (renderer.type(), renderer.classAttribute()) == ("categorizedSymbol", field)
    # Copies, since the symbols themselves go with the layer.
    return [(item.value(), item.label(), item.symbol().clone()) for item in renderer.categories()]


def picture(opened, side=64):
    """Return the layer as QGIS draws it, on white."""
    settings = QgsMapSettings()
    settings.setLayers([opened])
    settings.setDestinationCrs(opened.crs())
    # A single point has no extent of its own.
    settings.setExtent(opened.extent().buffered(0.001 if opened.crs().isGeographic() else 0))
    settings.setOutputSize(QSize(side, side))
    settings.setBackgroundColor(QColor("white"))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    assert not job.errors(), [error.message for error in job.errors()]
    return job.renderedImage()


def colors_in(image):
    return {image.pixelColor(column, row).name()
            for column in range(image.width()) for row in range(image.height())}


@pytest.mark.parametrize("name", ["labels", "classes"])
def test_class_rasters_show_names_and_colours(products, name):
    opened = open_raster(products / "map" / (name + ".tif"))
    assert opened.renderer().type() == "paletted"
    assert {item.label: item.color.name() for item in opened.renderer().classes()} == BUILDINGS


def test_labels_are_drawn_in_the_colours_of_their_classes(products):
    opened = open_raster(products / "map" / "labels.tif")
    # A white line may remain where the extent ends between two pixels of the picture.
    assert colors_in(picture(opened)) - {"#ffffff"} == set(BUILDINGS.values())


def test_overlapping_labels_show_one_class_where_it_is(products):
    opened = open_raster(products / "overlapping.tif")
    assert opened.bandCount() == 2
    assert opened.renderer().type() == "paletted"
    assert [(item.value, item.label, item.color.name()) for item in opened.renderer().classes()
            ] == [(1, "other", "#d9d9d9")]
    assert opened.renderer().usesBands() == [1]


@pytest.mark.parametrize(("file", "band", "low", "high"), [
    ("map/probabilities.tif", 2, "#440154", "#fde725"), ("float.tif", 2, "#440154", "#fde725"),
    ("uncertainty.tif", 1, "#fff7ec", "#7f0000")])
def test_values_run_from_0_to_1_along_a_ramp(products, file, band, low, high):
    opened = open_raster(products / file)
    renderer = opened.renderer()
    assert (renderer.type(), renderer.band()) == ("singlebandpseudocolor", band)
    assert (renderer.classificationMin(), renderer.classificationMax()) == (0, 1)
    shader = renderer.shader().rasterShaderFunction()
    for value, color in ((0.0, low), (1.0, high)):
        is_drawn, *rgba = shader.shade(value)
        assert is_drawn
        assert (QColor(*rgba[:3]).name(), rgba[3]) == (color, 255)
    assert shader.sourceColorRamp().color(0).name() == low
    assert shader.sourceColorRamp().color(1).name() == high


def test_stored_bytes_are_drawn_as_probabilities(products):
    """The file holds 0 to 254; QGIS must apply the band's scale before it looks up the colour."""
    opened = open_raster(products / "map" / "probabilities.tif")
    provider, renderer = opened.dataProvider(), opened.renderer()
    width, height = provider.xSize(), provider.ySize()
    values = provider.block(2, opened.extent(), width, height)
    drawn = renderer.block(2, opened.extent(), width, height)
    shader = renderer.shader().rasterShaderFunction()
    seen = set()
    for place in range(0, width, 7):
        value = values.value(place, place)
        assert 0 <= value <= 1
        seen.add(value)
        assert QColor(drawn.color(place, place)).getRgb()[:3] == tuple(shader.shade(value)[1:4])
    assert len(seen) > 5


def test_polygons_show_their_classes(products):
    found = categories(open_vector(products / "map" / "polygons.gpkg"), "class")
    assert {value: symbol.color().name() for value, _, symbol in found} == BUILDINGS
    for value, label, symbol in found:
        assert label == value
        fill = symbol.symbolLayer(0)
        assert 100 < fill.fillColor().alpha() < 150
        assert fill.strokeColor().lightness() < fill.fillColor().lightness()


@pytest.mark.parametrize("ending", ["fgb", "geojson"])
def test_polygons_of_other_formats_show_the_classes_they_hold(products, ending):
    [(value, _, symbol)] = categories(open_vector(products / ("some." + ending)), "class")
    assert (value, symbol.color().name()) == ("building", BUILDINGS["building"])


def test_chips_show_their_split_and_the_image(products):
    opened = open_vector(products / "map" / "chips.gpkg")
    found = categories(opened, "split")
    assert {value: (label, symbol.color().name()) for value, label, symbol in found} == SPLITS
    assert {feature["split"] for feature in opened.getFeatures()} <= set(SPLITS)
    for _, _, symbol in found:
        fill = symbol.symbolLayer(0)
        assert fill.fillColor().alpha() < 60
        assert fill.strokeColor().getRgb() == QColor(symbol.color().name()).getRgb()


def test_the_coastline_shows_its_confidence(products):
    opened = open_vector(products / "map" / "coastline.gpkg")
    renderer = opened.renderer()
    assert (renderer.type(), renderer.classAttribute()) == ("graduatedSymbol", "confidence")
    ends = [(item.lowerValue(), item.upperValue()) for item in renderer.ranges()]
    assert ends == [(0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1)]
    for item in renderer.ranges():
        casing, line = item.symbol().symbolLayers()
        assert casing.width() > line.width() == 1.2
    # Every line is drawn: its confidence lies in a range.
    assert all(renderer.rangeForValue(feature["confidence"]) for feature in opened.getFeatures())


def test_a_fetched_layer_shows_the_classes_it_holds(products):
    found = categories(open_vector(f"{products / 'osm.gpkg'}|layername=polygons"), "class")
    assert [(value, symbol.color().name()) for value, _, symbol in found] == [
        ("building", "#c8553d")]


SHAPES = {"polygons": ("way", "building", "yes", "building", "#c8553d"),
          "lines": ("way", "highway", "residential", "road", "#5f5f66"),
          "points": ("node", "natural", "beach", "beach", "#f0d58c")}
EXTRACT = """<?xml version="1.0"?><osm version="0.6">
<node id="1" lat="50.0" lon="9.0"/><node id="2" lat="50.0" lon="9.001"/>
<node id="3" lat="50.001" lon="9.001"/>
<node id="4" lat="50.0005" lon="9.002"><tag k="natural" v="beach"/></node>
<way id="1"><nd ref="1"/><nd ref="2"/><nd ref="3"/><nd ref="1"/><tag k="building" v="yes"/></way>
<way id="2"><nd ref="1"/><nd ref="3"/><tag k="highway" v="residential"/></way></osm>
"""


def test_all_layers_of_a_geopackage_have_their_own_style(engine, tmp_path):
    extract, out = tmp_path / "all.osm", tmp_path / "all.gpkg"
    extract.write_text(EXTRACT, encoding="utf-8")
    engine("fetch-osm", "8.9,49.9,9.1,50.1", "-r", "landcover-osm", "--file", extract, "-o", out)
    for name, (*_, label, color) in SHAPES.items():
        opened = open_vector(f"{out}|layername={name}")
        [(value, _, symbol)] = categories(opened, "class")
        assert (value, symbol.color().name()) == (label, color)
        assert opened.featureCount() == 1
        # A symbol that does not suit the geometry draws nothing.
        assert len(colors_in(picture(opened))) > 1, name


def test_a_raster_and_polygons_of_one_name_are_both_styled(engine, products, tmp_path):
    classes, polygons = tmp_path / "town.tif", tmp_path / "town.gpkg"
    engine("classify", products / "map" / "probabilities.tif", "-o", classes)
    engine("polygonize", classes, "-o", polygons)
    assert open_raster(classes).renderer().type() == "paletted"
    assert open_vector(polygons).renderer().type() == "categorizedSymbol"


def test_a_style_is_replaced_with_its_product(engine, products, tmp_path):
    out = tmp_path / "a.tif"
    engine("classify", products / "map" / "probabilities.tif", "-o", out)
    engine("predict", products / "map" / "model.safetensors", products / "town" / "ortho.tif",
           "-o", out, "--tile", 256, "--device", "cpu", "--overwrite")
    assert open_raster(out).renderer().type() == "singlebandpseudocolor"


def test_a_style_saved_in_qgis_stays_when_the_product_is_made_again(engine, products, tmp_path):
    out = tmp_path / "a.gpkg"
    line = ("polygonize", products / "map" / "classes.tif", "-o", out, "--overwrite")
    engine(*line)
    opened = open_vector(out)
    opened.renderer().updateCategoryLabel(0, "everything else")
    opened.saveNamedStyle(str(out.with_suffix(".qml")))
    QgsProject.instance().clear()
    engine(*line)
    assert categories(open_vector(out), "class")[0][1] == "everything else"
