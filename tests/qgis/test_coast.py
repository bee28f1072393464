"""The verbs around coastlines, from Processing with the real engine, on a coast known by heart."""

import json
import math
from pathlib import Path

import pytest
from coast_world import BOTTOM, EPSG, LEFT, RADIUS, RIGHT, SHORE, TOP, write_coast, write_osm
from qgis.core import (
    QgsFeature,
    QgsGeometry,
    QgsProcessingException,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from test_display import layer, run
from test_inputs import arguments, refusal

BOX = f"{LEFT},{RIGHT},{BOTTOM},{TOP} [EPSG:{EPSG}]"
RED, BLUE, DARK = "#a50f15", "#08408f", "#303030"


@pytest.fixture(scope="session")
def proba(tmp_path_factory):
    """The probability raster of the coast."""
    return write_coast(tmp_path_factory.mktemp("Küste") / "proba.tif")


@pytest.fixture(autouse=True)
def empty_project(provider, qgis_new_project):
    """Every test begins with an empty project."""


@pytest.fixture
def narrabeen(checkout):
    """The folder of the survey and the satellite coastlines of Narrabeen-Collaroy."""
    folder = checkout.parent / "shared" / "data" / "coast_narrabeen"
    if not folder.is_dir():
        pytest.skip("the real data sets do not lie beside this checkout")
    return folder


def in_memory(name, shapes, fields="", kind="LineString"):
    """Put a layer in memory into the project; shapes are (WKT, attribute, ...)."""
    made = QgsVectorLayer(f"{kind}?crs=EPSG:{EPSG}{fields}", name, "memory")
    for wkt, *attributes in shapes:
        feature = QgsFeature(made.fields())
        feature.setAttributes(attributes)
        feature.setGeometry(QgsGeometry.fromWkt(wkt))
        assert made.dataProvider().addFeature(feature)
    made.updateExtents()
    QgsProject.instance().addMapLayer(made, False)
    return made


def along(northing, west=LEFT, east=RIGHT):
    """Return a line along the shore as WKT, with land, the north, on its left."""
    return f"LINESTRING({west} {northing}, {east} {northing})"


def dated(name, metres_per_year, field="date"):
    """Return a layer in memory of shores in five years, the first on the shore."""
    return in_memory(name, [(along(SHORE - metres_per_year * year), f"{2015 + year}-07-01")
                            for year in range(5)], f"&field={field}:string")


def straight_transects():
    """Return three transects from land to sea, 300 m to both sides of the shore."""
    return in_memory("profiles", [
        (f"LINESTRING({x} {SHORE + 300}, {x} {SHORE - 300})", f"P{place}")
        for place, x in enumerate((LEFT + 500, LEFT + 1000, LEFT + 1500), start=1)],
        "&field=name:string")


def legend(of="geoseg: Coastline change"):
    """Return (name, is switched on) of the only group's layers, from the top."""
    [group] = QgsProject.instance().layerTreeRoot().children()
    assert group.name() == of
    return [(child.name(), child.itemVisibilityChecked()) for child in group.children()]


def features(opened):
    return list(opened.getFeatures())


def categories(opened):
    """Return field, and by value the colours that lie on top: below may be a white casing."""
    renderer = opened.renderer()
    assert renderer.type() == "categorizedSymbol"
    return renderer.classAttribute(), {
        item.value(): item.symbol().symbolLayers()[-1].color().name()
        for item in renderer.categories()}


def test_a_coastline_with_land_and_water(proba):
    found = run("tracecoastline", {
        "PROBABILITIES": str(proba), "WATER": "water", "SMOOTH": 0, "DATE": "2024-05-31",
        "OUTPUT": "TEMPORARY_OUTPUT", "POLYGONS": "TEMPORARY_OUTPUT"})
    assert legend("geoseg: Trace coastline") == [("Coastline", True), ("Land and water", True)]
    lines = layer("Coastline")
    assert lines.renderer().type() == "graduatedSymbol"
    assert found["FEATURES"] == lines.featureCount() == 2
    assert found["LENGTH"] == pytest.approx(RIGHT - LEFT + 2 * math.pi * RADIUS, rel=5e-3)
    assert {feature["date"] for feature in features(lines)} == {"2024-05-31"}
    assert categories(layer("Land and water")) == ("side", {"land": "#d8c690", "water": "#3182bd"})
    areas = {side: sum(feature["area_m2"] for feature in features(layer("Land and water"))
                       if feature["side"] == side) for side in ("land", "water")}
    island = math.pi * RADIUS ** 2
    assert areas["land"] == pytest.approx((TOP - SHORE) * (RIGHT - LEFT) + island, rel=5e-3)
    assert areas["water"] == pytest.approx((SHORE - BOTTOM) * (RIGHT - LEFT) - island, rel=5e-3)


def test_an_ensemble_in_an_area_in_pieces(proba, tmp_path):
    """Half of the raster, without the island, of two rasters of which one is sharper."""
    sharp = write_coast(tmp_path / "sharp.tif", contrast=3)
    found = run("tracecoastline", {
        "PROBABILITIES": str(proba), "FURTHER": [QgsRasterLayer(str(sharp), "sharp")],
        "WEIGHTS": "2, 1", "EXTENT": f"{LEFT},{LEFT + 1000},{SHORE - 200},{TOP} [EPSG:{EPSG}]",
        "PIECE_LENGTH": 200, "SIGMA_FACTOR": 2, "OUTPUT": str(tmp_path / "coast.gpkg")})
    assert found["FEATURES"] == 5
    assert found["LENGTH"] == pytest.approx(1000, rel=0.02)
    opened = QgsVectorLayer(str(tmp_path / "coast.gpkg"), "read")
    assert {feature["source"] for feature in features(opened)} == {"proba.tif, sharp.tif"}
    assert opened.extent().yMinimum() == pytest.approx(SHORE, abs=0.5)
    assert opened.extent().yMaximum() == pytest.approx(SHORE, abs=0.5)


def test_the_accuracy_of_a_known_line(proba, tmp_path):
    """The reference lies 30 m out at sea, so that the coastline is 30 m landward of it."""
    coast, scores = str(tmp_path / "coast.gpkg"), tmp_path / "scores.json"
    run("tracecoastline", {"PROBABILITIES": str(proba), "WATER": "water", "OUTPUT": coast})
    survey = in_memory("survey", [(along(SHORE - 30),)])
    found = run("coastlineaccuracy", {
        "LINES": coast, "REFERENCE": survey, "MAX_DISTANCE": 100, "WITHIN": "20; 40",
        "OUTPUT": "TEMPORARY_OUTPUT", "JSON": str(scores)})
    assert found["MEAN"] == pytest.approx(30, abs=0.05)
    assert found["BIAS"] == pytest.approx(-30, abs=0.05)
    assert found["BOTH_WAYS"] == pytest.approx(30, abs=0.05)
    assert found["SIGMA_FACTOR"] > 1
    assert json.loads(scores.read_text())["missed"]["mean"] == found["MEAN"]
    renderer = layer("Coastline errors").renderer()
    assert (renderer.type(), renderer.classAttribute()) == ("graduatedSymbol", "error_m")
    assert [item.label() for item in renderer.ranges()] == ["up to 20 m", "up to 40 m", "over 40 m"]


def test_dates_in_attributes_of_other_names_are_chosen_from_the_layers():
    lines = dated("coasts", 3, field="seen")
    survey = in_memory("survey", [(f"POINT({LEFT + 700} {SHORE})", "2017-07-03")],
                       "&field=walked:string", "Point")
    found = run("coastlineaccuracy", {
        "LINES": lines, "REFERENCE": survey, "DATE_FIELD": "seen", "DAYS": 5,
        "REFERENCE_DATE_FIELD": "walked", "OUTPUT": "TEMPORARY_OUTPUT"})
    assert found["MEAN"] == pytest.approx(6, abs=0.01)
    assert "STRAYED_MEAN" not in found


def test_an_error_of_the_engine_is_one_sentence(tmp_path):
    survey = in_memory("survey", [(f"POINT({LEFT + 700} {SHORE})",)], kind="Point")
    with pytest.raises(QgsProcessingException, match="has no dates") as caught:
        run("coastlineaccuracy", {"LINES": dated("coasts", 3), "REFERENCE": survey, "DAYS": 5,
                                  "OUTPUT": str(tmp_path / "errors.gpkg")})
    assert "Traceback" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    assert legend_is_empty()


def legend_is_empty():
    return not QgsProject.instance().layerTreeRoot().children()


def test_transects_stand_at_right_angles_from_land_to_sea():
    baseline = in_memory("baseline", [(along(SHORE),)])
    found = run("casttransects", {"BASELINE": baseline, "SPACING": 500, "SEAWARD": 200,
                                  "LANDWARD": 100, "OUTPUT": "TEMPORARY_OUTPUT"})
    opened = layer("Transects")
    assert found["COUNT"] == opened.featureCount() == 5
    for place, feature in enumerate(features(opened)):
        [first, last] = feature.geometry().asPolyline()
        assert (first.x(), last.x()) == pytest.approx((LEFT + 500 * place,) * 2, abs=1e-3)
        assert (first.y(), last.y()) == pytest.approx((SHORE + 100, SHORE - 200), abs=1e-3)


def test_the_change_of_one_layer(tmp_path):
    report = tmp_path / "page.html"
    found = run("coastlinechange", {
        "SOURCES": [dated("coasts", 3)], "TRANSECTS": straight_transects(),
        "OUTPUT": "TEMPORARY_OUTPUT", "REPORT": str(report)})
    assert (found["COUNT"], found["SIGNIFICANT"]) == (3, 3)
    assert found["MEDIAN_RATE"] == pytest.approx(3, rel=2e-3)
    assert "FURTHER" not in found
    assert "coasts" in report.read_text(encoding="utf-8")
    assert legend() == [("Crossings", True), ("Change", True)]
    field, colours = categories(layer("Change"))
    assert field == "change"
    for feature in features(layer("Change")):
        assert colours[feature["change"]] == BLUE
        assert feature["rate_m_per_year"] == pytest.approx(3, rel=2e-3)
    renderer = layer("Crossings").renderer()
    assert (renderer.type(), renderer.classAttribute()) == ("graduatedSymbol", "year")
    assert all(renderer.rangeForValue(feature["year"]) for feature in features(layer("Crossings")))


def test_the_change_of_several_layers_as_they_are_shown(tmp_path):
    """The filter leaves the second layer two dates, so its rate has no interval."""
    moving, still = dated("moving inland", -3), dated("Küste / 2: kaum", 0.01)
    assert still.setSubsetString("\"date\" < '2017'")
    found = run("coastlinechange", {
        "SOURCES": [moving, still], "TRANSECTS": straight_transects(), "NAME_FIELD": "name",
        "OUTPUT": str(tmp_path / "change.gpkg")})
    assert (found["COUNT"], found["SIGNIFICANT"]) == (3, 3)
    assert "REPORT" not in found
    assert list(tmp_path.iterdir()) == [tmp_path / "change.gpkg"]
    # A file's name has no room for some characters.
    names = [("Crossings", True), ("Change: moving inland", True),
             ("Change: Küste _ 2_ kaum", False)]
    assert legend("geoseg: Coastline change (change)") == names
    assert [QgsVectorLayer(source, "read").featureCount() for source in found["FURTHER"]] == [3]
    for (name, _), colour in zip(names[1:], (RED, DARK)):
        _, colours = categories(layer(name))
        assert {colours[feature["change"]] for feature in features(layer(name))} == {colour}
    field, colours = categories(layer("Crossings"))
    assert field == "source"
    assert {feature["source"] for feature in features(layer("Crossings"))} == set(colours)
    counts = [sum(feature["source"] == name for feature in features(layer("Crossings")))
              for name in colours]
    assert sorted(counts) == [6, 15]


def test_water_levels_are_a_table_or_an_attribute(tmp_path):
    values = {"SOURCES": [dated("coasts", 3)], "TRANSECTS": straight_transects(),
              "WATER_LEVEL": str(tmp_path / "tide.csv"), "LEVEL_FIELD": "tide",
              "OUTPUT": str(tmp_path / "change.gpkg")}
    (tmp_path / "tide.csv").touch()
    assert "not both" in refusal("coastlinechange", values)


def test_sea_and_land_of_an_extract(tmp_path):
    run("seaandland", {"EXTENT": BOX, "FILE": str(write_osm(tmp_path / "coast.osm")),
                       "SEA_CLASS": "water", "OUTPUT": "TEMPORARY_OUTPUT"})
    opened = layer("Sea and land")
    assert categories(opened) == ("side", {"sea": "#3182bd", "land": "#d9d3b8"})
    assert {(feature["side"], feature["class"]) for feature in features(opened)} == {
        ("sea", "water"), ("land", "land")}
    assert opened.featureCount() == 3
    island = min(feature["area_km2"] for feature in features(opened))
    assert island == pytest.approx(math.pi * RADIUS ** 2 / 1e6, rel=5e-3)


def test_sea_and_land_by_a_line_of_ones_own():
    """Land lies on the right of the line turned round; the area is a layer in memory."""
    line = in_memory("mine", [(f"LINESTRING({RIGHT} {SHORE}, {LEFT} {SHORE})",)])
    area = in_memory("area", [(f"POLYGON(({LEFT + 500} {SHORE - 500}, {LEFT + 900} {SHORE - 500}, "
                               f"{LEFT + 900} {SHORE + 100}, {LEFT + 500} {SHORE + 100}, "
                               f"{LEFT + 500} {SHORE - 500}))",)], kind="Polygon")
    run("seaandland", {"AREA": area, "COASTLINE": line, "LAND": "right",
                       "OUTPUT": "TEMPORARY_OUTPUT"})
    areas = {feature["side"]: feature["area_km2"] for feature in features(layer("Sea and land"))}
    assert areas == {"sea": pytest.approx(0.2, rel=2e-3), "land": pytest.approx(0.04, rel=2e-3)}


def test_sea_and_land_needs_one_area_and_at_most_one_coast(tmp_path):
    extract, line = str(write_osm(tmp_path / "coast.osm")), in_memory("mine", [(along(SHORE),)])
    values = {"EXTENT": BOX, "OUTPUT": str(tmp_path / "sides.gpkg")}
    area = in_memory("area", [(f"POLYGON(({LEFT} {TOP}, {RIGHT} {TOP}, {LEFT} {BOTTOM}, "
                               f"{LEFT} {TOP}))",)], kind="Polygon")
    assert "Give the area" in refusal("seaandland", {**values, "EXTENT": None})
    assert "not both" in refusal("seaandland", {**values, "AREA": area})
    assert "not both" in refusal("seaandland", {**values, "FILE": extract, "COASTLINE": line})


def test_what_is_left_alone_is_left_to_the_engine(proba, tmp_path):
    found, _ = arguments("tracecoastline", {"PROBABILITIES": str(proba),
                                            "OUTPUT": str(tmp_path / "c.gpkg")})
    assert set(found) == {"proba", "water", "smooth", "min_length", "max_gap", "piece_length",
                          "simplify", "sigma_factor"}
    assert (found["proba"], found["water"]) == (str(proba), ["water"])
    found, _ = arguments("coastlinechange", {"SOURCES": [dated("coasts", 3)],
                                             "TRANSECTS": straight_transects(),
                                             "OUTPUT": str(tmp_path / "c.gpkg")})
    assert set(found) == {"sources", "transects", "confidence", "crossing", "reach", "reference"}
    assert Path(found["sources"][0]).name == "coasts.gpkg"


def test_a_model_goes_from_probabilities_to_their_accuracy(proba):
    """Built as the Model Designer does: one step takes the output of the other."""
    import processing
    from qgis.core import (
        QgsProcessingModelAlgorithm,
        QgsProcessingModelChildAlgorithm,
        QgsProcessingModelChildParameterSource,
        QgsProcessingModelOutput,
    )

    of_child = QgsProcessingModelChildParameterSource.fromChildOutput
    value = QgsProcessingModelChildParameterSource.fromStaticValue
    survey = in_memory("survey", [(along(SHORE - 30),)])
    model = QgsProcessingModelAlgorithm("trace and measure")
    for name, verb, given in (
            ("trace", "tracecoastline", {"PROBABILITIES": value(str(proba))}),
            ("measure", "coastlineaccuracy", {
                "LINES": of_child("trace", "OUTPUT"), "REFERENCE": value(survey.id()),
                "MAX_DISTANCE": value(100.0)})):
        child = QgsProcessingModelChildAlgorithm(f"geoseg:{verb}")
        child.setChildId(name)
        defaults = {item.name(): value(item.defaultValue())
                    for item in child.algorithm().parameterDefinitions()
                    if item.defaultValue() is not None and not item.isDestination()}
        for key, source in {**defaults, **given}.items():
            child.addParameterSources(key, [source])
        if name == "measure":
            out = QgsProcessingModelOutput("errors")
            out.setChildId(name)
            out.setChildOutputName("OUTPUT")
            child.setModelOutputs({"errors": out})
        model.addChildAlgorithm(child)
    model.updateDestinationParameters()
    assert model.validate() == (True, [])
    found = processing.run(model, {"measure:errors": "TEMPORARY_OUTPUT"})
    opened = QgsVectorLayer(found["measure:errors"], "read")
    near = [feature["error_m"] for feature in features(opened)
            if feature["direction"] == "missed" and feature["error_m"]]
    assert near == pytest.approx([30] * len(near), abs=0.2)
    assert len(near) > 100


def test_the_accuracy_of_narrabeen(narrabeen):
    """The mean over the 24 dates was worked out with other tools, see the data's README."""
    found = run("coastlineaccuracy", {
        "LINES": str(narrabeen / "s2_shorelines_shorex.gpkg"), "DAYS": 10, "LAND": "right",
        "REFERENCE": str(narrabeen / "gps_survey_points.gpkg"), "OUTPUT": "TEMPORARY_OUTPUT"})
    assert found["OVER_DATES"] == pytest.approx(6.7, abs=0.05)
    assert layer("Coastline errors").crs().authid() == "EPSG:28356"
    assert layer("Coastline errors").featureCount() == 168


def test_the_change_of_narrabeen(narrabeen, tmp_path):
    found = run("coastlinechange", {
        "SOURCES": [str(narrabeen / "gps_survey_points.gpkg"),
                    str(narrabeen / "s2_shorelines_shorex.gpkg")],
        "TRANSECTS": str(narrabeen / "transects.geojson"), "START": "2016-01-01",
        "END": "2019-12-31", "OUTPUT": "TEMPORARY_OUTPUT", "REPORT": str(tmp_path / "page.html")})
    assert (found["COUNT"], found["SIGNIFICANT"]) == (5, 2)
    assert legend() == [("Crossings", True), ("Change: gps_survey_points", True),
                        ("Change: s2_shorelines_shorex", False)]
    assert (tmp_path / "page.html").stat().st_size > 10_000
