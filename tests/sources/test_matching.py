"""Which feature belongs to which class, and widths from tags."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from geoseg.recipe import Recipe
from geoseg.sources.matching import line_widths, match_classes, parse_width

RECIPE = Recipe.model_validate({"name": "t", "class": [
    {"name": "other", "color": "#000000", "codes": [-1, 300]},
    {"name": "road", "color": "#111111", "codes": [7], "osm": {"highway": ["track", "trunk"]},
     "width": {"track": 3.0, "default": 5.5}},
    {"name": "House", "color": "#222222", "osm": {"building": True}, "codes": [2253]},
]})


def classes_of(table, recipe=RECIPE):
    match = match_classes(pd.DataFrame(table), recipe)
    return [tuple(np.flatnonzero(column)) for column in match.member.T], match.by


def test_tags_match_and_empty_texts_are_no_value():
    found, by = classes_of({"highway": ["track", "path", "", None, "trunk"],
                            "building": ["", None, "no", "yes", "garage"]})
    assert found == [(1,), (), (), (2,), (1, 2)]
    assert by == "tags"


def test_class_names_come_before_tags_whatever_their_case():
    found, by = classes_of({"Class": ["HOUSE", "road ", "?"], "highway": ["track"] * 3})
    assert found == [(2,), (1,), ()]
    assert by == "names"


def test_a_class_column_of_another_recipe_leaves_it_to_the_tags():
    found, by = classes_of({"class": ["lake", "sea"], "highway": ["track", "path"]})
    assert (found, by) == ([(1,), ()], "tags")


@pytest.mark.parametrize("values", [[-1, 300, 7, 2253, 5], ["-1", "300", "7.0", "2253", "x"],
                                    [-1.0, 300.0, 7.0, 2253.0, np.nan]])
def test_codes_match_any_number_type(values):
    found, by = classes_of({"ClassValue": values})
    assert (found, by) == ([(0,), (0,), (1,), (2,), ()], "codes")


def test_overlapping_classes_keep_all_their_tags():
    recipe = RECIPE.model_copy(update={"task": "overlapping"})
    found, _ = classes_of({"class": ["House"], "highway": ["trunk"], "building": ["yes"]}, recipe)
    assert found == [(1, 2)]


def test_no_column_at_all_is_said():
    assert classes_of({"osm_id": [1, 2]}) == ([(), ()], "")


def test_numbers_and_truth_values_count_as_tags():
    assert classes_of({"building": [True, False]})[0] == [(2,), ()]
    assert classes_of({"building": [1.0, np.nan]})[0] == [(2,), ()]


@pytest.mark.parametrize(("text", "metres"), [
    ("3.5", 3.5), (" 3,5 m", 3.5), ("12'", 3.6576), ("12'6\"", 3.81), ("10 ft", 3.048),
    ("4metres", 4), ("", None), ("wide", None), ("3-4", None), ("-2", None), ("0", None),
    ("99999", None), ("3 km", None),
])
def test_width_tags(text, metres):
    found = parse_width(text)
    assert math.isnan(found) if metres is None else found == pytest.approx(metres)


def test_width_comes_from_the_first_thing_that_tells():
    table = pd.DataFrame({
        "highway": ["trunk", "trunk", "trunk", "track", "residential", "via_ferrata", "trunk"],
        "width": ["8 m", "", None, "", "", "", "narrow"],
        "lanes": ["4", "2", "", None, "", "", "many"],
    })
    expected = [8.0, 2 * 3.25 + 3.0, 14.0, 3.0, 6.5, 5.5, 14.0]
    assert line_widths(table, RECIPE.classes[1]) == pytest.approx(expected)


def test_width_may_stay_unknown_and_pixel_space_knows_no_metres():
    house, road = RECIPE.classes[2], RECIPE.classes[1]
    assert np.isnan(line_widths(pd.DataFrame({"building": ["yes"]}), house)).all()
    table = pd.DataFrame({"highway": ["trunk", "track"], "lanes": ["2", "2"]})
    assert line_widths(table, road, in_metres=False) == pytest.approx([5.5, 3.0])
