"""The provider: every algorithm is complete, fits the engine, and opens as a dialog."""

import json
import re
import subprocess

import pytest
from qgis.core import QgsApplication, QgsProcessingParameterEnum

IDS = ("burnlabels", "casttransects", "classify", "coastlineaccuracy", "coastlinechange",
       "evaluate", "exportchips", "fetchosm", "maparea", "modelinformation", "planchips",
       "polygonize", "predict", "refine", "seaandland", "setupengine", "tracecoastline",
       "trainmodel")
"""Names that models and scripts use: never changed."""

SIGNATURES = """
import inspect, json, sys, geoseg
print(json.dumps({name: list(inspect.signature(getattr(geoseg, name)).parameters)
                  for name in sys.argv[1:]}))
"""


def algorithm(name):
    return QgsApplication.processingRegistry().createAlgorithmById(f"geoseg:{name}")


@pytest.fixture(params=IDS)
def verb(request, provider):
    return algorithm(request.param)


def test_the_toolbox_lists_them_all(provider):
    named = {item.name() for item in provider.algorithms()}
    assert named == {*IDS, "Image to polygons"}


def test_a_group_stands_in_the_toolbox_once(provider):
    groups = {(item.groupId(), item.group()) for item in provider.algorithms()}
    assert len({title for _, title in groups}) == len(groups)


def test_an_algorithm_is_described(verb):
    assert verb.displayName()
    assert verb.group()
    assert verb.groupId()
    assert verb.tags()
    assert verb.shortDescription().endswith(".")
    assert verb.helpUrl().endswith(f"/docs/qgis/{verb.name()}.md")
    assert not verb.icon().isNull()
    assert verb.icon().availableSizes() or verb.icon().pixmap(24, 24).width() == 24


def test_every_parameter_is_explained_with_an_example(verb):
    for definition in verb.parameterDefinitions():
        text = definition.help()
        assert text in verb.shortHelpString()
        assert text.endswith((".", "</code>", ")"))
        # What is ticked, chosen from a list or written needs no example.
        if not definition.isDestination() and definition.type() not in ("boolean", "enum"):
            assert "<code>" in text or "Example" in text, definition.name()


def test_choices_are_words(verb):
    for definition in verb.parameterDefinitions():
        if isinstance(definition, QgsProcessingParameterEnum):
            assert definition.usesStaticStrings(), definition.name()


def test_the_arguments_are_those_of_the_engine(provider, engine_python, checkout):
    """A renamed argument in the engine would otherwise be found by a user."""
    verbs = [item for item in map(algorithm, IDS) if item.TASK]
    found = json.loads(subprocess.run(
        [engine_python, "-c", SIGNATURES, *(item.TASK for item in verbs)], cwd=str(checkout),
        check=True, capture_output=True, text=True).stdout)
    composed = {"burn_labels": {"sources", "assign"}, "plan_chips": {"more"}, "run": {"image"},
                "predict": {"further"}, "trace_coastline": {"further"}}
    for item in verbs:
        used = {re.sub(r"^more$", "scenes", argument if isinstance(argument, str) else argument[0])
                for argument in (part.argument for part in (*item._asked, *item._written))
                if argument}
        assert used <= set(found[item.TASK]) | composed.get(item.TASK, set()), item.name()


@pytest.mark.parametrize(("verb_id", "section", "choices"), [
    ("trainmodel", "TrainRecipe", {"NETWORK": "network", "OPTIMIZER": "optimizer",
                                   "SCHEDULE": "schedule"}),
    ("predict", "PredictRecipe", {"BLEND": "blend", "TTA": "tta"}),
])
def test_a_dialog_offers_what_the_engine_knows(provider, engine_python, checkout, verb_id, section,
                                               choices):
    known = schema(engine_python, checkout)[section]["properties"]
    verb = algorithm(verb_id)
    for name, key in choices.items():
        offered = verb.parameterDefinition(name).options()
        assert offered == known[key]["enum"]
        assert len(offered) >= 3


def test_refine_begins_with_the_engines_defaults(provider, engine_python, checkout):
    known = schema(engine_python, checkout)["RefineRecipe"]["properties"]
    verb = algorithm("refine")
    for key, facts in known.items():
        if key != "crf":
            definition = verb.parameterDefinition(key.upper())
            assert definition.defaultValue() == facts["default"], key
            assert definition.maximum() == pytest.approx(facts.get("maximum", definition.maximum()))


def schema(engine_python, checkout):
    """Return the sections of a recipe as the engine describes them."""
    printed = subprocess.run([engine_python, "-m", "geoseg", "recipes", "--schema"], check=True,
                             cwd=str(checkout), capture_output=True, text=True).stdout
    return json.loads(printed)["$defs"]


def test_a_dialog_opens(verb, whole_iface):
    from processing.gui.AlgorithmDialog import AlgorithmDialog

    dialog = AlgorithmDialog(verb, False, None)
    try:
        dialog.show()
        picture = dialog.grab().toImage()
        colours = {picture.pixel(x, y) for x in range(0, picture.width(), 7)
                   for y in range(0, picture.height(), 7)}
        assert picture.width() > 300
        assert len(colours) > 8
        assert verb.displayName() in dialog.windowTitle()
    finally:
        dialog.close()
        dialog.deleteLater()


def test_without_an_engine_it_says_what_to_do(provider, monkeypatch, tmp_path):
    from geoseg_qgis import engine
    from qgis.core import (
        QgsProcessingContext,
        QgsProcessingException,
        QgsProcessingFeedback,
    )

    monkeypatch.delenv("GEOSEG_ENGINE_PYTHON", raising=False)
    monkeypatch.setenv("GEOSEG_ENGINE_HOME", str(tmp_path / "nothing here"))
    possible, reason = algorithm("predict").canExecute()
    assert not possible
    assert "Set up engine" in reason
    assert algorithm("setupengine").canExecute()[0]
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"")
    with pytest.raises(QgsProcessingException, match="Set up engine") as caught:
        algorithm("modelinformation").run({"FILE": str(file)}, QgsProcessingContext(),
                                          QgsProcessingFeedback(), {}, False)
    assert type(caught.value) is QgsProcessingException
    assert str(caught.value) == engine.MISSING
