"""A small project with every kind of file, made once; how a good refusal looks."""

from __future__ import annotations

import re
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import shapely
from click.testing import CliRunner, Result

import geoseg
from geoseg.cli import main
from geoseg.maps.classify import classify
from geoseg.maps.predict import predict
from geoseg.samples.chips import plan_chips
from geoseg.samples.labels import burn_labels
from tests.worlds import TWO_METRES, UTM, make_model, write_image

SIDE = 448

RESULTS = {
    "fetch-osm": "o.gpkg", "burn-labels": "o.tif", "plan-chips": "o.gpkg", "export-chips": "tiles",
    "train": "o.safetensors", "predict": "o.tif", "refine": "o.tif", "classify": "o.tif",
    "polygonize": "o.gpkg", "trace-coastline": "o.gpkg", "evaluate": "o.html", "run": "map",
    "split-sea-land": "o.gpkg", "measure-coastline": "o.gpkg", "cast-transects": "o.gpkg",
    "measure-change": "o.gpkg"}
"""What each command that writes something could be asked to write."""

RECIPE = """
name = "small"

[[class]]
name = "land"
color = "#d9d3b8"
codes = [0]

[[class]]
name = "water"
color = "#3182bd"
osm = { natural = ["water"] }
codes = [1]

[chips]
size = 64

[augment]
scale = [1.0, 1.0]

[train]
encoder = "mobilenet_v2"
pretrained = false
steps = 3
batch = 2
validate_every = 3

[predict]
tile = 256
overlap = 0.125

[map]
water = "water"
"""


@dataclass(frozen=True)
class World:
    """The files of a finished project, all of them good."""

    folder: Path

    def __getattr__(self, name: str) -> str:
        endings = {"osm": "gpkg", "chips": "gpkg", "model": "safetensors", "recipe": "toml",
                   "coasts": "gpkg", "survey": "gpkg", "transects": "gpkg", "shore": "gpkg"}
        path = self.folder / f"{name}.{endings.get(name, 'tif')}"
        if not path.is_file():
            raise AttributeError(name)
        return str(path)

    def command(self, name: str, out: Path, **changes: object) -> list[str]:
        """Return a good command line that writes `out`, with some of its files exchanged."""
        lines = {
            "fetch-osm": [self.area, "-r", self.recipe, "--file", self.extract],
            "burn-labels": [self.osm, "-r", self.recipe, "--like", self.image],
            "plan-chips": [self.image, self.labels, "--size", "64"],
            "export-chips": [self.chips],
            "train": [self.chips, "-r", self.recipe, "--device", "cpu"],
            "predict": [self.model, self.image, "--device", "cpu"],
            "refine": [self.proba, self.image, "--iterations", "1", "--appearance-range", "1"],
            "classify": [self.proba],
            "polygonize": [self.classes],
            "trace-coastline": [self.proba, "--water", "water"],
            "evaluate": [self.model, self.chips],
            "split-sea-land": [self.shore, "--area", self.area],
            "measure-coastline": [self.coasts, self.survey, "--days", "3"],
            "cast-transects": [self.shore, "--spacing", "2000", "--seaward", "99",
                               "--landward", "99"],
            "measure-change": [self.coasts, "--transects", self.transects],
            "run": [self.recipe, "--image", self.image, "--labels", self.osm, "--device", "cpu"],
        }
        files = {getattr(self, file): str(new) for file, new in changes.items()}
        assert files.keys() <= set(lines[name]), "nothing was exchanged"
        return [name, *(files.get(word, word) for word in lines[name]), "-o", str(out)]

    @property
    def area(self) -> str:
        """An area of interest in degrees, inside the extract."""
        return "14.9,45.1,15.1,45.2"

    @property
    def extract(self) -> str:
        """An OpenStreetMap extract with one lake."""
        return str(self.folder / "extract.osm")


EXTRACT = """<?xml version='1.0' encoding='UTF-8'?>
<osm version="0.6">
  <node id="1" lat="45.12" lon="14.98"/><node id="2" lat="45.12" lon="15.02"/>
  <node id="3" lat="45.16" lon="15.02"/><node id="4" lat="45.16" lon="14.98"/>
  <way id="5"><nd ref="1"/><nd ref="2"/><nd ref="3"/><nd ref="4"/><nd ref="1"/>
    <tag k="natural" v="water"/></way>
</osm>
"""


def write_shapes(path: Path, shapes, crs=UTM, **columns) -> Path:
    """Write shapes as a vector layer, by default each a lake."""
    import geopandas as gpd

    columns = columns or {"natural": ["water"] * len(shapes)}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided")
        gpd.GeoDataFrame(columns, geometry=list(shapes), crs=crs).to_file(path, engine="pyogrio")
    return path


def lakes() -> list[shapely.Polygon]:
    """Return stripes of water over the whole image, so that every chip shows both classes."""
    left, top = TWO_METRES.c, TWO_METRES.f
    return [shapely.box(left, top - 40 * k - 20, left + 2 * SIDE, top - 40 * k)
            for k in range(2 * SIDE // 40)]


def write_coasts(folder: Path) -> None:
    """Write a shore, coastlines of three years that move seaward, and what measures them."""
    write_shapes(folder / "shore.gpkg", [shapely.LineString([(15.2, 45.15), (14.8, 45.15)])],
                 crs=4326, natural=["coastline"])
    left, top = TWO_METRES.c, TWO_METRES.f
    years = ["2020-05-01", "2021-05-01", "2022-05-01"]
    write_shapes(folder / "coasts.gpkg", [shapely.LineString([
        (left + 900, top - 100 - 2 * year), (left, top - 100 - 2 * year)]) for year in range(3)],
                 date=years)
    write_shapes(folder / "survey.gpkg", [shapely.Point(left + 30 * at, top - 101)
                                          for at in range(1, 25)], date=[years[0]] * 24)
    write_shapes(folder / "transects.gpkg", [shapely.LineString([
        (left + x, top - 50), (left + x, top - 150)]) for x in (100, 300)], name=["a", "b"])


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> World:
    """A finished project, except that nobody trained its model."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "extract.osm").write_text(EXTRACT)
    pixels = np.random.default_rng(0).integers(1, 255, (3, SIDE, SIDE), dtype=np.uint8)
    image = write_image(folder / "image.tif", pixels)
    write_shapes(folder / "osm.gpkg", lakes())
    recipe = folder / "recipe.toml"
    labels = burn_labels(folder / "osm.gpkg", recipe, like=image, out=folder / "labels.tif")
    plan_chips(image, labels, size=64, out=folder / "chips.gpkg")
    make_model().save(folder / "model.safetensors")
    proba = predict(folder / "model.safetensors", image, out=folder / "proba.tif", tile=256,
                    overlap=0.125, device="cpu")
    classify(proba, threshold=0.5, out=folder / "classes.tif")
    write_coasts(folder)
    return World(folder)


def snapshot(*folders: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of everything under some folders; folders count too."""
    found = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            stat = path.stat()
            found[str(path)] = (-1, 0) if path.is_dir() else (stat.st_size, stat.st_mtime_ns)
    return found


def python(*args: object) -> list[str]:
    """Return the command line of a process that finds this checkout from any folder."""
    place = f"import sys; sys.path.insert(0, {str(Path(geoseg.__file__).parents[1])!r})"
    return [sys.executable, "-c", f"{place}; {args[0]}", *map(str, args[1:])]


AS_MODULE = "import runpy; runpy.run_module('geoseg', run_name='__main__', alter_sys=True)"
"""What `python -m geoseg` does."""


def invoke(*args: object) -> Result:
    """Run a command line in this process."""
    return CliRunner().invoke(main, [str(arg) for arg in args])


def check_sentence(stderr: str) -> str:
    """Return the error in an output, after checking that it is one line that ends the output."""
    *before, last = stderr.strip().splitlines()
    assert last.startswith("Error: "), stderr
    assert not any(line.startswith("Error: ") for line in before), stderr
    assert "Traceback" not in stderr
    sentence = last.removeprefix("Error: ")
    # Subject, finding and cure: "image.tif: has no CRS. Assign one."
    assert re.fullmatch(r".+?: .+\. .+\.", sentence), sentence
    assert not re.search(r"\.\.$|None|<class|object at", sentence), sentence
    return sentence


@pytest.fixture
def refused(world, tmp_path):
    """Run a command line that must be refused, and check the sentence and the folders."""

    def run(*args: object, says: tuple[str, ...] = ()) -> str:
        before = snapshot(world.folder, tmp_path)
        result = invoke(*args)
        assert result.exit_code == 1, f"{result.exit_code}: {result.output}"
        sentence = check_sentence(result.stderr)
        assert result.stdout == ""
        for words in says:
            assert words in sentence, sentence
        assert snapshot(world.folder, tmp_path) == before
        return sentence

    return run
