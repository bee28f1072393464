"""Set up engine: from a fresh user folder to a first answer, headless."""

import pytest
from qgis_run import Qgis


@pytest.fixture
def newcomer(tmp_path, plugins):
    """QGIS of somebody who has just installed the plugin."""
    return Qgis(tmp_path / "Neue Benutzerin", plugins,
                {"GEOSEG_ENGINE_PYTHON": None, "GEOSEG_ENGINE_HOME": None, "XDG_DATA_HOME": None})


@pytest.fixture
def image(town):
    return town.image


def test_an_interpreter_of_ones_own_is_kept(newcomer, image, engine_python):
    before = newcomer.run("geoseg:modelinformation", FILE=image)
    assert before.code == 1
    assert "Set up engine" in before.stdout + before.stderr
    done = newcomer.run("geoseg:setupengine", INTERPRETER=engine_python)
    assert done.code == 0, done.stdout + done.stderr
    assert done.results["PYTHON"] == engine_python
    assert "torch" in done.results["TEXT"]
    after = newcomer.run("geoseg:modelinformation", FILE=image)
    assert after.code == 0, after.stdout + after.stderr


def test_an_interpreter_without_the_packages_is_refused(newcomer, image):
    refused = newcomer.run("geoseg:setupengine", INTERPRETER="/usr/bin/python3")
    said = refused.stdout + refused.stderr
    assert refused.code == 1
    assert "The engine does not run in /usr/bin/python3" in said
    assert "Traceback" not in said
    assert newcomer.run("geoseg:modelinformation", FILE=image).code == 1


def test_an_unknown_python_to_build_on_is_refused(newcomer, tmp_path):
    home = tmp_path / "Ümgebung 'eins'"
    refused = newcomer.run("geoseg:setupengine", BASE_PYTHON=tmp_path / "python9", HOME=home,
                           BACKEND="cpu")
    said = refused.stdout + refused.stderr
    assert refused.code == 1
    assert "python9" in said
    assert "Traceback" not in said
    assert not list(home.glob("env-*"))
