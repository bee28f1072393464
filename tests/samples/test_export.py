"""`export_chips`: tiles equal windows of their scenes, and can be planned from again."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp
from rasterio.windows import Window

from geoseg.errors import Cancelled, OutputError, PlanError, RasterError
from geoseg.geo.grid import PIXEL_SPACE, PIXEL_SPACE_TAG, Grid
from geoseg.geo.legend import Legend
from geoseg.geo.raster import open_raster
from geoseg.recipe import Recipe
from geoseg.samples.chips import ChipPlan, plan_chips
from geoseg.samples.export import export_chips, tile_names
from tests.samples.scene_files import LEGEND, make_scene, stripes, utm_grid


def tiles(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.tif"))


@pytest.fixture
def plan(tmp_path):
    grid = utm_grid(700, 500)
    values = np.random.default_rng(4).normal(size=(5, *grid.shape))
    values[:, :60, :90] = np.nan
    image, labels = make_scene(tmp_path, "coast", grid, values=values, dtype="float32",
                               nodata=float("nan"), tiled=True, blockxsize=128, blockysize=128)
    with rasterio.open(image, "r+") as dataset:
        dataset.descriptions = ("blue", "green", "red", "nir", "swir")
        dataset.update_tags(SENSOR="made")
        dataset.scales, dataset.offsets = (0.1,) * 5, (2.0,) * 5
    return plan_chips(image, labels, size=64, overlap=0.25, out=tmp_path / "chips.gpkg")


def test_tiles_equal_windows_of_the_scene(plan, tmp_path):
    folder = export_chips(plan.path, out=tmp_path / "tiles")
    names = tile_names(plan.frame)
    assert len(tiles(folder)) == 2 * len(plan.frame)
    for name, row in zip(names, plan.frame.itertuples(), strict=True):
        window = Window(row.col, row.row, row.width, row.height)
        for kind, source in (("images", row.scene), ("labels", row.label)):
            with (rasterio.open(source) as whole,
                  rasterio.open(folder / row.split / kind / f"{name}.tif") as tile):
                assert np.array_equal(tile.read(), whole.read(window=window),
                                      equal_nan=kind == "images")
                assert np.array_equal(tile.read_masks(), whole.read_masks(window=window))
                assert tile.crs == whole.crs
                corner = whole.transform @ Affine.translation(row.col, row.row)
                assert tile.transform.almost_equals(corner, 1e-9)
                assert tile.dtypes == whole.dtypes
                assert tile.descriptions == whole.descriptions
                assert (tile.scales, tile.offsets) == (whole.scales, whole.offsets)
                assert tile.nodata == whole.nodata or np.isnan([tile.nodata, whole.nodata]).all()
                if kind == "labels":
                    assert Legend.of(tile) == LEGEND
                    assert tile.colormap(1) == whole.colormap(1)
                else:
                    assert tile.tags()["SENSOR"] == "made"


def test_a_plan_from_the_folder_has_the_same_splits(plan, tmp_path):
    folder = export_chips(plan, out=tmp_path / "tiles")
    again = plan_chips(folder=folder, out=tmp_path / "again.gpkg")
    assert (again.size, again.gap) == (64, 64)
    facts = {name: row for name, row in zip(tile_names(plan.frame), plan.frame.itertuples(),
                                            strict=True)}
    assert len(again.frame) == len(plan.frame)
    for row in again.frame.itertuples():
        source = facts[row.scene.rsplit("/", 1)[-1].removesuffix(".tif")]
        assert (row.split, row.block) == (source.split, source.block)
        assert row.valid == pytest.approx(source.valid)
        assert row.share_2 == pytest.approx(source.share_2)
        assert row.geometry.symmetric_difference(source.geometry).area < 1e-3
    assert len(ChipPlan.read(tmp_path / "again.gpkg").frame) == len(plan.frame)


def test_a_folder_whose_splits_overlap_is_refused(plan, tmp_path):
    folder = export_chips(plan, out=tmp_path / "tiles")
    (folder / "chips.json").unlink()
    doomed = sorted((folder / "train" / "images").iterdir())[0]
    for kind in ("images", "labels"):
        source = folder / "train" / kind / doomed.name
        source.rename(folder / "test" / kind / doomed.name)
    with pytest.raises(PlanError, match=r"shares pixels with .* of another split"):
        plan_chips(folder=folder, out=tmp_path / "again.gpkg")
    assert not (tmp_path / "again.gpkg").exists()


def test_touching_tiles_of_two_splits_are_told(tmp_path, caplog):
    for number, split in enumerate(("train", "train", "val")):
        folder = tmp_path / "tiles" / split
        for kind in ("images", "labels"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
        image, labels = make_scene(tmp_path, f"t{number}",
                                   utm_grid(64, 64, left=500_000 + 640 * number))
        image.rename(folder / "images" / image.name)
        labels.rename(folder / "labels" / image.name)
    plan = plan_chips(folder=tmp_path / "tiles", out=tmp_path / "chips.gpkg")
    assert plan.gap == 0
    assert "only 0 px apart" in caplog.text
    assert list(plan.frame["split"]) == ["train", "train", "val"]
    (tmp_path / "tiles" / "val" / "labels" / "t2.tif").unlink()
    with pytest.raises(PlanError, match=r"t2\.tif: has no label tile"):
        plan_chips(folder=tmp_path / "tiles", out=tmp_path / "other.gpkg")


def test_masks_and_alpha_survive(tmp_path):
    grid = utm_grid(512, 384)
    values = np.random.default_rng(5).integers(0, 255, size=(4, *grid.shape))
    values[3] = np.where(np.indices(grid.shape)[1] < 100, 0, 255)
    alpha = make_scene(tmp_path, "alpha", grid, values=values, dtype="uint8", photometric="rgb",
                       alpha="yes")
    masked = make_scene(tmp_path, "masked", utm_grid(512, 384, left=900_000), count=3,
                        dtype="uint8")
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(masked[0], "r+") as dataset:
        dataset.write_mask(np.indices(grid.shape)[0] > 50)
    plan = plan_chips(*alpha, size=64, out=tmp_path / "a.gpkg")
    other = plan_chips(*masked, size=64, out=tmp_path / "m.gpkg")
    for chips, name in ((plan, "alpha"), (other, "masked")):
        folder = export_chips(chips, out=tmp_path / f"{name}-tiles")
        for tile_name, row in zip(tile_names(chips.frame), chips.frame.itertuples(), strict=True):
            window = Window(row.col, row.row, row.width, row.height)
            with (rasterio.open(row.scene) as whole,
                  rasterio.open(folder / row.split / "images" / f"{tile_name}.tif") as tile):
                assert tile.colorinterp == whole.colorinterp
                assert np.array_equal(tile.read_masks(), whole.read_masks(window=window))
                assert (ColorInterp.alpha in tile.colorinterp) == (name == "alpha")


def test_pixel_space_stays_pixel_space(tmp_path):
    recipe = Recipe.read("membranes")
    grid = Grid(None, PIXEL_SPACE, 512, 512)
    scene = make_scene(tmp_path, grid=grid, labels=stripes(grid, 2), legend=recipe.legend)
    plan = plan_chips(*scene, recipe=recipe, size=64, out=tmp_path / "chips.gpkg")
    folder = export_chips(plan, out=tmp_path / "tiles")
    with open_raster(next(folder.rglob("images/*.tif"))) as tile:
        assert tile.crs is None
        assert PIXEL_SPACE_TAG.items() <= tile.tags().items()
    again = plan_chips(folder=folder, recipe=recipe, out=tmp_path / "again.gpkg")
    assert not again.georeferenced
    assert again.gap == 64
    assert again.frame["split"].value_counts().equals(plan.frame["split"].value_counts())


def test_scenes_of_one_name_do_not_overwrite_each_other(tmp_path):
    scenes = []
    for number in range(5):
        (tmp_path / str(number)).mkdir()
        scenes.append(make_scene(tmp_path / str(number), "scene",
                                 utm_grid(128, 128, left=500_000 + 5_000 * number)))
    plan = plan_chips(scenes=scenes, size=64, out=tmp_path / "chips.gpkg")
    folder = export_chips(plan, out=tmp_path / "tiles")
    assert len(tiles(folder)) == 2 * len(plan.frame) == 2 * 20
    names = [chip["name"] for chip in json.loads((folder / "chips.json").read_text())["chips"]]
    assert {"scene_00000_00000", "scene-2_00000_00000", "scene-5_00064_00064"} <= set(names)


def test_other_folders_are_never_replaced(plan, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("x")
    for overwrite in (False, True):
        with pytest.raises(OutputError, match="other things in it"):
            export_chips(plan, out=precious, overwrite=overwrite)
    assert (precious / "thesis.txt").read_text() == "x"


def test_an_earlier_export_is_replaced_as_a_whole_when_asked(plan, tmp_path):
    folder = export_chips(plan, out=tmp_path / "tiles")
    with pytest.raises(OutputError, match="exists already"):
        export_chips(plan, out=folder)
    stale = folder / "train" / "images" / "stale.tif"
    stale.write_bytes(b"")
    export_chips(plan, out=folder, overwrite=True)
    assert not stale.exists()


def test_cancelling_keeps_the_earlier_export_and_leaves_nothing_else(plan, tmp_path):
    folder = export_chips(plan, out=tmp_path / "tiles")
    before = tiles(folder)

    def cancel(fraction, message):
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        export_chips(plan, out=folder, overwrite=True, progress=cancel)
    with pytest.raises(Cancelled):
        export_chips(plan, out=tmp_path / "new", progress=cancel)
    assert tiles(folder) == before
    assert not (tmp_path / "new").exists()
    assert not list(tmp_path.glob(".*"))


def test_a_truncated_scene_is_told_and_nothing_is_left(plan, tmp_path):
    scene = plan.frame["scene"].iloc[0]
    with open(scene, "r+b") as file:  # noqa: PTH123
        file.truncate(400_000)
    with pytest.raises(RasterError, match=r"coast\.tif: cannot be"):
        export_chips(plan, out=tmp_path / "tiles")
    assert not (tmp_path / "tiles").exists()
    assert not list(tmp_path.glob(".*"))
