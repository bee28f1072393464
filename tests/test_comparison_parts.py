"""Parts of comparisons that need no training: spaces, searches, words, pooled calibration."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely

from geoseg.comparison.axes import read_settings
from geoseg.comparison.charts import pooled
from geoseg.comparison.check import plan_hash
from geoseg.comparison.differences import disputed_class, most_disputed
from geoseg.comparison.runs import Outcome, Run
from geoseg.comparison.search import check_search, open_search
from geoseg.comparison.space import Setting, Space
from geoseg.comparison.table import Comparison, rank, within_spread
from geoseg.errors import GeosegError, RecipeError
from geoseg.geo.legend import Legend, LegendClass
from geoseg.learn.metrics import Tally
from geoseg.samples.plan import ChipPlan
from tests.learn.scenes import make_plan, make_recipe

pytest.importorskip("optuna")
RECIPE = make_recipe()
GRID = {"train.loss": ["ce", "dice"], "train.batch": [2, 4]}


def test_texts_and_mappings_span_the_same_space():
    texts = ["train.loss=ce|0.5*ce + dice", "augment.scale=[0.5, 2.0]|[1.0, 1.0]", "train.crop=|64"]
    one = Space.of(RECIPE, texts, None).settings()
    two = Space.of(RECIPE, {"train.loss": ["ce", "0.5*ce + dice"],
                            "augment.scale": [[0.5, 2.0], [1.0, 1.0]],
                            "train.crop": [None, 64]}, None).settings()
    assert [item.name for item in one] == [item.name for item in two]
    assert [item.recipe for item in one] == [item.recipe for item in two]
    assert len({item.folder for item in one}) == len(one) == 8
    assert one[-1].name == "0.5*ce + dice · scale [1.0, 1.0] · crop 64"
    assert one[-1].recipe.train.crop == 64
    assert one[0].recipe.train.crop is None


def test_named_settings_come_from_a_file_and_are_combined_with_the_rest(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text('[[setting]]\nname = "small"\ntrain.network = "classic-unet"\ntrain.width = 8\n'
                    '[[setting]]\nname = "large"\n[setting.train]\nencoder = "resnet34"\n',
                    encoding="utf-8")
    assert read_settings(file)["small"] == {"train.network": "classic-unet", "train.width": 8}
    found = Space.of(RECIPE, {"train.loss": ["ce", "dice"]}, file).settings()
    assert [item.name for item in found] == ["small · ce", "small · dice", "large · ce",
                                             "large · dice"]
    assert (found[3].recipe.train.encoder, found[3].recipe.train.loss) == ("resnet34", "dice")
    file.write_text("train.loss = 'ce'\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"more than \[\[setting\]\]"):
        read_settings(file)


def test_a_folder_depends_on_what_is_trained_alone():
    other = RECIPE.model_copy(update={"map": RECIPE.map.model_copy(update={"min_area": 5.0})})
    assert Setting("a", {}, RECIPE).folder == Setting("a", {}, other).folder
    assert Setting("a", {}, RECIPE).folder != Setting("a", {}, make_recipe(batch=3)).folder
    hostile = Setting("../../x: <b>|*?" * 9, {}, RECIPE).folder
    assert len(hostile) < 64
    assert not set(hostile) & set('/\\:*?"<>|')
    assert not hostile.startswith(".")


def ask_all(search):
    return list(iter(search.ask, None))


def test_a_grid_is_tried_once_and_whole_wherever_it_was_cut(tmp_path):
    space = Space.of(RECIPE, GRID, None)
    how = {"sampler": "grid", "count": 4, "purpose": "", "maximise": True}
    with open_search(tmp_path / "s.db", space, **how) as search:
        first = search.ask()
        search.tell(first[0], 0.5)
        second = search.ask()
        search._study.ask()  # the process ends before the point is known
    with open_search(tmp_path / "s.db", space, **how) as search:
        assert (search.ask(), search.ask()) == (first, second)
        points = [first[1], second[1], *(point for _, point in ask_all(search))]
    assert sorted(map(str, points)) == sorted(map(str, space.points()))


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_search_that_is_opened_again_goes_on_alike(tmp_path, sampler):
    space = Space.of(RECIPE, {"train.loss": ["ce", "dice"], "train.learning_rate": "1e-4..1e-1",
                              "train.batch": "2..9"}, None)
    how = {"sampler": sampler, "count": 9, "purpose": "", "maximise": True}

    def value(point):
        return -abs(np.log10(point["train.learning_rate"]) + 3)

    def search(file, times):
        with open_search(tmp_path / file, space, **how) as found:
            for _ in range(times):
                number, point = found.ask()
                found.tell(number, value(point))
                yield point

    whole = list(search("whole.db", 9))
    assert list(search("cut.db", 5)) == whole[:5]
    assert list(search("cut.db", 9)) == whole
    assert all(isinstance(point["train.batch"], int) for point in whole)
    assert len({point["train.learning_rate"] for point in whole}) == 9


def test_without_optuna_a_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(GeosegError, match=r"not installed. Install it with: pip install"):
        check_search(Space.of(RECIPE, GRID, None), "grid", None)


def make_row(name, values, seeds=None):
    legend = RECIPE.legend
    setting = Setting(name, {}, RECIPE.model_copy(update={"name": name}))
    runs = {}
    for seed, value in enumerate(values):
        scores = replace(Tally(legend).scores(), mean_iou=value)
        outcome = Outcome(scores, np.zeros(1), Tally(legend).reliability(), [], 0, 1, 1.0, 1.0)
        runs[Run(setting, seed, Path(name))] = (outcome, "") if value is not None else (
            None, "exploded")
    return rank([setting], runs, "mean_iou")[0]


def said(*rows):
    return " ".join(Comparison(rows, "mean_iou", "val", Path("x.html")).sentences)


def test_a_lead_within_the_spread_is_called_so():
    best = make_row("best", [0.80, 0.84])         # 0.820 ± 0.028
    near = make_row("near", [0.76, 0.79])         # 0.775 ± 0.021: 0.045 apart, spreads 0.049
    far = make_row("far", [0.70, 0.74])           # 0.720 ± 0.028: 0.100 apart, spreads 0.057
    assert best.spread == pytest.approx(0.04 / 2 ** 0.5)
    assert (within_spread(best, near), within_spread(best, far)) == (True, False)
    text = said(best, near, far)
    assert "cannot be told apart from near: within one standard deviation" in text
    assert "lead over far is larger than the spread" in text
    assert "once on the test chips" in text


def test_one_seed_and_failed_seeds_are_said():
    alone = said(make_row("a", [0.8]), make_row("b", [0.1]))
    assert "One seed: no spread known" in alone
    assert "larger than the spread" not in alone
    broken = said(make_row("a", [0.8, 0.81]), make_row("b", [0.9, None]))
    assert "No spread is known of b" in broken
    assert "b with seed 1 (exploded)" in broken


def test_calibration_of_seeds_together_is_that_of_all_their_predictions():
    legend, random = RECIPE.legend, np.random.default_rng(0)
    together, parts = Tally(legend), []
    for _ in range(3):
        chance = random.random((2, 1, 16, 16), np.float32)
        batch = np.concatenate([chance, 1 - chance], axis=1), random.integers(0, 2, (2, 16, 16),
                                                                              dtype=np.uint8)
        tally = Tally(legend)
        for item in (tally, together):
            item.add(*batch)
        parts.append(tally.reliability())
    whole, made = together.reliability(), pooled(parts)
    np.testing.assert_array_equal(made.count, whole.count)
    np.testing.assert_allclose(made.accuracy, whole.accuracy)
    np.testing.assert_allclose(made.confidence, whole.confidence)


def test_the_chips_shown_are_those_where_settings_differ():
    wrong = np.array([[0.1, 0.5, 0.2, np.nan], [0.1, 0.1, 0.3, np.nan]])
    assert most_disputed(wrong, 3) == [1, 2]
    legend = Legend(tuple(LegendClass(i, name, "#808080") for i, name in enumerate("abc")))
    label = np.array([[[0, 1, 2, 255]]], np.uint8)
    # About b both maps err alike; c is found by the first map alone.
    maps = [np.array([[[1, 0, 2, 2]]], np.uint8), np.array([[[1, 0, 0, 2]]], np.uint8)]
    assert legend.names[disputed_class(maps, label, legend)] in "ac"
    assert disputed_class([np.array([[[0, 0, 2, 2]]], np.uint8),
                           np.array([[[0, 0, 1, 1]]], np.uint8)], label, legend) in (1, 2)


def test_a_plan_is_known_by_what_it_says_not_by_where_it_lies(tmp_path):
    (tmp_path / "a").mkdir()
    plan = make_plan(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert plan_hash(ChipPlan.read(tmp_path / "b" / "chips.gpkg")) == plan_hash(plan)
    frame = plan.frame.copy()
    place = frame.index[frame["split"] == "train"][0]
    frame.loc[place, "split"] = "val"
    assert plan_hash(replace(plan, frame=frame)) != plan_hash(plan)
    moved = plan.frame.assign(geometry=shapely.box(0, 0, 1, 1))
    assert plan_hash(replace(plan, frame=moved)) == plan_hash(plan)
