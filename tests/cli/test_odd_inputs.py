"""Real odd and broken files through the command line: a right result, or one clear sentence."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.errors import NotGeoreferencedWarning

from geoseg.geo.grid import Grid
from geoseg.geo.legend import IGNORE
from geoseg.geo.raster import open_raster
from tests.cli.conftest import RECIPE, check_sentence, invoke, write_shapes
from tests.worlds import make_model

pytestmark = pytest.mark.data

BROKEN = {
    "cint16.tif": "holds complex numbers (complex_int16). Compute the amplitude",
    "corrupt.tif": "ends before its last pixels. The file is truncated or damaged",
    "truncated.tif": "ends before its last pixels. The file is truncated or damaged",
    "zero_bytes.tif": "cannot be opened as GeoTIFF, PNG, JPEG or JPEG 2000",
}
"""Rasters that nothing can be done with."""

PLACELESS = ("389225main_sw_1965_1024.jpg", "cog_gcps_ovr.tif", "float_nan.tif",
             "no_crs_no_transform.tif", "random-fp16.tiff", "rotated.tif",
             "seq-1c-1b-71f6a21a.tiff")
"""Rasters without CRS: refused, unless the recipe says that they are in pixels."""

PLACED = ("all-nodata.tif", "alpha.tif", "anisotropic_10x25m.tif", "cog_scale.tif",
          "cog_uint8_rgb_mask.tif", "label_stray_values.tif", "non_aligned1.tif",
          "sliver_5x3000.tif")
"""Sound, if unusual, rasters on the Earth."""

HUGE = "sparse_100k_rgb.tif"


@pytest.fixture
def odd(data) -> Path:
    return data / "odd_inputs"


@pytest.fixture
def recipe(tmp_path):
    """Write a recipe for images on the Earth or in pixels."""

    def write(georeferenced: bool) -> Path:
        path = tmp_path / f"recipe-{georeferenced}.toml"
        path.write_text(f"georeferenced = {str(georeferenced).lower()}\n{RECIPE}")
        return path

    return write


def grid_of(path: Path, georeferenced: bool) -> Grid:
    with open_raster(path) as dataset:
        return Grid.of(dataset, georeferenced=georeferenced)


def left_half(image: Path, grid: Grid, path: Path) -> Path:
    """Write a lake over the left half of an image's columns."""
    column = grid.width // 2
    corners = [grid.transform @ corner for corner in
               ((0, 0), (column, 0), (column, grid.height), (0, grid.height))]
    return write_shapes(path, [shapely.Polygon(corners)], crs=grid.pyproj_crs)


def read(path: Path) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path) as dataset:
            return dataset.read()


def test_every_file_is_looked_at(odd):
    rasters = {path.name for path in odd.iterdir()
               if path.suffix in (".tif", ".tiff", ".jpg")} - {"non_aligned2.tif"}
    assert rasters == {*BROKEN, *PLACELESS, *PLACED, HUGE}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_rasters(world, odd, refused, tmp_path, name):
    path = odd / name
    says = (f"{path}: {BROKEN[name]}",)
    refused("info", path, says=says)
    for command, out in (("burn-labels", "o.tif"), ("plan-chips", "o.gpkg"), ("predict", "o.tif"),
                         ("run", "map")):
        refused(*world.command(command, tmp_path / out, image=path), says=says)
    refused(*world.command("burn-labels", tmp_path / "o.tif", osm=path), says=says)
    refused(*world.command("plan-chips", tmp_path / "o.gpkg", labels=path), says=says)
    refused(*world.command("classify", tmp_path / "o.tif", proba=path), says=says)
    refused(*world.command("polygonize", tmp_path / "o.gpkg", classes=path), says=says)


@pytest.mark.parametrize("name", PLACELESS)
def test_rasters_without_crs_are_refused(world, odd, refused, tmp_path, name):
    path = odd / name
    says = (f"{path}: has no coordinate reference system. Assign one",
            "or set georeferenced = false in the recipe to work in pixels")
    for command, out in (("burn-labels", "o.tif"), ("plan-chips", "o.gpkg"), ("predict", "o.tif"),
                         ("run", "map")):
        refused(*world.command(command, tmp_path / out, image=path), says=says)
    shown = invoke("info", path)
    assert shown.exit_code == 0
    assert "none (pixel space)" in shown.stdout


@pytest.mark.parametrize("name", [*PLACED, *PLACELESS])
def test_labels_lie_on_exactly_the_grid_of_the_image(odd, recipe, tmp_path, name):
    placed = name in PLACED
    grid = grid_of(odd / name, placed)
    lake = left_half(odd / name, grid, tmp_path / "lake.gpkg")
    done = invoke("burn-labels", lake, "-r", recipe(placed), "--like", odd / name,
                  "-o", tmp_path / "labels.tif")
    assert done.exit_code == 0, done.output
    assert grid_of(tmp_path / "labels.tif", True) == grid
    labels = read(tmp_path / "labels.tif")[0]
    expected = np.zeros_like(labels)
    expected[:, :grid.width // 2] = 1
    np.testing.assert_array_equal(labels, expected)
    facts = json.loads(invoke("info", "--json", tmp_path / "labels.tif").stdout)
    assert (facts["crs"] == "none (pixel space)") != placed


@pytest.mark.parametrize("name", [name for name in (*PLACED, *PLACELESS)
                                  if name != "non_aligned1.tif"])
def test_probabilities_lie_on_exactly_the_grid_of_the_image(odd, tmp_path, name):
    placed = name in PLACED
    with open_raster(odd / name) as dataset:
        bands, dtype, grid = dataset.count, dataset.dtypes[0], Grid.of(dataset,
                                                                       georeferenced=placed)
        measured = dataset.read_masks().astype(bool)
        values = dataset.read()
    model = tmp_path / "m.safetensors"
    make_model(bands=bands, dtype=dtype, georeferenced=placed, high=1000.0).save(model)
    done = invoke("predict", model, odd / name, "--tile", 256, "--force", "--device", "cpu",
                  "-o", tmp_path / "p.tif")
    assert done.exit_code == 0, done.output
    assert grid_of(tmp_path / "p.tif", True) == grid
    proba = read(tmp_path / "p.tif")
    has_data = measured.any(axis=0) & np.isfinite(values).all(axis=0)
    np.testing.assert_array_equal((proba != IGNORE).all(axis=0), has_data)
    total = proba[:, has_data].astype(int).sum(axis=0)
    assert np.all(np.abs(total - 254) <= 1)


@pytest.mark.parametrize(("name", "words"), [
    ("anisotropic_10x25m.tif", None), ("389225main_sw_1965_1024.jpg", None),
    ("no_crs_no_transform.tif", None), ("alpha.tif", "only one class is shown (water)"),
    ("all-nodata.tif", "no pixel has both a label and image data"),
    ("sliver_5x3000.tif", "is 3000 x 5 px, smaller than a chip of 32 px"),
    ("float_nan.tif", "is 3 x 2 px, smaller than a chip of 32 px"),
])
def test_plans(odd, recipe, tmp_path, name, words):
    placed = name in PLACED
    lake = left_half(odd / name, grid_of(odd / name, placed), tmp_path / "lake.gpkg")
    labels = tmp_path / "labels.tif"
    burnt = invoke("burn-labels", lake, "-r", recipe(placed), "--like", odd / name, "-o", labels)
    assert burnt.exit_code == 0, burnt.output
    done = invoke("plan-chips", odd / name, labels, "--recipe", recipe(placed), "--size", 32,
                  "-o", tmp_path / "chips.gpkg")
    if words is None:
        assert done.exit_code == 0, done.output
        assert json.loads(invoke("info", "--json", tmp_path / "chips.gpkg").stdout)["kind"] == (
            "chip plan")
    else:
        assert done.exit_code == 1
        assert words in check_sentence(done.stderr)
        assert not (tmp_path / "chips.gpkg").exists()


def test_strange_labels_are_not_taken_for_classes(odd, refused, tmp_path):
    path = odd / "label_stray_values.tif"
    refused("plan-chips", path, path, "-o", tmp_path / "o.gpkg",
            says=(f"{path}: carries no geoseg legend. Give a raster made by burn-labels",))


def test_strange_codes_of_a_land_cover_map_stay_uncovered(odd, tmp_path):
    """The same file as a land-cover map: value 77 belongs to no class, 255 to none either."""
    recipe = tmp_path / "r.toml"
    recipe.write_text(RECIPE.replace("codes = [0]", "codes = [0, 2]")
                      .replace("[chips]", '[labels]\nuncovered = "ignore"\n[chips]'))
    path = odd / "label_stray_values.tif"
    done = invoke("burn-labels", path, "-r", recipe, "--like", path, "-o", tmp_path / "o.tif")
    assert done.exit_code == 0, done.output
    assert "label_stray_values.tif: " in done.stderr
    assert "77" in done.stderr
    source, labels = read(path), read(tmp_path / "o.tif")
    np.testing.assert_array_equal(labels, np.select(
        [np.isin(source, (0, 2)), source == 1], [0, 1], IGNORE))


def test_a_huge_sparse_raster_is_not_read_as_a_whole(world, odd, refused, tmp_path):
    path = odd / HUGE
    assert "100000 x 100000 px" in invoke("info", path).stdout
    refused(*world.command("burn-labels", tmp_path / "o.tif", image=path),
            says=(f"does not overlap {HUGE}",))
    refused(*world.command("plan-chips", tmp_path / "o.gpkg", image=path),
            says=("labels.tif: has 448 x 448 px but sparse_100k_rgb.tif has 100000 x 100000 px",))


def test_odd_vectors(world, odd, refused, tmp_path):
    refused(*world.command("burn-labels", tmp_path / "o.tif", osm=odd / "empty.geojson"),
            says=("empty.geojson: holds no features. Check",))
    refused("fetch-osm", "10.068,48.135,10.071,48.137", "-r", world.recipe, "-o",
            tmp_path / "o.gpkg", "--file", odd / "osm_cut.osm",
            says=("osm_cut.osm: cannot be read to its end. The file is damaged",))
    image = odd / "label_stray_values.tif"
    crossing = odd / "polygons_self_crossing.geojson"
    done = invoke("burn-labels", "-r", world.recipe, "--like", image, "--assign", crossing,
                  "water", "-o", tmp_path / "o.tif")
    assert done.exit_code == 0, done.output
    assert "invalid polygon" in done.stderr
    burnt = (read(tmp_path / "o.tif")[0] == 1).sum() * 100
    assert burnt == pytest.approx(repaired_area(crossing), rel=0.02)


def repaired_area(path: Path) -> float:
    """Return the area in m² of features of which some cross themselves, by shapely alone."""
    import geopandas as gpd

    frame = gpd.read_file(path, engine="pyogrio").to_crs("EPSG:32633")
    return float(shapely.union_all(shapely.make_valid(frame.geometry.to_numpy())).area)
