"""`plan_chips` and `ChipPlan`: plans on real files, their promises, and what is refused."""

from __future__ import annotations

import logging
import shutil

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.warp import Resampling, reproject

from geoseg.errors import Cancelled, GridError, OutputError, PlanError, RasterError
from geoseg.geo.grid import PIXEL_SPACE, Grid
from geoseg.geo.legend import IGNORE, Legend, LegendClass
from geoseg.recipe import Recipe
from geoseg.samples.chips import ChipPlan, plan_chips
from tests.samples.scene_files import (
    LEGEND,
    UTM,
    make_scene,
    stripes,
    utm_grid,
    write_image,
    write_labels,
)

PIXELS = Recipe.parse(b"""
name = "pixels"
georeferenced = false
[[class]]
name = "land"
color = "#d9d3b8"
[[class]]
name = "water"
color = "#3182bd"
""")


def painted(plan, scene, grid):
    """Paint the splits of a scene: 0 none, else 1 + split; fails on pixels in two splits."""
    canvas = np.zeros(grid.shape, dtype=int)
    for row in plan.frame[plan.frame["scene"] == str(scene)].itertuples():
        part = canvas[row.row:row.row + row.height, row.col:row.col + row.width]
        number = 1 + ["train", "val", "test"].index(row.split)
        assert part.shape == (row.height, row.width)
        assert set(np.unique(part)) <= {0, number}
        part[:] = number
    return canvas


def world_squares(plan, split):
    return shapely.union_all(plan.rows(split).geometry.to_numpy())


def test_a_plan_is_read_as_it_was_written(tmp_path):
    image, labels = make_scene(tmp_path)
    plan = plan_chips(image, labels, size=64, seed=3, out=tmp_path / "chips.gpkg")
    again = ChipPlan.read(tmp_path / "chips.gpkg")
    assert (again.size, again.gap, again.seed, again.georeferenced) == (64, 64, 3, True)
    assert again.legend == LEGEND
    assert again.path == tmp_path / "chips.gpkg"
    assert again.frame.crs == plan.frame.crs
    for name in plan.frame.columns:
        assert list(again.frame[name]) == list(plan.frame[name]), name


def test_contents_agree_with_counting_each_chip(tmp_path):
    grid = utm_grid(500, 430)
    random = np.random.default_rng(1)
    labels = random.integers(0, 3, size=grid.shape).astype(np.uint8)
    labels[:200, :150] = IGNORE
    values = random.integers(1, 99, size=(2, *grid.shape))
    values[:, 300:, 350:] = 0
    values[0, 200:260, 200:260] = 0
    image, label = make_scene(tmp_path, grid=grid, labels=labels, values=values, nodata=0,
                              tiled=True, blockxsize=64, blockysize=64)
    plan = plan_chips(image, label, size=64, overlap=0.5, out=tmp_path / "chips.gpkg")
    # A pixel lacks data only where all bands do.
    known = (labels != IGNORE) & (values != 0).any(axis=0)
    for row in plan.frame.itertuples():
        window = np.s_[row.row:row.row + 64, row.col:row.col + 64]
        assert row.valid == pytest.approx(known[window].mean())
        assert row.valid >= 0.25
        here = labels[window][known[window]]
        for value in range(3):
            assert getattr(row, f"share_{value}") == pytest.approx((here == value).mean())


def test_overlapping_classes_have_shares_of_their_own(tmp_path):
    grid = utm_grid(600, 400)
    legend = Legend((LegendClass(0, "cloud", "#ffffff"), LegendClass(1, "shadow", "#000000")),
                    overlapping=True)
    random = np.random.default_rng(2)
    labels = (random.random((2, *grid.shape)) < [[[0.7]], [[0.6]]]).astype(np.uint8)
    labels[1, :, :50] = IGNORE
    image, label = make_scene(tmp_path, grid=grid, labels=labels, legend=legend)
    plan = plan_chips(image, label, size=64, out=tmp_path / "chips.gpkg")
    for row in plan.frame.itertuples():
        window = np.s_[row.row:row.row + 64, row.col:row.col + 64]
        assert row.valid == 1
        for value in range(2):
            here = labels[value][window]
            share = (here[here != IGNORE] == 1).mean() if (here != IGNORE).any() else 0
            assert getattr(row, f"share_{value}") == pytest.approx(share)


def test_the_layer_shows_each_chip_where_its_pixels_are(tmp_path):
    grid = Grid(UTM, Affine(8, 3, 500_000, 3, -8, 5_000_000), 640, 480)
    image, labels = make_scene(tmp_path, grid=grid)
    plan = plan_chips(image, labels, size=64, out=tmp_path / "chips.gpkg")
    for row in plan.frame.itertuples():
        corners = [grid.transform @ (row.col + x, row.row + y)
                   for x, y in ((0, 0), (64, 0), (64, 64), (0, 64))]
        assert row.geometry.symmetric_difference(shapely.Polygon(corners)).area < 1e-3


@settings(max_examples=6, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(380, 800), st.integers(300, 600), st.sampled_from([32, 64]),
       st.integers(0, 9), st.booleans())
def test_no_pixel_is_in_two_splits_and_the_gap_holds(tmp_path, width, height, size, seed, drawn):
    folder = tmp_path / f"{width}-{height}-{size}-{seed}-{drawn}"
    folder.mkdir(exist_ok=True)
    grid = utm_grid(width, height)
    image, labels = make_scene(folder, grid=grid)
    plan = plan_chips(image, labels, size=size, seed=seed, random=150 if drawn else None,
                      out=folder / "chips.gpkg", overwrite=True)
    canvas = painted(plan, image, grid)
    # Oracle: no pixel within `size` of another split, by a distance transform.
    from scipy.ndimage import distance_transform_cdt
    for number in (1, 2, 3):
        distance = distance_transform_cdt(canvas != number, metric="chessboard")
        others = (canvas > 0) & (canvas != number)
        assert (canvas == number).any()
        # The distance transform counts from pixel to pixel: a gap of n pixels is n + 1.
        assert distance[others].min() >= size + 1


def test_the_same_seed_gives_the_same_plan_and_another_seed_another(tmp_path):
    image, labels = make_scene(tmp_path)
    plans = [plan_chips(image, labels, size=64, seed=seed, out=tmp_path / f"{n}.gpkg")
             for n, seed in enumerate((7, 7, 8))]
    assert plans[0].frame.equals(plans[1].frame)
    assert list(plans[0].frame["split"]) != list(plans[2].frame["split"])


@pytest.mark.parametrize("pixel", [10.0, 7.0])
def test_overlapping_scenes_never_share_ground_between_splits(tmp_path, pixel):
    first = make_scene(tmp_path, "first", utm_grid(500, 500))
    second = make_scene(tmp_path, "second",
                        utm_grid(700, 500, left=500_000 + 2_133, top=5_000_000 - 1_717,
                                 pixel=pixel))
    plan = plan_chips(scenes=[first, second], size=64, out=tmp_path / "chips.gpkg")
    for one, other in (("train", "val"), ("train", "test"), ("val", "test")):
        distance = world_squares(plan, one).distance(world_squares(plan, other))
        assert distance >= 64 * pixel - 1


def test_overlapping_scenes_in_other_coordinates_never_share_ground(tmp_path):
    first = make_scene(tmp_path, "first", utm_grid(500, 500))
    degrees = Grid(CRS.from_epsg(4326), Affine(1.2e-4, 0, -2.99, 0, -9e-5, 45.14), 480, 460)
    second = make_scene(tmp_path, "second", degrees)
    plan = plan_chips(scenes=[first, second], size=64, out=tmp_path / "chips.gpkg")
    assert len(set(plan.frame["scene"])) == 2
    assert plan.frame.crs.to_epsg() == 32630
    train = world_squares(plan, "train")
    assert train.intersects(shapely.box(500_000, 4_995_000, 505_000, 5_000_000))
    for one, other in (("train", "val"), ("train", "test"), ("val", "test")):
        # A chip side of either scene is about 600 m.
        assert world_squares(plan, one).distance(world_squares(plan, other)) > 570


def test_scenes_on_opposite_sides_of_the_earth_are_planned_together(tmp_path):
    scenes = [make_scene(tmp_path, f"s{zone}", utm_grid(256, 256, crs=CRS.from_epsg(32600 + zone)))
              for zone in (1, 15, 30, 45, 58)]
    plan = plan_chips(scenes=scenes, size=64, out=tmp_path / "chips.gpkg")
    assert plan.frame.groupby("scene")["split"].nunique().max() == 1
    assert set(plan.frame["split"]) == {"train", "val", "test"}
    assert np.isfinite(plan.frame.total_bounds).all()


def test_pixel_space_says_so_and_sets_scenes_side_by_side(tmp_path):
    grid = Grid(None, PIXEL_SPACE, 512, 512)
    legend = PIXELS.legend
    scenes = [make_scene(tmp_path, f"slice{i}", grid, stripes(grid, 2), legend) for i in range(6)]
    plan = plan_chips(scenes=scenes, recipe=PIXELS, size=128, out=tmp_path / "chips.gpkg")
    again = ChipPlan.read(tmp_path / "chips.gpkg")
    assert not again.georeferenced
    assert again.frame.crs is None
    assert again.frame.groupby("scene")["split"].nunique().max() == 1
    first = again.frame[again.frame["scene"] == str(scenes[0][0])]
    for row in first.itertuples():
        assert row.geometry.equals(shapely.box(row.col, -row.row - 128, row.col + 128, -row.row))
    assert shapely.union_all(again.frame.geometry.to_numpy()).area == len(plan.frame) * 128**2
    assert "Mpx" in again.table()


def test_a_project_folder_can_be_moved(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    (old / "data").mkdir(parents=True)
    image, labels = make_scene(old / "data")
    plan_chips(image, labels, size=64, out=old / "plans" / "chips.gpkg")
    stored = pyogrio.read_dataframe(old / "plans" / "chips.gpkg")
    assert set(stored["scene"]) == {"../data/scene.tif"}
    shutil.move(old, new)
    plan = ChipPlan.read(new / "plans" / "chips.gpkg")
    assert set(plan.frame["scene"]) == {(new / "data" / "scene.tif").as_posix()}


def test_a_plan_that_moved_alone_still_finds_its_scenes(tmp_path):
    image, labels = make_scene(tmp_path)
    plan_chips(image, labels, size=64, out=tmp_path / "chips.gpkg")
    (tmp_path / "elsewhere").mkdir()
    moved = shutil.move(tmp_path / "chips.gpkg", tmp_path / "elsewhere" / "chips.gpkg")
    assert set(ChipPlan.read(moved).frame["scene"]) == {image.as_posix()}


def test_recipe_settings_are_used_and_arguments_go_before_them(tmp_path):
    image, labels = make_scene(tmp_path)
    recipe = Recipe.parse(b"""
name = "r"
[[class]]
name = "land"
color = "#d9d3b8"
[[class]]
name = "water"
color = "#3182bd"
[chips]
size = 96
seed = 5
split = [80, 20, 0]
""")
    plan = plan_chips(image, labels, recipe=recipe, seed=6, out=tmp_path / "chips.gpkg")
    assert (plan.size, plan.gap, plan.seed) == (96, 96, 6)
    assert plan.rows("test").empty


def test_the_table_lists_splits_with_area_and_shares(tmp_path):
    image, labels = make_scene(tmp_path)
    plan = plan_chips(image, labels, size=64, out=tmp_path / "chips.gpkg")
    lines = plan.table().splitlines()
    assert lines[0].split() == ["split", "chips", "area", "land", "water", "town"]
    assert len({len(line) for line in lines}) == 1
    for line, split in zip(lines[1:], ("train", "val", "test"), strict=True):
        rows = plan.rows(split)
        assert line.split()[:2] == [split, str(len(rows))]
        area = shapely.union_all(rows.geometry.to_numpy()).area / 1e6
        assert float(line.split()[2]) == pytest.approx(area, abs=0.006)
        assert plan.shares(split).sum() == pytest.approx(1)


def test_weights_have_mean_one_over_training_and_favour_the_rare(tmp_path):
    grid = utm_grid(1024, 1024)
    labels = np.zeros(grid.shape, dtype=np.uint8)
    labels[::128, :] = 1
    labels[500:520, 40:980] = 2
    image, label = make_scene(tmp_path, grid=grid, labels=labels)
    train = plan_chips(image, label, size=64, out=tmp_path / "chips.gpkg").rows("train")
    assert train["weight"].mean() == pytest.approx(1)
    assert train["weight"].max() / train["weight"].min() <= 10.001
    assert (train[train["share_2"] > 0]["weight"].min()
            > train[(train["share_2"] == 0) & (train["share_1"] == 0)]["weight"].max())


def refused(error, match, *args, **kwargs):
    out = kwargs["out"]
    with pytest.raises(error, match=match):
        plan_chips(*args, **kwargs)
    assert not out.exists()
    assert not list(out.parent.glob(".*"))


def test_what_is_refused_names_file_finding_and_cure(tmp_path):
    out = tmp_path / "chips.gpkg"
    grid = utm_grid(930, 632)
    image, labels = make_scene(tmp_path)
    shifted = write_labels(tmp_path / "shifted.tif", utm_grid(930, 632, left=500_005))
    ignored = write_labels(tmp_path / "ignored.tif", grid, np.full(grid.shape, IGNORE, np.uint8))
    single = write_labels(tmp_path / "single.tif", grid, np.ones(grid.shape, np.uint8))
    strange = write_labels(tmp_path / "strange.tif", grid, np.full(grid.shape, 7, np.uint8))
    bare = write_image(tmp_path / "bare.tif", grid, dtype="uint8", count=1)
    sparse = np.full(grid.shape, IGNORE, np.uint8)
    sparse[::64, ::8], sparse[1::64, ::8] = 0, 1
    sparse = write_labels(tmp_path / "sparse.tif", grid, sparse)
    refused(GridError, "shifted.tif: does not line up", image, shifted, out=out, size=64)
    refused(PlanError, "no pixel has both a label", image, ignored, out=out, size=64)
    refused(PlanError, "only one class is shown \\(water\\)", image, single, out=out, size=64)
    refused(RasterError, "strange.tif: holds the value 7", image, strange, out=out, size=64)
    refused(RasterError, "bare.tif: carries no geoseg legend", image, bare, out=out, size=64)
    refused(PlanError, "no chip is filled to 25 %", image, sparse, out=out, size=64)
    refused(PlanError, "largest chip size that fits is 608", image, labels, out=out, size=640)
    refused(PlanError, "Use chips of 192 px or smaller", image, labels, out=out, size=320)
    refused(PlanError, "chip size: is 100", image, labels, out=out, size=100)
    refused(PlanError, "chip split", image, labels, out=out, size=64, split=(0, 50, 50))
    refused(PlanError, "overlap: is 1.0", image, labels, out=out, size=64, overlap=1.0)
    refused(PlanError, "image without labels", image, out=out)
    refused(PlanError, "got no image", out=out)
    refused(PlanError, "given twice", scenes=[(image, labels)] * 2, out=out, size=64)
    refused(PlanError, "is not a folder", folder=tmp_path / "none", out=out)
    refused(OutputError, "ends in", image, labels, out=tmp_path / "chips.shp", size=64)


def test_the_size_that_an_error_recommends_works(tmp_path):
    image, labels = make_scene(tmp_path)
    plan = plan_chips(image, labels, size=192, out=tmp_path / "chips.gpkg")
    assert set(plan.frame["split"]) == {"train", "val", "test"}


def test_scenes_must_share_legend_and_bands(tmp_path):
    out = tmp_path / "chips.gpkg"
    first = make_scene(tmp_path, "first")
    grid = utm_grid(930, 632, left=900_000)
    fewer = make_scene(tmp_path, "fewer", grid, stripes(grid, 2), PIXELS.legend)
    single = make_scene(tmp_path, "single", grid, count=1)
    refused(PlanError, "fewer_labels.tif: has the classes land, water but",
            scenes=[first, fewer], out=out, size=64)
    refused(PlanError, "single.tif: has 1 bands but first.tif has 2",
            scenes=[first, single], out=out, size=64)


def test_an_image_without_crs_is_refused_unless_the_recipe_says_so(tmp_path):
    grid = Grid(None, PIXEL_SPACE, 512, 512)
    image, labels = make_scene(tmp_path, grid=grid, labels=stripes(grid, 2), legend=PIXELS.legend)
    refused(GridError, "no coordinate reference system", image, labels, size=64,
            out=tmp_path / "chips.gpkg")
    assert plan_chips(image, labels, recipe=PIXELS, size=64, out=tmp_path / "chips.gpkg")


def test_a_class_absent_from_a_split_is_told(tmp_path, caplog):
    grid = utm_grid(930, 632)
    labels = stripes(grid, 2)
    labels[:40, :40] = 2
    image, label = make_scene(tmp_path, grid=grid, labels=labels)
    with caplog.at_level(logging.WARNING, logger="geoseg"):
        plan = plan_chips(image, label, size=64, out=tmp_path / "chips.gpkg")
    absent = [split for split in ("train", "val", "test") if plan.shares(split)[2] == 0]
    assert set(absent) == {"val", "test"}
    for split in absent:
        assert f"No {split} chip shows town" in caplog.text


def test_an_existing_plan_is_kept_unless_told_otherwise(tmp_path):
    image, labels = make_scene(tmp_path)
    out = tmp_path / "chips.gpkg"
    plan_chips(image, labels, size=64, out=out)
    with pytest.raises(OutputError, match="exists already"):
        plan_chips(image, labels, size=96, out=out)
    assert ChipPlan.read(out).size == 64
    plan_chips(image, labels, size=96, out=out, overwrite=True)
    assert ChipPlan.read(out).size == 96


def test_cancelling_leaves_nothing(tmp_path):
    image, labels = make_scene(tmp_path)

    def cancel(fraction, message):
        raise Cancelled

    refused(Cancelled, "cancelled", image, labels, size=64, out=tmp_path / "chips.gpkg",
            progress=cancel)


def test_a_plan_out_of_date_is_refused(tmp_path):
    image, labels = make_scene(tmp_path)
    out = tmp_path / "chips.gpkg"
    plan_chips(image, labels, size=64, out=out)
    with pytest.raises(PlanError, match="is not a chip plan"):
        ChipPlan.read(image)
    with pytest.raises(PlanError, match="does not exist"):
        ChipPlan.read(tmp_path / "none.gpkg")
    write_labels(labels, utm_grid(930, 632, left=500_010))
    with pytest.raises(PlanError, match=r"is out of date.*does not line up"):
        ChipPlan.read(out)
    make_scene(tmp_path, grid=utm_grid(300, 300))
    with pytest.raises(PlanError, match="reach beyond"):
        ChipPlan.read(out)
    labels.unlink()
    with pytest.raises(PlanError, match=r"scene_labels.tif, which does not exist"):
        ChipPlan.read(out)


def test_an_edited_layer_is_used_unless_it_leaks(tmp_path):
    image, labels = make_scene(tmp_path)
    plan = plan_chips(image, labels, size=64, overlap=0.5, out=tmp_path / "chips.gpkg")
    fewer = ChipPlan(plan.frame.iloc[1:], plan.legend, 64, 64, 0).write(tmp_path / "fewer.gpkg")
    assert len(ChipPlan.read(fewer.path).frame) == len(plan.frame) - 1
    frame = plan.frame.copy()
    inside = frame.index[frame["split"] == "train"][0]
    frame.loc[inside, "split"] = "test"
    ChipPlan(frame, plan.legend, 64, 64, 0).write(tmp_path / "leaks.gpkg")
    with pytest.raises(PlanError, match="chips that share pixels"):
        ChipPlan.read(tmp_path / "leaks.gpkg")
    frame.loc[inside, "split"] = "tset"
    ChipPlan(frame, plan.legend, 64, 64, 0).write(tmp_path / "typo.gpkg")
    with pytest.raises(PlanError, match="split 'tset'"):
        ChipPlan.read(tmp_path / "typo.gpkg")


@pytest.mark.data
@pytest.mark.parametrize("size", [64, 96])
def test_aberystwyth_keeps_every_class_in_every_split(tmp_path, data, size):
    source = data / "landcover_aberystwyth"
    with (rasterio.open(source / "image_s2.tif") as image,
          rasterio.open(source / "landcover.tif") as landcover):
        grid = Grid.of(image)
        codes = np.zeros(grid.shape, dtype=np.uint8)
        reproject(rasterio.band(landcover, 1), codes, dst_crs=image.crs,
                  dst_transform=image.transform, resampling=Resampling.nearest)
    legend = Legend(tuple(LegendClass(i, name, "#808080") for i, name in
                          enumerate(("forest", "grass", "urban", "water"))))
    labels = write_labels(tmp_path / "labels.tif", grid,
                          np.where(codes == 0, IGNORE, codes - 1).astype(np.uint8), legend)
    plan = plan_chips(source / "image_s2.tif", labels, size=size, out=tmp_path / "chips.gpkg")
    canvas = painted(plan, source / "image_s2.tif", grid)
    assert (canvas == 1).mean() >= 0.45
    for split in ("train", "val", "test"):
        assert plan.shares(split).min() > 0.01
    assert 0.05 < len(plan.rows("test")) / len(plan.frame) < 0.3


@pytest.mark.data
def test_water_sar_is_split_by_scene(tmp_path, data):
    legend = Legend((LegendClass(0, "land", "#d9d3b8"), LegendClass(1, "water", "#3182bd")))
    scenes = []
    for image in sorted((data / "water_sar" / "s1").glob("*.tif")):
        with rasterio.open(data / "water_sar" / "label" / image.name) as source:
            values, grid = source.read(1), Grid.of(source)
        values = np.where(values < 0, IGNORE, values).astype(np.uint8)
        scenes.append((image, write_labels(tmp_path / image.name, grid, values, legend)))
    plan = plan_chips(scenes=scenes, size=128, out=tmp_path / "chips.gpkg")
    assert len(scenes) == 6
    assert plan.frame.groupby("scene")["split"].nunique().max() == 1
    assert plan.rows("train")["scene"].nunique() == 4
    for split in ("train", "val", "test"):
        assert plan.shares(split)[1] > 0.02
    # NaN in the image and -1 in the label are both left out.
    for row in plan.frame.iloc[::7].itertuples():
        window = rasterio.windows.Window(row.col, row.row, row.width, row.height)
        with rasterio.open(row.scene) as image, rasterio.open(row.label) as label:
            usable = (np.isfinite(image.read(window=window)).all(axis=0)
                      & (label.read(1, window=window) != IGNORE))
        assert row.valid == pytest.approx(usable.mean())
